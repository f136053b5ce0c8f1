"""The command line. Only here is anything printed, and only here are errors turned into exit codes."""

from __future__ import annotations

import errno
import gc
import io
import os
import sys
from collections.abc import Iterable
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from declnet.app.openblas import prepare, require_numpy_room

if TYPE_CHECKING:
    from declnet.errors import Diagnostic

INTERNAL: Final = 70
INTERRUPTED: Final = 130
DEBUG: Final = "DECLNET_DEBUG"
"""Environment variable: set, an internal error shows its traceback."""
REFUSALS: Final = frozenset(
    {errno.EMFILE, errno.ENFILE, errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO, errno.ENOMEM, errno.EPIPE}
)
"""What a system says where it has too little of something, whatever it was asked for."""


def main() -> int:
    """Run a command and return its exit code."""
    # A process can be started without them; then what would be printed goes nowhere.
    sys.stdout = sys.stdout or io.StringIO()
    sys.stderr = sys.stderr or io.StringIO()
    if isinstance(sys.stdout, io.TextIOWrapper):  # a name that its encoding has no signs for is still shown
        sys.stdout.reconfigure(errors="backslashreplace")
    # A command is short: collecting garbage while modules load costs a tenth of the start.
    gc.disable()
    # Pydantic looks through all installed packages for plug-ins of its own; declnet has none to offer it.
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "1")
    prepare(os.environ)
    try:
        from declnet.app.commands import app_for
        from declnet.app.later import later

        later("numpy", require_numpy_room)
        app_for(*sys.argv[1:2] or [""])(prog_name="declnet")
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    except KeyboardInterrupt:
        return INTERRUPTED
    except Exception as error:  # noqa: BLE001 - the last line of defence: a bug is reported, never a traceback
        return failed(error)
    return 0


def warn(warnings: Iterable[Diagnostic]) -> None:
    """Say on stderr what is hardly meant."""
    for item in warnings:
        _say(item)


def failed(error: BaseException) -> int:
    """Say what went wrong on stderr; the exit code that goes with it."""
    from declnet.errors import DeclnetError, MachineError

    if isinstance(error, MemoryError):
        error = MachineError(f"not enough memory: {error or 'Python was given no more'}")
    elif isinstance(error, OSError) and error.errno in REFUSALS:
        error = MachineError(f"the machine refuses: {error}")
    if isinstance(error, DeclnetError):
        with suppress(MachineError):  # where stderr takes nothing, the exit code has to do
            for item in error.diagnostics:
                _say(item)
        return error.exit_code
    if os.environ.get(DEBUG):
        raise error
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    where = f" at {trace.tb_frame.f_code.co_filename}:{trace.tb_lineno}" if trace else ""
    with suppress(MachineError):
        _say(
            f"internal error: {type(error).__name__}: {error}{where}\n"
            f"This is a bug in declnet; please report it. With {DEBUG}=1 the traceback is shown."
        )
    return INTERNAL


def _say(text: object) -> None:
    """A line on stderr. MachineError where nobody takes it."""
    from declnet.app.output import written

    with written("stderr"):
        print(text, file=sys.stderr)
