"""Whole runs with transforms: learned on the training rows, kept in checkpoints, applied wherever rows come in."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import declnet
from declnet.data.sources import csv_stream
from declnet.errors import CheckpointError, DataError
from declnet.runner.evaluate import evaluate
from declnet.runner.experiment import load
from declnet.runner.prediction import predict
from declnet.runner.rows import Rows
from declnet.runner.train import train
from declnet.runner.trained import Trained
from runner.runs import continued, same, started

if TYPE_CHECKING:
    from conftest import Command
    from runner.conftest import Trained as Fitted

Array = np.ndarray[Any, Any]

ANIMALS = """\
data:
  source: {type: CSV, path: animals.csv, missing: ["", NA]}
  inputs:
    x: {columns: [weight, height], transforms: [{type: Impute, strategy: median}, Standardize]}
    home: {columns: home, transforms: [{type: OneHot, categories: 3}]}
    colour: {columns: colour, transforms: [Category]}
  targets:
    y: {columns: kind, transforms: [ClassLabels]}
model:
  - {type: Embedding, num_embeddings: 4, embedding_dim: 2, inputs: colour, name: look}
  - {type: Concat, dim: 1, inputs: [x, home, look]}
  - {type: Linear, out_features: 3}
loss: CrossEntropyLoss
optimizer: {type: Adam, lr: 0.05}
loop: {epochs: 3, batch_size: 16, metrics: [accuracy, confusion_matrix]}
"""

PRICES = """\
data:
  source: {type: CSV, path: animals.csv, missing: ["", NA]}
  inputs: {x: {columns: [height, home], transforms: [{type: OneHot, categories: 200}]}}
  targets: {y: {columns: [price], transforms: [Log1p, Standardize]}}
model: [{type: Linear, out_features: 1}]
loss: MSELoss
optimizer: {type: Adam, lr: 0.05}
loop: {epochs: 3, batch_size: 16, metrics: [rmse, mae, r2]}
"""

HEADER = ["weight", "height", "home", "colour", "kind", "price"]


def animals(rows: int = 120, seed: int = 0) -> list[list[str]]:
    rng = np.random.default_rng(seed)
    kinds = rng.integers(0, 3, rows)
    table = []
    for kind in kinds:
        weight = "NA" if rng.random() < 0.1 else f"{rng.normal(3 + kind, 0.5):.3f}"
        height = f"{rng.normal(50 * kind, 9):.1f}"
        colour = ["", "red", "green, dark", 'the "blue"'][rng.integers(0, 4)]
        price = f"{np.exp(kind + rng.normal()):.4f}"
        table.append(
            [
                weight,
                height,
                ["tree", "sea", "cave"][rng.integers(0, 3)],
                colour,
                ["cat", "dog", "emu"][kind],
                price,
            ]
        )
    return table


def write(table: list[list[str]], path: str = "animals.csv") -> None:
    with Path(path).open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([HEADER, *table])


@pytest.fixture
def table(folder: Path) -> list[list[str]]:
    rows = animals()
    write(rows)
    return rows


def state(run: Fitted, name: str = "best.npz") -> dict[str, Array]:
    return run.arrays(name, "transforms/")


def test_the_figures_are_the_run_s_own(fit: Callable[..., Fitted], table: list[list[str]]) -> None:
    for text in (ANIMALS, PRICES):
        fitted = fit(text, to=f"r-{text is ANIMALS}")
        trained = Trained(fitted.path)
        found = {part: evaluate(trained, part=part).figures for part in ("val", "test")}
        assert found == {part: fitted.summary[part] for part in found}
    assert Path("animals.csv").exists()


def test_what_is_learned_is_of_the_training_rows(fit: Callable[..., Fitted], table: list[list[str]]) -> None:
    fitted = fit(ANIMALS)
    rows = Rows(load("c.yaml"))
    train_rows = [table[row] for row in rows.splits["train"]]
    numbers = np.array([[cell.replace("NA", "nan") for cell in row[:2]] for row in train_rows], np.float64)
    fill = np.nanmedian(numbers, axis=0)
    filled = np.where(np.isnan(numbers), fill, numbers)
    learned = state(fitted)
    assert learned["x/0/fill"].tolist() == fill.tolist()
    np.testing.assert_allclose(learned["x/1/mean"], filled.mean(axis=0), rtol=1e-12)
    np.testing.assert_allclose(learned["x/1/scale"], filled.std(axis=0), rtol=1e-12)
    assert learned["home/0/categories"].tolist() == ["cave", "sea", "tree"]
    assert learned["colour/0/categories"].tolist() == ["green, dark", "red", 'the "blue"']
    assert learned["y/0/classes"].tolist() == ["cat", "dog", "emu"]
    last = state(fitted, "last.npz")
    assert {name: array.tolist() for name, array in last.items()} == {n: a.tolist() for n, a in learned.items()}
    assert fitted.summary["classes"] == {"y": ["cat", "dog", "emu"]}


def test_other_rows_change_nothing(fit: Callable[..., Fitted], table: list[list[str]]) -> None:
    """Rows that are not trained on may hold what they like: what is learned stays, to the last bit."""
    before = fit(ANIMALS, to="before")
    splits = Rows(load("c.yaml")).splits
    for name in ("val", "test"):
        for row in splits[name]:
            table[row][:4] = ["1e6", "-1e6", "never seen", "no such colour"]
    write(table)
    after = fit(ANIMALS, to="after")
    one, other = state(before), state(after)
    assert one.keys() == other.keys()
    assert all(one[name].tobytes() == other[name].tobytes() for name in one)
    assert before.arrays("last.npz").keys() == after.arrays("last.npz").keys()
    for name, array in before.arrays("last.npz").items():
        assert array.tobytes() == after.arrays("last.npz")[name].tobytes()
    assert before.summary["test"] != after.summary["test"]


def told(run: Path, source: Path | io.BytesIO, **more: Any) -> list[dict[str, str]]:
    predict(Trained(run), source, Path("p.csv"), **more)
    with Path("p.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_predictions_have_names(fit: Callable[..., Fitted], table: list[list[str]]) -> None:
    fitted = fit(ANIMALS)
    rows = told(fitted.path, Path("animals.csv"), probabilities=True)
    assert list(rows[0]) == ["prediction", "probability_cat", "probability_dog", "probability_emu"]
    test = Rows(load("c.yaml")).splits["test"]
    right = [rows[row]["prediction"] == table[row][4] for row in test]
    assert sum(right) / len(right) == fitted.summary["test"]["accuracy"]
    matrix = [[0] * 3 for _ in range(3)]
    names = fitted.summary["classes"]["y"]
    for row in test:
        matrix[names.index(table[row][4])][names.index(rows[row]["prediction"])] += 1
    assert matrix == fitted.summary["test"]["confusion_matrix"]


def test_the_same_from_everywhere(
    fit: Callable[..., Fitted], table: list[list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file, a pipe, small chunks, arrays in a file and from Python."""
    fitted = fit(ANIMALS)
    rows = told(fitted.path, Path("animals.csv"))
    assert told(fitted.path, io.BytesIO(Path("animals.csv").read_bytes())) == rows
    monkeypatch.setattr(csv_stream, "BLOCK", 1)
    assert told(fitted.path, Path("animals.csv")) == rows
    columns = list(zip(*table, strict=True))
    x = np.array([[float(cell.replace("NA", "nan")) for cell in row[:2]] for row in table])
    inputs = {"x": x, "home": np.array(columns[2]), "colour": np.array(columns[3])}
    np.savez("rows.npz", **inputs)
    assert told(fitted.path, Path("rows.npz")) == rows
    run = declnet.load(fitted.path)
    outputs = run.predict(inputs)
    assert isinstance(outputs, np.ndarray)
    expected = [[float(row[f"output_{index}"]) for index in range(3)] for row in rows]
    assert outputs.tolist() == np.array(expected, np.float32).tolist()
    objects = {"x": x, "home": np.array(columns[2], object), "colour": [cell or None for cell in columns[3]]}
    again = run.predict(objects | {"colour": np.array(objects["colour"], object)})
    assert isinstance(again, np.ndarray)
    assert again.tobytes() == outputs.tobytes()
    assert run.classes == {"y": ("cat", "dog", "emu")}


def test_the_forms_of_predictions(fit: Callable[..., Fitted], table: list[list[str]]) -> None:
    fitted = fit(
        ANIMALS.replace("[ClassLabels]", "[{type: ClassLabels, classes: [emu, cat, dog, 'a, \"b\"']}]").replace(
            "3}\nloss", "4}\nloss"
        )
    )
    trained = Trained(fitted.path)
    write(table[:5], "new.csv")
    for name in ("p.csv", "p.jsonl", "p.npz"):
        predict(trained, Path("new.csv"), Path(name), probabilities=True)
    lines = [json.loads(line) for line in Path("p.jsonl").read_text(encoding="utf-8").splitlines()]
    names = ["emu", "cat", "dog", 'a, "b"']
    with Path("p.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    with np.load("p.npz", allow_pickle=False) as arrays:
        for row, line, own, values in zip(rows, lines, arrays["prediction"], arrays["probability"], strict=True):
            assert row["prediction"] == line["prediction"] == own
            assert list(line["probability"]) == names
            assert line["prediction"] == max(line["probability"], key=line["probability"].__getitem__)
            assert [float(row[f"probability_{name}"]) for name in names] == list(line["probability"].values())
            assert [float(str(value)) for value in values] == list(line["probability"].values())


def test_a_target_s_own_units(fit: Callable[..., Fitted], table: list[list[str]]) -> None:
    fitted = fit(PRICES, "dtype=float64")
    test = Rows(load("c.yaml", ["dtype=float64"])).splits["test"]
    predicted = np.array([float(row["output"]) for row in told(fitted.path, Path("animals.csv"))])[test]
    wanted = np.array([float(table[row][5]) for row in test])
    figures = fitted.summary["test"]
    assert figures["rmse"] == pytest.approx(np.sqrt(np.mean((predicted - wanted) ** 2)), rel=1e-9)
    assert figures["mae"] == pytest.approx(np.mean(np.abs(predicted - wanted)), rel=1e-9)
    total = np.sum((wanted - wanted.mean()) ** 2)
    assert figures["r2"] == pytest.approx(1 - np.sum((predicted - wanted) ** 2) / total, rel=1e-9)
    learned = state(fitted)
    small = (np.log1p(predicted) - learned["y/1/mean"]) / learned["y/1/scale"]
    aim = (np.log1p(wanted) - learned["y/1/mean"]) / learned["y/1/scale"]
    assert figures["loss"] == pytest.approx(np.mean((small - aim) ** 2), rel=1e-9)


@pytest.mark.parametrize("kind", ["<f8", "<i8", "<u2"])
def test_a_target_of_integers_has_units_too(fit: Callable[..., Fitted], folder: Path, kind: str) -> None:
    x = np.random.default_rng(0).normal(size=(60, 2))
    y = (5000 + 1000 * x[:, :1]).round().astype(kind)
    np.savez("t.npz", x=x, y=y)
    fitted = fit(
        "data: {source: {type: NPZ, path: t.npz}, inputs: {x: x}, targets: {y: {columns: y, transforms: "
        "[Standardize]}}}\nmodel: [{type: Linear, out_features: 1}]\nloss: MSELoss\noptimizer: SGD\n"
        "dtype: float64\nloop: {epochs: 1, metrics: [mae]}\n"
    )
    test = Rows(load("c.yaml")).splits["test"]
    predicted = declnet.load(fitted.path).predict(x[test])
    assert fitted.summary["test"]["mae"] == pytest.approx(np.mean(np.abs(predicted - y[test])), rel=1e-12)
    assert abs(np.mean(predicted) - 5000) < 1000


def test_two_classes_of_one_number(fit: Callable[..., Fitted], folder: Path) -> None:
    write([row for row in animals() if row[4] != "emu"])
    text = ANIMALS.replace("loss: CrossEntropyLoss", "loss: BCEWithLogitsLoss").replace("3}\nloss", "1}\nloss")
    text = text.replace(
        "columns: kind, transforms: [ClassLabels]",
        "columns: [kind], transforms: [ClassLabels, {type: Cast, dtype: float}]",
    )
    fitted = fit(text)
    rows = told(fitted.path, Path("animals.csv"), probabilities=True)
    assert list(rows[0]) == ["prediction", "probability_dog"]
    assert {row["prediction"] == ("dog" if float(row["probability_dog"]) > 0.5 else "cat") for row in rows} == {
        True
    }


def test_evaluate_with_another_file(fit: Callable[..., Fitted], table: list[list[str]]) -> None:
    """What was learned in training is what other rows are transformed with."""
    fitted = fit(ANIMALS)
    other = animals(40, seed=5)
    write(other, "other.csv")
    found = evaluate(Trained(fitted.path), data=Path("other.csv"))
    rows = told(fitted.path, Path("other.csv"))
    right = [row["prediction"] == own[4] for row, own in zip(rows, other, strict=True)]
    assert found.figures["accuracy"] == sum(right) / len(right)
    other[3][4] = "fox"
    write(other, "other.csv")
    with pytest.raises(DataError) as caught:
        evaluate(Trained(fitted.path), data=Path("other.csv"))
    (mistake,) = caught.value.diagnostics
    assert mistake.mark is not None
    assert (mistake.mark.line, mistake.message.partition(";")[0]) == (
        5,
        "column 'kind': 'fox' is none of the classes of the training rows, cat, dog and emu",
    )


# Augmentation, and rows that are transformed batch by batch.

PICTURES = """\
name: net
seed: 3
data:
  source: {type: NPZ, path: pictures.npz}
  inputs:
    x:
      columns: image
      transforms: [Standardize, {type: RandomCrop, size: 6, padding: 2}, {type: RandomFlip, p: 0.5}]
  targets: {y: {columns: label, transforms: [ClassLabels]}}
  split: {train: 0.8, val: 0.1, test: 0.1}
model:
  - {type: Conv2d, out_channels: 3, kernel_size: 3}
  - ReLU
  - Flatten
  - {type: Dropout, p: 0.3}
  - {type: Linear, out_features: 3}
loss: CrossEntropyLoss
optimizer: AdamW
loop: {epochs: 3, batch_size: 16, metrics: [accuracy]}
"""


@pytest.fixture
def pictures(resumable: None, folder: Path) -> None:
    rng = np.random.default_rng(4)
    image = rng.integers(0, 256, (150, 2, 8, 8)).astype(np.uint8)
    np.savez("pictures.npz", image=image, label=rng.choice([2, 5, 11], 150))
    np.savez_compressed("packed.npz", **dict(np.load("pictures.npz")))
    Path("c.yaml").write_text(PICTURES, encoding="utf-8")


@pytest.mark.parametrize("extra", [(), ("loop.accumulate=2", "loop.batch_size=8")])
def test_resume_to_the_same_bits(pictures: None, extra: tuple[str, ...]) -> None:
    started(*extra, to="straight")
    started(*extra, stop=(1, 3))
    for stop in [(1, 5), (2, 7), (3, 2)]:
        continued(stop=stop)
    continued()
    same("straight", "r")


def test_only_training_batches_are_augmented(pictures: None) -> None:
    experiment = load("c.yaml")
    noise = np.random.default_rng(0)
    rows = Rows(experiment)
    buffer = np.empty((16, 2, 6, 6), np.float32)
    plain = np.empty_like(buffer)
    chosen = rows.splits["train"][:16]
    rows._pieces[0].gather("x", chosen, plain, None)
    before = noise.bit_generator.state
    rows._pieces[0].gather("x", chosen, buffer, None)
    assert (buffer.tobytes(), noise.bit_generator.state) == (plain.tobytes(), before)
    rows._pieces[0].gather("x", chosen, buffer, noise)
    assert buffer.tobytes() != plain.tobytes()
    assert noise.bit_generator.state != before


@pytest.mark.parametrize(
    "transforms", ["[Standardize]", "[{type: Scale, factor: 0.0625}, Standardize, {type: RandomFlip}]"]
)
def test_batch_by_batch_gives_the_same_bits_as_at_once(pictures: None, transforms: str) -> None:
    """A mapped file is transformed as batches are put together, numbers in memory before training."""
    plain = f"data.inputs.x.transforms={transforms}"
    np.savez(
        "floats.npz", **{**dict(np.load("pictures.npz")), "image": np.load("pictures.npz")["image"].astype(float)}
    )
    np.savez_compressed("once.npz", **dict(np.load("floats.npz")))
    for name in ("pictures", "floats", "once"):
        list(train(load("c.yaml", [plain, f"data.source.path={name}.npz"]), Path(name)))
    experiment = load("c.yaml", [plain, "data.source.path=once.npz"])
    assert Rows(experiment)._pieces[0]._pending("x") is None or "Flip" in transforms
    one, *others = (dict(np.load(f"{name}/checkpoints/last.npz")) for name in ("pictures", "floats", "once"))
    for other in others:
        assert all(one[key].tobytes() == other[key].tobytes() for key in one if key != "meta")


def test_a_run_does_not_go_on_with_other_rows(pictures: None) -> None:
    started(stop=(1, 3))
    arrays = dict(np.load("pictures.npz"))
    np.savez("pictures.npz", **{**arrays, "image": arrays["image"] + 1})
    with pytest.raises(DataError, match="the rows are not those that this run began with"):
        continued()


# What goes wrong.


GAP = "missing value; the transform Impute fills in what the source lists under missing"
NUMBER = "is not a number; the transforms Category, OneHot and ClassLabels take texts"


@pytest.mark.parametrize(
    ("column", "cell", "message"),
    [
        ("height", "?", f"'?' {NUMBER}, and the source lists under missing what stands for a missing value"),
        ("height", "NA", GAP),
        ("home", "", GAP),
        ("kind", " ", GAP),
        ("weight", "inf", "'inf' is not finite"),
        ("weight", "heavy", f"'heavy' {NUMBER}"),
    ],
)
def test_cells_that_are_wrong(
    fit: Callable[..., Fitted], table: list[list[str]], column: str, cell: str, message: str
) -> None:
    table[7][HEADER.index(column)] = cell
    write(table)
    text = ANIMALS.replace("x: {columns: [weight, height]", "h: {columns: [height]}\n    x: {columns: [weight]")
    with pytest.raises(DataError) as caught:
        fit(text.replace("[x, home, look]", "[x, home, look, h]"))
    (mistake,) = caught.value.diagnostics
    assert mistake.mark is not None
    assert mistake.message == f"column '{column}': {message}"
    assert (mistake.mark.file, mistake.mark.line) == ("animals.csv", 9)
    assert not Path("r").exists()


def test_training_rows_that_do_not_fit(fit: Callable[..., Fitted], table: list[list[str]]) -> None:
    with pytest.raises(DataError) as caught:
        fit(ANIMALS, "data.inputs.home.transforms=[{type: OneHot, categories: 2}]")
    (mistake,) = caught.value.diagnostics
    assert mistake.text == (
        "data.inputs.home.transforms[0].categories: room for 2 categories, and the training rows have 3: cave, sea "
        "and tree"
    )
    assert mistake.mark is not None
    with pytest.raises(DataError) as caught:
        fit(ANIMALS, "data.targets.y.transforms=[{type: ClassLabels, classes: [cat, dog]}]")
    assert "'emu' is none of the classes, cat and dog" in str(caught.value)


def test_numbers_that_are_too_large(fit: Callable[..., Fitted], table: list[list[str]]) -> None:
    for row in table:
        row[1] = f"{row[1]}e200"
    write(table)
    with pytest.raises(DataError) as caught:
        fit(ANIMALS)
    assert "transforms[1]: the numbers are too large for what Standardize learns of them" in str(caught.value)
    with pytest.raises(DataError) as caught:
        fit(ANIMALS, "data.inputs.x.transforms=[Impute, {type: Scale, factor: 2}]")
    assert "is what the transforms make of it, too large for float32" in str(caught.value)


def test_more_classes_than_outputs(fit: Callable[..., Fitted], table: list[list[str]]) -> None:
    with pytest.raises(DataError) as caught:
        fit(ANIMALS.replace("out_features: 3", "out_features: 2"))
    assert "; there are 3 classes: cat, dog and emu" in str(caught.value)


def test_a_class_that_no_row_has_cannot_be_weighed(fit: Callable[..., Fitted], table: list[list[str]]) -> None:
    text = ANIMALS.replace("[ClassLabels]", "[{type: ClassLabels, classes: [cat, dog, emu, yak]}]")
    with pytest.raises(DataError) as caught:
        fit(text.replace("out_features: 3", "out_features: 4"), "loop.class_weights=balanced")
    assert (
        str(caught.value)
        .splitlines()[0]
        .endswith(
            "balanced: class 3 is missing, so no weight makes up for how rare they are, in the training rows; "
            "the classes are 'cat' (0), 'dog' (1), 'emu' (2) and 'yak' (3)"
        )
    )


def test_more_categories_than_embeddings(fit: Callable[..., Fitted], table: list[list[str]]) -> None:
    with pytest.raises(DataError) as caught:
        fit(ANIMALS, "model.look.num_embeddings=3")
    (mistake,) = caught.value.diagnostics
    assert mistake.text == "model[0].num_embeddings: there are 4 indices in 'colour', 0 to 3 (Category)"


def test_a_checkpoint_of_other_transforms(fit: Callable[..., Fitted], table: list[list[str]]) -> None:
    fitted = fit(ANIMALS)
    text = (fitted.path / "config.yaml").read_text(encoding="utf-8")
    for old, new, message in (
        ("{type: Standardize}", "{type: MinMax}", "it holds nothing for the transform 1 of 'x', MinMax"),
        (
            "categories: 3",
            "categories: 3}\n        - {type: Standardize",
            "for the transform 1 of 'home', Standardize",
        ),
    ):
        (fitted.path / "config.yaml").write_text(text.replace(old, new), encoding="utf-8")
        with pytest.raises(CheckpointError) as caught:
            declnet.load(fitted.path)
        assert message in str(caught.value)


def test_arrays_that_do_not_fit(fit: Callable[..., Fitted], table: list[list[str]]) -> None:
    run = declnet.load(fit(ANIMALS).path)
    right = {"x": np.ones((2, 2)), "home": ["sea", "moon"], "colour": ["red", "?"]}
    assert np.asarray(run.predict(right)).shape == (2, 3)
    for wrong, message in (
        ({"home": ["sea", None]}, "input 'home': row 2 holds a missing value; the transform Impute fills it in"),
        ({"home": [1.5, 2.5]}, "input 'home' holds float64; expected texts"),
        ({"x": [["a", "b"]] * 2}, "input 'x' holds <U1; expected numbers"),
        (
            {"x": np.full((2, 2), np.inf)},
            "input 'x': row 1 holds inf; expected finite numbers in the range of float64",
        ),
        ({"x": np.ones(2)}, "input 'x' has the shape (2,); expected (N, 2), rows first; a single row is a batch"),
    ):
        with pytest.raises(DataError) as caught:
            run.predict({**right, **wrong})
        assert str(caught.value).startswith(f"error: {message}")


# Other sources.


def test_integers_of_arrays_are_categories(fit: Callable[..., Fitted], folder: Path) -> None:
    rng = np.random.default_rng(0)
    np.savez("a.npz", code=rng.choice([3, 100, 20], 80), label=rng.choice([7, 70], 80))
    text = """\
data:
  source: {type: NPZ, path: a.npz}
  inputs: {c: {columns: code, transforms: [{type: OneHot, categories: 3}]}}
  targets: {y: {columns: label, transforms: [ClassLabels]}}
model: [{type: Linear, out_features: 2}]
loss: CrossEntropyLoss
optimizer: SGD
"""
    learned = state(fit(text))
    assert learned["c/0/categories"].tolist() == ["3", "20", "100"]
    assert learned["y/0/classes"].tolist() == ["7", "70"]


def test_folders_give_classes_their_names(fit: Callable[..., Fitted], folder: Path) -> None:
    images = pytest.importorskip("PIL.Image", reason="ImageFolder needs Pillow")
    rng = np.random.default_rng(0)
    for name in ("cat", "dog"):
        Path("pets", name).mkdir(parents=True)
        for number in range(20):
            images.fromarray(rng.integers(0, 255, (4, 4, 3), dtype=np.uint8)).save(f"pets/{name}/{number}.png")
    text = """\
data: {source: {type: ImageFolder, path: pets}}
model: [Flatten, {type: Linear, out_features: 2}]
loss: CrossEntropyLoss
optimizer: SGD
loop: {epochs: 1}
"""
    run = declnet.load(fit(text).path)
    assert run.classes == {"y": ("cat", "dog")}
    np.savez("new.npz", x=np.zeros((3, 3, 4, 4)))
    assert {row["prediction"] for row in told(run.path, Path("new.npz"))} <= {"cat", "dog"}


@pytest.mark.parametrize("kind", ["Parquet", "SQL"])
def test_tables_elsewhere_give_the_same(fit: Callable[..., Fitted], table: list[list[str]], kind: str) -> None:
    """The same rows as CSV, as Parquet and in a database: the same bits learned."""
    columns: dict[str, list[Any]] = dict(zip(HEADER, map(list, zip(*table, strict=True)), strict=True))
    for name, cells in columns.items():
        number = name in ("weight", "height", "price")
        columns[name] = [None if cell in ("", "NA") else float(cell) if number else cell for cell in cells]
    if kind == "Parquet":
        arrow = pytest.importorskip("pyarrow", reason="Parquet needs pyarrow")
        from pyarrow import parquet

        parquet.write_table(arrow.table(columns), "t.parquet", row_group_size=50)
        source = "{type: Parquet, path: t.parquet}"
    else:
        pytest.importorskip("sqlalchemy", reason="SQL needs SQLAlchemy")
        import sqlite3

        with sqlite3.connect("t.db") as database:
            database.execute(f"CREATE TABLE t ({', '.join(HEADER)})")
            marks = ", ".join("?" * len(HEADER))
            database.executemany(f"INSERT INTO t VALUES ({marks})", list(zip(*columns.values(), strict=True)))  # noqa: S608 - its own header
        database.close()
        source = "{type: SQL, path: t.db, query: SELECT * FROM t ORDER BY rowid}"
    one, other = fit(ANIMALS, to="one"), fit(ANIMALS, f"data.source={source}", to="other")
    for part in ("transforms/", "model/"):
        first, second = (run.arrays("last.npz", part) for run in (one, other))
        assert first.keys() == second.keys()
        assert all(first[name].tobytes() == second[name].tobytes() for name in first)
    assert {k: one.summary[k] for k in ("val", "test")} == {k: other.summary[k] for k in ("val", "test")}


def test_the_command_shows_names(command: Command) -> None:
    (command.cwd / "c.yaml").write_text(ANIMALS, encoding="utf-8")
    with (command.cwd / "animals.csv").open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([HEADER, *animals()])
    commands = ("train c.yaml --quiet --run-dir r", "evaluate r", "evaluate r --json")
    folds = "train c.yaml --quiet --run-dir f loop.folds=3 data.split.method=stratified"
    trained, evaluated, described, crossed = command.each(*commands, folds)
    assert (trained.rc, evaluated.rc, described.rc) == (0, 0, 0)
    assert json.loads(described.stdout)["classes"] == {"confusion_matrix": ["cat", "dog", "emu"]}
    lines = trained.stdout.splitlines()
    start = lines.index("test confusion_matrix: a row for each class, a column for each it was taken for")
    assert [line.split()[0] for line in lines[start + 1 : start + 5]] == ["class", "cat", "dog", "emu"]
    assert lines[start + 1].split() == ["class", "cat", "dog", "emu"]
    assert lines[start : start + 5] == evaluated.stdout.splitlines()[-5:]
    lines = crossed.stdout.splitlines()
    start = lines.index("confusion_matrix of all rows: a row for each class, a column for each it was taken for")
    assert [line.split()[0] for line in lines[start + 1 : start + 5]] == ["class", "cat", "dog", "emu"]


def test_each_fold_learns_from_its_own_training_rows(table: list[list[str]], folder: Path) -> None:
    """Of the others too, it would know what it is tested on."""
    Path("c.yaml").write_text(ANIMALS, "utf-8")
    list(train(load("c.yaml", ["loop.folds=3", "loop.epochs=1", "data.split.val=0"]), Path("f")))
    learned = [np.load(f"f/fold-{number}/checkpoints/last.npz")["transforms/x/1/mean"] for number in (1, 2, 3)]
    assert len({array.tobytes() for array in learned}) == 3
    for number, mean in enumerate(learned, 1):
        experiment = load("c.yaml", ["loop.folds=3", f"loop.fold={number}", "data.split.val=0"])
        chosen = Rows(experiment).splits["train"]
        heights = np.array([float(table[row][1]) for row in chosen])
        assert np.isclose(mean[1], heights.mean(), rtol=1e-12)


def test_a_column_of_which_nothing_is_there(table: list[list[str]], folder: Path) -> None:
    write([["NA", *row[1:]] for row in table])
    Path("c.yaml").write_text(ANIMALS, "utf-8")
    with pytest.raises(DataError) as caught:
        Rows(load("c.yaml"))
    (found,) = caught.value.diagnostics
    assert found.path == ("data", "inputs", "x", "transforms", 0)
    assert found.message == "column 'weight': no training row has a value, so there is no median"
