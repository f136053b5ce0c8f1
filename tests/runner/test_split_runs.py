"""`data.split` in whole runs: the methods, sources of their own, and what is refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import declnet
from declnet.core.random import generator
from declnet.core.spec import Array
from declnet.data.splits import at_random
from declnet.errors import ConfigError, DataError, DeclnetError
from declnet.runner import resumption
from declnet.runner.evaluate import evaluate
from declnet.runner.experiment import load
from declnet.runner.rows import Rows
from declnet.runner.train import resume
from declnet.runner.trained import Trained
from runner.conftest import Trained as Fitted
from runner.splits import ROWS, TEXT, prepare, rows_of, table

Fit = Callable[..., Fitted]


@pytest.fixture
def columns(folder: Path) -> dict[str, Array]:
    return prepare()


def test_at_random_as_ever(columns: dict[str, Array]) -> None:
    for overrides, shares in (
        ((), [0.8, 0.1, 0.1]),
        (("data.split={val: 0.2, test: 0.3}",), [0.5, 0.2, 0.3]),
        (("data.split={train: 0.5, val: 0.2, test: 0.1}",), [0.5, 0.2, 0.1]),
    ):
        pieces = at_random(ROWS, shares, generator(5, "split"))
        for found, piece in zip(rows_of(*overrides).values(), pieces, strict=True):
            assert np.array_equal(found, piece)


def test_what_train_leaves_out_is_the_rest(columns: dict[str, Array]) -> None:
    found = rows_of("data.split={val: 0.25, test: 0}")
    assert {name: len(rows) for name, rows in found.items()} == {"train": 90, "val": 30}
    config = load("c.yaml", ("data.split={val: 0.2}",)).config
    assert config.data.split.train == 0.7


def test_by_class_the_first_targets_column_is_the_class(columns: dict[str, Array]) -> None:
    found = rows_of("data.split={method: stratified, val: 0.2, test: 0.2}")
    for label in range(3):
        count = (columns["kind"] == label).sum()
        for name, share in (("train", 0.6), ("val", 0.2), ("test", 0.2)):
            assert abs((columns["kind"][found[name]] == label).sum() - share * count) < 1
    assert load("c.yaml", ("data.split.method=stratified",)).config.data.split.column == "kind"


def test_by_group_a_column_that_is_no_field_says_which(columns: dict[str, Array]) -> None:
    found = rows_of("data.split={method: grouped, column: who, val: 0.2, test: 0.2}")
    groups = [set(columns["who"][rows].tolist()) for rows in found.values()]
    assert sum(map(len, groups)) == len(set(columns["who"].tolist()))


def test_each_row_needs_a_group_but_no_class(columns: dict[str, Array]) -> None:
    lines = Path("t.csv").read_text("utf-8").splitlines()
    place = lines[0].split(",").index("who")
    cells = lines[3].split(",")
    cells[place] = ""
    Path("t.csv").write_text("\n".join([*lines[:3], ",".join(cells), *lines[4:]]) + "\n", "utf-8")
    with pytest.raises(DataError) as caught:
        rows_of("data.split={method: grouped, column: who}")
    (item,) = caught.value.diagnostics
    assert item.message == "column 'who': missing value; rows are grouped by this column, so each needs one"
    assert item.mark is not None
    assert item.mark.line == 4
    assert sum(map(len, rows_of("data.split={method: stratified, column: who}").values())) == ROWS


def test_in_order(columns: dict[str, Array]) -> None:
    found = rows_of("data.split={method: ordered, val: 0.25, test: 0.25}")
    assert np.array_equal(np.concatenate([*found.values()]), np.arange(ROWS))
    assert list(found) == ["train", "val", "test"]


OWN = "data.split={val: 0.25, test: {type: CSV, path: test.csv}}"
BOTH = "data.split={val: {type: CSV, path: val.csv}, test: {type: CSV, path: test.csv}}"


def test_a_source_of_its_own_is_all_of_a_split(columns: dict[str, Array], fit: Fit) -> None:
    """The figures are those that the same rows give as another file."""
    table("test.csv", 31, seed=1)
    run = fit(TEXT, OWN)
    assert run.summary["rows"] == {"train": 90, "val": 30, "test": 31}
    own = evaluate(Trained(run.path))
    other = evaluate(Trained(run.path), data=Path("test.csv"))
    assert (own.rows, own.figures) == (31, other.figures)
    assert run.summary["test"] == own.figures
    assert evaluate(Trained(run.path), part="all").rows == ROWS + 31
    assert evaluate(Trained(run.path), data=Path("t.csv")).rows == ROWS
    Path("test.csv").unlink()
    assert evaluate(Trained(run.path), data=Path("t.csv")).rows == ROWS, "needs no more than that file"
    Path("t.csv").unlink()
    assert np.shape(declnet.load(run.path).predict(np.zeros((4, 2)))) == (4, 3)


def test_all_rows_of_several_sources_are_evaluated_in_their_order(columns: dict[str, Array], fit: Fit) -> None:
    """One file that holds the rows of all three gives the same figures."""
    table("val.csv", 37, seed=1)
    table("test.csv", 31, seed=2)
    run = fit(TEXT, BOTH)
    assert run.summary["rows"] == {"train": ROWS, "val": 37, "test": 31}
    parts = [Path(name).read_text("utf-8") for name in ("t.csv", "val.csv", "test.csv")]
    head, _, _ = parts[0].partition("\n")
    Path("whole.csv").write_text("".join([head, "\n", *(part.partition("\n")[2] for part in parts)]), "utf-8")
    together = evaluate(Trained(run.path), data=Path("whole.csv"))
    assert evaluate(Trained(run.path), part="all").figures == together.figures


def test_config_yaml_reads_back_to_the_same(columns: dict[str, Array], fit: Fit) -> None:
    table("test.csv", 31, seed=1)
    run = fit(TEXT, OWN)
    assert load(run.path / "config.yaml").config.data.split == load("c.yaml", (OWN,)).config.data.split.model_copy(
        update={"test": load(run.path / "config.yaml").config.data.split.test}
    )
    assert "path: ../test.csv" in (run.path / "config.yaml").read_text("utf-8")


@pytest.mark.parametrize("moved", ["another cell", "another row"])
def test_resume_refuses_other_rows_in_a_source_of_its_own(columns: dict[str, Array], fit: Fit, moved: str) -> None:
    table("test.csv", 31, seed=1)
    run = fit(TEXT, OWN)
    text = Path("test.csv").read_text("utf-8")
    lines = text.splitlines(keepends=True)
    Path("test.csv").write_text(
        "".join([*lines[:-1], "1,1,1,1\n"] if moved == "another cell" else lines[:-1]), "utf-8"
    )
    if moved == "another row":  # the same rows in all, one of them in the other file
        main = Path("t.csv").read_text("utf-8").splitlines(keepends=True)
        Path("test.csv").write_text("".join([lines[0], main[-1], *lines[1:]]), "utf-8")
        Path("t.csv").write_text("".join(main[:-1]), "utf-8")
    with pytest.raises(DataError, match="the rows are not those that this run began with"):
        list(resume(resumption.load(run.path, ("loop.epochs=5",)), run.path))


def test_resume_refuses_other_groups(columns: dict[str, Array], fit: Fit) -> None:
    run = fit(TEXT, "data.split={method: grouped, column: who}")
    lines = Path("t.csv").read_text("utf-8").splitlines()
    Path("t.csv").write_text("\n".join([*lines[:-1], lines[-1].rpartition(",")[0] + ",777"]), "utf-8")
    with pytest.raises(DataError, match="the rows are not those that this run began with"):
        list(resume(resumption.load(run.path, ("loop.epochs=5",)), run.path))


def test_rows_that_are_wrong_are_found_in_every_source(columns: dict[str, Array]) -> None:
    table("test.csv", 31, seed=1, classes=(0.2, 0.2, 0.2, 0.4))
    with pytest.raises(DataError) as caught:
        rows_of(OWN)
    kinds = [line.split(",")[2] for line in Path("test.csv").read_text("utf-8").splitlines()]
    item = caught.value.diagnostics[0]
    assert item.mark is not None
    assert (item.mark.file, item.mark.line) == ("test.csv", kinds.index("3") + 1)
    assert "the class 3 does not exist" in item.message
    Path("test.csv").write_text("a,b,kind\n1,2,0\n1,x,0\n", "utf-8")
    with pytest.raises(DataError, match=r"test.csv:3:3: error: .*'x' is not a number"):
        rows_of(OWN)


def test_sources_whose_numbers_mean_something_else(folder: Path) -> None:
    for name, text in (("one.txt", "abcabcabcabc"), ("two.txt", "abdabdabdabd"), ("three.txt", "abcabcabcabcd")):
        Path(name).write_text(text, "utf-8")
    Path("c.yaml").write_text(
        "data: {source: {type: Text, path: one.txt, length: 2}, split: {val: 0, test: {type: Text, path: one.txt, "
        "length: 2}}}\n"
        "model: [{type: Embedding, num_embeddings: 4, embedding_dim: 3}, {type: Linear, out_features: 4}, "
        "{type: Permute, dims: [0, 2, 1]}]\nloss: CrossEntropyLoss\noptimizer: SGD\n",
        "utf-8",
    )
    assert len(rows_of()["test"]) == 5
    for path, message in (
        ("two.txt", "2 is 'd' here and 'c' in data.source"),
        ("three.txt", "4 of them here, 3 in data.source"),
    ):
        with pytest.raises(DataError) as caught:
            rows_of(f"data.split.test.path={path}")
        assert caught.value.diagnostics[0].message.endswith(message)
        assert caught.value.diagnostics[0].path == ("data", "split", "test")


def test_integers_of_another_source_are_the_texts_of_their_digits(folder: Path) -> None:
    Path("t.csv").write_text("a,k\n" + "\n".join(f"{i},{'' if i == 7 else i % 3 + 1}" for i in range(30)), "utf-8")
    Path("c.yaml").write_text(
        "data:\n  source: {type: CSV, path: t.csv}\n  split: {val: {type: NPZ, path: v.npz}, test: 0}\n"
        "  inputs:\n    k: {columns: k, transforms: [Category]}\n"
        "    both: {columns: [k, k], transforms: [{type: Impute, strategy: constant, value: '2'}, "
        "{type: OneHot, categories: 3}]}\n"
        "  targets: [a]\n"
        "model:\n  - {type: Embedding, num_embeddings: 4, embedding_dim: 3, inputs: k, name: e}\n"
        "  - {type: Concat, dim: 1, inputs: [e, both]}\n  - {type: Linear, out_features: 1}\n"
        "loss: MSELoss\noptimizer: SGD\n",
        "utf-8",
    )
    np.savez("v.npz", a=np.arange(4.0), k=np.array([3, 2, np.nan, 9]))
    rows = Rows(load("c.yaml"))
    val = rows.splits["val"]
    assert np.concatenate([*rows.blocks("k", val)]).tolist() == [3, 2, 0, 0]
    assert np.concatenate([*rows.blocks("both", val)]).tolist() == [
        [0, 0, 1] * 2,
        [0, 1, 0] * 2,
        [0, 1, 0] * 2,
        [0, 0, 0] * 2,
    ]
    np.savez("v.npz", a=np.arange(4.0), k=np.array([3, 2, 1.5, 2]))
    with pytest.raises(
        DataError, match=r"data\.split\.val: column 'k' is to hold integers .* this is 1.5 \(row 3\)"
    ):
        Rows(load("c.yaml"))


def test_pictures_of_a_file_are_not_copied(folder: Path) -> None:
    """Sources of their own, with rows that stay as they are, converted as batches gather them."""
    rng = np.random.default_rng(0)
    for name, rows in (("one.npz", 30), ("two.npz", 12)):
        images, labels = rng.integers(0, 256, (rows, 2, 3), np.uint8), rng.integers(0, 2, rows)
        np.savez(name, image=images, label=labels)
    Path("c.yaml").write_text(
        "data: {source: {type: NPZ, path: one.npz}, inputs: image, targets: label, split: {val: 0.2, test: "
        "{type: NPZ, path: two.npz}}}\nmodel: [Flatten, {type: Linear, out_features: 2}]\n"
        "loss: CrossEntropyLoss\noptimizer: SGD\n",
        "utf-8",
    )
    found = rows_of()
    assert {name: len(rows) for name, rows in found.items()} == {"train": 24, "val": 6, "test": 12}
    np.savez("two.npz", image=images, label=np.where(np.arange(12) == 7, 5, 0))
    with pytest.raises(DataError) as caught:
        rows_of()
    (item,) = caught.value.diagnostics
    assert item.text.startswith("data.split.test: the class 5 does not exist")
    assert item.text.endswith("(row 8)")
    assert item.mark is not None


NOTHING = "column has nothing to do with the method"
GO_BY = "stratified and grouped go by one"

REFUSED = {
    "method=grouped": ".method: method grouped needs 'column': the one that says which rows belong together",
    "={method: grouped, column: wo}": ".column: the source has no column 'wo'; did you mean 'who'?",
    "={column: who}": f".column: {NOTHING} random; {GO_BY}",
    "={method: ordered, column: who}": f".column: {NOTHING} ordered; {GO_BY}",
    "={val: 0.5, test: 0.5}": ".val: val and test leave nothing to train on: their shares sum to 1",
    "={val: [1]}": ".val: expected a number, at least 0, at most 1, or a source, got [1]",
    "={val: Dgits}": ".val.type: unknown source 'Dgits'; did you mean 'Digits'?",
    "={test: other.csv}": ".test.type: 'other.csv' is no source but a file; to read it write {type: CSV, "
    "path: other.csv}",
    "={test: {type: CSV, path: no.csv}}": ".test.path: no.csv: no such file",
    "={test: {type: CSV, path: other.csv}}": ".test: the source has no column 'kind', which data.source has; "
    "did you mean 'kinds'?",
    "method=stratifid": ".method: expected 'random', 'stratified', 'grouped' or 'ordered', got 'stratifid'; "
    "did you mean 'stratified'?",
}
REFUSED = {
    f"data.split{'' if setting[0] == '=' else '.'}{setting}": f"data.split{message}"
    for setting, message in REFUSED.items()
} | {
    "loop.fold=2": "loop.fold: fold 2 is none of the folds: folds is left out",
    "loop={folds: 3, fold: 4}": "loop.fold: fold 4 is none of the folds: folds is 3",
    "loop.folds=1": "loop.folds: must be at least 2, got 1",
}


@pytest.mark.parametrize("setting", REFUSED)
def test_refused_before_a_row_is_read(columns: dict[str, Array], setting: str) -> None:
    Path("other.csv").write_text("a,b,kinds\n1,2,0\n", "utf-8")
    with pytest.raises(DeclnetError) as caught:
        load("c.yaml", (setting,))
    assert [item.text for item in caught.value.diagnostics] == [REFUSED[setting]]
    assert caught.value.exit_code == (3 if "no.csv" in setting else 2)


def test_folds_take_no_test_share(columns: dict[str, Array]) -> None:
    with pytest.raises(ConfigError, match=r"with loop\.folds the rows of each fold are its test rows"):
        load("c.yaml", ("loop.folds=3", "data.split.test=0.2"))
    for split in ("{val: 0.2, test: 0}", "{val: 0.2}", "{train: null, val: 0.2}"):
        found = load("c.yaml", ("loop.folds=3", f"data.split={split}")).config.data.split
        assert (found.train, found.val, found.test) == (0.8, 0.2, 0)


def test_every_row_another_class(columns: dict[str, Array]) -> None:
    with pytest.raises(DataError, match="it has another value in each of the 120 rows") as caught:
        rows_of("data.split={method: stratified, column: a}")
    assert caught.value.diagnostics[0].mark is not None


def test_columns_of_several_values_are_no_classes(folder: Path) -> None:
    Path("c.yaml").write_text(
        "data: {source: Spirals, split: {method: stratified, column: x}}\n"
        "model: [{type: Linear, out_features: 3}]\nloss: CrossEntropyLoss\noptimizer: SGD\n",
        "utf-8",
    )
    with pytest.raises(ConfigError, match=r"column 'x' holds \(2,\) a row"):
        load("c.yaml")
    with pytest.raises(ConfigError, match="column 'x' holds"):
        load("c.yaml", ("data.split={method: grouped, column: x}",))


def test_too_few_rows_or_groups(columns: dict[str, Array]) -> None:
    table("t.csv", 4)
    for setting, message in (
        (
            "data.split={method: ordered, val: 0.1, test: 0}",
            "the source has 4 rows, too few for a val share of 0.1",
        ),
        ("loop.folds=5", "the source has 4 rows, too few for 5 folds"),
    ):
        with pytest.raises(DataError, match=message):
            rows_of(setting)
    Path("t.csv").write_text("a,b,kind,who\n" + "1,2,0,7\n2,1,1,8\n" * 9, "utf-8")
    with pytest.raises(DataError, match="the source has 2 groups, too few for 3 folds"):
        rows_of("loop.folds=3", "data.split={method: grouped, column: who, val: 0}")


def test_summary_is_json_of_the_same(columns: dict[str, Array], fit: Fit) -> None:
    run = fit(TEXT, "data.split.method=stratified")
    assert json.loads((run.path / "summary.json").read_text("utf-8")) == run.summary
