"""The config as types: every key a file may hold, its type, range and default."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    Field,
    NonNegativeInt,
    WithJsonSchema,
    create_model,
    model_validator,
)

from declnet.config.document import clip
from declnet.config.expected import Words
from declnet.config.loop import Loop
from declnet.config.split import Split
from declnet.core.component import Settings
from declnet.core.initializer import Initialization
from declnet.core.optimizer import Tuned
from declnet.core.scheduler import WARMUP_START, Interval, Scheduled
from declnet.core.source import Source
from declnet.core.spec import DType
from declnet.core.transform import Transform
from declnet.core.wrapper import Node, Term

DIRECTORY = "[A-Za-z0-9][A-Za-z0-9._-]{0,99}"


def _directory_name(name: str) -> str:
    if not re.fullmatch(DIRECTORY, name):
        raise ValueError(
            "a name is up to 100 letters, digits, dots, dashes and underscores, starting with a letter or "
            f"digit, because it names a directory; got {clip(name)!r}"
        )
    return name


Name = Annotated[
    str,
    AfterValidator(_directory_name),
    WithJsonSchema({"type": "string", "pattern": f"^{DIRECTORY}$"}),
]


def _identifier(name: str) -> str:
    if not name.isidentifier():
        raise ValueError(f"expected {NAME}, got {name!r}")
    return name


NAME = "a name (letters, digits and underscores, not starting with a digit)"

IDENTIFIER = r"^(?![0-9])([A-Za-z0-9_]|[^\x00-\x7f])+$"
"""A name as JSON Schema can describe it: which letters outside ASCII may be in one, Python alone knows."""

Identifier = Annotated[
    str, AfterValidator(_identifier), Words(NAME), WithJsonSchema({"type": "string", "pattern": IDENTIFIER})
]


Inputs = Annotated[
    str | Annotated[tuple[str, ...], Field(min_length=1)] | Annotated[dict[str, str], Field(min_length=1)],
    Words("a name, a list of names, or a mapping from argument to name"),
]
"""What a node reads."""

Patterns = Annotated[str, "names, with * and ?"]
"""Keys that are not names but patterns of names."""


class Wiring(Settings):
    """The keys of a node that are not its component's."""

    called = "a node"

    name: Identifier | None = Field(None, description="what its output and its parameters are called")
    inputs: Inputs | None = Field(None, description="the values it reads; left out: the one before it")
    calls: dict[str, Inputs] | None = Field(
        None,
        min_length=1,
        description="several calls with the same weights: the name of each output, and its inputs",
    )
    repeat: Annotated[int, Field(ge=1, le=1000)] | None = Field(
        None, description="so many in a row, each with weights of its own"
    )
    init: dict[Patterns, Initialization] = Field({}, description="first values of parameters, by name or pattern")
    freeze: Annotated[bool, Words("true or false")] | None = Field(
        None, description="whether its parameters stay as they are; left out: as around it"
    )


class Use(Settings):
    """A node that calls an earlier component again, with the same weights."""

    called = "another use of a component"

    use: str = Field(description="the component's name; dotted for one inside another")
    name: Identifier | None = Field(None, description="what its output is called")
    inputs: Inputs | None = Field(None, description="the values it reads; left out: the one before it")


class TermWiring(Settings):
    """The keys of a term of the loss that are not the loss's own."""

    called = "a term of the loss"

    inputs: Inputs | None = Field(
        None, description="the values it reads; left out: the model's output and the first target"
    )
    scale: float = Field(1.0, description="what the term is multiplied with")


class MetricWiring(Settings):
    """The key of a metric that is not its own."""

    called = "a metric"

    inputs: Inputs | None = Field(
        None, description="the values it compares; left out: the model's output and the first target"
    )


class Tuning(Settings):
    """The keys of the optimizer that are not its own."""

    called = "the optimizer"

    groups: Annotated[tuple[Any, ...], Words("a list of groups {match: pattern, <settings>}")] = Field(
        (), description="settings of their own for parameters whose names match: {match: pattern, ...}"
    )


class Matching(Settings):
    """The key of a group that is not the optimizer's."""

    called = "a group"

    match: Annotated[str, Field(min_length=1)] | Annotated[tuple[str, ...], Field(min_length=1)] = Field(
        description="a pattern of parameters' names, such as '*.bias', or a list of them"
    )


class Scheduling(Settings):
    """The keys of the scheduler that are not its own."""

    called = "the scheduler"

    interval: Interval | None = Field(
        None, description="what it counts, epochs or steps; left out: epochs, and steps for OneCycleLR"
    )
    warmup: NonNegativeInt = Field(
        0, description="epochs or steps, as it counts, in which lr first goes up in a straight line"
    )
    warmup_start: Annotated[float, Field(gt=0, le=1)] = Field(
        WARMUP_START, description="share of lr that the warm-up starts from"
    )
    monitor: str | None = Field(
        None,
        description="the figure that ReduceLROnPlateau watches, as metrics.jsonl calls it; left out: val_loss, "
        "and train_loss where there are no validation rows",
    )


class DataField(Settings):
    """What one data field is made of: a column gives one value a row, a list of columns or a pattern a vector."""

    called = "a data field"

    columns: str | tuple[str, ...] = Field(
        description="a column of the source, or a list of columns; bill_* stands for all that match, no target's"
    )
    dtype: Literal["float", "int64"] | None = Field(
        None, description="int64 for class indices; left out: what the column holds, else float"
    )
    transforms: Annotated[tuple[Transform, ...], Words("a list of transforms")] = Field(
        (), description="what is made of the columns, step by step; what it takes is learned of the training rows"
    )

    @classmethod
    def spell_out(cls, raw: Any) -> Any:
        """`species` and `[a, b]` are `{columns: ...}`."""
        return {"columns": raw} if isinstance(raw, str | tuple) else raw


Columns = str | tuple[str, ...]


@dataclass(frozen=True)
class Shorthand:
    """Beside a type, what a key takes too: a shorthand that `spell_out` makes one of the type from."""

    type: Any


Fields = dict[str, Annotated[DataField, Shorthand(Columns)]]


class Data(Settings):
    """Where the rows come from, which columns are inputs and targets, and how the rows are split."""

    source: Source = Field(description="where rows come from")
    inputs: Annotated[Fields, Shorthand(Columns)] = Field(
        default_factory=dict, min_length=1, description="fields the model reads; left out: the source's own"
    )
    targets: Annotated[Fields, Shorthand(Columns)] = Field(
        default_factory=dict, description="fields the loss reads; left out: the source's own"
    )
    split: Split = Field(default_factory=Split, description="rows for training, validation and testing")

    @classmethod
    def spell_out(cls, raw: Any) -> Any:
        """`inputs: [a, b]` is one field `x`, `targets: c` one field `y`."""
        if not isinstance(raw, dict):
            return raw
        names = {"inputs": "x", "targets": "y"}
        return {k: {names[k]: v} if k in names and isinstance(v, str | tuple) else v for k, v in raw.items()}

    @model_validator(mode="before")
    @classmethod
    def _fields_of_the_source(cls, values: Any) -> Any:
        return with_fields_of_source(values) if isinstance(values, dict) else values


def with_fields_of_source(values: dict[str, Any]) -> dict[str, Any]:
    """The values of `data` with the source's own inputs and targets, where none are named."""
    source = values.get("source")
    if not isinstance(source, Source):
        return values
    own = {"inputs": source.inputs, "targets": source.targets}
    fields = {key: {name: DataField(columns=c) for name, c in columns.items()} for key, columns in own.items()}
    return {key: value for key, value in fields.items() if value} | values


_FROM: dict[str, Any] = {
    "from": (Path, Field(description="a run's directory, a checkpoint, an .npz or a .safetensors file"))
}
_From = create_model("_From", __base__=Settings, **_FROM)  # a word of Python's own cannot be written as a field


class Init(_From):
    """Weights to start from, by name; what the file has not starts as drawn."""

    called = "init"

    skip: tuple[str, ...] = Field((), description="names of the file that are not taken, with * and ?")

    @property
    def path(self) -> Path:
        """Where the weights are: what `from` says."""
        path: Path = getattr(self, "from")
        return path


class Config(Settings):
    """A whole config."""

    called = "the config"

    name: Name = Field(description="names the run's directory; left out: the file's name")
    seed: NonNegativeInt = Field(0, description="everything random follows from it")
    dtype: DType = Field("float32", description="of parameters and activations")
    extends: str | None = Field(
        None, exclude=True, description="another config, relative to this file; what is said here changes it"
    )
    vars: dict[str, Any] = Field(
        {}, exclude=True, description="values by name, read anywhere in the file as ${vars.NAME}"
    )
    data: Data = Field(description="rows, fields and splits")
    model: tuple[Node, ...] = Field(description="the components, in order")
    init: Init | None = Field(None, description="weights to start from, in place of first values that are drawn")
    loss: Term | Annotated[tuple[Term, ...], Field(min_length=1)] = Field(
        description="what is minimised: a loss, or a list of terms that are added"
    )
    optimizer: Tuned = Field(description="how the parameters change")
    scheduler: Scheduled | None = Field(None, description="how lr changes in the course of the run")
    loop: Loop = Field(default_factory=Loop, description="epochs, batches and metrics")
