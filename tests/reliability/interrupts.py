"""SIGINT and SIGTERM: the step in progress is finished and saved; a second signal ends the process where it is."""

from __future__ import annotations

import random
import re
import signal
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, Final

from declnet.errors import Interrupted, Terminated
from declnet.runner.signals import Signals
from reliability.children import Ended
from reliability.crashed import RUN, SCENES, Log, Runs, called, numbers, runs
from reliability.promise import Outcome, Scale

CODES: Final = {signal.SIGINT: Interrupted.exit_code, signal.SIGTERM: Terminated.exit_code}
BEFORE: Final = {signal.SIGINT: Interrupted.exit_code, signal.SIGTERM: -signal.SIGTERM}
"""How a signal ends what has not begun to train, or has ended."""
SECONDS: Final = 2.0
MOST: Final = 30.0
"""Seconds after which a run has begun, on the slowest machine."""
AT_ONCE: Final = 1.0
"""Seconds in which a process that is killed has gone, its memory given back, on a busy machine."""

STRIDE: Final[Mapping[Scale, int]] = {"quick": 191, "whole": 5}
"""One call in so many, with each signal: odd numbers, so that both are sent."""
TWICE: Final[Mapping[Scale, int]] = {"quick": 200, "whole": 4}
MOMENTS: Final[Mapping[Scale, int]] = {"quick": 6, "whole": 100}
LARGE: Final[Mapping[Scale, int]] = {"quick": 1, "whole": 5}

SAID: Final = re.compile(
    rf"error: stopped by a signal at epoch (\d+), step (\d+); {RUN}/checkpoints/last.npz holds what was learned; "
    rf"to go on: --resume {RUN}\n"
)
NETWORK: Final = (
    "model=[{type: Linear, out_features: 2000}, ReLU, {type: Linear, out_features: 2000}, ReLU, "
    "{type: Linear, out_features: 2}]"
)
"""Four million parameters."""
LONG_STEP: Final = (
    "optimizer={type: LBFGS, max_iter: 2000, history_size: 2, tolerance_grad: 0, tolerance_change: 0}"
)


def stopped(tries: Runs, ended: Ended, number: signal.Signals) -> str:
    """How a command did not end as one that was stopped: with its exit code, and a checkpoint of the step that it
    names.
    """
    said = SAID.fullmatch(ended.stderr)
    if ended.rc != CODES[number] or said is None:
        return f"{ended.rc}: {ended.stderr}"
    epoch, step = map(int, said.groups())
    meta = tries.meta()
    return "" if (meta["epoch"], meta["partial"]["step"]) == (epoch - 1, step) else f"{ended.stderr} holds {meta}"


def watched(log: Log) -> range:
    """The calls that a run makes while it watches for signals, up to its last step."""
    begin = next(index for index, entry in enumerate(log) if entry["name"] == "watching")
    end = max(index for index, entry in enumerate(log) if entry["name"] == "stepped")
    inside = [entry["number"] for entry in log[begin:end] if "number" in entry]
    return range(inside[0], inside[-1] + 1) if inside else range(0)


def steps_before(tries: Runs, name: str, at: int) -> int:
    """The steps that are done before a call."""
    log = tries.logs[name]
    index = next(index for index, entry in enumerate(log) if entry.get("number") == at)
    return tries.promised(name, 0) + sum(entry["name"] == "stepped" for entry in log[:index])


def at_calls(scale: Scale) -> Outcome:
    """Send each signal before each call to the file system."""
    failures = []
    ends: Counter[int] = Counter()
    with runs() as tries:
        every = [
            (name, entry["number"], number)
            for name, log in tries.logs.items()
            for entry in called(log)
            for number in CODES
        ]
        chosen = every[:: STRIDE[scale]]
        for name, at, number in chosen:
            ended = tries.tried(SCENES[name], {"act": "send", "at": at, "number": number})
            ends[ended.rc] += 1
            wrong, least = "", tries.promised(name, at)
            if at in watched(tries.logs[name]):
                wrong, least = stopped(tries, ended, number), steps_before(tries, name, at) + 1
                if not wrong and tries.meta()["step"] != least:
                    wrong = f"holds step {tries.meta()['step']}, and step {least} was in progress"
            elif ended.rc not in (0, BEFORE[number]):
                wrong = f"{ended.rc}: {ended.stderr}"
            wrong = wrong or tries.wrong(SCENES[name], least)
            failures += [f"{name}, {number.name} before call {at}: {wrong}"] if wrong else []
        said = ", ".join(f"{count:,} with {code}" for code, count in sorted(ends.items()))
        figures = f"{numbers(tries)}; ended: {said}; {len(tries.ends):,} different states gone on with"
    return Outcome(len(chosen), failures, figures)


def late(tries: Runs, number: signal.Signals, more: Sequence[str], times: int = 1) -> Ended:
    """Send a signal once a run of a large network has begun, and perhaps another one a fifth of a second later."""
    begin = 0.5
    while begin < MOST:
        tries.begin("")
        sent = [(begin, number), *[(0.2, number)] * (times - 1)]
        ended = tries.children.disturbed(
            tries.folder, "train", "tiny.yaml", "-q", NETWORK, *more, act={}, sent=sent
        )
        if (tries.folder / RUN / "config.yaml").exists():
            return ended
        begin *= 2
    raise AssertionError(f"a run has not begun after {begin / 2} s: {ended}")


def at_moments(scale: Scale) -> Outcome:
    """Send signals at random moments of the second half of a run, and see how long it goes on."""
    failures: list[str] = []
    ends: Counter[str] = Counter()
    rng = random.Random(7)  # noqa: S311 - the same moments each time, as far as a clock has them
    longest = 0.0
    with runs() as tries:
        takes = {name: tries.tried(scene, {}, [(0, 0)]).late for name, scene in SCENES.items()}
        for count in range(MOMENTS[scale]):
            name, number = list(SCENES)[count % len(SCENES)], list(CODES)[count % len(CODES)]
            ended = tries.tried(SCENES[name], {}, [(takes[name] * rng.uniform(0.5, 1), number)])
            ends[f"{number.name} {ended.rc}"] += 1
            longest = max(longest, ended.late)
            wrong = stopped(tries, ended, number) if ended.stderr else ""
            if ended.rc not in (0, CODES[number], BEFORE[number]):
                wrong = f"{ended.rc}: {ended.stderr}"
            wrong = wrong or tries.wrong(SCENES[name], tries.promised(name, 0))
            if ended.late > SECONDS:
                wrong = f"ended {ended.late:.2f} s later"
            failures += [f"{name}, {number.name}, moment {count}: {wrong}"] if wrong else []
        large = [late(tries, number, ["loop.epochs=100000"]) for number in CODES for _ in range(LARGE[scale])]
        for ended in large:
            if ended.rc not in CODES.values() or not SAID.fullmatch(ended.stderr) or ended.late > SECONDS:
                failures.append(f"a large network: {ended.rc} after {ended.late:.2f} s: {ended.stderr}")
        said = ", ".join(f"{text}: {count:,}" for text, count in sorted(ends.items()))
        figures = (
            f"at most {longest:.2f} s after the signal, of {len(large)} runs with 4 million parameters "
            f"{max(ended.late for ended in large):.2f} s; ended: {said}; {len(tries.ends):,} states gone on with"
        )
    return Outcome(MOMENTS[scale] + len(large), failures, figures)


def second(scale: Scale) -> Outcome:
    """Send SIGINT twice before each call that a run makes, and twice within a long step."""
    failures = []
    with runs() as tries:
        every = [(name, at) for name, log in tries.logs.items() for at in watched(log)]
        chosen = every[:: TWICE[scale]]
        for name, at in chosen:
            act = {"act": "send", "at": at, "number": signal.SIGINT, "times": 2}
            ended = tries.tried(SCENES[name], act)
            wrong = "" if ended.rc == -signal.SIGINT and not ended.stderr else f"{ended.rc}: {ended.stderr}"
            wrong = wrong or tries.wrong(SCENES[name], tries.promised(name, at))
            failures += [f"{name}, before call {at}: {wrong}"] if wrong else []
        large = [late(tries, signal.SIGINT, [LONG_STEP], times=2) for _ in range(LARGE[scale])]
        for ended in large:
            if ended.rc != -signal.SIGINT or ended.late > AT_ONCE or ended.stderr:
                failures.append(f"a long step: {ended.rc} after {ended.late:.2f} s: {ended.stderr}")
        figures = (
            f"{len(chosen):,} before a call; {len(large)} within a step that goes on, where the process was gone "
            f"{max(ended.late for ended in large):.2f} s later at most"
        )
    return Outcome(len(chosen) + len(large), failures, figures)


def handlers(scale: Scale) -> Outcome:
    """Look at what the handler of each signal does, and that both are those of a run."""
    failures = []
    with Signals() as signals:
        for number in CODES:
            handler: Any = signal.getsignal(number)
            done = set(handler.__code__.co_names)
            if handler != signals._note or done != {"received", "signal", "SIG_DFL"}:
                failures.append(f"{number.name}: {handler} does {done}")
    return Outcome(len(CODES), failures, "each notes the signal's number, and has the next one end the process")
