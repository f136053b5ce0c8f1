"""Optimizers."""

from collections.abc import Iterator, Mapping
from itertools import product
from math import inf, nan

from hypothesis import strategies as st

from components.cases.case import SEEDS, STEPS, Bad, Case, Normal, Subject, scaled, shapes

PARAMETER = Normal((7,))
GRADIENTS = Normal((STEPS, 7))
SPARSE = Normal((STEPS, 7), digits=0)
"""Gradients of which many are exactly 0."""


def on_vectors(*arguments: Mapping[str, object]) -> tuple[Case, ...]:
    """A case for each, on ten gradients of seven parameters."""
    return tuple(Case(given, (PARAMETER, GRADIENTS)) for given in arguments)


def steps(arguments: st.SearchStrategy[dict[str, object]]) -> st.SearchStrategy[Case]:
    """Cases with these arguments, on parameters of any shape and gradients of any size."""

    def case(given: Mapping[str, object], shape: tuple[int, ...], scale: float, seed: int) -> Case:
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


LR = st.sampled_from((0.0, 1e-3, 0.1)) | st.floats(0, 1)
DECAY = st.sampled_from((0.0, 0.1)) | st.floats(0, 1)
FLAG = st.booleans()


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
            {"lr": 0.1, "momentum": 0.9},
            {"lr": 0.1, "momentum": 0.9, "dampening": 0.3},
            {"lr": 0.1, "momentum": 0.9, "dampening": 1},
            {"lr": 0.1, "momentum": 0.9, "dampening": -0.5},
            {"lr": 0.1, "momentum": 1.5},
            {"lr": 0.1, "momentum": 0.9, "nesterov": True},
            {"lr": 0.1, "momentum": 0.9, "nesterov": True, "weight_decay": 0.2, "maximize": True},
            {"lr": 0.1, "momentum": 0.9, "dampening": 0.3, "weight_decay": 0.2, "maximize": True},
        ),
        Case({"lr": 0.1, "momentum": 0.9}, (Normal(()), Normal((STEPS,)))),
        Case({"lr": 0.1}, (Normal((2, 0)), Normal((STEPS, 2, 0))), "no parameters"),
    ),
    strategy=steps(sgd()),
    bad=(
        *refused("lr", "momentum", "weight_decay"),
        Bad({"dampening": inf}, "finite_number", ("dampening",)),
        Bad({"nesterov": 1}, "bool_type", ("nesterov",)),
        Bad({"maximize": 1}, "bool_type", ("maximize",)),
        Bad({"nesterov": True}, "value_error", (), NESTEROV),
        Bad({"nesterov": True, "momentum": 0.9, "dampening": 0.1}, "value_error", (), NESTEROV),
    ),
)


def adam_combinations(flags: tuple[str, ...]) -> Iterator[Mapping[str, object]]:
    """Each flag on and off, without weight decay and with; then each number on its own."""
    for values in product((False, True), repeat=len(flags)):
        for decay in (0, 0.2):
            yield {"lr": 0.1, "weight_decay": decay} | dict(zip(flags, values, strict=True))
    yield from (
        {},
        {"lr": 0},
        {"lr": 0.1, "betas": (0.0, 0.0)},
        {"lr": 0.1, "betas": (0.0, 0.99)},
        {"lr": 0.1, "betas": (0.5, 0.0)},
        {"lr": 0.1, "betas": (0.99, 0.1), "amsgrad": True},
        {"lr": 0.1, "eps": 0},
        {"lr": 0.1, "eps": 10},
    )


def adam(*flags: str) -> st.SearchStrategy[dict[str, object]]:
    """Settings of Adam, with these flags."""
    beta1 = st.sampled_from((0.9, 0.999)) | st.floats(0, 0.9999)
    beta2 = st.sampled_from((0.0, 0.9, 0.999)) | st.floats(0, 0.9999)
    numbers = {
        "lr": LR,
        "betas": st.tuples(beta1, beta2),
        "eps": st.sampled_from((1e-8, 1e-3)) | st.floats(1e-10, 1),
        "weight_decay": DECAY,
    }
    return st.fixed_dictionaries(numbers | dict.fromkeys(flags, FLAG))


def adam_subject(type: str, *flags: str) -> Subject:
    """Adam and AdamW differ by one flag."""
    return Subject(
        type,
        cases=(
            *on_vectors(*adam_combinations(flags)),
            *(
                Case({"lr": 0.1, "eps": eps, "amsgrad": amsgrad}, (PARAMETER, SPARSE), "zero gradients")
                for eps, amsgrad in product((1e-8, 0), (False, True))
            ),
            Case(
                {"lr": 0.1, "betas": (0.0, 0.9)},
                (PARAMETER, Normal((STEPS, 7), 1e4)),
                "a gradient far below the one before",
                seed=9,
            ),
            Case({"lr": 0.1}, (PARAMETER, Normal((STEPS, 7), 1e-12)), "gradients below eps"),
            Case({"lr": 0.1}, (PARAMETER, Normal((STEPS, 7), 1e12)), "huge gradients"),
            Case({"lr": 0.1, "amsgrad": True}, (PARAMETER, Normal((STEPS, 7), put=(nan, inf))), "NaN", rough="NaN"),
            Case({"lr": 0.1}, (Normal(()), Normal((STEPS,)))),
            Case({"lr": 0.1}, (Normal((2, 0)), Normal((STEPS, 2, 0))), "no parameters"),
        ),
        strategy=steps(adam(*flags)),
        bad=(
            *refused("lr", "eps", "weight_decay"),
            Bad({"betas": (1.0, 0.9)}, "less_than", ("betas", 0)),
            Bad({"betas": (0.9, 1.0)}, "less_than", ("betas", 1)),
            Bad({"betas": (0.9, -0.1)}, "greater_than_equal", ("betas", 1)),
            Bad({"betas": (0.9,)}, "missing", ("betas", 1)),
            Bad({"betas": (0.9, 0.9, 0.9)}, "too_long", ("betas",)),
            Bad({"betas": 0.9}, "tuple_type", ("betas",)),
            *(Bad({flag: 1}, "bool_type", (flag,)) for flag in flags),
        ),
    )


ADAM = adam_subject("Adam", "amsgrad", "maximize", "decoupled_weight_decay")
ADAMW = adam_subject("AdamW", "amsgrad", "maximize")

SUBJECTS = (SGD, ADAM, ADAMW)
