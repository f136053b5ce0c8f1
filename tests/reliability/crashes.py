"""Crashes: refusals of the disk, kills and losses of power, after which every run goes on to the same bits."""

from __future__ import annotations

import errno
import os
import random
import signal
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import PurePath
from typing import Any, Final

from declnet.errors import ConfigError, DataError, MachineError
from reliability import interrupts, straced
from reliability.calls import Call
from reliability.children import Ended
from reliability.crashed import RUN, SCENES, Runs, called, numbers, runs
from reliability.disk import Disk, Tree, write
from reliability.promise import Outcome, Promise, Scale

ERRORS: Final = ("ENOSPC", "EIO", "EDQUOT", "EROFS")
LASTING: Final = ("ENOSPC", "EROFS")
"""A disk that is full, or read-only, stays so."""

STRIDE: Final[Mapping[Scale, int]] = {"quick": 89, "whole": 1}
"""One call in so many is tried."""
KILLS: Final[Mapping[Scale, int]] = {"quick": 12, "whole": 500}
STATES: Final[Mapping[Scale, int]] = {"quick": 67, "whole": 1}
"""One in so many is tried of what may be there after a loss of power."""


def changes(entry: Mapping[str, Any]) -> bool:
    """Whether a call changes what is on the disk."""
    return Call(entry["number"], entry["name"], ("", entry.get("flags", 0)), entry["path"]).changes


def acts(runs: Runs) -> Iterator[tuple[str, int, dict[str, object]]]:
    """What is refused: a scene, the number of a call, and how. All errors at all calls of a run that begins, and
    one error after another at those of one that goes on.
    """
    for number, (scene, log) in enumerate(runs.logs.items()):
        for entry in called(log):
            at = entry["number"]
            for error in ERRORS if number == 0 else (ERRORS[(at + number) % len(ERRORS)],):
                yield scene, at, {"act": "refuse", "at": at, "error": error}
            if number == 0 and changes(entry):
                yield scene, at, {"act": "refuse", "at": at, "error": LASTING[at % len(LASTING)], "lasting": True}
            if entry["name"] == "write":
                yield scene, at, {"act": "fill", "at": at}


INPUTS: Final = {
    "tiny.yaml": ConfigError.exit_code,
    "config.yaml": ConfigError.exit_code,
    "t.csv": DataError.exit_code,
}
"""What is wrong where one of these cannot be read: the message has its place."""


def refused(runs: Runs, ended: Ended, name: str, at: int, act: Mapping[str, object]) -> str:
    """How a command did not end as one that the disk has refused something: with exit 5 and what that was, or as if
    nothing had been.
    """
    if ended.rc == 0:
        return runs.differs()
    reason = os.strerror(getattr(errno, str(act.get("error", "ENOSPC"))))
    entry = entry_at(runs, name, at)
    file = PurePath(entry.get("to", entry["path"])).name
    expected = {MachineError.exit_code} | ({INPUTS[file]} if file in INPUTS and not changes(entry) else set())
    if ended.rc not in expected or not ended.in_words:
        return f"{ended.rc}: {ended.stderr}"
    first = ended.stderr.partition("\n")[0]
    what = file.removesuffix(".tmp") in first or "the run directory" in first
    if not ("error: " in first and reason in first and what):
        return f"said: {ended.stderr}"
    left = [path.name for path in (runs.folder / RUN).rglob("*.tmp")]
    return f"left {left}" if left and "lasting" not in act else ""


def errors(scale: Scale) -> Outcome:
    """Refuse each call to the file system."""
    failures: list[str] = []
    ends: Counter[int] = Counter()
    with runs() as tries:
        chosen = list(acts(tries))[:: STRIDE[scale]]
        for name, at, act in chosen:
            ended = tries.tried(SCENES[name], act)
            ends[ended.rc] += 1
            wrong = refused(tries, ended, name, at, act) or tries.wrong(SCENES[name], tries.promised(name, at))
            failures += [f"{name}, {act}, {place(tries, name, at)}: {wrong}"] if wrong else []
        more = list(by_kernel(tries)) if scale == "whole" and straced.there() else []
        said = ", ".join(f"{count:,} with {code}" for code, count in sorted(ends.items()))
        figures = (
            f"{numbers(tries)}; ended: {said}; {len(tries.ends):,} different states gone on with; "
            f"{len(more):,} refusals and kills more by strace"
        )
    return Outcome(len(chosen) + len(more), [*failures, *filter(None, more)], figures)


def by_kernel(tries: Runs) -> Iterator[str]:
    """For each refusal and each kill by strace how the run did not end as it was to; nothing where it did."""
    for what, call, ended in straced.injected(tries):
        if what == straced.KILL:
            wrong = "" if ended.rc == -signal.SIGKILL else str(ended)
        elif ended.rc == 0:
            wrong = tries.differs()
        else:
            reason = os.strerror(getattr(errno, what))
            right = ended.rc == MachineError.exit_code and ended.in_words and ended.stderr.endswith(f"{reason}\n")
            wrong = "" if right else str(ended)
        wrong = wrong or ("" if call else "nothing was injected")
        wrong = wrong or tries.wrong(SCENES[straced.SCENE], tries.least())
        yield f"strace, {what}, {call}: {wrong}" if wrong else ""


def entry_at(runs: Runs, scene: str, at: int) -> Mapping[str, Any]:
    return next(entry for entry in called(runs.logs[scene]) if entry["number"] == at)


def place(runs: Runs, scene: str, at: int) -> str:
    entry = entry_at(runs, scene, at)
    return f"{entry['name']} {entry['path'].removeprefix(str(runs.folder))}"


def kills_at_calls(scale: Scale) -> Outcome:
    """Kill before each call that changes the disk, and in the middle of each write: what is there before any other
    call is there before the next one of these.
    """
    failures = []
    with runs() as tries:
        every = [
            (scene, entry["number"], torn)
            for scene, log in tries.logs.items()
            for entry in called(log)
            if changes(entry)
            for torn in ((False, True) if entry["name"] == "write" else (False,))
        ]
        chosen = every[:: STRIDE[scale]]
        for name, at, torn in chosen:
            ended = tries.tried(SCENES[name], {"act": "kill", "at": at, "torn": torn})
            survived = "" if ended.rc == -signal.SIGKILL else f"not killed: {ended}"
            wrong = survived or tries.wrong(SCENES[name], tries.promised(name, at))
            failures += [f"{name}, {at}, torn: {torn}, {place(tries, name, at)}: {wrong}"] if wrong else []
        torn = sum(torn for *_, torn in chosen)
        figures = f"{numbers(tries)}; {torn:,} within a write; {len(tries.ends):,} different states gone on with"
    return Outcome(len(chosen), failures, figures)


def kills_at_moments(scale: Scale) -> Outcome:
    """Kill at random moments of the second half of a run: in the first one nothing is written yet."""
    failures = []
    when: Counter[str] = Counter()
    rng = random.Random(7)  # noqa: S311 - the same moments each time, as far as a clock has them
    with runs() as tries:
        names = list(SCENES)
        takes = {name: max(tries.tried(SCENES[name], {}, [(0, 0)]).late for _ in range(2)) for name in names}
        for number in range(KILLS[scale]):
            name = names[number % len(names)]
            ended = tries.tried(SCENES[name], {}, [(takes[name] * rng.uniform(0.5, 1), signal.SIGKILL)])
            step = tries.meta()["step"]
            when["too late" if ended.rc == 0 else f"with a checkpoint of {step} steps" if step else "before"] += 1
            wrong = tries.wrong(SCENES[name], max(tries.promised(name, 0), tries.least()))
            if ended.rc not in (0, -signal.SIGKILL):
                wrong = str(ended)
            failures += [f"{name}, {number}: {wrong}"] if wrong else []
        told = ", ".join(f"{text} {count:,}" for text, count in sorted(when.items()))
        figures = f"killed {told}; {len(tries.ends):,} different states gone on with"
    return Outcome(KILLS[scale], failures, figures)


def powerless(tries: Runs, name: str) -> list[tuple[int, Tree]]:
    """What may be in `runs` after a loss of power in a scene, with the steps that a checkpoint of it must hold."""
    rng = random.Random(7)  # noqa: S311 - the same states each time
    tries.begin(SCENES[name].begins)
    disk, least = Disk(tries.folder), tries.promised(name, 0)
    found: dict[tuple[int, str], Tree] = {}
    for entry in tries.logs[name]:
        disk.do(entry)
        if entry["name"] == "saved":
            least = entry["step"]
        if entry["name"] == "saved" or ("number" in entry and changes(entry)):
            for tree in disk.states(rng):
                there = tree.get("runs", {})
                assert isinstance(there, dict)
                found[least, repr(there)] = there
    return [(steps, tree) for (steps, _), tree in found.items()]


def power(scale: Scale) -> Outcome:
    """Replay what a run has written, up to each call, without what was not synced, or with a part of it."""
    failures: list[str] = []
    cases = 0
    with runs() as tries:
        for name, scene in SCENES.items():
            states = powerless(tries, name)[:: STATES[scale]]
            cases += len(states)
            for number, (least, tree) in enumerate(states):
                tries.begin("")
                write(tree, tries.folder / "runs")
                wrong = tries.wrong(scene, least)
                failures += [f"{name}, state {number}, {shown(tree)}: {wrong}"] if wrong else []
        figures = f"{numbers(tries)}; {cases:,} different states of the disk"
    return Outcome(cases, failures, figures)


def shown(tree: Tree) -> dict[str, object]:
    return {name: len(item) if isinstance(item, bytes) else shown(item) for name, item in tree.items()}


PROMISES: Final = (
    Promise(
        "what the disk refuses is survived",
        "ENOSPC, EIO, EDQUOT or EROFS at any call to the file system ends a run with exit 5 and what was refused "
        "(2 or 3 where the config or the data cannot be read), or does no harm; the newest complete checkpoint "
        "loads, nothing half written is left beside it, and the run goes on to the same bits",
        errors,
    ),
    Promise(
        "a kill at any call is survived",
        "After SIGKILL before any call that changes the disk, or within any write, the newest complete checkpoint "
        "loads and the run goes on to the same bits",
        kills_at_calls,
    ),
    Promise(
        "a kill at any moment is survived",
        "The same after SIGKILL at random moments",
        kills_at_moments,
    ),
    Promise(
        "a loss of power is survived",
        "The same where unsynced writes are lost, torn or there in part, and names that were not synced are lost, "
        "one without the other, at any call",
        power,
    ),
    Promise(
        "a signal stops a run in order",
        "After SIGINT or SIGTERM before any call to the file system the step in progress is finished, a checkpoint "
        "of it written, and the exit is 130 or 143; the run goes on to the same bits",
        interrupts.at_calls,
    ),
    Promise(
        "a signal stops a run soon",
        "The same at random moments, within 2 s",
        interrupts.at_moments,
    ),
    Promise(
        "a second signal ends a run at once",
        "A second SIGINT ends the process before its next call to the file system, or within its step; the newest "
        "complete checkpoint loads, and the run goes on to the same bits",
        interrupts.second,
    ),
    Promise(
        "handlers of signals only note them",
        "What a signal interrupts sees nothing of it: the handler sets a flag, and gives the next signal back to "
        "the system",
        interrupts.handlers,
    ),
)
