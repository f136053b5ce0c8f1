"""Runs the command with what follows and looks at itself now and then: a program, so that its memory is its own.

Arguments: how often to look, in epochs, and those of declnet. What was seen goes to stdout, behind what declnet
prints.
"""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path

from declnet.app import main
from declnet.runner.directory import Record, RunDirectory

Sample = dict[str, int]


def look(epoch: int, metrics: Path) -> Sample:
    """Time, memory, open files, what has been written so far, and the file of metrics, after an epoch."""
    pages = int(Path("/proc/self/statm").read_text("ascii").split()[1])
    written = Path("/proc/self/io").read_text("ascii").splitlines()[1].removeprefix("wchar: ")
    found = metrics.stat()
    return {
        "epoch": epoch,
        "cpu": time.process_time_ns(),
        "memory": pages * os.sysconf("SC_PAGESIZE"),
        "files": len(list(Path("/proc/self/fd").iterdir())),
        "written": int(written),
        "size": found.st_size,
        "inode": found.st_ino,
    }


def watch(every: int) -> list[Sample]:
    """Have the epochs noted that are to come; the list fills while the command runs."""
    samples: list[Sample] = []
    append = RunDirectory.append

    def appended(directory: RunDirectory, record: Record) -> None:
        append(directory, record)
        if (epoch := int(record["epoch"] or 0)) % every == 0:
            samples.append(look(epoch, directory.path / "metrics.jsonl"))

    RunDirectory.append = appended  # type: ignore[method-assign] # this program is for nothing else
    return samples


if __name__ == "__main__":
    seen = watch(int(sys.argv.pop(1)))
    code = main()
    print(json.dumps(seen))  # noqa: T201 - for who started it
    sys.exit(code)
