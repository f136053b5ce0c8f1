"""Normalization."""

import math
from dataclasses import replace

from hypothesis import strategies as st

from components.cases.case import SEEDS, Bad, Case, Misfit, Normal, Subject, shapes
from declnet.core.laws import Constant
from declnet.core.spec import Spec

LAWS = {"weight": Constant(1), "bias": Constant(0)}
RUNNING = {"running_mean": (-1.0, 1.0), "running_var": (0.5, 2.0), "num_batches_tracked": (3, 9)}

FLAT = "a constant group: its slope is 1 / sqrt(eps)"
UNREAD = "num_features is checked always; PyTorch reads it only where it learns or keeps something of each channel"
SINGLE = "one value in a group: the output is the bias"


def eps(count: int) -> st.SearchStrategy[float]:
    """Few numbers can be all alike by chance, and then a small eps multiplies what is rounded."""
    return st.sampled_from((1e-5, 1e-3, 0.1) if count >= 12 else (0.1, 1.0))


def wrong_switches(*names: str, **needed: object) -> tuple[Bad, ...]:
    """A flag is true or false, and eps a number from 0 on."""
    return (
        *(Bad({**needed, name: 1}, "bool_type", (name,)) for name in names),
        Bad({**needed, "eps": math.nan}, "finite_number", ("eps",)),
        Bad({**needed, "eps": "1e-5"}, "float_type", ("eps",)),
    )


def only_floats(name: str, spec: Spec, arguments: dict[str, object]) -> Misfit:
    message = f"{name} takes floating-point numbers but its input holds {spec.kind}s"
    return Misfit(arguments, (spec,), message, argument=0)


WRONG_CHANNELS = (
    Bad({"num_features": -1}, "greater_than_equal", ("num_features",)),
    Bad({"num_features": 2.0}, "int_type", ("num_features",)),
    Bad({"momentum": "cumulative"}, "float_type", ("momentum",)),
)


def nothing_of_its_own(name: str, shape: tuple[int, ...], arguments: dict[str, object]) -> Misfit:
    """A wrong number of channels, where there is nothing of that size to learn or to keep."""
    return Misfit(
        {**arguments, "num_features": shape[1] + 1},
        (Spec(shape),),
        f"{name} takes {shape[1] + 1} channels but its input has {shape[1]}",
        field="num_features",
        argument=0,
        taken=UNREAD,
    )


@st.composite
def batch_norm(draw: st.DrawFn, spatial: tuple[int, ...]) -> Case:
    """Batches of any number of places, at least two numbers a channel."""
    shape = draw(st.sampled_from(spatial).flatmap(lambda dims: shapes(2 + dims, 2 + dims, side=1)))
    count = shape[0] * math.prod(shape[2:])
    shape, count = ((2, *shape[1:]), 2) if count == 1 else (shape, count)
    arguments = {
        "num_features": draw(st.sampled_from((None, shape[1]))),
        "eps": draw(eps(count)),
        "momentum": draw(st.none() | st.floats(-1, 2)),
        **{name: draw(st.booleans()) for name in ("affine", "track_running_stats", "bias")},
    }
    return Case(arguments, (Normal(shape),), seed=draw(SEEDS))


def batch_norm_subject(name: str, shape: tuple[int, ...], takes: str, spatial: tuple[int, ...]) -> Subject:
    """Every argument, on inputs of this shape and on others that it takes."""
    few = (Spec((4,)), Spec((2,) * (5 if len(shape) < 5 else 4)))
    return Subject(
        name,
        cases=(
            Case({}, (Normal(shape),)),
            *(Case({}, (Normal((*shape[:2], *(3,) * dims)),), f"{dims} dimensions of places") for dims in spatial),
            Case({"num_features": shape[1], "eps": 0.1, "momentum": 0.9}, (Normal(shape),)),
            Case({"momentum": None}, (Normal(shape),), "plain averages"),
            Case({"momentum": 0.0}, (Normal(shape),)),
            Case({"momentum": 1}, (Normal(shape),)),
            *(Case({"momentum": momentum}, (Normal(shape),)) for momentum in (-0.5, 1.5)),
            *(
                Case({"affine": False, "track_running_stats": kept}, (Normal((2, 0, *shape[2:])),), "no channels")
                for kept in (True, False)
            ),
            Case({"affine": False}, (Normal(shape),)),
            Case({"bias": False}, (Normal(shape),)),
            Case({"affine": False, "bias": False}, (Normal(shape),)),
            Case({"track_running_stats": False}, (Normal(shape),)),
            Case({"track_running_stats": False, "momentum": None, "affine": False}, (Normal(shape),)),
            Case({"eps": 0.1}, (Normal((1, *shape[1:-1], 8) if len(shape) > 2 else (2, 3)),), "few samples"),
            Case({}, (Normal((0, *shape[1:])),), "no rows"),
            Case({}, (Normal((*shape[:2], *(0,) * (len(shape) - 2))),), "no places")
            if len(shape) > 2
            else Case({"track_running_stats": False}, (Normal((0, *shape[1:])),), "no rows, nothing kept"),
            Case({"eps": 1.0}, (Normal(shape, digits=0, put=(2.0,) * 3),), "ties"),
        ),
        strategy=batch_norm(spatial),
        bad=(
            *WRONG_CHANNELS,
            *wrong_switches("affine", "track_running_stats", "bias"),
            Bad({"eps": -1e-5}, "greater_than", ("eps",)),
            Bad(
                {"eps": 0.0},
                "greater_than",
                ("eps",),
                taken="PyTorch takes it in evaluation, and refuses it as soon as it trains",
            ),
        ),
        misfits=(
            *(Misfit({}, (spec,), f"{name} takes {takes} but its input is {spec}", argument=0) for spec in few),
            Misfit(
                {"num_features": shape[1] + 1},
                (Spec(shape),),
                f"{name} takes {shape[1] + 1} channels but its input has {shape[1]}",
                field="num_features",
                argument=0,
            ),
            nothing_of_its_own(name, shape, {"affine": False, "track_running_stats": False}),
            Misfit(
                {},
                (Spec((2, 0, *shape[2:])),),
                f"{name} learns a weight for each channel of a sample but its input {Spec((2, 0, *shape[2:]))} has "
                "none",
                argument=0,
            ),
            only_floats(name, Spec(shape, "int"), {}),
        ),
        ranges=RUNNING,
        initial=Case({"track_running_stats": False}, (Normal((2, 1000, *shape[2:])),)),
        laws=LAWS,
    )


@st.composite
def instance_norm(draw: st.DrawFn, dims: int) -> Case:
    """With and without a batch, at least two places."""
    shape = draw(shapes(1 + dims, 2 + dims, side=1))
    count = math.prod(shape[-dims:])
    shape, count = ((*shape[:-1], 2), 2) if count == 1 else (shape, count)
    arguments = {
        "num_features": draw(st.sampled_from((None, shape[-dims - 1]))),
        "eps": draw(eps(count)),
        "momentum": draw(st.floats(-1, 2)),
        **{name: draw(st.booleans()) for name in ("affine", "track_running_stats", "bias")},
    }
    return Case(arguments, (Normal(shape),), seed=draw(SEEDS))


def instance_norm_subject(name: str, shape: tuple[int, ...], takes: str) -> Subject:
    """Every argument, with and without a batch."""
    tracked = {"track_running_stats": True}
    return Subject(
        name,
        cases=(
            Case({}, (Normal(shape),)),
            Case({}, (Normal(shape[1:]),), "no batch"),
            Case({"num_features": shape[1], "eps": 0.1, "affine": True}, (Normal(shape),)),
            Case({"affine": True, "bias": False}, (Normal(shape),)),
            Case({"affine": True}, (Normal(shape[1:]),), "no batch"),
            Case(tracked, (Normal(shape),)),
            Case({**tracked, "affine": True, "momentum": 0.7}, (Normal(shape),)),
            Case({**tracked, "affine": True, "bias": False}, (Normal(shape[1:]),), "no batch"),
            Case({**tracked, "momentum": None}, (Normal(shape),), "null leaves the averages alone"),
            Case({**tracked, "momentum": 0}, (Normal(shape),)),
            Case({**tracked, "momentum": 1.0}, (Normal(shape),)),
            *(Case({**tracked, "momentum": momentum}, (Normal(shape),)) for momentum in (-0.5, 1.5)),
            Case({}, (Normal((0, *shape[1:])),), "no rows"),
            Case({"eps": 0.0}, (Normal(shape),)),
            Case({"eps": -1e-3}, (Normal(shape),)),
            Case(tracked, (Normal((0, *shape[1:])),), "no rows"),
            Case({**tracked, "affine": True}, (Normal((*shape[:2], *(0,) * (len(shape) - 2))),), "no places"),
            Case(tracked, (Normal((2, 0, *shape[2:])),), "no channels"),
        ),
        strategy=instance_norm(len(shape) - 2),
        bad=(
            *(replace(bad, taken=UNREAD) if bad.type == "greater_than_equal" else bad for bad in WRONG_CHANNELS),
            *wrong_switches("affine", "track_running_stats", "bias"),
        ),
        misfits=(
            *(
                Misfit({}, (spec,), f"{name} takes {takes} but its input is {spec}", argument=0)
                for spec in (Spec((4,)), Spec((*shape, 2)))
            ),
            Misfit(
                {"num_features": shape[1] + 1},
                (Spec(shape[1:]),),
                f"{name} takes {shape[1] + 1} channels but its input has {shape[1]}",
                field="num_features",
                argument=0,
                taken=UNREAD,
            ),
            *(
                Misfit(
                    {"affine": True},
                    (Spec(none),),
                    f"{name} learns a weight for each channel of a sample but its input {Spec(none)} has none",
                    argument=0,
                )
                for none in ((0, *shape[1:]), (2, 0, *shape[2:]))
            ),
            only_floats(name, Spec(shape, "int"), {}),
        ),
        ranges=RUNNING,
        initial=Case({"affine": True}, (Normal((1, 1000, *(2,) * (len(shape) - 2))),)),
        laws=LAWS,
    )


@st.composite
def last_dimensions(draw: st.DrawFn, affine: dict[str, st.SearchStrategy[object]]) -> Case:
    """Some of the last dimensions, and others before them, which may be empty."""
    last = draw(shapes(1, 3))
    shape = (*draw(shapes(0, 2)), *last)
    normalized = last[0] if len(last) == 1 and draw(st.booleans()) else last
    arguments = {"normalized_shape": normalized, "eps": draw(eps(math.prod(last)))}
    return Case(arguments | draw(st.fixed_dictionaries(affine)), (Normal(shape),), seed=draw(SEEDS))


def wrong_shapes(name: str) -> tuple[Misfit, ...]:
    """Inputs that do not end as they should."""
    misfits = tuple(
        Misfit(
            {"normalized_shape": given},
            (Spec(shape),),
            f"{name} normalises over last dimensions {Spec(last)} but its input is {Spec(shape)}",
            field="normalized_shape",
            argument=0,
        )
        for given, last, shape in (
            (4, (4,), (4, 5)),
            ((4, 5), (4, 5), (5,)),
            ((4, 5), (4, 5), (2, 5, 4)),
            (1, (1,), ()),
        )
    )
    return (*misfits, only_floats(name, Spec((2, 4), "bool"), {"normalized_shape": 4}))


WRONG_SHAPE = (Bad({}, "missing", ("normalized_shape",)),)

LAYER_NORM = Subject(
    "LayerNorm",
    cases=(
        Case({"normalized_shape": 5}, (Normal((4, 5)),)),
        Case({"normalized_shape": 5}, (Normal((5,)),)),
        Case({"normalized_shape": (3, 5), "eps": 0.1}, (Normal((2, 2, 3, 5)),)),
        Case({"normalized_shape": (4, 5)}, (Normal((4, 5)),), "one sample"),
        Case({"normalized_shape": 4, "bias": False}, (Normal((3, 4)),)),
        Case({"normalized_shape": 4, "elementwise_affine": False}, (Normal((3, 4)),)),
        Case({"normalized_shape": 4, "elementwise_affine": False, "bias": False}, (Normal((2, 3, 4)),)),
        Case({"normalized_shape": 4}, (Normal((0, 4)),), "no rows"),
        Case({"normalized_shape": 1, "eps": 0.1}, (Normal((3, 1)),), SINGLE),
        Case({"normalized_shape": 3, "eps": 0}, (Normal((4, 3)),)),
        Case({"normalized_shape": 3, "eps": -1e-3}, (Normal((4, 3)),)),
        *(Case({"normalized_shape": 0, "bias": bias}, (Normal((3, 0)),), "no numbers") for bias in (True, False)),
        Case({"normalized_shape": (2, 0)}, (Normal((3, 2, 0)),), "no numbers"),
        Case({"normalized_shape": 3}, (Normal((4, 3), digits=0, put=(2.0,) * 3),), FLAT, rough=FLAT),
    ),
    strategy=last_dimensions({"elementwise_affine": st.booleans(), "bias": st.booleans()}),
    bad=(*WRONG_SHAPE, *wrong_switches("elementwise_affine", "bias", normalized_shape=4)),
    misfits=wrong_shapes("LayerNorm"),
    initial=Case({"normalized_shape": (20, 30)}, (Normal((1, 20, 30)),)),
    laws=LAWS,
)

RMS_NORM = Subject(
    "RMSNorm",
    cases=(
        Case({"normalized_shape": 5}, (Normal((4, 5)),)),
        Case({"normalized_shape": 5}, (Normal((5,)),)),
        Case({"normalized_shape": (3, 5), "eps": 0.1}, (Normal((2, 2, 3, 5)),)),
        Case({"normalized_shape": 4, "elementwise_affine": False}, (Normal((3, 4)),)),
        Case({"normalized_shape": 4}, (Normal((0, 4)),), "no rows"),
        Case({"normalized_shape": 1, "eps": 0.5}, (Normal((3, 1)),)),
        Case({"normalized_shape": 3, "eps": -1e-3}, (Normal((4, 3)),)),
        Case({"normalized_shape": 0}, (Normal((3, 0)),), "no numbers"),
        Case({"normalized_shape": 3}, (Normal((2, 3), put=(0.0,) * 3),), "zeros", rough="a slope of 1 / sqrt(eps)"),
    ),
    strategy=last_dimensions({"elementwise_affine": st.booleans()}),
    bad=(*WRONG_SHAPE, *wrong_switches("elementwise_affine", normalized_shape=4)),
    misfits=wrong_shapes("RMSNorm"),
    initial=Case({"normalized_shape": (20, 30)}, (Normal((1, 20, 30)),)),
    laws={"weight": Constant(1)},
)


@st.composite
def group_norm(draw: st.DrawFn) -> Case:
    """Groups of any size, with any number of places; more than one value and sample."""
    groups, each = draw(st.integers(1, 4)), draw(st.integers(1, 4))
    samples, places = draw(st.integers(1, 4)), draw(shapes(0, 3, side=1))
    count = each * math.prod(places)
    places, count = ((2,), 2 * each) if count == 1 else (places, count)
    arguments = {
        "num_groups": groups,
        "num_channels": draw(st.sampled_from((None, groups * each))),
        "eps": draw(eps(count)),
        **{name: draw(st.booleans()) for name in ("affine", "bias")},
    }
    return Case(arguments, (Normal((samples, groups * each, *places)),), seed=draw(SEEDS))


GROUP_NORM = Subject(
    "GroupNorm",
    cases=(
        Case({"num_groups": 2}, (Normal((3, 4, 5)),)),
        Case({"num_groups": 2}, (Normal((3, 6)),), "no places"),
        Case({"num_groups": 1, "num_channels": 4}, (Normal((2, 4, 2, 3)),)),
        Case({"num_groups": 4, "eps": 0.1}, (Normal((2, 4, 2, 3)),), "one channel a group"),
        Case({"num_groups": 3, "bias": False}, (Normal((2, 6, 2, 2, 2)),)),
        Case({"num_groups": 2, "affine": False}, (Normal((2, 4, 3)),)),
        Case({"num_groups": 2}, (Normal((1, 4, 3)),), "one sample"),
        Case({"num_groups": 2}, (Normal((0, 4, 3)),), "no rows"),
        Case({"num_groups": 2}, (Normal((2, 4, 0)),), "nothing in a group", rough="NaN"),
        Case({"num_groups": 2}, (Normal((0, 4, 0)),), "nothing at all"),
        *(Case({"num_groups": 2, "affine": a}, (Normal((3, 0, 2)),), "no channels") for a in (True, False)),
        Case({"num_groups": 2, "eps": 0}, (Normal((2, 4, 3)),)),
        Case({"num_groups": 2, "eps": -1e-3}, (Normal((2, 4, 3)),)),
    ),
    strategy=group_norm(),
    bad=(
        Bad({}, "missing", ("num_groups",)),
        Bad({"num_groups": 0}, "greater_than", ("num_groups",)),
        Bad({"num_groups": 2, "num_channels": -2}, "greater_than_equal", ("num_channels",)),
        Bad(
            {"num_groups": 2, "num_channels": 5},
            "value_error",
            (),
            "Value error, num_channels (5) cannot be divided into 2 groups",
        ),
        *wrong_switches("affine", "bias", num_groups=2),
    ),
    misfits=(
        Misfit({"num_groups": 1}, (Spec((4,)),), "GroupNorm takes (N, C, *) but its input is (4,)", argument=0),
        Misfit(
            {"num_groups": 2, "num_channels": 6},
            (Spec((2, 4, 3)),),
            "GroupNorm takes 6 channels but its input has 4",
            field="num_channels",
            argument=0,
        ),
        Misfit(
            {"num_groups": 3},
            (Spec((2, 4, 3)),),
            "the 4 channels of GroupNorm's input (2, 4, 3) cannot be divided into 3 groups",
            field="num_groups",
            argument=0,
        ),
        only_floats("GroupNorm", Spec((2, 4), "int"), {"num_groups": 2}),
    ),
    initial=Case({"num_groups": 10}, (Normal((1, 1000, 2)),)),
    laws=LAWS,
)

SUBJECTS = (
    batch_norm_subject("BatchNorm1d", (4, 3), "(N, C) or (N, C, L)", (0, 1)),
    batch_norm_subject("BatchNorm2d", (2, 3, 2, 3), "(N, C, H, W)", (2,)),
    batch_norm_subject("BatchNorm3d", (2, 3, 2, 1, 3), "(N, C, D, H, W)", (3,)),
    LAYER_NORM,
    RMS_NORM,
    GROUP_NORM,
    instance_norm_subject("InstanceNorm1d", (2, 3, 4), "(N, C, L) or (C, L)"),
    instance_norm_subject("InstanceNorm2d", (2, 3, 2, 3), "(N, C, H, W) or (C, H, W)"),
    instance_norm_subject("InstanceNorm3d", (2, 3, 2, 1, 3), "(N, C, D, H, W) or (C, D, H, W)"),
)
