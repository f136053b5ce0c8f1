"""Hostile checkpoints and data: refused, or read as the very bits that were written; never anything else."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from app.tiny import prepare
from reliability.broken_arrays import npz
from reliability.children import Children, Ended
from reliability.hostile_files import CHANGES, RUN_FILES
from reliability.promise import Outcome, Promise, Scale

BYTES: Final = 256_000_000
STEPS: Final[Mapping[Scale, int]] = {"quick": 23, "whole": 1}
"""One place in so many is changed."""
READS: Final = Path(__file__).with_name("hostile_reads.py")
MOMENTUM: Final = "optimizer.momentum=0.9"
"""So that there is a state of the optimizer."""


def stopped_run(children: Children, folder: Path) -> None:
    """A run of two epochs, to be gone on with, in r."""
    prepare(folder)
    done = children.declnet(folder, "train", "tiny.yaml", MOMENTUM, "loop.epochs=2", "--run-dir", "r", "-q")
    assert done.rc == 0, done.stderr


def bytes_changed(scale: Scale) -> Outcome:
    """Flipped bytes and truncations of a checkpoint and of an archive of data."""
    cases, failures, figures = 0, [], []
    with tempfile.TemporaryDirectory() as name, Children(loaded=False) as children:
        folder = Path(name)
        stopped_run(children, folder)
        shutil.copy(folder / "r" / "checkpoints" / "last.npz", folder / "c.npz")
        npz()(folder)
        for kind, file in {"checkpoint": "c.npz", "archive": "a.npz"}.items():
            size = (folder / file).stat().st_size
            ended = children.python(folder, READS, kind, file, STEPS[scale])
            found = json.loads(ended.stdout) if ended.rc == 0 else {"counts": {}, "strange": [ended.stderr[-500:]]}
            counts = Counter(found["counts"])
            cases += sum(counts[what] for what in ("header", "elsewhere", "cut"))
            failures += [f"{kind}: {line}" for line in found["strange"]]
            if ended.peak > BYTES:
                failures.append(f"{kind}: {ended.peak:,} bytes of memory")
            parts = ", ".join(
                f"{what} {counts[what]:,}: {counts[f'{what} refused']:,} refused, "
                f"{counts[f'{what} the same']:,} the same bits"
                for what in ("header", "elsewhere", "cut")
            )
            figures.append(f"{kind} of {size:,} bytes, {ended.peak / 1e6:.0f} MB: {parts}")
    return Outcome(max(cases, 1), failures, "; ".join(figures))


def left(folder: Path, ended: Ended) -> tuple[int, str, bytes]:
    """What a command has come to: what it printed, and the checkpoint that is there."""
    last = folder / "r" / "checkpoints" / "last.npz"
    return ended.rc, ended.stdout, last.read_bytes() if last.is_file() else b""


COMMANDS: Final = {
    "resume": ("train", "--resume", "r", "loop.epochs=3", "-q"),
    "evaluate": ("evaluate", "r", "--split", "all", "--checkpoint", "last"),
}


def made_to_harm(scale: Scale) -> Outcome:
    """Checkpoints that someone has made, through the program."""
    failures: list[str] = []
    codes: Counter[str] = Counter()
    changes = {name: ("checkpoints/last.npz", change) for name, change in CHANGES.items()}
    changes |= {name: (name.partition(":")[0], change) for name, change in RUN_FILES.items()}
    chosen = list(changes) if scale == "whole" else list(changes)[::4]
    peak = 0
    with tempfile.TemporaryDirectory() as name, Children(loaded=True) as children:
        good, folder = Path(name, "good"), Path(name, "folder")
        good.mkdir()
        stopped_run(children, good)
        for command, arguments in COMMANDS.items():
            shutil.copytree(good, folder)
            right = left(folder, children.declnet(folder, *arguments))
            shutil.rmtree(folder)
            assert right[0] == 0
            for change in chosen:
                shutil.copytree(good, folder)
                file, make = changes[change]
                make(folder / "r" / file)
                before = files(folder)
                ended = children.declnet(folder, *arguments)
                codes[f"{command} {ended.rc}"] += 1
                peak = max(peak, ended.peak)
                same = ended.rc == 0 and same_result(command, right, left(folder, ended))
                refused = ended.rc == 6 and files(folder) == before
                if not (same or refused) or not ended.in_words or ended.peak > BYTES or (folder / "ran").exists():
                    failures.append(f"{command}, {change}: {ended.rc}, {ended.peak:,} bytes: {ended.stderr[-300:]}")
                shutil.rmtree(folder)
    ends = ", ".join(f"{key} {count:,}" for key, count in sorted(codes.items()))
    return Outcome(len(chosen) * len(COMMANDS), failures, f"ends: {ends}; at most {peak / 1e6:.0f} MB")


def same_result(command: str, right: tuple[int, str, bytes], found: tuple[int, str, bytes]) -> bool:
    """Whether a command gave what it gives of the checkpoint as it was written: evaluation prints, a run writes."""
    return found[1] == right[1] if command == "evaluate" else found[2] == right[2]


def files(folder: Path) -> dict[str, tuple[int, int]]:
    found = (path for path in folder.rglob("*") if not path.is_dir())
    return {str(path): (path.lstat().st_mtime_ns, path.lstat().st_size) for path in found}


PROMISES: Final = (
    Promise(
        "changed bytes are found",
        "A checkpoint or an archive with a byte changed, or cut, anywhere is refused, or what is read of it is the "
        "bits that were written; in less than 256 MB",
        bytes_changed,
    ),
    Promise(
        "hostile checkpoints are refused",
        "A checkpoint of another model, of a newer version, or made to harm ends with exit 6, in less than 256 MB, "
        "and nothing is executed or written; where what it changes is not read, the result is the same bits",
        made_to_harm,
    ),
)
