"""Results in the documentation."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from pathlib import Path
from statistics import median
from typing import Final

from benchmarks import scaling
from benchmarks.frame import OURS, Result
from benchmarks.limits import MACHINE
from benchmarks.report import counted, duration, footprint, rates, summary, troubles, use

RESULTS: Final = "## Results\n"
"""The heading in the documentation under which `write` writes, up to the next of its rank."""

Row = Sequence[str]


def write(file: Path, machine: Mapping[str, str], results: Sequence[Result]) -> None:
    """Replace what stands under the heading Results."""
    before, _, rest = file.read_text("utf-8").partition(RESULTS)
    _, mark, after = rest.partition("\n## ")
    plots = [plot.name for plot in sorted(file.parent.glob(f"{scaling.GROUP}-*.svg"))]
    text = "\n".join([before + RESULTS, *lines(machine, results, plots), ""])
    file.write_text(text + mark + after, "utf-8")


def lines(machine: Mapping[str, str], results: Sequence[Result], plots: Sequence[str]) -> Iterator[str]:
    """The machine and its limits, all workloads in short, the plots that are there, then all in detail."""
    yield from (f"- {name}: {value}" for name, value in machine.items())
    limits = {result.threads: result for result in results if result.name == MACHINE.name}
    for threads, result in sorted(limits.items()):
        yield f"- at most, {counted(threads, 'thread')}: {rates(result)}"
    found = [result for result in results if result.name != MACHINE.name]
    yield from ("", "Times as fast as the fastest other: the median, the least and the greatest of the rounds.", "")
    for _, group in groupby((r for r in found if r.group != scaling.GROUP), key=lambda result: result.group):
        yield from (*table(summary(group)), "")
    if plots:
        yield from ("### How the time of a step grows", "")
        yield from (f"![{plot.removesuffix('.svg')}]({plot})\n" for plot in plots)
    yield from ("### Rates and memory", "", *table(_rates(found, limits)), "")
    yield from ("### Every side", "", "Medians; of declnet the least and the most too.", "", *table(_all(found)))
    problems = [f"- {result.name}, {result.threads}: {what}" for result in found for what in troubles(result)]
    if problems:
        yield from ("", "### What went wrong", "", *problems)


def table(rows: Iterable[Row]) -> Iterator[str]:
    """Rows in Markdown, the first of which is the header."""
    header, *body = rows
    yield f"| {' | '.join(header)} |"
    yield f"| {' | '.join(['---'] * len(header))} |"
    yield from (f"| {' | '.join(row)} |" for row in body)


def _rates(results: Iterable[Result], limits: Mapping[int, Result]) -> Iterator[Row]:
    """What declnet reaches of the machine's limits, and the memory of the sides."""
    yield (
        "workload",
        "threads",
        "declnet's rate",
        "of the limit",
        "peak memory",
        "the rival's",
        "allocated at most",
        "blocks kept",
    )
    for result in results:
        cells = (*use(result, limits.get(result.threads)), *footprint(result))
        if any(cells):
            yield (result.name, str(result.threads), *cells)


def _all(results: Iterable[Result]) -> Iterator[Row]:
    """The times of all sides."""
    yield ("workload", "threads", OURS, "others")
    for result in results:
        times = {side: duration(median(values)) for side, values in result.seconds.items()}
        own = result.seconds.get(OURS)
        ours = f"{times.pop(OURS)} ({duration(min(own))} to {duration(max(own))})" if own else ""
        others = ", ".join(f"{side} {time}" for side, time in times.items())
        yield (result.name, str(result.threads), ours, others)
