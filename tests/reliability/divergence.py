"""Divergence: a number that is not finite ends the run where it arises, and is in nothing that is kept."""

from __future__ import annotations

import contextlib
import json
import re
import shutil
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import pytest

from declnet.core.registry import losses, modules
from declnet.errors import DeclnetError
from reliability.children import Children, Ended
from reliability.nonfinite_networks import ASTRAY, CULPRIT, KINDS, LOSSES, PASSAGES, Kind, network, write_data
from reliability.promise import Outcome, Promise, Scale
from runner.runs import OPTIMIZERS, continued, same, started

QUICK: Final = 23
"""The test suite runs one case in so many."""

LOOPS: Final = {
    "plain": "batch_size: 4",
    "clip_norm": "batch_size: 4, clip_norm: 1",
    "clip_value": "batch_size: 4, clip_value: 1",
    "ema": "batch_size: 4, ema: 0.9",
    "accumulate": "batch_size: 2, accumulate: 2",
}
SKIP: Final = ", on_nonfinite: skip"
HINT: Final = "a lower optimizer.lr usually helps"
PARAMETERS: Final = (
    rf"the (parameters are not finite|loss is (inf|-inf|nan)); it begins in {CULPRIT}.weight \(Linear\)"
)
"""LBFGS meets the loss of them within its step."""
SAID: Final[Mapping[Kind, str]] = {
    "output": rf"epoch 1, step 2: the loss is (inf|-inf|nan); it begins in the output of {CULPRIT} \(Linear\)",
    "targets": r"epoch 1, step 2: the loss is (inf|nan); it begins in the output of loss\[0\] \(\w+Loss\)",
    "gradient": "epoch 1, step 2: the gradient is not finite; "
    rf"it begins in the gradient of {CULPRIT}.weight \(Linear\)",
    "parameters": f"epoch 1, step 1: {PARAMETERS}",
    "parameters later": f"epoch 2, step 1: {PARAMETERS}; r/checkpoints/last.npz holds epoch 1",
}
"""Regular expressions of what is to be said."""


@dataclass(frozen=True)
class Case:
    """A config, and what goes wrong in it."""

    name: str
    text: str
    kind: Kind

    @property
    def message(self) -> str:
        """A regular expression of all that is to be said: of the culprit, or of the loss."""
        lines = self.text.splitlines()
        start = "loss: [" if self.kind == "targets" else f"  - {{type: Linear, name: {CULPRIT}"
        index = next(index for index, line in enumerate(lines) if line.startswith(start))
        key, column = (
            ("loss[0]", 8) if self.kind == "targets" else (f"model[{index - lines.index('model:') - 1}]", 5)
        )
        place = re.escape(f"c.yaml:{index + 1}:{column}: error: {key}: ")
        shown = re.escape(f"    {lines[index]}\n{' ' * (column + 3)}^\n")
        return f"{place}{SAID[self.kind]}; {HINT}\n{shown}"


def through_components(*kinds: Kind, loop: str = LOOPS["plain"]) -> Iterator[Case]:
    """Each component before the culprit and behind it."""
    for kind in kinds:
        for name in PASSAGES:
            yield Case(f"{name} before, {kind}", network(kind, before=name, loop=loop), kind)
            if name != "Embedding":  # takes no numbers that are computed
                yield Case(f"{name} behind, {kind}", network(kind, behind=name, loop=loop), kind)


def through_losses() -> Iterator[Case]:
    """Each loss, with a culprit before it and with targets that lead it astray."""
    for loss in LOSSES:
        for kind in KINDS:
            if kind != "targets" or loss in ASTRAY:
                yield Case(f"{loss}, {kind}", network(kind, loss=loss), kind)


def through_loops() -> Iterator[Case]:
    """Each optimizer, with each setting of the loop that has to do with gradients or parameters."""
    for optimizer in OPTIMIZERS:
        for name, loop in LOOPS.items():
            for kind in KINDS:
                text = network(kind, optimizer=optimizer, loop=loop)
                yield Case(f"{optimizer}, {name}, {kind}", text, kind)
        text = network("parameters", optimizer=optimizer, loop=LOOPS["plain"] + SKIP)
        yield Case(f"{optimizer}, skip, parameters", text, "parameters")


def chosen(cases: Iterator[Case], scale: Scale) -> list[Case]:
    return list(cases) if scale == "whole" else list(cases)[::QUICK]


def results(cases: Sequence[Case]) -> Iterator[tuple[Case, Path, Ended, Callable[..., Ended]]]:
    """Each case, the folder that it ran in, how it ended, and what runs another command there."""
    with tempfile.TemporaryDirectory() as parent, Children(loaded=True) as children:
        folder = Path(parent, "folder")

        def run(*arguments: str) -> Ended:
            return children.declnet(folder, *arguments)

        for case in cases:
            folder.mkdir()
            write_data(folder, case.kind)
            (folder / "c.yaml").write_text(case.text, "utf-8")
            yield case, folder, run("train", "c.yaml", "--run-dir", "r", "-q"), run
            shutil.rmtree(folder)


def not_finite(run: Path) -> list[str]:
    """What of the checkpoints is not finite."""
    found = []
    for path in sorted((run / "checkpoints").iterdir()):
        with np.load(path, allow_pickle=False) as saved:
            floats = [name for name in saved.files if saved[name].dtype.kind == "f"]
            found += [f"{path.name}: {name}" for name in floats if not np.isfinite(saved[name]).all()]
    return found


def not_listed() -> list[str]:
    """Components that no case has."""
    return sorted((modules.own() - PASSAGES.keys()) | (losses.own() - LOSSES.keys()))


def named(scale: Scale) -> Outcome:
    """What is said, and what is left; where an epoch was done, that its checkpoint is of use."""
    cases = [
        *chosen(through_components("output", "gradient", "parameters"), scale),
        *chosen(through_losses(), scale),
        *chosen(through_loops(), scale),
    ]
    failures = [f"{name}: in no case" for name in not_listed()]
    kept = 0
    for case, folder, ended, run in results(cases):
        right = ended.rc == 4 and re.fullmatch(case.message, ended.stderr) and not ended.stdout
        wrong = [] if right else [f"{ended.rc}: {ended.stderr}"]
        wrong += not_finite(folder / "r")
        files = [path.name for path in sorted((folder / "r" / "checkpoints").iterdir())]
        later = case.kind == "parameters later"
        wrong += [] if files == ["best.npz", "last.npz"] * later else [f"kept: {files}"]
        for name in (Path(file).stem for file in files):
            again = run("evaluate", "r", "--split", "all", "--checkpoint", name)
            kept += 1
            wrong += [] if again.rc == 0 else [f"{name}: {again.stderr}"]
        failures += [f"{case.name}: {wrong[0]}"] if wrong else []
    counts = Counter(case.kind for case in cases)
    begins = ", ".join(f"{kind} {count:,}" for kind, count in counts.items())
    figures = f"where it begins: {begins}; {len(PASSAGES)} components, {len(LOSSES)} losses, {len(OPTIMIZERS)} "
    return Outcome(len(cases), failures, f"{figures}optimizers; {kept:,} kept checkpoints evaluated")


def runaway(factor: float, steps: int, every: int) -> tuple[str, str]:
    """A config whose one weight grows by a factor in each step, and what is to be said: loss, whose squares are
    added up before they are divided, is too much at a step that single precision knows.
    """
    lr, rows = (1 + factor) / 2, 8 // steps
    config = f"""\
name: net
data: {{source: {{type: NPZ, path: data.npz}}, inputs: x, targets: y, split: {{val: 0, test: 0}}}}
model:
  - {{type: Linear, out_features: 1, bias: false, init: {{weight: {{type: constant_, val: 1}}}}}}
loss: MSELoss
optimizer: {{type: SGD, lr: {lr}}}
loop: {{epochs: 1000, batch_size: {rows}, checkpoint_every: {every}}}
"""
    weight, done = np.float32(1), 0
    with np.errstate(over="ignore"):
        while np.isfinite(weight * weight * np.float32(rows)):
            weight -= np.float32(lr) * 2 * weight
            done += 1
    epoch, step = divmod(done, steps)
    kept = f"; r/checkpoints/last.npz holds epoch {epoch // every * every}" if epoch >= every else ""
    at = f"epoch {epoch + 1}, step {step + 1}"
    said = f"{at}: the loss is inf; it begins in the output of loss (MSELoss){kept}; {HINT}"
    return config, f"c.yaml:5:7: error: loss: {said}\n    loss: MSELoss\n          ^\n"


def grown(scale: Scale) -> Outcome:
    """Weights that grow until the loss is too much, through epochs and checkpoints."""
    failures = []
    table = [(f, s, e) for f in (1e4, 1e3, 300.0, 30.0, 7.0) for s in (1, 2, 4, 8) for e in (1, 2, 3)]
    table = table if scale == "whole" else table[::QUICK]
    epochs: list[int] = []
    with tempfile.TemporaryDirectory() as name, Children(loaded=True) as children:
        folder = Path(name)
        np.savez(folder / "data.npz", x=np.ones((8, 1), "f4"), y=np.zeros((8, 1), "f4"))
        for factor, steps, every in table:
            text, said = runaway(factor, steps, every)
            (folder / "c.yaml").write_text(text, "utf-8")
            ended = children.declnet(folder, "train", "c.yaml", "--run-dir", "r", "-q")
            wrong = [] if (ended.rc, ended.stderr) == (4, said) else [f"{ended.rc}: {ended.stderr}"]
            wrong += not_finite(folder / "r")
            if "holds epoch" in said:
                epochs.append(int(said.partition("holds epoch ")[2].partition(";")[0]))
                again = children.declnet(folder, "evaluate", "r", "--split", "train", "--checkpoint", "last")
                wrong += [] if again.rc == 0 else [again.stderr]
            failures += [f"{factor} a step, {steps} an epoch: {wrong[0]}"] if wrong else []
            shutil.rmtree(folder / "r")
    kept = f"{len(epochs):,} with a checkpoint, of epoch {min(epochs)} to {max(epochs)}, each evaluated"
    return Outcome(len(table), failures, kept)


def skipped(scale: Scale) -> Outcome:
    """Steps left out with each component around the culprit: counted, and nothing of them is left."""
    loop = LOOPS["plain"] + SKIP
    cases = chosen(through_components("output", "gradient", loop=loop), scale)
    failures = []
    for case, folder, ended, _ in results(cases):
        if (ended.rc, ended.stderr) != (0, ""):
            failures.append(f"{case.name}: {ended.rc}: {ended.stderr}")
            continue
        records = [json.loads(line) for line in (folder / "r" / "metrics.jsonl").read_bytes().splitlines()]
        counts = [record["skipped"] for record in records]
        steps = json.loads((folder / "r" / "summary.json").read_bytes())["steps"]
        wrong = [] if (counts, steps) == ([1, 1, 1], 6) else [f"skipped {counts}, {steps} steps"]
        wrong += not_finite(folder / "r")
        failures += [f"{case.name}: {wrong[0]}"] if wrong else []
    return Outcome(len(cases), failures, f"{3 * len(cases):,} of {9 * len(cases):,} steps left out")


STOPS: Final = (1, 2), (1, 3), (2, 2), (3, 3)
"""Epochs and steps; the second step is the one left out."""


def gone_on(scale: Scale) -> Outcome:
    """Runs that leave steps out, stopped at, before and behind one, and gone on with."""
    table = [(o, name, kind) for o in OPTIMIZERS for name in LOOPS for kind in ("output", "gradient")]
    table = table if scale == "whole" else table[::QUICK]
    failures = []
    for optimizer, name, kind in table:
        with (
            tempfile.TemporaryDirectory() as folder,
            contextlib.chdir(folder),
            pytest.MonkeyPatch.context() as patch,
        ):
            patch.setattr("declnet.runner.training.REPORT_EVERY", -1)
            write_data(Path(), kind)
            loop = LOOPS[name] + SKIP
            text = network(kind, "BatchNorm1d", "Dropout", optimizer=optimizer, loop=loop)
            Path("c.yaml").write_text(text, "utf-8")
            started(to="whole")
            for stop in STOPS:
                to = f"at-{stop[0]}-{stop[1]}"
                try:
                    started(to=to, stop=stop)
                    continued(to=to)
                    same(to, "whole")
                except (AssertionError, DeclnetError) as error:
                    failures.append(f"{optimizer}, {name}, {kind}, {stop}: {error}")
    figures = f"{len(table)} runs, each stopped at {len(STOPS)} places"
    return Outcome(len(table) * len(STOPS), failures, figures)


PROMISES: Final = (
    Promise(
        "what diverges is named",
        "A loss, gradient or parameter that is not finite ends the run at its step with exit 4; the message names "
        "epoch, step, node and tensor, with file, line and column; no checkpoint holds such a number, and those "
        "that are kept can be evaluated",
        named,
    ),
    Promise(
        "the last good checkpoint is kept",
        "Where numbers grow from step to step, the run ends at the first step whose loss single precision cannot "
        "hold, the message names the checkpoint that is kept, and it can be evaluated",
        grown,
    ),
    Promise(
        "skipped steps are counted",
        "With `loop.on_nonfinite: skip` a step that is not finite is left out and counted in metrics.jsonl, and no "
        "checkpoint holds anything of it",
        skipped,
    ),
    Promise(
        "skipping goes on to the same bits",
        "A run that leaves steps out, stopped at any step and gone on with, leaves the same bits as one that never "
        "was",
        gone_on,
    ),
)
