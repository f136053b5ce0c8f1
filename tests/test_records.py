"""Records: dataclasses in all but how they are made."""

from __future__ import annotations

from dataclasses import asdict, field, replace

import pytest

from declnet.records import record


@record
class Point:
    """A place."""

    x: int
    y: float = 0.5
    names: dict[str, int] = field(default_factory=dict)


@record
class Alone:
    """One value."""

    value: tuple[int, ...]


@record
class Loud:
    """With a text of its own."""

    word: str

    def __repr__(self) -> str:
        return self.word.upper()


def test_equal_by_values_of_the_same_class() -> None:
    assert Point(1) == Point(1, 0.5, {})
    assert Point(1) != Point(2)
    assert Alone((1,)) != (1,)
    assert Loud("a") != Alone(("a",))  # type: ignore[arg-type, comparison-overlap] # the same value, another class


def test_hashed_by_values() -> None:
    assert len({Alone((1, 2)), Alone((1, 2)), Alone((2, 1))}) == 2
    with pytest.raises(TypeError, match="unhashable"):
        hash(Point(1))


def test_shown_and_changed_as_dataclasses_are() -> None:
    assert repr(Point(1, names={"a": 2})) == "Point(x=1, y=0.5, names={'a': 2})"
    assert repr(Loud("a")) == "A"
    assert replace(Point(1), y=2.0) == Point(1, 2.0)
    assert asdict(Point(1)) == {"x": 1, "y": 0.5, "names": {}}


def test_no_other_attribute_than_its_own() -> None:
    with pytest.raises(AttributeError):
        Point(1).z = 3  # type: ignore[attr-defined] # that is the point
