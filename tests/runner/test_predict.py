"""Predictions: the bits of the run's own evaluation, of any number of rows, from and to files of any length."""

from __future__ import annotations

import csv
import gc
import gzip
import io
import json
import tracemalloc
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from declnet.core.random import generator
from declnet.core.threads import threads_for
from declnet.data.sources import csv_stream
from declnet.errors import ConfigError, DataError
from declnet.runner.experiment import load
from declnet.runner.inputs import fitting
from declnet.runner.model import Model
from declnet.runner.predict import Predictor
from declnet.runner.prediction import predict
from declnet.runner.readings import READINGS, told
from declnet.runner.rows import Rows
from declnet.runner.train import train
from declnet.runner.trained import Trained
from declnet.runner.transformed import Learned
from examples import CONFIGS, FOLDER, pointed_at

if TYPE_CHECKING:
    from conftest import Trained as Fitted

Arrays = dict[str, np.ndarray[Any, Any]]


TABLE = """\
data: {source: {type: CSV, path: t.csv}, inputs: [a, b], targets: {y: {columns: c, dtype: int64}}}
model: [{type: Linear, out_features: 4}, BatchNorm1d, Tanh, {type: Linear, out_features: 2}]
loss: CrossEntropyLoss
optimizer: {type: Adam, lr: 0.05}
loop: {epochs: 3, batch_size: 6, metrics: [accuracy]}
"""
SEVERAL = """\
data:
  source: {type: CSV, path: t.csv}
  inputs: {left: [a, b], right: b}
  targets: {y: c, n: {columns: c, dtype: int64}}
model:
  - {type: Linear, out_features: 3, inputs: left}
  - {type: ReLU, name: trunk}
  - type: ModuleDict
    name: heads
    forward: map
    modules:
      value: {type: Linear, out_features: 1}
      kind: {type: Linear, out_features: 2}
loss:
  - {type: CrossEntropyLoss, inputs: [heads.kind, n]}
  - {type: MSELoss, inputs: [right, y]}
optimizer: SGD
loop: {epochs: 1, batch_size: 8}
"""


def own_outputs(trained: Trained, part: str) -> tuple[Arrays, list[np.ndarray[Any, Any]]]:
    """The rows of a split, and what the run's own plans, with loss and targets, make of them."""
    experiment = trained.experiment()
    rows = Rows(experiment, training=False)
    model = Model(experiment, rows.sizes(), generator(0, "noise"))
    trained.fill(model.store)
    fields: dict[str, list[Any]] = {name: [] for name in experiment.inputs}
    outputs: list[list[Any]] = []
    with np.errstate(all="ignore"), threads_for(model.largest):
        for plan, _ in rows.batches(rows.splits[part], model.plans, training=False):
            for name, parts in fields.items():
                parts.append(plan.inputs[name].copy())
            plan.run()
            outputs.append([output.copy() for output in plan.outputs])
    joined = [np.concatenate(parts) for parts in zip(*outputs, strict=True)]
    return {name: np.concatenate(parts) for name, parts in fields.items()}, joined


def run_on(trained: Trained, inputs: Arrays, batch_size: int | None = None) -> list[np.ndarray[Any, Any]]:
    predictor = Predictor(trained)
    with predictor.running():
        found = [
            [output.copy() for output in outputs]
            for outputs in predictor.batches([inputs], batch_size or predictor.batch_size)
        ]
    return [np.concatenate(parts) for parts in zip(*found, strict=True)]


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_the_bits_are_those_of_the_run_s_own_evaluation(folder: Path, stand_ins: Path, path: Path) -> None:
    settings = ["loop.epochs=1", "data.split={train: 0.3, val: 0.1, test: 0.2}", "loop.batch_size=16"]
    for _ in train(load(path, [*settings, "loop.folds=null", *pointed_at(path, stand_ins)]), Path("r")):
        pass
    trained = Trained(Path("r"))
    for part in ("test", "train"):
        inputs, outputs = own_outputs(trained, part)
        found = run_on(trained, inputs)
        assert [array.tobytes() for array in found] == [array.tobytes() for array in outputs]
        assert [(array.shape, array.dtype) for array in found] == [(array.shape, array.dtype) for array in outputs]


def test_several_outputs_stay_whole(fit: Callable[..., Fitted], table: Path) -> None:
    """Also one that the loss does not depend on, and so nothing in training: a formula gives the same."""
    run = fit(SEVERAL)
    trained = Trained(run.path)
    inputs, outputs = own_outputs(trained, "test")
    state = run.arrays("best.npz")
    trunk = np.maximum(inputs["left"] @ state["0.weight"].T + state["0.bias"], 0)
    for name, found in zip(("value", "kind"), outputs, strict=True):
        wanted = trunk @ state[f"heads.{name}.weight"].T + state[f"heads.{name}.bias"]
        np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-6)
    assert [a.tobytes() for a in run_on(trained, {"left": inputs["left"]})] == [a.tobytes() for a in outputs]
    names = [
        (item.name, item.shape, item.kind)
        for item in told(trained.experiment(), Learned({}, {}), probabilities=True)
    ]
    assert names == [
        ("heads.value", (1,), "float"),
        ("heads.kind_prediction", (), "int"),
        ("heads.kind_probability", (2,), "float"),
    ]


def test_any_number_of_rows_in_batches_of_any_size(fit: Callable[..., Fitted], table: Path) -> None:
    trained = Trained(fit(TABLE).path)
    x = np.random.default_rng(0).standard_normal((10, 2)).astype(np.float32)
    whole = run_on(trained, {"x": x}, 10)[0]
    for size in (1, 3, 4, 11):
        np.testing.assert_allclose(run_on(trained, {"x": x}, size)[0], whole, rtol=1e-5, atol=1e-6)
    for rows in (1, 2, 5):
        np.testing.assert_array_equal(
            run_on(trained, {"x": x[:rows]}, 1)[0], run_on(trained, {"x": x}, 1)[0][:rows]
        )


def test_the_table_need_not_be_there(fit: Callable[..., Fitted], table: Path) -> None:
    trained = Trained(fit(TABLE).path)
    table.rename("new.csv")
    assert predict(trained, Path("new.csv"), Path("p.csv")) == 20


PAIRS = """\
data:
  source: {type: Pairs, source: {type: CSV, path: t.csv, delimiter: ";"}, label: c}
  inputs: {one: [first_a, first_b], other: second_a}
  targets: {same: same}
model:
  - {type: Linear, out_features: 1, inputs: one}
  - {type: Reshape, shape: [], name: score}
loss: BCEWithLogitsLoss
optimizer: SGD
loop: {epochs: 1}
"""


def test_nor_a_table_behind_another_source(fit: Callable[..., Fitted], table: Path) -> None:
    """And what it was written like is remembered."""
    table.write_text(table.read_text(encoding="utf-8").replace(",", ";"), encoding="utf-8")
    trained = Trained(fit(PAIRS).path)
    table.unlink()
    Path("new.csv").write_text("second_a;first_b;first_a\n1;2;3\n", encoding="utf-8")
    assert predict(trained, Path("new.csv"), Path("p.csv")) == 1
    assert Path("p.csv").read_text(encoding="utf-8").startswith("prediction,score\n")


# Forms.


def read(form: str) -> Arrays:
    """A file of predictions as arrays, the numbers as wide as they are in text."""
    path = Path(f"p.{form}")
    if form == "npz":
        with np.load(path, allow_pickle=False) as file:
            return {name: file[name] for name in file.files}
    if form == "jsonl":
        lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
        return {name: np.array([line[name] for line in lines]) for name in lines[0]}
    with path.open(encoding="utf-8", newline="") as file:
        header, *rows = csv.reader(file)
    columns = dict(zip(header, zip(*rows, strict=True), strict=True))
    found: dict[str, list[Any]] = {}
    for name, cells in columns.items():
        found.setdefault(name.rpartition("_")[0] if name[-1].isdecimal() else name, []).append(cells)
    return {
        name: np.array(cells, "int64" if name == "prediction" else "float64").T.squeeze()
        for name, cells in found.items()
    }


@pytest.mark.parametrize("form", ["csv", "jsonl", "npz"])
@pytest.mark.parametrize("probabilities", [False, True])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_forms(fit: Callable[..., Fitted], table: Path, form: str, probabilities: bool, dtype: str) -> None:
    trained = Trained(fit(TABLE, f"dtype={dtype}").path)
    assert predict(trained, table, Path(f"p.{form}"), probabilities=probabilities) == 20
    x = np.array([[i, 2 * i] for i in range(20)], dtype)
    output = run_on(trained, {"x": x})[0]
    found = read(form)
    name = "probability" if probabilities else "output"
    assert list(found) == ["prediction", name]
    np.testing.assert_array_equal(found["prediction"], output.argmax(axis=1))
    wanted = READINGS["CrossEntropyLoss"].probability(output) if probabilities else output
    np.testing.assert_array_equal(found[name].astype(dtype), wanted)  # to the bit, read from text too
    assert found["prediction"].dtype == np.int64
    assert form != "npz" or found[name].dtype == dtype


IMAGES = """\
data: {source: {type: Digits, flatten: false}, targets: {}}
model: [{type: Conv2d, out_channels: 2, kernel_size: 7, name: maps}]
loss: {type: MSELoss, inputs: [maps, maps]}
optimizer: SGD
loop: {epochs: 1, batch_size: 100}
"""


def test_arrays_in_and_out(fit: Callable[..., Fitted], folder: Path) -> None:
    """Rows of more than one dimension: from .npz, compressed or not, and in each form."""
    trained = Trained(fit(IMAGES).path)
    images = np.random.default_rng(0).random((230, 1, 8, 8))
    np.savez_compressed("x.npz", x=images, other=np.array(["not", "read"]))
    np.savez("y.npz", x=images.astype(">f4"))
    output = run_on(trained, {"x": images.astype(np.float32)})[0]
    for source in ("x.npz", "y.npz"):
        for form in ("csv", "jsonl", "npz"):
            assert predict(trained, Path(source), Path(f"p.{form}")) == 230
            found = read(form)["maps"]
            assert found.shape == ((230, 8) if form == "csv" else (230, 2, 2, 2))
            np.testing.assert_array_equal(found.reshape(output.shape).astype(np.float32), output)
    with zipfile.ZipFile("p.npz") as archive:
        assert {item.date_time[0] for item in archive.infolist()} == {1980}  # the same rows, the same bytes
    np.savez("x.npz", x=images[:0])
    assert predict(trained, Path("x.npz"), Path("p.npz")) == 0
    assert read("npz")["maps"].shape == (0, 2, 2, 2)


def test_a_table_cannot_hold_images(fit: Callable[..., Fitted], folder: Path) -> None:
    trained = Trained(fit(IMAGES).path)
    with pytest.raises(DataError) as caught:
        predict(trained, io.BytesIO(b"x\n1\n"), Path("p.csv"))
    assert str(caught.value) == (
        "error: the model reads 'x', (1, 8, 8) a row, and a cell of a CSV file holds one number: give an .npz file "
        "with an array x"
    )


LINE = """\
data: {source: {type: CSV, path: t.csv}, inputs: [a, b], targets: [c]}
model: [{type: Linear, out_features: 1}]
loss: MSELoss
optimizer: SGD
loop: {epochs: 1, batch_size: 3}
"""


def test_what_is_not_finite(fit: Callable[..., Fitted], table: Path) -> None:
    trained = Trained(fit(LINE).path)
    trained.state["0.weight"][:] = 3e38
    source = b"a,b\n1,-1\n1e30,1\n-1e30,1\n"
    assert predict(trained, io.BytesIO(source), Path("p.jsonl")) == 3
    assert [json.loads(line)["output"] for line in Path("p.jsonl").read_text("utf-8").splitlines()][1:] == [
        [None]
    ] * 2
    assert predict(trained, io.BytesIO(source), Path("p.csv")) == 3
    assert Path("p.csv").read_text(encoding="utf-8").splitlines()[2:] == ["inf", "-inf"]


# What outputs stand for.


@pytest.mark.torch
def test_probabilities_are_pytorch_s() -> None:
    torch = pytest.importorskip("torch", reason="PyTorch is the oracle")
    rng = np.random.default_rng(0)
    for scale in (1, 30, 1000):
        x = (scale * rng.standard_normal((50, 7, 2))).astype(np.float32)
        given = torch.from_numpy(x)
        wanted = {
            "CrossEntropyLoss": torch.softmax(given, 1),
            "BCEWithLogitsLoss": torch.sigmoid(given),
        }
        for name, probability in wanted.items():
            found = READINGS[name].probability(x)
            assert found.dtype == np.float32
            np.testing.assert_allclose(found, probability.numpy(), rtol=2e-5, atol=1e-37)
        logs = torch.log_softmax(given, 1)
        np.testing.assert_allclose(READINGS["NLLLoss"].probability(logs.numpy()), logs.exp().numpy(), rtol=1e-5)
        assert np.array_equal(READINGS["CrossEntropyLoss"].prediction(x), given.argmax(1).numpy())
        sigmoid = torch.sigmoid(given)
        assert np.array_equal(READINGS["BCEWithLogitsLoss"].prediction(x), (sigmoid > 0.5).numpy())
        assert np.array_equal(READINGS["BCELoss"].prediction(sigmoid.numpy()), (sigmoid > 0.5).numpy())


@pytest.mark.parametrize(
    ("settings", "names"),
    [
        ([], ["prediction", "output"]),
        (["model.3.name=prediction"], ["prediction_prediction", "prediction"]),
        (
            ["loss=BCEWithLogitsLoss", "model.3={type: Linear, out_features: 1, name: logit}"],
            ["prediction", "logit"],
        ),
        (["loss=MSELoss", "model.3={type: Linear, out_features: 1, name: price}"], ["price"]),
    ],
)
def test_names(fit: Callable[..., Fitted], table: Path, settings: list[str], names: list[str]) -> None:
    other = ["data.targets=[c]", "loop.metrics=[]"] if settings and "loss" in settings[0] else []
    run = fit(TABLE, *settings, *other)
    assert [item.name for item in told(Trained(run.path).experiment(), Learned({}, {}))] == names


def test_probabilities_there_are_not(fit: Callable[..., Fitted], table: Path) -> None:
    text = TABLE.replace("CrossEntropyLoss", "MSELoss").replace("metrics: [accuracy]", "")
    trained = Trained(fit(text, "data.targets=[a, b]").path)
    with pytest.raises(ConfigError) as caught:
        predict(trained, table, Path("p.csv"), probabilities=True)
    assert str(caught.value) == (
        "error: no output stands for probabilities: CrossEntropyLoss, NLLLoss, BCEWithLogitsLoss or BCELoss read "
        "them as such, not MSELoss"
    )


def test_an_output_of_the_whole_batch(fit: Callable[..., Fitted], table: Path) -> None:
    text = TABLE.replace("metrics: [accuracy]", "").replace(
        "{type: Linear, out_features: 2}]",
        "{type: Linear, out_features: 2, name: each}, {type: Mean, dim: 0, name: all}]",
    )
    trained = Trained(fit(text.replace("CrossEntropyLoss", "{type: CrossEntropyLoss, inputs: [each, y]}")).path)
    with pytest.raises(ConfigError) as caught:
        predict(trained, table, Path("p.csv"))
    assert str(caught.value) == "error: the model's all is not one for each row: (2,) for two rows"


# Files that are wrong.


def refused(trained: Trained, source: bytes, name: str = "new.csv") -> str:
    """What is said of an input; no output may be left."""
    Path(name).write_bytes(source)
    with pytest.raises(DataError) as caught:
        predict(trained, Path(name), Path("p.csv"))
    assert not list(Path().glob("p.csv*"))
    return str(caught.value)


def test_a_table_that_is_wrong(fit: Callable[..., Fitted], table: Path) -> None:
    trained = Trained(fit(TABLE).path)
    assert refused(trained, b"b,n,a\n1,x,2\n3,y,four\n,z,5\n") == (
        "new.csv:3:5: error: column 'a': 'four' is not a number"
        "; the transforms Category, OneHot and ClassLabels take texts\n    3,y,four\n        ^\n"
        "new.csv:4:1: error: column 'b': missing value"
        "; the transform Impute fills in what the source lists under missing\n    ,z,5\n    ^"
    )
    assert refused(trained, b"A,c\n1,2\n") == ("error: new.csv: no column 'a'\nerror: new.csv: no column 'b'")
    assert refused(trained, b"a,b\n") == "new.csv:1:1: error: there are no rows below the header"
    assert refused(trained, b'a,b,c\n1,1,"two\nlines"\n"1e39",1,1\n') == (
        "new.csv:4:1: error: column 'a': 1e+39 is too large for float32; dtype: float64 can hold it\n"
        '    "1e39",1,1\n    ^'
    )
    with pytest.raises(DataError) as caught:
        predict(trained, io.BytesIO(b"a,b\n1,2\n1\n"), Path("p.csv"))
    assert str(caught.value) == "<stdin>:3:1: error: row has 1 cell, the header 2\n    1\n    ^"
    with pytest.raises(DataError) as caught:
        predict(trained, Path("none.csv"), Path("p.csv"))
    assert str(caught.value) == "error: none.csv: no such file"


def test_a_bad_cell_far_down_has_its_place(fit: Callable[..., Fitted], table: Path) -> None:
    """Beyond the first chunk; what was written before is gone with it."""
    trained = Trained(fit(TABLE).path)
    rows = "".join(f"{i},{i % 7}\n" for i in range(70_000))
    assert refused(trained, f"a,b\n{rows}1,?\n".encode()) == (
        "new.csv:70002:3: error: column 'b': '?' is not a number"
        "; the transforms Category, OneHot and ClassLabels take texts"
        ", and the source lists under missing what stands for a missing value\n    1,?\n      ^"
    )
    assert refused(trained, f"a,b\n{rows}1,1e300\n".encode()) == (
        "new.csv:70002:3: error: column 'b': 1e+300 is too large for float32; dtype: float64 can hold it\n"
        "    1,1e300\n      ^"
    )


def saved(**arrays: Any) -> bytes:
    file = io.BytesIO()
    np.savez(file, **arrays)
    return file.getvalue()


SQUARE = np.ones((3, 2))


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"PK", "new.npz: not arrays as np.savez writes them, or damaged: File is not a zip file"),
        (saved(X=SQUARE), "new.npz: the model reads 'x', which is not among the inputs; did you mean 'X'?"),
        (saved(x=np.ones((2, 3))), "new.npz: input 'x' has the shape (2, 3); expected (N, 2), rows first"),
        (saved(x=SQUARE.astype(str)), "new.npz: input 'x' holds <U32; expected numbers"),
        (
            saved(x=np.asfortranarray(SQUARE)),
            "new.npz: not arrays as np.savez writes them, or damaged: x: an array in Fortran order; save "
            "np.ascontiguousarray(array)",
        ),
        (
            saved(x=SQUARE * [[1, 1], [1, np.nan], [1, 1]]),
            "new.npz: input 'x': row 2 holds nan; expected finite numbers in the range of float32",
        ),
    ],
)
def test_arrays_that_are_wrong(fit: Callable[..., Fitted], table: Path, data: bytes, message: str) -> None:
    assert refused(Trained(fit(TABLE).path), data, "new.npz") == f"error: {message}"


def test_damage_is_found(fit: Callable[..., Fitted], table: Path) -> None:
    """A changed byte and a header that claims more or fewer rows than there are; objects are never unpickled."""
    trained = Trained(fit(TABLE).path)
    good = saved(x=SQUARE)
    at = good.index(SQUARE.tobytes())
    changed = good[: at + 20] + b"\x01" + good[at + 21 :]
    assert "damaged: x: Bad CRC-32 for file 'x.npy'" in refused(trained, changed, "new.npz")

    def claiming(rows: int) -> bytes:
        file = io.BytesIO()
        with zipfile.ZipFile(file, "w") as archive, archive.open("x.npy", "w") as member:
            np.lib.format.write_array_header_1_0(
                member, {"descr": "<f8", "fortran_order": False, "shape": (rows, 2)}
            )
            member.write(SQUARE.tobytes())
        return file.getvalue()

    assert "damaged: x: buffer is smaller than requested size" in refused(trained, claiming(4), "new.npz")
    assert "damaged: x: more bytes than its header says" in refused(trained, claiming(2), "new.npz")
    objects = io.BytesIO()
    np.savez(objects, x=np.array([[print, print]]))
    assert "damaged: x: it holds Python objects" in refused(trained, objects.getvalue(), "new.npz")


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        ({"x": SQUARE}, "the model reads 'left', which is not among the inputs; there is x"),
        ({"left": SQUARE, "right": np.ones(2)}, "the inputs have different numbers of rows: left 3, right 2"),
        ({"left": SQUARE, "right": SQUARE}, "input 'right' has the shape (3, 2); expected (N,), rows first"),
        (
            {"left": np.ones(2), "right": np.ones(2)},
            "input 'left' has the shape (2,); expected (N, 2), rows first; a single row is a batch of one: "
            "array[np.newaxis]",
        ),
        (
            {"left": np.float64(1), "right": np.ones(2)},
            "input 'left' has the shape (); expected (N, 2), rows first",
        ),
        ({"left": SQUARE, "right": [1, 2, 3.5]}, "input 'right': row 3 holds 3.5; expected integers of 64 bits"),
        (
            {"left": SQUARE, "right": [1, 2, 2**63]},
            "input 'right': row 3 holds 9.22337e+18; expected integers of 64 bits",
        ),
        (
            {"left": SQUARE * 1e39, "right": [1, 2, 3]},
            "input 'left': row 1 holds 1e+39; expected finite numbers in the range of float32",
        ),
        ({"left": SQUARE, "right": [None, 2, 3]}, "input 'right' holds object; expected numbers"),
    ],
)
def test_arrays_that_do_not_fit(fit: Callable[..., Fitted], table: Path, inputs: Arrays, message: str) -> None:
    experiment = Trained(
        fit(
            SEVERAL,
            "data.inputs.right={columns: b, dtype: int64}",
            "loss=[{type: CrossEntropyLoss, inputs: [heads.kind, n]}]",
        ).path
    ).experiment()
    with pytest.raises(DataError) as caught:
        fitting(inputs, experiment.inputs, Learned({}, {}), experiment.config.dtype)
    assert str(caught.value) == f"error: {message}"


def test_an_index_out_of_range_says_which_rows(folder: Path) -> None:
    for _ in train(load(FOLDER / "digits_towers.yaml", ["loop.epochs=1", "loop.batch_size=20"]), Path("r")):
        pass
    trained = Trained(Path("r"))
    digits = np.arange(50) % 10
    digits[45] = 10
    with pytest.raises(DataError, match=r"^error: rows 41 to 50: "):
        run_on(trained, {"image": np.zeros((50, 64), np.float32), "digit": digits})


@pytest.mark.parametrize("name", ["p.txt", "p", "folder", "/dev/null"])
def test_outputs_that_are_refused(fit: Callable[..., Fitted], table: Path, name: str) -> None:
    trained = Trained(fit(TABLE).path)
    Path("folder").mkdir()
    message = f"{name}: the ending says no format; end it in .csv, .jsonl, .npz, or give --format"
    with pytest.raises(ConfigError) as caught:
        predict(trained, table, Path(name))
    assert str(caught.value) == f"error: {message}"
    if not name.startswith("p"):
        with pytest.raises(ConfigError) as caught:
            predict(trained, table, Path(name), "csv")
        assert str(caught.value) == f"error: {name}: not a regular file; - writes to stdout"


# Memory.


class Endless(io.RawIOBase):
    """A table that is made while it is read: so many rows, none of them held."""

    def __init__(self, rows: int) -> None:
        self.left, self.block, self.rest = rows, b"".join(b"%d,%d\n" % (i, 2 * i) for i in range(1000)), b"a,b\n"

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while self.left and len(self.rest) < len(buffer):
            self.rest += self.block
            self.left -= 1000
        taken, self.rest = self.rest[: len(buffer)], self.rest[len(buffer) :]
        buffer[: len(taken)] = taken
        return len(taken)


class Counting(io.RawIOBase):
    """Counts lines, and holds none."""

    lines = 0

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self.lines += bytes(data).count(b"\n")
        return len(data)


def peak(trained: Trained, rows: int) -> int:
    """The most memory that is held while so many rows go through."""
    target = Counting()
    gc.collect()  # so that what other tests left decides nothing: neither when it is collected, nor what is
    tracemalloc.start()
    try:
        count = predict(trained, io.BufferedReader(Endless(rows)), target)  # type: ignore[arg-type] # it takes bytes
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
        assert (count, target.lines) == (rows, rows + 1)


def test_memory_does_not_grow_with_the_rows(
    fit: Callable[..., Fitted], table: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In chunks of 2,000 rows, so that ten thousand are as many as there ever are in memory."""
    monkeypatch.setattr(csv_stream, "BLOCK", 4000)
    trained = Trained(fit(TABLE, "loop.batch_size=1000").path)
    peak(trained, 1000)
    short, long = peak(trained, 10_000), peak(trained, 200_000)
    assert long < 1.05 * short


def test_a_last_batch_that_the_model_cannot_take(fit: Callable[..., Fitted], table: Path) -> None:
    """Whose normalisation is by the batch, and a single row has no statistics."""
    text = TABLE.replace("BatchNorm1d", "{type: BatchNorm1d, track_running_stats: false}")
    trained = Trained(fit(text, "loop.batch_size=4").path)
    Path("new.csv").write_text("a,b\n" + "1,2\n3,5\n" * 4 + "1,2\n", encoding="utf-8")
    with pytest.raises(DataError) as caught:
        predict(trained, Path("new.csv"), Path("p.csv"))
    assert str(caught.value) == (
        "error: rows 9 to 9: BatchNorm1d needs more than 1 value per channel, for the statistics of the batch, but "
        "its input is (1, 4) (from model[0])"
    )
    assert not Path("p.csv").exists()


def test_columns_named_by_a_pattern(fit: Callable[..., Fitted], table: Path) -> None:
    """Those of the file that was trained on, however the new one is written."""
    named, matched = fit(TABLE, "data.inputs={x: [a, b]}", to="named"), fit(TABLE, "data.inputs={x: ['*']}")
    Path("new.csv.gz").write_bytes(gzip.compress(b"d,b,a\n1,2,3\n4,5,6\n"))
    for run, to in ((named, Path("one.csv")), (matched, Path("two.csv"))):
        assert predict(Trained(run.path), Path("new.csv.gz"), to) == 2
    assert Path("one.csv").read_bytes() == Path("two.csv").read_bytes()
    table.unlink()  # it alone says what the pattern stands for
    assert predict(Trained(named.path), Path("new.csv.gz"), Path("one.csv")) == 2
    with pytest.raises(DataError, match=r"data\.source\.path: r/\.\./t\.csv: no such file"):
        predict(Trained(matched.path), Path("new.csv.gz"), Path("two.csv"))


def test_a_run_whose_batch_was_all_rows(fit: Callable[..., Fitted], table: Path) -> None:
    """Nobody counts them again: batches have 32 rows."""
    trained = Trained(fit(TABLE, "loop.batch_size=full").path)
    assert Predictor(trained).batch_size == 32
    Path("new.csv").write_text("a,b\n" + "1,2\n3,5\n" * 40, encoding="utf-8")
    assert predict(trained, Path("new.csv"), Path("p.csv")) == 80
    first, second, *others = Path("p.csv").read_text(encoding="utf-8").splitlines()[1:]
    assert [first, second] * 39 == others


def test_the_average_predicts(fit: Callable[..., Fitted], table: Path) -> None:
    run = fit(TABLE, "loop.ema=0.9")
    store = Predictor(Trained(run.path, "last")).store.state_dict()
    for name, array in run.arrays("last.npz", "ema/").items():
        np.testing.assert_array_equal(store[name], array)
