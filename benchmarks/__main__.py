"""The command: `python -m benchmarks [WORKLOAD]...`."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from benchmarks.frame import Result, SideError, measure
from benchmarks.machine import cores, machine
from benchmarks.report import as_json, text, write_markdown
from benchmarks.workloads import WORKLOADS


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="declnet and PyTorch, side by side.")
    parser.add_argument(
        "workloads", nargs="*", metavar="WORKLOAD", help=f"{', '.join(WORKLOADS)}; all if none is named"
    )
    parser.add_argument("--rounds", type=int, metavar="N", help="measure each side N times")
    parser.add_argument(
        "--threads",
        type=int,
        nargs="+",
        default=sorted({1, cores()}),
        metavar="N",
        help="default: 1, and all cores",
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every measurement here")
    parser.add_argument("--markdown", type=Path, metavar="FILE", help="rewrite the section Results of this file")
    options = parser.parse_args()
    unknown = [name for name in options.workloads if name not in WORKLOADS]
    if unknown:
        parser.error(f"no workload is called {unknown[0]!r}; there are {', '.join(WORKLOADS)}")
    return options


def main() -> int:
    """Measure, and print; 1 where a side computes something else. How long anything takes never fails."""
    options = arguments()
    here = machine()
    print(*(f"{name}: {value}" for name, value in here.items()), "", sep="\n")
    results: list[Result] = []
    for name in options.workloads or WORKLOADS:
        workload = WORKLOADS[name]
        for threads in options.threads if workload.threaded else [max(options.threads)]:
            try:
                results.append(measure(workload, threads, options.rounds or workload.rounds))
            except SideError as error:
                print(error, file=sys.stderr)
                return 1
            print(text(results[-1]), flush=True)
    if options.json:
        options.json.write_text(json.dumps(as_json(here, results), indent=1) + "\n")
    wrong = any(result.wrong for result in results)
    if options.markdown and not wrong:
        write_markdown(options.markdown, here, results)
    return int(wrong)


if __name__ == "__main__":
    raise SystemExit(main())
