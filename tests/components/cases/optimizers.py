"""Optimizers."""

from collections.abc import Iterator, Mapping
from itertools import product
from math import inf, nan

from hypothesis import strategies as st

from components.cases.case import SEEDS, STEPS, Bad, Case, Normal, Subject, Tolerance, scaled, shapes
from declnet.core.spec import DType

PARAMETER = Normal((7,))
GRADIENTS = Normal((STEPS, 7))
SPARSE = Normal((STEPS, 7), digits=0)
"""Gradients of which many are exactly 0."""

Arguments = Mapping[str, object]


def on_vectors(*arguments: Arguments) -> tuple[Case, ...]:
    """A case for each, on ten gradients of seven parameters."""
    return tuple(Case(given, (PARAMETER, GRADIENTS)) for given in arguments)


def combinations(flags: tuple[str, ...], *others: Arguments, lr: float = 0.1) -> Iterator[Arguments]:
    """Each flag on and off, without weight decay and with; then the defaults, a rate of 0, and the others."""
    for values in product((False, True), repeat=len(flags)):
        for decay in (0, 0.2):
            yield {"lr": lr, "weight_decay": decay} | dict(zip(flags, values, strict=True))
    yield from ({}, {"lr": 0}, *({"lr": lr} | other for other in others))


def gradients(arguments: Arguments, *, overflowing: bool = False) -> Iterator[Case]:
    """Gradients of 0, below eps, huge, and, where PyTorch survives them, such that only their squares overflow."""
    for eps in (1e-8, 0):
        yield Case({**arguments, "eps": eps}, (PARAMETER, SPARSE), "zero gradients")
    yield Case(arguments, (PARAMETER, Normal((STEPS, 7), 1e-12)), "gradients below eps")
    yield Case(arguments, (PARAMETER, Normal((STEPS, 7), 1e12)), "huge gradients")
    if overflowing:
        yield Case(arguments, (PARAMETER, Normal((STEPS, 7), 2e19)), "gradients whose squares overflow in float32")


def sizes(arguments: Arguments) -> tuple[Case, ...]:
    """One parameter, and none."""
    return (
        Case(arguments, (Normal(()), Normal((STEPS,)))),
        Case(arguments, (Normal((2, 0)), Normal((STEPS, 2, 0))), "no parameters"),
    )


def steps(arguments: st.SearchStrategy[dict[str, object]]) -> st.SearchStrategy[Case]:
    """Cases with these arguments, on parameters of any shape and gradients of any size."""

    def case(given: Arguments, shape: tuple[int, ...], scale: float, seed: int) -> Case:
        inputs = (Normal(shape), Normal((STEPS, *shape), scale))
        return Case(given, inputs, seed=seed, tolerance=scaled(scale, "sums of gradients cancel"))

    return st.builds(case, arguments, shapes(0, 3), st.sampled_from((1.0, 1e-4, 1e4)), SEEDS)


def refused(*names: str) -> tuple[Bad, ...]:
    """Numbers that may not be negative, infinite, NaN or a string."""
    return tuple(
        Bad({name: value}, error, (name,))
        for name in names
        for value, error in (
            (-1e-3, "greater_than_equal"),
            (inf, "finite_number"),
            (nan, "finite_number"),
            ("1e-3", "float_type"),
            (None, "float_type"),
        )
    )


BAD_BETAS = (
    Bad({"betas": (1.0, 0.9)}, "less_than", ("betas", 0)),
    Bad({"betas": (0.9, 1.0)}, "less_than", ("betas", 1)),
    Bad({"betas": (0.9, -0.1)}, "greater_than_equal", ("betas", 1)),
    Bad({"betas": (0.9,)}, "missing", ("betas", 1)),
    Bad({"betas": (0.9, 0.9, 0.9)}, "too_long", ("betas",)),
    Bad({"betas": 0.9}, "tuple_type", ("betas",)),
)


def not_flags(*names: str) -> tuple[Bad, ...]:
    """Flags are true or false, nothing else."""
    return tuple(Bad({name: 1}, "bool_type", (name,)) for name in names)


LR = st.sampled_from((0.0, 1e-3, 0.1)) | st.floats(0, 1)
DECAY = st.sampled_from((0.0, 0.1)) | st.floats(0, 1)
EPS = st.sampled_from((1e-8, 1e-3)) | st.floats(1e-10, 1)
# Without memory of its size, a step divides by a gradient that weight decay may cancel down to rounding: the second
# share stays away from 0, which the tables have.
BETAS = st.tuples(
    st.sampled_from((0.0, 0.9, 0.999)) | st.floats(0, 0.9999),
    st.sampled_from((0.9, 0.999)) | st.floats(0.5, 0.9999),
)
FLAG = st.booleans()


def settings(flags: tuple[str, ...], **numbers: st.SearchStrategy[object]) -> st.SearchStrategy[dict[str, object]]:
    """Settings with these numbers beside the rate and the weight decay, and these flags."""
    given = {"lr": LR, "weight_decay": DECAY} | numbers | dict.fromkeys(flags, FLAG)
    return st.fixed_dictionaries(given)


@st.composite
def sgd(draw: st.DrawFn) -> dict[str, object]:
    """Nesterov's form only where it may be."""
    momentum = draw(st.sampled_from((0.0, 0.9)) | st.floats(0, 1))
    dampening = draw(st.just(0.0) | st.floats(-0.5, 1))
    nesterov = draw(FLAG) if momentum > 0 and dampening == 0 else False
    return {
        "lr": draw(LR),
        "momentum": momentum,
        "dampening": dampening,
        "weight_decay": draw(DECAY),
        "nesterov": nesterov,
        "maximize": draw(FLAG),
    }


NESTEROV = "Value error, nesterov needs a momentum above 0 and a dampening of 0"

SGD = Subject(
    "SGD",
    cases=(
        *on_vectors(
            {},
            {"lr": 0},
            {"lr": 0.1},
            {"lr": 0.1, "weight_decay": 0.2},
            {"lr": 0.1, "maximize": True},
            {"lr": 0.1, "weight_decay": 0.2, "maximize": True},
            {"lr": 0.1, "momentum": 0.9},
            {"lr": 0.1, "momentum": 0.9, "dampening": 0.3},
            {"lr": 0.1, "momentum": 0.9, "dampening": 1},
            {"lr": 0.1, "momentum": 0.9, "dampening": -0.5},
            {"lr": 0.1, "momentum": 1.5},
            {"lr": 0.1, "momentum": 0.9, "nesterov": True},
            {"lr": 0.1, "momentum": 0.9, "nesterov": True, "weight_decay": 0.2, "maximize": True},
            {"lr": 0.1, "momentum": 0.9, "dampening": 0.3, "weight_decay": 0.2, "maximize": True},
        ),
        *sizes({"lr": 0.1, "momentum": 0.9}),
    ),
    strategy=steps(sgd()),
    bad=(
        *refused("lr", "momentum", "weight_decay"),
        *not_flags("nesterov", "maximize"),
        Bad({"dampening": inf}, "finite_number", ("dampening",)),
        Bad({"nesterov": True}, "value_error", (), NESTEROV),
        Bad({"nesterov": True, "momentum": 0.9, "dampening": 0.1}, "value_error", (), NESTEROV),
    ),
)


def adam_subject(name: str, *flags: str) -> Subject:
    """Adam and AdamW differ by one flag."""
    return Subject(
        name,
        cases=(
            *on_vectors(
                *combinations(
                    flags,
                    {"betas": (0.0, 0.0)},
                    {"betas": (0.0, 0.99)},
                    {"betas": (0.5, 0.0)},
                    {"betas": (0.99, 0.1), "amsgrad": True},
                    {"eps": 0},
                    {"eps": 10},
                )
            ),
            *gradients({"lr": 0.1}, overflowing=True),
            *gradients({"lr": 0.1, "amsgrad": True}),
            Case(
                {"lr": 0.1, "betas": (0.0, 0.9)},
                (PARAMETER, Normal((STEPS, 7), 1e4)),
                "a gradient far below the one before",
                seed=9,
            ),
            Case({"lr": 0.1, "amsgrad": True}, (PARAMETER, Normal((STEPS, 7), put=(nan, inf))), "NaN", rough="NaN"),
            *sizes({"lr": 0.1}),
        ),
        strategy=steps(settings(flags, betas=BETAS, eps=EPS)),
        bad=(*refused("lr", "eps", "weight_decay"), *BAD_BETAS, *not_flags(*flags)),
    )


ADAM = adam_subject("Adam", "amsgrad", "maximize", "decoupled_weight_decay")
ADAMW = adam_subject("AdamW", "amsgrad", "maximize")

RMSPROP_FLAGS = ("centered", "maximize")


@st.composite
def rmsprop(draw: st.DrawFn) -> dict[str, object]:
    """Where the gradient hardly changes, the variance of a centered one is all rounding, and its root may be NaN:
    not near an alpha of 0, and not where weight decay is most of the gradient.
    """
    numbers = {
        "lr": st.floats(0, 0.1),
        "alpha": st.sampled_from((0.9, 0.99)) | st.floats(0.3, 0.999),
        "eps": EPS,
        "momentum": st.just(0.0) | st.floats(0, 1),
    }
    drawn = draw(settings(RMSPROP_FLAGS, **numbers))
    return drawn | ({"weight_decay": 0.0} if drawn["centered"] else {})


RMSPROP = Subject(
    "RMSprop",
    cases=(
        *on_vectors(
            *combinations(
                RMSPROP_FLAGS,
                {"momentum": 0.9},
                {"momentum": 0.9, "centered": True},
                {"momentum": 0.9, "centered": True, "maximize": True, "weight_decay": 0.2},
                {"momentum": 1.5},
                {"alpha": 0},
                {"alpha": 0.5},
                {"alpha": 0.5, "centered": True},
                {"alpha": 1},
                {"alpha": 1, "centered": True},
                {"alpha": 1.05, "centered": True},
                {"alpha": 1.6},
                {"eps": 10},
                lr=0.01,
            )
        ),
        *gradients({"lr": 0.1}, overflowing=True),
        *gradients({"lr": 0.1, "momentum": 0.9, "centered": True}),
        *sizes({"lr": 0.1, "momentum": 0.9, "centered": True}),
    ),
    strategy=steps(rmsprop()),
    bad=(*refused("lr", "alpha", "eps", "weight_decay", "momentum"), *not_flags(*RMSPROP_FLAGS)),
)

ADAGRAD = Subject(
    "Adagrad",
    cases=(
        *on_vectors(
            *combinations(
                ("maximize",),
                {"lr_decay": 0.3},
                {"initial_accumulator_value": 0.5},
                {"lr_decay": 2, "initial_accumulator_value": 10, "maximize": True, "weight_decay": 0.2},
                {"eps": 10},
            )
        ),
        *gradients({"lr": 0.1}),
        *sizes({"lr": 0.1, "initial_accumulator_value": 0.5}),
    ),
    strategy=steps(
        settings(
            ("maximize",),
            lr_decay=st.just(0.0) | st.floats(0, 2),
            initial_accumulator_value=st.just(0.0) | st.floats(0, 2),
            eps=EPS,
        )
    ),
    bad=(
        *refused("lr", "lr_decay", "weight_decay", "initial_accumulator_value", "eps"),
        *not_flags("maximize"),
    ),
)

ADADELTA = Subject(
    "Adadelta",
    cases=(
        *on_vectors(
            *combinations(
                ("maximize",), {"lr": 0.5}, {"rho": 0}, {"rho": 1}, {"rho": 0.3, "eps": 0.1}, {"eps": 10}, lr=1
            )
        ),
        *gradients({}, overflowing=True),
        *sizes({}),
    ),
    strategy=steps(settings(("maximize",), rho=st.sampled_from((0.0, 0.9, 1.0)) | st.floats(0, 1), eps=EPS)),
    bad=(
        *refused("lr", "rho", "eps", "weight_decay"),
        *not_flags("maximize"),
        Bad({"rho": 1.001}, "less_than_equal", ("rho",)),
    ),
)

ADAMAX = Subject(
    "Adamax",
    cases=(
        *on_vectors(
            *combinations(
                ("maximize",),
                {"betas": (0.0, 0.0)},
                {"betas": (0.3, 0.99)},
                {"betas": (0.5, 0.0)},
                {"betas": (0.99, 0.1)},
                {"eps": 10},
            )
        ),
        *gradients({"lr": 0.1}, overflowing=True),
        Case({"lr": 0.1}, (PARAMETER, Normal((STEPS, 7), put=(nan, inf))), "NaN", rough="NaN"),
        *sizes({"lr": 0.1}),
    ),
    strategy=steps(settings(("maximize",), betas=BETAS, eps=EPS)),
    bad=(*refused("lr", "eps", "weight_decay"), *BAD_BETAS, *not_flags("maximize")),
)

DECOUPLED = ("decoupled_weight_decay", "maximize")

NADAM = Subject(
    "NAdam",
    cases=(
        *on_vectors(
            *combinations(
                DECOUPLED,
                {"betas": (0.0, 0.0)},
                {"betas": (0.3, 0.99)},
                {"betas": (0.99, 0.1)},
                {"momentum_decay": 0},
                {"momentum_decay": 0.5},
                {"momentum_decay": 300},
                {"eps": 10},
            )
        ),
        *gradients({"lr": 0.1}),
        *sizes({"lr": 0.1}),
    ),
    strategy=steps(settings(DECOUPLED, betas=BETAS, eps=EPS, momentum_decay=st.floats(0, 1) | st.floats(0, 100))),
    bad=(*refused("lr", "eps", "weight_decay", "momentum_decay"), *BAD_BETAS, *not_flags(*DECOUPLED)),
)

RADAM = Subject(
    "RAdam",
    cases=(
        *on_vectors(
            *combinations(
                DECOUPLED,
                {"betas": (0.0, 0.0)},
                {"betas": (0.3, 0.99)},
                {"betas": (0.9, 0.9)},
                {"betas": (0.9, 0.65)},  # never rectified
                {"betas": (0.9, 0.68)},  # rho passes 5 late
                {"eps": 10},
            )
        ),
        *gradients({"lr": 0.1, "betas": (0.9, 0.99)}),
        *sizes({"lr": 0.1}),
    ),
    strategy=steps(settings(DECOUPLED, betas=BETAS, eps=EPS)),
    bad=(*refused("lr", "eps", "weight_decay"), *BAD_BETAS, *not_flags(*DECOUPLED)),
)

ITERATED = "rounding grows with the iterations"
FEW: dict[DType, Tolerance] = {
    "float64": Tolerance(1e-9, 1e-10, ITERATED),
    "float32": Tolerance(1e-4, 1e-4, ITERATED),
}
ANY: dict[DType, Tolerance] = {
    "float64": Tolerance(1e-6, 1e-6, ITERATED),
    "float32": Tolerance(0, 1e9, "which way a line search goes may hang on the last bit"),
}


def lowered(
    given: Arguments,
    note: str = "",
    *,
    shape: tuple[int, ...] = (7,),
    scale: float = 1.0,
    seed: int = 0,
    tolerance: Mapping[DType, Tolerance] = FEW,
) -> Case:
    """A landscape a step, each tilted another way."""
    return Case(given, (Normal(shape, 0.5), Normal((STEPS, *shape), scale)), note, seed, tolerance=tolerance)


WOLFE: Arguments = {"line_search_fn": "strong_wolfe", "tolerance_grad": 0.02}
"""It stops before all that is left to search is rounding, which in float32 is soon."""


@st.composite
def lbfgs(draw: st.DrawFn) -> Case:
    """Few iterations a step: what takes the other branch for a last bit is soon elsewhere. Without a search, hardly
    any tilt, or the steps are soon as wild as what is learned from two landscapes as if they were one.
    """
    searches = draw(FLAG)
    arguments = {
        "lr": draw(st.floats(0.5, 1) if searches else st.floats(0.01, 0.1)),
        "max_iter": draw(st.integers(0, 4)),
        "max_eval": draw(st.none() | st.integers(1, 6)),
        "tolerance_grad": draw(st.floats(0.02, 0.5)),
        "tolerance_change": draw(st.sampled_from((1e-9, 1e-2))),
        "history_size": draw(st.integers(1, 5)),
        "line_search_fn": "strong_wolfe" if searches else None,
    }
    scale = 1.0 if searches else 0.01
    return lowered(arguments, shape=draw(shapes(0, 2, side=1)), scale=scale, seed=draw(SEEDS), tolerance=ANY)


LBFGS = Subject(
    "LBFGS",
    cases=(
        *map(
            lowered,
            (
                {},
                {"lr": 0},
                {"lr": 0.1},
                {"lr": 0.1, "max_iter": 4},
                {"lr": 0.1, "max_iter": 4, "history_size": 1},
                {"lr": 0.1, "max_iter": 0},
                {"lr": 0.1, "max_iter": 4, "max_eval": 2},
                {"lr": 0.1, "tolerance_grad": 0.5},
                {"lr": 0.1, "tolerance_change": 0.05},
                WOLFE,
                {**WOLFE, "history_size": 1, "max_iter": 4},
                {**WOLFE, "lr": 0.1, "max_iter": 3},
                {**WOLFE, "lr": 10},
                {**WOLFE, "max_iter": 1},
                {**WOLFE, "max_iter": 3},
                {**WOLFE, "max_eval": 1},
                {**WOLFE, "max_eval": 5},
                {**WOLFE, "tolerance_grad": 0.5},
                {**WOLFE, "tolerance_change": 0.05},
            ),
        ),
        lowered(WOLFE, "one parameter", shape=()),
        lowered(WOLFE, shape=(2, 3)),
    ),
    strategy=lbfgs(),
    bad=(
        *refused("lr"),
        *(
            Bad({name: value}, error, (name,))
            for name, least in (("max_iter", 0), ("max_eval", 1), ("history_size", 1))
            for value, error in ((least - 1, f"greater_than{'' if least else '_equal'}"), (1.0, "int_type"))
        ),
        *(Bad({name: nan}, "finite_number", (name,)) for name in ("tolerance_grad", "tolerance_change")),
        Bad({"line_search_fn": "armijo"}, "literal_error", ("line_search_fn",)),
    ),
)

SUBJECTS = (SGD, ADAM, ADAMW, RMSPROP, ADAGRAD, ADADELTA, ADAMAX, NADAM, RADAM, LBFGS)
