"""`declnet init --from`: what it makes of a file, and that this is valid, trains and predicts as it stands."""

from __future__ import annotations

import csv
import gzip
import json
import os
import shlex
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from declnet.config.yaml import load as load_yaml
from declnet.data.guess import guess
from declnet.errors import ConfigError, DataError
from declnet.runner import folds
from declnet.runner.events import Finished
from declnet.runner.experiment import load
from declnet.runner.fitted import WIDTH, write
from declnet.runner.proposal import HUGE, LARGE, MANY, SMALL, Proposal, propose
from declnet.runner.train import train
from examples import FITTED, FOLDER

if TYPE_CHECKING:
    from conftest import Command

ROWS = 120

COLUMNS: dict[str, Callable[[int], object]] = {
    "id": lambda row: row + 1,
    "day": lambda row: f"2020-01-{row % 28 + 1:02}",
    "note": lambda row: f"a few words on row {row}",
    "unit": lambda _: "mm",
    "size": lambda row: row * 37 % 101 / 7,
    "age, in years": lambda row: "n/k" if row == 5 else row * 31 % 67,
    "stars": lambda row: row % 5 + 1,
    "pay": lambda row: "" if row == 3 else round(2 ** (row % 17), 1),
    "colour": lambda row: "NA" if row == 7 else ["red", "${blue}", "no"][row % 3],
    "town": lambda row: f"T{row % 15}",
    "class": lambda row: ["b", "a"][row * 37 % 101 > 50],
    "price": lambda row: 1000 + 50 * (row * 37 % 101),
}
"""A column of each kind."""


@pytest.fixture(autouse=True)
def _folder(folder: Path) -> None: ...


def table(*names: str, rows: int = ROWS, **more: Callable[[int], object]) -> Path:
    """`t.csv` with some of the columns, or all, and with others."""
    columns = {name: COLUMNS[name] for name in names or COLUMNS} | more
    with Path("t.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(columns)
        writer.writerows([make(row) for make in columns.values()] for row in range(rows))
    return Path("t.csv")


def proposed(path: Path, target: str) -> Proposal:
    return propose(guess(path), target)


def written(path: Path, target: str) -> dict[str, Any]:
    """The config for a file, which is valid without warnings; as plain data."""
    write(proposed(path, target), Path("n.yaml"), force=True)
    load("n.yaml", strict=True)
    return load_yaml(Path("n.yaml")).data


def fitted(*settings: str) -> dict[str, Any]:
    """Train `n.yaml`; the summary."""
    experiment = load("n.yaml", settings)
    *_, last = (folds.train if experiment.config.loop.folds else train)(experiment, Path("r"))
    assert isinstance(last, Finished)
    return last.summary


def test_a_column_of_each_kind() -> None:
    data = written(table(), "class")
    assert data["data"]["source"] == {"type": "CSV", "path": "${vars.path}", "missing": ("", "NA", "n/k")}
    fill = {"type": "Impute", "strategy": "median"}
    categories = ("$${blue}", "no", "red")
    assert data["data"]["inputs"] == {
        "numbers": {
            "columns": ("size", "age, in years", "stars", "price"),
            "transforms": (fill, "Standardize"),
        },
        "amounts": {"columns": ("pay",), "transforms": (fill, "Log1p", "Standardize")},
        "colour": {
            "columns": "colour",
            "transforms": (
                {"type": "Impute", "strategy": "constant", "value": "missing"},
                {"type": "OneHot", "categories": categories},
            ),
        },
        "town": {"columns": "town", "transforms": ({"type": "Category", "categories": 15},)},
    }
    # A field is called by a name, and `class` is one.
    assert data["data"]["targets"] == {
        "class": {"columns": "class", "transforms": ({"type": "ClassLabels", "classes": ("a", "b")},)}
    }
    embedding, concat = data["model"][:2]
    assert embedding == {
        "type": "Embedding",
        "name": "town_vector",
        "inputs": "town",
        "num_embeddings": 16,
        "embedding_dim": 8,
    }
    assert concat["inputs"] == ("numbers", "amounts", "colour", "town_vector")
    assert fitted("loop.epochs=2")["mean"]["test"].keys() >= {"accuracy", "f1(average=macro)"}


def test_what_is_left_out_is_said() -> None:
    written(table(), "class")
    lines = Path("n.yaml").read_text("utf-8").splitlines()
    start = lines.index("    # Left out:")
    assert [line.removeprefix("    # - ") for line in lines[start + 1 : start + 8 : 2]] == [
        "id: identifier, counts the rows.",
        "day: date, cells such as '2020-01-01'.",
        "note: text, texts of several words, such as 'a few words on row 0'.",
        "unit: constant, every cell that is there is 'mm'.",
    ]
    assert "put it among the numbers" in lines[start + 2]
    assert max(map(len, lines)) <= WIDTH


def test_numbers_are_learned_in_their_own_units() -> None:
    data = written(table("size", "pay", "price"), "price")
    assert data["data"]["targets"] == {"price": {"columns": ("price",), "transforms": ("Standardize",)}}
    assert data["loss"] == "MSELoss"
    assert data["data"]["split"] == {"val": 0.1}
    errors = fitted("loop.epochs=30")["mean"]["test"]
    assert 1 < errors["rmse"] < 300  # of prices from 1,000 to 6,000
    assert errors["r2"] > 0.95


@pytest.mark.parametrize("target", ["stars", "colours"])
def test_classes_are_written_out(target: str) -> None:
    """Integers in the order of their size, texts in that of the alphabet."""
    path = table("size", stars=lambda row: row % 11 + 1, colours=lambda row: ["red", "no", "1"][row % 3])
    data = written(path, target)
    (labels,) = data["data"]["targets"][target]["transforms"]
    assert labels["classes"] == {"stars": tuple(map(str, range(1, 12))), "colours": ("1", "no", "red")}[target]
    assert data["model"][-1]["out_features"] == len(labels["classes"])
    assert ("MSELoss" in Path("n.yaml").read_text("utf-8")) == (target == "stars")


@pytest.mark.parametrize("rows", [SMALL - 1, SMALL, LARGE])
def test_by_the_number_of_rows(rows: int) -> None:
    proposal = proposed(table("size", "class", rows=rows), "class")
    write(proposal, Path("n.yaml"))
    config = load("n.yaml", strict=True).config
    assert config.loop.folds == (5 if rows < SMALL else None)
    assert config.data.split.method == "stratified"
    assert config.data.split.share("test") == (0 if rows < SMALL else 0.15)
    assert proposal.training.hidden == (32 if rows < SMALL else 64 if rows < LARGE else 128)


def test_fewer_epochs_of_large_files() -> None:
    found = guess(table("size", "class"))
    trainings = [propose(replace(found, rows=rows), "class").training for rows in (SMALL, LARGE, HUGE)]
    for before, after in pairwise(trainings):
        assert before.batch_size < after.batch_size
        assert before.epochs >= after.epochs
    assert all(item.halve < item.patience < item.epochs for item in trainings)


def test_one_field_alone_needs_no_concat() -> None:
    data = written(table("colour", "class"), "class")
    assert [*data["data"]["inputs"]] == ["colour"]
    assert [node if isinstance(node, str) else node["type"] for node in data["model"]] == [
        *("Linear", "ReLU", "Linear", "ReLU", "Linear"),
    ]


def test_names_of_fields() -> None:
    """Whatever columns are called: no two fields have one name, and none that means something else."""
    names = ["input", "numbers", "class", "a b", "a.b", "2", "town", "town_vector", "*", "é", "x#: y"]
    texts: dict[str, Callable[[int], object]] = {
        name: lambda row, number=number: "uvw"[(row + number) % 3]  # type: ignore[misc]
        for number, name in enumerate(names)
    }
    data = written(table("size", "town", **texts | {"town": COLUMNS["town"]}), "class")
    fields = data["data"]["inputs"]
    assert {name: field["columns"] for name, field in fields.items()} == {
        **{"numbers": ("size",), "town": "town", "input_2": "input", "numbers_2": "numbers", "a_b": "a b"},
        **{"a_b_2": "a.b", "_2": "2", "town_vector_2": "town_vector", "_": "*", "é": "é", "x___y": "x#: y"},
    }
    fitted("loop.epochs=2", "loop.fold=1")


@pytest.mark.parametrize("count", [MANY, MANY + 1])
def test_many_categories_get_vectors(count: int) -> None:
    path = table("size", "class", kind=lambda row: f"k{row % count:02}", rows=200)
    (step,) = written(path, "class")["data"]["inputs"]["kind"]["transforms"]
    assert step["type"] == ("OneHot" if count == MANY else "Category")


def test_a_category_that_is_called_missing() -> None:
    path = table("size", "class", kind=lambda row: ["missing", "", "a"][row % 3])
    fill, one_hot = written(path, "class")["data"]["inputs"]["kind"]["transforms"]
    assert (fill["value"], one_hot["categories"]) == ("not_given", ("a", "missing"))


def test_texts_that_are_no_numbers() -> None:
    """Few different ones stand for missing values; not where they are a category, or many."""
    path = table(
        "class",
        some=lambda row: "n/k" if row % 40 == 0 else row / 7,
        red=lambda row: "red" if row % 40 == 0 else row / 7,
        many=lambda row: f"about {row}" if row % 25 == 0 else row / 7,
        colour=lambda row: ["red", "blue"][row % 2],
    )
    data = written(path, "class")["data"]
    assert data["inputs"]["numbers"]["columns"] == ("some",)
    assert data["source"]["missing"] == ("", "n/k")
    text = Path("n.yaml").read_text("utf-8")
    assert "# - many: number" in text
    assert "List in `missing` what stands for no number" in text
    assert "# - red: number" in text


def test_columns_that_are_nearly_empty() -> None:
    path = table(
        "size", "class", rare=lambda row: row if row < 5 else "", rarer=lambda row: "ab"[row % 2] * (row < 5)
    )
    assert [*written(path, "class")["data"]["inputs"]] == ["numbers"]
    assert Path("n.yaml").read_text("utf-8").count("Nearly all of its cells are missing.") == 2


@pytest.mark.parametrize("target", ["class", "price"])
def test_the_fewest_rows(target: str) -> None:
    written(table("size", target, rows=10), target)
    assert len(fitted("loop.epochs=2")["folds"]) == 5


REFUSED = {
    "clas": "--target: t.csv has no column 'clas'; did you mean 'class'?",
    "unit": "--target: column 'unit' has one class or value only: every cell that is there is 'mm'; "
    "there is nothing to tell apart",
    "id": "--target: column 'id' names rows (counts the rows): what is learned of some says nothing of others",
    "day": "--target: column 'day' holds dates (cells such as '2020-01-01'): make a number of it first, such as "
    "days since the first",
    "note": "--target: column 'note' holds texts of several words, such as 'a few words on row 0': a class needs "
    "more rows, a number no letters",
    "age, in years": "--target: column 'age, in years' is to be a number, and 1 of 120 cells are none: 'n/k'",
    "pay": "--target: column 'pay' is missing in 1 row: a row to learn from needs it; take it out of the file",
    "colour": "--target: column 'colour' is missing in 1 row ('NA'): a row to learn from needs it; take it out of "
    "the file",
}


@pytest.mark.parametrize("target", REFUSED)
def test_targets_that_are_refused(target: str) -> None:
    with pytest.raises(ConfigError) as caught:
        proposed(table(), target)
    assert str(caught.value) == f"error: {REFUSED[target]}"


def test_files_that_teach_nothing() -> None:
    with pytest.raises(ConfigError) as caught:
        proposed(table("id", "note", "class"), "class")
    assert str(caught.value) == (
        "error: t.csv: beside 'class' there is no column to learn it from: id is an identifier and note is text"
    )
    with pytest.raises(ConfigError, match="beside 'class' there is no column to learn it from: it is the only one"):
        proposed(table("class"), "class")
    with pytest.raises(ConfigError, match=r"t\.csv has 9 rows: too few to train and to test, which takes 10"):
        proposed(table("size", "price", rows=9), "price")
    with pytest.raises(DataError, match="there are no rows below the header"):
        guess(table("size", "class", rows=0))


@pytest.mark.parametrize("name", FITTED)
def test_the_example_is_what_init_writes(real_data: Callable[[str], Path], name: str) -> None:
    """To the letter, from the real file."""
    path = Path(f"{name}.csv")
    path.write_bytes(real_data(path.name).read_bytes())
    write(proposed(path, FITTED[name]), Path(f"{name}.yaml"))
    assert Path(f"{name}.yaml").read_text("utf-8") == (FOLDER / f"{name}.yaml").read_text("utf-8")


# The command.


def test_the_command(command: Command) -> None:
    """What it writes is trained by the commands that it names, and reads the data from wherever it stands."""
    Path("data").mkdir()
    table("id", "size", "colour", "class").rename("data/t.csv")
    Path("nets").mkdir()
    result = command("init", "nets/mine", "--from", "data/t.csv", "--target", "class")
    assert (result.rc, result.stderr) == (0, "")
    assert (
        result.stdout
        == """\
data/t.csv: 120 rows of 4 columns
column  seems to be    because                                  missing  becomes
id      identifier     counts the rows                                   left out
size    number         from 0 to 14.28571429                             numbers: Standardize
colour  text category  3 different values: ${blue}, no and red  1 (NA)   colour: Impute, OneHot
class   text category  2 different values: a and b                       target: ClassLabels

wrote nets/mine.yaml: it learns the 2 classes of class, a and b
Why it is as it is, and what else there is, is said in its comments. Next:
  declnet validate nets/mine.yaml
  declnet train nets/mine.yaml
"""
    )
    assert "\n  path: ../data/t.csv\n" in (command.cwd / "nets" / "mine.yaml").read_text("utf-8")
    for line in result.stdout.splitlines()[-2:]:
        assert command(*shlex.split(line)[1:], "loop.epochs=2").rc == 0
    assert (command.cwd / "runs" / "mine-1" / "fold-5" / "summary.json").exists()


def test_a_packed_file_with_tabs(command: Command) -> None:
    text = table("size", "age, in years", "class").read_text("utf-8").replace('"', "").replace("age,", "age")
    Path("my data.tsv.gz").write_bytes(gzip.compress(text.replace(",", "\t").encode()))
    named = command("init", "a", "--from", "my data.tsv.gz", "--target", "class")
    assert named.rc == 0
    assert "set apart by '\\t'" in named.stdout
    assert 'path: "${vars.path}", delimiter: "\\t"' in Path("a.yaml").read_text("utf-8")
    assert command("validate", "--strict", "a.yaml").rc == 0
    unnamed = command("init", "--from", "my data.tsv.gz", "--target", "class")
    message = "error: 'my data.yaml': a starter's name is of letters, digits, dots, dashes and underscores\n"
    assert (unnamed.rc, unnamed.stderr) == (2, message)


def test_a_path_that_no_config_can_hold() -> None:
    path = table("size", "class").rename(Path(os.fsdecode(b"t\xff.csv")))
    with pytest.raises(ConfigError, match=r"a config is UTF-8, and cannot hold this path"):
        write(proposed(path, "class"), Path("n.yaml"))


def test_the_command_s_refusals_and_its_json(command: Command) -> None:
    path = table("size", "class")
    done = command("init", "--from", path, "--target", "class", "--json")
    assert json.loads(done.stdout) == {
        "data": "t.csv",
        "rows": ROWS,
        "columns": [
            {
                "name": "size",
                "kind": "number",
                "why": "from 0 to 14.28571429",
                "missing": 0,
                "becomes": "numbers: Standardize",
            },
            {
                "name": "class",
                "kind": "text category",
                "why": "2 different values: a and b",
                "missing": 0,
                "becomes": "target: ClassLabels",
            },
        ],
        "target": "class",
        "path": "t.yaml",
        "next": ["declnet validate t.yaml", "declnet train t.yaml"],
    }
    again, forced, other, half, both, gone = command.each(
        "init --from t.csv --target class",
        "init --from t.csv --target class --force",
        "init --from t.csv --target clas",
        "init t --from t.csv",
        "init t --from t.csv --target class --template cnn",
        "init t --from gone.csv --target class",
    )
    message = "error: t.yaml is there already; name another file, or write over it with --force\n"
    assert (again.rc, again.stdout, again.stderr) == (2, "", message)
    assert forced.rc == 0
    assert (other.rc, other.stderr) == (2, "error: --target: t.csv has no column 'clas'; did you mean 'class'?\n")
    assert (gone.rc, gone.stderr) == (3, "error: gone.csv: no such file\n")
    assert half.rc == both.rc == 2
    assert "--target says which column of the file is learned" in half.stderr
    assert "exclude each other" in both.stderr


def read(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return [*csv.DictReader(file)]


def test_predictions_are_names_of_classes(command: Command, stand_ins: Path) -> None:
    """For new rows, with a category that training has not seen and missing cells; other columns do not matter."""
    trained = command("train", FOLDER / "penguins.yaml", f"vars.path={stand_ins}/penguins.csv", "loop.fold=1", "-q")
    assert trained.rc == 0
    header = "sex,body_mass_g,bill_length_mm,bill_depth_mm,flipper_length_mm,island,name"
    rows = ["MALE,4200,40,17,200,Biscoe,Ida", "?,4200,45.1,17,200,Elsewhere,Bo", ",,50,,200,Dream,"]
    (command.cwd / "new.csv").write_text("\n".join([header, *rows]), encoding="utf-8")
    plain, probable = command.each(
        "predict runs/penguins-1 --input new.csv --output pred.csv",
        "predict runs/penguins-1 --input new.csv --output prob.csv --probabilities",
    )
    assert plain.rc == probable.rc == 0
    birds = ["Adelie", "Chinstrap", "Gentoo"]
    assert [row["prediction"] for row in read(command.cwd / "pred.csv")] == birds
    for row, bird in zip(read(command.cwd / "prob.csv"), birds, strict=True):
        assert [*row] == ["prediction", *(f"probability_{name}" for name in birds)]
        shares = {name: float(row[f"probability_{name}"]) for name in birds}
        assert sum(shares.values()) == pytest.approx(1, abs=1e-5)
        assert max(shares, key=shares.__getitem__) == row["prediction"] == bird


def test_predictions_are_in_the_target_s_units(command: Command, stand_ins: Path) -> None:
    """Dollars: near those that the rule of the made-up houses gives, 30,000 for each unit of income, and 20,000."""
    data = f"vars.path={stand_ins}/housing.csv"
    trained = command("train", FOLDER / "housing.yaml", data, "loop.batch_size=16", "--json", "-q")
    assert trained.rc == 0
    rmse = json.loads(trained.stdout)["test"]["rmse"]
    header = (
        "longitude,latitude,housing_median_age,total_rooms,total_bedrooms,population,households,median_income,"
        "ocean_proximity"
    )
    incomes = [2.0, 7.0, 13.0]
    rows = [f"-119,37,20,2000,{'' if income == 7 else 400},1200,400,{income},INLAND" for income in incomes]
    (command.cwd / "new.csv").write_text("\n".join([header, *rows]), encoding="utf-8")
    assert command("predict", "runs/housing-1", "--input", "new.csv", "--output", "pred.csv").rc == 0
    found = [float(row["output"]) for row in read(command.cwd / "pred.csv")]
    assert 100 < rmse < 40_000
    np.testing.assert_allclose(found, [30_000 * income + 20_000 for income in incomes], atol=2 * rmse)
