"""One writer: a run directory is one process's, goes to another when that has ended, and is never written over."""

from __future__ import annotations

import shutil
import signal
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from app.tiny import everything
from reliability.place import Place, prepared
from reliability.promise import Outcome, Promise, Scale
from reliability.together import Started, together

TIMES: Final = 20
"""Starts at once."""
ROUNDS: Final[Mapping[Scale, int]] = {"quick": 1, "whole": 3}
"""How often each kind of start is tried."""
KILLS: Final[Mapping[Scale, int]] = {"quick": 3, "whole": 40}
HEIRS: Final = 5
"""Starts at once where a process was killed."""

EPOCHS: Final = 100
"""Of a run that is held still after some of them."""
A_KILL: Final = 25
"""Epochs for each kill: more than a run gets to before it is held still."""
NEW: Final = ("train", "tiny.yaml", "-q", "--run-dir")
ON: Final = ("train", "-q", "--resume")


@dataclass(frozen=True)
class Race:
    """A command for a directory, what has been done before, and what the config says beside what tiny.yaml does."""

    command: Sequence[str]
    directory: str = "r"
    settings: Sequence[str] = ()
    before: Callable[[Place], object] = lambda _: None

    @property
    def runs(self) -> list[str]:
        """The runs that come of it, the one that is trained first first."""
        return [f"{self.directory}/fold-{n}" for n in (1, 2)] if self.settings else [self.directory]


FOLDS: Final = ("loop.folds=2",)
RACES: Final[Mapping[str, Race]] = {
    "a new run": Race((*NEW, "r")),
    "a run that goes on": Race((*ON, "r"), before=lambda place: place.done(*NEW, "r")),
    "a directory that is empty": Race((*NEW, "r"), before=lambda place: (place.folder / "r").mkdir()),
    "a directory without parents": Race((*NEW, "a/b/r"), "a/b/r"),
    "a new cross-validation": Race((*NEW, "r", *FOLDS), settings=FOLDS),
    "a cross-validation that goes on": Race(
        (*ON, "r"), settings=FOLDS, before=lambda place: place.done(*NEW, "r", *FOLDS)
    ),
}


def one_wins(scale: Scale) -> Outcome:
    """Many starts at once for one directory: one has it, and the others name that one."""
    failures: list[str] = []
    codes: Counter[int] = Counter()
    chosen = list(RACES)[: 2 if scale == "quick" else None]
    for name in chosen:
        race = RACES[name]
        for _ in range(ROUNDS[scale]):
            with prepared() as place:
                race.before(place)
                ends = started(place, race, f"loop.epochs={EPOCHS}")
                codes.update(one.rc for one in ends)
                wrong = [*one_winner(ends, race.directory), *undisturbed(place, race, EPOCHS)]
                failures += [f"{name}: {'; '.join(wrong)}"] if wrong else []
    ended = ", ".join(f"{count:,} with {code}" for code, count in sorted(codes.items()))
    return Outcome(len(chosen) * ROUNDS[scale], failures, f"{TIMES} starts each: {ended}")


def started(place: Place, race: Race, *settings: str) -> list[Started]:
    """The command of a race, many times at once."""
    work = f"{race.runs[0].removeprefix(race.directory)}/metrics.jsonl".lstrip("/")
    command = (*race.command, *settings)
    return together(place, *command, times=TIMES, directory=race.directory, until=work)


def one_winner(ends: Sequence[Started], directory: str, code: int = 0) -> Iterator[str]:
    """What is wrong with how starts ended of which one is to have the directory."""
    winners = [one for one in ends if one.rc != 7]
    if [(one.rc, one.held) for one in winners] != [(code, True)]:
        yield f"ended with {[(one.rc, one.stderr[-300:]) for one in winners]}"
        return
    said = (
        f"error: the run directory {directory} is in use by process {winners[0].pid}; "
        "wait until that has ended, or train in another directory\n"
    )
    others = {one.stderr for one in ends if one.rc == 7}
    if others - {said}:
        yield f"said {sorted(others - {said})}"


def undisturbed(place: Place, race: Race, epochs: int) -> Iterator[str]:
    """What differs from a run that was alone."""
    other = f"{race.directory.removesuffix('r')}alone"
    place.done(*NEW, other, *race.settings, f"loop.epochs={epochs}")
    for run in race.runs:
        alone = other + run.removeprefix(race.directory)
        for name in ("config.yaml", "checkpoints/last.npz", "checkpoints/best.npz"):
            if (place.folder / run / name).read_bytes() != (place.folder / alone / name).read_bytes():
                yield f"{run}/{name} is not what a run alone writes"
        if len((place.folder / run / "metrics.jsonl").read_bytes().splitlines()) != epochs:
            yield f"{run}/metrics.jsonl has not a line for each of {epochs} epochs"


def numbered(scale: Scale) -> Outcome:
    """Many starts at once that name no directory."""
    failures: list[str] = []
    for _ in range(ROUNDS[scale]):
        with prepared() as place:
            ends = together(place, "train", "tiny.yaml", "-q", times=TIMES)
            failures += [f"ended with {one.rc}: {one.stderr[-300:]}" for one in ends if one.rc]
            found = sorted((place.folder / "runs").iterdir())
            learned = {(run / "checkpoints" / "last.npz").read_bytes() for run in found}
            if {run.name for run in found} != {f"tiny-{n}" for n in range(1, TIMES + 1)} or len(learned) != 1:
                failures.append(f"{len(found)} directories with {len(learned)} different ends")
    return Outcome(TIMES * ROUNDS[scale], failures, f"{TIMES} starts each")


def taken_over(scale: Scale) -> Outcome:
    """A holder is killed, several take its place at once, the one that gets it is killed, and so on."""
    failures: list[str] = []
    race, epochs = RACES["a new run"], A_KILL * (KILLS[scale] + 1)
    with prepared() as place:
        for kill in range(KILLS[scale]):
            command = (*ON, "r") if kill else (*race.command, f"loop.epochs={epochs}")
            until = "metrics.jsonl" if kill else "config.yaml"  # the first one before there is a checkpoint
            ends = together(place, *command, times=HEIRS, directory="r", until=until, number=signal.SIGKILL)
            failures += [f"kill {kill}: {line}" for line in one_winner(ends, "r", -signal.SIGKILL)]
        place.done(*ON, "r")
        failures += undisturbed(place, race, epochs)
    return Outcome(KILLS[scale], failures, f"{HEIRS} starts at once after each SIGKILL")


Make = Callable[[Place], object]


def bare(place: Place) -> None:
    """A run that was killed before it had anything to go on from."""
    place.done(*NEW, "r")
    shutil.rmtree(place.folder / "r" / "checkpoints")
    (place.folder / "r" / "summary.json").unlink()


def linked(place: Place) -> None:
    place.done(*NEW, "other")
    (place.folder / "r").symlink_to("other")


def hidden(place: Place) -> None:
    (place.folder / "r").mkdir()
    (place.folder / "r" / ".hidden").touch()


WRITES: Final[Sequence[Sequence[str]]] = ((*NEW, "r"), (*NEW, "r", *FOLDS), (*NEW, "r/", "--profile"))
READS: Final[Sequence[Sequence[str]]] = (
    (*ON, "r"),
    ("evaluate", "r", "--split", "all"),
    ("predict", "r", "--input", "t.csv", "--output", "-"),
    ("runs", "."),
    ("inspect", "r/config.yaml"),
)
THERE: Final[Mapping[str, tuple[Make, Sequence[Sequence[str]], int]]] = {
    "a run": (lambda place: place.done(*NEW, "r"), WRITES, 2),
    "a run, to read": (lambda place: place.done(*NEW, "r"), READS, 0),
    "a cross-validation": (lambda place: place.done(*NEW, "r", *FOLDS), WRITES, 2),
    "a cross-validation, to go on": (
        lambda place: place.done(*NEW, "r", *FOLDS),
        [(*ON, "r")],
        0,
    ),
    "a run without checkpoints": (bare, WRITES, 2),
    "a link to a run": (linked, WRITES, 2),
    "a hidden file": (hidden, WRITES, 2),
    "a file": (lambda place: (place.folder / "r").touch(), WRITES[:2], 2),
    "a link to nothing": (lambda place: (place.folder / "r").symlink_to("nothing"), WRITES[:2], 5),
    "a config": (
        lambda _: None,
        [
            ("init", "tiny.yaml", *how)
            for how in (("--template", "mlp-regressor"), ("--from", "t.csv", "--target", "c"))
        ],
        2,
    ),
}
"""What is there under the name, what is then started, and how that is to end."""


def kept(scale: Scale) -> Outcome:
    """Whatever is there stays as it is."""
    failures: list[str] = []
    cases = 0
    for name, (make, commands, code) in list(THERE.items())[:: 3 if scale == "quick" else 1]:
        with prepared() as place:
            make(place)
            before = everything(place.folder)
            for command in commands:
                cases += 1
                ended = place.declnet(*command)
                if ended.rc != code or everything(place.folder) != before or not ended.in_words:
                    failures.append(f"{name}, {' '.join(command)}: {ended.rc}: {ended.stderr[-300:]}")
    return Outcome(cases, failures)


PROMISES: Final = (
    Promise(
        "one of many starts wins",
        f"Of {TIMES} commands that start at the same moment to train in one directory, or to go on with one run, "
        "one does; the others end with exit 7 and name its process, and its run has the bits of one that was alone",
        one_wins,
    ),
    Promise(
        "runs get a number each",
        f"{TIMES} commands that start at the same moment and name no directory get one each",
        numbered,
    ),
    Promise(
        "what was killed is taken over",
        "The directory of a process that was killed goes to the next one at once, and to only one of several, also "
        "where there is no checkpoint yet; after all kills the run has the bits of one that was never stopped",
        taken_over,
    ),
    Promise(
        "nothing is written over",
        "A run, a cross-validation, a file or a link in the place of a new run is refused and stays as it is; so "
        "does a run that is done where it is gone on with, evaluated, predicted with, listed or inspected",
        kept,
    ),
)
