"""Schedulers."""

from collections.abc import Iterator, Mapping
from math import inf, nan

from hypothesis import strategies as st

from components.cases.case import PERIODS, SEEDS, Bad, Case, Draw, Normal, Subject, Tolerance, Uniform
from declnet.core.spec import DType

Arguments = Mapping[str, object]

LRS = Uniform((2,), 0.001, 1)
"""The rates of two groups."""
FIGURES = Uniform((PERIODS,), 0.1, 1)
EXACT: dict[DType, Tolerance] = {
    dtype: Tolerance(
        1e-12, 1e-14, "rates are Python's floats, whatever the dtype; PyTorch's are products of factors"
    )
    for dtype in ("float64", "float32")
}


def on_rates(*arguments: Arguments) -> tuple[Case, ...]:
    """A case for each, on two groups."""
    return tuple(Case(given, (LRS, FIGURES), tolerance=EXACT) for given in arguments)


def drawn(
    arguments: st.SearchStrategy[dict[str, object]], figures: st.SearchStrategy[Draw] | None = None
) -> st.SearchStrategy[Case]:
    """Cases with these arguments, on two groups of any rates."""
    inputs = st.tuples(st.just(LRS), st.just(FIGURES) if figures is None else figures)
    return st.builds(Case, arguments, inputs, seed=SEEDS, tolerance=st.just(EXACT))


def some(**arguments: st.SearchStrategy[object]) -> st.SearchStrategy[dict[str, object]]:
    """Any of these arguments."""
    return st.fixed_dictionaries({}, optional=arguments)


def counts(name: str) -> Iterator[Bad]:
    """Numbers of periods that are none."""
    for value, error in ((0, "greater_than"), (-3, "greater_than"), (1.5, "int_type"), ("5", "int_type")):
        yield Bad({name: value}, error, (name,))


def positive(name: str, **others: object) -> Iterator[Bad]:
    """Factors that are none."""
    for value, error in (
        (0, "greater_than"),
        (-0.1, "greater_than"),
        (inf, "finite_number"),
        (nan, "finite_number"),
        ("0.1", "float_type"),
    ):
        yield Bad(others | {name: value}, error, (name,))


GAMMAS = st.floats(0.3, 1.2)
LENGTHS = st.integers(1, PERIODS + 10)
LOWEST = st.floats(0, 2)

STEP = Subject(
    "StepLR",
    cases=on_rates({"step_size": 7}, {"step_size": 1, "gamma": 0.9}, {"step_size": 30, "gamma": 1.5}),
    strategy=drawn(st.fixed_dictionaries({"step_size": LENGTHS}, optional={"gamma": GAMMAS})),
    bad=(
        Bad({}, "missing", ("step_size",)),
        *counts("step_size"),
        *positive("gamma", step_size=3),
    ),
)

MULTI_STEP = Subject(
    "MultiStepLR",
    cases=on_rates(
        {"milestones": (5, 20, 45)},
        {"milestones": (0, 3, 3, 3, 8), "gamma": 0.5},
        {"milestones": ()},
    ),
    strategy=drawn(
        st.fixed_dictionaries(
            {"milestones": st.lists(st.integers(0, PERIODS), max_size=6).map(sorted).map(tuple)},
            optional={"gamma": GAMMAS},
        )
    ),
    bad=(
        Bad({}, "missing", ("milestones",)),
        Bad({"milestones": (3, -1)}, "greater_than_equal", ("milestones", 1)),
        Bad({"milestones": (3, 2.5)}, "int_type", ("milestones", 1)),
        Bad(
            {"milestones": (3, 9, 5)},
            "value_error",
            (),
            "Value error, milestones must be in order, the lowest first; 5 follows 9",
        ),
        *positive("gamma", milestones=(3,)),
    ),
)

EXPONENTIAL = Subject(
    "ExponentialLR",
    cases=on_rates({"gamma": 0.9}, {"gamma": 1}, {"gamma": 1.1}),
    strategy=drawn(st.fixed_dictionaries({"gamma": GAMMAS})),
    bad=(Bad({}, "missing", ("gamma",)), *positive("gamma")),
)

LINEAR = Subject(
    "LinearLR",
    cases=on_rates(
        {},
        {"start_factor": 1, "end_factor": 0, "total_iters": 40},
        {"start_factor": 0.1, "end_factor": 0.7, "total_iters": 1},
        {"total_iters": 100},
    ),
    strategy=drawn(
        some(start_factor=st.floats(0.01, 1), end_factor=st.floats(0, 1), total_iters=LENGTHS),
    ),
    bad=(
        *positive("start_factor"),
        Bad({"start_factor": 1.1}, "less_than_equal", ("start_factor",)),
        Bad({"end_factor": 1.1}, "less_than_equal", ("end_factor",)),
        Bad({"end_factor": -0.1}, "greater_than_equal", ("end_factor",)),
        *counts("total_iters"),
    ),
)

POLYNOMIAL = Subject(
    "PolynomialLR",
    cases=on_rates(
        {},
        {"total_iters": 40, "power": 2},
        {"total_iters": 100, "power": 0.5},
        {"total_iters": 3, "power": 0},
    ),
    strategy=drawn(some(total_iters=LENGTHS, power=st.floats(0, 4))),
    bad=(
        *counts("total_iters"),
        Bad({"power": -1}, "greater_than_equal", ("power",)),
        Bad({"power": inf}, "finite_number", ("power",)),
    ),
)

COSINE = Subject(
    "CosineAnnealingLR",
    cases=on_rates(
        {},
        {"T_max": 20, "eta_min": 0.01},
        {"T_max": 1},
        {"T_max": 7, "eta_min": 2},
        {"T_max": 100},
    ),
    strategy=drawn(some(T_max=LENGTHS, eta_min=LOWEST)),
    bad=(*counts("T_max"), Bad({"eta_min": -0.1}, "greater_than_equal", ("eta_min",))),
)

RESTARTS = Subject(
    "CosineAnnealingWarmRestarts",
    cases=on_rates(
        {"T_0": 10},
        {"T_0": 3, "T_mult": 2, "eta_min": 0.001},
        {"T_0": 1, "T_mult": 3},
        {"T_0": 1},
        {"T_0": 100},
    ),
    strategy=drawn(
        st.fixed_dictionaries({"T_0": LENGTHS}, optional={"T_mult": st.integers(1, 4), "eta_min": LOWEST})
    ),
    bad=(
        Bad({}, "missing", ("T_0",)),
        *counts("T_0"),
        Bad({"T_0": 5, "T_mult": 0}, "greater_than", ("T_mult",)),
        Bad({"T_0": 5, "T_mult": 1.5}, "int_type", ("T_mult",)),
        Bad({"T_0": 5, "eta_min": -0.1}, "greater_than_equal", ("eta_min",)),
    ),
)


def each(low: float, high: float) -> st.SearchStrategy[object]:
    """A number for both groups, or one for each."""
    number = st.floats(low, high)
    return number | st.tuples(number, number)


@st.composite
def cycles(draw: st.DrawFn) -> dict[str, object]:
    """A length in one of the three ways; a rise of one period is left out, where PyTorch divides by zero."""
    length = draw(
        st.just({})
        | st.fixed_dictionaries({"total_steps": st.integers(PERIODS, PERIODS + 40)})
        | st.fixed_dictionaries({"epochs": st.integers(13, 20), "steps_per_epoch": st.integers(4, 7)})
    )
    steps = length.get("total_steps", length.get("epochs", 1) * length.get("steps_per_epoch", PERIODS))
    rises = st.floats(0, 1).filter(lambda share: abs(share * steps - 1) > 1e-6)
    rest = some(
        pct_start=rises,
        anneal_strategy=st.sampled_from(("cos", "linear")),
        cycle_momentum=st.booleans(),
        base_momentum=each(0, 0.99),
        max_momentum=each(0.01, 0.99),
        div_factor=st.floats(0.5, 100),
        final_div_factor=st.floats(0.5, 1e5),
        three_phase=st.booleans(),
    )
    return {"max_lr": draw(each(0.01, 2)), **length, **draw(rest)}


ONE_CYCLE = Subject(
    "OneCycleLR",
    cases=on_rates(
        {"max_lr": 1},
        {"max_lr": (0.5, 2), "total_steps": 80, "base_momentum": (0.8, 0.7), "max_momentum": (0.9, 0.99)},
        {"max_lr": 0.3, "epochs": 6, "steps_per_epoch": 10, "anneal_strategy": "linear"},
        {"max_lr": 0.3, "three_phase": True, "div_factor": 10, "final_div_factor": 100},
        {"max_lr": 0.3, "three_phase": True, "anneal_strategy": "linear", "pct_start": 0.45},
        {"max_lr": 0.3, "cycle_momentum": False, "pct_start": 0},
        {"max_lr": 0.3, "pct_start": 1},
        {"max_lr": 0.3, "three_phase": True, "pct_start": 0.8},
    ),
    strategy=drawn(cycles()),
    bad=(
        Bad({}, "missing", ("max_lr",)),
        Bad(
            {"max_lr": 1, "epochs": 5},
            "value_error",
            (),
            "Value error, epochs needs steps_per_epoch beside it; leave out both, and the loop says how long it is",
        ),
        Bad(
            {"max_lr": 1, "steps_per_epoch": 5},
            "value_error",
            (),
            "Value error, steps_per_epoch needs epochs beside it; leave out both, and the loop says how long it is",
        ),
        Bad({"max_lr": 1, "pct_start": 1.1}, "less_than_equal", ("pct_start",)),
        Bad({"max_lr": 1, "pct_start": -0.1}, "greater_than_equal", ("pct_start",)),
        Bad({"max_lr": 1, "anneal_strategy": "cosine"}, "literal_error", ("anneal_strategy",)),
        Bad({"max_lr": 1, "cycle_momentum": 1}, "bool_type", ("cycle_momentum",)),
        *positive("div_factor", max_lr=1),
        *positive("final_div_factor", max_lr=1),
        Bad({"max_lr": 1, "total_steps": 0}, "greater_than", ("total_steps",)),
        Bad({"max_lr": 1, "epochs": 0, "steps_per_epoch": 5}, "greater_than", ("epochs",)),
        Bad({"max_lr": 1, "epochs": 5, "steps_per_epoch": 0}, "greater_than", ("steps_per_epoch",)),
    ),
)

PLATEAU = Subject(
    "ReduceLROnPlateau",
    cases=(
        *on_rates(
            {},
            {"patience": 2},
            {"mode": "max", "patience": 1, "cooldown": 3, "factor": 0.5},
            {"patience": 0, "threshold": 0.1, "threshold_mode": "abs", "min_lr": (0.01, 0)},
            {"patience": 0, "min_lr": 0.005, "factor": 0},
            {"mode": "max", "patience": 3, "threshold_mode": "abs", "threshold": 0},
            {"patience": 0, "factor": 0.9, "eps": 0.01},
        ),
        Case({"patience": 1}, (LRS, Normal((PERIODS,), digits=0)), "ties, and figures below 0", tolerance=EXACT),
        Case({"patience": 2, "mode": "max"}, (LRS, Normal((PERIODS,), digits=0)), "ties", tolerance=EXACT),
    ),
    strategy=drawn(
        some(
            mode=st.sampled_from(("min", "max")),
            factor=st.floats(0, 0.99),
            patience=st.integers(0, 12),
            threshold=st.floats(0, 0.5),
            threshold_mode=st.sampled_from(("rel", "abs")),
            cooldown=st.integers(0, 5),
            min_lr=each(0, 0.1),
            eps=st.floats(0, 0.01),
        ),
        st.sampled_from((FIGURES, Normal((PERIODS,), digits=0), Normal((PERIODS,), 100.0))),
    ),
    bad=(
        Bad({"mode": "lowest"}, "literal_error", ("mode",)),
        Bad({"factor": 1}, "less_than", ("factor",)),
        Bad({"factor": -0.1}, "greater_than_equal", ("factor",)),
        Bad({"patience": -1}, "greater_than_equal", ("patience",)),
        Bad({"threshold": -1}, "greater_than_equal", ("threshold",)),
        Bad({"threshold_mode": "relative"}, "literal_error", ("threshold_mode",)),
        Bad({"cooldown": 1.5}, "int_type", ("cooldown",)),
        Bad({"eps": -1e-9}, "greater_than_equal", ("eps",)),
    ),
)

SUBJECTS = (STEP, MULTI_STEP, EXPONENTIAL, LINEAR, POLYNOMIAL, COSINE, RESTARTS, ONE_CYCLE, PLATEAU)
