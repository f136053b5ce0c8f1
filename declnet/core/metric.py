"""The metric contract: a figure of a whole split, never an average of batches' figures."""

from abc import ABC, abstractmethod
from collections.abc import Iterable
from typing import ClassVar, Final, TypeAlias

from pydantic_core import CoreSchema, core_schema

from declnet.core.component import Component
from declnet.core.spec import Array, Spec
from declnet.core.wrapper import Refs
from declnet.errors import Path
from declnet.records import record

Result: TypeAlias = float | list[list[int]]
"""One number, not a finite one where the metric is undefined; or a matrix of counts."""


class Meter(ABC):
    """Counts over one pass through a split."""

    @abstractmethod
    def update(self, output: Array, target: Array) -> None:
        """Take one batch. The arrays are only lent: copy what is to be kept."""

    @abstractmethod
    def result(self) -> Result:
        """The metric of all that was taken."""


class Metric(Component, ABC):
    """A figure computed from a value of the model and a target."""

    axes: ClassVar[tuple[str, str] | None] = None
    """What the rows and the columns stand for, where the result is a matrix: it goes into the summary, and is
    printed after training. None: the result is one number, which is also shown after each epoch.
    """

    higher_is_better: ClassVar[bool | None] = None
    """Which of two results is the better one, so that it can choose the best epoch; None: neither."""

    in_units: ClassVar[bool] = False
    """Whether it compares numbers as they are, so that it is of those in the units of the target's own columns."""

    @abstractmethod
    def check(self, output: Spec, target: Spec) -> None:
        """Raise a `ShapeError` where the metric has no meaning for these."""

    def check_target(self, output: Spec, target: Array) -> None:
        """Raise a `RowError` where a whole column of targets (rows first) holds what the metric cannot take."""

    @abstractmethod
    def meter(self, output: Spec, target: Spec, *, probabilities: bool) -> Meter:
        """A new count for one pass, over batches of these specs, the number of rows aside; `probabilities` says
        whether the model itself makes its outputs probabilities.
        """


INPUTS: Final = ("output", "target")
"""What a metric reads."""


@record
class Measure:
    """A metric of a config, and what it reads."""

    metric: Metric
    path: Path
    inputs: Refs = None

    @classmethod
    def __get_pydantic_core_schema__(cls, source: object, handler: object) -> CoreSchema:
        """As a node's: whoever reads the config has made and checked it."""
        return core_schema.is_instance_schema(cls)

    @property
    def label(self) -> str:
        """What its figures are called: the type, and all that is not as it is by default: `top_k(k=3)`."""
        fields = type(self.metric).model_fields
        given = {name: getattr(self.metric, name) for name in fields}
        said = {name: value for name, value in given.items() if value != fields[name].get_default()}
        refs = dict(zip(INPUTS, self.inputs, strict=False)) if isinstance(self.inputs, tuple) else self.inputs or {}
        said |= {name: refs[name] for name in INPUTS if name in refs}
        arguments = ", ".join(f"{name}={value}" for name, value in said.items())
        return f"{self.metric.type}({arguments})" if arguments else self.metric.type


def matrices(measures: Iterable[Measure]) -> dict[str, tuple[str, str]]:
    """The axes of those figures that are a matrix, by label."""
    return {measure.label: axes for measure in measures if (axes := measure.metric.axes)}
