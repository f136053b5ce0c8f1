"""Where the configs of runs differ, by key path."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path as FilePath
from typing import Final

from declnet.config import extends, references
from declnet.config.dump import written
from declnet.config.plain import plain
from declnet.config.read import read
from declnet.core.suggest import did_you_mean, some
from declnet.errors import ConfigError, Path
from declnet.runner.directory import RUNS
from declnet.runner.experiment import MOST
from declnet.runner.files import machine


class Absent(Enum):
    """What stands for a value that is not there: None is one that is."""

    ABSENT = "absent"


ABSENT: Final = Absent.ABSENT


@dataclass(frozen=True, slots=True)
class Difference:
    """A key path, and what each config has there. Of a list whose items were only put in another order, the values
    are the names of the items.
    """

    path: Path
    values: tuple[object, ...]


def find(name: str) -> FilePath:
    """The directory of a run, from its path or from its name within runs/. ConfigError where there is none."""
    for path in (FilePath(name), RUNS / name):
        if path.is_dir():
            return path
    known: list[str] = []
    if RUNS.is_dir():
        with machine(f"read {RUNS}"):
            known = sorted(path.name for path in RUNS.iterdir() if (path / "config.yaml").is_file())
    near = did_you_mean(name, known) or (f"; in {RUNS} there is {some(known)}" if known else "")
    raise ConfigError(f"{name}: no directory of a run, neither here nor in {RUNS}{near}")


def config(run: FilePath) -> dict[str, object]:
    """The complete config of a run, the paths in it as they are from the current folder: two runs that stand at
    different depths read the same file. ConfigError with what is wrong in config.yaml.
    """
    reading = read(references.resolve(extends.load(run / "config.yaml")))
    if reading.config is None:
        raise ConfigError(*reading.problems[:MOST])
    return plain(reading.config, FilePath())


def differences(configs: Sequence[Mapping[str, object]]) -> list[Difference]:
    """All the places where configs are not the same, as deep as they can be named, in the order of the first."""
    return list(_differences((), configs))


def _differences(path: Path, values: Sequence[object], *, item: bool = False) -> Iterator[Difference]:
    """`item`: of a list, where one of another type is another one as a whole."""
    # What is written in the same way is the same: 1 is not true, and the order of names is part of a config.
    texts = [None if value is ABSENT else written(value) for value in values]
    if len(set(texts)) == 1:
        return
    there = [value for value in values if value is not ABSENT]
    if len({text for text in texts if text is not None}) > 1:
        types = {str(value.get("type")) for value in there if isinstance(value, Mapping)}
        if all(isinstance(value, Mapping) for value in there) and not (item and len(types) > 1):
            yield from _inside(path, values)
            return
        if all(isinstance(value, list) for value in there) and any(map(_has_mapping, there)):
            named = [_by_name(value) if isinstance(value, list) else value for value in values]
            yield from _inside(path, named, items=True)
            return
    yield Difference(path, tuple(values))


def _has_mapping(value: object) -> bool:
    return isinstance(value, list) and any(isinstance(item, Mapping) for item in value)


def _by_name(items: list[object]) -> dict[str | int, object]:
    """The items of a list as a config calls them: by their names, or where they have none, their numbers."""
    names = [item.get("name") if isinstance(item, Mapping) else None for item in items]
    return {
        number if name is None else name: item for number, (name, item) in enumerate(zip(names, items, strict=True))
    }


def _inside(path: Path, values: Sequence[object], *, items: bool = False) -> Iterator[Difference]:
    """What differs within mappings, or within lists whose items have names."""
    there: list[Mapping[str | int, object]] = [value for value in values if isinstance(value, Mapping)]
    for key in dict.fromkeys(key for value in there for key in value):
        inner = [value.get(key, ABSENT) if isinstance(value, Mapping) else ABSENT for value in values]
        yield from _differences((*path, key), inner, item=items)
    common = set[str | int].intersection(*map(set, there))
    orders = [[key for key in value if key in common] for value in there]
    # The arguments of two types have orders of their own, which say nothing.
    if "type" not in common and any(order != orders[0] for order in orders):
        placed = iter(orders)
        yield Difference(path, tuple(next(placed) if isinstance(value, Mapping) else ABSENT for value in values))
