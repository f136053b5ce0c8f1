"""Dropout, and Dropout1d, Dropout2d, Dropout3d, which drop whole channels."""

from __future__ import annotations

from abc import ABC
from typing import ClassVar, Literal, final

from declnet.core.component import Scratch, Site, Step
from declnet.core.registry import modules
from declnet.core.spec import Spec
from declnet.core.threads import in_order
from declnet.dropout.noise import Noise, drawing, scaling, zeros
from declnet.errors import ShapeError


def bind(site: Site, p: float) -> Step:
    """Multiply by a new mask, which is broadcast; backward by the same one."""
    if site.output.dtype.kind != "f":
        return zeros(site.output)
    mask = site.scratch["mask"]
    forward = in_order(
        [drawing(mask, p, 1 / (1 - p) if p < 1 else 0, site.rng), scaling(site.input, mask, site.output)]
    )
    if site.grad_input is None:
        return Step(forward)
    return Step(forward, scaling(site.upstream, mask, site.grad_input))


@modules.register
@final
class Dropout(Noise):
    """Zeroes each element with probability p and scales the others by 1 / (1 - p); training only.

    In evaluation, and for p = 0, it is the identity and costs nothing. The gradient goes through the same
    mask. Draws come from the run's own generator, so a seed gives the same masks every time.

    Shape:
        input: (*), any shape; in training integers and booleans only for a p of 0 or 1. output: the same.

    Parameters:
        p: probability of an element to be zeroed, 0 to 1.

    Raises:
        ShapeError: the input is not floating point, and in training would be scaled.

    Reference: https://docs.pytorch.org/docs/2.13/generated/torch.nn.Dropout.html;
        Hinton et al., "Improving neural networks by preventing co-adaptation of feature detectors", 2012.
    """

    pytorch = "torch.nn.Dropout"

    type: Literal["Dropout"] = "Dropout"

    def scratch(self, input: Spec, *, training: bool) -> dict[str, Scratch]:
        """The mask: 0 or 1 / (1 - p)."""
        return self.masks(input, input.shape, training=training)

    def bind(self, site: Site) -> Step:
        """A mask of elements."""
        return bind(site, self.p)


class ChannelDropout(Noise, ABC):
    """Drops whole channels."""

    takes: ClassVar[dict[int, tuple[str, int]]]
    """The shapes it takes, by their number of dimensions, and how many of these come before the places."""

    def infer(self, input: Spec) -> Spec:
        """One of the shapes it takes."""
        if input.ndim not in self.takes:
            shapes = " or ".join(shape for shape, _ in self.takes.values())
            raise ShapeError(
                f"{type(self).__name__} takes {shapes} but its input is {input}; Dropout takes any shape",
                argument=0,
            )
        return input

    def scratch(self, input: Spec, *, training: bool) -> dict[str, Scratch]:
        """The mask: 0 or 1 / (1 - p) for each channel."""
        _, leading = self.takes[input.ndim]
        shape = (*input.shape[:leading], *(1,) * (input.ndim - leading))
        return self.masks(input, shape, training=training)

    def bind(self, site: Site) -> Step:
        """A mask of channels."""
        return bind(site, self.p)


@modules.register
@final
class Dropout1d(ChannelDropout):
    """Zeroes each channel with probability p and scales the others by 1 / (1 - p); training only.

    In evaluation, and for p = 0, it is the identity and costs nothing. Neighbours within a channel are alike
    after a convolution, so to drop them one by one would change little.

    Shape:
        input: (N, C, L) or, without a batch, (C, L). output: the same.

    Parameters:
        p: probability of a channel to be zeroed, 0 to 1.

    Raises:
        ShapeError: the input is not of these shapes; or not floating point, and in training would be scaled.

    Reference: https://docs.pytorch.org/docs/2.13/generated/torch.nn.Dropout1d.html;
        Tompson et al., "Efficient Object Localization Using Convolutional Networks", 2015.
    """

    pytorch = "torch.nn.Dropout1d"
    takes: ClassVar[dict[int, tuple[str, int]]] = {3: ("(N, C, L)", 2), 2: ("(C, L)", 1)}

    type: Literal["Dropout1d"] = "Dropout1d"


@modules.register
@final
class Dropout2d(ChannelDropout):
    """Zeroes each channel with probability p and scales the others by 1 / (1 - p); training only.

    In evaluation, and for p = 0, it is the identity and costs nothing. Neighbours within a channel are alike
    after a convolution, so to drop them one by one would change little.

    Shape:
        input: (N, C, H, W) or (N, C, L): three dimensions are not an image without a batch. output: the same.

    Parameters:
        p: probability of a channel to be zeroed, 0 to 1.

    Raises:
        ShapeError: the input is not of these shapes (others PyTorch warns of as deprecated); or not floating
            point, and in training would be scaled.

    Reference: https://docs.pytorch.org/docs/2.13/generated/torch.nn.Dropout2d.html;
        Tompson et al., "Efficient Object Localization Using Convolutional Networks", 2015.
    """

    pytorch = "torch.nn.Dropout2d"
    takes: ClassVar[dict[int, tuple[str, int]]] = {4: ("(N, C, H, W)", 2), 3: ("(N, C, L)", 2)}

    type: Literal["Dropout2d"] = "Dropout2d"


@modules.register
@final
class Dropout3d(ChannelDropout):
    """Zeroes each channel with probability p and scales the others by 1 / (1 - p); training only.

    In evaluation, and for p = 0, it is the identity and costs nothing. Neighbours within a channel are alike
    after a convolution, so to drop them one by one would change little.

    Shape:
        input: (N, C, D, H, W) or, without a batch, (C, D, H, W). output: the same.

    Parameters:
        p: probability of a channel to be zeroed, 0 to 1.

    Raises:
        ShapeError: the input is not of these shapes (others PyTorch warns of as deprecated); or not floating
            point, and in training would be scaled.

    Reference: https://docs.pytorch.org/docs/2.13/generated/torch.nn.Dropout3d.html;
        Tompson et al., "Efficient Object Localization Using Convolutional Networks", 2015.
    """

    pytorch = "torch.nn.Dropout3d"
    takes: ClassVar[dict[int, tuple[str, int]]] = {5: ("(N, C, D, H, W)", 2), 4: ("(C, D, H, W)", 1)}

    type: Literal["Dropout3d"] = "Dropout3d"
