"""Dropout. Its laws are in test_dropout.py; here is what PyTorch computes alike."""

from collections.abc import Iterator
from itertools import product
from math import inf, nan

from hypothesis import strategies as st

from components.cases.case import SEEDS, Bad, Case, Flags, Labels, Misfit, Normal, Subject, any_kind, shapes
from declnet.core.spec import Spec

WRONG_P = (
    Bad({"p": -0.1}, "greater_than_equal", ("p",)),
    Bad({"p": 1.1}, "less_than_equal", ("p",)),
    Bad({"p": nan}, "finite_number", ("p",)),
    Bad({"p": "0.5"}, "float_type", ("p",)),
    Bad({"p": True}, "float_type", ("p",)),
)


@st.composite
def dropout(draw: st.DrawFn, ndim: st.SearchStrategy[int]) -> Case:
    """Any p; nothing is left to chance where it is 0 or 1."""
    p = draw(st.floats(0, 1) | st.sampled_from((0, 1)))
    shape = draw(ndim.flatmap(lambda dims: shapes(dims, dims)))
    inputs = st.just(Normal(shape)) if 0 < p < 1 else any_kind(shape)
    return Case({"p": p}, (draw(inputs),), seed=draw(SEEDS), random=0 < p < 1)


def others(shape: tuple[int, ...]) -> Iterator[Case]:
    """Integers and booleans, which training keeps or drops all together."""
    for draw, p in product((Labels(shape, 5, (-2,)), Flags(shape)), (0.0, 1.0)):
        yield Case({"p": p}, (draw,), type(draw).__name__.lower())


def only_floats(name: str, shape: tuple[int, ...]) -> Iterator[Misfit]:
    for kind in ("int", "bool"):
        message = f"{name} takes floating-point numbers but its input holds {kind}s"
        yield Misfit({}, (Spec(shape, kind),), message, argument=0, in_training=True)


def of_elements(name: str) -> Subject:
    """One that takes any shape."""
    return Subject(
        name,
        cases=(
            Case({}, (Normal((4, 5)),), random=True),
            Case({"p": 0.2}, (Normal((2, 3, 2, 2)),), random=True),
            Case({"p": 0.9}, (Normal(()),), random=True),
            Case({"p": 0.5}, (Normal((0, 3)),), "no rows", random=True),
            Case({"p": 0}, (Normal((3, 4)),)),
            Case({"p": 1.0}, (Normal((3, 4)),)),
            Case({"p": 1}, (Normal((2, 2), put=(inf, -inf, nan)),), "infinities, NaN", rough="infinities"),
            *others((3, 4)),
        ),
        strategy=dropout(st.integers(0, 4)),
        bad=WRONG_P,
        misfits=tuple(only_floats(name, (4,))),
    )


def of_channels(name: str, *takes: tuple[int, ...], words: str) -> Subject:
    """One that takes these shapes, and no more or fewer dimensions."""
    dims = [len(shape) for shape in takes]
    wrong = [Spec((2,) * ndim) for ndim in (min(dims) - 1, max(dims) + 1)]
    return Subject(
        name,
        cases=(
            *(Case({"p": p}, (Normal(shape),), random=True) for p in (0.2, 0.9) for shape in takes),
            *(Case({"p": p}, (Normal(shape),)) for p in (0.0, 1) for shape in takes),
            Case({}, (Normal((0, *takes[0][1:])),), "no rows", random=True),
            Case({}, (Normal((*takes[0][:2], *(0,) * (dims[0] - 2))),), "no places", random=True),
            *others(takes[0]),
        ),
        strategy=dropout(st.sampled_from(dims)),
        bad=WRONG_P,
        misfits=(
            *(
                Misfit(
                    {},
                    (spec,),
                    f"{name} takes {words} but its input is {spec}; Dropout takes any shape",
                    argument=0,
                    taken="" if name == "Dropout1d" else "PyTorch warns that this is deprecated",
                )
                for spec in wrong
            ),
            *only_floats(name, takes[0]),
        ),
    )


SUBJECTS = (
    of_elements("Dropout"),
    of_channels("Dropout1d", (2, 3, 4), (3, 4), words="(N, C, L) or (C, L)"),
    of_channels("Dropout2d", (2, 3, 2, 3), (2, 3, 4), words="(N, C, H, W) or (N, C, L)"),
    of_channels("Dropout3d", (2, 3, 2, 1, 3), (3, 2, 1, 3), words="(N, C, D, H, W) or (C, D, H, W)"),
    of_elements("AlphaDropout"),
)
