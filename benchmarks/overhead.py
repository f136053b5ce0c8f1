"""What a step of a plan costs beside NumPy: the plan against the calls of NumPy that it makes, and nothing else."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import BuiltinFunctionType, FunctionType
from typing import Any, Final

import numpy as np

from benchmarks.frame import OURS, Figure
from benchmarks.networks.data import DATA
from benchmarks.steps import FOLDER
from benchmarks.workers import Running, Served

ALONE: Final = "NumPy's calls alone"
NODES: Final = "nodes"

Call = tuple[Callable[..., object], tuple[object, ...], dict[str, object]]
"""A function of NumPy, and what it was given."""


@dataclass(frozen=True, kw_only=True)
class Overhead(Served):
    """A plan of many nodes that do next to nothing, and the same calls in straight lines of code."""

    network: str
    batch: int

    @property
    def sides(self) -> Sequence[str]:
        """The plan, and its calls."""
        return [OURS, ALONE]

    @contextmanager
    def running(self, side: str) -> Iterator[Running]:
        """One call is forward and backward."""
        from declnet.core.threads import threads_for
        from declnet.runner.experiment import load
        from declnet.runner.model import Model

        columns = DATA[self.network](self.batch)
        with tempfile.TemporaryDirectory() as folder, np.errstate(all="ignore"), threads_for(0):
            np.savez(Path(folder) / "batches.npz", **dict(columns))
            changed = [f"vars.folder={folder}", f"loop.batch_size={self.batch}"]
            experiment = load(FOLDER / f"{self.network}.yaml", changed)
            calls: list[Call] = []

            def model() -> Model:
                made = Model(experiment, [(True, self.batch)], np.random.default_rng(0))
                made.store.initialize(np.random.default_rng(0))
                for name, buffer in made.plans[True, self.batch].inputs.items():
                    np.copyto(buffer, columns[name])
                return made

            with _recorded(calls):
                recording = model().plans[True, self.batch]
                calls.clear()
                loss = recording.run()
            answer = [Figure("loss", loss, 0.0)]
            nodes = float(len(experiment.graph(self.batch).calls))
            if side == ALONE:
                yield Running(straight(calls), answer, facts={"calls of NumPy": float(len(calls))})
            else:
                plan = model().plans[True, self.batch]
                answer = [Figure("loss", plan.run(), 0.0)]
                yield Running(plan.run, answer, facts={NODES: nodes})


def straight(calls: Sequence[Call]) -> Callable[[], None]:
    """A function that makes these calls, a line for each: the least that Python can do."""
    names: dict[str, object] = {}
    lines = []
    for number, (function, given, keywords) in enumerate(calls):
        names[f"f{number}"] = function
        words = []
        for place, value in enumerate(given):
            names[f"a{number}_{place}"] = value
            words.append(f"a{number}_{place}")
        for key, value in keywords.items():
            names[f"k{number}_{key}"] = value
            words.append(f"{key}=k{number}_{key}")
        lines.append(f"    f{number}({', '.join(words)})")
    # Arguments with a default are local variables, the quickest that Python has.
    source = "\n".join([f"def run({', '.join(f'{name}={name}' for name in names)}):", *lines])
    exec(source, names)  # noqa: S102 - the text is made above, of numbers and names of arguments
    made: Any = names["run"]
    run: Callable[[], None] = made
    return run


class _Recorder:
    """Stands for a function of NumPy, and notes its calls; its attributes (`np.add.reduce`) are recorders too."""

    def __init__(self, function: Any, calls: list[Call]) -> None:
        self._function, self._calls = function, calls

    def __call__(self, *given: object, **keywords: object) -> object:
        self._calls.append((self._function, given, keywords))
        return self._function(*given, **keywords)

    def __getattr__(self, name: str) -> object:
        found = getattr(self._function, name)
        return _Recorder(found, self._calls) if callable(found) else found


@contextmanager
def _recorded(calls: list[Call]) -> Iterator[None]:
    """Within the block, and by whatever is bound in it, the functions of NumPy note their calls."""
    kinds = (np.ufunc, FunctionType, BuiltinFunctionType, type(np.sum))
    own = {name: value for name, value in vars(np).items() if isinstance(value, kinds) and not name.startswith("_")}
    for name, value in own.items():
        setattr(np, name, _Recorder(value, calls))
    try:
        yield
    finally:
        for name, value in own.items():
            setattr(np, name, value)
