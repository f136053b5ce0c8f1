"""What BatchNorm and InstanceNorm share: statistics of channels, and running averages of them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar, Self

import numpy as np
from pydantic import NonNegativeInt

from declnet.core.component import Action, Alias, Buffer, Module, Parameter, Scratch, Site, Step
from declnet.core.spec import Array, Spec
from declnet.core.threads import in_order
from declnet.errors import ShapeError
from declnet.normalization import across
from declnet.normalization.block import Calls, Channels
from declnet.normalization.kernel import bind
from declnet.normalization.view import View, weight_and_bias


class ChannelNorm(Module, ABC):
    """output = (input - mean) / sqrt(var + eps) * weight + bias, each of the four one number for a channel."""

    saves: ClassVar[tuple[str, ...]] = ("input",)
    takes: ClassVar[dict[int, str]]
    """The shapes it takes, by their number of dimensions."""

    num_features: NonNegativeInt | None = None
    eps: float = 1e-5
    momentum: float | None = 0.1
    affine: bool = True
    track_running_stats: bool = True
    bias: bool = True

    @abstractmethod
    def view(self, shape: tuple[int, ...]) -> View:
        """How the kernel sees an input: each channel is a group."""

    @abstractmethod
    def needs_channels(self, view: View) -> bool:
        """Whether PyTorch refuses this input, because it asks for its first channel, and there is none."""

    @abstractmethod
    def check_statistics(self, input: Spec) -> None:
        """Refuse an input whose channels have but one number: less its mean it is 0, whatever it was."""

    @abstractmethod
    def share(self, batches: Array) -> float:
        """How much new statistics count in the running ones; keeps the number of batches up to date."""

    def infer(self, input: Spec) -> Spec:
        """One of the shapes it takes, with the right number of channels."""
        self.require_float(input)
        name = type(self).__name__
        if input.ndim not in self.takes:
            shapes = " or ".join(self.takes.values())
            raise ShapeError(f"{name} takes {shapes} but its input is {input}", argument=0)
        view = self.view(input.shape)
        channels = view.groups
        if self.num_features not in (None, channels):
            raise ShapeError(
                f"{name} takes {self.num_features} channels but its input has {channels}",
                field="num_features",
                argument=0,
            )
        if self.needs_channels(view):
            raise ShapeError(
                f"{name} learns a weight for each channel of a sample but its input {input} has none", argument=0
            )
        return input

    def complete(self, input: Spec) -> Self:
        """Fill in num_features."""
        return self.model_copy(update={"num_features": self.view(input.shape).groups})

    def parameters(self, input: Spec) -> dict[str, Parameter]:
        """weight, then bias."""
        return weight_and_bias((self.view(input.shape).groups,), weight=self.affine, bias=self.bias)

    def buffers(self, input: Spec) -> dict[str, Buffer]:
        """Running averages, and how many batches are in them."""
        if not self.track_running_stats:
            return {}
        shape = (self.view(input.shape).groups,)
        return {
            "running_mean": Buffer(shape),
            "running_var": Buffer(shape, 1.0),
            "num_batches_tracked": Buffer((), kind="int"),
        }

    def alias(self, *, training: bool) -> Alias:
        """Backward reads the input."""
        return "new" if training else "in_place"

    def flops(self, input: Spec) -> int:
        """Sum, difference, square, sum, product, addition: six for each element."""
        return 6 * input.size

    def scratch(self, input: Spec, *, training: bool) -> dict[str, Scratch]:
        """What the kernel needs, or, with running statistics, a scale and a shift for each channel."""
        view = self.view(input.shape)
        if not training and self.track_running_stats:
            names = {name: Scratch((view.groups,)) for name in ("scale", "shift")}
            return names | {"wide": Scratch((2, *view.wide))}
        self.check_statistics(input)
        names = view.scratch(training=training)
        return names | {"new": Scratch((view.groups,))} if self.track_running_stats else names

    def bind(self, site: Site) -> Step:
        """The kernel, and in training the running averages; in evaluation the map that these make."""
        if not site.training and self.track_running_stats:
            return Step(self._running(site))
        view = self.view(site.input.shape)
        step = bind(site, view, self.eps)
        if not self.track_running_stats:
            return step
        track = self._tracking(site, view)

        def forward() -> None:
            step.forward()
            track()

        return Step(forward, step.backward)

    def _tracking(self, site: Site, view: View) -> Action:
        """running = (1 - share) * running + share * new; the variance that is kept is the unbiased one."""
        new, batches = site.scratch["new"], site.buffers["num_batches_tracked"]
        rows, count = view.statistics[0], view.count
        pairs = [
            (site.buffers["running_mean"], site.scratch["mean"], 1.0),
            (site.buffers["running_var"], site.scratch["var"], count / max(count - 1, 1)),
        ]
        updates = [
            (running, np.full(rows, factor / rows, new.dtype), found.reshape(rows, -1))
            for running, found, factor in pairs
            if site.input.size
        ]
        lost = [running for running, _, _ in pairs if not rows]
        taken, kept = np.empty((), new.dtype), np.empty((), new.dtype)

        def track() -> None:
            share = self.share(batches)
            taken.fill(share)
            kept.fill(1 - share)
            for running in lost:  # the mean of no samples
                running.fill(np.nan)
            for running, average, found in updates:
                average.dot(found, new)
                np.multiply(new, taken, new)
                np.multiply(running, kept, running)
                np.add(running, new, running)

        return track

    def _running(self, site: Site) -> Action:
        """output = input * scale + shift."""
        view = self.view(site.input.shape)
        scale, shift = site.scratch["scale"], site.scratch["shift"]
        mean, var = site.buffers["running_mean"], site.buffers["running_var"]
        one, zero, eps = (np.array(number, scale.dtype) for number in (1, 0, self.eps))
        weight, bias = site.params.get("weight", one), site.params.get("bias", zero)
        pairs = zip((scale, shift), site.scratch["wide"], strict=True)
        factor, term = (Channels(numbers.reshape(-1, 1, 1), wide) for numbers, wide in pairs)
        calls = Calls()
        calls.do(np.add, var, eps, scale)
        calls.do(np.sqrt, scale, scale)
        calls.do(np.divide, weight, scale, scale)
        calls.do(np.multiply, mean, scale, shift)
        calls.do(np.subtract, bias, shift, shift)
        factor.fresh(calls)
        term.fresh(calls)
        return in_order([calls.run, across.apply(site, view, factor, term)])
