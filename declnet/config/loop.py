"""The section `loop`: how long to train, in what batches, and what to measure."""

from typing import Annotated, Any, Literal, Self

from pydantic import Field, NonNegativeFloat, PositiveInt, model_validator

from declnet.core.component import Settings
from declnet.core.metric import Measure

Fraction = Annotated[float, Field(ge=0, le=1)]


class EarlyStopping(Settings):
    """When to end before the last epoch: after so many evaluations in a row without an improvement."""

    called = "early stopping"

    patience: PositiveInt = Field(description="evaluations without an improvement after which the run ends")
    monitor: str | None = Field(
        None, description="the figure that is to improve, as metrics.jsonl calls it; left out: that of loop.monitor"
    )
    mode: Literal["min", "max"] | None = Field(
        None, description="whether lower or higher is better; left out: as the figure has it"
    )
    min_delta: NonNegativeFloat = Field(0.0, description="a change of less, or of just as much, is no improvement")


BATCH = 32
"""Rows in a batch, where the config does not say."""

Clip = Annotated[float, Field(gt=0)]


class Loop(Settings):
    """How long to train, in what batches, and what to measure."""

    epochs: PositiveInt | None = Field(
        10, description="passes over the training rows; null, or left out beside max_steps: as many as those take"
    )
    max_steps: PositiveInt | None = Field(
        None, description="steps in all; the run ends with these or with the epochs, whichever comes first"
    )
    batch_size: PositiveInt | Literal["full"] = Field(
        BATCH, description="rows in a batch; the last one may be smaller; full: all training rows in one"
    )
    accumulate: PositiveInt = Field(
        1,
        description="batches to a step, with the mean gradient over their rows; the last step of an epoch takes "
        "what is left, and that may be fewer",
    )
    shuffle: bool = Field(True, description="draw a new order of the training rows each epoch")
    drop_last: bool = Field(False, description="leave out a last batch that is not full")
    clip_norm: Clip | None = Field(
        None, description="the gradient of all parameters together is scaled down to this norm where it is larger"
    )
    clip_value: Clip | None = Field(
        None, description="each component of the gradient is kept between this, negative, and this"
    )
    ema: Fraction | None = Field(
        None,
        description="decay of a moving average of the parameters, in [0, 1], such as 0.999: what is evaluated and "
        "kept as best is then the average",
    )
    evaluate_every: PositiveInt = Field(
        1, description="epochs between evaluations of the validation rows; the last one is always evaluated"
    )
    monitor: str | None = Field(
        None,
        description="the figure that chooses the best epoch, as metrics.jsonl calls it: val_loss, val_accuracy (or "
        "just accuracy); left out: val_loss, and train_loss where there are no validation rows",
    )
    early_stopping: EarlyStopping | None = Field(None, description="end where nothing improves any more")
    folds: Annotated[int, Field(ge=2)] | None = Field(
        None,
        description="cross-validation: so many trainings, each tested on another part of the rows and trained on "
        "the others, which data.split.val is then a share of",
    )
    fold: PositiveInt | None = Field(
        None, description="the one of the folds that is trained, as a run like any other; left out: all of them"
    )
    class_weights: Literal["balanced"] | None = Field(
        None,
        description="balanced: the loss weighs classes by how rare they are among the training rows; config.yaml "
        "of the run has the weights",
    )
    metrics: tuple[Measure, ...] = Field((), description="figures of the validation and test rows, beside the loss")
    on_nonfinite: Literal["stop", "skip"] = Field(
        "stop",
        description="what a loss or gradient does that is infinite or NaN: end the run, or have its step left out "
        "and counted; an epoch with no step left ends the run too",
    )
    checkpoint_every: PositiveInt | None = Field(
        None, description="epochs between checkpoints; left out: as often as costs at most 5 % of the time"
    )

    @model_validator(mode="before")
    @classmethod
    def _steps_instead_of_epochs(cls, values: Any) -> Any:
        if isinstance(values, dict) and values.get("max_steps") is not None:
            return {"epochs": None} | values
        return values

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if self.epochs is None and self.max_steps is None:
            raise ValueError("epochs is null, and so is max_steps: a run needs an end; give one of them")
        if self.clip_norm is not None and self.clip_value is not None:
            raise ValueError("clip_value and clip_norm exclude each other: clip one way")
        if self.accumulate > 1 and self.batch_size == "full":
            raise ValueError("accumulate has nothing to add up: with batch_size: full a batch is all there is")
        if self.fold is not None and self.fold > (self.folds or 0):
            raise ValueError(f"fold {self.fold} is none of the folds: folds is {self.folds or 'left out'}")
        return self

    @model_validator(mode="after")
    def _each_metric_once(self) -> Self:
        names = [measure.label for measure in self.metrics]
        for name in names:
            if names.count(name) > 1:
                raise ValueError(f"the metric {name} is listed {names.count(name)} times")
        return self
