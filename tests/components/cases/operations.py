"""Operations."""

import math
from functools import partial
from itertools import product
from math import inf, nan

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra.numpy import mutually_broadcastable_shapes

from components.cases.case import (
    NAN,
    SEEDS,
    Bad,
    Case,
    Flags,
    Labels,
    Misfit,
    Normal,
    Subject,
    any_kind,
    drawn,
    scaled,
    shapes,
)
from declnet.core.spec import Spec


@st.composite
def flatten(draw: st.DrawFn) -> Case:
    """Dimensions that the input has, in order, each counted from either end."""
    shape = draw(shapes(0, 4))
    ndim = max(len(shape), 1)
    start = draw(st.integers(0, ndim - 1))
    end = draw(st.integers(start, ndim - 1))
    dims = {name: dim - draw(st.sampled_from((0, ndim))) for name, dim in (("start_dim", start), ("end_dim", end))}
    return Case(dims, (draw(st.sampled_from((Normal(shape), Labels(shape, 5)))),), seed=draw(SEEDS))


FLATTEN = Subject(
    "Flatten",
    cases=(
        Case({}, (Normal((2, 3, 4)),)),
        Case({}, (Normal((2, 3)),)),
        Case({"start_dim": 0}, (Normal((2, 3)),)),
        Case({"start_dim": 0}, (Normal(()),)),
        Case({"start_dim": 0, "end_dim": 0}, (Normal((3,)),)),
        Case({"start_dim": -1}, (Normal((3,)),)),
        Case({"start_dim": 1, "end_dim": 2}, (Normal((2, 2, 3, 2)),)),
        Case({"start_dim": -3, "end_dim": -2}, (Normal((2, 2, 3, 2)),)),
        Case({}, (Normal((0, 2, 3)),), "no rows"),
        Case({}, (Labels((2, 2, 2), 9),), "integers"),
    ),
    strategy=flatten(),
    bad=(
        Bad({"start_dim": 1.0}, "int_type", ("start_dim",)),
        Bad({"end_dim": None}, "int_type", ("end_dim",)),
    ),
    misfits=(
        Misfit(
            {},
            (Spec((5,)),),
            "Flatten needs a dimension 1 but its input (5,) has 1; start_dim may be -1 to 0",
            field="start_dim",
            argument=0,
        ),
        Misfit(
            {},
            (Spec(()),),
            "Flatten needs a dimension 1 but its input () has 0; start_dim may be -1 to 0",
            field="start_dim",
            argument=0,
        ),
        Misfit(
            {"end_dim": -4},
            (Spec((2, 3, 4)),),
            "Flatten needs a dimension -4 but its input (2, 3, 4) has 3; end_dim may be -3 to 2",
            field="end_dim",
            argument=0,
        ),
        Misfit(
            {"start_dim": -1, "end_dim": 1},
            (Spec((2, 3, 4), "bool"),),
            "Flatten's start_dim -1 comes after its end_dim 1 for an input (2, 3, 4) bool",
            field="start_dim",
            argument=0,
        ),
    ),
)


def only_floats(name: str, *specs: Spec, argument: int = 0, called: str = "input", **arguments: object) -> Misfit:
    message = f"{name} takes floating-point numbers but its {called} holds {specs[argument].kind}s"
    return Misfit(arguments, specs, message, argument=argument)


IDENTITY = Subject(
    "Identity",
    cases=(
        Case({}, (Normal((2, 3)),)),
        Case({}, (Normal(()),)),
        Case({}, (Normal((0, 3)),), "no rows"),
        Case({}, (Labels((2, 3), 9),), "integers"),
    ),
    strategy=drawn({}, shapes(0, 4).flatmap(any_kind)),
)


@st.composite
def unflatten(draw: st.DrawFn) -> Case:
    """One dimension, counted from either end, that is a product of others, one of which may be left open."""
    before, after, sizes = draw(shapes(0, 2)), draw(shapes(0, 2)), list(draw(shapes(1, 3, side=1)))
    shape = (*before, math.prod(sizes), *after)
    dim = len(before) - draw(st.sampled_from((0, len(shape))))
    if draw(st.booleans()):
        sizes[draw(st.integers(0, len(sizes) - 1))] = -1
    return Case({"dim": dim, "unflattened_size": tuple(sizes)}, (draw(any_kind(shape)),), seed=draw(SEEDS))


UNFLATTEN = Subject(
    "Unflatten",
    cases=(
        Case({"dim": 1, "unflattened_size": (2, 3)}, (Normal((4, 6)),)),
        Case({"dim": 1, "unflattened_size": (2, -1, 2)}, (Normal((2, 8, 3)),)),
        Case({"dim": -1, "unflattened_size": (-1,)}, (Normal((2, 4)),)),
        Case({"dim": 0, "unflattened_size": (2, 2)}, (Normal((4,)),)),
        Case({"dim": 1, "unflattened_size": (-1, 2)}, (Normal((0, 4)),), "no rows"),
        Case({"dim": 1, "unflattened_size": (0, 2)}, (Normal((3, 0)),), "nothing to divide"),
        Case({"dim": 1, "unflattened_size": (2, 2)}, (Labels((2, 4), 9),), "integers"),
    ),
    strategy=unflatten(),
    bad=(
        Bad({"unflattened_size": (2,)}, "missing", ("dim",)),
        Bad({"dim": 1}, "missing", ("unflattened_size",)),
        Bad({"dim": 1, "unflattened_size": ()}, "too_short", ("unflattened_size",)),
        Bad({"dim": 1, "unflattened_size": 4}, "tuple_type", ("unflattened_size",)),
        Bad({"dim": 1, "unflattened_size": (2, -2)}, "greater_than_equal", ("unflattened_size", 1)),
        Bad({"dim": 1, "unflattened_size": (2.0, 2)}, "int_type", ("unflattened_size", 0)),
        Bad({"dim": "1", "unflattened_size": (2, 2)}, "int_type", ("dim",)),
        Bad(
            {"dim": 1, "unflattened_size": (-1, 2, -1)},
            "value_error",
            ("unflattened_size",),
            "Value error, only one size may be -1, to be found from the others",
        ),
    ),
    misfits=(
        *(
            Misfit(
                {"dim": 1, "unflattened_size": sizes},
                (Spec(shape),),
                f"Unflatten cannot divide dimension 1 of its input {Spec(shape)} into {Spec(sizes)}: "
                f"its size is {shape[1]}",
                field="unflattened_size",
                argument=0,
            )
            for sizes, shape in (((2, 3), (4, 5)), ((-1, 2), (4, 5)), ((-1, 0), (4, 0)), ((-1, 0), (4, 5)))
        ),
        Misfit(
            {"dim": 2, "unflattened_size": (2, 2)},
            (Spec((4, 4)),),
            "Unflatten needs a dimension 2 but its input (4, 4) has 2; dim may be -2 to 1",
            field="dim",
            argument=0,
        ),
        Misfit(
            {"dim": 0, "unflattened_size": (1,)},
            (Spec(()),),
            "Unflatten divides a dimension but its input is a single number",
            argument=0,
        ),
    ),
)


@st.composite
def reshape(draw: st.DrawFn) -> Case:
    """The same numbers in another order of sizes, one of which may be left open; perhaps no rows."""
    sizes = list(draw(shapes(0, 4, side=1)))
    shape = (draw(st.integers(0, 4)), *draw(st.permutations(sizes)))
    if sizes and draw(st.booleans()):
        sizes[draw(st.integers(0, len(sizes) - 1))] = -1
    return Case({"shape": tuple(sizes)}, (draw(any_kind(shape)),), seed=draw(SEEDS))


RESHAPE = Subject(
    "Reshape",
    cases=(
        Case({"shape": (2, 2, 1)}, (Normal((3, 4)),)),
        Case({"shape": (-1,)}, (Normal((3, 2, 2)),)),
        Case({"shape": (2, -1)}, (Normal((2, 3, 4)),)),
        Case({"shape": (-1, 2)}, (Normal((0, 4)),), "no rows"),
        Case({"shape": ()}, (Normal((3, 1)),), "one number a sample"),
        Case({"shape": (1, 1)}, (Normal((3,)),), "from one number a sample"),
        Case({"shape": (0, 5)}, (Normal((3, 0)),), "nothing in a sample"),
        Case({"shape": (2, 2)}, (Labels((3, 4), 9),), "integers"),
    ),
    strategy=reshape(),
    bad=(
        Bad({}, "missing", ("shape",)),
        Bad({"shape": 4}, "tuple_type", ("shape",)),
        Bad({"shape": (2, -2)}, "greater_than_equal", ("shape", 1)),
        Bad({"shape": (2.0,)}, "int_type", ("shape", 0)),
        Bad(
            {"shape": (-1, -1)},
            "value_error",
            ("shape",),
            "Value error, only one size may be -1, to be found from the others",
        ),
    ),
    misfits=(
        *(
            Misfit(
                {"shape": sizes},
                (Spec(shape),),
                f"Reshape cannot make {Spec(sizes)} of the samples of its input {Spec(shape)}, which hold {count} "
                "numbers each",
                field="shape",
                argument=0,
            )
            for sizes, shape, count in (
                ((8, 8), (2, 65), 65),
                ((2, -1), (2, 5), 5),
                ((0, -1), (2, 0), 0),
                ((2,), (2,), 1),
                ((), (2, 3), 3),
            )
        ),
        Misfit({"shape": ()}, (Spec(()),), "Reshape takes (N, *) but its input is a single number", argument=0),
    ),
)


@st.composite
def permute(draw: st.DrawFn) -> Case:
    """Any order of the dimensions, each counted from either end."""
    shape = draw(shapes(0, 5))
    dims = [dim - draw(st.sampled_from((0, len(shape)))) for dim in draw(st.permutations(range(len(shape))))]
    return Case({"dims": tuple(dims)}, (draw(any_kind(shape)),), seed=draw(SEEDS))


PERMUTE = Subject(
    "Permute",
    cases=(
        Case({"dims": (0, 2, 3, 1)}, (Normal((2, 3, 4, 5)),)),
        Case({"dims": (1, 0)}, (Normal((2, 3)),)),
        Case({"dims": (-1, 0, -2)}, (Normal((2, 3, 4)),)),
        Case({"dims": (0, 1)}, (Normal((2, 3)),), "as it was"),
        Case({"dims": ()}, (Normal(()),)),
        Case({"dims": (0, 2, 1)}, (Normal((0, 2, 3)),), "no rows"),
        Case({"dims": (1, 0)}, (Labels((2, 3), 9),), "integers"),
    ),
    strategy=permute(),
    bad=(
        Bad({}, "missing", ("dims",)),
        Bad({"dims": 1}, "tuple_type", ("dims",)),
        Bad({"dims": (0, 1.0)}, "int_type", ("dims", 1)),
    ),
    misfits=tuple(
        Misfit(
            {"dims": dims},
            (Spec((2, 3, 4)),),
            f"Permute's dims {list(dims)} must name each of the 3 dimensions of its input (2, 3, 4) once",
            field="dims",
            argument=0,
        )
        for dims in ((0, 1), (0, 1, 1), (0, 1, 3), (0, 1, -4), (0, 1, 2, 3), ())
    ),
)


@st.composite
def broadcast(draw: st.DrawFn, least: int, most: int) -> Case:
    """As many shapes that fit."""
    count = draw(st.integers(least, most))
    fitting = draw(mutually_broadcastable_shapes(num_shapes=count, min_side=0, max_dims=4, max_side=4))
    # Without floats there is no gradient, and bools do not take part in all of it.
    others = [draw(st.sampled_from((Normal(shape), Labels(shape, 5)))) for shape in fitting.input_shapes[1:]]
    return Case({}, (Normal(fitting.input_shapes[0]), *others), seed=draw(SEEDS))


NO_BOOLEANS = Misfit(
    {}, (Spec((2, 3)), Spec((2, 3), "bool")), "Sub takes numbers but its other holds bools", argument=1
)


def arithmetic(name: str, least: int, most: int) -> Subject:
    """Element by element, of so many inputs."""
    pairs = (((2, 3), (2, 3)), ((2, 3), (3,)), ((3,), (2, 3)), ((2, 1), (1, 3)), ((2, 3, 2), ()), ((0, 3), (3,)))
    more = (((3,),), ((2, 3), (2, 3), (2, 3)), ((1,), (1,), (2, 3)), ((2, 3), (), (2, 1), (3,)))
    inputs = [*pairs, *(more if most > 2 else ()), ((1, 3), (2, 1, 1)), ((1, 3), (1, 3))]
    return Subject(
        name,
        cases=(
            *(Case({}, tuple(map(Normal, shapes_))) for shapes_ in inputs),
            Case({}, (Normal((2, 3)), Labels((3,), 5)), "integers"),
            Case({}, (Labels((2, 1), 5), Normal((2, 3))), "integers"),
            Case({}, (Labels((2, 3), 5), Labels((3,), 5)), "nothing but integers"),
            *([] if name == "Sub" else [Case({}, (Normal((2, 3)), Flags((2, 3))), "a mask")]),
            *([] if name == "Sub" else [Case({}, (Flags((2, 3)), Flags((2, 3))), "nothing but booleans")]),
        ),
        strategy=broadcast(least, most),
        misfits=(
            Misfit(
                {},
                (Spec((2, 3)), Spec((2,))),
                f"{name} takes inputs whose shapes fit but one is (2,) after (2, 3)",
                argument=1,
            ),
            *([NO_BOOLEANS] if name == "Sub" else []),
        ),
    )


@st.composite
def matmul(draw: st.DrawFn) -> Case:
    """Vectors, matrices and batches of them, with leading dimensions that fit."""
    leading = draw(mutually_broadcastable_shapes(num_shapes=2, min_side=0, max_dims=3, max_side=3)).input_shapes
    n, k, m = (draw(st.integers(0, 5)) for _ in range(3))
    left = (k,) if draw(st.booleans()) and not leading[0] else (*leading[0], n, k)
    right = (k,) if draw(st.booleans()) and not leading[1] else (*leading[1], k, m)
    kind = draw(st.sampled_from((Normal, partial(Labels, classes=9, put=(-4,)))))
    return Case({}, (kind(left), kind(right)), seed=draw(SEEDS))


MATMUL = Subject(
    "MatMul",
    cases=(
        *(
            Case({}, (Labels(left, 9, (-4,)), Labels(right, 9, (-4,))), "integers")
            for left, right in (((2, 3), (3, 4)), ((3,), (2, 3, 4)), ((2, 1, 2, 3), (3, 3, 4)))
        ),
        *(
            Case({}, (Normal(left), Normal(right)))
            for left, right in (
                ((2, 3), (3, 4)),
                ((3,), (3,)),
                ((3,), (3, 4)),
                ((2, 3), (3,)),
                ((2, 2, 3), (3, 4)),
                ((2, 2, 2, 3), (3,)),
                ((3,), (2, 3, 4)),
                ((2, 3), (2, 3, 4)),
                ((2, 2, 3), (2, 3, 4)),
                ((2, 1, 2, 3), (3, 3, 4)),
                ((1, 2, 3), (2, 3, 1)),
                ((0, 3), (3, 4)),
                ((0, 2, 3), (3, 4)),
            )
        ),
    ),
    strategy=matmul(),
    misfits=(
        Misfit(
            {},
            (Spec((2, 3)), Spec((4, 3))),
            "MatMul takes (*, n, k) and (*, k, m) but its inputs are (2, 3) and (4, 3): 3 is not 4",
            argument=1,
        ),
        Misfit(
            {},
            (Spec((2, 3)), Spec((2,))),
            "MatMul takes (*, n, k) and (*, k, m) but its inputs are (2, 3) and (2,): 3 is not 2",
            argument=1,
        ),
        Misfit(
            {},
            (Spec((2, 4, 3)), Spec((3, 3, 2))),
            "MatMul takes leading dimensions that fit but its inputs are (2, 4, 3) and (3, 3, 2)",
            argument=1,
        ),
        Misfit({}, (Spec(()), Spec((3,))), "MatMul takes matrices but its input is a single number", argument=0),
        Misfit({}, (Spec((3,)), Spec(())), "MatMul takes matrices but its input is a single number", argument=1),
        *(
            Misfit(
                {},
                (Spec((2, 3), first), Spec((3, 4), second)),
                f"MatMul takes inputs of one kind but its input holds {first}s and its other {second}s",
                argument=1,
            )
            for first, second in (("float", "int"), ("int", "float"))
        ),
        Misfit(
            {},
            (Spec((2, 3), "bool"), Spec((3, 4), "bool")),
            "MatMul takes floating-point numbers or integers but its input holds bools",
            argument=0,
        ),
    ),
)


@st.composite
def concat(draw: st.DrawFn) -> Case:
    """Inputs that differ in one dimension, counted from either end."""
    shape = list(draw(shapes(1, 4)))
    dim = draw(st.integers(0, len(shape) - 1))
    sizes = draw(st.lists(st.integers(0, 4), min_size=1, max_size=4))
    each = [tuple(size if d == dim else other for d, other in enumerate(shape)) for size in sizes]
    inputs = tuple(draw(any_kind(size)) for size in each)
    return Case({"dim": dim - draw(st.sampled_from((0, len(shape))))}, inputs, seed=draw(SEEDS))


CONCAT = Subject(
    "Concat",
    cases=(
        Case({"dim": 1}, (Normal((2, 3)), Normal((2, 1)))),
        Case({"dim": -1}, (Normal((2, 3, 1)), Normal((2, 3, 2)), Normal((2, 3, 4)))),
        Case({"dim": 0}, (Normal((2, 3)), Normal((1, 3)))),
        Case({"dim": 0}, (Normal((2,)), Normal((3,)))),
        Case({"dim": 1}, (Normal((2, 3, 2)),), "one input"),
        Case({"dim": 1}, (Normal((0, 3)), Normal((0, 1))), "no rows"),
        Case({"dim": 1}, (Normal((2, 3)), Normal((2, 0))), "nothing of the second"),
        Case({"dim": 1}, (Labels((2, 3), 9), Labels((2, 1), 9)), "integers"),
        Case({"dim": 1}, (Labels((2, 3), 9), Normal((2, 1)), Flags((2, 2))), "of each kind"),
        Case({"dim": 1}, (Flags((2, 3)), Labels((2, 1), 9)), "integers and booleans"),
        Case({"dim": 1}, (Flags((2, 3)), Flags((2, 1))), "booleans"),
    ),
    strategy=concat(),
    bad=(
        Bad({}, "missing", ("dim",)),
        Bad({"dim": 1.0}, "int_type", ("dim",)),
        Bad({"dim": None}, "int_type", ("dim",)),
    ),
    misfits=(
        *(
            Misfit(
                {"dim": dim},
                (first, second),
                f"Concat takes inputs that differ only in dimension {dim} but has {first} and {second}",
                argument=1,
            )
            for dim, first, second in (
                (1, Spec((2, 3)), Spec((4, 3))),
                (1, Spec((2, 3)), Spec((2, 3, 1))),
                (-1, Spec((2, 3)), Spec((3,))),
                (5, Spec((2, 3)), Spec((2, 4))),
            )
        ),
        Misfit(
            {"dim": 1},
            (Spec((2, 3)), Spec((0,))),
            "Concat takes inputs that differ only in dimension 1 but has (2, 3) and (0,)",
            argument=1,
            taken="a vector without numbers has not the other inputs' dimensions; PyTorch skips it, as a relic",
        ),
        Misfit(
            {"dim": 2},
            (Spec((2, 3)), Spec((2, 3))),
            "Concat needs a dimension 2 but its input (2, 3) has 2; dim may be -2 to 1",
            field="dim",
            argument=0,
        ),
        Misfit(
            {"dim": 0},
            (Spec(()), Spec(())),
            "Concat joins along a dimension but its input is a single number",
            argument=0,
        ),
    ),
)


@st.composite
def some_dims(draw: st.DrawFn, ndim: int) -> int | tuple[int, ...]:
    """One dimension, or some in any order, each counted from either end."""
    dims = draw(st.lists(st.integers(0, max(ndim, 1) - 1), min_size=1, max_size=max(ndim, 1), unique=True))
    ends = [dim - draw(st.sampled_from((0, max(ndim, 1)))) for dim in dims]
    return ends[0] if len(ends) == 1 and draw(st.booleans()) else tuple(ends)


@st.composite
def mean(draw: st.DrawFn) -> Case:
    """Some dimensions or all; over nothing the mean is NaN."""
    shape = draw(shapes(0, 4))
    dim = draw(st.none() | some_dims(len(shape)))
    return Case({"dim": dim, "keepdim": draw(st.booleans())}, (Normal(shape),), seed=draw(SEEDS))


def twice(name: str) -> Misfit:
    message = f"{name}'s dim [1, -1] names a dimension of its input (2, 3) twice"
    return Misfit({"dim": (1, -1)}, (Spec((2, 3)),), message, field="dim", argument=0)


def missing(name: str) -> Misfit:
    message = f"{name} needs a dimension 2 but its input (2, 3) has 2; dim may be -2 to 1"
    return Misfit({"dim": (0, 2)}, (Spec((2, 3)),), message, field="dim", argument=0)


MEAN = Subject(
    "Mean",
    cases=(
        Case({"dim": 1}, (Normal((2, 3)),)),
        Case({"dim": (2, 3)}, (Normal((2, 3, 2, 4)),)),
        Case({"dim": (-1, 1), "keepdim": True}, (Normal((2, 3, 2, 4)),)),
        Case({"dim": 0}, (Normal((2, 3)),)),
        Case({"dim": None}, (Normal((2, 3)),)),
        Case({"dim": None, "keepdim": True}, (Normal((2, 3)),)),
        Case({"dim": None}, (Normal(()),)),
        Case({"dim": -1, "keepdim": True}, (Normal(()),)),
        Case({"dim": 1}, (Normal((0, 3)),), "no rows"),
        Case({"dim": 1}, (Normal((2, 0)),), "of nothing"),
    ),
    strategy=mean(),
    bad=(
        Bad({}, "missing", ("dim",)),
        Bad({"dim": 1, "keepdim": 1}, "bool_type", ("keepdim",)),
    ),
    misfits=(
        twice("Mean"),
        missing("Mean"),
        only_floats("Mean", Spec((2, 3), "int"), dim=1),
    ),
)


@st.composite
def normalize(draw: st.DrawFn) -> Case:
    """Any norm over some dimensions; eps now and then above the norm. No number near a kink."""
    shape = draw(shapes(1, 4, side=1))
    p = draw(st.sampled_from((0.0, 0.5, 1.0, 1.5, 2.0, 3.0, inf, -1.0, -2.0, -inf)))
    dim, seed = draw(some_dims(len(shape))), draw(SEEDS)
    arguments = {"p": p, "dim": dim, "eps": draw(st.sampled_from((1e-12, 0.5, 2.0, -1.0)))}
    # A gradient is a difference of terms as large as 1 / norm. No norm is below the largest element, and with p < 0
    # none below the smallest but for the number of elements.
    sizes = np.abs(Normal(shape)(np.random.default_rng(seed)))
    smallest = float((sizes.max(axis=dim) if p >= 0 else sizes.min(axis=dim) / sizes.size).min())
    steep = 10 if p == 0.5 else 1 / smallest if p < 0 else 1  # a power below 1 makes them larger
    return Case(arguments, (Normal(shape),), seed=seed, tolerance=scaled(steep / smallest, "large terms cancel"))


NORMALIZE = Subject(
    "Normalize",
    cases=(
        Case({}, (Normal((2, 3)),)),
        Case({"dim": -1, "p": 1.0}, (Normal((2, 3)),)),
        Case({"dim": (1, 2), "p": 3.0}, (Normal((2, 3, 2)),)),
        Case({"dim": 0, "p": 1.5}, (Normal((4,)),)),
        Case({"p": 0.5}, (Normal((2, 3)),)),
        Case({"p": 0.0}, (Normal((2, 3)),)),
        Case({"p": inf}, (Normal((2, 3)),)),
        Case({"dim": 0}, (Normal(()),)),
        *(Case({"p": p, "eps": 5.0}, (Normal((2, 3)),), "below eps") for p in (0.0, 0.5, 1.0, 1.5, 2.0, 3.0, inf)),
        *(
            Case({"p": p}, (Normal((2, 3), put=(0.0, -0.0, 0.0, 0.0)),), "zeros", rough="a kink at 0")
            for p in (0.0, 0.5, 1.0, 1.5, 2.0, 3.0, inf)
        ),
        Case({"eps": 5.0}, (Normal((1, 2), put=(3.0, 4.0)),), "at eps itself", rough="a kink at eps"),
        Case({"p": 1.0, "eps": 5.0}, (Normal((1, 2), put=(-2.0, 3.0)),), "at eps itself", rough="a kink at eps"),
        Case({"p": inf}, (Normal((2, 3), put=(2.0, -2.0, 1.0)),), "two are the largest", rough="a kink"),
        Case({"eps": 0}, (Normal((2, 3)),)),
        Case({"eps": -0.5}, (Normal((2, 3)),)),
        *(Case({"p": p}, (Normal((2, 3)),)) for p in (-1.0, -2.0, -inf)),
        *(
            Case({"p": p, "eps": e}, (Normal((2, 3), put=(0.0,) * 3),), "a norm of 0", rough="0 / 0")
            for p, e in ((0.0, 0.0), (1.0, 0.0), (2.0, -0.5), (inf, 0.0), (-1.0, 0.0))
        ),
        *(
            Case({"p": p}, (Normal((2, 3), put=put),), f"with {put[0]}", rough="infinities")
            for p, put in product((0.0, 0.5, 1.0, 2.0, inf, -1.0, -inf), ((nan,), (inf, 1.0, -inf)))
        ),
        Case({}, (Normal((0, 3)),), "no rows"),
        Case({}, (Normal((2, 0)),), "nothing to normalize"),
        Case({}, (Normal((2, 1), put=(1e30, -1e-30)),), "single numbers of any size", rough="too large"),
        Case({"p": 1.5}, (Normal((2, 1), put=(1e30, -1e-30)),), "single numbers of any size", rough="too large"),
    ),
    strategy=normalize(),
    bad=(
        Bad({"p": nan}, "value_error", ("p",), "Value error, an exponent must be a number", taken=NAN),
        Bad({"p": "2"}, "float_type", ("p",)),
        Bad({"eps": inf}, "finite_number", ("eps",)),
    ),
    misfits=(
        twice("Normalize"),
        missing("Normalize"),
        *(
            Misfit(
                {"p": p},
                (Spec((2, 0)),),
                f"Normalize cannot take the norm with p = {p:g} of nothing: its input is (2, 0)",
                field="p",
                argument=0,
            )
            for p in (inf, -1.0, -inf)
        ),
        only_floats("Normalize", Spec((2, 3), "bool")),
    ),
)

SUBJECTS = (
    IDENTITY,
    FLATTEN,
    UNFLATTEN,
    RESHAPE,
    PERMUTE,
    arithmetic("Add", 1, 4),
    arithmetic("Sub", 2, 2),
    arithmetic("Mul", 1, 4),
    MATMUL,
    CONCAT,
    MEAN,
    NORMALIZE,
)
