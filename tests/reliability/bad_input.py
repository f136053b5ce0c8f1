"""Bad input: whatever is broken is refused with its exit code, at its place, in words, at once."""

from __future__ import annotations

import shutil
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from app.tiny import everything
from reliability.broken_inputs import Case, cases, complaints
from reliability.children import Children, Ended
from reliability.promise import Outcome, Promise, Scale

SECONDS: Final = {False: 1.0, True: 2.0}
"""Of a processor, by whether the input is a bomb."""
BYTES: Final = {False: 200_000_000, True: 256_000_000}

QUICK, STARTED = 10, 12
"""The test suite runs one case in so many; of what is run, one in so many is also run in a program."""


def results(chosen: Sequence[Case], *, loaded: bool) -> Iterator[tuple[Case, Ended, list[tuple[str, str]]]]:
    """Each case, how its command ended, and what was not as it was to be."""
    with tempfile.TemporaryDirectory() as parent, Children(loaded=loaded) as children:
        for case in chosen:
            folder = Path(parent, "folder")
            folder.mkdir()
            case.write(folder)
            before = everything(folder)
            ended = children.declnet(folder, *case.arguments)
            if ended.cpu > SECONDS[case.bomb] / 2:  # a busy machine has slow processors; the least counts
                others = [children.declnet(folder, *case.arguments) for _ in range(3)]
                ended = min([ended, *others], key=lambda one: one.cpu)
            yield case, ended, list(complaints(case, ended, before, folder))
            shutil.rmtree(folder)


def chosen_of(scale: Scale) -> list[Case]:
    return cases() if scale == "whole" else cases()[::QUICK]


def say(scale: Scale) -> Outcome:
    """Exit code, line, column and text of each, and that nothing is written."""
    failures: dict[str, str] = {}
    missed: Counter[str] = Counter()
    codes: Counter[int] = Counter()
    chosen = chosen_of(scale)
    for case, ended, wrong in results(chosen, loaded=True):
        codes[ended.rc] += 1
        missed.update({kind for kind, _ in wrong})
        for _, line in wrong[:1]:
            failures[case.name] = line
    right = ", ".join(f"{kind} {len(chosen) - missed[kind]:,}" for kind in ("exit", "line", "column", "text"))
    ends = ", ".join(f"{count:,} with {code}" for code, count in sorted(codes.items()))
    left = len(chosen) - missed["files"]
    figures = f"right: {right} of {len(chosen):,}; exits: {ends}; folders left as they were: {left:,}"
    return Outcome(len(chosen), list(failures.values()), figures)


def cost(scale: Scale) -> Outcome:
    """Time and memory of each, the start of a program counted in; of bombs and some others in programs too."""
    failures: list[str] = []
    worst = {bomb: [0.0, 0] for bomb in (False, True)}
    chosen = chosen_of(scale)
    own = [case for number, case in enumerate(chosen) if not number % STARTED or case.bomb]
    with tempfile.TemporaryDirectory() as folder, Children(loaded=False) as children:
        Path(folder, "c.yaml").touch()
        starts = [children.declnet(Path(folder), "validate", "c.yaml") for _ in range(3)]
    start, least = min(ended.cpu for ended in starts), min(ended.peak for ended in starts)
    for loaded, some in ((True, chosen), (False, own)):
        for case, ended, _ in results(some, loaded=loaded):
            cpu = ended.cpu + start * loaded
            worst[case.bomb] = [max(worst[case.bomb][0], cpu), max(worst[case.bomb][1], ended.peak)]
            if cpu > SECONDS[case.bomb] or ended.peak > BYTES[case.bomb]:
                failures.append(f"{case.name}: {cpu:.2f} s of a processor, {ended.peak:,} bytes, forked: {loaded}")
    figures = (
        f"at most {worst[False][0]:.2f} s of a processor and {worst[False][1] / 1e6:.0f} MB, bombs "
        f"{worst[True][0]:.2f} s and {worst[True][1] / 1e6:.0f} MB; "
        f"an empty config takes {start:.2f} s and {least / 1e6:.0f} MB; "
        f"{len(chosen):,} in forks of a process that has imported declnet, with the time of a start added, and "
        f"{len(own):,} of them in programs of their own as well; the least of four runs where one took long"
    )
    return Outcome(len(chosen) + len(own), failures, figures)


PROMISES: Final = (
    Promise(
        "broken inputs are refused",
        "What is broken ends with its exit code, the file, line and column of each mistake and what to do, without "
        "a traceback, and writes nothing",
        say,
    ),
    Promise(
        "broken inputs cost little",
        "A refusal takes at most 1 s of a processor and 200 MB; of a bomb 2 s and 256 MB",
        cost,
    ),
)
