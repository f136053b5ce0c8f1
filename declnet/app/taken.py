"""What a network takes from a file of weights, in words."""

from __future__ import annotations

from declnet.app.output import count
from declnet.core.suggest import some
from declnet.runner.initial import Taken


def taken_lines(taken: Taken) -> list[str]:
    """How much was found, then the names that the file has not, and those that the network has not."""
    parts = [
        f"{count(found)} of {count(of)} {what}"
        for what, (found, of) in (("parameters", taken.parameters), ("buffers", taken.buffers))
        if of
    ]
    lines = [f"init: by name {' and '.join(parts)} from {taken.file}"]
    if taken.drawn:
        lines.append(f"init: start as drawn: {some(taken.drawn)}")
    if taken.unused:
        lines.append(f"init: not used of the file: {some(taken.unused)}")
    return lines
