"""Embedding."""

from math import inf

from hypothesis import strategies as st

from components.cases.case import SEEDS, Bad, Case, Labels, Misfit, Subject, shapes
from declnet.core import laws
from declnet.core.spec import Spec

FROZEN = "the row padding_idx has no gradient, though the output depends on it"
SCALED = "divided by how often a row was looked up: not the gradient"
LIMITED = "the gradient does not know of max_norm"
NORMS = (2.0, 1.0, 3.0, 0.5, 0.0, -1.0, inf, -inf)


@st.composite
def embedding(draw: st.DrawFn) -> Case:
    """Any table and indices that it has, so few that rows come back."""
    rows = draw(st.integers(1, 6))
    arguments = {
        "num_embeddings": rows,
        "embedding_dim": draw(st.integers(0, 6)),
        "padding_idx": draw(st.none() | st.integers(-rows, rows - 1)),
        "max_norm": draw(st.none() | st.sampled_from((0.0, 0.5, 1.0, 2.0, -1.0, inf))),
        "norm_type": draw(st.sampled_from(NORMS)),
        "scale_grad_by_freq": draw(st.booleans()),
    }
    if arguments["embedding_dim"] == 0:  # of no numbers none is the largest or smallest
        arguments["norm_type"] = 2.0
    return Case(arguments, (Labels(draw(shapes(0, 3)), rows),), seed=draw(SEEDS))


TABLE = {"num_embeddings": 5, "embedding_dim": 3}

EMBEDDING = Subject(
    "Embedding",
    cases=(
        Case(TABLE, (Labels((2, 4), 5),)),
        Case(TABLE, (Labels((), 5),), "one index"),
        Case(TABLE, (Labels((3, 2, 2), 5),)),
        Case(TABLE, (Labels((2, 0), 5),), "no indices"),
        Case(TABLE, (Labels((9,), 1),), "one row again and again"),
        Case({"num_embeddings": 1, "embedding_dim": 1}, (Labels((3,), 1),)),
        Case({**TABLE, "padding_idx": 0}, (Labels((2, 4), 5, put=(0, 0)),), rough=FROZEN),
        Case({**TABLE, "padding_idx": -1}, (Labels((2, 4), 5, put=(4, 4)),), rough=FROZEN),
        Case({**TABLE, "padding_idx": -5}, (Labels((6,), 5, put=(0, 0)),), rough=FROZEN),
        Case({**TABLE, "padding_idx": 4}, (Labels((6,), 4),), "padding_idx is not looked up"),
        Case({**TABLE, "scale_grad_by_freq": True}, (Labels((2, 4), 5, put=(1, 1, 1)),), rough=SCALED),
        Case({**TABLE, "scale_grad_by_freq": True, "padding_idx": 1}, (Labels((8,), 5, put=(1, 1)),), rough=SCALED),
        Case({**TABLE, "scale_grad_by_freq": True}, (Labels((0,), 5),), "no indices"),
        Case({**TABLE, "max_norm": 100.0}, (Labels((4,), 5),), "no row is too long"),
        Case({**TABLE, "max_norm": inf}, (Labels((4,), 5),), "no row is too long"),
        Case({"num_embeddings": 3, "embedding_dim": 0}, (Labels((4,), 3),), "no numbers"),
        Case({"num_embeddings": 3, "embedding_dim": 0, "max_norm": 1.0}, (Labels((4,), 3),), "no numbers"),
        Case({"num_embeddings": 0, "embedding_dim": 2}, (Labels((0,), 3),), "no rows, and no indices"),
        *(
            Case({**TABLE, "max_norm": 0.8, "norm_type": norm}, (Labels((2, 4), 5, put=(2, 2)),), rough=LIMITED)
            for norm in NORMS
        ),
        Case({**TABLE, "max_norm": 0.0}, (Labels((4,), 5),), rough=LIMITED),
        Case({**TABLE, "max_norm": -0.5}, (Labels((4,), 5),), "turns rows round", rough=LIMITED),
        Case({**TABLE, "max_norm": 1, "norm_type": 1}, (Labels((4,), 5),), "whole numbers", rough=LIMITED),
        Case({**TABLE, "max_norm": 0.5}, (Labels((0, 2), 5),), "no indices"),
    ),
    strategy=embedding(),
    bad=(
        Bad({"embedding_dim": 3}, "missing", ("num_embeddings",)),
        Bad({"num_embeddings": 5}, "missing", ("embedding_dim",)),
        Bad({**TABLE, "num_embeddings": -1}, "greater_than_equal", ("num_embeddings",)),
        Bad({**TABLE, "embedding_dim": -1}, "greater_than_equal", ("embedding_dim",)),
        Bad({**TABLE, "padding_idx": 5}, "value_error", ()),
        Bad({**TABLE, "padding_idx": -6}, "value_error", ()),
        Bad({**TABLE, "padding_idx": 1.0}, "int_type", ("padding_idx",)),
        Bad({**TABLE, "max_norm": "1"}, "float_type", ("max_norm",)),
        Bad({**TABLE, "norm_type": "2"}, "float_type", ("norm_type",)),
        Bad({**TABLE, "scale_grad_by_freq": 1}, "bool_type", ("scale_grad_by_freq",)),
        Bad({**TABLE, "sparse": True}, "extra_forbidden", ("sparse",)),
    ),
    misfits=(
        Misfit(TABLE, (Spec((4,)),), "Embedding takes integers but its input holds floats", argument=0),
        Misfit(TABLE, (Spec((4,), "bool"),), "Embedding takes integers but its input holds bools", argument=0),
        *(
            Misfit(
                {"num_embeddings": 3, "embedding_dim": 0, "max_norm": 1.0, "norm_type": norm_type},
                (Spec((4,), "int"),),
                f"Embedding cannot take the norm with norm_type = {norm_type:g} of nothing: embedding_dim is 0",
                field="norm_type",
            )
            for norm_type in (inf, -1.0, -inf)
        ),
    ),
    initial=Case({"num_embeddings": 500, "embedding_dim": 40}, (Labels((1,), 5),)),
    laws={"weight": laws.Normal()},
)

SUBJECTS = (EMBEDDING,)
