"""The command: `python -m benchmarks [WORKLOAD]...`."""

from __future__ import annotations

import argparse
from pathlib import Path

from benchmarks.forms import FORMS
from benchmarks.frame import Conditions, Result, measure
from benchmarks.machine import cores, machine
from benchmarks.report import text
from benchmarks.workers import Workers
from benchmarks.workloads import WORKLOADS, chosen


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="declnet and PyTorch, side by side.")
    parser.add_argument(
        "workloads", nargs="*", metavar="WORKLOAD", help="a name, how it begins, a group or a pattern; all without"
    )
    parser.add_argument("--list", action="store_true", help="print the names of the workloads")
    parser.add_argument("--rounds", type=int, metavar="N", help="measure each side N times; default 7")
    parser.add_argument("--seconds", type=float, metavar="S", help="how long a sample lasts; default 0.2")
    parser.add_argument(
        "--threads",
        type=int,
        nargs="+",
        default=sorted({1, cores()}),
        metavar="N",
        help="default: 1, and all cores",
    )
    parser.add_argument(
        "--without", nargs="+", default=[], metavar="FORM", choices=[*FORMS], help=f"leave out: {', '.join(FORMS)}"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every measurement here")
    parser.add_argument("--markdown", type=Path, metavar="FILE", help="rewrite the section Results of this file")
    options = parser.parse_args()
    try:
        options.workloads = chosen(options.workloads)
    except KeyError as error:
        parser.error(f"no workload is called {error.args[0]!r}; --list prints all")
    return options


def main() -> int:
    """Measure, and print; 1 where a side computes something else. How long anything takes never fails."""
    options = arguments()
    if options.list:
        print(*WORKLOADS, sep="\n")
        return 0
    here = machine()
    print(*(f"{name}: {value}" for name, value in here.items()), "", sep="\n")
    results: list[Result] = []
    with Workers() as workers:
        for workload in options.workloads:
            if reason := workload.missing():
                print(f"{workload.name} is left out: {reason}\n", flush=True)
                continue
            for threads in options.threads if workload.threaded else [max(options.threads)]:
                without = frozenset(options.without)
                conditions = Conditions(threads, options.rounds or 7, options.seconds or 0.2, workers, without)
                results.append(measure(workload, conditions))
                print(text(results[-1]), flush=True)
    return int(not all(result.sound for result in results))


if __name__ == "__main__":
    raise SystemExit(main())
