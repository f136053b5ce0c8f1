"""The section `data.split`: which rows train, which choose the best epoch, and which test."""

from __future__ import annotations

from math import fsum
from typing import Annotated, Any, Final, Literal, Self

from pydantic import Field, model_validator

from declnet.core.component import Settings
from declnet.core.source import Source

Part = Literal["train", "val", "test"]
PARTS: Final[tuple[Part, ...]] = ("train", "val", "test")

Fraction = Annotated[float, Field(ge=0, le=1)]
Method = Literal["random", "stratified", "grouped", "ordered"]


class Split(Settings):
    """Rows for training, validation and testing: shares of the source's, or sources of their own."""

    train: Annotated[float, Field(gt=0, le=1)] | None = Field(
        None, description="share of rows to train on; left out: what val and test leave"
    )
    val: Fraction | Source = Field(
        0.1,
        description="share of rows evaluated after each epoch, which choose the best checkpoint; or a source of "
        "their own",
    )
    test: Fraction | Source = Field(
        0.1, description="share of rows evaluated once, at the end; or a source of their own"
    )
    method: Method = Field(
        "random",
        description="random: drawn from the seed; stratified: so that each class has its share; grouped: so that "
        "no group is in two splits; ordered: as the source has them, those to train on first",
    )
    column: str | None = Field(
        None,
        description="the column of the classes or the groups; left out, where stratified: that of the first target",
    )

    @model_validator(mode="before")
    @classmethod
    def _rest(cls, values: Any) -> Any:
        """What is left for training, where that can be said."""
        if not isinstance(values, dict) or values.get("train") is not None:
            return values
        others = [values.get(name, cls.model_fields[name].default) for name in ("val", "test")]
        rest = round(1 - fsum(share for share in others if isinstance(share, int | float)), 12)
        return values | {"train": rest} if 0 < rest <= 1 else values

    @model_validator(mode="after")
    def _at_most_all(self) -> Self:
        total = fsum(map(self.share, PARTS))
        if self.train is None:
            raise ValueError(f"val and test leave nothing to train on: their shares sum to {total:g}")
        if total > 1 + 1e-9:
            raise ValueError(f"the shares of train, val and test sum to {total:g}, more than 1")
        return self

    @model_validator(mode="after")
    def _column_of_the_method(self) -> Self:
        if self.method == "grouped" and self.column is None:
            raise ValueError("method grouped needs 'column': the one that says which rows belong together")
        if self.method in ("random", "ordered") and self.column is not None:
            raise ValueError(
                f"column has nothing to do with the method {self.method}; stratified and grouped go by one"
            )
        return self

    def share(self, part: Part) -> float:
        """Of the source's rows; 0 for what has a source of its own."""
        value = getattr(self, part)
        return value if isinstance(value, int | float) else 0.0

    @property
    def sources(self) -> dict[Part, Source]:
        """The sources beside that of the training rows."""
        found: dict[Part, Source] = {}
        for part in PARTS:
            if isinstance(source := getattr(self, part), Source):
                found[part] = source
        return found

    @property
    def validated(self) -> bool:
        """Whether there are to be validation rows."""
        return self.val != 0
