"""Starts one command many times at the same moment: a program.

Its argument is a JSON text with what `children` takes (`folder`, `argv`, `environment`) and `times`; where one is
to have a directory to itself, `directory` is that, and `until` the file that grows beyond `size` once that one is
at work. It is then held still until all others have ended, so that it is not done before them, and sent `signal`.
The command is forked from this process, which has declnet loaded; the forks wait at a gate until all of them are
there. It prints how each ended, in the order in which they did.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from declnet.runner.files import holder
from reliability.children import become, load, texts
from reliability.place import Place

PATIENCE = 60
"""Seconds after which all that are left are killed."""
NAP = 0.005
"""Seconds between two looks."""


@dataclass(frozen=True)
class Started:
    """How a command ended that was started with others; whether it was held still until they had ended."""

    pid: int
    rc: int
    stdout: str
    stderr: str
    held: bool


def together(
    place: Place,
    *arguments: object,
    times: int,
    directory: str = "",
    until: str = "",
    number: signal.Signals = signal.SIGCONT,
) -> list[Started]:
    """The command so many times at once; with `directory`, who has that is held still when the file in it grows,
    and sent a signal when the others have ended.
    """
    file = place.folder / directory / until
    request = {
        "folder": str(place.folder),
        "argv": ["declnet", *map(str, arguments)],
        "environment": {},
        "times": times,
        "directory": directory and str(place.folder / directory),
        "until": str(file),
        "size": file.stat().st_size if file.is_file() else -1,
        "signal": number,
    }
    ended = place.children.python(place.folder, __file__, json.dumps(request))
    if ended.rc:
        raise RuntimeError(ended.stderr)
    return [Started(**one) for one in json.loads(ended.stdout)]


def _started(request: Mapping[str, Any]) -> dict[int, tuple[int, int]]:
    """The processes, at work from now on, with the files that they print to."""
    gate, opened = os.pipe()
    running = {}
    for _ in range(request["times"]):
        files = os.memfd_create("stdout"), os.memfd_create("stderr")
        child = os.fork()
        if not child:
            os.close(opened)
            os.read(gate, 1)
            become(request, *files, loaded=True)
        running[child] = files
    os.close(opened)
    return running


def _ends(running: dict[int, tuple[int, int]], request: Mapping[str, Any]) -> list[dict[str, Any]]:
    ends, held, freed, deadline = list[dict[str, Any]](), 0, False, time.monotonic() + PATIENCE
    while running:
        child, status = os.waitpid(-1, os.WNOHANG)
        if child:
            rc = os.waitstatus_to_exitcode(status)
            ends.append({"pid": child, "rc": rc, "held": child == held, **texts(*running.pop(child))})
        elif time.monotonic() > deadline:
            for one in running:
                os.kill(one, signal.SIGKILL)
        elif not held and (at_work := _at_work(request)) in running:
            held = at_work
            os.kill(held, signal.SIGSTOP)
        elif list(running) == [held] and not freed:
            freed = True
            os.kill(held, request["signal"])
        else:
            time.sleep(NAP)
    return ends


def _at_work(request: Mapping[str, Any]) -> int:
    """Who has the directory, once its file has grown; 0 for nobody."""
    file = Path(request["until"])
    if not request["directory"] or not file.is_file() or file.stat().st_size <= request["size"]:
        return 0
    return holder(Path(request["directory"])) or 0


if __name__ == "__main__":
    load()
    asked = json.loads(sys.argv[1])
    print(json.dumps(_ends(_started(asked), asked)))  # noqa: T201 - for who started it
