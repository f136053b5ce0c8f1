"""SIGINT and SIGTERM: the handler only notes them; the loop looks between two steps."""

from __future__ import annotations

import signal
import threading
from types import FrameType
from typing import Self

from declnet.errors import Interrupted, Terminated


class Signals:
    """Within the block, the first SIGINT or SIGTERM is noted in `received`; a second one ends the process."""

    def __init__(self) -> None:
        self.received: int | None = None
        self._before: dict[int, object] = {}

    def __enter__(self) -> Self:
        """Take over. Elsewhere than in the main thread Python lets nobody, and whoever runs us there decides."""
        if threading.current_thread() is threading.main_thread():
            self._before = {number: signal.signal(number, self._note) for number in (signal.SIGINT, signal.SIGTERM)}
        return self

    def __exit__(self, *error: object) -> None:
        """Give back."""
        for number, handler in self._before.items():
            signal.signal(number, handler)  # type: ignore[arg-type] # what signal.signal gave us, it takes back

    def _note(self, number: int, frame: FrameType | None) -> None:
        self.received = number
        signal.signal(number, signal.SIG_DFL)

    def refusal(self, message: str) -> Interrupted:
        """The error that ends the run, with the exit code of the signal."""
        return (Terminated if self.received == signal.SIGTERM else Interrupted)(message)
