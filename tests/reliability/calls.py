"""What a process asks of the file system, call by call: noted, refused, or the last that it does.

Files are opened by `_pyio`, the standard library's `io` written in Python, which goes through the functions of `os`
for everything. So it is enough to put others in their place. What they do with each call is an act: it is given the
call and a function that does it. `disturb` begins one in this process, by name.
"""

from __future__ import annotations

import _pyio
import builtins
import errno
import fcntl
import io
import json
import os
import signal
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

NAMES: Final = (
    *("open", "read", "write", "close", "fsync", "fdatasync", "ftruncate", "truncate", "fstat", "stat", "lstat"),
    *("listdir", "scandir", "mkdir", "rmdir", "rename", "replace", "unlink", "remove", "link", "symlink"),
)
"""The functions of `os`; `flock` comes from `fcntl`."""
WRITING: Final = os.O_WRONLY | os.O_RDWR | os.O_CREAT
CHANGING: Final = frozenset(NAMES) - {"open", "read", "close", "fstat", "stat", "lstat", "listdir", "scandir"}
"""Those that a full or read-only disk refuses; and opening to write."""

REAL: Final[Mapping[str, Callable[..., Any]]] = {name: getattr(os, name) for name in NAMES}


@dataclass(frozen=True)
class Call:
    """The number of a call, from 0; what it is, with what, and to which file or folder."""

    number: int
    name: str
    arguments: tuple[Any, ...]
    path: str

    @property
    def changes(self) -> bool:
        """Whether it changes what is on the disk."""
        return self.name in CHANGING or (self.name == "open" and bool(self.arguments[1] & WRITING))


Do = Callable[[], Any]
Act = Callable[[Call, Do], Any]


def refuse(at: int, error: str, *, lasting: bool = False) -> Act:
    """Refuse a call with this error; where it lasts, also what would change something after it."""
    code = getattr(errno, error)

    def act(call: Call, do: Do) -> Any:
        if call.number == at or (lasting and call.number > at and call.changes):
            if call.name == "close":
                do()  # the descriptor is gone even so
            raise OSError(code, os.strerror(code), call.path)
        return do()

    return act


def half(call: Call) -> int:
    """Write the first half of what was to be written."""
    descriptor, data = call.arguments
    return int(REAL["write"](descriptor, memoryview(data).cast("B")[: max(1, len(data) // 2)]))


def fill(at: int) -> Act:
    """Write a half, as a disk does that is full then; the next write is refused, and later ones find room again."""
    full = False

    def act(call: Call, do: Do) -> Any:
        nonlocal full
        if call.number == at:
            full = True
            return half(call)
        if full and call.name == "write":
            full = False
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return do()

    return act


def kill(at: int, *, torn: bool = False) -> Act:
    """End the process before a call, or in the middle of a write."""

    def act(call: Call, do: Do) -> Any:
        if call.number == at:
            if torn:
                half(call)
            os.kill(os.getpid(), signal.SIGKILL)
        return do()

    return act


def send(at: int, number: int, times: int = 1) -> Act:
    """Send this process a signal before a call, so many times."""

    def act(call: Call, do: Do) -> Any:
        if call.number == at:
            for _ in range(times):
                os.kill(os.getpid(), number)
        return do()

    return act


def note(log: str) -> Act:
    """Write each call to a log, in a line of JSON, once it is done, with marks between them: where a run begins to
    watch for signals, each step that it has made, and each checkpoint that it has written, with the steps in it.
    """
    descriptor = REAL["open"](log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)

    def put(**entry: object) -> None:
        REAL["write"](descriptor, json.dumps(entry).encode() + b"\n")

    mark(put)

    def act(call: Call, do: Do) -> Any:
        entry: dict[str, object] = {"number": call.number, "name": call.name, "path": call.path}
        if call.name == "open":
            entry["flags"] = call.arguments[1]
        elif call.name == "write":
            result = do()
            written = memoryview(call.arguments[1]).cast("B")[:result]
            at = os.lseek(call.arguments[0], 0, os.SEEK_CUR) - result  # also where it was appended
            put(**entry, data=bytes(written).hex(), at=at)
            return result
        elif call.name == "replace":
            entry["to"] = absolute(call.arguments[1])
        put(**entry)
        return do()

    return act


def mark(put: Callable[..., None]) -> None:
    """Have a run put a mark at what it is about."""
    from declnet.runner.keeper import Keeper
    from declnet.runner.model import Optimization
    from declnet.runner.signals import Signals

    def after(cls: type, name: str, say: Callable[..., Mapping[str, object]]) -> None:
        real = getattr(cls, name)

        def method(self: object, *arguments: Any) -> Any:
            result = real(self, *arguments)
            put(**say(*arguments))
            return result

        setattr(cls, name, method)

    after(Signals, "__enter__", lambda *_: {"name": "watching"})
    after(Optimization, "step", lambda *_: {"name": "stepped"})
    after(Keeper, "save", lambda *told: {"name": "saved", "step": told[-1]["step"]})


ACTS: Final[Mapping[str, Callable[..., Act]]] = {
    "refuse": refuse,
    "fill": fill,
    "kill": kill,
    "send": send,
    "note": note,
}


def absolute(path: Any) -> str:
    return os.path.normpath(Path(os.fsdecode(path)).absolute())


def disturb(act: str, **settings: Any) -> None:
    """From here on, have each call of this process to the file system go through an act."""
    acting = ACTS[act](**settings)
    count, opened = 0, dict[int, str]()

    def through(name: str, real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **named: Any) -> Any:
            nonlocal count
            subject = arguments[0] if arguments else "."
            path = opened.get(subject, "") if isinstance(subject, int) else absolute(subject)
            this = Call(count, name, arguments, path)
            count += 1
            result = acting(this, lambda: real(*arguments, **named))
            if name == "open":
                opened[result] = path
            return result

        return call

    for name, real in REAL.items():
        setattr(os, name, through(name, real))
    fcntl.flock = through("flock", fcntl.flock)
    io.open = builtins.open = _pyio.open
