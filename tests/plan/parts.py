"""What the tests of the plan are built from: components that each have one trait the plan must get right,
none of them registered, and `Net`, which writes a graph by hand.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar, Literal, final

import numpy as np

from declnet.core.component import Alias, Buffer, Loss, Module, Parameter, Scratch, Site, Step
from declnet.core.laws import Constant, Normal
from declnet.core.spec import Array, DType, Spec
from declnet.core.wrapper import join
from declnet.errors import ShapeError
from declnet.plan.graph import Call, Graph
from declnet.plan.liveness import Layout, lay_out
from declnet.plan.plan import Arena, Plan, bind
from declnet.plan.store import Store


@final
class Add(Module):
    """Any number of inputs, written over the first."""

    type: Literal["Add"] = "Add"

    def infer(self, *inputs: Spec) -> Spec:
        for argument, spec in enumerate(inputs):
            if spec != inputs[0]:
                raise ShapeError(f"Add takes one shape but gets {inputs[0]} and {spec}", argument=argument)
        return inputs[0]

    def alias(self, *, training: bool) -> Alias:
        return "in_place"

    def bind(self, site: Site) -> Step:
        first, *others = site.inputs

        def forward() -> None:
            np.copyto(site.output, first)
            for other in others:
                np.add(site.output, other, out=site.output)

        def backward() -> None:
            for grad in reversed(site.grad_inputs):  # the first may be the upstream's memory
                if grad is not None:
                    np.copyto(grad, site.upstream)

        return Step(forward, backward)


@final
class Spread(Module):
    """A column and a matrix: wants to write over the column, which is too small for the sum."""

    type: Literal["Spread"] = "Spread"

    def infer(self, input: Spec, other: Spec) -> Spec:
        return other

    def alias(self, *, training: bool) -> Alias:
        return "in_place"

    def bind(self, site: Site) -> Step:
        def backward() -> None:
            column, matrix = site.grad_inputs
            if matrix is not None:
                np.copyto(matrix, site.upstream)
            if column is not None:
                np.copyto(column, site.upstream.sum(-1, keepdims=True))

        return Step(lambda: np.add(*site.inputs, out=site.output), backward)


@final
class Scale(Module):
    """Written over its input, and nothing is saved: chains of it are one memory, forward and backward."""

    type: Literal["Scale"] = "Scale"
    factor: float = 1.5

    def infer(self, input: Spec) -> Spec:
        self.require_float(input)
        return input

    def alias(self, *, training: bool) -> Alias:
        return "in_place"

    def bind(self, site: Site) -> Step:
        def backward() -> None:
            if site.grad_input is not None:
                np.multiply(site.upstream, self.factor, out=site.grad_input)

        return Step(lambda: np.multiply(site.input, self.factor, out=site.output), backward)


@final
class Tanh(Module):
    """Written over its input, or not; backward reads the output."""

    type: Literal["Tanh"] = "Tanh"
    saves: ClassVar[tuple[str, ...]] = ("output",)
    place: Alias = "in_place"

    def infer(self, input: Spec) -> Spec:
        self.require_float(input)
        return input

    def alias(self, *, training: bool) -> Alias:
        return self.place

    def scratch(self, input: Spec, *, training: bool) -> dict[str, Scratch]:
        return {"slope": Scratch(input.shape)} if training else {}

    def bind(self, site: Site) -> Step:
        def backward() -> None:
            if site.grad_input is not None:
                slope = site.scratch["slope"]
                np.multiply(site.output, site.output, out=slope)
                np.subtract(1, slope, out=slope)
                np.multiply(site.upstream, slope, out=site.grad_input)

        return Step(lambda: np.tanh(site.input, out=site.output), backward)


@final
class Bump(Module):
    """x² / (1 + x²): would write over its input, but backward reads that; only evaluation may."""

    type: Literal["Bump"] = "Bump"
    saves: ClassVar[tuple[str, ...]] = ("input",)

    def infer(self, input: Spec) -> Spec:
        self.require_float(input)
        return input

    def alias(self, *, training: bool) -> Alias:
        return "in_place"

    def scratch(self, input: Spec, *, training: bool) -> dict[str, Scratch]:
        return {"square": Scratch(input.shape)}

    def bind(self, site: Site) -> Step:
        square = site.scratch["square"]

        def forward() -> None:
            np.multiply(site.input, site.input, out=square)
            np.divide(square, 1 + square, out=site.output)

        def backward() -> None:
            if site.grad_input is not None:
                np.multiply(site.input, site.input, out=square)
                np.divide(2 * site.input, (1 + square) ** 2, out=square)
                np.multiply(square, site.upstream, out=site.grad_input)

        return Step(forward, backward)


@final
class Mul(Module):
    """Two inputs, both saved."""

    type: Literal["Mul"] = "Mul"
    saves: ClassVar[tuple[str, ...]] = ("input", "other")

    def infer(self, input: Spec, other: Spec) -> Spec:
        self.require_float(input, other)
        if input != other:
            raise ShapeError(f"Mul takes one shape but gets {input} and {other}", argument=1)
        return input

    def bind(self, site: Site) -> Step:
        def backward() -> None:
            for grad, factor in zip(site.grad_inputs, site.inputs[::-1], strict=True):
                if grad is not None:
                    np.multiply(site.upstream, factor, out=grad)

        return Step(lambda: np.multiply(*site.inputs, out=site.output), backward)


@final
class Pair(Module):
    """Bilinear: output_k = input1 @ weight_k @ input2."""

    type: Literal["Pair"] = "Pair"
    saves: ClassVar[tuple[str, ...]] = ("input1", "input2")
    in1_features: int | None = None
    in2_features: int | None = None
    out_features: int

    def infer(self, input1: Spec, input2: Spec) -> Spec:
        for argument, spec in enumerate((input1, input2)):
            field, width = f"in{argument + 1}_features", spec.shape[-1]
            if getattr(self, field) not in (None, width):
                raise ShapeError(
                    f"Pair takes {getattr(self, field)} features but its input has {width}",
                    field=field,
                    argument=argument,
                )
        return Spec((*input1.shape[:-1], self.out_features))

    def parameters(self, input1: Spec, input2: Spec) -> dict[str, Parameter]:
        return {"weight": Parameter((self.out_features, input1.shape[-1], input2.shape[-1]), Normal())}

    def bind(self, site: Site) -> Step:
        (one, two), weight = site.inputs, site.params["weight"]

        def backward() -> None:
            grad_one, grad_two = site.grad_inputs
            terms = (
                (site.grads["weight"], "nk,ni,nj->kij", (site.upstream, one, two)),
                (grad_one, "nk,kij,nj->ni", (site.upstream, weight, two)),
                (grad_two, "nk,kij,ni->nj", (site.upstream, weight, one)),
            )
            for grad, formula, factors in terms:
                if grad is not None:
                    np.einsum(formula, *factors, out=grad)

        return Step(lambda: np.einsum("ni,kij,nj->nk", one, weight, two, out=site.output), backward)


@final
class Lookup(Module):
    """Embedding: integers in, rows of the weight out."""

    type: Literal["Lookup"] = "Lookup"
    saves: ClassVar[tuple[str, ...]] = ("input",)
    rows: int
    width: int

    def infer(self, input: Spec) -> Spec:
        if input.kind != "int":
            raise ShapeError(f"Lookup takes integers but its input holds {input.kind}s", argument=0)
        return Spec((*input.shape, self.width))

    def parameters(self, input: Spec) -> dict[str, Parameter]:
        return {"weight": Parameter((self.rows, self.width), Normal())}

    def bind(self, site: Site) -> Step:
        def backward() -> None:
            grad = site.grads["weight"]
            if grad is not None:
                grad[...] = 0
                np.add.at(grad, site.input, site.upstream)

        return Step(lambda: np.copyto(site.output, site.params["weight"][site.input]), backward)


@final
class Norm(Module):
    """BatchNorm without a shift: in training by the batch's statistics, which it keeps in buffers."""

    type: Literal["Norm"] = "Norm"
    eps: float = 1e-3
    momentum: float = 0.25

    def infer(self, input: Spec) -> Spec:
        self.require_float(input)
        return input

    def parameters(self, input: Spec) -> dict[str, Parameter]:
        return {"weight": Parameter(input.shape[-1:], Normal(1, 0.3))}

    def buffers(self, input: Spec) -> dict[str, Buffer]:
        shape = input.shape[-1:]
        return {"mean": Buffer(shape), "var": Buffer(shape, 1.0), "count": Buffer((), 0, "int")}

    def scratch(self, input: Spec, *, training: bool) -> dict[str, Scratch]:
        return {"normal": Scratch(input.shape, saved=True), "std": Scratch(input.shape[-1:], saved=True)}

    def bind(self, site: Site) -> Step:
        width = site.input.shape[-1]
        x, y, normal = (a.reshape(-1, width) for a in (site.input, site.output, site.scratch["normal"]))
        std, weight, state = site.scratch["std"], site.params["weight"], site.buffers

        def forward() -> None:
            mean, var = state["mean"], state["var"]
            if site.training:
                batch_mean, batch_var = x.mean(0), x.var(0)
                mean += self.momentum * (batch_mean - mean)
                var += self.momentum * (batch_var - var)
                state["count"][...] += 1
                mean, var = batch_mean, batch_var
            np.sqrt(var + self.eps, out=std)
            np.divide(x - mean, std, out=normal)
            np.multiply(normal, weight, out=y)

        def backward() -> None:
            grad_y = site.upstream.reshape(y.shape)
            if site.grads["weight"] is not None:
                np.sum(grad_y * normal, axis=0, out=site.grads["weight"])
            if site.grad_input is not None:
                grad = grad_y * weight
                grad = (grad - grad.mean(0) - normal * (grad * normal).mean(0)) / std
                np.copyto(site.grad_input, grad.reshape(site.input.shape))

        return Step(forward, backward)


@final
class Fold(Module):
    """(N, *, 2 k) to (N, *, k, 2): the same memory."""

    type: Literal["Fold"] = "Fold"

    def infer(self, input: Spec) -> Spec:
        return Spec((*input.shape[:-1], input.shape[-1] // 2, 2), input.kind)

    def alias(self, *, training: bool) -> Alias:
        return "reshape"


@final
class Swap(Module):
    """Exchanges the last two dimensions: a permutation, so it copies."""

    type: Literal["Swap"] = "Swap"

    def infer(self, input: Spec) -> Spec:
        *rest, a, b = input.shape
        return Spec((*rest, b, a), input.kind)

    def bind(self, site: Site) -> Step:
        def backward() -> None:
            if site.grad_input is not None:
                np.copyto(site.grad_input, site.upstream.swapaxes(-1, -2))

        return Step(lambda: np.copyto(site.output, site.input.swapaxes(-1, -2)), backward)


@final
class Noise(Module):
    """Multiplies by uniform draws, in both modes."""

    type: Literal["Noise"] = "Noise"

    def infer(self, input: Spec) -> Spec:
        self.require_float(input)
        return input

    def scratch(self, input: Spec, *, training: bool) -> dict[str, Scratch]:
        return {"drawn": Scratch(input.shape, saved=True)}

    def bind(self, site: Site) -> Step:
        drawn = site.scratch["drawn"]

        def forward() -> None:
            site.rng.random(out=drawn, dtype=drawn.dtype)
            np.multiply(site.input, drawn, out=site.output)

        def backward() -> None:
            if site.grad_input is not None:
                np.multiply(site.upstream, drawn, out=site.grad_input)

        return Step(forward, backward)


@final
class Distance(Loss):
    """mean((input - target)²): two inputs, both saved, and no parameter."""

    type: Literal["Distance"] = "Distance"
    saves: ClassVar[tuple[str, ...]] = ("input", "target")
    reduction: Literal["mean", "none"] = "mean"

    def infer(self, input: Spec, target: Spec) -> Spec:
        if input != target:
            raise ShapeError(f"Distance takes one shape but gets {input} and {target}", argument=1)
        return Spec(() if self.reduction == "mean" else input.shape)

    def scratch(self, input: Spec, target: Spec, *, training: bool) -> dict[str, Scratch]:
        return {"difference": Scratch(input.shape)}

    def bind(self, site: Site) -> Step:
        difference = site.scratch["difference"]

        def forward() -> None:
            np.subtract(*site.inputs, out=difference)
            np.mean(difference * difference, out=site.output)

        def backward() -> None:
            np.subtract(*site.inputs, out=difference)
            np.multiply(difference, site.upstream * (2 / difference.size), out=difference)
            for grad, sign in zip(site.grad_inputs, (1, -1), strict=True):
                if grad is not None:
                    np.multiply(difference, sign, out=grad)

        return Step(forward, backward)


@final
class Ranking(Loss):
    """mean(log(1 + exp(-other * (first - second)))): a scalar of three inputs."""

    type: Literal["Ranking"] = "Ranking"

    def infer(self, first: Spec, second: Spec, other: Spec) -> Spec:
        for argument, spec in enumerate((first, second, other)):
            if spec != first:
                raise ShapeError(f"Ranking takes one shape but gets {first} and {spec}", argument=argument)
        return Spec(())

    def scratch(self, first: Spec, second: Spec, other: Spec, *, training: bool) -> dict[str, Scratch]:
        return {name: Scratch(first.shape, saved=True) for name in ("gap", "pull", "sign")}

    def bind(self, site: Site) -> Step:
        gap, pull, sign = (site.scratch[name] for name in ("gap", "pull", "sign"))

        def forward() -> None:
            first, second, other = site.inputs
            np.subtract(first, second, out=gap)
            np.copyto(sign, other)
            np.mean(np.logaddexp(0, -other * gap), out=site.output)
            np.exp(-np.logaddexp(0, other * gap), out=pull)

        def backward() -> None:
            for grad, factor in zip(site.grad_inputs, (-sign, sign, -gap), strict=True):
                if grad is not None:
                    np.multiply(pull * (site.upstream / gap.size), factor, out=grad)

        return Step(forward, backward)


@final
class Gain(Module):
    """A scalar parameter times the input; saves its input and is never in place."""

    type: Literal["Gain"] = "Gain"
    saves: ClassVar[tuple[str, ...]] = ("input",)

    def infer(self, input: Spec) -> Spec:
        return input

    def parameters(self, input: Spec) -> dict[str, Parameter]:
        return {"gain": Parameter((), Constant(1.25))}

    def bind(self, site: Site) -> Step:
        gain = site.params["gain"]

        def backward() -> None:
            grad = site.grads["gain"]
            if grad is not None:
                np.sum(site.upstream * site.input, out=grad)
            if site.grad_input is not None:
                np.multiply(site.upstream, gain, out=site.grad_input)

        return Step(lambda: np.multiply(site.input, gain, out=site.output), backward)


class Net:
    """Writes a graph by hand, and can say what a config cannot: shared owners, losses on any value."""

    def __init__(self, **fields: Spec) -> None:
        self.graph = Graph()
        for name, spec in fields.items():
            self.graph.inputs[name] = self.graph.value(spec, f"data.{name}")

    def __getitem__(self, field: str) -> int:
        return self.graph.inputs[field]

    def call(self, component: Module, *inputs: int, owner: str | None = None) -> int:
        """The value that a component makes of others."""
        graph, name = self.graph, str(len(self.graph.calls))
        specs = [graph.specs[value] for value in inputs]
        spec, component = component.infer(*specs), component.complete(*specs)
        owner = name if owner is None else owner
        for local, parameter in component.parameters(*specs).items():
            graph.parameters[join(owner, local)] = parameter
        for local, buffer in component.buffers(*specs).items():
            graph.buffers[join(owner, local)] = buffer
        graph.outputs = [graph.value(spec, name)]
        graph.calls.append(Call(name, ("model", name), component, owner, inputs, graph.output))
        return graph.output

    def chain(self, value: int, *components: Module) -> int:
        """Components one after another."""
        for component in components:
            value = self.call(component, value)
        return value

    def term(self, loss: Loss, *inputs: int, scale: float = 1.0) -> int:
        """A term of the loss; the output stays what it was."""
        output = self.graph.output
        value = self.call(loss, *inputs, owner="loss")
        self.graph.terms.append((value, scale))
        self.graph.outputs = [output]
        return value


Data = Mapping[str, Array]


class Bench:
    """Plans over one store and one arena, and what it takes to run them unkindly."""

    def __init__(
        self,
        graphs: Mapping[str, tuple[Graph, bool]],
        *,
        groups: Sequence[Sequence[str]] | None = None,
        dtype: DType = "float64",
        seed: int = 0,
    ) -> None:
        graph = next(iter(graphs.values()))[0]
        self.store = Store(graph.parameters, graph.buffers, groups or [graph.trained()], dtype)
        self.store.initialize(np.random.default_rng(seed))
        self.rng = np.random.default_rng(seed + 1)
        self.layouts: dict[str, Layout] = {
            name: lay_out(graph, training=training, dtype=dtype) for name, (graph, training) in graphs.items()
        }
        self.arena = Arena(max(layout.nbytes for layout in self.layouts.values()))
        self.plans: dict[str, Plan] = {
            name: bind(layout, self.store, self.arena, self.rng) for name, layout in self.layouts.items()
        }

    def poison(self) -> None:
        """NaN in every float of the arena and in every gradient: nothing may read them, or leave them."""
        self.arena.memory[...] = 0xFF
        for grad in self.grads.values():
            grad[...] = np.nan

    def run(self, name: str, data: Data, *, poison: bool = True) -> float:
        """Put data in and run; they must still be there afterwards."""
        if poison:
            self.poison()
        plan = self.plans[name]
        for field, buffer in plan.inputs.items():
            buffer[...] = data[field]
        loss = plan.run()
        for field, buffer in plan.inputs.items():
            np.testing.assert_array_equal(buffer, data[field], f"the step changed the data field {field}")
        return loss

    @property
    def grads(self) -> dict[str, Array]:
        """The gradients there are."""
        return {name: grad for name, grad in self.store.grads.items() if grad is not None}


def draw(graph: Graph, seed: int, dtype: DType = "float64") -> dict[str, Array]:
    """Data for a graph: floats around 0, integers 0 to 3."""
    rng = np.random.default_rng(seed)
    specs = {name: graph.specs[value] for name, value in graph.inputs.items()}
    return {
        name: rng.integers(0, 4, spec.shape) if spec.kind == "int" else rng.normal(0, 1, spec.shape).astype(dtype)
        for name, spec in specs.items()
    }
