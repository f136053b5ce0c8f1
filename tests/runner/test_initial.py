"""`init`: a network starts from the weights of a file, by name."""

from __future__ import annotations

import json
import struct
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import declnet
from declnet.config.yaml import loads
from declnet.errors import CheckpointError, ConfigError, DeclnetError
from declnet.runner import resumption, weights
from declnet.runner.events import Event, Finished, Started
from declnet.runner.experiment import load
from declnet.runner.train import resume, train
from runner.runs import continued, same, started

if TYPE_CHECKING:
    from conftest import Command

safetensors = pytest.importorskip("safetensors.numpy", reason="needs safetensors")

NET = """\
name: net
data: {source: {type: Digits}, split: {train: 0.2, val: 0.1, test: 0.05}}
model:
  - type: Sequential
    name: trunk
    layers: [{type: Linear, out_features: 12}, BatchNorm1d, ReLU]
  - {type: Linear, name: head, out_features: 10}
loss: CrossEntropyLoss
optimizer: {type: Adam, lr: 0.01}
loop: {epochs: 2, metrics: [accuracy]}
"""
TUNED = NET.replace("name: trunk", "name: trunk\n    freeze: true").replace("name: net", "name: tuned")
START = "init={from: old.npz}"

State = dict[str, Any]


def trained(text: str, *overrides: str, to: str = "r") -> tuple[list[Event], Path]:
    Path("c.yaml").write_text(text, encoding="utf-8")
    return list(train(load("c.yaml", overrides), Path(to))), Path(to)


def state(path: str, part: str = "model/") -> State:
    with np.load(path, allow_pickle=False) as archive:
        return {name.removeprefix(part): archive[name] for name in archive.files if name.startswith(part)}


def own() -> State:
    """A state that fits NET, in numbers that float16 and bfloat16 have exactly."""
    rng = np.random.default_rng(1)
    return {
        "trunk.0.weight": (2 * rng.integers(-8, 8, (12, 64)) + 1) / np.float32(32),
        "trunk.0.bias": np.full(12, 0.25, np.float32),
        "trunk.1.weight": np.ones(12, np.float32),
        "trunk.1.bias": np.full(12, -0.5, np.float32),
        "trunk.1.running_mean": rng.integers(-8, 8, 12) / np.float32(16),
        "trunk.1.running_var": np.full(12, 2, np.float32),
        "trunk.1.num_batches_tracked": np.array(7),
        "head.weight": (2 * rng.integers(-8, 8, (10, 12)) + 1) / np.float32(32),
        "head.bias": (2 * rng.integers(-8, 8, 10) + 1) / np.float32(32),
    }


def begun(*overrides: str, to: str = "b") -> State:
    """What NET starts with: a run whose steps change nothing but what BatchNorm counts."""
    still = ("optimizer={type: SGD, lr: 1e-30}", "loop.max_steps=1", "loop.metrics=[]")
    trained(NET, *still, *overrides, to=to)
    found = state(f"{to}/checkpoints/last.npz")
    return {name: found[name] for name in found if "running" not in name and "tracked" not in name}


def refused(*overrides: str, text: str = NET) -> DeclnetError:
    Path("c.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(DeclnetError) as caught:
        load("c.yaml", overrides)
    return caught.value


def fails(*overrides: str) -> str:
    """What training says that is refused with the file's contents, which validation does not read."""
    Path("c.yaml").write_text(NET, encoding="utf-8")
    experiment = load("c.yaml", overrides)
    with pytest.raises(CheckpointError) as caught:
        list(train(experiment, Path("never")))
    assert caught.value.exit_code == 6
    assert not Path("never").exists()
    return str(caught.value)


# The forms.


def test_fine_tuning(folder: Path) -> None:
    """Pretrain on the ten digits; then the trunk stays as it is and a new head learns."""
    trained(NET, to="old")
    five = ("model.head.out_features=12", "seed=4", "init={from: old, skip: [head.*]}")
    events, run = trained(TUNED, *five)
    best, after = state("old/checkpoints/best.npz"), state("r/checkpoints/last.npz")
    frozen = [name for name in best if name.startswith("trunk") and name.endswith(("weight", "bias"))]
    assert len(frozen) == 4
    for name in frozen:
        np.testing.assert_array_equal(after[name], best[name])
    assert after["head.weight"].shape == (12, 12)
    first, last = events[0], events[-1]
    assert isinstance(first, Started)
    assert isinstance(last, Finished)
    assert first.taken is not None
    assert first.taken.file == "old/checkpoints/best.npz"
    expected = {
        "parameters": [4, 6],
        "buffers": [3, 3],
        "drawn": ["head.weight", "head.bias"],
        "unused": ["head.weight", "head.bias"],
    }
    assert first.taken.plain == last.summary["init"] == expected
    assert json.loads((run / "summary.json").read_text("utf-8"))["init"] == expected
    written = loads((run / "config.yaml").read_text("utf-8"), "f").data
    assert written["init"] == {"from": "../old", "skip": ("head.*",)}


def test_a_run_s_checkpoints(folder: Path) -> None:
    trained(NET, to="old")
    best = state("old/checkpoints/best.npz")
    for number, path in enumerate(("old", "old/checkpoints/best.npz")):
        found = begun(f"init.from={path}", to=f"b{number}")
        for name, array in found.items():
            np.testing.assert_array_equal(array, best[name], err_msg=name)


def test_the_average_is_what_is_taken(folder: Path) -> None:
    trained(NET, "loop.ema=0.9", to="old")
    last, average = state("old/checkpoints/last.npz"), state("old/checkpoints/last.npz", "ema/")
    assert not np.array_equal(last["head.weight"], average["head.weight"])
    found = begun("init.from=old/checkpoints/last.npz")
    np.testing.assert_array_equal(found["head.weight"], average["head.weight"])


def stored(form: str) -> Path:
    values = own()
    path = Path(f"w.{'safetensors' if form == 'safetensors' else 'npz'}")
    if form == "safetensors":
        safetensors.save_file(values, path)
    else:
        {"npz": np.savez, "compressed": np.savez_compressed}[form](path, allow_pickle=False, **values)
    return path


@pytest.mark.parametrize("form", ["npz", "compressed", "safetensors"])
def test_arrays_by_their_names(folder: Path, form: str) -> None:
    path = stored(form)
    path.rename("no-ending")  # what it is shows in it, not in its name
    found, given = begun("init.from=no-ending"), own()
    assert len(found) == 6
    for name, array in found.items():
        np.testing.assert_array_equal(array, given[name], err_msg=name)


def test_buffers_too(folder: Path) -> None:
    np.savez("old.npz", **own())
    trained(NET, START, "optimizer={type: SGD, lr: 1e-30}", "loop.max_steps=1")
    assert state("r/checkpoints/last.npz")["trunk.1.num_batches_tracked"] == 8


@pytest.mark.parametrize("dtype", ["float16", "float64", ">f4"])
@pytest.mark.parametrize("order", "CF")
def test_other_floats_are_cast(folder: Path, dtype: str, order: Any) -> None:
    given = own()
    np.savez("old.npz", **{k: np.asarray(v.astype(dtype), order=order) for k, v in given.items() if v.ndim})
    for name, array in begun(START).items():
        assert array.dtype == np.float32
        np.testing.assert_array_equal(array, given[name])


def brain(values: Any) -> bytes:
    """Numbers that bfloat16 has exactly, in its bytes."""
    bits = np.ascontiguousarray(values, np.float32).view(np.uint32)
    assert not (bits & 0xFFFF).any()
    return (bits >> 16).astype("<u2").tobytes()


def test_bfloat16(folder: Path) -> None:
    given = {name: array for name, array in own().items() if array.ndim}
    parts = {name: {"dtype": "bfloat16", "shape": a.shape, "data": brain(a)} for name, a in given.items()}
    Path("w.safetensors").write_bytes(serialized(parts))
    for name, array in begun("init.from=w.safetensors").items():
        np.testing.assert_array_equal(array, given[name], err_msg=name)


def serialized(parts: dict[str, dict[str, Any]]) -> bytes:
    """A .safetensors file by hand: the format has eight bytes of length, a JSON header, and the data."""
    header, data = {}, b""
    for name, part in parts.items():
        ends = [len(data), len(data) + len(part["data"])]
        dtype = {"bfloat16": "BF16"}.get(part["dtype"], part["dtype"])
        header[name] = {"dtype": dtype, "shape": [*part["shape"]], "data_offsets": ends}
        data += part["data"]
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + data


@pytest.mark.torch
def test_a_model_of_pytorch(folder: Path) -> None:
    """Saved as its users save it, it gives the same numbers here."""
    torch = pytest.importorskip("torch", reason="needs PyTorch")
    from safetensors.torch import save_file

    torch.manual_seed(0)
    model = torch.nn.Sequential(
        torch.nn.Conv2d(1, 4, 3, padding=1),
        torch.nn.BatchNorm2d(4),
        torch.nn.GELU(),
        torch.nn.Flatten(),
        torch.nn.Linear(256, 10),
    )
    with torch.no_grad():
        for _ in range(3):
            model(torch.rand(16, 1, 8, 8))
    save_file(model.state_dict(), "w.safetensors")
    text = """\
name: net
data: {source: {type: Digits, flatten: false}, split: {train: 0.1, val: 0.1, test: 0.1}}
model:
  - {type: Conv2d, out_channels: 4, kernel_size: 3, padding: 1}
  - BatchNorm2d
  - GELU
  - Flatten
  - {type: Linear, out_features: 10}
init: {from: w.safetensors}
loss: CrossEntropyLoss
optimizer: {type: SGD, lr: 1e-30}
loop: {max_steps: 1}
"""
    events, _ = trained(text)
    assert isinstance(events[0], Started)
    taken = events[0].taken
    assert taken is not None
    assert (taken.parameters, taken.buffers, taken.drawn, taken.unused) == ((6, 6), (3, 3), (), ())
    x = np.random.default_rng(0).random((5, 1, 8, 8), np.float32)
    run = declnet.load("r", checkpoint="last")
    # One step has moved the running statistics: as far in PyTorch.
    for name in ("1.running_mean", "1.running_var"):
        model.state_dict()[name].copy_(torch.from_numpy(run.parameters[name]))
    expected = model.eval()(torch.from_numpy(x)).detach().numpy()
    np.testing.assert_allclose(run.predict(x), expected, rtol=1e-4, atol=1e-5)


def test_from_python(table: Path) -> None:
    config = {
        "data": {"source": {"type": "CSV", "path": "t.csv"}, "inputs": ["a"], "targets": ["b"]},
        "model": [{"type": "Linear", "out_features": 1}],
        "loss": "MSELoss",
        "optimizer": {"type": "SGD", "lr": 1e-4},
        "loop": {"epochs": 1},
    }
    first = declnet.train(config)
    seen: list[declnet.Event] = []
    second = declnet.train(config | {"init": {"from": first.path}}, on_event=seen.append)
    assert isinstance(seen[0], declnet.Started)
    assert second.summary is not None
    assert second.summary["init"] == {"parameters": [2, 2], "buffers": [0, 0], "drawn": [], "unused": []}


# On the screen.


def test_the_commands_say_what_matched(command: Command) -> None:
    (command.cwd / "c.yaml").write_text(NET, encoding="utf-8")
    np.savez(command.cwd / "old.npz", **{k: v for k, v in own().items() if "1" not in k}, extra=np.ones(3))
    checked = command("validate", "c.yaml", START)
    lines = [
        "init: by name 4 of 6 parameters and 0 of 3 buffers from old.npz",
        "init: start as drawn: trunk.1.weight, trunk.1.bias, trunk.1.running_mean, trunk.1.running_var and "
        "trunk.1.num_batches_tracked",
        "init: not used of the file: extra",
    ]
    assert checked.rc == 0
    assert [line for line in checked.stdout.splitlines() if line.startswith("init")] == lines
    result = command("train", "c.yaml", START)
    assert result.rc == 0
    assert result.stderr.splitlines()[1:4] == lines
    (report,) = json.loads(command("validate", "c.yaml", START, "--json").stdout)
    assert report["init"]["unused"] == ["extra"]


def test_validate_reads_no_weight(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given = own()
    np.savez("old.npz", **given | {"head.bias": np.full(10, np.nan, np.float32)})
    Path("c.yaml").write_text(NET, encoding="utf-8")

    def never(*_: object) -> None:
        raise AssertionError("the arrays are not read")

    with monkeypatch.context() as patched:
        patched.setattr(weights.Weights, "read", never)
        assert load("c.yaml", [START]).taken is not None
    assert fails(START) == (
        "<override>:1:13: error: init.from: head.bias of old.npz holds nan, which is not a finite number\n"
        "    init={from: old.npz}\n                ^"
    ).replace("<override>", "<command line>")


def test_a_config_without_it_imports_nothing_of_it(command: Command) -> None:
    (command.cwd / "c.yaml").write_text(NET, encoding="utf-8")
    (result,) = command.each("validate c.yaml")
    assert result.rc == 0
    assert not {"declnet.runner.initial", "declnet.runner.weights", "safetensors"} & set(result.modules)


# Going on, and using the run.


@pytest.mark.usefixtures("resumable")
def test_a_run_goes_on_without_the_file() -> None:
    Path("c.yaml").write_text(NET, encoding="utf-8")
    np.savez("old.npz", **own())
    started(START, to="whole")
    started(START, to="r", stop=(2, 3))
    Path("old.npz").unlink()
    continued()
    same("whole", "r")
    assert declnet.load("r").evaluate().keys() == {"loss", "accuracy"}


@pytest.mark.usefixtures("resumable")
def test_a_run_that_never_saved_starts_again() -> None:
    Path("c.yaml").write_text(NET, encoding="utf-8")
    np.savez("old.npz", **own())
    started(START, to="whole")
    started(START, to="r", stop=(1, 2))
    for path in Path("r/checkpoints").iterdir():
        path.unlink()
    continued()
    same("whole", "r")
    for path in (*Path("r/checkpoints").iterdir(), Path("r/summary.json")):
        path.unlink()
    Path("old.npz").unlink()
    with pytest.raises(
        CheckpointError, match=r"^r/config\.yaml:\d+:\d+: error: init\.from: .*old\.npz: no such file"
    ):
        list(resume(resumption.load(Path("r")), Path("r")))


@pytest.mark.usefixtures("resumable")
def test_another_start_is_another_run() -> None:
    Path("c.yaml").write_text(NET, encoding="utf-8")
    np.savez("old.npz", **own())
    started(START, "loop.epochs=1")
    with pytest.raises(ConfigError, match=r"init\.from: .*old\.npz.* in r/config\.yaml, .*new\.npz.* here"):
        resumption.load(Path("r"), ["init.from=new.npz"])


# What does not fit.


def texts(error: DeclnetError) -> list[str]:
    return [item.text for item in error.diagnostics]


def test_shapes_that_differ(folder: Path) -> None:
    np.savez("old.npz", **own())
    error = refused(START, "model.head.out_features=3")
    assert error.exit_code == 2
    assert texts(error) == [
        f"init.from: head.{name} is {theirs} in old.npz and {ours} in the model; to start it as drawn, name it in "
        f"skip: [head.{name}]"
        for name, theirs, ours in (("weight", (10, 12), (3, 12)), ("bias", (10,), (3,)))
    ]
    Path("c.yaml").write_text(NET, encoding="utf-8")
    skipping = ["init={from: old.npz, skip: ['head.*']}", "model.head.out_features=3"]
    assert load("c.yaml", skipping).taken is not None


def test_nothing_that_fits(folder: Path) -> None:
    given = own()
    np.savez("old.npz", **{name.removeprefix("trunk."): given[name] for name in ("trunk.0.weight", "trunk.0.bias")})
    assert texts(refused(START)) == [
        "init.from: no name in old.npz is one of the model's: it has 0.weight and 0.bias, the model "
        "trunk.0.weight, trunk.0.bias, trunk.1.weight, trunk.1.bias, head.weight, head.bias, trunk.1.running_mean, "
        "trunk.1.running_var and 1 more; '0.weight' is nearest to 'trunk.0.weight' of the model"
    ]
    np.savez("old.npz", **{"heed.bias": given["head.bias"]})
    assert texts(refused(START))[0].endswith("; 'heed.bias' is nearest to 'head.bias' of the model")
    assert texts(refused("init={from: old.npz, skip: ['*']}")) == [
        "init.from: skip leaves nothing of old.npz to start from"
    ]


def test_patterns_that_match_nothing(folder: Path) -> None:
    np.savez("old.npz", **own())
    error = refused("init={from: old.npz, skip: ['head.*', 'heed.bias', '*.bios']}", "optimizer.lr=-1")
    assert error.exit_code == 2
    assert texts(error) == [
        "init.skip[1]: old.npz has nothing called 'heed.bias'; did you mean 'head.bias'?",
        "init.skip[2]: old.npz has nothing called '*.bios'; did you mean '*.bias'?",
        "optimizer.lr: must be at least 0, got -1",
    ]


def test_kinds_that_differ(folder: Path) -> None:
    given = own()
    wrong = {
        "head.bias": np.arange(10),
        "trunk.1.num_batches_tracked": np.array(7.0),
        "trunk.0.bias": np.array(["a"] * 12),
        "trunk.1.bias": np.zeros(12, complex),
    }
    np.savez("old.npz", **given | wrong)
    found = {text.split(" ")[1]: text for text in texts(refused(START))}
    assert found["head.bias"].endswith("head.bias is int64 in old.npz and float in the model")
    assert found["trunk.1.num_batches_tracked"].endswith("is float64 in old.npz and int in the model")
    assert "trunk.0.bias of old.npz holds text" in found["trunk.0.bias"]
    assert "trunk.1.bias of old.npz holds complex numbers" in found["trunk.1.bias"]


def test_numbers_that_do_not_fit(folder: Path) -> None:
    np.savez("old.npz", **own() | {"head.bias": np.full(10, 1e300)})
    assert "head.bias of old.npz holds 1e+300, which is too large for float32" in fails(START)
    np.savez("old.npz", **own() | {"head.bias": np.full(10, -np.inf, np.float16)})
    assert "head.bias of old.npz holds -inf, which is not a finite number" in fails(START)
    np.savez("old.npz", **own() | {"trunk.1.num_batches_tracked": np.array(2**63, np.uint64)})
    assert "num_batches_tracked of old.npz holds an integer that is too large for int64" in fails(START)


def test_keys_of_init(folder: Path) -> None:
    assert texts(refused("init={}"))[0].startswith("init: init needs 'from': a run's directory, a checkpoint")
    assert texts(refused("init={form: x}")) == ["init.form: unknown key 'form'; did you mean 'from'?"]
    assert texts(refused("init=old.npz")) == ["init: expected a mapping, got 'old.npz'"]


def test_other_mistakes_are_told_with_it(folder: Path) -> None:
    np.savez("old.npz", **own())
    error = refused(
        "init.from=nowhere", "data.source={type: CSV, path: nowhere.csv}", "data.inputs=[a]", "data.targets=[b]"
    )
    assert error.exit_code == 3
    assert texts(error) == ["init.from: nowhere: no such file", "data.source.path: nowhere.csv: no such file"]


# Files that are none.


def pickled(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("archive/data.pkl", b"\x80\x02}q\x00.")


def objects(path: Path) -> None:
    np.savez(path, **{"head.bias": np.array([{}] * 10, dtype=object)})


def bomb(path: Path) -> None:
    np.savez_compressed(path, **{"head.bias": np.zeros(10, np.float32)})
    text = path.read_bytes()
    (size,) = struct.unpack("<L", text[(at := text.index(b"PK\x01\x02")) + 24 : at + 28])
    path.write_bytes(text[: at + 24] + struct.pack("<L", size + (1 << 30)) + text[at + 28 :])


def newer(path: Path) -> None:
    np.savez(path, **{"model/head.bias": np.zeros(10, np.float32), "meta": np.array('{"format": 99}')})


def no_meta(path: Path) -> None:
    np.savez(path, **{"model/head.bias": np.zeros(10, np.float32), "meta": np.zeros(3)})


def deep(path: Path) -> None:
    np.savez(path, **{"model/head.bias": np.zeros(10, np.float32), "meta": np.array("[" * 100_000)})


def bytes_of(data: bytes) -> Callable[[Path], object]:
    return lambda path: path.write_bytes(data)


FILES: dict[str, tuple[Callable[[Path], object], str]] = {
    "torch": (
        pickled,
        "a pickle, as torch.save writes it, can execute code and is not read; save it with safetensors",
    ),
    "pickle": (bytes_of(b"\x80\x04]."), "a pickle, as torch.save writes it"),
    "text": (
        bytes_of(b"weights"),
        "not a file of weights: that is a run's checkpoint, an .npz or a .safetensors file",
    ),
    "nothing": (bytes_of(b""), "not a file of weights"),
    "no zip": (bytes_of(b"PK\x03\x04" + bytes(100)), "is not an .npz file, or damaged: File is not a zip file"),
    "empty": (np.savez, "not a file of weights"),
    "objects": (objects, "head.bias of old.npz holds Python objects, which are not read"),
    "bomb": (bomb, "is said to unpack to"),
    "newer": (newer, "written by a newer declnet (format 99, this one reads up to 1); upgrade"),
    "no meta": (no_meta, "not a checkpoint of declnet, or damaged: its meta is no text"),
    "deep": (deep, "not a checkpoint of declnet, or damaged: maximum recursion depth exceeded"),
    "no header": (bytes_of(struct.pack("<Q", 2) + b"{]"), "is not a .safetensors file, or damaged"),
    "long header": (bytes_of(struct.pack("<Q", 1 << 60) + b"{}"), "is not a .safetensors file, or damaged"),
    "beyond the end": (
        bytes_of(serialized({"head.bias": {"dtype": "F32", "shape": [1 << 40], "data": b"1234"}})),
        "is not a .safetensors file, or damaged",
    ),
    "no tensors": (bytes_of(serialized({})), "old.npz: holds no arrays"),
}


@pytest.mark.parametrize("name", FILES)
def test_files_that_are_none(folder: Path, name: str) -> None:
    make, message = FILES[name]
    make(Path("old.npz"))
    error = refused(START)
    (item,) = error.diagnostics
    assert message in item.text
    assert item.text.startswith("init.from: ")
    assert item.mark is not None
    assert error.exit_code == (2 if name == "objects" else 6)


def test_names_that_a_terminal_would_act_on(command: Command) -> None:
    (command.cwd / "c.yaml").write_text(NET, encoding="utf-8")
    safetensors.save_file(own() | {"\x1b[31mred": np.ones(1)}, command.cwd / "old.npz")
    result = command("validate", "c.yaml", START)  # which looks for control codes
    assert result.rc == 0
    assert "init: not used of the file: \ufffd[31mred" in result.stdout.splitlines()


def test_a_name_that_is_too_long(folder: Path) -> None:
    error = refused(f"init.from={'x' * 300}")
    assert error.exit_code == 5
    assert "File name too long" in str(error)


def test_places_without_a_file(folder: Path) -> None:
    Path("there").mkdir()
    assert texts(refused("init.from=there")) == [
        "init.from: there: not a run's directory with a best checkpoint, checkpoints/best.npz"
    ]
    error = refused("init.from=nowhere.npz")
    assert (error.exit_code, texts(error)) == (6, ["init.from: nowhere.npz: no such file"])


@pytest.mark.parametrize("form", ["npz", "compressed", "safetensors"])
def test_files_cut_short(folder: Path, form: str) -> None:
    path = stored(form)
    whole = path.read_bytes()
    for share in range(1, 20):
        path.write_bytes(whole[: len(whole) * share // 20])
        error = refused(f"init.from={path}")
        assert error.exit_code == 6, share


@pytest.mark.parametrize("form", ["npz", "compressed"])
def test_bytes_that_changed(folder: Path, form: str) -> None:
    """Anywhere in the file: it is refused, or the names and numbers are what they were."""
    path, given = stored(form), own()
    whole = path.read_bytes()
    rng = np.random.default_rng(0)
    Path("c.yaml").write_text(NET, encoding="utf-8")
    refusals = 0
    for at in rng.integers(0, len(whole), 60):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 0x55]) + whole[at + 1 :])
        try:
            found = weights.look(path)
            arrays = found.read(found.entries)
        except CheckpointError:
            refusals += 1
        else:
            assert all(np.array_equal(array, given[name]) for name, array in arrays.items() if name in given)
    assert refusals > 30


def test_without_the_package(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = stored("safetensors")
    monkeypatch.setitem(sys.modules, "safetensors", None)
    error = refused(f"init.from={path}")
    assert error.exit_code == 2
    assert texts(error) == ["init.from: a .safetensors file needs safetensors: pip install 'declnet[safetensors]'"]
