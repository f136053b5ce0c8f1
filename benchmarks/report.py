"""What a result says: rows of words for tables, wherever they are shown."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from statistics import median
from typing import Final

from rich.box import SIMPLE_HEAD
from rich.table import Table

from benchmarks.frame import OURS, Result
from benchmarks.limits import MACHINE, MEMORY, OPERATIONS
from benchmarks.overhead import ALONE, NODES

SIDES: Final = ("side", "median", "least", "most", "times declnet's")


def duration(seconds: float) -> str:
    """With a unit that leaves three digits or more."""
    for unit, factor in (("s", 1.0), ("ms", 1e3)):
        if seconds * factor >= 1:
            return f"{seconds * factor:.3g} {unit}"
    return f"{seconds * 1e6:.3g} µs"


def memory(nbytes: float) -> str:
    """In the units of memory."""
    for unit, factor in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if nbytes >= factor:
            return f"{nbytes / factor:.3g} {unit}"
    return f"{nbytes:.0f} B"


def heading(result: Result) -> str:
    """What was measured, in short."""
    rounds = max(map(len, result.seconds.values()), default=0)
    return f"{result.name}, {counted(result.threads, 'thread')}, {counted(rounds, 'round')}: {result.title}"


def counted(number: int, noun: str) -> str:
    """A number of things."""
    return f"{number} {noun}{'' if number == 1 else 's'}"


def sides(result: Result) -> list[tuple[str, ...]]:
    """A row for each side: its times, and how many times declnet's they are, compared round by round."""
    table = []
    for side, values in result.seconds.items():
        times = map(duration, (median(values), min(values), max(values)))
        table.append((side, *times, spread(result.ratios(side))))
    return table


def spread(ratios: Sequence[float]) -> str:
    """The median, the least and the greatest; empty of none."""
    return f"{median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})" if ratios else ""


def overhead(result: Result) -> float | None:
    """Seconds a node that a step takes beside NumPy, of the workload that measures it."""
    nodes = result.facts.get(OURS, {}).get(NODES)
    if nodes is None or ALONE not in result.seconds:
        return None
    pairs = zip(result.seconds[OURS], result.seconds[ALONE], strict=True)
    return median(ours - alone for ours, alone in pairs) / nodes


def verdict(result: Result) -> str:
    """What came of it in one sentence; empty where nothing is compared."""
    beside = overhead(result)
    if beside is not None:
        return f"A step takes {duration(beside)} a node beside NumPy."
    if result.rival is None:
        return ""
    goal = f"; the goal is {aim(result)}" if aim(result) else ""
    return f"declnet is {result.ratio:.2f} times as fast as the fastest other, {result.rival}{goal}."


def aim(result: Result) -> str:
    """The goal; empty where there is none."""
    if result.goal is None:
        return ""
    return f"{result.goal:g}" if overhead(result) is None else duration(result.goal)


def troubles(result: Result) -> list[str]:
    """What was wrong, and who failed."""
    wrong = [f"WRONG: {mistake}" for mistake in result.wrong]
    return [*wrong, *(f"FAILED: {side}: {reason}" for side, reason in result.failed.items())]


def use(result: Result, limits: Result | None) -> tuple[str, str]:
    """What rate declnet works at, and what share of the machine's limit that is: of its matrix products, or of its
    memory. Empty where nobody knows.
    """
    facts, most = result.facts.get(OURS, {}), limits.facts.get(OURS, {}) if limits else {}
    for fact, unit, limit in (("operations", "GFLOP/s", OPERATIONS), ("bytes", "GB/s", MEMORY)):
        if fact in facts and OURS in result.seconds:
            rate = facts[fact] / median(result.seconds[OURS])
            share = f"{rate / most[limit]:.0%}" if limit in most else ""
            return f"{rate / 1e9:.3g} {unit}", share
    return "", ""


def footprint(result: Result) -> tuple[str, str, str, str]:
    """The peak memory of declnet and of its rival, and what a step of declnet's allocates at most and keeps."""
    own = result.facts.get(OURS, {})
    theirs = result.facts.get(result.rival or "", {})
    peaks = [
        memory(facts["peak memory, bytes"]) if "peak memory, bytes" in facts else "" for facts in (own, theirs)
    ]
    most = memory(own["allocated at most, bytes"]) if "allocated at most, bytes" in own else ""
    kept = f"{own['blocks kept']:.0f}" if "blocks kept" in own else ""
    return peaks[0], peaks[1], most, kept


def details(result: Result, limits: Result | None) -> str:
    """The rate and the memory, in a sentence."""
    rate, share = use(result, limits)
    own, theirs, most, kept = footprint(result)
    parts = [
        rate and f"{rate}{share and f', {share} of the limit'}",
        own and f"peak memory {own}{theirs and f', {theirs} with {result.rival}'}",
        most and f"a call allocates {most} at most, and {kept} blocks stay",
    ]
    return "; ".join(filter(None, parts))


def tabled(rows: Iterable[Sequence[str]]) -> Table:
    """Rows for the terminal, the first of which is the header."""
    header, *body = rows
    table = Table(*header, box=SIMPLE_HEAD)
    for row in body:
        table.add_row(*row)
    return table


def shown(result: Result, limits: Result | None) -> Iterator[Table | str]:
    """A result for the terminal, part by part."""
    yield heading(result)
    yield tabled([SIDES, *sides(result)])
    notes = [rates(result), verdict(result), details(result, limits), *troubles(result)]
    yield "\n".join([*filter(None, notes), ""])


def rates(limits: Result) -> str:
    """What the machine can do at most, of the result that says so."""
    facts = limits.facts.get(OURS, {})
    if OPERATIONS not in facts:
        return ""
    return f"{facts[OPERATIONS] / 1e9:.0f} GFLOP/s in products, {facts[MEMORY] / 1e9:.1f} GB/s in copies"


def summary(results: Iterable[Result]) -> list[tuple[str, ...]]:
    """The header and a row for each workload: its goal, the ratio and the rival for each number of threads, and
    whether the goal is met with all of them.
    """
    by_name: dict[str, dict[int, Result]] = {}
    for result in results:
        if result.name != MACHINE.name:
            by_name.setdefault(result.name, {})[result.threads] = result
    counts = sorted({threads for found in by_name.values() for threads in found})
    numba = any(result.with_numba for found in by_name.values() for result in found.values())
    columns = [(counted(count, "thread"), "against", *(["with Numba"] if numba else [])) for count in counts]
    header = ("workload", "goal", *(word for words in columns for word in words), "met")
    return [header, *(_summed(name, found, counts, numba=numba) for name, found in by_name.items())]


def _summed(name: str, found: Mapping[int, Result], counts: Sequence[int], *, numba: bool) -> tuple[str, ...]:
    goal = aim(next(iter(found.values())))
    cells: list[str] = []
    for count in counts:
        result = found.get(count)
        if result is None:
            cells += ["", ""]
        elif not result.sound:
            cells += ["wrong" if result.wrong else "failed", ""]
        elif (beside := overhead(result)) is not None:
            cells += [f"{duration(beside)} a node", ""]
        else:
            cells += [spread(result.ratios(result.rival)) if result.rival else "", result.rival or ""]
        if numba:
            cells.append(spread(result.with_numba) if result else "")
    met = "yes" if all(_met(result) for result in found.values()) else "no"
    return (name, goal, *cells, met if goal else "")


def _met(result: Result) -> bool:
    if not result.sound or result.goal is None:
        return False
    beside = overhead(result)
    if beside is not None:
        return beside <= result.goal
    return result.ratio is not None and result.ratio >= result.goal
