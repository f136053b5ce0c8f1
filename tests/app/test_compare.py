"""`declnet compare`: what of two configs differs, and what came of it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from app.tiny import CONFIG, SEEN, best, dated, everything, prepare, records, stop, summary, train
from declnet.errors import dotted
from declnet.runner.differences import ABSENT, differences

if TYPE_CHECKING:
    from conftest import Command


class Runs:
    """Runs that differ in this and that, and one that another directory holds."""

    def __init__(self, command: Command) -> None:
        self.command = command
        prepare(command.cwd)
        train(command)
        train(command)
        train(command, "optimizer.lr=0.5", "model.0.out_features=5", "loop.epochs=5")
        stop(command)
        train(command, "--run-dir", "deep/er/tiny-1")
        changed = CONFIG.replace(
            "{type: SGD, lr: 0.01}", "{type: Adam, lr: 0.01, groups: [{match: '*.bias', lr: 0.1}]}"
        )
        changed = changed.replace("  - {type: ReLU, name: act}\n", "  - Tanh\n  - {type: Tanh, name: act}\n")
        changed = changed.replace("out_features: 3}", "out_features: 3, inputs: x}")
        (command.cwd / "other.yaml").write_text(changed.replace("[a, b]", "{x: [a, b], z: b}"), encoding="utf-8")
        done = command("train", "other.yaml", "-q", "loop.metrics=[]")
        assert (done.rc, done.stderr) == (0, "")
        self.runs = command.cwd / "runs"
        self.dates = {
            run: dated(command.cwd / run, hour)
            for hour, run in enumerate(
                ("runs/tiny-1", "runs/tiny-2", "runs/tiny-3", "runs/tiny-4", "runs/tiny-5", "deep/er/tiny-1")
            )
        }

    def figures(self, *names: str, labels: tuple[str, ...] = ()) -> str:
        """The lower table, from the files of the runs."""
        columns = [self.column(name, label) for name, label in zip(names, labels or names, strict=True)]
        heads = ["", "started", "state", "epochs", "best epoch", "val_loss", "val_accuracy", "test_loss"]
        return aligned("figures", [[*heads, "test_accuracy", "parameters", "seconds"], *columns], left=1)

    def column(self, name: str, label: str) -> list[str]:
        path = self.command.cwd / (name if "/" in name else f"runs/{name}")
        date = self.dates[str(path.relative_to(self.command.cwd))]
        if not (path / "summary.json").exists():
            top = best(path)
            figures = [f"{top['val_loss']:.4f}", f"{top['val_accuracy']:.4f}", "", "", "", ""]
            return [label, date, "stopped", f"{len(records(path))}/1000000", f"{top['epoch']:,}", *figures]
        found = summary(path)
        figures = [
            f"{found[split][key]:.4f}" if key in found[split] else ""
            for split in ("val", "test")
            for key in ("loss", "accuracy")
        ]
        epochs = f"{found['epochs']}/{found['epochs']}"
        last = [f"{found['parameters']}", f"{found['seconds']}"]
        return [label, date, "finished", epochs, str(found["best_epoch"]), *figures, *last]


ACCURACY = {"type": "accuracy", "ignore_index": -100, "threshold": 0.5, "from_logits": None}


def aligned(title: str, columns: list[list[str]], left: int) -> str:
    """A table in plain text from its columns, so many of which are texts."""
    set_out = []
    for index, column in enumerate(columns):
        width = max(map(len, column))
        set_out.append([cell.ljust(width) if index < left else cell.rjust(width) for cell in column])
    return "\n".join([title, *("  ".join(row).rstrip() for row in zip(*set_out, strict=True)), ""])


@pytest.fixture(scope="module")
def runs(command_in: Callable[[Path], Command], tmp_path_factory: pytest.TempPathFactory) -> Runs:
    return Runs(command_in(tmp_path_factory.mktemp("compare")))


def test_where_two_configs_differ(runs: Runs) -> None:
    before = everything(runs.runs)
    result = runs.command("compare", "tiny-1", "runs/tiny-3", **SEEN)
    assert (result.rc, result.stderr) == (0, "")
    assert result.stdout == (
        "the configs differ in 4 places\n"
        "                       tiny-1  tiny-3\n"
        "model[0].out_features  3       5\n"
        "model[2].in_features   3       5\n"
        "optimizer.lr           0.01    0.5\n"
        "loop.epochs            3       5\n"
        "\n"
    ) + runs.figures("tiny-1", "tiny-3")
    assert everything(runs.runs) == before


def test_identical_configs(runs: Runs) -> None:
    """The data file is the same one, though the run directories stand at different depths."""
    for names, labels in (
        (("tiny-1", "tiny-2"), ("tiny-1", "tiny-2")),
        (("runs/tiny-1", "deep/er/tiny-1"), ("runs/tiny-1", "deep/er/tiny-1")),
    ):
        result = runs.command("compare", *names, **SEEN)
        assert (result.rc, result.stderr) == (0, "")
        assert result.stdout == "the configs are identical\n\n" + runs.figures(*names, labels=labels)


def test_a_stopped_run_has_what_it_came_to(runs: Runs) -> None:
    result = runs.command("compare", "tiny-4", "tiny-1", **SEEN)
    assert result.stdout == (
        "the configs differ in 1 place\n             tiny-4   tiny-1\nloop.epochs  1000000  3\n\n"
    ) + runs.figures("tiny-4", "tiny-1")


def test_three_runs_for_programs(runs: Runs) -> None:
    result = runs.command("compare", "tiny-1", "tiny-3", "runs/tiny-5", "--json", **SEEN)
    found = json.loads(result.stdout)
    paths = ["runs/tiny-1", "runs/tiny-3", "runs/tiny-5"]
    listed = {run["run"]: run for run in json.loads(runs.command("runs", "--json", **SEEN).stdout)}
    assert found["runs"] == [listed[path] for path in paths]
    changes = {
        item["path"]: [item["values"].get(path, "absent") for path in paths] for item in found["differences"]
    }
    tanh = {"type": "Tanh"}
    relu = {"type": "ReLU", "name": "act"}
    last = {"type": "Linear", "in_features": 3, "out_features": 2, "bias": True}
    assert changes == {
        "data.inputs.z": ["absent", "absent", {"columns": "b", "dtype": None, "transforms": []}],
        "model[0].out_features": [3, 5, 3],
        "model[0].inputs": ["absent", "absent", ["x"]],
        "model.act": [relu, relu, tanh | {"name": "act"}],
        "model[2]": [last, last | {"in_features": 5}, "absent"],
        "model[1]": ["absent", "absent", tanh],
        "model[3]": ["absent", "absent", last],
        "optimizer.type": ["SGD", "SGD", "Adam"],
        "optimizer.lr": [0.01, 0.5, 0.01],
        "optimizer.momentum": [0.0, 0.0, "absent"],
        "optimizer.dampening": [0.0, 0.0, "absent"],
        "optimizer.nesterov": [False, False, "absent"],
        "optimizer.betas": ["absent", "absent", [0.9, 0.999]],
        "optimizer.eps": ["absent", "absent", 1e-8],
        "optimizer.amsgrad": ["absent", "absent", False],
        "optimizer.decoupled_weight_decay": ["absent", "absent", False],
        "optimizer.groups": ["absent", "absent", [{"match": ["*.bias"], "lr": 0.1}]],
        "loop.epochs": [3, 5, 3],
        "loop.metrics[0]": [ACCURACY, ACCURACY, "absent"],
    }


LINEAR = {"type": "Linear", "out_features": 4}
NAMED = LINEAR | {"name": "fc"}
RELU = {"type": "ReLU"}
MODELS: dict[str, tuple[list[Any], dict[str, tuple[object, ...]]]] = {
    "the same": ([[LINEAR], [LINEAR]], {}),
    "a node more": ([[LINEAR], [LINEAR, RELU]], {"model[1]": (ABSENT, RELU)}),
    "no nodes": ([[], [RELU]], {"model[0]": (ABSENT, RELU)}),
    "by name": ([[NAMED], [RELU, NAMED]], {"model[0]": (ABSENT, RELU)}),
    "within a name": ([[RELU, NAMED], [NAMED | {"out_features": 5}, RELU]], {
        "model[0]": (RELU, ABSENT),
        "model.fc.out_features": (4, 5),
        "model[1]": (ABSENT, RELU),
    }),
    "another type": ([[LINEAR], [RELU]], {"model[0]": (LINEAR, RELU)}),
    "order": (
        [[NAMED, RELU | {"name": "a"}], [RELU | {"name": "a"}, NAMED]],
        {"model": (["fc", "a"], ["a", "fc"])},
    ),
    "nested": (
        [[{"type": "Sequential", "layers": [LINEAR, RELU]}], [{"type": "Sequential", "layers": [LINEAR]}]],
        {"model[0].layers[1]": (RELU, ABSENT)},
    ),
    "an argument": ([[LINEAR], [LINEAR | {"bias": False}]], {"model[0].bias": (ABSENT, False)}),
    "types of values": ([1, True, 1.0], {"model": (1, True, 1.0)}),
    "null is a value": ([[{"a": None}], [{}]], {"model[0].a": (None, ABSENT)}),
    "plain lists": ([[1, 2], [1, 3]], {"model": ([1, 2], [1, 3])}),
    "two of three": (
        [[LINEAR], [LINEAR], [LINEAR, RELU]],
        {"model[1]": (ABSENT, ABSENT, RELU)},
    ),
    "one without": (
        [{"x": {"a": 1, "b": 2}}, {"x": {"a": 1, "b": 3}}, {}],
        {"model.x": ({"a": 1, "b": 2}, {"a": 1, "b": 3}, ABSENT)},
    ),
    "one without what others agree on": (
        [{"x": [LINEAR]}, {}, {"x": [LINEAR]}],
        {"model.x": ([LINEAR], ABSENT, [LINEAR])},
    ),
    "order of names": ([{"a": 1, "b": 2}, {"b": 2, "a": 1}], {"model": (["a", "b"], ["b", "a"])}),
    "a list or a mapping": ([[LINEAR], LINEAR], {"model": ([LINEAR], LINEAR)}),
}  # fmt: skip


@pytest.mark.parametrize("name", MODELS)
def test_differences(name: str) -> None:
    models, expected = MODELS[name]
    found = differences([{"name": "x", "model": model} for model in models])
    # By their text, where 1, 1.0 and True are three values.
    assert [(dotted(item.path), repr(item.values)) for item in found] == [
        (path, repr(values)) for path, values in expected.items()
    ]


def test_what_cannot_be_compared(runs: Runs) -> None:
    (runs.command.cwd / "empty").mkdir()
    wrong = {
        "tiny-1": "compare takes two runs or more; declnet runs shows what there is",
        "tiny-1 tiny-11": "tiny-11: no directory of a run, neither here nor in runs; did you mean 'tiny-1'?",
        "tiny-1 nothing": (
            "nothing: no directory of a run, neither here nor in runs; in runs there is tiny-1, tiny-2, tiny-3, "
            "tiny-4 and tiny-5"
        ),
        "tiny-1 tiny-3 runs/tiny-1/../tiny-3": "runs/tiny-1/../tiny-3: this run is named twice",
        "tiny-1 empty": "empty: not the directory of a run: it has no config.yaml",
        "tiny-1 other.yaml": (
            "other.yaml: no directory of a run, neither here nor in runs; in runs there is tiny-1, tiny-2, tiny-3, "
            "tiny-4 and tiny-5"
        ),
    }
    for names, result in zip(wrong, runs.command.each(*(f"compare {names}" for names in wrong)), strict=True):
        assert (result.rc, result.stdout) == (2, "")
        assert result.stderr == f"error: {wrong[names]}\n"


def test_a_directory_here_that_is_no_run(runs: Runs) -> None:
    """A run of that name in runs/ is what is meant."""
    (runs.command.cwd / "tiny-2").mkdir()
    result = runs.command("compare", "tiny-1", "tiny-2", "--json")
    assert [run["run"] for run in json.loads(result.stdout)["runs"]] == ["runs/tiny-1", "runs/tiny-2"]
    (runs.command.cwd / "tiny-2").rmdir()


def test_a_key_never_sends_codes_to_the_terminal(command: Command) -> None:
    prepare(command.cwd)
    train(command)
    train(command)
    node = "{type: Linear, in_features: 2, out_features: 3, bias: true"
    for run, law in (("tiny-1", "zeros_"), ("tiny-2", "ones_")):
        path = command.cwd / "runs" / run / "config.yaml"
        text = path.read_text("utf-8").replace(node, node + rf', init: {{"\e[2J*": {law}}}')
        path.write_text(text, encoding="utf-8")
    result = command("compare", "tiny-1", "tiny-2")
    assert (result.rc, result.stderr) == (0, "")
    assert r'"model[0].init.\u001b[2J*.type"  zeros_  ones_' in result.stdout.splitlines()


def test_nothing_to_choose_from(command: Command) -> None:
    result = command("compare", "a", "b")
    assert (result.rc, result.stdout) == (2, "")
    assert result.stderr == "error: a: no directory of a run, neither here nor in runs\n"


def test_damaged_runs(runs: Runs, command: Command) -> None:
    prepare(command.cwd)
    train(command)
    train(command)
    path = command.cwd / "runs" / "tiny-2"
    (path / "summary.json").write_text("{}", encoding="utf-8")
    result = command("compare", "tiny-1", "tiny-2")
    assert (result.rc, result.stdout) == (6, "")
    assert result.stderr == "error: runs/tiny-2/summary.json: damaged: name: Field required\n"
    (path / "summary.json").unlink()
    text = (path / "config.yaml").read_text("utf-8")
    (path / "config.yaml").write_text(
        text.replace("lr: 0.01", "lr: fast").replace("type: CSV", "type: CVS"), "utf-8"
    )
    result = command("compare", "tiny-1", "tiny-2")
    assert (result.rc, result.stdout) == (2, "")
    assert [line for line in result.stderr.splitlines() if line[0] != " "] == [
        "runs/tiny-2/config.yaml:7:11: error: data.source.type: unknown source 'CVS'; did you mean 'CSV'?",
        "runs/tiny-2/config.yaml:41:7: error: optimizer.lr: expected a number, got 'fast'",
    ]
