"""Lines of the shell, each in a folder of its own with small runs in it, and what they leave there."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from app.tiny import everything
from reliability.children import WALL, Ended
from reliability.place import Place, prepared

DECLNET: Final = f"{sys.executable} -m declnet"
MOUNT: Final = 'mount --bind "$PWD" "$PWD" && mount -o remount,ro,bind "$PWD" && cd "$PWD" && exec "$@"'
READ_ONLY: Final = ("unshare", "--mount", "bash", "-c", MOUNT, "bash")
"""Before a command: it is run where nothing can be written to the folder. That needs the right to mount."""

WRITING: Final[Mapping[str, str]] = {
    "train": "declnet train tiny.yaml -q --run-dir new/run",
    "cross-validate": "declnet train tiny.yaml -q loop.folds=2",
    "resume": "declnet train -q --resume r loop.epochs=4",
    "predict to a file": "declnet predict r --input t.csv --output p.csv",
    "init": "declnet init new.yaml --from t.csv --target c",
}
READING: Final[Mapping[str, str]] = {
    "evaluate": "declnet evaluate r --split all",
    "predict": "declnet predict r --input t.csv --output -",
    "validate": "declnet validate tiny.yaml",
    "inspect": "declnet inspect tiny.yaml",
    "runs": "declnet runs .",
    "compare": "declnet compare r other",
    "list": "declnet list-components",
    "schema": "declnet schema",
}
COMMANDS: Final[Mapping[str, str]] = {**WRITING, **READING}


@dataclass(frozen=True)
class Attempt:
    """How a line ended, whether the folder is as it was, and the checkpoints in it."""

    ended: Ended
    unchanged: bool
    learned: Mapping[str, bytes]


@dataclass(frozen=True)
class Attempts:
    """`good` is the folder of which each attempt gets a copy, `folder` where that lies."""

    good: Place
    folder: Path

    def of(self, line: str, *before: str) -> Attempt:
        """A line in which `declnet` is the command, the whole of it started by `before`."""
        shutil.copytree(self.good.folder, self.folder)
        was = everything(self.folder)
        script = f"set -o pipefail; {line.replace('declnet ', f'{DECLNET} ')}"
        done = subprocess.run(
            [*before, "bash", "-c", script],
            cwd=self.folder,
            env=self.good.children.env,
            capture_output=True,
            timeout=WALL,
            check=False,
        )
        stdout, stderr = (text.decode(errors="backslashreplace") for text in (done.stdout, done.stderr))
        unchanged = everything(self.folder) == was
        learned = {
            str(path.relative_to(self.folder)): path.read_bytes() for path in self.folder.rglob("checkpoints/*.npz")
        }
        shutil.rmtree(self.folder)
        return Attempt(Ended(done.returncode, stdout, stderr, 0.0, 0), unchanged, learned)

    def read_only(self) -> tuple[str, ...] | None:
        """What makes the folder read-only for a line; None where nothing does."""
        return READ_ONLY if self.of("! touch file 2> /dev/null", *READ_ONLY).ended.rc == 0 else None


@contextmanager
def attempts(letter: str = "") -> Iterator[Attempts]:
    """With two runs, `r` and `other`; with a letter, the config, its data and a column are called that."""
    with prepared() as place, tempfile.TemporaryDirectory() as name:
        if letter:
            config, table = ((place.folder / file).read_text("utf-8") for file in ("tiny.yaml", "t.csv"))
            config = config.replace("t.csv", f"{letter}.csv").replace("[a, b]", f"[{letter}, b]")
            (place.folder / f"{letter}.yaml").write_text(config, "utf-8")
            (place.folder / f"{letter}.csv").write_text(table.replace("a,b", f"{letter},b"), "utf-8")
        place.done("train", f"{letter or 'tiny'}.yaml", "-q", "--run-dir", "r")
        place.done("train", f"{letter or 'tiny'}.yaml", "-q", "--run-dir", "other", "optimizer.lr=0.02")
        yield Attempts(place, Path(name, "here"))
