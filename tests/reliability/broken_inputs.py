"""The tables of broken inputs: what is in the folder, what is run there, and what is to be said of it."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import yaml

from app.tiny import CONFIG, everything, prepare
from config.test_broken_examples import VARIANTS
from examples import FOLDER, write_stand_ins, write_tables
from reliability.broken_arrays import ROWS
from reliability.broken_files import MAKERS
from reliability.children import Ended

TABLES: Final = Path(__file__).with_name("broken")

SHAPES: Final = """\
data: {source: {type: NPZ, path: a.npz}, inputs: x, targets: y}
model:
%sloss: %s
optimizer: SGD
loop: {batch_size: 4}
"""
"""The config of the table of shapes: its data are an array of rows of the shape that a case names."""

PLACE: Final = re.compile(r"(?P<file>[^:]*):(?P<line>\d+):(?P<column>\d+): (?=error: )")


@dataclass(frozen=True)
class Case:
    """A broken input. `says` are the headlines of all that is to be said of it."""

    name: str
    settings: dict[str, Any]

    @property
    def arguments(self) -> list[str]:
        return str(self.settings.get("run", "validate c.yaml")).split(" ")

    @property
    def bomb(self) -> bool:
        return bool(self.settings.get("bomb"))

    @property
    def exit(self) -> int:
        return int(self.settings["exit"])

    @property
    def says(self) -> list[str]:
        return list(self.settings["says"])

    def write(self, folder: Path) -> None:
        """Put into an empty folder what the command finds there."""
        if "config" in self.settings:
            self._write_example(folder)
            return
        if "hex" in self.settings:
            (folder / "c.yaml").write_bytes(bytes.fromhex(self.settings["hex"]))
        elif "text" in self.settings:
            (folder / "c.yaml").write_bytes(self.settings["text"].encode(self.settings.get("encoding", "utf-8")))
        elif "model" in self.settings:
            self._write_shapes(folder)
        else:
            prepare(folder)
            (folder / "tiny.yaml").unlink()
            this, that = self.settings.get("this", ""), self.settings.get("that", "")
            assert this in CONFIG, self.name
            (folder / "c.yaml").write_text(CONFIG.replace(this, that, 1), encoding="utf-8")
        if "csv" in self.settings:
            (folder / "t.csv").write_text(self.settings["csv"], encoding="utf-8")
        if "make" in self.settings:
            MAKERS[self.settings["make"]](folder)

    def _write_shapes(self, folder: Path) -> None:
        given = self.settings["x"]
        x = np.zeros(ROWS, int) if given == "int" else np.zeros((ROWS, *given))
        y = np.zeros((ROWS, *self.settings["y"])) if "y" in self.settings else np.arange(ROWS) % 2
        np.savez(folder / "a.npz", x=x, y=y)
        model = "".join(f"- {node}\n" for node in self.settings["model"])
        text = SHAPES % (model, self.settings.get("loss", "CrossEntropyLoss"))
        (folder / "c.yaml").write_text(text, encoding="utf-8")

    def _write_example(self, folder: Path) -> None:
        """A variant of an example, of tests/config/broken_examples.yaml."""
        text = (FOLDER / f"{self.settings['config']}.yaml").read_text(encoding="utf-8")
        text = text.replace(self.settings["this"], self.settings["that"], 1)
        (folder / f"{self.settings['config']}.yaml").write_text(text, encoding="utf-8")
        shutil.copytree(FOLDER / "data", folder / "data")
        write_stand_ins(folder / "data")
        write_tables(folder)


def cases() -> list[Case]:
    """All of them: those of the tables here, and the variants of the examples."""
    found = [Case(f"{path.stem}: {name}", settings) for path in sorted(TABLES.iterdir()) for name, settings in
             yaml.safe_load(path.read_text(encoding="utf-8")).items()]  # fmt: skip
    for number, variant in enumerate(VARIANTS):
        file = f"{variant['config']}.yaml"
        says = [re.sub(r"^(\d+:\d+): ", rf"{file}:\1: error: ", message) for message in variant["messages"]]
        settings = variant | {"run": f"validate --strict {file}", "says": says}
        found.append(Case(f"example {number}: {file}", settings))
    return found


def headlines(ended: Ended) -> list[str]:
    """What was said, without the source lines and what came before the first mistake."""
    return [
        line for line in ended.stderr.splitlines() if re.match(rf"({PLACE.pattern})?error: |Usage|internal", line)
    ]


def complaints(case: Case, ended: Ended, before: object, folder: Path) -> Iterator[tuple[str, str]]:
    """What is not as it was to be: the kind of thing, and a line about it."""
    said, expected = headlines(ended), case.says
    if ended.rc != case.exit:
        yield "exit", f"{case.name}: exit {ended.rc}, not {case.exit}: {ended.stderr[:300]}"
    if not ended.in_words:
        yield "exit", f"{case.name}: {ended.stderr[-500:]}"
    for kind, parts in {"line": ("file", "line"), "column": ("column",)}.items():
        if places(said, *parts) != places(expected, *parts):
            yield kind, f"{case.name}: {said}, not {expected}"
    if said != expected:
        yield "text", f"{case.name}: {said}, not {expected}"
    if everything(folder) != before:
        yield "files", f"{case.name}: something was written"


def places(said: list[str], *parts: str) -> list[tuple[str, ...] | None]:
    """Parts of the places that mistakes are shown at; None for those without a place."""
    return [found.group(*parts) if (found := PLACE.match(line)) else None for line in said]
