"""Pools."""

from math import inf, nan

from hypothesis import strategies as st

from components.cases.case import SEEDS, SPECIALS, Bad, Case, Labels, Misfit, Normal, Subject
from components.cases.conv import size
from declnet.core.spec import Spec

MANY = "too many numbers for differences"
TIES = "a kink where two are the largest"
TAKES = {1: "(N, C, L) or (C, L)", 2: "(N, C, H, W) or (C, H, W)"}


@st.composite
def pool(draw: st.DrawFn, dims: int, *, largest: bool) -> Case:
    """Windows of any kind, on an input that is large enough for them."""
    kernel = draw(size(dims, 1, 4))
    kernels = (kernel,) * dims if isinstance(kernel, int) else kernel
    dilation = draw(size(dims, 1, 3)) if largest else 1
    dilations = (dilation,) * dims if isinstance(dilation, int) else dilation
    padding = tuple(draw(st.integers(0, number // 2)) for number in kernels)
    arguments = {
        "kernel_size": kernel,
        "stride": draw(st.none() | size(dims, 1, 4)),
        "padding": padding,
        "ceil_mode": draw(st.booleans()),
        **({"dilation": dilation} if largest else {"count_include_pad": draw(st.booleans())}),
    }
    if dims == 2 and not largest:
        arguments["divisor_override"] = draw(st.sampled_from((None, None, 1, 5, -3)))
    # A window that lies on padding only has no largest number: PyTorch writes outside its memory there.
    reach = [d * (k - 1) + 1 - p for k, d, p in zip(kernels, dilations, padding, strict=True)]
    sizes = [draw(st.integers(number, number + 5)) for number in reach]
    batch = draw(st.sampled_from(((), (0,), (1,), (3,))))
    digits, put = draw(st.none() | st.just(0)), draw(SPECIALS)
    floats, shape = Normal((*batch, 2, *sizes), digits=digits, put=put), (*batch, 2, *sizes)
    integers = st.just(Labels(shape, 2000, (-500, -7))) if dims == 2 or not largest else st.nothing()
    return Case(arguments, (draw(st.just(floats) | integers),), seed=draw(SEEDS))


@st.composite
def adaptive(draw: st.DrawFn, dims: int) -> Case:
    """More windows than positions, fewer, and as many."""
    number = st.integers(1, 7)
    each = [number | st.none()] * dims if dims > 1 else [number]
    batch = draw(st.sampled_from(((), (0,), (1,), (3,))))
    shape = (*batch, draw(st.integers(1, 3)), *(draw(st.integers(1, 8)) for _ in range(dims)))
    arguments = {"output_size": draw(number | st.tuples(*each))}
    return Case(arguments, (Normal(shape, put=draw(SPECIALS)),), seed=draw(SEEDS))


def floats_only(name: str, dims: int, arguments: dict[str, object]) -> Misfit:
    spec = Spec((2, 3, *(6,) * dims), "int")
    return Misfit(arguments, (spec,), f"{name} takes floating-point numbers but its input holds ints", argument=0)


def misfits(name: str, dims: int) -> tuple[Misfit, ...]:
    """What no pool works on."""
    shape, two = (2, 3, *(6,) * dims), {"kernel_size": 2}
    return (
        Misfit(
            two,
            (Spec(shape[:dims]),),
            f"{name} takes {TAKES[dims]} but its input is {Spec(shape[:dims])}",
            argument=0,
        ),
        Misfit(
            two,
            (Spec((1, *shape)),),
            f"{name} takes {TAKES[dims]} but its input is {Spec((1, *shape))}",
            argument=0,
        ),
        Misfit(
            two,
            (Spec((2, 0, *shape[2:])),),
            f"{name} needs channels and positions but its input {Spec((2, 0, *shape[2:]))} has none",
            argument=0,
        ),
        Misfit(
            {"kernel_size": 7},
            (Spec(shape),),
            f"{name}'s window covers 7 positions but its input {Spec(shape)} has 6",
            field="kernel_size",
            argument=0,
        ),
        Misfit(
            {"kernel_size": 9, "padding": 1, "stride": 1, "ceil_mode": True},
            (Spec(shape),),
            f"{name}'s window covers 9 positions but its input {Spec(shape)} has 6, 8 with padding",
            field="kernel_size",
            argument=0,
        ),
    )


BAD = (
    Bad({}, "missing", ("kernel_size",)),
    Bad({"kernel_size": 2, "ceil_mode": 1}, "bool_type", ("ceil_mode",)),
    Bad({"kernel_size": 3, "padding": 2}, "value_error", ()),
)


def max_pool(dims: int) -> Subject:
    """Every argument, ties, and numbers that are not finite."""
    name, shape = f"MaxPool{dims}d", (2, 3, *(7, 6)[-dims:])
    put = (inf, -inf, nan, nan, 1.0, -inf, -inf, -inf)
    return Subject(
        name,
        cases=(
            Case({"kernel_size": 2}, (Normal(shape),)),
            Case({"kernel_size": 2}, (Normal((2, 3, *(4,) * dims)),), "every position in one window"),
            Case({"kernel_size": 3}, (Normal(shape[1:]),), "no batch"),
            Case({"kernel_size": 2}, (Normal((0, *shape[1:])),), "no rows"),
            Case({"kernel_size": 1}, (Normal(shape),)),
            Case({"kernel_size": 1, "stride": 3}, (Normal(shape),), "gaps between windows"),
            Case({"kernel_size": 3, "stride": 1}, (Normal(shape),), "overlapping windows"),
            Case({"kernel_size": 3, "stride": 2, "padding": 1}, (Normal(shape),)),
            Case({"kernel_size": 2, "padding": 1}, (Normal(shape),)),
            Case({"kernel_size": 2, "dilation": 3, "padding": 1, "stride": 1}, (Normal(shape),)),
            Case({"kernel_size": 3, "ceil_mode": True, "stride": 2}, (Normal((2, 2, *(6,) * dims)),), "hangs over"),
            Case(
                {"kernel_size": 2, "ceil_mode": True, "padding": 1},
                (Normal((2, 2, *(5,) * dims)),),
                "not in padding",
            ),
            Case(
                {"kernel_size": 6, "stride": 5, "ceil_mode": True},
                (Normal((1, 2, *(4,) * dims)),),
                "over all of it",
            ),
            Case({"kernel_size": (2,) * dims, "stride": (1,) * dims, "padding": (1,) * dims}, (Normal(shape),)),
            Case({"kernel_size": 3, "stride": 1}, (Normal(shape, digits=0),), "ties", rough=TIES),
            Case(
                {"kernel_size": 3, "stride": 2, "padding": 1}, (Normal(shape, put=put),), "not finite", rough="NaN"
            ),
            Case(
                {"kernel_size": 2, "padding": 1},
                (Normal((1, 1, *(3,) * dims), put=(-inf,) * 9),),
                rough="infinities",
            ),
            *(
                (Case({"kernel_size": 2, "stride": 1, "padding": 1}, (Labels(shape, 9),), "integers"),)
                * (dims == 2)
            ),
            *(
                (
                    Case(
                        {"kernel_size": (3,), "stride": (2,), "padding": (1,), "dilation": (1,)},
                        (Normal(shape),),
                        "one number for both",
                    ),
                )
                * (dims == 2)
            ),
            Case(
                {"kernel_size": 17 if dims == 2 else 300},
                (Normal((1, 2, *((18, 17) if dims == 2 else (300,)))),),
                rough=MANY,
            ),
        ),
        strategy=pool(dims, largest=True),
        bad=(*BAD, Bad({"kernel_size": 2, "return_indices": True}, "extra_forbidden", ("return_indices",))),
        misfits=(
            *misfits(name, dims),
            floats_only(name, 1, {"kernel_size": 2})
            if dims == 1
            else Misfit(
                {"kernel_size": 2},
                (Spec(shape, "bool"),),
                f"{name} takes numbers but its input holds bools",
                argument=0,
            ),
        ),
    )


MAX_POOL1D, MAX_POOL2D = max_pool(1), max_pool(2)


def avg_pool(dims: int, *more: Case) -> Subject:
    """Every argument."""
    name, shape = f"AvgPool{dims}d", (2, 3, *(7, 6)[-dims:])
    padded = {"kernel_size": 3, "stride": 2, "padding": 1}
    return Subject(
        name,
        cases=(
            Case({"kernel_size": 2}, (Normal(shape),)),
            Case({"kernel_size": 2}, (Normal((2, 3, *(4,) * dims)),), "every position in one window"),
            Case({"kernel_size": 3}, (Normal(shape[1:]),), "no batch"),
            Case({"kernel_size": 2}, (Normal((0, *shape[1:])),), "no rows"),
            Case({"kernel_size": 1, "stride": 3}, (Normal(shape),), "gaps between windows"),
            Case({"kernel_size": 3, "stride": 1}, (Normal(shape),), "overlapping windows"),
            Case(padded, (Normal(shape),)),
            Case({**padded, "count_include_pad": False}, (Normal(shape),)),
            Case(
                {"kernel_size": 3, "padding": 1},
                (Normal((2, 3, *(6,) * dims)),),
                "as many windows as would tile it",
            ),
            Case({"kernel_size": 3, "ceil_mode": True, "stride": 2}, (Normal((2, 2, *(6,) * dims)),), "hangs over"),
            Case({**padded, "ceil_mode": True}, (Normal((2, 2, *(6,) * dims)),), "hangs over the padding"),
            Case({**padded, "ceil_mode": True, "count_include_pad": False}, (Normal((2, 2, *(6,) * dims)),)),
            Case(
                {"kernel_size": 6, "stride": 5, "ceil_mode": True},
                (Normal((1, 2, *(4,) * dims)),),
                "over all of it",
            ),
            Case({"kernel_size": (2,) * dims, "stride": (1,) * dims, "padding": (1,) * dims}, (Normal(shape),)),
            Case({"kernel_size": 2}, (Normal(shape, put=(inf, nan, -inf)),), "not finite", rough="NaN"),
            *(
                Case(arguments, (Labels(shape, 2000, (-500, -7, -2)),), "integers")
                for arguments in (
                    {"kernel_size": 2},
                    padded,
                    {**padded, "ceil_mode": True, "count_include_pad": False},
                )
            ),
            *more,
        ),
        strategy=pool(dims, largest=False),
        bad=(*BAD, Bad({"kernel_size": 2, "count_include_pad": 1}, "bool_type", ("count_include_pad",))),
        misfits=(
            *misfits(name, dims),
            Misfit(
                {"kernel_size": 2},
                (Spec(shape, "bool"),),
                f"{name} takes floating-point numbers or integers but its input holds bools",
                argument=0,
            ),
        ),
    )


AVG_POOL1D = avg_pool(1)
AVG_POOL2D = avg_pool(
    2,
    *(
        Case({"kernel_size": (2, 3), "padding": 1, "divisor_override": divisor}, (Normal((2, 3, 5, 6)),))
        for divisor in (1, 5, -3)
    ),
    Case({"kernel_size": 2, "divisor_override": -3}, (Labels((2, 3, 5, 6), 50, (-9, -8)),), "integers"),
    Case({"kernel_size": (2,), "stride": (1,), "padding": (1,)}, (Normal((2, 3, 5, 6)),), "one number for both"),
    Case({"kernel_size": 2, "divisor_override": 3, "count_include_pad": False}, (Normal((2, 3, 5, 6)),)),
)


def adaptive_avg_pool(dims: int, *more: Case) -> Subject:
    """Sizes that divide the input's, and that do not."""
    name, shape = f"AdaptiveAvgPool{dims}d", (2, 3, *(7, 6)[-dims:])
    none = Spec((2, 3, *(0,) * dims))
    return Subject(
        name,
        cases=(
            *(Case({"output_size": output}, (Normal(shape),)) for output in (1, 2, 3, 4, 6, 9)),
            Case({"output_size": 2}, (Normal(shape[1:]),), "no batch"),
            Case({"output_size": 2}, (Normal((0, *shape[1:])),), "no rows"),
            Case({"output_size": 1}, (Normal((2, 0, *shape[2:])),), "no channels"),
            Case({"output_size": (3,) * dims}, (Normal(shape),)),
            Case({"output_size": 2}, (Normal((1, 1, *(18,) * dims)),), "long windows"),
            Case({"output_size": 2}, (Normal(shape, put=(inf, nan)),), "not finite", rough="NaN"),
            *more,
        ),
        strategy=adaptive(dims),
        bad=(Bad({}, "missing", ("output_size",)),),
        misfits=(
            floats_only(name, dims, {"output_size": 1}),
            *(
                Misfit(
                    {"output_size": output},
                    (Spec(shape[:dims]),),
                    f"{name} takes {TAKES[dims]} but its input is {Spec(shape[:dims])}",
                    argument=0,
                    taken=taken,
                )
                for output, taken in (
                    (2, ""),
                    (1, "one window is the mean, which PyTorch takes of a matrix too" if dims == 2 else ""),
                )
            ),
            Misfit(
                {"output_size": 1},
                (none,),
                f"{name} needs positions but its input {none} has none",
                argument=0,
                taken="the mean of nothing is NaN",
            ),
            Misfit(
                {"output_size": 0},
                (Spec(shape),),
                f"{name} needs windows to train but its output is {Spec((*shape[:2], *(0,) * dims))}",
                field="output_size",
                in_training=True,
            ),
            Misfit(
                {"output_size": 2},
                (Spec((2, 0, *shape[2:])),),
                f"{name} needs channels to train but its input is {Spec((2, 0, *shape[2:]))}",
                argument=0,
                in_training=True,
            ),
        ),
    )


ADAPTIVE_AVG_POOL1D = adaptive_avg_pool(1)
ADAPTIVE_AVG_POOL2D = adaptive_avg_pool(
    2,
    *(
        Case({"output_size": output}, (Normal((2, 3, 5, 6)),))
        for output in ((None, 1), (1, None), (5, 4), (None, None))
    ),
)

SUBJECTS = (MAX_POOL1D, MAX_POOL2D, AVG_POOL1D, AVG_POOL2D, ADAPTIVE_AVG_POOL1D, ADAPTIVE_AVG_POOL2D)
