"""What `declnet train --profile` shows: a table of the nodes, and one of all that a run is made of."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Final

from declnet.app.output import count, paragraph, print_json, size, table, write
from declnet.runner.profile import NodeTimes, Profile, Way, plain
from declnet.runner.profiler import Profiler

TOP: Final = 20
"""Nodes on a terminal, where nothing else is said."""

NODE: Final = (
    *("node", "line", "component", "output", "calls", "forward ms", "backward ms", "of step"),
    *("GFLOP/s", "back", "bound", "of limit"),
)
TEXTS: Final = (0, 2, 3, 10)
SPARE: Final = (4, 3, 1, 9, 8, 2, 10)
"""Columns that a narrow terminal does without, the first one first."""

WORDS: Final = {
    "reading": "reading, allocating",
    "data": "batches",
    "accumulation": "adding gradients up",
    "average": "moving average",
    "records": "run directory",
    "loop": "all the rest",
}
"""What parts are called that need more than their name."""


class Measured:
    """Measures a run, and shows what came of it."""

    def __init__(self, order: str, top: int | None) -> None:
        """`order` is cost or config; `top` how many nodes are shown."""
        self.watch = Profiler()
        self._order = order
        self._top = top or (TOP if sys.stdout.isatty() else None)

    def plain(self) -> dict[str, object]:
        """The profile for programs, in a mapping; None where no step was made."""
        profile = self.watch.report()
        return {"profile": None if profile is None else plain(profile)}

    def stopped(self, *, as_json: bool) -> None:
        """Print what was measured until something ended the run, if a step was made."""
        if not self.watch.measured:
            return
        if as_json:
            print_json(self.plain())
        else:
            self.show()

    def show(self) -> None:
        """Print both tables, and what they are measured against."""
        write()
        profile = self.watch.report()
        if profile is None:
            write("no step was made, so there is nothing to profile")
            return
        self._nodes(profile)
        write()
        _parts(profile)
        write()
        paragraph(" ".join(_remarks(profile)))

    def _nodes(self, profile: Profile) -> None:
        nodes = sorted(profile.nodes, key=lambda node: -node.seconds)
        shown, rest = nodes[: self._top], nodes[len(nodes[: self._top]) :]
        if self._order == "config":
            shown = [node for node in profile.nodes if node in shown]
        rows = [_row(profile, node) for node in shown]
        if rest:
            seconds = sum(node.seconds for node in rest)
            more = f"and {len(rest)} more"
            rows.append((more, *[""] * 6, percent(seconds / profile.stepping), *[""] * 4))
        several = "" if profile.runs == profile.steps else f", {count(profile.runs)} passes over the network"
        each = milliseconds(profile.stepping, profile.steps)
        table(f"{count(profile.steps)} steps{several}, {each} ms each", NODE, rows, TEXTS, SPARE)


def _row(profile: Profile, node: NodeTimes) -> tuple[str, ...]:
    return (
        node.name,
        str(node.mark.line),
        node.type,
        str(node.output),
        count(profile.runs),
        milliseconds(node.forward.seconds, profile.runs),
        milliseconds(node.backward.seconds, profile.runs),
        percent(node.seconds / profile.stepping),
        _rate(node.forward),
        _rate(node.backward),
        profile.bound(node.cost),
        percent(profile.share_of_limit(node)),
    )


def _rate(way: Way) -> str:
    return f"{way.cost.flops / way.seconds / 1e9:.2f}" if way.seconds and way.cost.flops else ""


def _parts(profile: Profile) -> None:
    """All that adds up to the whole."""
    runs = profile.runs
    entries = [
        ("forward", runs, sum(node.forward.seconds for node in profile.nodes)),
        ("backward", runs, sum(node.backward.seconds for node in profile.nodes)),
        *((WORDS.get(part.name, part.name), part.calls, part.seconds) for part in profile.parts),
        ("reading the clock", 0, profile.measuring),
    ]
    rows = [
        (
            name,
            count(calls) if calls else "",
            milliseconds(seconds, calls),
            f"{seconds:.3f}",
            percent(seconds / profile.seconds),
        )
        for name, calls, seconds in entries
    ]
    rows.append(("all", "", "", f"{profile.seconds:.3f}", percent(1)))
    table("the whole run", ("part", "calls", "ms each", "seconds", "of all"), rows)


def _remarks(profile: Profile) -> Iterator[str]:
    found = profile.limits
    threads = "1 thread" if profile.threads == 1 else f"{profile.threads} threads"
    yield (
        f"Limits of this machine, measured now: {found.flops / 1e9:.1f} GFLOP/s in matrix products on {threads}; "
        f"{found.bandwidth / 1e9:.1f} GB/s in copies as large as what a step goes through, {size(found.nbytes)}; "
        f"{found.memory / 1e9:.1f} GB/s in copies larger than all caches."
    )
    yield (
        f"{percent(profile.unattributed)} of the time belong to no part with a name. Reading the clock takes "
        f"{profile.lap * 1e9:.0f} ns each time, and is taken off everything else."
    )


def milliseconds(seconds: float, calls: int) -> str:
    """Those of one of so many calls, to a tenth of a microsecond where they are few."""
    if not calls:
        return ""
    each = 1e3 * seconds / calls
    return f"{each:.4f}" if each < 10 else f"{each:.1f}"


def percent(share: float | None) -> str:
    """A share of 1; nothing for none."""
    return "" if share is None else f"{100 * share:.1f} %"
