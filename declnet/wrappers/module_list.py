"""ModuleList and ModuleDict: components that are reached by name, or called together."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import ClassVar, Literal, final

from declnet.core.registry import modules
from declnet.core.wrapper import Flow, Node, Output, Place, Tracer, Wrapper, below
from declnet.errors import ShapeError

Forward = Literal["chain", "map", "zip"]


class _Holder(Wrapper, ABC):
    """Holds components by name, and calls them as `forward` says."""

    children: ClassVar[str] = "modules"

    forward: Forward | None = None

    @property
    @abstractmethod
    def named(self) -> Mapping[str, Node]:
        """The components by the names that their parameters have."""

    @property
    def takes(self) -> tuple[str, ...]:
        """One input, one for each component (zip), or none."""
        return () if self.forward is None else tuple(self.named) if self.forward == "zip" else ("input",)

    def trace(self, tracer: Tracer, place: Place, inputs: Flow) -> Output:
        """Call what is held one after another, all on the same input, or each on its own; or make it known."""
        if self.forward is None:
            held: dict[str, Flow] = {}
            for name, node in self.named.items():
                held |= below(name, tracer.hold(node, place.child(name)))
            return Output(None, held)
        if self.forward == "chain":
            return self._chain(tracer, place, inputs)
        if self.forward == "map":
            each: list[Flow] = [inputs] * len(self.named)
        else:
            each = [(value,) for value in inputs]
            if len(each) != len(self.named):
                raise ShapeError(
                    f"zips {len(self.named)} components with {len(each)} input{'s' * (len(each) != 1)}; "
                    "it takes one for each"
                )
        flow: Flow = ()
        items: dict[str, Flow] = {}
        for (name, node), own in zip(self.named.items(), each, strict=True):
            output = tracer.call(node, place.child(name), own)
            items |= below(name, output)
            flow += output.flow or ()
        return Output(flow, items)

    def _chain(self, tracer: Tracer, place: Place, inputs: Flow) -> Output:
        items: dict[str, Flow] = {}
        for name, node in self.named.items():
            output = tracer.call(node, place.child(name), inputs)
            inputs = inputs if output.flow is None else output.flow
            items |= below(name, output)
        return Output(inputs, items)


@modules.register
@final
class ModuleList(_Holder):
    """Holds components by index: `use: blocks.0` calls the first of a list that is called `blocks`.

    Left alone it only holds, and the values before it pass by. With `forward: chain` it calls its components one
    after another, with `map` all on the same input, with `zip` each on its own; `blocks.0` is then also the output
    of the first.

    Shape:
        input: what the components take; with zip one input for each. output: the last one's output (chain), or
        those of all, in order (map, zip).

    Parameters:
        modules: the components, in order.
        forward: chain, map or zip; left out, nothing is called.

    Raises:
        ConfigError: an entry is not a component.
        ShapeError: with zip, there are not as many inputs as components.

    Reference: https://docs.pytorch.org/docs/2.13/generated/torch.nn.ModuleList.html; forward is declnet's.
    """

    pytorch = "torch.nn.ModuleList"

    type: Literal["ModuleList"] = "ModuleList"
    modules: tuple[Node, ...]

    @property
    def named(self) -> Mapping[str, Node]:
        """By index."""
        return {str(index): node for index, node in enumerate(self.modules)}


@modules.register
@final
class ModuleDict(_Holder):
    """Holds components by key: `use: heads.price` calls the one called `price` of a mapping called `heads`.

    Left alone it only holds, and the values before it pass by. With `forward: chain` it calls its components one
    after another, with `map` all on the same input, with `zip` each on its own, named by key; `heads.price` is then
    also the output of that one.

    Shape:
        input: what the components take; with zip one input for each. output: the last one's output (chain), or
        those of all, in order (map, zip).

    Parameters:
        modules: the components by key.
        forward: chain, map or zip; left out, nothing is called.

    Raises:
        ConfigError: an entry is not a component, or a key not a name.
        ShapeError: with zip, there are not as many inputs as components.

    Reference: https://docs.pytorch.org/docs/2.13/generated/torch.nn.ModuleDict.html; forward is declnet's.
    """

    pytorch = "torch.nn.ModuleDict"

    type: Literal["ModuleDict"] = "ModuleDict"
    modules: dict[str, Node]

    @property
    def named(self) -> Mapping[str, Node]:
        """By key."""
        return self.modules
