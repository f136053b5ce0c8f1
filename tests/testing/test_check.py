"""`declnet.testing.check` finds each way out of the contract, and says what is wrong."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable

import numpy as np
import pytest

from declnet import testing
from declnet.core.component import Component
from declnet.core.optimizer import Optimizer
from declnet.core.registry import REGISTRIES, metrics, modules, optimizers
from declnet.core.spec import Array
from declnet.errors import ShapeError
from testing import broken_classes, broken_modules, broken_optimizers
from testing.broken_modules import Above, Scale
from testing.broken_optimizers import Descent

COMPONENTS = {
    name: cls
    for file in (broken_modules, broken_classes, broken_optimizers)
    for name, cls in vars(file).items()
    if getattr(cls, "__module__", "") == file.__name__
}

X = np.random.default_rng(0).uniform(0.1, 0.9, (4, 6))


@pytest.fixture(autouse=True)
def forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a test registers is forgotten after it."""
    for registry in REGISTRIES:
        monkeypatch.setattr(registry, "_classes", dict(registry.load()))


def ready(cls: type[Component]) -> type[Component]:
    """The class registered, and documented like the one it varies."""
    base = Descent if issubclass(cls, Optimizer) else Scale
    if cls.__name__ != "Undocumented" and not cls.__doc__:
        text = inspect.cleandoc(base.__doc__ or "")
        fields = [f"    {name}: an argument.\n" for name in cls.model_fields.keys() - base.model_fields.keys()]
        cls.__doc__ = text.replace("Parameters:\n", "Parameters:\n" + "".join(fields))
    if cls.__name__ != "Unregistered":
        (optimizers if issubclass(cls, Optimizer) else modules).register(cls)
    return cls


def numpy_says(action: Callable[[], object]) -> str:
    """Its words are not ours to fix."""
    with pytest.raises((ValueError, TypeError)) as caught:
        action()
    return str(caught.value)


READ_ONLY = numpy_says(lambda: np.negative(X, out=np.broadcast_to(X, X.shape)))
SHAPES = numpy_says(lambda: np.multiply(X, X[0], out=np.empty((4, 7))))

SITE = "with inputs (4, 6) and, as infer says, an output (4, {}); inputs and grad_output cannot be written to"
ALONE = "where only the gradient of {} is wanted: the places of the others are None"
LENT = "when {} is overwritten between forward and backward: see `saves` and `scratch`"
BOUND = "when it is bound again with the same seed: numbers are drawn from site.rng alone"

FOUND = {
    "WrongGradient": "the gradient of input deviates from the differences by <n>, relative: at [<i>] it is <n>, "
    "and they give <n>",
    "UnsavedInput": "the gradient of weight changes " + LENT.format("input"),
    "UnsavedScratch": "the gradient of weight changes " + LENT.format("scratch kept"),
    "UnsavedOutput": "the gradient of weight changes " + LENT.format("output"),
    "UnknownSaved": "saves names 'x'; there is input and output",
    "SameName": "an input and a parameter or buffer are both called weight",
    "WrongAlias": "the gradient of weight changes where the output lies over the first input, and that one's "
    "gradient over the output's: see `alias`",
    "WritesBeyond": "something was written beyond the gradient of input",
    "WritesInput": f"ValueError: {READ_ONLY}; in forward, " + SITE.format(6),
    "WrongShape": f"ValueError: {SHAPES}; in forward, " + SITE.format(7),
    "SingleOnly": "the output at [<i>] is <n> in float32 and <n> in float64",
    "GlobalRandom": "the output changes " + BOUND,
    "FirstRunOnly": "the output changes in a second run: what a run leaves behind is not to be read by the next",
    "Unwritten": "the gradient of weight is not finite; was all of it written?",
    "UnwrittenOutput": "the output holds NaN in float32, evaluation; was all of it written?",
    "Decays": "a training step changes the parameter weight, which only an optimizer may",
    "Counts": "evaluation changes the buffer runs",
    "WrongAlone": "the gradient of weight changes " + ALONE.format("weight"),
    "FailsAlone": "TypeError: 'NoneType' object does not support item assignment; in backward, "
    + SITE.format(6)
    + "; "
    + ALONE.format("input"),
    "NegativeFlops": "flops is negative",
    "WrongComplete": "complete changes what infer says",
    "Open": "its model_config has extra='ignore'; every component has extra='forbid'",
    "Unregistered": 'it is not registered: add Unregistered = "testing.broken_classes:Unregistered" to '
    '[project.entry-points."declnet.modules"] in pyproject.toml, and install the package',
    "Renamed": "its type, 'Named', is not the name of the class",
    "Undocumented": "it has no docstring of its own: `declnet list-components Undocumented` prints it",
    "NoSentence": "the docstring does not begin with a sentence on one line, which the list shows",
    "NoShape": "the docstring has no section Shape:",
    "WrongOrder": "the docstring has Parameters:, Shape: and Reference:; their order is Shape:, Parameters: and "
    "Reference:",
    "Undescribed": "the docstring says nothing of factor, under Parameters: factor: ...",
    "Climbs": "20 steps down a bowl lead up (float32)",
    "Explodes": "the parameters are not finite (float32)",
    "Unsteady": "a second run gives other numbers (float32)",
    "Forgets": "taken up half-way it ends elsewhere (float32): whatever lasts from step to step belongs in `state`",
    "Fails": "KeyError: 'exp_avg'",
}


@pytest.mark.parametrize("component", [Scale, Above, Descent])
def test_what_keeps_the_contract_passes(component: type[Component]) -> None:
    testing.check(ready(component))
    testing.check(component.model_validate({}))


@pytest.mark.parametrize("name", FOUND)
def test_what_breaks_it_is_found(name: str) -> None:
    cls, pattern = ready(COMPONENTS[name]), re.escape(f"{name}: {FOUND[name]}")
    for sign, number in {"<n>": r"-?\d[\d.e+-]*", "<i>": r"\d, \d"}.items():
        pattern = pattern.replace(re.escape(sign), number)
    with pytest.raises(AssertionError) as caught:
        testing.check(cls, None if issubclass(cls, Optimizer) else [X])
    assert re.fullmatch(pattern, str(caught.value)), str(caught.value)


def test_every_broken_component_is_tested() -> None:
    assert COMPONENTS.keys() - {"Scale", "Above", "Descent"} == FOUND.keys()


def test_another_of_the_same_name() -> None:
    ready(Scale)
    other = type("Scale", (Scale,), {"__doc__": Scale.__doc__, "__module__": __name__})
    with pytest.raises(AssertionError) as caught:
        testing.check(other)
    assert str(caught.value) == "Scale: the class registered under its name is another, in testing.broken_modules"


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("Linear", "Linear needs out_features: pass an instance"),
        ("Embedding", "Embedding needs num_embeddings and embedding_dim: pass an instance"),
    ],
)
def test_a_class_that_needs_arguments(name: str, message: str) -> None:
    with pytest.raises(TypeError) as caught:
        testing.check(modules[name])
    assert str(caught.value) == message


def test_what_cannot_be_checked() -> None:
    with pytest.raises(TypeError) as caught:
        testing.check(metrics["accuracy"])
    assert str(caught.value) == "there are checks for modules, losses and optimizers, not for Accuracy"
    with pytest.raises(TypeError) as caught:
        testing.check(modules["Linear"].model_validate({"in_features": 99, "out_features": 1}))
    assert str(caught.value) == "no common shape fits Linear: pass inputs"
    with pytest.raises(ShapeError):
        testing.check(modules["Linear"].model_validate({"in_features": 99, "out_features": 1}), [X])


@pytest.mark.parametrize(
    ("name", "arguments"),
    [("Linear", {"out_features": 3}), ("Dropout", {}), ("BatchNorm1d", {}), ("Add", {}), ("Flatten", {})],
)
def test_declnet_s_own_pass(name: str, arguments: dict[str, object]) -> None:
    testing.check(modules[name].model_validate(arguments))


def test_wanted_gradients() -> None:
    add = modules["Add"].model_validate({})
    inputs: list[Array] = [X, X, np.ones((4, 6))]
    assert list(testing.run(add, inputs, grad_output=1.0).gradients) == ["inputs[0]", "inputs[1]", "inputs[2]"]
    found = testing.run(add, inputs, grad_output=1.0, wanted=["inputs[1]"])
    assert [gradient is None for gradient in found.grad_inputs] == [True, False, True]
    linear = modules["Linear"].model_validate({"out_features": 2})
    found = testing.run(linear, {"input": X}, grad_output=1.0, wanted={"weight"})
    assert list(found.gradients) == list(found.grads) == ["weight"]
    assert testing.run(linear, [X], grad_output=1.0, wanted=()).gradients == {}
    with pytest.raises(ValueError, match=re.escape("there is no gradient of 'x', only of input, weight and bias")):
        testing.run(linear, [X], grad_output=1.0, wanted={"x"})
