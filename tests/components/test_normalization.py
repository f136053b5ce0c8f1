"""Normalization beyond its cases: what a batch must have, long sums, and blocks of any size."""

from __future__ import annotations

import numpy as np
import pytest
from pydantic import ValidationError

from components.cases.case import Case, Subject
from components.cases.normalization import SUBJECTS
from components.harness import DTYPES, assert_close, material, measure
from declnet.core.component import Module
from declnet.core.registry import modules
from declnet.core.spec import Spec
from declnet.errors import ShapeError
from declnet.normalization import view
from declnet.testing import run

BATCH = "{} needs more than 1 value per channel, for the statistics of the batch, but its input is {}"
CHANNEL = "{} needs more than 1 number in each channel of a sample, which it normalises, but its input is {}"
GROUP = "{} needs more than 1 value in a group, or more than 1 sample, but its input is {}"


def make(name: str, **arguments: object) -> Module:
    module = modules[name].model_validate(arguments)
    assert isinstance(module, Module)
    return module


@pytest.mark.parametrize(
    ("name", "shape", "message"),
    [
        ("BatchNorm1d", (1, 3), BATCH),
        ("BatchNorm1d", (1, 3, 1), BATCH),
        ("BatchNorm2d", (1, 3, 1, 1), BATCH),
        ("BatchNorm3d", (1, 3, 1, 1, 1), BATCH),
        ("InstanceNorm1d", (2, 3, 1), CHANNEL),
        ("InstanceNorm2d", (3, 1, 1), CHANNEL),
        ("InstanceNorm3d", (2, 3, 1, 1, 1), CHANNEL),
    ],
)
def test_statistics_of_one_value(name: str, shape: tuple[int, ...], message: str) -> None:
    """Refused when a plan is laid out that would take them; running statistics do not mind."""
    spec = Spec(shape)
    tracked, untracked = (make(name, track_running_stats=kept) for kept in (True, False))
    for module, training in ((tracked, True), (untracked, True), (untracked, False)):
        assert module.infer(spec) == spec
        with pytest.raises(ShapeError) as caught:
            module.scratch(spec, training=training)
        assert (caught.value.message, caught.value.argument) == (message.format(name, spec), 0)
    tracked.scratch(spec, training=False)


@pytest.mark.parametrize("training", [True, False])
def test_group_of_one_value(training: bool) -> None:
    """PyTorch, too, refuses a single sample only."""
    module = make("GroupNorm", num_groups=3)
    with pytest.raises(ShapeError) as caught:
        module.scratch(Spec((1, 3)), training=training)
    assert caught.value.message == GROUP.format("GroupNorm", Spec((1, 3)))
    module.scratch(Spec((2, 3)), training=training)
    np.testing.assert_allclose(run(module, [np.ones((2, 3))], training=training).output, 0, atol=1e-12)


@pytest.mark.parametrize("size", [1, 7, 30])
@pytest.mark.parametrize(
    ("subject", "case"),
    [pytest.param(s, c, id=f"{s}{c}") for s in SUBJECTS for c in s.cases if c.inputs[0].shape[0]],
)
def test_blocks_of_any_size(subject: Subject, case: Case, size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same numbers, whether a block holds all samples, one, or a group of one."""
    module, numbers = subject.module(case), material(subject, case)
    expected = {(dtype, t): measure(module, numbers, dtype, training=t) for dtype in DTYPES for t in (True, False)}
    monkeypatch.setattr(view, "SIZE", size)
    for (dtype, training), results in expected.items():
        assert_close(measure(module, numbers, dtype, training=training), results, dtype, case)


@pytest.mark.parametrize(
    ("name", "arguments", "shape"),
    [
        ("BatchNorm1d", {}, (100_000, 4)),
        ("BatchNorm2d", {}, (64, 3, 40, 40)),
        ("LayerNorm", {"normalized_shape": 100_000}, (3, 100_000)),
        ("RMSNorm", {"normalized_shape": 100_000}, (3, 100_000)),
        ("GroupNorm", {"num_groups": 2}, (3, 4, 200, 200)),
        ("InstanceNorm2d", {}, (3, 4, 200, 200)),
    ],
)
@pytest.mark.parametrize("mean", [0.0, 30.0])
def test_long_sums_in_float32(name: str, arguments: dict[str, object], shape: tuple[int, ...], mean: float) -> None:
    """A hundred thousand numbers far from 0: what float32 loses is the rounding of one of them, not of the sum."""
    rng = np.random.default_rng(0)
    x, upstream = rng.normal(mean, 1, shape).astype("float32"), rng.normal(size=shape).astype("float32")
    single, double = (
        run(make(name, **arguments), [x], grad_output=upstream, dtype=d) for d in ("float32", "float64")
    )
    atol = 1e-5 * max(1, mean)
    np.testing.assert_allclose(single.output, double.output, 1e-5, atol)
    np.testing.assert_allclose(single.grad_inputs[0], double.grad_inputs[0], 1e-5, atol)
    for key, buffer in single.buffers.items():
        np.testing.assert_allclose(buffer, double.buffers[key], 1e-5, 1e-5)


@pytest.mark.parametrize("given", [-1, 2.0, True, "4", None, (), (3, -1), (3, 2.0)])
@pytest.mark.parametrize("name", ["LayerNorm", "RMSNorm"])
def test_normalized_shape_is_of_whole_numbers(name: str, given: object) -> None:
    with pytest.raises(ValidationError) as caught:
        make(name, normalized_shape=given)
    assert {error["loc"][0] for error in caught.value.errors()} == {"normalized_shape"}


def test_rms_eps_follows_the_dtype() -> None:
    """Left out, it is the distance from 1 to the next number."""
    x = np.full((1, 2), 1e-6)
    for dtype in DTYPES:
        expected = 1e-6 / np.sqrt(1e-12 + np.finfo(dtype).eps)
        np.testing.assert_allclose(
            run(make("RMSNorm", normalized_shape=2), [x], dtype=dtype).output, expected, 1e-5
        )


def test_running_averages_over_batches() -> None:
    """With momentum left to null each batch counts the same; the variance that is kept is the unbiased one."""
    batches = np.random.default_rng(0).normal(2, 3, (4, 5, 1))
    module, state = make("BatchNorm1d", momentum=None, affine=False), None
    for batch in batches:
        state = run(module, [batch], state=state).buffers
    assert state is not None
    np.testing.assert_allclose(state["running_mean"], batches.mean(axis=1).mean(axis=0))
    np.testing.assert_allclose(state["running_var"], batches.var(axis=1, ddof=1).mean(axis=0))
    assert state["num_batches_tracked"] == 4
