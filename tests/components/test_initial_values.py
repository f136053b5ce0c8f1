"""First values of parameters: the law declared for them, on both sides."""

from __future__ import annotations

import math

import numpy as np
import pytest

from components.cases.case import Subject
from components.cases.tables import SUBJECTS
from components.harness import DTYPES, material, specs_of
from declnet.core.component import Module
from declnet.core.laws import Constant, Law, Normal, Uniform, fan_in_uniform
from declnet.core.spec import Array, DType
from declnet.testing import initial_state, spec_of

SIGNIFICANCE = 1e-4

LEARNING = [pytest.param(subject, id=subject.name) for subject in SUBJECTS if subject.laws]


def cdf(law: Law, values: Array) -> Array:
    """The share of draws that are no greater."""
    match law:
        case Uniform(low, high):
            return np.clip((values - low) / (high - low), 0, 1)
        case Normal(mean, std):
            return np.array([0.5 * (1 + math.erf((v - mean) / (std * math.sqrt(2)))) for v in values])
    raise TypeError(f"no distribution function for {law}")


def assert_follows(law: Law, sample: Array) -> None:
    """Kolmogorov and Smirnov: the distributions are near each other. Bounds are kept, and nearly reached."""
    values = np.sort(sample.reshape(-1)).astype("float64")
    if isinstance(law, Constant):
        assert (values == law.value).all()
        return
    size = values.size
    expected = cdf(law, values)
    distance = max(np.max(np.arange(1, size + 1) / size - expected), np.max(expected - np.arange(size) / size))
    assert distance < math.sqrt(math.log(2 / SIGNIFICANCE) / (2 * size))
    if isinstance(law, Uniform):
        edge = (law.high - law.low) * math.log(1 / SIGNIFICANCE) / size
        low, high = (sample.dtype.type(bound) for bound in (law.low, law.high))
        assert low <= values[0] < law.low + edge
        assert law.high - edge < values[-1] <= high


def initial(subject: Subject) -> tuple[Module, tuple[Array, ...]]:
    """The component of the subject's initial case, and its inputs."""
    assert subject.initial is not None
    return subject.module(subject.initial), material(subject, subject.initial).inputs


def test_every_parameter_has_its_law() -> None:
    for subject in SUBJECTS:
        for case in subject.cases:
            module = subject(case.arguments)
            if isinstance(module, Module):
                assert module.parameters(*specs_of(case)).keys() <= subject.laws.keys()


@pytest.mark.parametrize("subject", LEARNING)
def test_law(subject: Subject) -> None:
    """Both dtypes start from the same numbers, of the law declared."""
    module, inputs = initial(subject)
    double, single = (initial_state(module, inputs, dtype=dtype) for dtype in DTYPES)
    for name, law in subject.laws.items():
        assert_follows(law, double[name])
        assert_follows(law, single[name])
        np.testing.assert_array_equal(double[name].astype("float32"), single[name])


@pytest.mark.torch
@pytest.mark.parametrize("subject", LEARNING)
def test_the_law_is_pytorchs(subject: Subject) -> None:
    torch = pytest.importorskip("torch", reason="PyTorch is not installed: pip install --group torch")
    from components import oracle

    module, inputs = initial(subject)
    module = module.complete(*map(spec_of, inputs))
    torch.manual_seed(0)
    state = oracle.counterpart(type(module))(**oracle.arguments(module)).state_dict()
    assert state.keys() == subject.laws.keys()
    for name, law in subject.laws.items():
        assert_follows(law, state[name].numpy())


@pytest.mark.parametrize("law", [Uniform(-0.5, 2.0), Normal(), Normal(-1.0, 0.02), Constant(3.0)])
@pytest.mark.parametrize("dtype", DTYPES)
def test_initializers(law: Law, dtype: DType) -> None:
    sample = np.full((500, 600), np.nan, dtype)
    law(sample, np.random.default_rng(0))
    assert_follows(law, sample)


@pytest.mark.parametrize(
    ("shape", "bound"), [((3, 4), 0.5), ((3, 4, 2, 2), 0.25), ((5, 1), 1.0), ((5, 0), 0.0), ((5,), 1.0)]
)
def test_fan_in(shape: tuple[int, ...], bound: float) -> None:
    """The weight is (out, in, *kernel): what feeds one output counts."""
    assert fan_in_uniform(shape) == Uniform(-bound, bound)
