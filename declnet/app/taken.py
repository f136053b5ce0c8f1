"""What a network takes from a file of weights, in words."""

from __future__ import annotations

from declnet.app.output import count
from declnet.core.suggest import some
from declnet.data.files import printable
from declnet.runner.initial import Taken


def taken_lines(taken: Taken) -> list[str]:
    """How much was found, then the names that the file has not, and those that the network has not."""
    parts = [
        f"{count(found)} of {count(of)} {what}"
        for what, (found, of) in (("parameters", taken.parameters), ("buffers", taken.buffers))
        if of
    ]
    lines = [f"init: by name {' and '.join(parts)} from {taken.file}"]
    for what, names in (("start as drawn", taken.drawn), ("not used of the file", taken.unused)):
        if names:
            lines.append(f"init: {what}: {printable(some(names))}")
    return lines
