"""`declnet init`: write a starter config, or list what there is to start from."""

from __future__ import annotations

import shlex
from pathlib import Path

from declnet.app.output import paragraph, print_json, table, write
from declnet.runner.starter import file_of, templates
from declnet.runner.starter import write as write_config


def listing(*, as_json: bool) -> None:
    """Print the templates, with a line on each."""
    known = templates()
    if as_json:
        print_json(known)
        return
    table("Starter configs", ("template", "what it makes"), list(known.items()), left=(0, 1))
    paragraph("declnet init NAME --template TEMPLATE writes NAME.yaml, which trains as it is")


def start(template: str, name: Path | None, *, force: bool, as_json: bool) -> None:
    """Write a template to a file, and say what comes next."""
    path = write_config(template, name, force=force)
    if as_json:
        print_json({"template": template, "path": str(path), "next": _next(path)})
        return
    paragraph(f"wrote {path}: {templates()[template]}")
    paragraph("What to change for data of your own is said in its comments. Next:")
    for command in _next(path):
        write(f"  {command}")


def fit(data: Path, target: str, name: Path | None, *, force: bool, as_json: bool) -> None:
    """Write a config that fits a CSV file, and show what its columns seem to hold and what becomes of them."""
    from declnet.app.guessed import show_guess
    from declnet.data.guess import guess
    from declnet.runner.fitted import write as write_fitted
    from declnet.runner.proposal import propose

    path = file_of(name or Path(data.name.removesuffix(".gz")).with_suffix(""))
    proposal = propose(guess(data), target)
    write_fitted(proposal, path, force=force)
    if as_json:
        columns = [
            {"name": column.name, "kind": column.kind, "why": column.why, "missing": sum(column.missing.values())}
            | {"becomes": proposal.use(column)}
            for column in proposal.guess.columns
        ]
        found = {"data": str(data), "rows": proposal.guess.rows, "columns": columns, "target": target}
        print_json(found | {"path": str(path), "next": _next(path)})
        return
    show_guess(proposal.guess, proposal.use)
    write("")
    paragraph(f"wrote {path}: it learns {proposal.learns}")
    paragraph("Why it is as it is, and what else there is, is said in its comments. Next:")
    for command in _next(path):
        write(f"  {command}")


def _next(path: Path) -> list[str]:
    return [f"declnet {command} {shlex.quote(str(path))}" for command in ("validate", "train")]
