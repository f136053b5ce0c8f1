"""Modules that keep the contract, and many that break it, each in one way."""

from __future__ import annotations

from typing import Any, ClassVar, Literal, Self

import numpy as np

from declnet.core.component import Alias, Buffer, Module, Parameter, Scratch, Site, Step
from declnet.core.laws import Uniform
from declnet.core.spec import Spec


class Scale(Module):
    """Scales features: output = input * weight.

    Shape:
        input: (*, features). output: the same.

    Parameters:
        weight (learned): (features,).

    Reference: none.
    """

    saves: ClassVar[tuple[str, ...]] = ("input",)

    type: Literal["Scale"] = "Scale"

    def infer(self, input: Spec) -> Spec:
        self.require_float(input)
        return input

    def parameters(self, input: Spec) -> dict[str, Parameter]:
        return {"weight": Parameter(input.shape[-1:], Uniform(0.5, 1))}

    def bind(self, site: Site) -> Step:
        def backward() -> None:
            self.to_weight(site, site.grads["weight"])
            self.to_input(site, site.grad_input)

        return Step(lambda: self.forward(site), None if site.grad_output is None else backward)

    def forward(self, site: Site) -> None:
        np.multiply(site.input, site.params["weight"], out=site.output)

    def to_weight(self, site: Site, gradient: Any) -> None:
        if gradient is not None:
            np.sum(site.input * site.upstream, axis=0, out=gradient)

    def to_input(self, site: Site, gradient: Any) -> None:
        if gradient is not None:
            np.multiply(site.upstream, site.params["weight"], out=gradient)


class Above(Module):
    """Compares: output = input > 0.5.

    Shape:
        input: (*), any shape. output: the same, of booleans.

    Parameters:
        none.

    Reference: none.
    """

    type: Literal["Above"] = "Above"

    def infer(self, input: Spec) -> Spec:
        self.require_float(input)
        return Spec(input.shape, "bool")

    def bind(self, site: Site) -> Step:
        return Step(lambda: np.copyto(site.output, site.input > 0.5))


class WrongGradient(Scale):
    type: Literal["WrongGradient"] = "WrongGradient"

    def to_input(self, site: Site, gradient: Any) -> None:
        if gradient is not None:
            np.multiply(site.upstream, -2 * site.params["weight"], out=gradient)


class UnsavedInput(Scale):
    saves = ()
    type: Literal["UnsavedInput"] = "UnsavedInput"


class UnknownSaved(Scale):
    saves = ("x",)
    type: Literal["UnknownSaved"] = "UnknownSaved"


class UnsavedScratch(Scale):
    saves = ()
    type: Literal["UnsavedScratch"] = "UnsavedScratch"

    def scratch(self, input: Spec, *, training: bool) -> dict[str, Scratch]:
        return {"kept": Scratch(input.shape)}

    def forward(self, site: Site) -> None:
        np.copyto(site.scratch["kept"], site.input)
        super().forward(site)

    def to_weight(self, site: Site, gradient: Any) -> None:
        if gradient is not None:
            np.sum(site.scratch["kept"] * site.upstream, axis=0, out=gradient)


class UnsavedOutput(Scale):
    type: Literal["UnsavedOutput"] = "UnsavedOutput"

    def to_weight(self, site: Site, gradient: Any) -> None:
        if gradient is not None:
            np.sum(site.output / site.params["weight"] * site.upstream, axis=0, out=gradient)


class WrongAlias(Scale):
    type: Literal["WrongAlias"] = "WrongAlias"

    def alias(self, *, training: bool) -> Alias:
        return "in_place"


class WritesBeyond(Scale):
    type: Literal["WritesBeyond"] = "WritesBeyond"

    def to_input(self, site: Site, gradient: Any) -> None:
        super().to_input(site, gradient)
        if gradient is not None:
            longer = np.lib.stride_tricks.as_strided(gradient, (gradient.shape[0] + 1, gradient.shape[1]))
            longer[-1] = 0


class WritesInput(Scale):
    type: Literal["WritesInput"] = "WritesInput"

    def forward(self, site: Site) -> None:
        np.multiply(site.input, site.params["weight"], out=site.input)


class WrongShape(Scale):
    type: Literal["WrongShape"] = "WrongShape"

    def infer(self, input: Spec) -> Spec:
        self.require_float(input)
        return Spec((*input.shape[:-1], input.shape[-1] + 1))


class SingleOnly(Scale):
    type: Literal["SingleOnly"] = "SingleOnly"

    def forward(self, site: Site) -> None:
        np.multiply(site.input, site.params["weight"], out=site.output)
        if site.output.dtype == np.float32:
            np.add(site.output, 0.01, out=site.output)


class GlobalRandom(Scale):
    type: Literal["GlobalRandom"] = "GlobalRandom"

    def forward(self, site: Site) -> None:
        site.output[...] = np.random.default_rng().random(site.output.shape)


class FirstRunOnly(Scale):
    type: Literal["FirstRunOnly"] = "FirstRunOnly"

    def bind(self, site: Site) -> Step:
        step, runs = super().bind(site), iter(range(1, 99))

        def forward() -> None:
            step.forward()
            np.multiply(site.output, next(runs), out=site.output)

        return Step(forward, step.backward)


class Unwritten(Scale):
    type: Literal["Unwritten"] = "Unwritten"

    def to_weight(self, site: Site, gradient: Any) -> None:
        return


class UnwrittenOutput(Scale):
    type: Literal["UnwrittenOutput"] = "UnwrittenOutput"

    def forward(self, site: Site) -> None:
        if site.training:
            super().forward(site)


class Decays(Scale):
    type: Literal["Decays"] = "Decays"

    def to_input(self, site: Site, gradient: Any) -> None:
        super().to_input(site, gradient)
        np.multiply(site.params["weight"], 0.9, out=site.params["weight"])


class Counts(Scale):
    type: Literal["Counts"] = "Counts"

    def buffers(self, input: Spec) -> dict[str, Buffer]:
        return {"runs": Buffer((), kind="int")}

    def forward(self, site: Site) -> None:
        super().forward(site)
        site.buffers["runs"][...] += 1


class WrongAlone(Scale):
    type: Literal["WrongAlone"] = "WrongAlone"

    def to_weight(self, site: Site, gradient: Any) -> None:
        if site.grad_input is None:
            np.copyto(gradient, 0)
        else:
            super().to_weight(site, gradient)


class FailsAlone(Scale):
    type: Literal["FailsAlone"] = "FailsAlone"

    def to_weight(self, site: Site, gradient: Any) -> None:
        gradient[...] = np.sum(site.input * site.upstream, axis=0)


class NegativeFlops(Scale):
    type: Literal["NegativeFlops"] = "NegativeFlops"

    def flops(self, input: Spec) -> int:
        return -input.size


class WrongComplete(Scale):
    type: Literal["WrongComplete"] = "WrongComplete"
    size: int | None = None

    def infer(self, input: Spec) -> Spec:
        return Spec(input.shape[:-1] + ((self.size,) if self.size else input.shape[-1:]))

    def complete(self, input: Spec) -> Self:
        return self.model_copy(update={"size": input.shape[-1] + 1}) if self.size is None else self

    def bind(self, site: Site) -> Step:
        def forward() -> None:
            site.output[...] = 0

        def backward() -> None:
            for gradient in (*site.grads.values(), site.grad_input):
                if gradient is not None:
                    gradient[...] = 0

        return Step(forward, backward)


class SameName(Scale):
    saves = ("weight",)
    type: Literal["SameName"] = "SameName"

    def infer(self, weight: Spec) -> Spec:
        return weight
