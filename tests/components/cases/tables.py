"""Every table, by family: a new family's module is named here, and nowhere else."""

from collections.abc import Callable, Sequence

import pytest
from _pytest.mark import ParameterSet

from components.cases import (
    activations,
    bilinear,
    binary_losses,
    class_losses,
    conv,
    difference_losses,
    dropout,
    embedding,
    kl_div,
    layers,
    metrics,
    normalization,
    operations,
    optimizers,
    pad,
    pooling,
    ranking_losses,
    schedulers,
)
from components.cases.case import Case, Subject
from declnet.core.component import Component

FAMILIES: dict[str, tuple[Subject, ...]] = {
    module.__name__.rpartition(".")[2]: module.SUBJECTS
    for module in (
        *(layers, conv, embedding, bilinear, pooling, pad, activations),
        *(
            normalization,
            dropout,
            operations,
            class_losses,
            kl_div,
            binary_losses,
            difference_losses,
            ranking_losses,
        ),
        *(optimizers, schedulers),
    )
}
"""What PyTorch is the measure of."""

PYTORCH: tuple[Subject, ...] = tuple(subject for family in FAMILIES.values() for subject in family)
SUBJECTS: tuple[Subject, ...] = (*PYTORCH, *metrics.SUBJECTS)
"""All: the measure of metrics is scikit-learn (test_metrics.py)."""


def of(base: type[Component], subjects: Sequence[Subject] = SUBJECTS) -> list[ParameterSet]:
    """Parameters `subject` for the components of this kind."""
    return [pytest.param(subject, id=subject.name) for subject in subjects if issubclass(subject.cls, base)]


def examples(
    base: type[Component],
    keep: Callable[[Subject, Case], object] = lambda *_: True,
    subjects: Sequence[Subject] = SUBJECTS,
) -> list[ParameterSet]:
    """Parameters `subject, case` for the cases of the components of this kind that `keep` keeps."""
    return [
        pytest.param(subject, case, id=f"{subject}{case}")
        for subject in subjects
        for case in subject.cases
        if issubclass(subject.cls, base) and not case.deviates and keep(subject, case)
    ]
