"""Padding with zeros."""

from hypothesis import strategies as st

from components.cases.case import SEEDS, Bad, Case, Flags, Labels, Misfit, Normal, Subject, any_kind, shapes
from declnet.core.spec import Spec


@st.composite
def padding(draw: st.DrawFn, dims: int) -> Case:
    """Padding, or cropping of what there is; of other dimensions too."""
    number = st.integers(-2, 4)
    sides = draw(number | st.integers(1, 3).flatmap(lambda count: st.tuples(*[number] * (2 * count))))
    pairs = (sides,) * (2 * dims) if isinstance(sides, int) else sides
    least = [-min(low, 0) - min(high, 0) for low, high in zip(pairs[::2], pairs[1::2], strict=True)][::-1]
    shape = (*draw(shapes(0, 2)), *(draw(st.integers(size, size + 4)) for size in least))
    return Case({"padding": sides}, (draw(any_kind(shape)),), seed=draw(SEEDS))


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
            Case({"padding": 1}, (Flags(shape),), "booleans"),
            *(Case({"padding": (1, 2, -1, 0, 3, 1)[:count]}, (Normal((2, 3, 4)),), "pairs") for count in (2, 4, 6)),
        ),
        strategy=padding(dims),
        bad=(
            Bad({}, "missing", ("padding",)),
            *(
                Bad(
                    {"padding": padding},
                    "value_error",
                    ("padding",),
                    "Value error, a list must have two numbers for each dimension that is padded, the last "
                    "dimension first",
                )
                for padding in ((1, 2, 3), (1,))
            ),
            Bad(
                {"padding": ()},
                "value_error",
                ("padding",),
                taken="no number says how much to pad; PyTorch pads nothing",
            ),
        ),
        misfits=(
            Misfit(
                {"padding": 1}, (few,), f"{name} needs an input with {dims} dimensions but gets {few}", argument=0
            ),
            Misfit(
                {"padding": (1,) * 6},
                (Spec((4, 5)),),
                f"{name} needs an input with 3 dimensions but gets (4, 5)",
                argument=0,
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
