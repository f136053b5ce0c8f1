"""Commands in processes of their own, each with its time, its peak of memory and how it ended.

A child of a process carries that process's memory in its figures, until it has some of its own. So the children are
not those of whoever asks, who may have imported PyTorch, but of a small process beside it, which is this file as a
program. It starts commands as the shell would; or, with declnet loaded once, forks itself for each, which takes a
few milliseconds instead of half a second and still gives each command a process.
"""

from __future__ import annotations

import json
import os
import resource
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

CHECKOUT = Path(__file__).parents[2]

CPU = 60
"""Seconds of a processor after which a command is ended: it hangs."""
WALL = 300
"""Seconds after which a command is ended that only waits; the machine may be busy."""
MEMORY = 4 << 30
"""Bytes of addresses that a command may take, so that one out of control does not take the machine with it."""


@dataclass(frozen=True)
class Ended:
    """How a command ended: `rc` below 0 for the signal that ended it; `cpu` in seconds, `peak` in bytes."""

    rc: int
    stdout: str
    stderr: str
    cpu: float
    peak: int
    late: float = 0.0
    """Seconds that it went on after the last signal that it was sent."""

    @property
    def in_words(self) -> bool:
        """Whether it came to an end of its own choice: no bug, no traceback, no signal."""
        return 0 <= self.rc < 128 and self.rc not in (1, 70) and "Traceback" not in self.stdout + self.stderr


class Children:
    """The process whose children commands are. `loaded` is how many modules it imports before it forks: none to
    start programs, or all of declnet that commands need; a `warm` one has trained as well.
    """

    def __init__(self, *, loaded: bool, warm: bool = False) -> None:
        keep = ("PATH", "LD_LIBRARY_PATH")
        self.env = {key: value for key, value in os.environ.items() if key in keep} | {
            "HOME": "/",
            "LANG": "C.UTF-8",
            "COLUMNS": "100",
            "OPENBLAS_NUM_THREADS": "1",
            "PYTHONPATH": os.pathsep.join([str(CHECKOUT), str(CHECKOUT / "tests")]),
        }
        self._process = subprocess.Popen(
            [sys.executable, __file__, "warm" if warm else "loaded" if loaded else ""],
            env=self.env,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait()
        self._process.stdout.close()

    def declnet(self, folder: Path, *arguments: object, **environment: str) -> Ended:
        """The command in a folder: forked where declnet is loaded, else started."""
        return self._run(folder, ["declnet", *arguments], environment)

    def disturbed(
        self, folder: Path, *arguments: object, act: Mapping[str, object], sent: Sequence[tuple[float, int]] = ()
    ) -> Ended:
        """The command, forked, with its calls to the file system going through an act of `calls`, where there is
        one, and signals sent to it, each so many seconds after the one before.
        """
        return self._run(folder, ["declnet", *arguments], {}, act=dict(act), sent=list(sent))

    def python(self, folder: Path, *arguments: object) -> Ended:
        """A Python program in a folder, started."""
        return self._run(folder, [sys.executable, *arguments], {})

    def _run(self, folder: Path, argv: Sequence[object], environment: Mapping[str, str], **more: object) -> Ended:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        request = {"folder": str(folder), "argv": list(map(str, argv)), "environment": dict(environment)} | more
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        return Ended(**json.loads(self._process.stdout.readline()))


def _serve(*, loaded: bool, warm: bool) -> None:
    """Run what is asked for on stdin, one command at a time; what came of each goes to stdout."""
    replies = os.fdopen(os.dup(1), "w")
    if loaded:
        load()
    if warm:
        _train()
    for line in sys.stdin:
        print(json.dumps(_ended(json.loads(line), loaded=loaded)), file=replies, flush=True)


def load() -> None:
    """Import what commands do, as far as it is in memory afterwards."""
    import declnet.api
    import declnet.app.commands
    import declnet.app.evaluate
    import declnet.app.train
    import declnet.app.validate
    import declnet.runner.train

    assert declnet


def _train() -> None:
    """Train once, so that whatever is made at its first use is there."""
    import reliability.calls
    from app.tiny import prepare
    from declnet.runner.experiment import load
    from declnet.runner.train import train

    with tempfile.TemporaryDirectory() as folder:
        prepare(Path(folder))
        for _ in train(load(Path(folder, "tiny.yaml")), Path(folder, "run")):
            pass
    assert reliability.calls


def _ended(request: Mapping[str, Any], *, loaded: bool) -> dict[str, Any]:
    stdout, stderr = os.memfd_create("stdout"), os.memfd_create("stderr")
    child = os.fork()
    if not child:
        become(request, stdout, stderr, loaded=loaded)
    sent = time.perf_counter()
    for seconds, number in request.get("sent", ()):
        time.sleep(seconds)
        os.kill(child, number)  # where it has ended, it is still there to be waited for
        sent = time.perf_counter()
    _, status, used = os.wait4(child, 0)
    late = time.perf_counter() - sent
    return {
        "rc": os.waitstatus_to_exitcode(status),
        "cpu": used.ru_utime + used.ru_stime,
        "peak": used.ru_maxrss << 10,
        "late": late,
        **texts(stdout, stderr),
    }


def texts(stdout: int, stderr: int) -> dict[str, str]:
    """What was written to two files, which are closed."""
    found = {}
    for name, file in {"stdout": stdout, "stderr": stderr}.items():
        os.lseek(file, 0, os.SEEK_SET)
        with os.fdopen(file, "rb") as text:
            found[name] = text.read().decode(errors="backslashreplace")
    return found


def become(request: Mapping[str, Any], stdout: int, stderr: int, *, loaded: bool) -> None:
    """Be the command, in the child; never returns."""
    try:
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.dup2(stdout, 1)
        os.dup2(stderr, 2)
        os.chdir(request["folder"])
        os.environ.update(request["environment"])
        resource.setrlimit(resource.RLIMIT_CPU, (CPU, CPU))
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        signal.alarm(WALL)
        program, *arguments = request["argv"]
        if program == "declnet" and loaded:
            _forked(arguments, request.get("act"))
        start = [sys.executable, "-m", "declnet"] if program == "declnet" else [program]
        os.execv(sys.executable, [*start, *arguments])  # noqa: S606 - a program in the place of this one, no shell
    except KeyboardInterrupt:
        os._exit(128 + signal.SIGINT)  # before the command, or behind it
    except BaseException:  # noqa: BLE001 - nothing may go on in the child
        import traceback

        traceback.print_exc()
    os._exit(1)


def _forked(arguments: Sequence[str], act: Mapping[str, Any] | None) -> None:
    from declnet.app import main

    sys.argv[1:] = arguments
    if act:
        from reliability.calls import disturb

        disturb(**act)
    rc = main()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(rc)


if __name__ == "__main__":
    _serve(loaded=sys.argv[1] != "", warm=sys.argv[1] == "warm")
