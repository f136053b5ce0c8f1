"""Results as a table, as JSON, and in the documentation."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Final

from benchmarks.frame import Result

RESULTS: Final = "## Results\n"
"""The heading in the documentation under which `write_markdown` writes."""

HEADERS: Final = ("side", "median", "min", "max", "times declnet's")


def heading(result: Result) -> str:
    """What was measured, in short."""
    rounds = max(map(len, result.seconds.values()), default=0)
    return f"{result.name}, {_count(result.threads, 'thread')}, {_count(rounds, 'round')}"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def rows(result: Result) -> list[tuple[str, ...]]:
    """A row for each side: its times, and how many times declnet's they are, compared round by round."""
    short = max(median(values) for values in result.seconds.values()) < 0.1
    unit, factor = ("ms", 1e3) if short else ("s", 1.0)
    table = []
    for side, values in result.seconds.items():
        times = [f"{seconds * factor:.3f} {unit}" for seconds in (median(values), min(values), max(values))]
        found = result.ratios(side)
        ratio = f"{median(found):.2f} ({min(found):.2f} to {max(found):.2f})" if found else ""
        table.append((side, *times, ratio))
    return table


def verdict(result: Result) -> str:
    """The comparison that counts, with the fastest of the others; nothing where there is none."""
    rival = result.rival
    if rival is None:
        return ""
    return f"declnet is {median(result.ratios(rival)):.2f} times as fast as the fastest other, {rival}."


def text(result: Result) -> str:
    """A table for the terminal."""
    table = [HEADERS, *rows(result)]
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    lines = ["  ".join(map(str.ljust, row, widths)).rstrip() for row in table]
    wrong = [f"WRONG: {mistake}" for mistake in result.wrong]
    wrong += [f"FAILED: {side}: {reason}" for side, reason in result.failed.items()]
    parts = [f"{heading(result)}. {result.title}", *lines, verdict(result), *wrong]
    return "\n".join(filter(None, parts)) + "\n"


def write_json(machine: Mapping[str, str], results: Iterable[Result]) -> dict[str, object]:
    """Every measurement, for programs."""
    found = [
        {
            "workload": result.name,
            "title": result.title,
            "threads": result.threads,
            "seconds": result.seconds,
            "rival": result.rival,
            "ratio": median(result.ratios(result.rival)) if result.rival else None,
            "wrong": result.wrong,
        }
        for result in results
    ]
    return {"machine": machine, "results": found}


def write_markdown(file: Path, machine: Mapping[str, str], results: Sequence[Result]) -> None:
    """Replace what stands under the heading Results, up to the end of the file."""
    lines = [f"- {name}: {value}" for name, value in machine.items()]
    for result in results:
        table = [HEADERS, ("---", *["---:"] * (len(HEADERS) - 1)), *rows(result)]
        lines += ["", f"### {heading(result)}", "", result.title, ""]
        lines += [f"| {' | '.join(row)} |" for row in table]
        lines += ["", verdict(result)] if result.rival else []
    before, _, _ = file.read_text().partition(RESULTS)
    file.write_text("\n".join([before + RESULTS, *lines, ""]))
