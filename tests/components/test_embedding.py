"""What Embedding does to its table, and with indices that the table does not have."""

from __future__ import annotations

import numpy as np
import pytest

from declnet.core.registry import modules
from declnet.core.spec import Array, Spec
from declnet.errors import DataError
from declnet.layers.embedding import Embedding
from declnet.layers.segments import Segments
from declnet.testing import initial_state, run

INDICES = np.array([[3, 0], [3, 1]])


@pytest.mark.parametrize("training", [True, False])
def test_max_norm_changes_the_table(training: bool) -> None:
    """Rows that are looked up and too long, each once; no others."""
    weight = np.array([[0.3, 0.4], [3.0, 4.0], [6.0, 8.0], [-30.0, 40.0]])
    module = Embedding(num_embeddings=4, embedding_dim=2, max_norm=1.0)
    result = run(module, [INDICES], state={"weight": weight}, training=training)
    expected = np.array([[0.3, 0.4], [0.6, 0.8], [6.0, 8.0], [-0.6, 0.8]])
    np.testing.assert_allclose(result.params["weight"], expected, rtol=1e-7)
    np.testing.assert_array_equal(result.output, result.params["weight"][INDICES])
    np.testing.assert_array_equal(result.params["weight"][[0, 2]], weight[[0, 2]])


@pytest.mark.torch
@pytest.mark.parametrize("norm_type", [2.0, 1.0, 0.5, 0.0, -1.0, float("inf")])
def test_the_table_is_pytorchs(norm_type: float) -> None:
    torch = pytest.importorskip("torch", reason="PyTorch is not installed: pip install --group torch")
    weight = np.random.default_rng(0).standard_normal((4, 5))
    weight[1, :2] = np.nan, 0
    theirs = torch.nn.Embedding(4, 5, max_norm=0.7, norm_type=norm_type, _weight=torch.tensor(weight))
    theirs(torch.tensor(INDICES))
    ours = Embedding(num_embeddings=4, embedding_dim=5, max_norm=0.7, norm_type=norm_type)
    result = run(ours, [INDICES], state={"weight": weight})
    np.testing.assert_allclose(result.params["weight"], theirs.weight.detach().numpy(), rtol=1e-12)


@pytest.mark.parametrize("index", [4, 99, -1, -5])
def test_index_out_of_range(index: int) -> None:
    module = Embedding(num_embeddings=4, embedding_dim=2)
    message = f"Embedding has rows 0 to 3 (num_embeddings is 4), but is to look up row {index}"
    with pytest.raises(DataError) as caught:
        run(module, [np.array([0, index, 3])])
    assert [diagnostic.message for diagnostic in caught.value.diagnostics] == [message]


def zero_rows(table: Array) -> list[int]:
    return [int(row) for row in np.flatnonzero((table == 0).all(axis=1))]


@pytest.mark.parametrize(("padding", "rows"), [(None, []), (0, [0]), (2, [2]), (-1, [3]), (-4, [0])])
def test_padding_starts_from_zero(padding: int | None, rows: list[int]) -> None:
    """And leaves the other rows as they would have been."""
    module = Embedding(num_embeddings=4, embedding_dim=3, padding_idx=padding)
    table = initial_state(module, [INDICES])["weight"]
    plain = initial_state(Embedding(num_embeddings=4, embedding_dim=3), [INDICES])["weight"]
    assert zero_rows(table) == rows
    others = [row for row in range(4) if row not in rows]
    np.testing.assert_array_equal(table[others], plain[others])


def test_is_registered() -> None:
    assert modules.get("Embedding") is Embedding
    assert Embedding(num_embeddings=4, embedding_dim=3).infer(Spec((2,), "int")) == Spec((2, 3))


@pytest.mark.parametrize(("rows", "lookups"), [(1, 1), (1, 300), (7, 300), (400, 300), (5, 0)])
@pytest.mark.parametrize("mean", [False, True])
def test_gradients_are_added_up_by_row(rows: int, lookups: int, mean: bool) -> None:
    """Each row gets the sum or the mean of what looked it up, to the last digits; others stay."""
    rng = np.random.default_rng(0)
    indices, source = rng.integers(rows, size=lookups), rng.standard_normal((lookups, 3))
    expected, target = (np.full((rows, 3), 9.0) for _ in range(2))
    for row in np.unique(indices):
        found = source[indices == row]
        expected[row] = found.sum(0) / (len(found) if mean else 1)
    scratch = {
        name: np.full(s.shape, {"float": np.nan, "int": -7, "bool": True}[s.kind])
        for name, s in Segments.scratch(lookups, 3).items()
    }
    Segments(indices, source, target, scratch, mean=mean).add_up()
    np.testing.assert_allclose(target, expected, rtol=1e-13, atol=1e-13)


def test_what_is_not_finite_stays_in_its_row() -> None:
    upstream = np.ones((2, 2, 2))
    upstream[0, 0], upstream[1, 1] = np.inf, np.nan
    found = run(Embedding(num_embeddings=5, embedding_dim=2), [INDICES], grad_output=upstream)
    np.testing.assert_array_equal(found.gradients["weight"][:, 0], [1, np.nan, 0, np.inf, 0])
