"""Flatten."""

from __future__ import annotations

import math
from typing import Literal, final

from declnet.core.component import Alias, Module
from declnet.core.registry import modules
from declnet.core.spec import Spec
from declnet.errors import ShapeError


@modules.register
@final
class Flatten(Module):
    """Joins the dimensions start_dim to end_dim into one. No data move: the same memory in another shape.

    Shape:
        input: (*, S_start, ..., S_end, *). output: (*, S_start * ... * S_end, *).

    Parameters:
        start_dim: the first dimension to join; 1 keeps the batch apart.
        end_dim: the last one; negative counts from the end.

    Raises:
        ShapeError: the input has no such dimension, or start_dim comes after end_dim.

    Reference: https://docs.pytorch.org/docs/2.13/generated/torch.nn.Flatten.html
    """

    pytorch = "torch.nn.Flatten"

    type: Literal["Flatten"] = "Flatten"
    start_dim: int = 1
    end_dim: int = -1

    def infer(self, input: Spec) -> Spec:
        """Multiply the joined sizes."""
        start = self.require_dim("start_dim", self.start_dim, input)
        end = self.require_dim("end_dim", self.end_dim, input)
        if start > end:
            raise ShapeError(
                f"Flatten's start_dim {self.start_dim} comes after its end_dim {self.end_dim} for an input {input}",
                field="start_dim",
                argument=0,
            )
        shape = input.shape
        joined = math.prod(shape[start : end + 1])
        return Spec((*shape[:start], joined, *shape[end + 1 :]), input.kind)

    def alias(self, *, training: bool) -> Alias:
        """The input's memory."""
        return "reshape"
