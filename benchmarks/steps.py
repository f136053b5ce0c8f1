"""Workloads that are training steps of a network: forward, loss, backward, optimizer."""

from __future__ import annotations

import math
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import cycle
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from benchmarks.forms import CHANNELS_LAST, COMPILE, EAGER, FOREACH, FORMS, FUSED, Form
from benchmarks.frame import NUMBA, OURS, OWN, Figure
from benchmarks.networks.data import DATA
from benchmarks.workers import Running, Served

if TYPE_CHECKING:
    from declnet.plan.graph import Graph

Array = np.ndarray[Any, Any]
Step = Callable[[], float]
"""One training step on the next batch; the loss."""

Settings = Mapping[str, float]
"""What is varied of a network: the `vars` of its config, and the arguments of its twin."""

FOLDER: Final = Path(__file__).parent / "networks"

BATCHES: Final = 4
"""Batches that are trained on, again and again."""

CHECKED: Final = 5
"""Steps whose losses are compared: in later ones rounding has grown too much."""

SAME_LOSS: Final = 1e-4
"""Relative difference of two losses that float32 explains: sums in another order, step after step."""


@dataclass(frozen=True, kw_only=True)
class Steps(Served):
    """A network, in declnet by the config `networks/NAME.yaml` and in PyTorch by its twin."""

    network: str
    batch: int
    images: bool = False
    """Whether PyTorch may lay them out with the channels last."""
    settings: Settings = field(default_factory=dict)
    compared: Settings = field(default_factory=dict)
    """Other settings under which the losses are compared: dropout draws other masks on each side, so without it."""

    numba: bool = False
    """Whether it has so many parameters that the optimizer is worth a compiled loop."""
    forms: Sequence[str] = ()
    """Those of PyTorch, where not all take part."""

    @property
    def sides(self) -> Sequence[str]:
        """declnet, and PyTorch in its forms."""
        if self.forms:
            return [OURS, *self.forms]
        forms = [EAGER, FOREACH, FUSED, *([CHANNELS_LAST] if self.images else []), COMPILE]
        return [OURS, *forms, *([NUMBA] if self.numba else [])]

    @contextmanager
    def running(self, side: str) -> Iterator[Running]:
        """One call is one step. Both sides start from the same weights."""
        columns = DATA[self.network](self.batch * BATCHES)
        starts = range(0, self.batch * BATCHES, self.batch)
        batches = [[rows[start : start + self.batch] for rows in columns.values()] for start in starts]
        with tempfile.TemporaryDirectory() as folder:
            np.savez(Path(folder) / "batches.npz", **dict(columns))

            @contextmanager
            def network(settings: Settings) -> Iterator[tuple[Step, Mapping[str, float]]]:
                if side in OWN:
                    with _declnet(self, settings, Path(folder), batches) as both:
                        yield both
                else:
                    yield _pytorch(self, settings, FORMS[side], batches), {}

            with network({**self.settings, **self.compared}) as (step, _):
                answer = self.answer(step)
            with network(self.settings) as (step, facts):
                yield Running(step, answer, facts=facts)

    def answer(self, step: Step) -> list[Figure]:
        """The losses of the first steps."""
        losses = [step() for _ in range(CHECKED)]
        return [Figure(f"loss of step {n}", loss, SAME_LOSS * abs(loss)) for n, loss in enumerate(losses, 1)]


def initial(shapes: Mapping[str, tuple[int, ...]]) -> dict[str, Array]:
    """First weights, the same for the same shapes in the same order; a normalization's weights are 1."""
    rng = np.random.default_rng(0)
    values = {}
    for name, shape in shapes.items():
        bound = 1 / math.sqrt(math.prod(shape[1:] or shape))
        norm = len(shape) == 1 and name.endswith("weight")
        values[name] = np.ones(shape, "f4") if norm else rng.uniform(-bound, bound, shape).astype("f4")
    return values


@contextmanager
def _declnet(
    workload: Steps, settings: Settings, folder: Path, batches: Sequence[Sequence[Array]]
) -> Iterator[tuple[Step, Mapping[str, float]]]:
    """The step of `declnet train`: its plan, its optimizer and its rule for threads, on batches copied in."""
    from declnet.core.threads import threads_for
    from declnet.runner.experiment import load
    from declnet.runner.model import Model, Optimization

    changed = {"vars.folder": folder, "loop.batch_size": workload.batch}
    changed |= {f"vars.{name}": value for name, value in settings.items()}
    experiment = load(FOLDER / f"{workload.network}.yaml", [f"{key}={value}" for key, value in changed.items()])
    model = Model(experiment, [(True, workload.batch)], np.random.default_rng(0))
    params = model.store.params
    for name, values in initial({name: param.shape for name, param in params.items()}).items():
        params[name][...] = values
    for name, buffer in experiment.graph(workload.batch).buffers.items():
        model.store.buffers[name][...] = buffer.value
    optimization = Optimization([settings for settings, _ in model.groups], model.store)
    plan = model.plans[True, workload.batch]
    buffers = list(plan.inputs.values())
    endless = cycle(batches)

    def step() -> float:
        for buffer, rows in zip(buffers, next(endless), strict=True):
            np.copyto(buffer, rows)
        return optimization.step(plan)

    with np.errstate(all="ignore"), threads_for(model.largest):
        yield step, {"operations": float(operations(experiment.graph(workload.batch)))}


def operations(graph: Graph) -> int:
    """Floating-point operations of a step, a multiply-add counted as two: of each call those of its forward pass,
    as many again for the gradient of its input where somebody wants it, and for that of its weights.
    """
    from declnet.core.wrapper import join

    trained = set(graph.trained())
    reached: set[int] = set()
    total = 0
    for call in graph.needed(training=True):
        own = trained.intersection(join(call.owner, name) for name in graph.parameters_of(call))
        inputs = reached.intersection(call.inputs)
        total += graph.flops(call) * (1 + bool(own) + bool(inputs))
        if own or inputs:
            reached.add(call.output)
    return total


def _pytorch(workload: Steps, settings: Settings, form: Form, batches: Sequence[Sequence[Array]]) -> Step:
    """The loop body of a PyTorch tutorial; the batches are tensors already."""
    import torch

    from benchmarks.networks.twins import TWINS

    network, criterion, optimizer_of = TWINS[workload.network](**settings)
    params = dict(network.named_parameters())
    with torch.no_grad():
        for name, values in initial({name: tuple(param.shape) for name, param in params.items()}).items():
            params[name].copy_(torch.from_numpy(values))
    tensors = [[torch.from_numpy(rows) for rows in batch] for batch in batches]
    if form.channels_last:
        network = network.to(memory_format=torch.channels_last)  # type: ignore[call-overload] # has no stub
        tensors = [[batch[0].contiguous(memory_format=torch.channels_last), *batch[1:]] for batch in tensors]
    optimizer = optimizer_of(network.parameters(), **form.optimizer)
    model = torch.compile(network) if form.compile else network
    inputs = 3 if workload.network == "siamese" else len(batches[0]) - 1
    endless = cycle(tensors)

    def step() -> float:
        batch = next(endless)
        optimizer.zero_grad()
        outputs = model(*batch[:inputs])
        loss = criterion(*(outputs if isinstance(outputs, tuple) else (outputs,)), *batch[inputs:])
        loss.backward()
        optimizer.step()
        return float(loss.item())

    return step
