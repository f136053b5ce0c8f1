"""Compiled loops in the place of NumPy's passes: the same bits."""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import cache

import numpy as np
import pytest

from components.cases.case import Case, Subject
from components.cases.tables import examples
from components.harness import DTYPES, material
from components.test_optimizers import is_elementwise
from declnet import testing
from declnet.core import fused
from declnet.core.optimizer import Optimizer
from declnet.core.registry import optimizers
from declnet.core.spec import Array, DType

pytest.importorskip("numba", reason="Numba compiles the loops")


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """A loop for the first run, however small it is."""
    monkeypatch.setattr(fused, "WORTH", 0)
    monkeypatch.setattr(fused, "LEAST", 1)


def noted(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """What the optimizers' formulas are told from now on: whether a loop ran."""
    told: list[bool] = []
    run = fused.Fused.__call__

    def noting(self: fused.Fused, formula: Callable[..., None]) -> bool:
        told.append(run(self, formula))
        return told[-1]

    monkeypatch.setattr(fused.Fused, "__call__", noting)
    return told


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("subject", "case"), examples(Optimizer, is_elementwise))
def test_optimizers_compute_the_same_bits(
    subject: Subject, case: Case, dtype: DType, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On so many elements that the loop's vector instructions take some and leave some."""
    param, gradients = material(subject, case).inputs
    param, gradients = np.tile(param, 150), np.tile(gradients, 150)
    passes = testing.optimize(subject.optimizer(case), param, list(gradients), dtype=dtype)
    request.getfixturevalue("at_once")
    told = noted(monkeypatch)
    loops = testing.optimize(subject.optimizer(case), param, list(gradients), dtype=dtype)
    assert told[1:] == [True] * (len(gradients) - 1)  # the first step of SGD with momentum copies
    for one, other in zip(passes.params, loops.params, strict=True):
        np.testing.assert_array_equal(one.view(np.uint8), other.view(np.uint8))
    np.testing.assert_equal(loops.state, passes.state)


def test_each_lane_runs(at_once: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """A group that threads share."""
    rng = np.random.default_rng(0)
    param, gradients = rng.standard_normal(300_001), list(rng.standard_normal((2, 300_001)))
    adam = optimizers["Adam"]()
    monkeypatch.setattr(fused, "_numba", lambda: None)
    passes = testing.optimize(adam, param, gradients, dtype="float32")
    monkeypatch.undo()
    monkeypatch.setattr(fused, "WORTH", 0)
    told = noted(monkeypatch)
    loops = testing.optimize(adam, param, gradients, dtype="float32")
    assert told == [True, True]
    np.testing.assert_array_equal(loops.params[-1], passes.params[-1])


def test_a_loop_is_compiled_when_numpy_has_taken_as_long(monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs times elements times passes reach what is worthwhile."""
    monkeypatch.setattr(fused, "WORTH", 3 * 2 * 70_000)
    told = noted(monkeypatch)
    sgd, param = optimizers["SGD"](lr=0.1), np.ones(70_000)
    testing.optimize(sgd, param, [param] * 5)
    assert told == [False, False, False, True, True]


def test_small_groups_are_left_to_numpy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fused, "WORTH", 0)
    told = noted(monkeypatch)
    testing.optimize(optimizers["SGD"](lr=0.1), np.ones(1000), [np.ones(1000)] * 3)
    assert told == [False] * 3


def test_without_numba_all_is_left_to_numpy(at_once: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "numba", None)  # as if it were not there
    monkeypatch.setattr(fused, "_numba", cache(fused._numba.__wrapped__))
    told = noted(monkeypatch)
    found = testing.optimize(optimizers["SGD"](lr=1), np.ones(7), [np.ones(7)] * 2)
    assert told == [False] * 2
    assert found.params[-1].tolist() == [-1] * 7


def run_of(*vectors: Array, works: int = 0) -> tuple[fused.Fused, list[tuple[bool, bool]]]:
    """What runs formulas over these, and what it says of them."""
    looked = [(False, False)]
    return fused.Fused(vectors, looked, works=works, passes=1), looked


def vectors(*firsts: float) -> list[Array]:
    return [np.full(3, first, np.float32) for first in firsts]


def test_other_numbers_make_no_other_loop(at_once: None) -> None:
    vector, grad = vectors(1, 2)
    run, _ = run_of(vector, grad)
    fused.compiled.cache_clear()

    def times(number: float) -> Callable[[Array, Array], None]:
        def formula(x: Array, grad: Array) -> None:
            x *= number

        return formula

    assert [run(times(number)) for number in (2, 3, 5)] == [True] * 3
    assert vector.tolist() == [30, 30, 30]
    assert fused.compiled.cache_info().misses == 1


def test_what_is_only_read_is_not_written(at_once: None) -> None:
    param, grad, state = vectors(1, 2, 3)
    state.flags.writeable = grad.flags.writeable = False
    run, _ = run_of(param, grad, state, works=1)

    def formula(param: Array, grad: Array, state: Array, work: Array) -> None:
        np.multiply(grad, state, out=work)
        np.multiply(grad, 2, out=grad)
        np.add(param, work, out=param)
        param -= grad

    assert run(formula)
    assert param.tolist() == [3, 3, 3]


@pytest.mark.parametrize("wrong", [np.nan, np.inf, -np.inf])
def test_it_says_whether_all_numbers_are_finite(at_once: None, wrong: float) -> None:
    def formula(param: Array, grad: Array) -> None:
        param += grad

    for start, slope, found in [(1, 2, (True, True)), (wrong, 2, (True, False)), (1, wrong, (False, False))]:
        param, grad = vectors(1, 2)
        param[2], grad[2] = start, slope
        run, looked = run_of(param, grad)
        assert run(formula)
        assert looked == [found]
    param, grad = vectors(3e38, 3e38)
    run, looked = run_of(param, grad)
    run(formula)
    assert looked == [(True, False)]  # the sum is too much


def looks(x: Array, grad: Array) -> None:
    if x > 0:
        x -= 1


def decides(x: Array, grad: Array) -> None:
    if np.add(x, 1):
        x -= 1


def sums(x: Array, grad: Array) -> None:
    x -= np.add.reduce(x)


def rounds_otherwise(x: Array, grad: Array) -> None:
    np.multiply(x, np.float64(1.1), out=x)


def takes_exponentials(x: Array, grad: Array) -> None:
    np.exp(x, out=x)


def takes_an_array(x: Array, grad: Array) -> None:
    np.multiply(x, np.ones(3, np.float32), out=x)


def writes_elsewhere(x: Array, grad: Array) -> None:
    np.multiply(x, 2, out=np.empty(3, np.float32))


def copies(x: Array, grad: Array) -> None:
    np.copyto(x, 0)


def asks_for_the_mean(x: Array, grad: Array) -> None:
    x -= x.mean()


@pytest.mark.parametrize(
    "formula",
    [
        looks,
        decides,
        sums,
        rounds_otherwise,
        takes_exponentials,
        takes_an_array,
        writes_elsewhere,
        copies,
        asks_for_the_mean,
    ],
)
def test_what_a_loop_cannot_do_is_left_to_numpy(formula: Callable[[Array, Array], None], at_once: None) -> None:
    vector, grad = vectors(1, 2)
    run, _ = run_of(vector, grad)
    assert not run(formula)
    assert vector.tolist() == [1, 1, 1]
