"""`declnet init`: write a starter config, or list what there is to start from."""

from __future__ import annotations

import shlex
from pathlib import Path

from declnet.app.output import print_json, table, write
from declnet.runner.starter import templates
from declnet.runner.starter import write as write_config


def listing(*, as_json: bool) -> None:
    """Print the templates, with a line on each."""
    known = templates()
    if as_json:
        print_json(known)
        return
    table("Starter configs", ("template", "what it makes"), list(known.items()), left=(0, 1))
    write("declnet init NAME --template TEMPLATE writes NAME.yaml, which trains as it is")


def start(template: str, name: Path | None, *, force: bool, as_json: bool) -> None:
    """Write a template to a file, and say what comes next."""
    path = write_config(template, name, force=force)
    commands = [f"declnet {command} {shlex.quote(str(path))}" for command in ("validate", "train")]
    if as_json:
        print_json({"template": template, "path": str(path), "next": commands})
        return
    write(f"wrote {path}: {templates()[template]}")
    write("What to change for data of your own is said in its comments. Next:")
    for command in commands:
        write(f"  {command}")
