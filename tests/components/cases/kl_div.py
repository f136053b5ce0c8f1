"""The divergence of log-probabilities from a target."""

from itertools import product
from math import inf, nan

from hypothesis import strategies as st
from hypothesis.extra.numpy import mutually_broadcastable_shapes

from components.cases.case import SEEDS, Bad, Case, Draw, Misfit, Normal, Shares, Subject, Uniform, shapes
from declnet.core.spec import Spec

REDUCTIONS = ("mean", "batchmean", "sum", "none")


def inputs(shape: tuple[int, ...], log_target: bool, put: tuple[float, ...] = ()) -> tuple[Draw, Draw]:
    """Log-probabilities, as a model without a last LogSoftmax may also give them, and a target."""
    return Normal(shape), Normal(shape, put=put) if log_target else Uniform(shape, 0.1, 1, put=put)


@st.composite
def divergences(draw: st.DrawFn) -> Case:
    """Targets in either form, with what is hard among them."""
    log_target = draw(st.booleans())
    both = draw(
        mutually_broadcastable_shapes(num_shapes=2, min_side=1, max_dims=4, max_side=4).map(
            lambda b: b.input_shapes
        )
        | shapes(0, 4).map(lambda shape: (shape, shape))
    )
    special = (0.0, -0.5, inf, nan, 1e-30, 1e-60)
    put = tuple(draw(st.lists(st.sampled_from(special), max_size=4)))
    x, target = inputs(both[0], log_target)[0], inputs(both[1], log_target, put)[1]
    arguments = {"reduction": draw(st.sampled_from(REDUCTIONS)), "log_target": log_target}
    return Case(arguments, (x, target), seed=draw(SEEDS))


KL_DIV = Subject(
    "KLDivLoss",
    cases=(
        *(
            Case({"reduction": reduction, "log_target": log_target}, inputs(shape, log_target))
            for reduction, log_target, shape in product(REDUCTIONS, (False, True), ((), (4,), (3, 2), (2, 2, 2, 2)))
        ),
        *(
            Case({"reduction": reduction, "log_target": log_target}, inputs(shape, log_target), "nothing")
            for reduction, log_target, shape in product(REDUCTIONS, (False, True), ((0, 2), (2, 0)))
        ),
        Case({"reduction": "batchmean"}, (Normal((3, 4)), Shares((3, 4), 1)), "a distribution"),
        *(
            Case(
                {"reduction": reduction, "log_target": log_target},
                (Normal(one), Normal(other) if log_target else Uniform(other, 0.1, 1)),
                "sizes that repeat",
            )
            for reduction, log_target, (one, other) in product(
                REDUCTIONS, (False, True), (((2, 3), (3,)), ((3,), (2, 1)), ((), (2, 3)))
            )
        ),
        *(
            Case(
                {"reduction": "none", "log_target": log_target},
                (Normal((6,), put=(1.0, -inf, 1.0, -inf)), Normal((6,), put=(0.0, 0.0, -0.5, 1.0, inf, nan))),
                "limits",
                rough="a logarithm of 0, infinities",
            )
            for log_target in (False, True)
        ),
    ),
    strategy=divergences(),
    bad=(
        Bad({"reduction": "average"}, "literal_error", ("reduction",)),
        Bad({"log_target": 1}, "bool_type", ("log_target",)),
    ),
    misfits=(
        Misfit(
            {},
            (Spec((4, 3)), Spec((4,))),
            "KLDivLoss takes inputs whose shapes fit but its input is (4, 3) and its target (4,)",
            argument=1,
        ),
        *(
            Misfit(
                {},
                (Spec((4, 3)), Spec((4, 3), kind)),
                f"KLDivLoss takes floating-point numbers but its target holds {kind}s",
                argument=1,
            )
            for kind in ("int", "bool")
        ),
        Misfit(
            {},
            (Spec((4,), "int"), Spec((4,))),
            "KLDivLoss takes floating-point numbers but its input holds ints",
            argument=0,
        ),
    ),
)

SUBJECTS = (KL_DIV,)
