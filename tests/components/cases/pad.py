"""Padding with zeros."""

from hypothesis import strategies as st

from components.cases.case import SEEDS, Bad, Case, Draw, Labels, Misfit, Normal, Subject, shapes
from declnet.core.spec import Spec


@st.composite
def padding(draw: st.DrawFn, dims: int) -> Case:
    """Padding, or cropping of what there is."""
    number = st.integers(-2, 4)
    sides = draw(number | st.tuples(*[number] * (2 * dims)))
    pairs = (sides,) * (2 * dims) if isinstance(sides, int) else sides
    least = [-min(low, 0) - min(high, 0) for low, high in zip(pairs[::2], pairs[1::2], strict=True)][::-1]
    shape = (*draw(shapes(0, 2)), *(draw(st.integers(size, size + 4)) for size in least))
    inputs: st.SearchStrategy[Draw] = st.sampled_from((Normal(shape), Labels(shape, 9)))
    return Case({"padding": sides}, (draw(inputs),), seed=draw(SEEDS))


def subject(name: str, dims: int, mixed: tuple[int, ...]) -> Subject:
    """Both take the same, in another number of dimensions."""
    shape = (2, 3, *(4, 5)[:dims])
    few = Spec((4,) * (dims - 1))
    return Subject(
        name,
        cases=(
            Case({"padding": 2}, (Normal(shape),)),
            Case({"padding": 0}, (Normal(shape),)),
            Case({"padding": -1}, (Normal(shape),), "cropped"),
            Case({"padding": -2}, (Normal((2, 3, *(5,) * dims)),), "cropped"),
            Case({"padding": mixed}, (Normal(shape),)),
            Case({"padding": tuple(-side for side in mixed)}, (Normal(shape),)),
            Case({"padding": 1}, (Normal(shape[1:]),)),
            Case({"padding": 1}, (Normal(shape[2:]),), "nothing before it"),
            Case({"padding": 1}, (Normal((2, *shape)),)),
            Case({"padding": 1}, (Normal((0, *shape)),), "no rows"),
            Case({"padding": 1}, (Normal((2, *(0,) * dims)),), "nothing but padding"),
            Case({"padding": 1}, (Labels(shape, 9),), "integers"),
        ),
        strategy=padding(dims),
        bad=(Bad({}, "missing", ("padding",)),),
        misfits=(
            Misfit(
                {"padding": 1}, (few,), f"{name} needs an input with {dims} dimensions but gets {few}", argument=0
            ),
            Misfit(
                {"padding": -3},
                (Spec((2, *(5,) * dims)),),
                f"{name} takes 6 positions away but its input {Spec((2, *(5,) * dims))} has 5",
                field="padding",
                argument=0,
            ),
        ),
    )


ZERO_PAD1D = subject("ZeroPad1d", 1, (1, -2))
ZERO_PAD2D = subject("ZeroPad2d", 2, (2, -1, 0, 3))

SUBJECTS = (ZERO_PAD1D, ZERO_PAD2D)
