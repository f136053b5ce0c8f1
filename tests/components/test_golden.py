"""declnet against what PyTorch gave when the golden files were made; PyTorch itself is not needed."""

from __future__ import annotations

from functools import cache

import pytest

from components.cases.case import Case, Subject
from components.cases.tables import FAMILIES, PYTORCH, examples
from components.harness import DTYPES, assert_close, measure
from declnet.core.component import Component, Module
from declnet.core.spec import Array
from golden import files


@cache
def golden(family: str) -> dict[str, Array]:
    return files.read(family)


def record(subject: Subject, case: Case) -> Array:
    family = next(name for name, subjects in FAMILIES.items() if subject in subjects)
    return golden(family)[f"{subject}{case}"]


def compare(subject: Subject, case: Case, *, training: bool) -> None:
    numbers = record(subject, case)
    for dtype in DTYPES:
        actual = measure(subject(case.arguments), files.material(numbers), dtype, training=training)
        assert_close(actual, files.results(numbers, dtype, training=training), dtype, case)


@pytest.mark.parametrize(("subject", "case"), examples(Component, lambda _, case: not case.random, PYTORCH))
def test_training(subject: Subject, case: Case) -> None:
    compare(subject, case, training=True)


@pytest.mark.parametrize(("subject", "case"), examples(Module))
def test_evaluation(subject: Subject, case: Case) -> None:
    compare(subject, case, training=False)


@pytest.mark.parametrize(
    ("subject", "case"),
    [
        pytest.param(subject, case, id=f"{subject}{case}", marks=pytest.mark.xfail(reason=case.deviates))
        for subject in PYTORCH
        for case in subject.cases
        if case.deviates
    ],
)
def test_known_deviations(subject: Subject, case: Case) -> None:
    """Strict: a case that no longer deviates is to say so, and then takes part in everything else."""
    compare(subject, case, training=True)


@pytest.mark.parametrize("family", FAMILIES)
def test_files_hold_the_cases(family: str) -> None:
    """Also without PyTorch a case that was added or changed is found out."""
    subjects = FAMILIES[family]
    names = [f"{subject}{case}" for subject in subjects for case in subject.cases]
    assert len(set(names)) == len(names)
    stale = f"{files.path(family)} is stale; make it anew: {files.COMMAND}"
    assert list(golden(family)) == [files.DIGEST, *names], stale
    assert str(golden(family)[files.DIGEST]) == files.digest(subjects), stale


@pytest.mark.torch
@pytest.mark.parametrize("family", FAMILIES)
def test_files_hold_what_pytorch_gives(family: str) -> None:
    pytest.importorskip("torch", reason="PyTorch is not installed: pip install --group torch")
    from golden import make

    # On another CPU PyTorch is as far from itself as declnet may be from it.
    for subject in FAMILIES[family]:
        for case in subject.cases:
            kept, made = record(subject, case), files.pack(make.fields(subject, case))
            assert kept.dtype == made.dtype
            for dtype in DTYPES:
                for training in (True, False):
                    now = files.results(made, dtype, training=training)
                    assert_close(files.results(kept, dtype, training=training), now, dtype, case)
