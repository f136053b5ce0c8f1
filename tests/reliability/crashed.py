"""Runs that something happens to, and whether they go on to the same bits as the run that nothing happened to."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from app.tiny import prepare
from declnet.errors import CheckpointError
from declnet.runner import checkpoint
from reliability.children import Children, Ended
from reliability.disk import Disk, Folder
from runner.runs import same

CONFIG: Final = """\
name: tiny
seed: 3
data:
  source: {type: CSV, path: t.csv}
  inputs: {x: {columns: [a, b], transforms: [Standardize]}}
  targets: {y: {columns: c, dtype: int64}}
model:
  - {type: Linear, out_features: 3}
  - ReLU
  - {type: Dropout, p: 0.3}
  - {type: Linear, out_features: 2}
loss: CrossEntropyLoss
optimizer: {type: SGD, lr: 0.05, momentum: 0.9}
loop: {epochs: 3, batch_size: 8, checkpoint_every: 1}
"""
RUN: Final = Path("runs", "tiny-1")
STRAIGHT: Final = Path("was", "straight")
"""The run that nothing happens to; as deep, so that its config.yaml is the same."""

Log = list[Mapping[str, Any]]
"""What `calls.note` has written down."""


@dataclass(frozen=True)
class Scene:
    """A command, what there is in `runs` before it, and how the run is gone on with after what happened."""

    command: tuple[str, ...]
    begins: str
    resume: tuple[str, ...]


ON: Final = ("train", "--resume", str(RUN), "-q")
LONGER: Final = (*ON, "loop.epochs=3")
SCENES: Final[Mapping[str, Scene]] = {
    "a run begins": Scene(("train", "tiny.yaml", "-q"), "", ON),
    "a stopped run goes on": Scene(ON, "stopped", ON),
    "a run that is done is made longer": Scene(LONGER, "short", LONGER),
}


class Runs:
    """A folder in which runs are tried, one after another."""

    def __init__(self, folder: Path, children: Children) -> None:
        self.folder, self.children = folder, children
        self.last = folder / RUN / "checkpoints" / "last.npz"
        self.logs: dict[str, Log] = {}
        self.begun: dict[str, int] = {}
        self.ends: dict[tuple[object, ...], str] = {}
        prepare(folder)
        (folder / "tiny.yaml").write_text(CONFIG, encoding="utf-8")
        self._must(0, "train", "tiny.yaml", "--run-dir", STRAIGHT)
        log = self.noted("a run begins")
        self.known = checkpoints(folder, log)
        saved = next(index for index, entry in enumerate(log) if entry["name"] == "saved")
        at = called(log[saved:])[0]["number"]
        self.begin("")
        self._must(130, *SCENES["a run begins"].command, act={"act": "send", "at": at, "number": signal.SIGINT})
        self._keep("stopped")
        self._must(0, "train", "tiny.yaml", "loop.epochs=2", "-q")
        self._keep("short")
        for name in ("a stopped run goes on", "a run that is done is made longer"):
            self.noted(name)

    def _must(self, rc: int, *arguments: object, act: Mapping[str, object] | None = None) -> None:
        ended = self.children.disturbed(self.folder, *arguments, act=act or {})
        assert ended.rc == rc, ended

    def _keep(self, name: str) -> None:
        """Keep the runs that are there as a beginning."""
        (self.folder / "runs").rename(self.folder / "was" / name)

    def begin(self, what: str) -> None:
        """Have these runs there, and no others."""
        runs = self.folder / "runs"
        shutil.rmtree(runs, ignore_errors=True)
        if what:
            shutil.copytree(self.folder / "was" / what, runs)

    def noted(self, name: str) -> Log:
        """The calls of a scene where nothing happens."""
        scene = SCENES[name]
        self.begin(scene.begins)
        self.begun[name] = self.meta()["step"]
        file = self.folder.parent / "log"
        self._must(0, *scene.command, act={"act": "note", "log": str(file)})
        self.logs[name] = [json.loads(line) for line in file.read_text("utf-8").splitlines()]
        file.unlink()
        return self.logs[name]

    def tried(self, scene: Scene, act: Mapping[str, object], sent: Sequence[tuple[float, int]] = ()) -> Ended:
        """A scene in which something happens."""
        self.begin(scene.begins)
        return self.children.disturbed(self.folder, *scene.command, act=act, sent=sent)

    def promised(self, name: str, number: int) -> int:
        """The steps that a checkpoint must hold once so many calls of a scene are done."""
        least = self.begun[name]
        for entry in self.logs[name]:
            if entry.get("number", -1) >= number:
                break
            if entry["name"] == "saved":
                least = entry["step"]
        return least

    def meta(self) -> dict[str, Any]:
        """What the checkpoint that is there says, which is read as a whole, check sums and all."""
        return checkpoint.load(self.last)[1] if self.last.exists() else {"step": 0, "partial": {"step": 0}}

    def least(self) -> int:
        """The steps that a checkpoint must hold as metrics.jsonl has it: an epoch is two steps, and its line is
        written after the checkpoint of the epoch before.
        """
        file = self.folder / RUN / "metrics.jsonl"
        return 2 * max(0, file.read_bytes().count(b"\n") - 1) if file.exists() else 0

    def wrong(self, scene: Scene, least: int) -> str:
        """What is not as promised of the run that is there: its checkpoint, which holds at least so many steps, and
        the end to which it is gone on with. Nothing where all is.
        """
        run = self.folder / RUN
        try:
            meta = self.meta()
        except CheckpointError as error:
            return str(error)
        step = meta["step"]
        # one within an epoch tells of the seconds that it took so far
        if step and not meta["partial"]["step"] and self.last.read_bytes() != self.known[step]:
            return f"the checkpoint of step {step} has other bits"
        if step < least:
            return f"the checkpoint is of step {step}, and one of step {least} was written"
        state = (scene.resume, *sorted((name, timeless(run / name)) for name in names(run)))
        if state not in self.ends:
            self.ends[state] = self._end(scene, begun=(run / "config.yaml").exists())
        return self.ends[state]

    def _end(self, scene: Scene, *, begun: bool) -> str:
        """Go on with the run that is there. The same files come to the same end, so that is done once for them."""
        ended = self.children.declnet(self.folder, *scene.resume)
        if not begun:
            text = f"error: {RUN} is not the directory of a run: it has no config.yaml\n"
            return "" if (ended.rc, ended.stderr) == (2, text) else f"without a config: {ended}"
        if ended.rc:
            return f"cannot be gone on with: {ended.rc}: {ended.stderr}"
        return self.differs()

    def differs(self) -> str:
        """How the run that is there differs from the one that nothing happened to."""
        straight, run = self.folder / STRAIGHT, self.folder / RUN
        try:
            same(str(straight), str(run))
        except (AssertionError, OSError, ValueError) as error:
            return f"not the same: {error}"
        left = names(run) ^ names(straight)
        return f"files differ: {sorted(left)}" if left else ""


@contextmanager
def runs() -> Iterator[Runs]:
    """A folder for runs; in memory where there is such a file system, since nothing here is about a disk."""
    memory = Path("/dev/shm")  # noqa: S108 - a folder of its own is made in it
    with (
        tempfile.TemporaryDirectory(dir=memory if os.access(memory, os.W_OK) else None) as name,
        Children(loaded=True, warm=True) as children,
    ):
        folder = Path(name, "folder")
        folder.mkdir()
        yield Runs(folder, children)


def names(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*")}


def timeless(path: Path) -> bytes:
    """A file's bytes but for the seconds that something took, which no two runs share."""
    return re.sub(rb'"seconds": [^,}\n]*', b"", path.read_bytes()) if path.is_file() else b"/"


def called(log: Log) -> list[Mapping[str, Any]]:
    """The calls of a log, without the marks."""
    return [entry for entry in log if "number" in entry]


def numbers(runs: Runs) -> str:
    """How many calls there are in each scene."""
    return "; ".join(f"{name}: {len(called(log)):,} calls" for name, log in runs.logs.items())


def checkpoints(folder: Path, log: Log) -> dict[int, bytes]:
    """Each checkpoint that a run has written, by its steps."""
    last = folder / RUN / "checkpoints" / "last.npz"
    disk, found = Disk(folder, Folder()), {}
    for entry in log:
        disk.do(entry)
        if entry["name"] == "saved":
            found[entry["step"]] = disk.content(last)
    return found
