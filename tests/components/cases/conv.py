"""Convolutions."""

import math
from collections.abc import Mapping
from functools import partial

from hypothesis import strategies as st

from components.cases.case import SEEDS, Bad, Case, Misfit, Normal, Subject, Tolerance
from declnet.core.laws import Uniform
from declnet.core.spec import DType, Spec

SUMS: Mapping[DType, Tolerance] = {
    "float32": Tolerance(1.3e-6, 5e-5, "sums of hundreds of products, in another order"),
}

summed = partial(Case, tolerance=SUMS)

MODES = ("zeros", "reflect", "replicate", "circular")


def size(dims: int, least: int, most: int) -> st.SearchStrategy[int | tuple[int, ...]]:
    """One number for all dimensions, or one for each."""
    number = st.integers(least, most)
    return number | st.tuples(*[number] * dims)


def step(dims: int, least: int, most: int) -> st.SearchStrategy[int | tuple[int, ...]]:
    """As `size`, and one number in a list."""
    return size(dims, least, most) | st.tuples(st.integers(least, most))


@st.composite
def convolution(draw: st.DrawFn, dims: int) -> Case:
    """Any arguments, on an input that is large enough for them."""
    groups = draw(st.integers(1, 3))
    channels, outputs = groups * draw(st.integers(1, 3)), groups * draw(st.integers(1, 4))
    named = draw(st.sampled_from((None, None, "same", "valid")))
    arguments = {
        "in_channels": draw(st.sampled_from((None, channels))),
        "out_channels": outputs,
        "kernel_size": draw(size(dims, 1, 4 if dims < 3 else 3)),
        "stride": 1 if named == "same" else draw(step(dims, 1, 4)),
        "padding": named or draw(size(dims, 0, 3)),
        "dilation": draw(step(dims, 1, 3)),
        "groups": groups,
        "bias": draw(st.booleans()),
        "padding_mode": draw(st.sampled_from(MODES)),
    }
    if arguments["padding_mode"] != "zeros":
        if not named:
            arguments["padding"] = draw(size(dims, -2, 3))
        if named == "same" and isinstance(dilation := arguments["dilation"], tuple):
            arguments["dilation"] = dilation * (dims // len(dilation))
    smallest = [least(arguments, dim, dims) for dim in range(dims)]
    sizes = tuple(draw(st.integers(number, max(number, 6 if dims < 3 else 4))) for number in smallest)
    batch = draw(st.sampled_from(((), (0,), (1,), (2,), (3,))))
    return Case(arguments, (Normal((*batch, channels, *sizes)),), seed=draw(SEEDS), tolerance=SUMS)


def least(arguments: Mapping[str, object], dim: int, dims: int) -> int:
    """The smallest size that a dimension may have."""

    def of(name: str) -> int:
        value = arguments[name]
        number = value[dim if len(value) > 1 else 0] if isinstance(value, tuple) else value
        assert isinstance(number, int)
        return number

    reach = of("dilation") * (of("kernel_size") - 1) + 1
    if arguments["padding"] in ("same", "valid"):
        before = -(-(reach - 1) // 2) if arguments["padding"] == "same" else 0
        fits = 1 if arguments["padding"] == "same" else reach
    else:
        before, fits = of("padding"), reach - 2 * of("padding")
    return max(1, fits, {"reflect": before + 1, "circular": before}.get(str(arguments["padding_mode"]), 1))


def refused_numbers(dims: int) -> tuple[Bad, ...]:
    """What none of the three takes."""
    good = {"out_channels": 4, "kernel_size": 3}
    return (
        Bad({"kernel_size": 3}, "missing", ("out_channels",)),
        Bad({"out_channels": 4}, "missing", ("kernel_size",)),
        Bad({**good, "in_channels": 0}, "greater_than", ("in_channels",)),
        Bad({**good, "out_channels": 0}, "greater_than", ("out_channels",)),
        Bad({**good, "groups": 0}, "greater_than", ("groups",)),
        Bad({**good, "bias": 1}, "bool_type", ("bias",)),
        Bad({**good, "padding_mode": "constant"}, "literal_error", ("padding_mode",)),
        Bad({**good, "groups": 3}, "value_error", ()),
        Bad({**good, "in_channels": 3, "groups": 2}, "value_error", ()),
        Bad({**good, "stride": 2, "padding": "same"}, "value_error", ()),
        Bad({**good, "stride": (1,) * (dims - 1) + (2,), "padding": "same"}, "value_error", ()),
        Bad(
            {**good, "padding": -1},
            "value_error",
            (),
            "Value error, padding must not be negative where padding_mode is zeros",
        ),
        *(
            Bad(
                {**good, **given, "padding_mode": "reflect"},
                "value_error",
                (),
                f"Value error, {name} must be one number, or {dims}, in padding_mode reflect",
                taken=taken,
            )
            for name, given, taken in (
                ("padding", {"padding": (1,)}, ""),
                (
                    "dilation",
                    {"padding": "same", "dilation": (2,)},
                    "one number in a list is that of the last dimension alone in PyTorch, and the size is not kept",
                ),
            )
            if dims > 1 and not (taken and dims == 3)  # there it would not fit the input
        ),
    )


def misfits(name: str, dims: int, takes: str) -> tuple[Misfit, ...]:
    """What none of the three works on."""
    shape, three = (2, 4, *(5,) * dims), {"out_channels": 4, "kernel_size": 3}
    written = Spec(shape)
    return (
        Misfit(
            three,
            (Spec(shape, "int"),),
            f"{name} takes floating-point numbers but its input holds ints",
            argument=0,
        ),
        Misfit(
            three, (Spec(shape[:dims]),), f"{name} takes {takes} but its input is {Spec(shape[:dims])}", argument=0
        ),
        Misfit(
            three, (Spec((1, *shape)),), f"{name} takes {takes} but its input is {Spec((1, *shape))}", argument=0
        ),
        Misfit(
            three,
            (Spec((2, 0, *shape[2:])),),
            f"{name} needs channels and positions but its input {Spec((2, 0, *shape[2:]))} has none",
            argument=0,
            taken="PyTorch's output then has no channels either, whatever out_channels says",
        ),
        Misfit(
            {**three, "padding": 2},
            (Spec((*shape[:-1], 0)),),
            f"{name} needs channels and positions but its input {Spec((*shape[:-1], 0))} has none",
            argument=0,
        ),
        Misfit(
            {**three, "in_channels": 3},
            (written,),
            f"{name} takes 3 channels but its input has 4",
            field="in_channels",
            argument=0,
        ),
        Misfit(
            {**three, "out_channels": 3, "groups": 3},
            (written,),
            f"{name} has 3 groups but its input has 4 channels",
            field="groups",
            argument=0,
        ),
        Misfit(
            {"out_channels": 1, "kernel_size": 6},
            (written,),
            f"{name}'s kernel covers 6 positions but its input {written} has 5",
            field="kernel_size",
            argument=0,
        ),
        Misfit(
            {"out_channels": 1, "kernel_size": 3, "dilation": 4, "padding": 1},
            (written,),
            f"{name}'s kernel covers 9 positions but its input {written} has 5, 7 with padding",
            field="kernel_size",
            argument=0,
        ),
        Misfit(
            {**three, "padding": 5, "padding_mode": "reflect"},
            (written,),
            f"{name} in padding_mode reflect pads an input {written} by 4 at most, not by 5",
            field="padding",
            argument=0,
        ),
        Misfit(
            {**three, "padding": 6, "padding_mode": "circular"},
            (written,),
            f"{name} in padding_mode circular pads an input {written} by 5 at most, not by 6",
            field="padding",
            argument=0,
        ),
    )


def subject(name: str, dims: int, takes: str, cases: tuple[Case, ...]) -> Subject:
    """What all three are tried on, and the cases of one."""
    channels = 3 if dims < 3 else 2
    shape = (2, channels, *((7,), (6, 5), (3, 3, 4))[dims - 1])
    large = summed({"out_channels": 500, "kernel_size": 2, "groups": 2}, (Normal((1, 8, *(2,) * dims)),))
    bound = 1 / math.sqrt(4 * 2**dims)
    plain = {"out_channels": 4 if dims < 3 else 2, "kernel_size": 3}
    return Subject(
        name,
        cases=(
            summed(plain, (Normal(shape),)),
            summed({**plain, "bias": False}, (Normal(shape),)),
            summed({**plain, "in_channels": channels}, (Normal(shape[1:]),), "no batch"),
            summed(plain, (Normal((0, *shape[1:])),), "no rows"),
            summed({**plain, "padding_mode": "circular", "padding": 1}, (Normal((0, *shape[1:])),), "no rows"),
            summed({"out_channels": 2, "kernel_size": 1}, (Normal(shape),), "nothing to lower"),
            summed({"out_channels": 2, "kernel_size": 1}, (Normal(shape[1:]),), "nothing to lower"),
            summed(
                {"out_channels": 2, "kernel_size": 1, "stride": 2}, (Normal(shape),), "positions that nobody reads"
            ),
            summed({"out_channels": 2, "kernel_size": 2, "stride": 3}, (Normal(shape),), "gaps between windows"),
            summed({"out_channels": 2, "kernel_size": 3, "stride": 2, "padding": 1}, (Normal(shape),)),
            summed(
                {"out_channels": 2, "kernel_size": 2, "stride": 2, "dilation": 2},
                (Normal(shape),),
                "one phase only",
            ),
            summed(
                {"out_channels": 2, "kernel_size": 2, "stride": 4, "dilation": 3, "padding": 2}, (Normal(shape),)
            ),
            summed(
                {"out_channels": 2, "kernel_size": 1, "padding": 3}, (Normal(shape),), "windows on padding only"
            ),
            summed({"out_channels": 2, "kernel_size": 2, "padding": "valid"}, (Normal(shape),)),
            *(
                summed(
                    {"out_channels": 2, "kernel_size": kernel, "padding": "same", "padding_mode": mode},
                    (Normal(shape),),
                )
                for kernel in (3, 2)
                for mode in MODES
            ),
            summed(
                {"out_channels": 2, "kernel_size": 2, "padding": "same", "dilation": 3},
                (Normal(shape),),
                "odd padding",
            ),
            *(
                summed(
                    {"out_channels": 2, "kernel_size": 2, "padding": 2, "padding_mode": mode, "stride": 2},
                    (Normal(shape),),
                )
                for mode in MODES
            ),
            summed(
                {"out_channels": 2, "kernel_size": 3, "padding": 4, "padding_mode": "replicate"},
                (Normal(shape[1:]),),
            ),
            summed(
                {"out_channels": 2, "kernel_size": 1, "padding": 0, "padding_mode": "reflect"}, (Normal(shape),)
            ),
            summed(
                {"out_channels": 2 * channels, "kernel_size": 2, "groups": channels}, (Normal(shape),), "depthwise"
            ),
            *(
                summed(
                    {"out_channels": 2, "kernel_size": 1, "padding": padding, "padding_mode": mode},
                    (Normal(shape),),
                    "taken away",
                )
                for mode in MODES[1:]
                for padding in (-1, (-1, 2, 1)[:dims], (1, -1, 0)[:dims])
            ),
            *(
                summed(
                    {"out_channels": 2, "kernel_size": 2, "stride": (2,), "padding": (1,), "dilation": (2,)},
                    (Normal(shape),),
                    "one number for all",
                )
                for _ in range(dims > 1)
            ),
            summed({"out_channels": 4, "kernel_size": 2, "groups": 2, "padding": 1}, (Normal((1, 4, *shape[2:])),)),
            *cases,
        ),
        strategy=convolution(dims),
        bad=refused_numbers(dims),
        misfits=misfits(name, dims, takes),
        initial=large,
        laws={"weight": Uniform(-bound, bound), "bias": Uniform(-bound, bound)},
    )


CONV1D = subject(
    "Conv1d",
    1,
    "(N, C, L) or (C, L)",
    (
        summed(
            {"out_channels": 2, "kernel_size": (3,), "stride": (2,), "padding": (1,), "dilation": (1,)},
            (Normal((2, 3, 7)),),
        ),
    ),
)

CONV2D = subject(
    "Conv2d",
    2,
    "(N, C, H, W) or (C, H, W)",
    (
        summed({"out_channels": 2, "kernel_size": (2, 3), "padding": (1, 0)}, (Normal((2, 3, 4, 5)),)),
        summed({"out_channels": 2, "kernel_size": (3, 1), "stride": (1, 2)}, (Normal((2, 3, 4, 5)),), "columns"),
        summed(
            {"out_channels": 2, "kernel_size": (1, 3), "stride": (3, 1), "dilation": (1, 2)},
            (Normal((2, 3, 7, 5)),),
        ),
        summed({"out_channels": 8, "kernel_size": 3, "padding": 1}, (Normal((2, 1, 4, 5)),), "one channel"),
        summed({"out_channels": 1, "kernel_size": 3, "padding": 1}, (Normal((2, 8, 4, 5)),), "many channels"),
        summed(
            {"out_channels": 1, "kernel_size": 3, "padding": (0, 2), "padding_mode": "reflect"},
            (Normal((2, 1, 4, 5)),),
        ),
    ),
)

CONV3D = subject(
    "Conv3d",
    3,
    "(N, C, D, H, W) or (C, D, H, W)",
    (
        summed(
            {
                "out_channels": 2,
                "kernel_size": (2, 1, 3),
                "stride": (1, 2, 1),
                "padding": (0, 1, 2),
                "dilation": (2, 1, 1),
            },
            (Normal((2, 2, 4, 3, 5)),),
        ),
    ),
)

SUBJECTS = (CONV1D, CONV2D, CONV3D)
