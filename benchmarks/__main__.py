"""The command: `python -m benchmarks [WORKLOAD]...`."""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NoReturn

from rich.console import Console

from benchmarks import page, record, report, scaling
from benchmarks.forms import COMPILE, FORMS
from benchmarks.frame import Conditions, Result, Workload, measure
from benchmarks.limits import MACHINE
from benchmarks.machine import machine
from benchmarks.workers import Workers
from benchmarks.workloads import DATA_FOLDER, WORKLOADS, chosen, quick
from declnet.core.cpus import cpus


def parser() -> argparse.ArgumentParser:
    """The command line."""
    made = argparse.ArgumentParser(prog="python -m benchmarks", description="declnet and PyTorch, side by side.")
    made.add_argument(
        "workloads",
        nargs="*",
        metavar="WORKLOAD",
        help="a name, how it begins, a group or a pattern; all without, but for those of the group `scaling`",
    )
    made.add_argument("--list", action="store_true", help="print the names of the workloads")
    made.add_argument("--quick", action="store_true", help="whether everything runs: no times to go by")
    made.add_argument("--rounds", type=int, metavar="N", help="measure each side N times")
    made.add_argument("--seconds", type=float, metavar="S", help="how long a sample lasts (0.1)")
    made.add_argument("--threads", type=int, nargs="+", metavar="N", help="how many (1, and all cores)")
    made.add_argument("--without", nargs="+", default=[], metavar="FORM", choices=[*FORMS], help=", ".join(FORMS))
    made.add_argument("--data", type=Path, metavar="FOLDER", help=f"where MNIST-10k is ({DATA_FOLDER})")
    made.add_argument("--json", type=Path, metavar="FILE", help="write every measurement here")
    made.add_argument("--markdown", type=Path, metavar="FILE", help="rewrite the section Results of this file")
    made.add_argument("--plots", type=Path, metavar="FOLDER", help="draw what `scaling` measured; needs matplotlib")
    made.add_argument(
        "--from",
        dest="earlier",
        type=Path,
        metavar="FILE",
        help="put the results of an earlier --json with these; with no WORKLOAD nothing is measured",
    )
    return made


class Run:
    """What is measured in one go, shown as it comes and written down each time: what is there is not lost."""

    def __init__(self, options: argparse.Namespace, here: Mapping[str, str], earlier: Sequence[Result]) -> None:
        self.options, self.here, self.console = options, here, Console()
        self.results = list(earlier)

    def add(self, result: Result) -> None:
        """Take a result, in the place of one that it replaces."""
        keys = [(found.name, found.threads) for found in self.results]
        key = (result.name, result.threads)
        if key in keys:
            self.results[keys.index(key)] = result
        else:
            self.results.append(result)
        for part in report.shown(result, self.limits(result.threads)):
            self.console.print(part, soft_wrap=isinstance(part, str), highlight=False)
        if self.options.json:
            record.write(self.options.json, self.here, self.results)

    def limits(self, threads: int) -> Result | None:
        """Those of the machine."""
        both = (MACHINE.name, threads)
        return next((result for result in self.results if (result.name, result.threads) == both), None)

    def measure(self, workloads: Sequence[Workload]) -> None:
        """One after another, each with each number of threads."""
        options = self.options
        with Workers() as workers:
            for threads, workload in self._order(workloads):
                if reason := workload.missing():
                    self.console.print(f"{workload.name} is left out: {reason}\n")
                    continue
                without, rounds = frozenset(options.without), options.rounds or workload.rounds
                self.add(measure(workload, Conditions(threads, rounds, options.seconds, workers, without)))

    def _order(self, workloads: Sequence[Workload]) -> Iterator[tuple[int, Workload]]:
        for workload in (MACHINE, *workloads):
            for threads in self.options.threads if workload.threaded else [max(self.options.threads)]:
                yield threads, workload

    def close(self) -> int:
        """Sum up; 1 where a side computed something else, or declnet did not get through."""
        order = [MACHINE.name, *WORKLOADS]
        self.results.sort(key=lambda result: (order.index(result.name), result.threads))
        self.console.print(report.tabled(report.summary(self.results)))
        if self.options.json:
            record.write(self.options.json, self.here, self.results)
        if self.options.plots:
            for file in scaling.draw(self.options.plots, self.results):
                self.console.print(f"{file} is drawn")
        if self.options.markdown:
            page.write(self.options.markdown, self.here, self.results)
        return int(not all(result.sound for result in self.results))


def main() -> int:
    """Measure, and print. How long anything takes never fails."""
    made = parser()
    options = made.parse_args()
    if options.list:
        print(*WORKLOADS, sep="\n")
        return 0
    if options.data:
        os.environ[DATA_FOLDER] = str(options.data)
    workloads = _chosen(options, made)
    options.rounds = options.rounds or (1 if options.quick else None)
    options.seconds = options.seconds or (0.01 if options.quick else 0.1)
    options.threads = options.threads or ([cpus()] if options.quick else sorted({1, cpus()}))
    here, earlier = machine(), []
    if options.earlier:
        try:
            here, earlier = record.read(options.earlier, here)
        except (OSError, record.OtherMachineError) as error:
            made.error(str(error))
    run = Run(options, here, earlier)
    run.console.print(*(f"{name}: {value}" for name, value in run.here.items()), "", sep="\n", highlight=False)
    if workloads:
        run.measure(workloads)
    return run.close()


def _chosen(options: argparse.Namespace, made: argparse.ArgumentParser) -> Sequence[Workload]:
    if options.earlier and not options.workloads:
        return []
    try:
        found = chosen(options.workloads)
    except KeyError as error:
        _refuse(made, error.args[0])
    if options.quick:
        options.without.append(COMPILE)
        found = quick(found)
    return found


def _refuse(made: argparse.ArgumentParser, word: str) -> NoReturn:
    made.error(f"no workload is called {word!r}; --list prints all")


if __name__ == "__main__":
    raise SystemExit(main())
