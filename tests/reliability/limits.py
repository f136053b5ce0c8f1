"""Limits: where the machine gives too little, a command says so, with exit 5, and leaves nothing half done."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Final

from reliability.attempts import COMMANDS, READING, WRITING, Attempt, attempts
from reliability.promise import Outcome, Promise, Scale

WIDE: Final = """\
name: wide
data: {source: {type: Regression, samples: 2000, features: 50}, split: {train: 0.8, val: 0.2, test: 0}}
model:
  - {type: Linear, out_features: 1500}
  - ReLU
  - {type: Linear, out_features: 1500}
  - {type: Linear, out_features: 1}
loss: MSELoss
optimizer: AdamW
loop: {epochs: 1, batch_size: 800}
"""
"""A network that needs a few hundred MB of addresses to be trained."""
MEMORY: Final[Mapping[str, tuple[str, Sequence[int]]]] = {
    "train": ("declnet train wide.yaml -q --run-dir new/run", range(200, 400, 8)),
    "train a small one": (COMMANDS["train"], range(104, 264, 8)),
    "resume": ("declnet train -q --resume w loop.epochs=2", range(200, 400, 20)),
    "cross-validate": ("declnet train wide.yaml -q loop.folds=2 --run-dir new", range(200, 400, 20)),
    "evaluate": ("declnet evaluate w --split val", range(104, 304, 20)),
    "predict": ("declnet predict w --input x.npz --output p.npz", range(104, 304, 20)),
    "train on two threads": (
        "OPENBLAS_NUM_THREADS=2 declnet train wide.yaml -q --run-dir new",
        range(200, 440, 20),
    ),
}
"""What needs memory, and how many MB of addresses it is given."""
GO_ON: Final = "declnet train -q --resume new"
"""What comes to the end of a cross-validation that stopped within a fold."""
SAYS_HOW_MUCH: Final = re.compile(r"error: not enough memory: .*\d.*\n")


def memory(scale: Scale) -> Outcome:
    """Commands with more and more memory, until it is enough, and further."""
    failures: list[str] = []
    codes: Counter[int] = Counter()
    least: dict[str, int] = {}
    with attempts() as tries:
        (tries.good.folder / "wide.yaml").write_text(WIDE, "utf-8")
        tries.good.done("train", "wide.yaml", "-q", "--run-dir", "w")
        save = "import numpy; numpy.savez('x.npz', x=numpy.ones((5000, 50), 'f4'))"
        tries.good.children.python(tries.good.folder, "-c", save)
        for name, (line, limits) in list(MEMORY.items())[:: 2 if scale == "quick" else 1]:
            free = tries.of(line)
            for limit in limits[:: 12 if scale == "quick" else 1]:
                found = tries.of(f"ulimit -v {limit * 1000}; {line}")
                codes[found.ended.rc] += 1
                if found.ended.rc == 0:
                    least.setdefault(name, limit)
                wrong = complaint(found, free)
                if wrong and name == "cross-validate" and found.ended.rc == 5:  # folds that are done stay
                    wrong = complaint(tries.of(f"(ulimit -v {limit * 1000}; {line}); {GO_ON}"), free)
                if not wrong and found.ended.rc and not SAYS_HOW_MUCH.fullmatch(found.ended.stderr):
                    wrong = f"does not say how much is needed: {found.ended.stderr}"
                failures += [f"{name}, {limit} MB: {wrong}"] if wrong else []
    enough = ", ".join(f"{name} {limit}" for name, limit in least.items())
    return Outcome(sum(codes.values()), failures, f"{ends(codes)}; the least that was enough, in MB: {enough}")


def complaint(found: Attempt, free: Attempt) -> str:
    """What is wrong with an end that is to be that of a command with no limit, or 5 with nothing changed."""
    if found.ended.rc == 0:
        return "" if found.learned == free.learned else "ended with 0, and learned something else"
    right = found.ended.rc == 5 and found.ended.in_words and found.unchanged
    return "" if right else f"{found.ended.rc}, {found.unchanged=}: {found.ended.stderr[-300:]}"


def ends(codes: Counter[int]) -> str:
    return f"ends: {', '.join(f'{count:,} with {code}' for code, count in sorted(codes.items()))}"


FILES: Final = 5
"""Open files that a command gets at least: with fewer Python does not start."""


def descriptors(scale: Scale) -> Outcome:
    """Each command with few open files."""
    failures: list[str] = []
    codes: Counter[int] = Counter()
    with attempts() as tries:
        for name, line in list(COMMANDS.items())[:: 4 if scale == "quick" else 1]:
            free = tries.of(line)
            least = FILES + (name == "cross-validate")  # which locks a directory in a directory
            for limit in range(least, least + (1 if scale == "quick" else 4)):
                found = tries.of(f"ulimit -n {limit}; {line}")
                codes[found.ended.rc] += 1
                wrong = complaint(found, free)
                failures += [f"{name}, {limit} files: {wrong}"] if wrong else []
    return Outcome(sum(codes.values()), failures, ends(codes))


FULL: Final = "error: cannot write to stdout: No space left on device\n"
STREAMS: Final[Mapping[str, tuple[str, str]]] = {
    "full": ("> /dev/full", FULL),
    "a pipe that nobody reads": ("| true", ""),
}
"""Where stdout goes, and what is then said."""


def streams(scale: Scale) -> Outcome:
    """Each command with a stdout, and training and a refusal with a stderr, that takes nothing."""
    failures: list[str] = []
    cases = 0
    with attempts() as tries:
        for name, line in list(COMMANDS.items())[:: 6 if scale == "quick" else 1]:
            free = tries.of(line)
            for where, (redirection, text) in STREAMS.items():
                cases += 1
                found = tries.of(f"{line} {redirection}")
                if (found.ended.rc, found.ended.stderr, found.learned) != (5, text, free.learned):
                    failures.append(f"{name}, {where}: {found.ended.rc}: {found.ended.stderr[-300:]}")
        for line, code in {"declnet train tiny.yaml": 5, "declnet validate none.yaml": 2}.items():
            for redirection in ("2> /dev/full", "2>&1 | true"):
                cases += 1
                found = tries.of(f"{line} {redirection}")
                if found.ended.rc != code or found.ended.stderr:
                    failures.append(f"{line} {redirection}: {found.ended.rc}: {found.ended.stderr[-300:]}")
    return Outcome(cases, failures)


SURROUNDINGS: Final[Sequence[str]] = (
    "-u HOME",
    "HOME=/nonexistent XDG_CACHE_HOME=/nonexistent",
    "-u HOME -u LANG -u COLUMNS -u OPENBLAS_NUM_THREADS",
    "TMPDIR=/nonexistent",
    "-u LANG LC_ALL=C",
    "-u LANG LC_ALL=POSIX",
    "LC_ALL=xx_XX.none",
    "PYTHONIOENCODING=ascii",
    "PYTHONIOENCODING=latin-1",
)
"""What `env` is told."""


def surroundings(scale: Scale) -> Outcome:
    """Each command on files and columns with umlauts in their names, in odd surroundings."""
    failures: list[str] = []
    cases = 0
    with attempts("ä") as tries:
        for name, command in list(COMMANDS.items())[:: 6 if scale == "quick" else 1]:
            line = command.replace("tiny.yaml", "ä.yaml").replace("t.csv", "ä.csv").replace("/run", "/ö")
            free = tries.of(line)
            for told in SURROUNDINGS[:: 3 if scale == "quick" else 1]:
                cases += 1
                found = tries.of(f"env {told} {line}")
                if (found.ended.rc, found.ended.stderr, found.learned) != (0, "", free.learned):
                    failures.append(f"{name}, {told}: {found.ended.rc}: {found.ended.stderr[-300:]}")
    return Outcome(cases, failures)


NOWHERE: Final = ("/sys/run", "/proc/run", "/dev/null/run", "/dev/full")
"""Where nobody can make a directory."""


def read_only(scale: Scale) -> Outcome:
    """Each command in a folder that is read-only; and runs that are to be where no directory can be made."""
    failures: list[str] = []
    with attempts() as tries:
        wrapper = tries.read_only()
        names = [] if wrapper is None else [*WRITING, *READING][:: 4 if scale == "quick" else 1]
        for name in names:
            found = tries.of(COMMANDS[name], *(wrapper or ()))
            code = 5 if name in WRITING else 0
            said = "Read-only file system\n" in found.ended.stderr or not code
            if found.ended.rc != code or not found.unchanged or not said:
                failures.append(f"{name}: {found.ended.rc}: {found.ended.stderr[-300:]}")
        for where in NOWHERE:
            found = tries.of(f"declnet train tiny.yaml -q --run-dir {where}")
            code = 2 if where == "/dev/full" else 5  # which is no directory
            if found.ended.rc != code or not found.unchanged or not found.ended.in_words:
                failures.append(f"{where}: {found.ended.rc}: {found.ended.stderr[-300:]}")
    how = (
        f"{len(names)} in a read-only mount" if names else "without the right to mount, only where nobody can write"
    )
    return Outcome(len(names) + len(NOWHERE), failures, how)


PROMISES: Final = (
    Promise(
        "too little memory is said",
        "With too few addresses (RLIMIT_AS) a command ends with exit 5, says how many bytes are needed, and leaves "
        "no directory behind and no file changed; a cross-validation that stops at a later fold keeps those before "
        "it, and goes on; with enough it comes to the same bits",
        memory,
    ),
    Promise(
        "few files are enough",
        f"With {FILES} open files or more (RLIMIT_NOFILE; with fewer Python does not start), and {FILES + 1} for a "
        "cross-validation, a command does its work, or ends with exit 5 and changes nothing",
        descriptors,
    ),
    Promise(
        "a stdout that takes nothing is said",
        "A full stdout, or one whose reader has gone, ends each command with exit 5, after its work, without a "
        "traceback; a stderr that takes nothing ends training with exit 5 at the first line of progress, and "
        "leaves a refusal its exit code",
        streams,
    ),
    Promise(
        "surroundings do not matter",
        "Without HOME and other variables, in the C locale and with streams in ASCII, each command does its work "
        "on files, columns and directories with umlauts in their names",
        surroundings,
    ),
    Promise(
        "nothing is left where nothing can be written",
        "In a read-only directory each command that writes ends with exit 5 and says so; each that only "
        "reads works",
        read_only,
    ),
)
