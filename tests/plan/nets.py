"""Graphs for the tests of the plan: a table of nasty ones, and random ones that Hypothesis can shrink."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st

from declnet.activations.relu import ReLU
from declnet.activations.softmax import LogSoftmax
from declnet.core.component import Module
from declnet.core.spec import Spec
from declnet.dropout.dropout import Dropout
from declnet.layers.linear import Linear
from declnet.losses.cross_entropy import CrossEntropyLoss
from declnet.losses.mse import MSELoss
from declnet.operations.flatten import Flatten
from declnet.plan.graph import Graph
from plan.parts import (
    Add,
    Bump,
    Distance,
    Fold,
    Gain,
    Lookup,
    Mul,
    Net,
    Noise,
    Norm,
    Pair,
    Ranking,
    Scale,
    Swap,
    Tanh,
)


def fields(batch: int) -> Net:
    """Two float fields and one of integers."""
    return Net(x=Spec((batch, 4)), z=Spec((batch, 4)), t=Spec((batch,), "int"))


def _linear(net: Net, value: int | None = None, width: int = 4) -> int:
    return net.call(Linear(out_features=width), net["x"] if value is None else value)


def _chain(*components: Module) -> Callable[[Net], None]:
    """Linear on x, then these, then the distance to z or to its own halves."""

    def build(net: Net) -> None:
        value = net.chain(_linear(net), *components)
        target = net["z"] if net.graph.specs[value] == net.graph.specs[net["z"]] else value
        net.term(Distance(), net.call(Scale(), value), target)

    return build


def _diamond(net: Net) -> None:
    """Both readers of a value would like to write over it, and the value is needed once more after them."""
    a = _linear(net)
    b, c = net.call(Tanh(), a), net.call(Scale(), a)
    net.term(Distance(), net.call(Add(), b, c, a), net["z"])


def _diamond_of_reshapes(net: Net) -> None:
    """Two views of one memory, one of them written over, the other read later."""
    a = _linear(net)
    view, other = net.call(Fold(), a), net.call(Fold(), a)
    b = net.chain(view, Tanh(), Flatten())
    net.term(Distance(), b, net.call(Flatten(), other))


def _reshape_then_in_place_and_reader(net: Net) -> None:
    """A view's only reader writes over it, while the value below has another reader, which comes last."""
    a = _linear(net)
    view = net.call(Fold(), a)
    b = net.chain(view, Fold(), Scale(), Flatten())
    net.term(Distance(), b, net.call(Tanh(), a))


def _reshaped_saved_output(net: Net) -> None:
    """Tanh's output is needed by its own backward; behind two reshapes somebody would write over it."""
    value = net.chain(_linear(net), Tanh(), Fold(), Flatten(), Scale(), Tanh())
    net.term(Distance(), value, net["z"])


def _twice_in_one_call(net: Net) -> None:
    """One value is every input of a call: its gradient is the sum over the slots."""
    a = net.call(Scale(), _linear(net))
    b = net.call(Mul(), a, net.call(Add(), a, a, a))
    net.term(Distance(), net.call(Pair(out_features=4), b, b), net["z"])


def _loss_on_itself(net: Net) -> None:
    """Input and target are one value, and another term reads it too."""
    a = net.call(Tanh(), _linear(net))
    net.term(Distance(), a, a, scale=3.0)
    net.term(Ranking(), a, a, net["z"], scale=-0.5)
    net.term(MSELoss(), a, net["z"])


def _terms_inside(net: Net) -> None:
    """Losses read values in the middle of an in-place chain."""
    a = _linear(net)
    b = net.call(Scale(), a)
    c = net.call(Tanh(), b)
    net.term(Distance(), b, net["z"], scale=0.25)
    net.term(Ranking(), a, b, c)


def _loss_without_parameters(net: Net) -> None:
    """One term depends on data alone: it counts in the loss and has no backward."""
    net.term(Distance(), net.call(Dropout(p=0.5), net["x"]), net["z"], scale=2.0)
    net.term(Distance(), _linear(net), net["z"])


def _noise_on_data(net: Net) -> None:
    """Calls before the first parameter: no gradient reaches them, and data must not be written over."""
    value = net.chain(net["x"], Dropout(p=0.3), Fold(), Scale(), Flatten(), Noise(), Bump(), Tanh())
    net.term(Distance(), _linear(net, value), net["z"])


def _shared(net: Net) -> None:
    """One weight in three calls, one of them on its own output, on two batches' worth of rows."""
    layer = Linear(out_features=4)
    a = net.call(layer, net["x"], owner="encoder")
    b = net.call(layer, net["z"], owner="encoder")
    c = net.call(layer, net.call(Tanh(), a), owner="encoder")
    net.term(Ranking(), net.call(Norm(), a, owner="norm"), net.call(Norm(), b, owner="norm"), c)


def _unused(net: Net) -> None:
    """A branch that nothing depends on, which reads a value somebody else wants to write over."""
    a = _linear(net)
    net.call(Linear(out_features=2), a)
    value = net.call(Tanh(), a)
    net.term(Distance(), value, net["z"])
    net.graph.outputs = [value]


def _output_is_inside(net: Net) -> None:
    """In evaluation the output is in the middle of what would be an in-place chain, behind a reshape."""
    a = _linear(net)
    view = net.call(Fold(), a)
    b = net.chain(view, Tanh(), Flatten())
    net.term(Distance(), b, net["z"])
    net.graph.outputs = [a]


def _output_is_a_view(net: Net) -> None:
    """The output is a view of data, and the loss reads something else."""
    view = net.call(Fold(), net["x"])
    net.term(Distance(), net.call(Scale(), _linear(net)), net["z"])
    net.graph.outputs = [view]


def _integers(net: Net) -> None:
    """Integers have no gradient, reshaped or not; the table is used on both."""
    table = Lookup(rows=5, width=4)
    a = net.call(table, net["t"], owner="table")
    b = net.call(table, net.call(Flatten(start_dim=0), net["t"]), owner="table")
    net.term(CrossEntropyLoss(), net.call(Add(), a, b), net["t"])


def _scalar_weight(net: Net) -> None:
    """A parameter without dimensions, twice, beside a value that is copied in another order."""
    a = net.call(Gain(), _linear(net), owner="gains")
    b = net.chain(a, Fold(), Swap(), Flatten())
    net.term(Distance(), net.call(Gain(), b, owner="gains"), net.call(LogSoftmax(dim=1), a))


def _many_readers(net: Net) -> None:
    """Seven readers: views, copies, in-place wishes, and the last one first in backward."""
    a = net.call(Norm(), _linear(net))
    readers = [net.call(part, a) for part in (Scale(), Tanh(), Bump(), ReLU(), Noise(), Dropout(p=0.2))]
    back = net.chain(a, Fold(), Swap(), Swap(), Flatten())
    net.term(Distance(), net.call(Add(), *readers, back), a)


NASTY: dict[str, Callable[[Net], None]] = {
    "in-place chain": _chain(Scale(), Tanh(), Scale(), ReLU(), Scale(), Dropout(p=0.4), Scale()),
    "views in an in-place chain": _chain(Fold(), Scale(), Fold(), Tanh(), Flatten(), Scale()),
    "saved input in a chain": _chain(Scale(), Bump(), Scale(), Bump()),
    "identity": _chain(Dropout(p=0.0), Flatten(), Scale()),
    "saved scratch": _chain(Norm(), Noise(), LogSoftmax(dim=1), Dropout(p=0.4), Norm()),
    **{
        build.__name__[1:].replace("_", " "): build
        for build in (
            _diamond,
            _diamond_of_reshapes,
            _reshape_then_in_place_and_reader,
            _reshaped_saved_output,
            _twice_in_one_call,
            _loss_on_itself,
            _terms_inside,
            _loss_without_parameters,
            _noise_on_data,
            _shared,
            _unused,
            _output_is_inside,
            _output_is_a_view,
            _integers,
            _scalar_weight,
            _many_readers,
        )
    },
}


def nasty(name: str, batch: int) -> Graph:
    """One of the table, for batches of this many rows."""
    net = fields(batch)
    NASTY[name](net)
    return net.graph


quick = settings(
    derandomize=True,
    deadline=None,
    database=None,
    max_examples=60,
    suppress_health_check=[HealthCheck.too_slow],
    phases=(Phase.generate, Phase.shrink),
)
"""The same examples each time, and no explanations, which take longer than everything else."""

Instruction = tuple[int, int, int, int]
"""What to call, two values (counted back from the newest), and a knob; each taken modulo what there is."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """A random graph, independent of the batch."""

    calls: tuple[Instruction, ...]
    terms: tuple[tuple[Instruction, float], ...]
    output: int

    def graph(self, batch: int) -> Graph:
        """Follow the instructions."""
        return _Cook(fields(batch)).follow(self)


def recipes(calls: int = 14) -> st.SearchStrategy[Recipe]:
    """Recipes with up to that many calls before the losses."""
    number = st.integers(0, 59)
    near = st.sampled_from([0, 0, 0, 1, 1, 2]) | number  # the newest values are the likeliest: chains
    instruction = st.tuples(number, near, near, number)
    scale = st.sampled_from([1.0, 0.5, -2.0])
    return st.builds(
        Recipe,
        st.lists(instruction, min_size=5, max_size=calls).map(tuple),
        st.lists(st.tuples(instruction, scale), min_size=1, max_size=3).map(tuple),
        st.just(0) | number,
    )


class _Cook:
    """Makes a graph of a recipe; an instruction that does not fit its value gives the next that does."""

    UNARY: tuple[Callable[[int], Module], ...] = (
        lambda knob: Linear(out_features=(2, 4, 6)[knob % 3], bias=knob % 4 > 0),
        lambda _: ReLU(),
        lambda _: Tanh(),
        lambda _: Bump(),
        lambda knob: Scale(factor=(0.5, -1.5)[knob % 2]),
        lambda knob: Dropout(p=(0.0, 0.4)[knob % 2]),
        lambda _: Flatten(),
        lambda _: Fold(),
        lambda _: Norm(),
        lambda _: Noise(),
        lambda _: LogSoftmax(dim=-1),
        lambda _: Gain(),
    )

    def __init__(self, net: Net) -> None:
        self.net = net
        self.values = [net["z"], net["x"], net.call(Linear(out_features=4), net["x"])]

    def follow(self, recipe: Recipe) -> Graph:
        """All calls, then all terms; a metric compares two values that are near the output."""
        for instruction in recipe.calls:
            self.values.append(self._cook(*instruction))
        output = self.pick(recipe.output)
        for (kind, one, two, knob), scale in recipe.terms:
            self._term(kind, one, two, knob, scale)
        self.net.graph.outputs = [output]
        self.net.graph.measures = [(self.pick(recipe.output + 1), self.pick(recipe.output + 2))]
        return self.net.graph

    def pick(self, back: int) -> int:
        """A float value."""
        return self.values[-1 - back % len(self.values)]

    def like(self, value: int, back: int) -> int:
        """A value of the same shape as another, perhaps that one."""
        same = [other for other in self.values if self.net.graph.specs[other] == self.net.graph.specs[value]]
        return same[-1 - back % len(same)] if same else value

    def _cook(self, kind: int, one: int, two: int, knob: int) -> int:
        specs, first = self.net.graph.specs, self.pick(one)
        flat = specs[first].ndim == 2
        kind %= len(self.UNARY) + 10
        if kind < len(self.UNARY):
            component = self.UNARY[kind](knob)
            if isinstance(component, Fold) and (specs[first].shape[-1] % 2 or specs[first].ndim > 3):
                component = Flatten()
            return self.net.call(component, first)
        kind -= len(self.UNARY)
        if kind == 0:
            return self.net.call(Lookup(rows=5, width=4), self.net["t"])
        if kind == 1 and flat:
            second = [value for value in self.values if specs[value].ndim == 2]
            return self.net.call(Pair(out_features=2), first, second[-1 - two % len(second)])
        if kind == 2 and not flat:
            return self.net.call(Swap(), first)
        if kind == 3:
            return self.net.call(Mul(), first, self.like(first, two))
        learnt = [call for call in self.net.graph.calls if self.net.graph.parameters_of(call)]
        if kind in (4, 5, 6, 7) and learnt:  # the same weights again
            call = learnt[-1 - knob % len(learnt)]
            inputs = [self.like(value, back) for value, back in zip(call.inputs, (one, two), strict=False)]
            return self.net.call(call.component, *inputs, owner=call.owner)
        return self.net.call(Add(), first, *(self.like(first, two + more) for more in range(knob % 4)))

    def _term(self, kind: int, one: int, two: int, knob: int, scale: float) -> None:
        value = self.pick(one)
        like = self.like(value, two)
        if kind % 4 == 0 and self.net.graph.specs[value].ndim == 2:
            classes = self.net.call(Linear(out_features=4), value) if knob % 2 else value
            if self.net.graph.specs[classes].shape[1] >= 4:
                self.net.term(CrossEntropyLoss(), classes, self.net["t"], scale=scale)
                return
        if kind % 4 == 1:
            self.net.term(Ranking(), value, like, self.like(value, knob), scale=scale)
        else:
            self.net.term((Distance, MSELoss)[kind % 2](), value, like, scale=scale)
