"""The Python API: `declnet.train`, `declnet.load`, and every block of docs/api.md."""

from __future__ import annotations

import inspect
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import declnet
from declnet import api
from declnet.config.yaml import loads

if TYPE_CHECKING:
    from conftest import Command

PAGE = (Path(__file__).parents[2] / "docs" / "api.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^<!-- run -->\n```python\n(.*?)^```$", PAGE, re.M | re.S)

CONFIG: dict[str, Any] = {
    "data": {
        "source": {"type": "CSV", "path": Path("t.csv")},
        "inputs": ["a", "b"],
        "targets": {"y": {"columns": "c", "dtype": "int64"}},
    },
    "model": [{"type": "Linear", "out_features": np.int64(4)}, "Tanh", {"type": "Linear", "out_features": 2}],
    "loss": "CrossEntropyLoss",
    "optimizer": {"type": "Adam", "lr": np.float64(0.05)},
    "loop": {"epochs": 3, "batch_size": 8, "metrics": ("accuracy",)},
}


# The page.


def test_the_page_is_run(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """All its blocks in one program, as a reader would type them; what the last prints is shown below it."""
    assert len(BLOCKS) == PAGE.count("```python")
    names: dict[str, Any] = {}
    for block in BLOCKS[:-1]:
        exec(compile(block, "docs/api.md", "exec"), names)  # noqa: S102 - the page is ours
    shown = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in shown[:3]] == ["1", "2", "3"]
    assert shown[3] == "runs/digits-1"
    run = names["run"]
    assert shown[-2] == str(run.evaluate()) == str(run.summary["test"])
    assert shown[-1] == str(run.summary["val"]["loss"])
    assert names["scores"].shape == (5, 10)
    np.testing.assert_allclose(names["chances"].sum(axis=1), 1, rtol=1e-6)
    exec(compile(BLOCKS[-1], "docs/api.md", "exec"), names)  # noqa: S102 - the page is ours
    assert capsys.readouterr().out == re.findall(r"^```text\n(.*?)^```$", PAGE, re.M | re.S)[0]


def test_the_page_s_commands(command: Command) -> None:
    lines = re.findall(r"^<!-- commands -->\n```sh\n(.*?)^```$", PAGE, re.M | re.S)[0].splitlines()
    (command.cwd / "c.py").write_text(BLOCKS[0], encoding="utf-8")
    assert command.run([sys.executable, "c.py"]).rc == 0
    np.savez(command.cwd / "new.npz", x=np.zeros((3, 64)))
    for line in lines:
        result = command(*line.split()[1:])
        assert (result.rc, result.stderr) == (0, "")


def test_the_page_has_every_error_with_its_exit_code() -> None:
    found = {name: int(code) for name, code in re.findall(r"`(\w+)` \((\d+)\)", PAGE)}
    classes = {
        name: cls
        for name in declnet.__all__
        if isinstance(cls := getattr(declnet, name), type) and issubclass(cls, declnet.DeclnetError)
    }
    assert found == {name: cls.exit_code for name, cls in classes.items() if cls is not declnet.DeclnetError}


# What there is.


def test_what_declnet_hands_on() -> None:
    assert sorted(declnet.__all__) == sorted(api.__all__)
    for name in declnet.__all__:
        assert getattr(declnet, name) is getattr(api, name)
    with pytest.raises(AttributeError, match="module 'declnet' has no attribute 'nothing'"):
        _ = declnet.nothing


def test_everything_is_documented_and_typed() -> None:
    run = [item for name, item in vars(api.Run).items() if not name.startswith("_")]
    functions = [item.fget if isinstance(item, property) else item for item in run]
    for item in (api.train, api.load, *functions):
        assert inspect.getdoc(item)
        assert inspect.signature(item).return_annotation is not inspect.Signature.empty


def test_importing_declnet_imports_nothing_heavy() -> None:
    code = "import sys, declnet; print(sorted({'numpy', 'pydantic', 'yaml', 'declnet.api'} & set(sys.modules)))"
    env = os.environ | {"PYTHONPATH": str(Path(declnet.__file__).parents[1])}
    done = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


# Training.


def test_a_mapping_trains_as_the_file_it_would_be(
    table: Path, fit: Callable[..., Any], capsys: pytest.CaptureFixture[str]
) -> None:
    events: list[declnet.Event] = []
    run = declnet.train(CONFIG, "loop.epochs=2", run_dir="new", on_event=events.append)
    assert capsys.readouterr() == ("", "")
    assert run.path == Path("new")
    assert [type(event).__name__ for event in events if not isinstance(event, declnet.Stepped)] == [
        "Started",
        "EpochEnded",
        "EpochEnded",
        "Finished",
    ]
    finished = events[-1]
    assert isinstance(finished, declnet.Finished)
    assert run.summary == finished.summary
    text = """\
name: config
data: {source: {type: CSV, path: t.csv}, inputs: [a, b], targets: {y: {columns: c, dtype: int64}}}
model: [{type: Linear, out_features: 4}, Tanh, {type: Linear, out_features: 2}]
loss: CrossEntropyLoss
optimizer: {type: Adam, lr: 0.05}
loop: {epochs: 2, batch_size: 8, metrics: [accuracy]}
"""
    file = fit(text)
    for name in ("best.npz", "last.npz"):
        assert (run.path / "checkpoints" / name).read_bytes() == (file.path / "checkpoints" / name).read_bytes()


def test_runs_are_numbered(table: Path) -> None:
    assert declnet.train(CONFIG | {"name": "x"}).path == Path("runs/x-1")
    Path("c.yaml").write_text((Path("runs/x-1") / "config.yaml").read_text("utf-8").replace("../../", ""), "utf-8")
    assert declnet.train("c.yaml").path == Path("runs/x-2")
    assert declnet.train(Path("c.yaml")).path == Path("runs/x-3")


def test_a_mapping_may_extend_a_file(table: Path) -> None:
    declnet.train(CONFIG, run_dir="r")
    Path("base.yaml").write_text((Path("r") / "config.yaml").read_text("utf-8").replace("../", ""), "utf-8")
    run = declnet.train({"extends": "base.yaml", "loop": {"epochs": 1}}, run_dir="s")
    assert run.summary is not None
    assert run.summary["epochs"] == 1


def test_warnings_of_a_config(table: Path) -> None:
    model = [*CONFIG["model"], {"type": "Softmax", "dim": 1}]
    with pytest.warns(UserWarning, match=r"^<config>:\d+:\d+: warning: model\[3\]"):
        declnet.train(CONFIG | {"model": model}, "loop.epochs=1")


def test_all_mistakes_of_a_mapping_at_once(table: Path) -> None:
    wrong = CONFIG | {"optimizer": {"type": "Adam", "lr": "fast"}, "sed": 1}
    with pytest.raises(declnet.ConfigError) as caught:
        declnet.train(wrong)
    assert [(item.mark.file, item.path, item.message) for item in caught.value.diagnostics if item.mark] == [
        ("<config>", ("optimizer", "lr"), "expected a number, got 'fast'"),
        ("<config>", ("sed",), "unknown key 'sed'; did you mean 'seed'?"),
    ]
    assert not Path("runs").exists()


def test_values_that_no_file_can_hold(table: Path) -> None:
    wrong: dict[Any, Any] = CONFIG | {
        "seed": 10**20,
        "loss": print,
        "loop": {"epochs": {1, 2}, 3: 4},
        "vars": {"deep": [b"bytes"]},
    }
    with pytest.raises(declnet.ConfigError) as caught:
        declnet.train(wrong)
    assert [(item.path, item.message) for item in caught.value.diagnostics] == [
        (("loss",), "a config cannot hold a value of type builtin_function_or_method"),
        (("loop", "3"), "a key is a string, not 3"),
        (("loop", "epochs"), "a config cannot hold a value of type set"),
        (("seed",), "a config cannot hold an integer of more than 19 digits"),
        (("vars", "deep", 0), "a config cannot hold a value of type bytes"),
    ]
    places = [item.mark for item in caught.value.diagnostics]
    assert all(place is not None and place.file == "<config>" for place in places)
    spots = [place.source[place.column - 1 :] for place in places if place is not None]
    assert spots == ["<builtin_function_or_method>", "4", "<set>", "<int>", "<bytes>]"]


def test_what_stops_a_run_comes_through(table: Path) -> None:
    with pytest.raises(declnet.NonFiniteError):
        declnet.train(
            CONFIG | {"loss": "MSELoss"},
            "data.targets=[a, b]",
            "loop.metrics=[]",
            "optimizer={type: SGD, lr: 1e30}",
        )

    def stop(event: declnet.Event) -> None:
        if isinstance(event, declnet.EpochEnded):
            raise KeyError(event.record["epoch"])

    with pytest.raises(KeyError, match=r"^1$"):
        declnet.train(CONFIG, on_event=stop)


def test_a_run_goes_on(table: Path) -> None:
    """Stopped by whoever watches it, and continued, it ends with the bits of one that was never stopped."""

    def stop(event: declnet.Event) -> None:
        if isinstance(event, declnet.EpochEnded) and event.record["epoch"] == 2:
            raise KeyError

    whole = declnet.train(CONFIG, "loop.checkpoint_every=1", run_dir="whole")
    with pytest.raises(KeyError):
        declnet.train(CONFIG, "loop.checkpoint_every=1", run_dir="r", on_event=stop)
    events: list[declnet.Event] = []
    run = declnet.resume("r", on_event=events.append)
    assert isinstance(events[0], declnet.Started)
    assert events[0].done in ((1, 0), (2, 0))
    assert {k: v.tobytes() for k, v in run.parameters.items()} == {
        k: v.tobytes() for k, v in whole.parameters.items()
    }
    assert run.summary is not None
    assert whole.summary is not None
    assert run.summary["test"] == whole.summary["test"]
    longer = declnet.resume("r", "loop.epochs=4")
    assert longer.summary is not None
    assert longer.summary["epochs"] == 4
    with pytest.raises(declnet.ConfigError, match=re.escape("a run goes on with the config it began with")):
        declnet.resume("r", "optimizer.lr=1")
    with pytest.raises(declnet.ConfigError, match="nowhere is not the directory of a run"):
        declnet.resume("nowhere")


def test_a_cross_validation_goes_on(table: Path) -> None:
    def stop(event: declnet.Event) -> None:
        if isinstance(event, declnet.FoldEnded) and event.fold == 2:
            raise KeyError

    settings = ("loop.folds=3", "loop.epochs=1", "data.split={val: 0}")
    with pytest.raises(KeyError):
        declnet.train(CONFIG, *settings, run_dir="f", on_event=stop)
    found = declnet.resume("f")
    whole = declnet.train(CONFIG, *settings, run_dir="whole")
    assert isinstance(found, declnet.CrossValidation)
    assert found.summary is not None
    assert whole.summary is not None
    assert found.summary["mean"] == whole.summary["mean"]


# Runs.


def test_a_run(table: Path) -> None:
    trained = declnet.train(CONFIG, run_dir="r")
    run = declnet.load("r")
    assert repr(run) == "<declnet.Run 'r', checkpoint 'best'>"
    written = loads((Path("r") / "config.yaml").read_text(encoding="utf-8"), "f").data

    def listed(value: Any) -> Any:
        """Lists as tuples."""
        if isinstance(value, dict):
            return {key: listed(item) for key, item in value.items()}
        return tuple(map(listed, value)) if isinstance(value, list) else value

    assert listed(run.config) == written
    with np.load("r/checkpoints/best.npz", allow_pickle=False) as file:
        saved = {name.removeprefix("model/"): file[name] for name in file.files if name != "meta"}
    assert run.parameters.keys() == saved.keys()
    assert all(np.array_equal(array, saved[name]) for name, array in run.parameters.items())
    run.parameters["0.weight"][:] = 0  # a copy
    x = np.arange(14.0).reshape(7, 2)
    scores = run.predict(x)
    assert isinstance(scores, np.ndarray)
    assert (scores.shape, scores.dtype) == ((7, 2), np.float32)
    hidden = np.tanh(x.astype(np.float32) @ saved["0.weight"].T + saved["0.bias"])
    np.testing.assert_allclose(scores, hidden @ saved["2.weight"].T + saved["2.bias"], rtol=1e-5, atol=1e-6)
    assert np.array_equal(trained.predict({"x": x, "unused": np.ones(1)}), scores)
    assert np.array_equal(run.predict(x.tolist()), scores)
    assert np.asarray(run.predict(x[:0])).shape == (0, 2)
    np.testing.assert_allclose(run.predict(x, batch_size=2), scores, rtol=1e-5, atol=1e-6)
    assert run.summary is not None
    assert run.evaluate() == run.summary["test"]
    assert declnet.load("r", checkpoint="last").evaluate(split="val").keys() == {"loss", "accuracy"}
    assert list(run.evaluate("loop.metrics=[]", data="t.csv")) == ["loss"]


def test_several_inputs_and_outputs(table: Path) -> None:
    config = CONFIG | {
        "data": CONFIG["data"] | {"inputs": {"left": ["a"], "right": ["b"]}},
        "model": [
            {"type": "Concat", "name": "both", "inputs": ["left", "right"], "dim": 1},
            {
                "type": "ModuleDict",
                "name": "heads",
                "forward": "map",
                "modules": {
                    "one": {"type": "Linear", "out_features": 2},
                    "two": {"type": "Linear", "out_features": 3},
                },
            },
        ],
        "loss": {"type": "CrossEntropyLoss", "inputs": ["heads.one", "y"]},
    }
    run = declnet.train(config, "loop.metrics=[]")
    column = np.ones((4, 1))
    found = run.predict({"left": column, "right": column}, probabilities=True)
    assert isinstance(found, dict)
    assert {name: array.shape for name, array in found.items()} == {
        "heads.one_probability": (4, 2),
        "heads.two": (4, 3),
    }
    with pytest.raises(declnet.DataError) as caught:
        run.predict(column)
    assert str(caught.value) == "error: the model reads left, right: give a mapping from these names to arrays"
    with pytest.raises(declnet.ConfigError) as refused:
        run.predict({"left": column, "right": column}, batch_size=0)
    assert str(refused.value) == "error: batch_size must be greater than 0, got 0"


def test_a_checkpoint_of_another_model(table: Path) -> None:
    declnet.train(CONFIG, run_dir="r")
    declnet.train(CONFIG, "model.0.out_features=5", run_dir="s")
    Path("r/checkpoints/best.npz").write_bytes(Path("s/checkpoints/best.npz").read_bytes())
    with pytest.raises(
        declnet.CheckpointError, match=r"^error: r/checkpoints/best\.npz: the checkpoint is of another"
    ):
        declnet.load("r")
