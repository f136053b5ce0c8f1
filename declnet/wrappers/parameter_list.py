"""ParameterList and ParameterDict: learnable values that nodes read by name."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import ClassVar, Literal, final

import numpy as np
from pydantic import Field, NonNegativeInt

from declnet.core.component import Module, Parameter, Settings, Site, Step
from declnet.core.initializer import Initialization
from declnet.core.registry import modules
from declnet.core.spec import Spec
from declnet.core.wrapper import Flow, Output, Place, Tracer, Wrapper


class Learnable(Settings):
    """A learnable array: its shape, and how it gets its first values."""

    called = "a parameter"

    shape: tuple[NonNegativeInt, ...] = Field(description="its sizes; [] for a single number")
    init: Initialization = Field(description="its first values, by one of PyTorch's nn.init functions")


@final
class Learned(Module):
    """A parameter as a value: output = parameter."""

    type: Literal["Parameter"] = "Parameter"
    value: Learnable

    def infer(self) -> Spec:
        """The parameter's shape, which its first values must be able to fill."""
        self.value.init.check(self.value.shape)
        return Spec(self.value.shape)

    def parameters(self) -> dict[str, Parameter]:
        """The array itself, under the name that the value has."""
        return {"": Parameter(self.value.shape, self.value.init, asked=True)}

    def flops(self) -> int:
        """Nothing is computed."""
        return 0

    def bind(self, site: Site) -> Step:
        """A copy each way: other steps may write over values."""
        param, grad = site.params[""], site.grads.get("")

        def forward() -> None:
            np.copyto(site.output, param)

        def backward() -> None:
            if grad is not None:
                np.copyto(grad, site.upstream)

        return Step(forward, backward)


class _Parameters(Wrapper, ABC):
    """Learnable values by name. Nothing is read, and what flows passes by."""

    @property
    def takes(self) -> tuple[str, ...]:
        """Nothing."""
        return ()

    @property
    @abstractmethod
    def named(self) -> Mapping[str, Learnable]:
        """The parameters by name."""

    def trace(self, tracer: Tracer, place: Place, inputs: Flow) -> Output:
        """Each parameter is a value."""
        items: dict[str, Flow] = {}
        for name, value in self.named.items():
            key = int(name) if isinstance(getattr(self, self.children), tuple) else name
            items[name] = (tracer.parameter(Learned(value=value), place.child(name), self.children, key),)
        return Output(None, items)


@modules.register
@final
class ParameterList(_Parameters):
    """Learnable values by index: `inputs: [x, gains.0]` reads the first of a list that is called `gains`.

    Shape:
        input: none. output: none of its own; each value has the shape it declares.

    Parameters:
        values: the parameters, each `{shape, init}`: a list of sizes, and one of PyTorch's nn.init functions.

    Raises:
        ConfigError: an entry is not `{shape, init}`, or init cannot fill the shape.

    Reference: https://docs.pytorch.org/docs/2.13/generated/torch.nn.ParameterList.html
    """

    pytorch = "torch.nn.ParameterList"
    children: ClassVar[str] = "values"

    type: Literal["ParameterList"] = "ParameterList"
    values: tuple[Learnable, ...]

    @property
    def named(self) -> Mapping[str, Learnable]:
        """By index."""
        return {str(index): value for index, value in enumerate(self.values)}


@modules.register
@final
class ParameterDict(_Parameters):
    """Learnable values by key: `inputs: [x, gains.temp]` reads the one called `temp` of a mapping called `gains`.

    Shape:
        input: none. output: none of its own; each value has the shape it declares.

    Parameters:
        parameters: the parameters by key, each `{shape, init}`: a list of sizes, and one of PyTorch's nn.init
            functions.

    Raises:
        ConfigError: an entry is not `{shape, init}`, a key not a name, or init cannot fill the shape.

    Reference: https://docs.pytorch.org/docs/2.13/generated/torch.nn.ParameterDict.html
    """

    pytorch = "torch.nn.ParameterDict"
    children: ClassVar[str] = "parameters"

    type: Literal["ParameterDict"] = "ParameterDict"
    parameters: dict[str, Learnable]

    @property
    def named(self) -> Mapping[str, Learnable]:
        """By key."""
        return self.parameters
