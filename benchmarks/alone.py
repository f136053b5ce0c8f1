"""Workloads that are one component alone: forward, and backward from a given upstream gradient.

The arguments of a component are PyTorch's, so one entry says what both sides do.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple

import numpy as np

from benchmarks.answers import digest, masked
from benchmarks.forms import CHANNELS_LAST, COMPILE, EAGER, FORMS, Form
from benchmarks.frame import OURS, Figure
from benchmarks.workers import Running, Served

if TYPE_CHECKING:
    from torch import Tensor

    from declnet.core.component import Module, Site

Array = np.ndarray[Any, Any]

IMAGES: Final = 4
"""Dimensions of what PyTorch can lay out with the channels last."""


Law = Literal["normal", "target", "probability", "log_probability", "distribution", "class", "sign", "bit"]
"""What the numbers of an input are."""

TARGETS: Final[frozenset[Law]] = frozenset({"target", "distribution", "class", "sign", "bit"})
"""Laws of inputs whose gradient nobody wants."""


class Drawn(NamedTuple):
    """An input: what its numbers are, and its shape."""

    law: Law
    shape: tuple[int, ...]

    @property
    def differentiated(self) -> bool:
        """Whether its gradient is wanted."""
        return self.law not in TARGETS


def draw(item: Drawn, rng: np.random.Generator) -> Array:
    """The numbers of an input."""
    match item.law:
        case "normal" | "target":
            return rng.standard_normal(item.shape, np.float32)
        case "probability":
            return rng.uniform(0.01, 0.99, item.shape).astype(np.float32)
        case "log_probability" | "distribution":
            scores = rng.standard_normal(item.shape, np.float32)
            scores -= np.log(np.exp(scores).sum(-1, keepdims=True))
            return scores if item.law == "log_probability" else np.exp(scores)
        case "class":
            return rng.integers(CLASSES, size=item.shape)
        case "sign":
            return rng.choice(np.array([-1, 1], np.float32), item.shape)
        case "bit":
            return rng.integers(2, size=item.shape).astype(np.float32)


CLASSES: Final = 128
"""Of the losses that tell classes apart, and numbers in a row of what works on rows."""


@dataclass(frozen=True, kw_only=True)
class Alone(Served):
    """A component by its name and arguments, and what its inputs are."""

    component: str
    arguments: Mapping[str, Any] = field(default_factory=dict)
    inputs: Sequence[Drawn]
    masks: int = 0
    """How many draws a component makes that draws at random; 0 of one that does not."""

    @property
    def sides(self) -> Sequence[str]:
        """declnet, PyTorch eager and compiled, and with the channels last where there are images."""
        images = any(len(item.shape) == IMAGES for item in self.inputs)
        return [OURS, EAGER, *([CHANNELS_LAST] if images else []), COMPILE]

    @contextmanager
    def running(self, side: str) -> Iterator[Running]:
        """One call is forward and backward."""
        rng = np.random.default_rng(0)
        arrays = [draw(item, rng) for item in self.inputs]
        if side == OURS:
            with _declnet(self, arrays, rng) as running:
                yield running
        else:
            yield _pytorch(self, arrays, rng, FORMS[side])

    def upstream(self, rng: np.random.Generator) -> Array:
        """The gradient that backward starts from: 1 for a loss, else anything but 0, by which masks are told."""
        if self.component.endswith("Loss"):
            return np.ones((), np.float32)
        return rng.uniform(0.5, 1.5, self.inputs[0].shape).astype(np.float32)

    def answer(self, input: Array, upstream: Array, output: Array, gradients: Mapping[str, Array]) -> list[Figure]:
        """What has to be the same on all sides."""
        if self.masks:
            (gradient,) = gradients.values()
            return masked(input, output, upstream, gradient, p=self.arguments["p"], masks=self.masks)
        return digest({"output": output, **gradients})


def first_values(shapes: Mapping[str, tuple[int, ...]], rng: np.random.Generator) -> dict[str, Array]:
    """Weights and biases, the same for the same shapes in the same order."""
    return {name: rng.uniform(0.5, 1.5, shape).astype(np.float32) for name, shape in shapes.items()}


@contextmanager
def _declnet(workload: Alone, arrays: Sequence[Array], rng: np.random.Generator) -> Iterator[Running]:
    """The component bound to arrays that are aligned as a plan's are."""
    from declnet.core.registry import losses, modules
    from declnet.core.spec import Spec
    from declnet.core.threads import threads_for

    kind = losses.get(workload.component) or modules[workload.component]
    module: Module = kind(**workload.arguments)  # type: ignore[assignment] # no wrapper is measured
    specs = [Spec(array.shape, "int" if array.dtype.kind == "i" else "float") for array in arrays]
    output = module.infer(*specs)
    module = module.complete(*specs)
    upstream = workload.upstream(rng)
    site = _site(module, specs, output, [item.differentiated for item in workload.inputs])
    for own, array in zip((*site.inputs, site.upstream), (*arrays, upstream), strict=True):
        own[...] = array
    for name, values in first_values({name: own.shape for name, own in site.params.items()}, rng).items():
        site.params[name][...] = values
    step = module.bind(site)
    forward, backward = step.forward, step.backward
    assert backward is not None

    def once() -> None:
        forward()
        backward()

    with np.errstate(all="ignore"), threads_for(module.product(*specs)):
        once()
        gradients = {f"gradient {i}": own for i, own in enumerate(site.grad_inputs) if own is not None}
        gradients |= {f"gradient of {name}": own for name, own in site.grads.items() if own is not None}
        answer = workload.answer(arrays[0], upstream, site.output, gradients)
        yield Running(once, answer, facts={"bytes": _traffic(module, site)})


def _site(module: Module, specs: Sequence[Any], output: Any, wanted: Sequence[bool]) -> Site:
    """Arrays of its own for everything: nothing lies over anything else, as in PyTorch."""
    from declnet.core.component import Site
    from declnet.core.spec import Spec, numpy_dtype
    from declnet.plan.store import aligned

    def room(spec: Spec) -> Array:
        dtype = numpy_dtype(spec.kind, "float32")
        return aligned(spec.size * dtype.itemsize).view(dtype).reshape(spec.shape)

    params = {name: room(Spec(item.shape)) for name, item in module.parameters(*specs).items()}
    buffers = {name: (room(Spec(item.shape, item.kind)), item) for name, item in module.buffers(*specs).items()}
    for array, item in buffers.values():
        array[...] = item.value
    scratch = module.scratch(*specs, training=True)
    return Site(
        inputs=tuple(map(room, specs)),
        output=room(output),
        params=params,
        buffers={name: array for name, (array, _) in buffers.items()},
        scratch={name: room(Spec(item.shape, item.kind)) for name, item in scratch.items()},
        training=True,
        rng=np.random.default_rng(0),
        grad_output=room(output),
        grad_inputs=tuple(room(spec) if want else None for spec, want in zip(specs, wanted, strict=True)),
        grads={name: room(Spec(array.shape)) for name, array in params.items()},
    )


def _traffic(module: Module, site: Site) -> float:
    """The least bytes that forward and backward read and write: forward its inputs and its output, backward what
    it `saves`, the upstream gradient, and the gradients that it makes.
    """
    from declnet.core.component import arity

    by_name = {**dict(zip(arity(type(module)).names, site.inputs, strict=False)), "output": site.output}
    saved = [by_name[name] for name in module.saves]
    made = [array for array in (*site.grad_inputs, *site.grads.values()) if array is not None]
    arrays = [*site.inputs, site.output, *saved, site.upstream, *made]
    return float(sum(array.nbytes for array in arrays))


def _pytorch(workload: Alone, arrays: Sequence[Array], rng: np.random.Generator, form: Form) -> Running:
    """The module as its users call it; gradients are let go of before each step, as `zero_grad` does."""
    import torch
    from torch import nn

    module: nn.Module = getattr(nn, workload.component)(**workload.arguments)
    tensors = [_tensor(array, form) for array in arrays]
    leaves = [tensor for tensor, item in zip(tensors, workload.inputs, strict=True) if item.differentiated]
    for leaf in leaves:
        leaf.requires_grad_()
    upstream = workload.upstream(rng)
    params = dict(module.named_parameters())
    with torch.no_grad():
        for name, values in first_values({name: tuple(own.shape) for name, own in params.items()}, rng).items():
            params[name].copy_(torch.from_numpy(values))
    gradient = _tensor(upstream, form)
    call: Callable[..., Tensor] = torch.compile(module) if form.compile else module
    written = [*leaves, *params.values()]

    def once() -> Tensor:
        for tensor in written:
            tensor.grad = None
        output = call(*tensors)
        output.backward(gradient)  # type: ignore[no-untyped-call]
        return output

    output = once().detach().numpy()
    numbers = [number for number, item in enumerate(workload.inputs) if item.differentiated]
    gradients = {f"gradient {i}": _array(leaf) for i, leaf in zip(numbers, leaves, strict=True)}
    gradients |= {f"gradient of {name}": _array(own) for name, own in params.items()}
    return Running(once, workload.answer(arrays[0], upstream, output, gradients))


def _tensor(array: Array, form: Form) -> Tensor:
    import torch

    tensor = torch.tensor(array)
    if form.channels_last and tensor.ndim == IMAGES:
        return tensor.contiguous(memory_format=torch.channels_last)
    return tensor


def _array(tensor: Tensor) -> Array:
    assert tensor.grad is not None
    found: Array = tensor.grad.numpy()
    return found


def sizes(count: int) -> dict[str, tuple[int, ...]]:
    """The shapes in which components are given so many numbers, by the name that the table of workloads uses."""
    places = count >> 12  # of 64 samples with 64 channels
    depth = 1 << (places.bit_length() - 1) // 3
    side, slice_side = math.isqrt(places), math.isqrt(places // depth)
    return {
        "vector": (count,),
        "rows": (count // CLASSES, CLASSES),
        "features": (count // 64, 64),
        "signals": (64, 64, places),
        "images": (64, 64, side, side),
        "volumes": (64, 64, depth, slice_side, slice_side),
    }
