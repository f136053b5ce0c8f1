"""How a component's tests are declared: a `Subject` is a component, its cases, and what it refuses.

Everything here is data with a telling `repr`: the golden files are stale where the repr has changed, and a
case that Hypothesis drew can be pasted from its report into a table.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes
from hypothesis.vendor.pretty import RepresentationPrinter

from declnet.core.component import Component, Module
from declnet.core.laws import Law
from declnet.core.optimizer import Optimizer
from declnet.core.registry import losses, metrics, modules, optimizers, schedulers
from declnet.core.spec import Array, DType, Spec

STEPS = 10
"""Steps an optimizer case takes; the learning rate is halved after the first half of them."""

PERIODS = 52
"""Periods that a scheduler's case goes through."""


def landscape(row: Array, at: Array) -> tuple[float, Array]:
    """What a step lowers where an optimizer calls the closure itself: a bent valley, tilted by the step's row.

    The sum of (1 - x[i])² / 2 + (x[i + 1] - x[i]²)² / 2 - row[i] * x[i] / 10; its value and gradient.
    """
    bend, slack = at[1:] - at[:-1] * at[:-1], 1 - at
    gradient = -slack - row / 10
    gradient[1:] += bend
    gradient[:-1] -= 2 * bend * at[:-1]
    return float(((slack * slack).sum() + (bend * bend).sum()) / 2 - (row * at).sum() / 10), gradient


class Draw(Protocol):
    """An input that is drawn anew from a generator."""

    @property
    def shape(self) -> tuple[int, ...]: ...

    def __call__(self, rng: np.random.Generator) -> Array: ...


@dataclass(frozen=True)
class Normal:
    """Floats from N(0, scale²), rounded to so many `digits` where ties are wanted; `put` replaces the first."""

    shape: tuple[int, ...]
    scale: float = 1.0
    digits: int | None = None
    put: tuple[float, ...] = ()

    def __call__(self, rng: np.random.Generator) -> Array:
        values = rng.normal(0, self.scale, self.shape)
        values = values if self.digits is None else np.round(values, self.digits)
        return replaced(np.asarray(values), self.put)


@dataclass(frozen=True)
class Uniform:
    """Floats from low to high; `put` replaces the first."""

    shape: tuple[int, ...]
    low: float
    high: float
    put: tuple[float, ...] = ()

    def __call__(self, rng: np.random.Generator) -> Array:
        return replaced(np.asarray(rng.uniform(self.low, self.high, self.shape)), self.put)


@dataclass(frozen=True)
class Labels:
    """Integers from 0 to classes - 1; `put` replaces the first."""

    shape: tuple[int, ...]
    classes: int
    put: tuple[int, ...] = ()

    def __call__(self, rng: np.random.Generator) -> Array:
        return replaced(np.asarray(rng.integers(0, self.classes, self.shape)), self.put)


@dataclass(frozen=True)
class Flags:
    """Booleans."""

    shape: tuple[int, ...]

    def __call__(self, rng: np.random.Generator) -> Array:
        return np.asarray(rng.random(self.shape) < 0.5)


@dataclass(frozen=True)
class Shares:
    """Probabilities: positive, summing to 1 along `dim`."""

    shape: tuple[int, ...]
    dim: int

    def __call__(self, rng: np.random.Generator) -> Array:
        values: Array = rng.uniform(0.1, 1, self.shape)
        values /= values.sum(self.dim, keepdims=True)
        return values


def any_kind(shape: tuple[int, ...]) -> st.SearchStrategy[Draw]:
    """Floats, integers or booleans."""
    return st.sampled_from((Normal(shape), Labels(shape, 5, (-2, -3)), Flags(shape)))


def replaced(values: Array, put: tuple[float, ...]) -> Array:
    """The array with its first elements, in C order, replaced by as many of `put` as fit."""
    flat = values.reshape(-1)
    flat[: len(put)] = put[: flat.size]
    return flat.reshape(values.shape)


@dataclass(frozen=True)
class Tolerance:
    """How far numbers may be from PyTorch's: relative, and in absolute terms."""

    rtol: float
    atol: float
    reason: str = ""


TOLERANCES: dict[DType, Tolerance] = {
    "float64": Tolerance(1e-9, 1e-12),
    "float32": Tolerance(1.3e-6, 1e-5, "what torch.testing.assert_close takes"),
}


def scaled(scale: float, reason: str) -> dict[DType, Tolerance]:
    """The tolerances for numbers that are sums of others of this size."""
    return {dtype: Tolerance(t.rtol, t.atol * max(scale, 1), reason) for dtype, t in TOLERANCES.items()}


@dataclass(frozen=True)
class Case:
    """One component on one set of inputs. For an optimizer: the parameters, and for each step a gradient, or the
    row that tilts the `landscape` where it calls the closure itself. For a scheduler: the rates of two groups, and
    a figure for each period.
    """

    arguments: Mapping[str, object]
    inputs: tuple[Draw, ...]
    note: str = ""
    seed: int = 0
    random: bool = False
    """Training draws numbers, and PyTorch draws others: there it is compared by law, elsewhere, not by value."""
    rough: str = field(default="", repr=False)
    """Why differences are not the gradient here: a kink, infinities."""
    tolerance: Mapping[DType, Tolerance] = field(default_factory=dict, repr=False)
    deviates: str = field(default="", repr=False)
    """How declnet is known to differ from PyTorch here: nothing but that is tested."""

    def __str__(self) -> str:
        arguments = ", ".join(f"{name}={value}" for name, value in self.arguments.items())
        return " ".join(filter(None, [f"({arguments})", *(str(draw.shape) for draw in self.inputs), self.note]))


@dataclass(frozen=True)
class Bad:
    """Arguments that a component refuses: pydantic's error type, and which argument it is about; the whole
    message where it is declnet's own. `taken` says why, where PyTorch takes them.
    """

    arguments: Mapping[str, object]
    type: str
    where: tuple[str | int, ...]
    message: str = ""
    taken: str = ""

    def __str__(self) -> str:
        return f"({', '.join(f'{name}={value}' for name, value in self.arguments.items())})"


@dataclass(frozen=True)
class Misfit:
    """Inputs that a component refuses, perhaps only `in_training`, with the whole `ShapeError`. `taken` says why,
    where PyTorch takes them.
    """

    arguments: Mapping[str, object]
    inputs: tuple[Spec, ...]
    message: str
    field: str | None = None
    argument: int | None = None
    in_training: bool = False
    taken: str = ""

    def __str__(self) -> str:
        arguments = ", ".join(f"{name}={value}" for name, value in self.arguments.items())
        return " ".join([f"({arguments})", *map(str, self.inputs)])


@dataclass(frozen=True)
class BadTarget:
    """A column of targets that a loss or a metric refuses, with the whole `RowError`."""

    arguments: Mapping[str, object]
    input: Spec
    target: tuple[object, ...]
    message: str
    row: int


@dataclass(frozen=True, repr=False)
class Subject:
    """A component and all that is declared about it.

    `strategy` draws the cases that PyTorch is asked about live; `ranges` lets parameters and buffers start from
    other values than U(-1, 1) and their own; `initial` is a case with many parameters, `laws` what these are
    drawn from when nobody says.
    """

    name: str
    cases: tuple[Case, ...]
    strategy: st.SearchStrategy[Case]
    bad: tuple[Bad, ...] = ()
    misfits: tuple[Misfit, ...] = ()
    bad_targets: tuple[BadTarget, ...] = ()
    ranges: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    initial: Case | None = None
    laws: Mapping[str, Law] = field(default_factory=dict)

    def __repr__(self) -> str:
        return self.name

    def _repr_pretty_(self, printer: RepresentationPrinter, cycle: bool) -> None:
        """Hypothesis would print the fields, all of them."""
        printer.text(self.name)

    @property
    def cls(self) -> type[Component]:
        """The component's class."""
        found: type[Component] | None
        return next(
            found for r in (modules, losses, optimizers, schedulers, metrics) if (found := r.get(self.name))
        )

    def __call__(self, arguments: Mapping[str, object]) -> Component:
        """The component with these arguments."""
        return self.cls.model_validate(dict(arguments))

    def module(self, case: Case) -> Module:
        """The component of a case, which is a module."""
        module = self(case.arguments)
        assert isinstance(module, Module)
        return module

    def optimizer(self, case: Case) -> Optimizer:
        """The component of a case, which is an optimizer."""
        optimizer = self(case.arguments)
        assert isinstance(optimizer, Optimizer)
        return optimizer


NAN = "an exponent that is NaN makes all numbers NaN"

SEEDS = st.integers(0, 2**32 - 1)
SPECIALS = st.lists(st.sampled_from((0.0, -0.0, np.inf, -np.inf, np.nan)), max_size=4).map(tuple)


def shapes(least: int, most: int, *, side: int = 0) -> st.SearchStrategy[tuple[int, ...]]:
    """Shapes of so many dimensions, each of `side` to 6."""
    return array_shapes(min_dims=least, max_dims=most, min_side=side, max_side=6)


def drawn(
    arguments: Mapping[str, st.SearchStrategy[object]], *inputs: st.SearchStrategy[Draw]
) -> st.SearchStrategy[Case]:
    """Cases whose arguments and inputs don't depend on each other."""
    return st.builds(Case, st.fixed_dictionaries(dict(arguments)), st.tuples(*inputs), seed=SEEDS)
