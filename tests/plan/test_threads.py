"""By what the number of threads is chosen, the largest single matrix product; and what runs side by side."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from declnet.core import threads
from declnet.core.component import Module
from declnet.core.numerics import LONG, lanes, row_sums
from declnet.core.spec import Array, Spec
from declnet.layers import correlation
from declnet.layers.bilinear import Bilinear
from declnet.layers.conv import Conv1d, Conv2d, Conv3d
from declnet.layers.linear import Linear
from declnet.testing import run

CASES: dict[str, tuple[Module, tuple[int, ...]]] = {
    "Conv1d, several samples to a part": (Conv1d(out_channels=6, kernel_size=3), (40, 5, 100)),
    "Conv1d, dilated": (Conv1d(out_channels=6, kernel_size=3, dilation=4, padding=8), (3, 5, 900)),
    "Conv2d, a product for each row of the kernel": (Conv2d(out_channels=4, kernel_size=3), (2, 8, 30, 30)),
    "Conv2d, groups": (Conv2d(out_channels=4, kernel_size=3, groups=2), (2, 8, 30, 30)),
    "Conv2d, strides": (Conv2d(out_channels=9, kernel_size=3, stride=2), (4, 6, 20, 20)),
    "Conv2d, the last axis spread": (Conv2d(out_channels=3, kernel_size=3, padding=1), (2, 8, 30, 30)),
    "Conv2d, a narrow output": (Conv2d(out_channels=2, kernel_size=5), (1, 12, 40, 40)),
    "Conv3d": (Conv3d(out_channels=4, kernel_size=2, padding=1), (2, 3, 9, 9, 9)),
    "Linear": (Linear(out_features=7), (30, 11)),
}


@pytest.mark.parametrize("case", CASES)
def test_the_largest_product_is_foretold(monkeypatch: pytest.MonkeyPatch, case: str) -> None:
    """Each multiply-add counts as two; a stack of matrices is a product for each."""
    module, shape = CASES[case]
    seen = [0]

    def watching(product: Callable[..., Array]) -> Callable[..., Array]:
        def watched(a: Array, b: Array, *out: Array, **named: Any) -> Array:
            if a.ndim > 1 and b.ndim > 1:
                seen.append(2 * a.shape[-2] * a.shape[-1] * b.shape[-1])
            return product(a, b, *out, **named)

        return watched

    x = np.random.default_rng(0).standard_normal(shape)
    for name in ("matmul", "dot"):
        monkeypatch.setattr(np, name, watching(getattr(np, name)))
    found = run(module, [x], grad_output=1.0)
    monkeypatch.undo()
    bias = found.output.size if isinstance(module, Linear) else 0  # Linear says all that it does
    assert module.product(Spec(shape)) == max(seen) + bias


def test_small_products_take_one_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the second ones are too small to be shared; as many as before once that is done."""
    counts = [4]
    monkeypatch.setattr(threads, "_openblas", lambda: (lambda: counts[-1], counts.append))
    monkeypatch.setattr(threads, "given", lambda: 4)
    with threads.threads_for(threads.SMALL):
        assert counts == [4]
    with threads.threads_for(threads.SMALL - 1):
        assert counts == [4, 1]
    assert counts == [4, 1, 4]


@pytest.fixture
def given(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[int], None]]:
    """Act as if OpenBLAS was given so many threads."""

    def act(count: int) -> None:
        threads._tickets.cache_clear()
        monkeypatch.setattr(threads, "given", lambda: count)

    yield act
    threads._tickets.cache_clear()


LARGE: dict[str, tuple[Module, tuple[int, ...]]] = {
    "Conv1d": (Conv1d(out_channels=64, kernel_size=3, dilation=2), (32, 64, 90)),
    "Conv2d, padding": (Conv2d(out_channels=32, kernel_size=3, padding=1), (10, 32, 30, 30)),
    "Conv2d, strides": (Conv2d(out_channels=64, kernel_size=3, stride=2, padding=1), (8, 64, 40, 40)),
    "Conv2d, one sample cut": (Conv2d(out_channels=8, kernel_size=3), (1, 16, 320, 320)),
    "Conv3d": (Conv3d(out_channels=16, kernel_size=3), (5, 16, 14, 14, 14)),
    "Conv3d, the last axis spread": (Conv3d(out_channels=8, kernel_size=3), (5, 16, 14, 14, 14)),
}


def test_products_that_run_side_by_side_are_not_shared() -> None:
    for case in ("Conv1d", "Conv2d, padding", "Conv2d, one sample cut"):
        module, shape = LARGE[case]
        assert (module.product(Spec(shape)), module.flops(Spec(shape)) > threads.SMALL) == (0, True), case


@pytest.mark.parametrize("case", LARGE)
def test_convolutions_give_the_same_bits_on_any_number_of_threads(
    monkeypatch: pytest.MonkeyPatch, given: Callable[[int], None], case: str
) -> None:
    module, shape = LARGE[case]
    x = np.random.default_rng(0).standard_normal(shape)
    upstream = np.random.default_rng(1).standard_normal(module.infer(Spec(shape)).shape)

    def arrays() -> list[Array]:
        found = run(module, [x], grad_output=upstream, dtype="float32")
        return [found.output, *found.gradients.values()]

    with threads.threads_for(0):  # a product on several threads may be another one
        given(1)
        alone = arrays()
        for count in (2, 3, 8):
            given(count)
            assert [array.tobytes() for array in arrays()] == [array.tobytes() for array in alone]
    monkeypatch.setattr(correlation, "LANES", 1)  # sums in another order
    for array, other in zip(arrays(), alone, strict=True):
        np.testing.assert_allclose(array, other, rtol=1e-4, atol=1e-4 * np.abs(other).max())


def test_bilinear_gives_the_same_bits_on_any_number_of_threads(given: Callable[[int], None]) -> None:
    module, rng = Bilinear(out_features=8), np.random.default_rng(0)
    x1, x2, upstream = (rng.standard_normal((900, width)) for width in (40, 30, 8))
    assert module.product(Spec(x1.shape), Spec(x2.shape)) == 0

    def arrays() -> list[Array]:
        found = run(module, [x1, x2], grad_output=upstream, dtype="float32")
        return [found.output, *found.gradients.values()]

    with threads.threads_for(0):
        given(1)
        alone = arrays()
        for count in (2, 3, 8):
            given(count)
            for one, many in zip(alone, arrays(), strict=True):
                np.testing.assert_array_equal(one, many)


@pytest.mark.parametrize(
    ("items", "cost"), [(0, 1), (1, 1 << 30), (3, 1 << 20), (1000, 300), (1 << 20, 1), (77777, 9)]
)
def test_lanes_cover_everything_once(items: int, cost: int) -> None:
    lanes = threads.cut(items, cost)
    assert [number for lane in lanes for number in range(items)[lane]] == list(range(items))
    lengths = [lane.stop - lane.start for lane in lanes]
    assert max(lengths) - min(lengths) <= 1
    assert len(lanes) == 1 or (len(lanes) <= threads.LANES and items * cost >= len(lanes) * threads.LANE)


@pytest.mark.parametrize("size", [0, 1, 63, 100_000, 1_000_001])
def test_blocks_of_lanes_cover_arrays_in_step(size: int) -> None:
    first, second = np.zeros(size, "f4"), np.arange(size)
    for lane in lanes(first, second, passes=4):
        for block, numbers in lane:
            assert block.size == numbers.size <= LONG
            np.add(block, numbers, out=block)
    np.testing.assert_array_equal(first, second.astype("f4"))


@pytest.mark.parametrize("shape", [(1, 70_000, 24), (3, 20_001, 10)])
def test_sums_of_rows_are_the_same_on_any_number_of_threads(
    given: Callable[[int], None], shape: tuple[int, int, int]
) -> None:
    source = np.random.default_rng(0).standard_normal(shape).astype("f4")
    found = []
    for count in (1, 2, 5):
        given(count)
        target = np.full((shape[0], shape[2]), np.nan, "f4")
        row_sums(source, target)()
        found.append(target)
    np.testing.assert_allclose(found[0], source.sum(1, dtype="f8"), atol=1e-2)
    assert found[0].tobytes() == found[1].tobytes() == found[2].tobytes()


@pytest.mark.parametrize(
    ("said", "count"), [("3", 3), ("2,4", 2), (" 5 ", 5), ("", None), ("0", None), ("many", None)]
)
def test_without_openblas_the_environment_says_how_many(
    monkeypatch: pytest.MonkeyPatch, said: str, count: int | None
) -> None:
    """Or the CPUs that the process may use."""
    monkeypatch.setattr(threads, "_openblas", lambda: None)
    monkeypatch.setenv("OMP_NUM_THREADS", said)
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    threads.given.cache_clear()
    try:
        assert threads.given() == (allowed if count is None else count)
    finally:
        threads.given.cache_clear()


def test_those_side_by_side_are_all_done_before_it_goes_on(given: Callable[[int], None]) -> None:
    given(3)
    meeting, done = threading.Barrier(3, timeout=30), []

    def lane(number: int) -> None:
        if number < 3:
            meeting.wait()  # three at the same time
        if number == 1:
            time.sleep(0.05)
        done.append(number)

    threads.side_by_side([partial(lane, number) for number in range(5)])()
    assert sorted(done) == [0, 1, 2, 3, 4]


@pytest.mark.parametrize(("crowd", "most"), [({}, threads.CROWD), ({"crowd": 6}, 6)])
def test_more_than_a_crowd_are_not_asked(
    given: Callable[[int], None], crowd: dict[str, int], most: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    given(16)
    asked: list[object] = []
    done: list[int] = []
    with monkeypatch.context() as patch:
        patch.setattr(threads, "_tickets", lambda: SimpleNamespace(put=asked.append))
        threads.side_by_side([partial(done.append, number) for number in range(8)], **crowd)()
    assert len(asked) == most - 1
    assert done == [*range(8)]


def test_nobody_waits_for_a_thread_that_is_busy(given: Callable[[int], None]) -> None:
    """A lane that runs lanes itself, on threads that all have one, ends; so does one without helpers."""
    given(2)
    done: list[int] = []
    inner = threads.side_by_side([partial(done.append, number) for number in range(3)])
    threads.side_by_side([inner, inner])()
    assert sorted(done) == [0, 0, 1, 1, 2, 2]
    occupied, leave = threading.Event(), threading.Event()

    def stay() -> None:
        occupied.set()
        assert leave.wait(30)

    threads._tickets().put(stay)
    assert occupied.wait(30)
    inner()
    leave.set()
    assert sorted(done) == [0, 0, 0, 1, 1, 1, 2, 2, 2]


@pytest.mark.parametrize("wrong", [0, 1])
def test_what_one_of_them_raises_is_raised(given: Callable[[int], None], wrong: int) -> None:
    """NumPy's error state is the caller's in each."""
    given(2)
    ones, zeros, done = np.ones(3), np.zeros(3), []

    def lane(number: int) -> None:
        np.divide(ones, zeros if number == wrong else ones)
        done.append(number)

    action = threads.side_by_side([partial(lane, 0), partial(lane, 1)])
    with np.errstate(divide="raise"), pytest.raises(FloatingPointError):
        action()
    assert done == [1 - wrong]
    with np.errstate(divide="ignore"):
        action()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_a_fork_has_threads_of_its_own(given: Callable[[int], None]) -> None:
    given(2)
    action = threads.side_by_side([lambda: None, lambda: None])
    action()
    child = os.fork()
    if child == 0:
        action()
        os._exit(7)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
