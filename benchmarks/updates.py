"""Workloads that are an optimizer alone: its update of the parameters of a network, gradients given."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from benchmarks.answers import digest
from benchmarks.forms import COMPILE, EAGER, FOREACH, FUSED
from benchmarks.frame import NUMBA, OURS, OWN, Figure
from benchmarks.workers import Running, Served

if TYPE_CHECKING:
    import torch

Array = np.ndarray[Any, Any]

SHAPES: Final = ((2048, 784), (2048,), (2048, 2048), (2048,), (2048, 2048), (2048,))
"""The layers of an MLP 784-2048-2048-2048: 10,000,384 parameters."""

CHECKED: Final = 3
"""Updates after which the parameters are compared."""


@dataclass(frozen=True, kw_only=True)
class Updates(Served):
    """An optimizer by its name and arguments. `fused` says whether PyTorch has it in that form."""

    optimizer: str
    arguments: Mapping[str, Any] = field(default_factory=dict)
    fused: bool = False
    closure: bool = False
    """Whether it asks for losses and gradients itself, as LBFGS does; PyTorch has it in one form only."""

    @property
    def sides(self) -> Sequence[str]:
        """declnet without Numba and with it, and PyTorch in the forms that there are."""
        forms = [EAGER] if self.closure else [EAGER, FOREACH, *([FUSED] if self.fused else []), COMPILE]
        return [OURS, *forms, *([] if self.closure else [NUMBA])]

    @contextmanager
    def running(self, side: str) -> Iterator[Running]:
        """One call is one update; new gradients are there before it, since an optimizer may write over them."""
        rng = np.random.default_rng(0)
        start = [rng.standard_normal(shape, np.float32) / 10 for shape in SHAPES]
        given = [rng.standard_normal(shape, np.float32) for shape in SHAPES]
        if side in OWN:
            with np.errstate(all="ignore"):
                yield _declnet(self, start, given)
        else:
            yield _pytorch(self, start, given, side)

    def answer(self, start: Sequence[Array], params: Sequence[Array]) -> list[Figure]:
        """What has to be the same on all sides: how the parameters have changed."""
        pairs = zip(start, params, strict=True)
        return digest({f"change of parameter {n}": param - before for n, (before, param) in enumerate(pairs)})

    def checked(self, prepare: Callable[[], None], once: Callable[[], object]) -> None:
        """The first updates."""
        for _ in range(1 if self.closure else CHECKED):
            prepare()
            once()


class _Given:
    """A batch whose loss and gradients cost next to nothing: of half the sum of curvature * param², where there
    is a curvature, else those that are there already.
    """

    def __init__(self, param: Array, grad: Array, curvature: Array | None) -> None:
        self.param, self.grad, self.curvature = param, grad, curvature

    def run(self) -> float:
        if self.curvature is None:
            return 0.0
        np.multiply(self.curvature, self.param, out=self.grad)
        return 0.5 * float(np.dot(self.grad, self.param))


def _declnet(workload: Updates, start: Sequence[Array], given: Sequence[Array]) -> Running:
    """The optimizer over the store of a network."""
    from declnet.core.component import Parameter
    from declnet.core.laws import Constant
    from declnet.core.registry import optimizers
    from declnet.plan.store import Store
    from declnet.runner.model import Optimization

    settings = optimizers[workload.optimizer](**workload.arguments)
    names = [str(number) for number in range(len(SHAPES))]
    parameters = {name: Parameter(shape, Constant(0)) for name, shape in zip(names, SHAPES, strict=True)}
    store = Store(parameters, {}, [names], "float32")
    vectors = [np.zeros_like(store.vector) for _ in range(2)]
    for vector, arrays in zip(vectors, (start, given), strict=True):
        for view, values in zip(store.trained(vector).values(), arrays, strict=True):
            view[...] = values
    first, slopes = vectors
    curvature = np.abs(slopes) + 1 if workload.closure else None
    batch = _Given(store.vector, store.gradient, curvature)
    np.copyto(store.vector, first)
    optimization = Optimization([settings], store)

    def prepare() -> None:
        nonlocal optimization
        if workload.closure:
            np.copyto(store.vector, first)
            optimization = Optimization([settings], store)
        else:
            np.copyto(store.gradient, slopes)

    def once() -> None:
        optimization.step(batch)

    workload.checked(prepare, once)
    state = sum(array.nbytes for array in optimization.state_dict().values())
    # Parameters and state are read and written, gradients read. How often a closure reads them is not so plain.
    traffic = {} if workload.closure else {"bytes": float(3 * store.vector.nbytes + 2 * state)}
    return Running(once, workload.answer(start, list(store.params.values())), prepare, traffic)


def _pytorch(workload: Updates, start: Sequence[Array], given: Sequence[Array], side: str) -> Running:
    """The optimizer over the parameters of a network, with gradients as backward leaves them."""
    import torch

    params = [torch.nn.Parameter(torch.tensor(array)) for array in start]
    first, slopes = ([torch.tensor(array) for array in arrays] for arrays in (start, given))
    curvature = [slope.abs() + 1 for slope in slopes]
    for param, slope in zip(params, slopes, strict=True):
        param.grad = slope.clone()
    forms: dict[str, dict[str, Any]] = {FOREACH: {"foreach": True}, FUSED: {"fused": True}}

    def new() -> torch.optim.Optimizer:
        kind: type[torch.optim.Optimizer] = getattr(torch.optim, workload.optimizer)
        return kind(params, **workload.arguments, **forms.get(side, {}))

    optimizer = new()

    @torch.no_grad()  # the gradients are known: nothing is to be recorded
    def closure() -> torch.Tensor:
        loss = torch.zeros(())
        for param, curve in zip(params, curvature, strict=True):
            assert param.grad is not None
            torch.mul(curve, param, out=param.grad)
            loss += 0.5 * torch.dot(param.grad.view(-1), param.view(-1))
        return loss

    @torch.no_grad()
    def prepare() -> None:
        nonlocal optimizer
        if workload.closure:
            for param, values in zip(params, first, strict=True):
                param.copy_(values)
            optimizer = new()
            return
        for param, slope in zip(params, slopes, strict=True):
            assert param.grad is not None
            param.grad.copy_(slope)

    compiled = torch.compile(optimizer.step) if side == COMPILE else optimizer.step

    def once() -> None:
        if workload.closure:
            optimizer.step(closure)
        else:
            compiled()

    workload.checked(prepare, once)
    return Running(once, workload.answer(start, [param.detach().numpy() for param in params]), prepare)
