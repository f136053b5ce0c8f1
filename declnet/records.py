"""Records: classes of a few named values that are written once, and quick to make."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from operator import attrgetter
from typing import TypeVar, dataclass_transform

T = TypeVar("T")


@dataclass_transform(frozen_default=True, field_specifiers=(field,))
def record(cls: type[T]) -> type[T]:
    """A dataclass with slots, compared and hashed by its values, which are not written again.

    A frozen dataclass compiles six functions for each class, which takes a millisecond; a command needs some fifty
    classes before it does anything. Here `__init__` alone is compiled, and that nothing is written again is the
    type checker's to see.
    """
    made = dataclass(slots=True, eq=False, repr=False)(cls)
    names = [item.name for item in fields(made)]  # type: ignore[arg-type] # it is a dataclass now
    values = attrgetter(*names)

    def eq(self: T, other: object) -> bool:
        return values(self) == values(other) if type(other) is made else NotImplemented

    def hashed(self: T) -> int:
        return hash(values(self))

    def text(self: T) -> str:
        return f"{made.__qualname__}({', '.join(f'{name}={getattr(self, name)!r}' for name in names)})"

    for name, function in {"__eq__": eq, "__hash__": hashed, "__repr__": text}.items():
        if name not in cls.__dict__:
            setattr(made, name, function)
    return made
