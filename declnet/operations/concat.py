"""Concat."""

from __future__ import annotations

from typing import Literal, final

import numpy as np

from declnet.core.component import Module, Site, Step
from declnet.core.registry import modules
from declnet.core.spec import Array, Spec, promoted
from declnet.errors import ShapeError


@modules.register
@final
class Concat(Module):
    """Puts its inputs one after another along a dimension, as torch.cat does.

    Shape:
        inputs: (*, S_i, *), alike in all dimensions but dim. output: (*, sum of S_i, *); floats where one holds
            floats, else integers where one holds integers, else booleans.

    Parameters:
        dim: the dimension in which the inputs follow each other; negative counts from the end. PyTorch takes 0,
            the batch, where it is left out: here it has to be said.

    Raises:
        ShapeError: the inputs have no such dimension, or differ in another one.

    Reference: https://docs.pytorch.org/docs/2.13/generated/torch.cat.html
    """

    type: Literal["Concat"] = "Concat"
    dim: int

    def infer(self, *inputs: Spec) -> Spec:
        """Add up the sizes in the dimension."""
        first = inputs[0]
        for argument, spec in enumerate(inputs):
            if spec.ndim == 0:
                raise ShapeError(
                    "Concat joins along a dimension but its input is a single number", argument=argument
                )
            if self._others(spec) != self._others(first):
                raise ShapeError(
                    f"Concat takes inputs that differ only in dimension {self.dim} but has {first} and {spec}",
                    argument=argument,
                )
        dim = self.require_dim("dim", self.dim, first)
        joined = sum(spec.shape[dim] for spec in inputs)
        kind = promoted(spec.kind for spec in inputs)
        return Spec((*first.shape[:dim], joined, *first.shape[dim + 1 :]), kind)

    def _others(self, input: Spec) -> tuple[int, ...]:
        """The input's shape, its size in the dimension, if it has that, left open."""
        shape = list(input.shape)
        if -input.ndim <= self.dim < input.ndim:
            shape[self.dim] = -1
        return tuple(shape)

    def bind(self, site: Site) -> Step:
        """Copy each input to its place; backward: from there."""
        pairs = list(zip(self._places(site.output, site.inputs), site.inputs, strict=True))

        def forward() -> None:
            for place, x in pairs:
                np.copyto(place, x)

        if site.grad_output is None:
            return Step(forward)
        places = self._places(site.grad_output, site.inputs)
        grads = [(g, place) for g, place in zip(site.grad_inputs, places, strict=True) if g is not None]

        def backward() -> None:
            for grad_x, place in grads:
                np.copyto(grad_x, place)

        return Step(forward, backward)

    def _places(self, whole: Array, inputs: tuple[Array, ...]) -> list[Array]:
        """Where each input is in the whole."""
        ends = np.cumsum([array.shape[self.dim] for array in inputs])
        return np.split(whole, ends[:-1], axis=self.dim)
