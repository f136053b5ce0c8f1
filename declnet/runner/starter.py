"""Starter configs: the templates, each a config with comments that trains as it is."""

from __future__ import annotations

import re
from pathlib import Path

import declnet
from declnet.errors import ConfigError
from declnet.runner.files import machine, replacing

FOLDER = Path(declnet.__file__).parent / "templates"

STEM = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
"""What a file may be called whose name stands in comments, in YAML and in the name of a run."""


def templates() -> dict[str, str]:
    """The templates by name, each with the sentence that it begins with."""
    with machine(f"read {FOLDER}"):
        return {path.stem: _first(path) for path in sorted(FOLDER.glob("*.yaml"))}


def _first(path: Path) -> str:
    with path.open(encoding="utf-8") as file:
        return file.readline().strip("# \n").removesuffix(".")


def write(template: str, name: Path | None = None, *, force: bool = False) -> Path:
    """Write a template to NAME.yaml, by default under its own name; the path.

    Raises:
        ConfigError: there is such a file already, which only `force` writes over, or it cannot be called that.
        MachineError: the machine refused to write it.
    """
    own, path = f"{template}.yaml", file_of(name or Path(template))
    with machine(f"read {FOLDER / own}"):
        text = (FOLDER / own).read_text(encoding="utf-8")
    put(path, text.replace(own, path.name).replace(f"runs/{template}-", f"runs/{path.stem}-"), force=force)
    return path


def file_of(name: Path) -> Path:
    """The file of a starter that is called so, which may be its name already."""
    path = name if name.suffix in (".yaml", ".yml") else Path(f"{name}.yaml")
    if not STEM.fullmatch(path.name):
        raise ConfigError(f"{path.name!r}: a starter's name is of letters, digits, dots, dashes and underscores")
    return path


def put(path: Path, text: str, *, force: bool) -> None:
    """Write a file, over one that is there only if forced to."""
    if force:
        with replacing(path) as file:
            file.write(text.encode())
        return
    with machine(f"write {path}"):
        try:
            with path.open("xb") as new:
                new.write(text.encode())
        except FileExistsError:
            raise ConfigError(
                f"{path} is there already; name another file, or write over it with --force"
            ) from None
