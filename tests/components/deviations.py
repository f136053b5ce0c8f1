"""Writes docs/parity.md: how far each component is from PyTorch, over its cases and over drawn examples.

Run in the checkout, with PyTorch: `PYTHONPATH=.:tests python -m components.deviations [EXAMPLES]`.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from hypothesis import given, settings

from components.cases.case import Case, Subject
from components.cases.tables import FAMILIES, PYTORCH
from components.harness import DTYPES, Results, assert_close, material, measure
from declnet.core.component import Module
from declnet.core.registry import family, modules
from declnet.core.wrapper import Wrapper

PAGE = Path(__file__).parents[2] / "docs" / "parity.md"
EXAMPLES = 200

HEAD = """\
# How far each component is from PyTorch

Every component is compared with PyTorch {torch} on the cases of its table (tests/components/cases) and on
{examples} examples that Hypothesis draws: constructor arguments, shapes, numbers. Compared are outputs, the
gradients of all inputs and parameters, and buffers, in training and in evaluation; for an optimizer the parameters
after each of ten steps, and its state after the last; for a scheduler the rates of two groups in each of 52
periods, with the momentum or the first beta.

The figures are the largest |declnet - PyTorch| / max(1, |PyTorch|) of all these numbers. Where sums of large
numbers cancel, in float32 above all, PyTorch is as far from the exact result. What draws random numbers in training
is compared in evaluation, and in training by the law of what it draws (tests/components/test_dropout.py).

Metrics are not here: they equal scikit-learn's to 1e-9 (tests/components/test_metrics.py).

This page is written by `PYTHONPATH=.:tests python -m components.deviations`.
"""
DIFFERENCES = (
    "A config is strict about types: a flag is true or false, not 1, and a number no text.",
    "Arguments that are infinite or NaN are refused, but for exponents of norms, Embedding's max_norm and "
    "Softplus's threshold: PyTorch computes NaN, or with an infinite margin or delta a constant.",
    "Arguments that PyTorch has for its own implementation or calls deprecated are refused with a reason.",
    "Reshape leaves the batch dimension alone; Concat's and Mean's dim has to be said.",
    "BCELoss of an input outside 0 to 1 is NaN, which ends the run; PyTorch refuses it when it computes.",
    "GELU at infinity and ELU's gradient at NaN are one thing in declnet; in PyTorch they depend on the CPU and "
    "on the place in the vector.",
    "KLDivLoss's gradient of a target of 0 that is repeated no times, along a dimension of size 0, is 0; PyTorch's "
    "is NaN.",
    "LBFGS ends a run whose loss is not finite, where PyTorch makes all parameters NaN; with lr 0 and strong_wolfe "
    "it leaves the parameters, where PyTorch divides by 0.",
    "Adagrad's initial_accumulator_value counts in a parameter group; PyTorch takes the optimizer's own for all.",
)
"""What holds for more than a case of the tables; tests/components/test_differences.py shows some of it."""

ROW = "| {} | {} | {} | {} | {} | {} |"


@dataclass
class Worst:
    """The largest deviation so far, by dtype."""

    deviations: dict[str, float] = field(default_factory=lambda: dict.fromkeys(DTYPES, 0.0))
    examples: int = 0

    def compare(self, subject: Subject, case: Case) -> None:
        """Run a case on both sides. AssertionError where they differ by more than the case allows."""
        from components import oracle

        component, numbers = subject(case.arguments), material(subject, case)
        for dtype in DTYPES:
            for training in (True, False) if isinstance(component, Module) else (True,):
                if not (training and case.random):
                    actual = measure(component, numbers, dtype, training=training)
                    expected = oracle.measure(component, numbers, dtype, training=training)
                    assert_close(actual, expected, dtype, case)
                    self.deviations[dtype] = max(self.deviations[dtype], deviation(actual, expected))


def deviation(actual: Results, expected: Results) -> float:
    """The largest of all numbers, those left out that are not finite: they are the same."""
    worst = 0.0
    for name, wanted in expected.items():
        given, exact = (np.asarray(array, np.float64) for array in (actual[name], wanted))
        finite = np.isfinite(exact)
        off = np.abs(given[finite] - exact[finite]) / np.maximum(1, np.abs(exact[finite]))
        worst = max(worst, float(off.max(initial=0)))
    return worst


def measured(subject: Subject, examples: int) -> Worst:
    """A component's cases, and so many examples that are drawn."""
    worst = Worst()
    for case in subject.cases:
        if not case.deviates:
            worst.compare(subject, case)

    @settings(max_examples=examples, derandomize=True, deadline=None, database=None)
    @given(subject.strategy)
    def drawn(case: Case) -> None:
        worst.compare(subject, case)
        worst.examples += 1

    drawn()
    return worst


def rows(examples: int) -> Iterator[str]:
    """A line for each component, by family."""
    yield ROW.format("component", "PyTorch", "cases", "examples", "float64", "float32")
    yield ROW.format("---", "---", "--:", "--:", "--:", "--:")
    for subjects in FAMILIES.values():
        for subject in subjects:
            worst = measured(subject, examples)
            figures = [f"{worst.deviations[dtype]:.1e}" for dtype in DTYPES]
            yield ROW.format(subject.name, of_pytorch(subject), len(subject.cases), worst.examples, *figures)


def of_pytorch(subject: Subject) -> str:
    """The class of PyTorch's, or that there is none, only a function."""
    return subject.cls.pytorch or "a function"


def exceptions() -> Iterator[str]:
    """The cases where declnet is known to differ, what it refuses though PyTorch takes it, and what holds for more
    than one component.
    """
    yield from (f"- {line}" for line in DIFFERENCES)
    for subject in PYTORCH:
        for case in subject.cases:
            if case.deviates:
                yield f"- {subject}{case}: {case.deviates}."
        for refused in (*subject.bad, *subject.misfits):
            if refused.taken:
                yield f"- {subject}{refused} is refused: {refused.taken}."


def main(examples: int) -> None:
    """Compare everything, and write the page."""
    import torch

    head = HEAD.format(torch=torch.__version__.partition("+")[0], examples=examples)
    wrappers = [
        name for name, cls in modules.load().items() if issubclass(cls, Wrapper) and family(cls) != "plug-in"
    ]
    lines = [
        head,
        *rows(examples),
        "\n## Where declnet differs\n",
        *exceptions(),
        "\n## Wrappers\n",
        f"{', '.join(wrappers)} have no numbers of their own. Modules written by\nhand with them give the same "
        "names, outputs, gradients and buffers from the same weights, to 1e-9 in float64\n(tests/twins).",
    ]
    PAGE.write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(int(sys.argv[1]) if sys.argv[1:] else EXAMPLES)
