from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import pytest

from benchmarks.frame import Conditions, Figure, Result, Sample, Side, SideError, Workload, differences, measure
from benchmarks.worker import calls_in, timed
from benchmarks.workers import Running, Workers

Take = Callable[[int], Sample]
"""What a side does the n-th time, counted from 0."""


@dataclass(frozen=True, kw_only=True)
class Acted(Workload):
    takes: dict[str, Take]
    log: list[str]

    @property
    def sides(self) -> Sequence[str]:
        return list(self.takes)

    @contextmanager
    def open(self, side: str, conditions: Conditions) -> Iterator[Side]:
        take, log = self.takes[side], self.log

        class Actor(Side):
            count = 0

            def take(self) -> Sample:
                log.append(side)
                self.count += 1
                return take(self.count - 1)

            def facts(self) -> dict[str, float]:
                return {"taken": self.count}

        log.append(f"open {side}")
        yield Actor()
        log.append(f"close {side}")


def acted(log: list[str] | None = None, **takes: Take) -> Acted:
    return Acted(name="acted", title="An act", group="acts", takes=takes, log=[] if log is None else log)


def result_of(workload: Workload, rounds: int = 3, without: Sequence[str] = ()) -> Result:
    with Workers() as workers:
        return measure(workload, Conditions(1, rounds, 0.0, workers, frozenset(without)))


def always(sample: Sample) -> Take:
    return lambda _: sample


def told(value: float) -> Sample:
    return Sample(1.0, [Figure("loss", value, 0.01)])


def failing(at: int) -> Take:
    def take(number: int) -> Sample:
        if number == at:
            raise SideError("no compiler")
        return Sample(3.0)

    return take


def test_sides_are_warmed_up_then_measured_in_turn() -> None:
    log: list[str] = []
    found = result_of(acted(log, declnet=lambda n: Sample(1.0 + n), b=always(Sample(4.0))))
    assert log == ["open declnet", "declnet", "open b", "b", *["declnet", "b"] * 3, "close b", "close declnet"]
    assert found.seconds == {"declnet": [2.0, 3.0, 4.0], "b": [4.0] * 3}  # the first is not among them
    assert found.ratios("b") == [2.0, 4.0 / 3.0, 1.0]
    assert found.ratio == 4.0 / 3.0
    assert found.facts == {"declnet": {"taken": 4}, "b": {"taken": 4}}
    assert found.sound


def test_the_fastest_of_the_others_counts() -> None:
    found = result_of(acted(declnet=always(Sample(1.0)), a=always(Sample(3.0)), b=always(Sample(2.0))))
    assert (found.rival, found.ratio) == ("b", 2.0)
    fewer = result_of(acted(declnet=always(Sample(1.0)), a=always(Sample(3.0))), without=["a"])
    assert (fewer.rival, fewer.ratio) == (None, None)


@pytest.mark.parametrize(
    ("value", "wrong"),
    [(0.5, False), (0.509, False), (0.52, True), (0.48, True), (math.nan, True), (math.inf, True)],
)
def test_a_fast_wrong_answer_is_wrong(value: float, wrong: bool) -> None:
    found = result_of(acted(declnet=always(told(0.5)), torch=always(told(value))))
    assert found.wrong == ([f"loss: 0.5 with declnet, {value:.7g} with torch"] if wrong else [])
    assert found.sound is not wrong


def test_a_nan_of_ours_is_wrong() -> None:
    assert differences({"declnet": told(math.nan).answer, "torch": told(0.5).answer}) == {
        "torch": "loss: nan with declnet, 0.5 with torch"
    }


def test_a_form_that_differs_from_declnet_and_the_first_is_left_out() -> None:
    found = result_of(acted(declnet=always(told(0.5)), eager=always(told(0.5)), compiled=always(told(0.9))))
    assert found.failed == {"compiled": "it computes something else: loss: 0.5 with declnet, 0.9 with compiled"}
    assert (list(found.seconds), found.rival, found.sound) == (["declnet", "eager"], "eager", True)


def test_an_answer_that_declnet_does_not_give_is_wrong() -> None:
    other = Sample(1.0, [Figure("gradient", 0.5, 0.01)])
    found = result_of(acted(declnet=always(told(0.5)), torch=always(other)))
    assert found.wrong == ["gradient: 0.5 with torch, and declnet says nothing of it"]


def test_answers_of_later_rounds_are_compared_too() -> None:
    found = result_of(acted(declnet=always(told(0.5)), torch=lambda n: told(0.5 + (n == 2))))
    assert found.wrong == ["loss: 0.5 with declnet, 1.5 with torch"]


@pytest.mark.parametrize("at", [0, 2])
def test_a_side_that_fails_is_left_out_and_named(at: int) -> None:
    found = result_of(acted(declnet=always(Sample(1.0)), a=failing(at), b=always(Sample(2.0))))
    assert found.failed == {"a": "no compiler"}
    assert found.seconds == {"declnet": [1.0] * 3, "b": [2.0] * 3}
    assert (found.rival, found.sound) == ("b", True)


def test_without_declnet_a_result_is_not_sound() -> None:
    found = result_of(acted(declnet=failing(0), b=always(Sample(2.0))))
    assert (found.failed, found.ratio, found.sound) == ({"declnet": "no compiler"}, None, False)


def test_what_prepares_a_call_is_not_on_the_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]

    def pass_by(seconds: float) -> Callable[[], None]:
        def action() -> None:
            now[0] += seconds

        return action

    monkeypatch.setattr("time.perf_counter", lambda: now[0])
    assert timed(Running(pass_by(2.0), [], pass_by(5.0)), 3) == 6.0
    assert timed(Running(pass_by(2.0), []), 4) == 8.0


@pytest.mark.parametrize(("cost", "calls"), [(0.1, 10), (0.001, 1000), (5.0, 1)])
def test_a_sample_has_as_many_calls_as_fill_its_time(cost: float, calls: int) -> None:
    assert calls_in(1.0, lambda count: count * cost) == calls
