"""What only LBFGS has: iterations within a step, a line search, a memory, and a closure that may give anything."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from itertools import product

import numpy as np
import pytest

from declnet.core.optimizer import Group
from declnet.core.spec import Array
from declnet.errors import NonFiniteError
from declnet.optimizers.lbfgs import LBFGS
from declnet.optimizers.line_search import CURVATURE, DECREASE, LineSearch, Point, lowest_of_cubic
from declnet.testing import minimize, optimizer_state

Function = Callable[[Array], tuple[float, Array]]

STEPS = 5


def quadratic(size: int, condition: float) -> Function:
    rng = np.random.default_rng(size)
    axes = np.linalg.qr(rng.normal(size=(size, size)))[0]
    matrix = axes * np.geomspace(1, condition, size) @ axes.T
    linear = rng.normal(size=size)

    def function(at: Array) -> tuple[float, Array]:
        return float(at @ matrix @ at / 2 - linear @ at), matrix @ at - linear

    return function


def rosenbrock(at: Array) -> tuple[float, Array]:
    bend, slack = at[1:] - at[:-1] ** 2, 1 - at[:-1]
    gradient = np.zeros_like(at)
    gradient[1:] += 200 * bend
    gradient[:-1] -= 400 * bend * at[:-1] + 2 * slack
    return float((100 * bend**2 + slack**2).sum()), gradient


def barrier(at: Array) -> tuple[float, Array]:
    """The sum of x - log(x): NaN where x is negative, infinite at 0."""
    return float((at - np.log(at)).sum()), 1 - 1 / at


FUNCTIONS = {
    "quadratic of 10": (quadratic(10, 100), 10),
    "of 30": (quadratic(30, 1e3), 30),
    "rosenbrock": (rosenbrock, 10),
}


def settings() -> Iterator[dict[str, object]]:
    """Every argument, with the others at what shows it best."""
    for search, history in product((None, "strong_wolfe"), (100, 3, 1)):
        base = {"line_search_fn": search, "history_size": history, "lr": 1.0 if search else 0.3, "max_iter": 4}
        yield base
        yield base | {"max_iter": 1}
        yield base | {"max_iter": 9, "max_eval": 4}
        yield base | {"max_eval": 1}
        yield base | {"tolerance_grad": 1.0}
        yield base | {"tolerance_change": 0.1}
        yield base | {"lr": 1e-3}
    yield {"line_search_fn": "strong_wolfe", "lr": 30.0, "max_iter": 3}


@pytest.mark.torch
@pytest.mark.parametrize("name", FUNCTIONS)
@pytest.mark.parametrize("given", list(settings()), ids=str)
def test_step_by_step(name: str, given: dict[str, object]) -> None:
    """The parameters after each step, and where the function was evaluated, are PyTorch's."""
    torch = pytest.importorskip("torch", reason="PyTorch is not installed: pip install --group torch")
    function, size = FUNCTIONS[name]
    start = np.random.default_rng(1).normal(size=size)
    asked: list[Array] = []

    def noted(at: Array) -> tuple[float, Array]:
        asked.append(at.copy())
        return function(at)

    path = minimize(LBFGS.model_validate(given), noted, start, STEPS).params
    ours, asked = asked, []
    param = torch.from_numpy(start.copy()).requires_grad_()
    optimizer = torch.optim.LBFGS([param], **given)

    def closure() -> float:
        value, gradient = noted(param.detach().numpy())
        param.grad = torch.from_numpy(gradient)
        return value

    for at in path:
        optimizer.step(closure)
        np.testing.assert_allclose(at, param.detach().numpy(), 1e-7, 1e-8)
    np.testing.assert_allclose(ours, asked, 1e-7, 1e-8)
    assert len(ours) == optimizer.state[param]["func_evals"]


class Bound:
    """An LBFGS over a function; `state` may be taken out and put into another."""

    def __init__(self, function: Function, start: Array, **given: object) -> None:
        self.settings = LBFGS.model_validate(given)
        self.param, grad = start.copy(), np.empty_like(start)
        self.state = optimizer_state(self.settings, start.size, "float64")

        def closure() -> float:
            loss, grad[...] = function(self.param)
            return loss

        self.update = self.settings.bind(Group(self.param, grad, self.state), closure)

    def step(self) -> None:
        with np.errstate(all="ignore"):
            self.update(self.settings, 1)


@pytest.mark.parametrize("search", [None, "strong_wolfe"])
def test_counts(search: str | None) -> None:
    """`func_evals` counts calls; `pairs` only those that curve upward; the memory is a ring."""
    calls = 0

    def counted(at: Array) -> tuple[float, Array]:
        nonlocal calls
        calls += 1
        return rosenbrock(at)

    bound = Bound(counted, np.full(6, -1.0), line_search_fn=search, lr=0.5, history_size=3)
    for _ in range(4):
        bound.step()
    assert bound.state["func_evals"] == calls
    assert 3 < bound.state["pairs"] < bound.state["n_iter"]
    products = (bound.state["old_dirs"] * bound.state["old_stps"]).sum(1)
    np.testing.assert_allclose(bound.state["ro"], 1 / products, 1e-12)


@pytest.mark.parametrize("loss", [math.nan, math.inf])
@pytest.mark.parametrize("search", [None, "strong_wolfe"])
def test_infinite_start(search: str | None, loss: float) -> None:
    """Nothing has changed when a step finds that there is nothing to start from."""
    bound = Bound(lambda at: (loss, at), np.ones(3), line_search_fn=search)
    before = {name: array.copy() for name, array in bound.state.items()}
    with pytest.raises(NonFiniteError, match=f"the loss is {loss}"):
        bound.step()
    np.testing.assert_array_equal(bound.param, np.ones(3))
    for name, array in before.items():
        np.testing.assert_array_equal(bound.state[name], array)


def test_fixed_step_out_of_range() -> None:
    with pytest.raises(NonFiniteError, match="the loss is nan"):
        Bound(barrier, np.array([5.0, 0.1]), lr=10).step()


@pytest.mark.parametrize("lr", [1.0, 30.0])
def test_search_out_of_range(lr: float) -> None:
    """The line search comes back from where the function is infinite or NaN."""
    bound = Bound(barrier, np.array([5.0, 0.1]), lr=lr, line_search_fn="strong_wolfe", max_iter=40)
    bound.step()
    np.testing.assert_allclose(bound.param, 1, 1e-5)


def test_search_with_nowhere_to_go() -> None:
    """Where every point but the start is infinite, the parameters stay."""
    start = np.array([1.0, 2.0])

    def island(at: Array) -> tuple[float, Array]:
        return (0.0 if np.array_equal(at, start) else math.inf), np.ones(2)

    bound = Bound(island, start, line_search_fn="strong_wolfe")
    bound.step()
    np.testing.assert_array_equal(bound.param, start)


def test_no_rate() -> None:
    """PyTorch divides by zero."""
    bound = Bound(rosenbrock, np.full(2, 0.9), lr=0, line_search_fn="strong_wolfe")
    bound.step()
    np.testing.assert_array_equal(bound.param, 0.9)


def test_closure_raises() -> None:
    """What the closure raises comes out as it is."""

    def function(_: Array) -> tuple[float, Array]:
        raise MemoryError("no")

    with pytest.raises(MemoryError, match="no"):
        Bound(function, np.ones(2)).step()


LINES: dict[str, Callable[[float], tuple[float, float]]] = {
    "parabola": lambda t: ((t - 3) ** 2, 2 * (t - 3)),
    "quartic": lambda t: ((t - 2) ** 4 - t, 4 * (t - 2) ** 3 - 1),
    "root": lambda t: (math.sqrt(1 + (t - 40) ** 2), (t - 40) / math.sqrt(1 + (t - 40) ** 2)),
}


@pytest.mark.parametrize("first", [1e-3, 0.1, 1.0, 10.0, 100.0])
@pytest.mark.parametrize("name", LINES)
def test_strong_wolfe(name: str, first: float) -> None:
    """The loss has fallen and the slope flattened as much as the conditions say."""
    calls = 0

    def probe(step: float, grad: Array) -> Point:
        nonlocal calls
        calls += 1
        loss, slope = LINES[name](step)
        grad[...] = slope
        return Point(step, loss, np.float64(slope), grad)

    start = probe(0.0, np.empty(1))
    slope = start.slope
    point, evaluations = LineSearch(probe, start, (np.empty(1), np.empty(1)), 1.0, 25).run(first)
    assert evaluations == calls - 1
    assert point.loss <= start.loss + DECREASE * point.step * slope
    assert abs(point.slope) <= CURVATURE * abs(slope)
    assert point.grad == point.slope


def test_search_gives_up() -> None:
    """A line that falls for ever: the first try, and as many more as are allowed, each ten times as far."""
    steps = []

    def probe(step: float, grad: Array) -> Point:
        steps.append(step)
        return Point(step, -step, np.float64(-1), grad)

    start = Point(0.0, 0.0, np.float64(-1), np.empty(1))
    point, evaluations = LineSearch(probe, start, (np.empty(1), np.empty(1)), 1.0, 3).run(1.0)
    assert (steps, evaluations) == ([1, 10, 100, 1000], 4)
    assert point.step == 1000


@pytest.mark.parametrize(("low", "high", "expected"), [(-1, 4, 1), (1.5, 4, 1.5), (-1, 0.5, 0.5)])
def test_lowest_of_cubic(low: float, high: float, expected: float) -> None:
    """t³ - 3 t has its minimum at 1."""
    points = [Point(t, t**3 - 3 * t, np.float64(3 * t * t - 3), np.empty(0)) for t in (0.0, 3.0)]
    for a, b in (points, points[::-1]):
        assert lowest_of_cubic(a, b, low, high) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("loss", [math.inf, -1.2])
def test_no_cubic(loss: float) -> None:
    """Without a minimum, or with an end that is infinite, the middle."""
    a, b = Point(0.0, 0.0, np.float64(-1), np.empty(0)), Point(2.0, loss, np.float64(-1), np.empty(0))
    assert lowest_of_cubic(a, b, 0, 2) == 1
