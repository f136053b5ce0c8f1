"""The same refusals and kills by the kernel, in programs of their own: a sample, where there is strace."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from reliability.children import Ended
from reliability.crashed import RUN, SCENES, Runs

CALLS: Final = ("openat", "write", "fsync", "rename", "mkdir", "close", "flock", "unlink")
WRITTEN: Final = (
    "config.yaml",
    "summary.json",
    *(f"checkpoints/{name}.npz" for name in ("last", "best", "best.next")),
)
SCENE: Final = "a run begins"
ERRORS: Final = ("ENOSPC", "EIO", "EDQUOT", "EROFS")
KILL: Final = "SIGKILL"
STEP: Final = 11
"""From one call that has an error injected, or ends the process, to the next such call."""


def there() -> bool:
    return shutil.which("strace") is not None


def _paths() -> list[Path]:
    """All that a run writes to, for strace to look at nothing else."""
    own = [Path(), Path("checkpoints"), Path("metrics.jsonl"), *map(Path, WRITTEN)]
    return [RUN.parent, *(RUN / path for path in own), *(RUN / f"{name}.tmp" for name in WRITTEN)]


def _run(tries: Runs, more: Sequence[str]) -> tuple[Ended, list[str]]:
    """A run under strace, and the calls that it made."""
    tries.begin("")
    log = tries.folder.parent / "strace"
    paths = [f"--trace-path={path}" for own in _paths() for path in (own, tries.folder / own)]
    traced = ["strace", "-f", "-qq", "-o", str(log), "-e", f"trace={','.join(CALLS)}", *paths, *more]
    command = [*traced, sys.executable, "-m", "declnet", *SCENES[SCENE].command]
    done = subprocess.run(
        command, cwd=tries.folder, env=tries.children.env, capture_output=True, text=True, check=False
    )
    lines = log.read_text("utf-8", errors="replace").splitlines()
    return Ended(done.returncode, done.stdout, done.stderr, 0, 0), lines


def injected(tries: Runs) -> Iterator[tuple[str, str, Ended]]:
    """What was injected, where that was, and how the run ended."""
    ended, lines = _run(tries, [])
    assert ended.rc == 0, ended
    made = Counter(name for line in lines for name in CALLS if f" {name}(" in line)
    every = [(name, at) for name, count in made.items() for at in range(1, count + 1)]
    for number, (name, at) in enumerate(every[::STEP]):
        for what in (ERRORS[number % len(ERRORS)], KILL):
            how = "signal" if what == KILL else "error"
            ended, lines = _run(tries, ["-e", f"inject={name}:{how}={what}:when={at}"])
            yield what, next((line for line in lines if "INJECTED" in line or KILL in line), ""), ended
