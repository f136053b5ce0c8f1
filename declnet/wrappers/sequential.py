"""Sequential: components one after another."""

from __future__ import annotations

from typing import ClassVar, Literal, final

from declnet.core.registry import modules
from declnet.core.wrapper import Flow, Node, Output, Place, Tracer, Wrapper


@modules.register
@final
class Sequential(Wrapper):
    """Calls its layers in order, each on the output of the one before it.

    Inside, `input` is the block's own input, and names outside it cannot be seen. Layers without a name are
    called by their index, so parameters are named as in PyTorch: `0.weight`, or `block.0.weight` in a block
    called `block`.

    Shape:
        input: what the first layer takes; output: what the last one gives. Without layers, the input.

    Parameters:
        layers: the components, in order.

    Raises:
        ConfigError: an entry is not a component, or two have the same name.

    Reference: https://docs.pytorch.org/docs/2.13/generated/torch.nn.Sequential.html
    """

    pytorch = "torch.nn.Sequential"
    children: ClassVar[str] = "layers"

    type: Literal["Sequential"] = "Sequential"
    layers: tuple[Node, ...]

    def trace(self, tracer: Tracer, place: Place, inputs: Flow) -> Output:
        """Call the layers in order."""
        return tracer.chain(self.layers, place, inputs)
