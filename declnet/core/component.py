"""The component contract: one frozen pydantic model, whose fields are the hyper-parameters and whose
methods are the mathematics. A component owns no arrays; it is bound to arrays that a plan laid out.
"""

import inspect
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any, ClassVar, Literal, Self

import numpy as np
from pydantic import BaseModel, ConfigDict

from declnet.core.laws import Law
from declnet.core.spec import KINDS, Array, Kind, Spec
from declnet.errors import ShapeError
from declnet.records import record


class Settings(BaseModel):
    """A mapping of a config that is no component, with no `type` to choose: as strict as one."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid", allow_inf_nan=False, defer_build=True)

    called: ClassVar[str] = ""
    """What messages call it, where that is not the name of its class."""

    @classmethod
    def spell_out(cls, raw: Any) -> Any:
        """The long form of a shorthand; what is none comes back as it is."""
        return raw


class Component(BaseModel):
    """Base of everything a config names by `type`: strict about types, closed to unknown keys, immutable.

    Where a validator of the whole model refuses, its message begins with the name of the argument that is wrong, so
    that it is shown there.
    """

    model_config = ConfigDict(
        frozen=True,
        strict=True,
        extra="forbid",
        allow_inf_nan=False,
        defer_build=True,
        protected_namespaces=(),
    )

    type: str
    """The name a config uses; each component narrows it to its own."""

    pytorch: ClassVar[str | None] = None
    """The PyTorch class with the same name, arguments and numbers, where there is one."""

    refused: ClassVar[dict[str, str]] = {}
    """PyTorch's arguments that are left out on purpose, each with the reason."""


Action = Callable[[], None]
"""A bound step: every array it touches was decided when it was made."""


@record
class Step:
    """What a plan runs of one component: forward, and in a training plan backward."""

    forward: Action
    backward: Action | None = None


@record
class Parameter:
    """A learnable array that a component asks for: its shape and its first values."""

    shape: tuple[int, ...]
    init: Law
    asked: bool = False
    """Whether the config itself says the first values, so that no `init` further out does."""


@record
class Buffer:
    """Lasting state that is not learned (running statistics): saved with the model, never differentiated."""

    shape: tuple[int, ...]
    value: float = 0.0
    kind: Kind = "float"


@record
class Scratch:
    """Work space of one step. `saved` keeps its contents from forward to backward (a mask, say);
    otherwise the arena lends it to other steps between the two.
    """

    shape: tuple[int, ...]
    kind: Kind = "float"
    saved: bool = False


Alias = Literal["new", "in_place", "reshape"]
"""How an output relates to the first input: memory of its own; written over it where nobody needs the
input any more; or the same memory in another shape, with no step to run.
"""


@dataclass(slots=True)
class Site:
    """The arrays one call of a component works on. All are C-contiguous; none may be replaced, only written.

    `grad_output` is None where there is no backward (in evaluation, and before the first trained parameter),
    `grad_inputs[i]` where nobody needs that gradient, `grads[name]` where the parameter is frozen.
    Gradients are written, not accumulated: the plan adds where a value or a weight is used more than once.
    Where `alias` allows the output to lie over the first input, `grad_inputs[0]` may lie over `grad_output`:
    write it last.
    """

    inputs: tuple[Array, ...]
    output: Array
    params: Mapping[str, Array]
    buffers: Mapping[str, Array]
    scratch: Mapping[str, Array]
    training: bool
    rng: "np.random.Generator"
    grad_output: Array | None = None
    grad_inputs: tuple[Array | None, ...] = ()
    grads: Mapping[str, Array | None] = field(default_factory=dict)

    @property
    def input(self) -> Array:
        """The first input."""
        return self.inputs[0]

    @property
    def grad_input(self) -> Array | None:
        """The gradient of the first input, None where nobody needs it."""
        return self.grad_inputs[0] if self.grad_inputs else None

    @property
    def upstream(self) -> Array:
        """The gradient of the output, there wherever an input or a parameter has one."""
        if self.grad_output is None:
            raise AssertionError("asked for the gradient of an output that nobody differentiates")
        return self.grad_output


class Module(Component, ABC):
    """A differentiable component: a layer, an activation, an operation, a loss.

    The arguments of `infer` are its inputs by name (`input`; `input1, input2`; `*inputs`); `parameters`,
    `buffers`, `scratch` and `flops` take the same specs in the same order.
    """

    saves: ClassVar[tuple[str, ...]] = ()
    """What backward reads beside its own scratch: names of inputs of `infer`, and `"output"`."""

    changes_parameters: ClassVar[bool] = False
    """Whether forward itself writes to parameters (Embedding's max_norm)."""

    @abstractmethod
    def infer(self, *inputs: Any) -> Spec:
        """The output's spec; a `ShapeError` that names the wrong field or input where they don't fit."""

    def bind(self, site: Site) -> Step:
        """Make the step for these arrays. Runs once per plan: views, strides and constants belong here."""
        raise AssertionError(f"{type(self).__name__} only reshapes its input: a plan makes no step for it")

    def complete(self, *inputs: Any) -> Self:
        """This component with arguments that were left out (`in_features`) filled in from the inputs."""
        return self

    def parameters(self, *inputs: Any) -> dict[str, Parameter]:
        """The learnable arrays by name, in PyTorch's order."""
        return {}

    def buffers(self, *inputs: Any) -> dict[str, Buffer]:
        """The lasting, not learned arrays by name, in PyTorch's order."""
        return {}

    def scratch(self, *inputs: Any, **mode: Any) -> dict[str, Scratch]:
        """Work space by name. Takes the inputs' specs, and `training`."""
        return {}

    def alias(self, *, training: bool) -> Alias:
        """How the output relates to the first input."""
        return "new"

    def flops(self, *inputs: Any) -> int:
        """Floating-point operations of one forward pass, a multiply-add counted as two; element-wise: one each."""
        return self.infer(*inputs).size if self.alias(training=True) != "reshape" else 0

    def product(self, *inputs: Any) -> int:
        """Floating-point operations of the largest single matrix product, or more: by them the number of threads
        that share one is chosen. A component that makes many small ones of its work says how large they are.
        """
        return self.flops(*inputs)

    def require_float(self, *inputs: Spec) -> None:
        """Refuse inputs that are not floating point."""
        self.require_kinds(("float",), *inputs)

    def require_kinds(self, kinds: tuple[Kind, ...], *inputs: Spec) -> None:
        """Refuse inputs of other kinds than these."""
        for argument, spec in enumerate(inputs):
            if spec.kind not in kinds:
                known, taken = arity(type(self)), " or ".join(KINDS[kind] for kind in kinds)
                name = f"input {argument + 1}" if known.variadic else known.names[argument]
                raise ShapeError(
                    f"{type(self).__name__} takes {taken} but its {name} holds {spec.kind}s", argument=argument
                )

    def require_dim(self, field: str, dim: int, input: Spec) -> int:
        """The dimension counted from 0; refuse one that the input does not have."""
        ndim = max(input.ndim, 1)
        if not -ndim <= dim < ndim:
            raise ShapeError(
                f"{type(self).__name__} needs a dimension {dim} but its input {input} has {input.ndim}; "
                f"{field} may be {-ndim} to {ndim - 1}",
                field=field,
                argument=0,
            )
        return dim % ndim


class Loss(Module, ABC):
    """A module whose output is the scalar to be minimised. Its arguments are PyTorch's: `input, target`."""

    balances: ClassVar[str] = ""
    """The argument that `loop.class_weights` fills in, of a loss that weighs classes."""

    def check_target(self, input: Spec, target: Array) -> None:
        """Raise DataError where a whole column of targets (rows first) holds what the loss cannot take."""

    def count_classes(self, input: Spec, target: Array) -> Array:
        """How often each class is among some targets (rows first), of a loss that `balances`."""
        raise AssertionError(f"{type(self).__name__} weighs no classes")

    def balanced(self, counts: Array) -> Self:
        """This loss with the weights that make up for how often each class is there; DataError with what is missing
        where it cannot be.
        """
        raise AssertionError(f"{type(self).__name__} weighs no classes")


@record
class Arity:
    """The names of a module's inputs; a variadic one takes any number of at least one."""

    names: tuple[str, ...]
    variadic: bool


@cache
def arity(module: type[Module]) -> Arity:
    """The inputs of a module, read off the signature of its `infer`."""
    parameters = [p for p in inspect.signature(module.infer).parameters.values() if p.name != "self"]
    variadic = any(p.kind is p.VAR_POSITIONAL for p in parameters)
    return Arity(tuple(p.name for p in parameters), variadic)
