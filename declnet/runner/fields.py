"""The data fields of a config, and its split, as far as the sources' headers tell."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from declnet.config.document import Document
from declnet.config.schema import DataField
from declnet.config.split import Split
from declnet.core.source import Column, Source
from declnet.core.spec import Kind
from declnet.core.suggest import did_you_mean, some
from declnet.data import table
from declnet.data.chain import FieldError
from declnet.errors import ConfigError, DataError, Path, ShapeError
from declnet.runner import splitting
from declnet.runner.findings import Findings

Fields = dict[str, table.Field]

KINDS: dict[str | None, Kind | None] = {None: None, "int64": "int", "float": "float"}
"""What a data field's `dtype` stands for."""


def described(
    findings: Findings,
    source: Source,
    inputs: Mapping[str, DataField],
    targets: Mapping[str, DataField],
    *,
    trained: bool,
    alone: bool,
) -> tuple[Fields, Fields]:
    """Inputs and targets, as far as they are right; `trained`, without the file where that is known without it,
    and `alone`, without a look at the split.
    """
    items = [item for item in (*inputs.values(), *targets.values()) if isinstance(item, DataField)]
    names = [name for item in items for name in table.listed(item.columns)]
    # What a pattern stands for only the header says.
    described = trained and not any(map(table.is_pattern, names))
    try:
        known = source.describe(names) if described else source.columns()
    except (ConfigError, DataError) as error:
        findings.refused(error, ("data", "source"))
        return {}, {}

    # `inputs: ["*"]` means all but what is to be learned.
    spared = {
        name for item in targets.values() if isinstance(item, DataField) for name in table.listed(item.columns)
    }

    def describe(section: str, wanted: Mapping[str, DataField], spared: Collection[str] = ()) -> Fields:
        fields: Fields = {}
        for name, item in wanted.items():
            if not isinstance(item, DataField):
                continue
            path = _columns_path(findings.document, section, name)
            try:
                fields[name] = table.field(known, item.columns, KINDS[item.dtype], spared, item.transforms)
            except FieldError as error:
                findings.problem(error.message, ("data", section, name, *error.path))
            except ShapeError as error:
                near = (
                    ""
                    if error.field is None or error.field in known
                    else did_you_mean(error.field, known) or f"; there is {some(list(known))}"
                )
                findings.problem(error.message + near, _item_path(findings.document, path, error.field))
        return fields

    fields = describe("inputs", inputs, spared), describe("targets", targets)
    for name in targets:
        if name in inputs:
            findings.problem(f"{name!r} is already the name of an input; choose another", ("data", "targets", name))
    if not alone:
        _check_split(findings, known, *fields, whole=len(fields[1]) == len(targets))
    return fields


def _check_split(
    findings: Findings, known: Mapping[str, Column], inputs: Fields, targets: Fields, *, whole: bool
) -> None:
    """How rows are split, and the sources that splits have of their own; `whole`: all targets are known."""
    split = findings.sections[("data",)].get("split", Split())
    if not isinstance(split, Split):
        return
    if findings.sections.get(("loop",), {}).get("folds") is not None:
        for message, path in splitting.fold_problems(findings.sections.get(("data", "split"), {})):
            findings.problem(message, path)
    for what, path in splitting.problems(split, known, inputs | targets, targets if whole else None):
        if isinstance(what, str):
            findings.problem(what, path)
        else:
            findings.refused(what, path)


def _columns_path(document: Document, section: str, name: str) -> Path:
    """Where the columns of a field are written, long form or short."""
    for path in (("data", section, name, "columns"), ("data", section, name), ("data", section)):
        if path in document.values:
            return path
    return ("data", section)


def _item_path(document: Document, path: Path, column: str | None) -> Path:
    """The column's own place, where the columns are a list."""
    value: Any = document.data
    for part in path:
        value = value[part] if isinstance(value, Mapping) and part in value else None
    if isinstance(value, tuple) and column in value:
        return (*path, value.index(column))
    return path
