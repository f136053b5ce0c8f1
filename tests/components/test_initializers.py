"""Initializers: fixed values to the bit, drawn ones by their law, and what each of them refuses."""

from __future__ import annotations

import inspect
import json
import math
import warnings
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest

from components.cases.initializers import DRAWN, FIXED, OTHERS, RANDOM, REFUSED, TRUNCATED, WIDE, Refused
from components.harness import DTYPES
from components.test_initial_values import SIGNIFICANCE, assert_follows
from declnet.config.dump import dump
from declnet.config.plain import plain
from declnet.core import laws
from declnet.core.registry import initializers
from declnet.core.spec import Array, DType
from declnet.errors import ConfigError
from declnet.initializers.fans import Nonlinearity, gain
from declnet.runner.experiment import Experiment, load
from declnet.runner.model import Model


def filled(
    name: str, shape: tuple[int, ...], dtype: DType = "float64", *, seed: int = 0, **arguments: Any
) -> Array:
    initializer = initializers[name](type=name, **arguments)
    initializer.check(shape)
    out = np.full(shape, np.nan, dtype)
    initializer(out, np.random.default_rng(seed))
    return out


def two_samples(one: Array, other: Array) -> None:
    """Kolmogorov and Smirnov: both were drawn from one distribution."""
    x, y = np.sort(one, axis=None), np.sort(other, axis=None)
    at = np.concatenate([x, y])
    shares = [np.searchsorted(sample, at, "right") / sample.size for sample in (x, y)]
    limit = math.sqrt(math.log(2 / SIGNIFICANCE) / 2 * (1 / x.size + 1 / y.size))
    assert np.max(np.abs(shares[0] - shares[1])) < limit


@pytest.mark.parametrize(("name", "given", "shape", "law"), DRAWN)
@pytest.mark.parametrize("dtype", DTYPES)
def test_law(name: str, given: dict[str, Any], shape: tuple[int, ...], law: laws.Law, dtype: DType) -> None:
    assert_follows(law, filled(name, shape, dtype, **given))


def tail(z: float) -> float:
    """The share of N(0, 1) beyond z, exact where it is small."""
    return math.erfc(z / math.sqrt(2)) / 2


@pytest.mark.parametrize("given", TRUNCATED)
@pytest.mark.parametrize("dtype", DTYPES)
def test_trunc_normal(given: dict[str, float], dtype: DType) -> None:
    """Between the bounds to the last bit, and there as the normal distribution has it."""
    mean, std, a, b = ({"mean": 0.0, "std": 1.0, "a": -2.0, "b": 2.0} | given).values()
    sample = filled("trunc_normal_", WIDE, dtype, **given)
    assert sample.dtype.type(a) <= sample.min()
    assert sample.max() <= sample.dtype.type(b)
    side = 1 if a > mean else -1  # where only a tail is left, count from its end
    low, high = sorted((side * (a - mean) / std, side * (b - mean) / std))
    values = np.sort(side * (sample.astype("float64").ravel() - mean) / std)
    share = np.array([(tail(low) - tail(z)) / (tail(low) - tail(high)) for z in values])
    size = values.size
    distance = max(np.max(np.arange(1, size + 1) / size - share), np.max(share - np.arange(size) / size))
    assert distance < math.sqrt(math.log(2 / SIGNIFICANCE) / (2 * size))


def test_trunc_normal_with_hardly_any_room() -> None:
    assert (filled("trunc_normal_", (50,), a=1.5, b=1.5, std=0.1) == 1.5).all()
    assert np.abs(filled("trunc_normal_", (50,), a=-2, b=2, std=5e-324)).max() < 1e-321
    np.testing.assert_allclose(filled("trunc_normal_", (50,), a=3, b=4, std=1e-300), 3, rtol=1e-15)


@pytest.mark.parametrize("shape", [(5, 5), (3, 7), (7, 3), (4, 2, 3), (6, 2, 1, 2), (1, 1), (2, 0), (0, 3)])
def test_orthogonal(shape: tuple[int, ...]) -> None:
    matrix = filled("orthogonal_", shape, gain=-1.5).reshape(shape[0], math.prod(shape[1:]))
    product = matrix @ matrix.T if matrix.shape[0] < matrix.shape[1] else matrix.T @ matrix
    np.testing.assert_allclose(product, 2.25 * np.eye(len(product)), rtol=0, atol=1e-12)


@pytest.mark.parametrize("shape", [(3, 3), (2, 3), (3, 2), (3, 1)])
def test_orthogonal_is_evenly_spread(shape: tuple[int, ...]) -> None:
    """Each coordinate of an even point on a ball's surface is uniform; so are the elements of the matrix."""
    sample = np.stack([filled("orthogonal_", shape, seed=seed) for seed in range(4000)])
    for place in np.ndindex(shape):
        assert_follows(laws.Uniform(-1, 1), sample[:, *place])
    if shape == (3, 3):
        assert abs(np.mean(np.linalg.det(sample) > 0) - 0.5) < 4 * 0.5 / math.sqrt(4000)


@pytest.mark.parametrize("sparsity", [0, 0.07, 0.1, 0.5, 0.999, 1])
def test_sparse(sparsity: float) -> None:
    """As many zeros in each column as asked for, in every row as often as in the others, and draws elsewhere."""
    sample = filled("sparse_", (100, 3000), sparsity=sparsity, std=0.5)
    zeros = math.ceil(sparsity * 100)
    assert ((sample == 0).sum(axis=0) == zeros).all()
    share = zeros / 100
    assert (np.abs((sample == 0).mean(axis=1) - share) <= 5 * math.sqrt(share * (1 - share) / 3000)).all()
    if zeros < 100:
        assert_follows(laws.Normal(0, 0.5), sample[sample != 0])


@pytest.mark.parametrize(("name", "given", "shape"), RANDOM)
def test_a_seed_means_its_numbers(name: str, given: dict[str, Any], shape: tuple[int, ...]) -> None:
    """Both dtypes get the same numbers, and another seed gives others."""
    sample = filled(name, shape, **given)
    np.testing.assert_array_equal(sample, filled(name, shape, **given))
    np.testing.assert_array_equal(sample.astype("float32"), filled(name, shape, "float32", **given))
    assert (sample != filled(name, shape, seed=1, **given)).any()


@pytest.mark.parametrize(
    "name", ["xavier_uniform_", "xavier_normal_", "kaiming_uniform_", "kaiming_normal_", "sparse_"]
)
@pytest.mark.parametrize("shape", [(0, 0), (0, 3), (3, 0)])
def test_nothing_to_fill(name: str, shape: tuple[int, ...]) -> None:
    assert filled(name, shape, **({"sparsity": 0.5} if name == "sparse_" else {})).shape == shape


def test_dirac_by_hand() -> None:
    """Two groups of two channels each, of which one comes in; the middle of four is the third."""
    expected = np.zeros((4, 1, 4))
    expected[0, 0, 2] = expected[2, 0, 2] = 1
    np.testing.assert_array_equal(filled("dirac_", (4, 1, 4), groups=2), expected)


CONFIG = """\
name: n
seed: 3
dtype: float64
data: {source: Digits}
model:
  - type: ParameterDict
    name: held
    parameters:
      scale: {shape: [64], init: ones_}
      table: {shape: [500, 40], init: {type: trunc_normal_, std: 0.02}}
  - {type: ParameterList, name: row, values: [{shape: [], init: {type: constant_, val: 0.5}}]}
  - {type: Mul, inputs: [x, held.scale, row.0]}
  - type: Sequential
    init: {"*.weight": {type: kaiming_normal_, nonlinearity: relu, mode: fan_out}, "*.bias": zeros_}
    layers:
      - {type: Linear, out_features: 3000, init: {bias: {type: constant_, val: 0.1}}}
      - ReLU
      - {type: Linear, out_features: 64}
  - {type: Linear, out_features: 10, init: {weight: orthogonal_}}
loss: CrossEntropyLoss
optimizer: SGD
"""


def loaded() -> Experiment:
    Path("n.yaml").write_text(CONFIG, encoding="utf-8")
    return load("n.yaml")


def first_values(experiment: Experiment) -> dict[str, Array]:
    model = Model(experiment, [(True, 4)], np.random.default_rng(0))
    model.store.initialize(np.random.default_rng(1))
    return model.store.params


def test_a_config(folder: Path) -> None:
    """What a config asks for is what the model starts with: in values and in rules, the innermost rule first."""
    experiment = loaded()
    params = first_values(experiment)
    for name, value in {"held.scale": 1, "row.0": 0.5, "3.0.bias": 0.1, "3.2.bias": 0}.items():
        assert (params[name] == value).all(), name
    assert_follows(laws.Normal(0, math.sqrt(2 / 3000)), params["3.0.weight"])
    assert_follows(laws.Normal(0, math.sqrt(2 / 64)), params["3.2.weight"])
    assert_follows(laws.Normal(0, 0.02), params["held.table"])
    np.testing.assert_allclose(params["4.weight"] @ params["4.weight"].T, np.eye(10), rtol=0, atol=1e-12)
    assert_follows(laws.Uniform(-1 / 8, 1 / 8), params["4.bias"])


def test_a_config_written_out(folder: Path) -> None:
    """The completed config says the same of first values."""
    experiment = loaded()
    Path("full.yaml").write_text(dump(plain(experiment.config, folder)), encoding="utf-8")
    again = load("full.yaml")
    assert [node.init for node in again.config.model] == [node.init for node in experiment.config.model]
    params = first_values(again)
    for name, value in first_values(experiment).items():
        np.testing.assert_array_equal(params[name], value, err_msg=name)


def refused(node: str) -> str:
    """What is wrong with a config in which this node stands before a layer that does not read it."""
    Path("f.yaml").write_text(
        f"data: {{source: Digits}}\nmodel: [{node}, {{type: Linear, inputs: x, out_features: 10}}]\n"
        "loss: CrossEntropyLoss\noptimizer: SGD\n",
        encoding="utf-8",
    )
    with pytest.raises(ConfigError) as caught:
        load("f.yaml")
    (problem,) = caught.value.diagnostics
    return problem.headline.partition("error: model[0].")[2]


@pytest.mark.parametrize("case", REFUSED)
def test_refused(folder: Path, case: Refused) -> None:
    asked = json.dumps({"p": {"shape": case.shape, "init": {"type": case.name} | case.given}})
    found = refused(f"{{type: ParameterDict, name: held, parameters: {asked}}}")
    assert found == f"parameters.{case.message}"


def test_a_rule_that_cannot_fill_what_it_matches(folder: Path) -> None:
    found = refused("{type: Linear, inputs: x, name: first, out_features: 10, init: {'*': eye_}}")
    assert found == (f"init.*: bias: eye_ fills parameters of 2 dimensions, but the shape (10,) has 1; {OTHERS}")


@pytest.mark.torch
class TestPyTorch:
    """The same as PyTorch's functions: arguments, fixed values, laws, refusals."""

    @pytest.fixture
    def torch(self) -> Any:
        return pytest.importorskip("torch", reason="PyTorch is not installed: pip install --group torch")

    @staticmethod
    def drawn(torch: Any, name: str, shape: tuple[int, ...], dtype: DType = "float64", **given: Any) -> Array:
        torch.manual_seed(0)
        tensor = torch.full(shape, torch.nan, dtype=getattr(torch, dtype))
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "mean is more than 2 std")
            array: Array = getattr(torch.nn.init, name)(tensor, **given).numpy()
        return array

    def test_all_are_there(self, torch: Any) -> None:
        there = {name for name in torch.nn.init.__all__ if name.endswith("_")}
        assert set(initializers) == there

    @pytest.mark.parametrize("name", list(initializers))
    def test_arguments(self, torch: Any, name: str) -> None:
        cls = initializers[name]
        assert cls.pytorch == f"torch.nn.init.{name}"
        first, *theirs = inspect.signature(getattr(torch.nn.init, name)).parameters.values()
        ours = {key: field for key, field in cls.model_fields.items() if key != "type"}
        assert first.name == "tensor"
        assert [*ours] == [parameter.name for parameter in theirs if parameter.name not in cls.refused]
        assert set(cls.refused) <= {parameter.name for parameter in theirs}
        for parameter in theirs:
            if parameter.name in ours:
                field = ours[parameter.name]
                assert field.is_required() == (parameter.default is parameter.empty)
                assert field.is_required() or field.default == parameter.default

    @pytest.mark.parametrize(("name", "given", "shape"), FIXED)
    @pytest.mark.parametrize("dtype", DTYPES)
    def test_fixed(
        self, torch: Any, name: str, given: dict[str, Any], shape: tuple[int, ...], dtype: DType
    ) -> None:
        sample = filled(name, shape, dtype, **given)
        np.testing.assert_array_equal(sample, self.drawn(torch, name, shape, dtype, **given), strict=True)

    @pytest.mark.parametrize(("name", "given", "shape"), [c for c in RANDOM if c[1] not in TRUNCATED[-3:]])
    def test_law(self, torch: Any, name: str, given: dict[str, Any], shape: tuple[int, ...]) -> None:
        ours, theirs = filled(name, shape, **given), self.drawn(torch, name, shape, **given)
        if name == "sparse_":
            assert (ours == 0).sum() == (theirs == 0).sum()
            ours, theirs = ours[ours != 0], theirs[theirs != 0]
        two_samples(ours, theirs)
        error = 5 * theirs.std() * math.sqrt(2 / theirs.size)
        assert abs(ours.mean() - theirs.mean()) < error
        assert abs(ours.std() - theirs.std()) < error

    def test_gains(self, torch: Any) -> None:
        known = get_args(
            inspect.signature(torch.nn.init.calculate_gain, eval_str=True).parameters["nonlinearity"].annotation
        )
        assert get_args(Nonlinearity) == known
        for name in known:
            assert gain(name) == torch.nn.init.calculate_gain(name)
            for slope in (0, 0.2, -1.7, math.sqrt(5)):
                assert gain(name, slope) == torch.nn.init.calculate_gain(name, slope)

    @pytest.mark.parametrize(("name", "given", "shape"), [case[:3] for case in REFUSED if case.torch])
    def test_refused(self, torch: Any, name: str, given: dict[str, Any], shape: tuple[int, ...]) -> None:
        with pytest.raises((ValueError, RuntimeError, ZeroDivisionError, TypeError)):
            self.drawn(torch, name, shape, **given)


def test_every_initializer_has_cases() -> None:
    assert {name for name, *_ in (*FIXED, *RANDOM)} == set(initializers.files)
