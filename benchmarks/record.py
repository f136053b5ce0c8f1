"""Results in a file: every single measurement, and the machine."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Final

from benchmarks.frame import Result

SAME: Final = ("CPU", "Python", "numpy", "torch")
"""What has to be the same where results are put together."""


class OtherMachineError(Exception):
    """Results that cannot be put together."""


def write(file: Path, machine: Mapping[str, str], results: Sequence[Result]) -> None:
    """Write them all, with the ratio that counts, which readers need not work out."""
    found = [asdict(result) | {"rival": result.rival, "ratio": result.ratio} for result in results]
    file.write_text(json.dumps({"machine": machine, "results": found}, indent=1) + "\n", "utf-8")


def read(file: Path, here: Mapping[str, str]) -> tuple[Mapping[str, str], list[Result]]:
    """The results of an earlier run on the same machine, and how the machine was then."""
    content = json.loads(file.read_text("utf-8"))
    for name in SAME:
        there = content["machine"][name]
        if there != here[name]:
            raise OtherMachineError(f"{file} was measured with {name} {there}, and here it is {here[name]}")
    derived = {"rival", "ratio"}
    results = [Result(**{key: item[key] for key in item.keys() - derived}) for item in content["results"]]
    return content["machine"], results
