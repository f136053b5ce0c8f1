"""Where the configs of runs differ, by key path."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from enum import Enum
from pathlib import Path as FilePath
from typing import Final

from declnet.config import extends, references
from declnet.config.dump import written
from declnet.config.plain import plain
from declnet.config.read import read
from declnet.core.suggest import did_you_mean, some
from declnet.errors import ConfigError, Path
from declnet.records import record
from declnet.runner.directory import RUNS
from declnet.runner.experiment import MOST
from declnet.runner.files import machine


class Absent(Enum):
    """What stands for a value that is not there: None is one that is."""

    ABSENT = "absent"


ABSENT: Final = Absent.ABSENT

Key = str | int


@record
class Difference:
    """A key path, and what each config has there: where only the order is another, the names in that order."""

    path: Path
    values: tuple[object, ...]


def find(name: str) -> FilePath:
    """The directory of a run, from its path or from its name within runs/. ConfigError where there is none."""
    with machine(f"read {name}"):
        there = [path for path in (FilePath(name), RUNS / name) if path.is_dir()]
        if there:
            return next((path for path in there if (path / "config.yaml").exists()), there[0])
    with machine(f"read {RUNS}"):
        inside = RUNS.iterdir() if RUNS.is_dir() else ()
        known = sorted(path.name for path in inside if (path / "config.yaml").exists())
    near = did_you_mean(name, known) or (f"; in {RUNS} there is {some(known)}" if known else "")
    raise ConfigError(f"{name}: no directory of a run, neither here nor in {RUNS}{near}")


def config(run: FilePath, folder: FilePath = FilePath()) -> dict[str, object]:
    """The complete config of a run, the paths in it as they are from a folder, the current one if none is named:
    two runs at different depths read the same file. ConfigError with what is wrong in config.yaml.
    """
    reading = read(references.resolve(extends.load(run / "config.yaml")))
    if reading.config is None:
        raise ConfigError(*reading.problems[:MOST])
    return plain(reading.config, folder)


def differences(configs: Sequence[Mapping[str, object]]) -> list[Difference]:
    """All the places where configs are not the same, as deep as they can be named, in the order of the first."""
    return list(_differences((), configs))


def _differences(path: Path, values: Sequence[object], *, item: bool = False) -> Iterator[Difference]:
    """`item`: of a list, where one of another type is another one as a whole."""
    # What is written in the same way is the same: 1 is not true, and the order of names is part of a config.
    if len({ABSENT if value is ABSENT else written(value) for value in values}) == 1:
        return
    mappings = [value for value in values if isinstance(value, Mapping)]
    lists = [value for value in values if isinstance(value, list)]
    types = {str(value.get("type")) for value in mappings}
    if len(mappings) == len(values) and not (item and len(types) > 1):
        yield from _inside(path, mappings)
    elif len(lists) == len(values) and any(isinstance(inner, Mapping) for value in lists for inner in value):
        yield from _inside(path, list(map(_by_name, lists)), items=True)
    else:
        yield Difference(path, tuple(values))


def _by_name(items: list[object]) -> dict[Key, object]:
    """The items of a list as a config calls them: by their names, or where they have none, their numbers."""
    names = [item.get("name") if isinstance(item, Mapping) else None for item in items]
    return {number if name is None else name: items[number] for number, name in enumerate(names)}


def _inside(path: Path, values: Sequence[Mapping[Key, object]], *, items: bool = False) -> Iterator[Difference]:
    """What differs within mappings, or within lists whose items have names."""
    for key in dict.fromkeys(key for value in values for key in value):
        yield from _differences((*path, key), [value.get(key, ABSENT) for value in values], item=items)
    common = set.intersection(*map(set, values))
    orders = [[key for key in value if key in common] for value in values]
    # The arguments of two types have orders of their own, which say nothing.
    if "type" not in common and any(order != orders[0] for order in orders):
        yield Difference(path, tuple(orders))
