"""A clock that is moved by hand: every second is charged to one section."""

from __future__ import annotations

import pytest

from declnet.runner import clock
from declnet.runner.clock import Clock, Section, cost_of_a_lap


class Hand:
    """Time that passes only where a test says so."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 100.0
        monkeypatch.setattr(clock, "perf_counter", lambda: self.now)

    def wait(self, seconds: float) -> float:
        self.now += seconds
        return seconds


@pytest.fixture
def hand(monkeypatch: pytest.MonkeyPatch) -> Hand:
    return Hand(monkeypatch)


def test_a_lap_charges_what_passed_since_the_last(hand: Hand) -> None:
    rest, one, other = Section(), Section(), Section()
    laps = Clock(rest)
    first, second = laps.lap(one), laps.lap(other)
    for seconds, lap in ((1, first), (2, second), (4, first), (8, laps.charge)):
        hand.wait(seconds)
        lap()
    assert [(s.seconds, s.laps) for s in (one, other, rest)] == [(5, 2), (2, 1), (8, 1)]
    assert laps.at - laps.begun == 15


def test_a_section_has_not_what_is_inside_it(hand: Hand) -> None:
    rest, outer, inner, node = (Section() for _ in range(4))
    whole = Clock(rest)
    lap = whole.lap(node)

    def compute(seconds: float) -> float:
        hand.wait(seconds)
        whole.charge()
        hand.wait(32)
        lap()
        return seconds

    within = whole.timed(inner, compute)

    def action() -> float:
        hand.wait(1)
        found = within(seconds=2)
        hand.wait(4)
        return found

    hand.wait(8)
    assert whole.timed(outer, action)() == 2
    hand.wait(16)
    whole.charge()
    assert [s.seconds for s in (rest, outer, inner, node)] == [24, 5, 2, 32]
    assert [s.calls for s in (rest, outer, inner, node)] == [0, 1, 1, 0]
    assert whole.at - whole.begun == sum(s.seconds for s in (rest, outer, inner, node))


def test_what_raises_is_charged_too(hand: Hand) -> None:
    rest, section = Section(), Section()
    whole = Clock(rest)

    def fail() -> None:
        hand.wait(3)
        raise ValueError("told on")

    with pytest.raises(ValueError, match="told on"):
        whole.timed(section, fail)()
    hand.wait(1)
    whole.charge()
    assert (section.seconds, rest.seconds) == (3, 1)


def test_a_lap_costs_something(monkeypatch: pytest.MonkeyPatch) -> None:
    assert 1e-9 < cost_of_a_lap() < 1e-3
