"""Installed plug-ins that cannot be used: each is refused where a config names it, the rest of the file checked."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from declnet.core.registry import Registry, modules, optimizers

if TYPE_CHECKING:
    from conftest import Command

CODE = '''
from typing import Literal
from declnet.core.component import Module
from declnet.core.optimizer import Optimizer

class {0}(Module):
    """Nothing."""
    type: Literal["{0}"] = "{0}"
    def infer(self, input): return input
'''

SHOWS = "`python -c 'import {0}'` shows where. Install what it needs or another version of it, or remove it"

BROKEN = {
    "Lost": (
        "import no_such_library",
        "the plug-in lost 1.0 cannot be used: loading lost:Lost for the component 'Lost' ends with "
        "ModuleNotFoundError: No module named 'no_such_library'; " + SHOWS.format("lost") + ": pip uninstall lost",
    ),
    "Raising": (
        "raise RuntimeError('not on this machine')",
        "the plug-in raising 1.0 cannot be used: loading raising:Raising for the component 'Raising' ends with "
        "RuntimeError: not on this machine; " + SHOWS.format("raising") + ": pip uninstall raising",
    ),
    "Renamed": (
        CODE.format("Other"),
        "the plug-in renamed 1.0 cannot be used: loading renamed:Renamed for the component 'Renamed' ends with "
        "AttributeError: module 'renamed' has no attribute 'Renamed'; "
        + SHOWS.format("renamed")
        + ": pip uninstall renamed",
    ),
    "Misnamed": (
        CODE.format("Misspelt") + "Misnamed = Misspelt",
        "the plug-in misnamed 1.0 cannot be used: its entry point 'Misnamed' in declnet.modules leads to the "
        "component 'Misspelt'; the two names have to be the same",
    ),
    "Untyped": (
        "from declnet.core.component import Module\nclass Untyped(Module): pass",
        "the plug-in untyped 1.0 cannot be used: loading untyped:Untyped for the component 'Untyped' ends with "
        "TypeError: Untyped has no type: give it type: Literal['Untyped'] = 'Untyped'; "
        + SHOWS.format("untyped")
        + ": pip uninstall untyped",
    ),
    "Function": (
        "def Function(x): return x",
        "the plug-in function 1.0 cannot be used: loading function:Function for the component 'Function' ends with "
        "TypeError: 'Function' is no component: no class derived from Module or Wrapper; "
        + SHOWS.format("function")
        + ": pip uninstall function",
    ),
    "Taken": (
        CODE.format("ReLU") + "Taken = ReLU",
        "the plug-in taken 1.0 cannot be used: loading taken:Taken for the component 'Taken' ends with "
        "ValueError: the component 'ReLU' is there already, in declnet.activations.relu: taken needs another name; "
        + SHOWS.format("taken")
        + ": pip uninstall taken",
    ),
    "Twice": (
        CODE.format("Twice"),
        "two plug-ins bring the component 'Twice': twice 1.0 and twice-more 1.0; keep one: "
        "pip uninstall twice, or pip uninstall twice-more",
    ),
}
"""By the name of a component: the code of the plug-in that brings it, and what is said where a config names it."""

CONFIG = "data:\n  source: {type: Digits}\nmodel:\n" + "".join(f"  - {name}\n" for name in BROKEN)
CONFIG += "  - ReLU\n  - {type: Linear, out_features: 10}\nloss: CrossEntropyLoss\noptimizer: {type: SGD, lrr: 1}\n"


def install(folder: Path, distribution: str, name: str, code: str, group: str = "modules") -> None:
    """What pip leaves of a plug-in of one file."""
    module = distribution.replace("-", "_")
    (folder / f"{module}.py").write_text(code, encoding="utf-8")
    metadata = folder / f"{module}-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {distribution}\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text(f"[declnet.{group}]\n{name} = {module}:{name}\n")


@pytest.fixture
def broken(command: Command) -> Command:
    """The command where all of them are installed; the config names each."""
    folder = command.cwd / "site"
    folder.mkdir()
    for name, (code, _) in BROKEN.items():
        install(folder, name.lower(), name, code)
    install(folder, "twice-more", "Twice", BROKEN["Twice"][0])
    command.env["PYTHONPATH"] = os.pathsep.join(filter(None, [str(folder), command.env.get("PYTHONPATH")]))
    (command.cwd / "c.yaml").write_text(CONFIG, encoding="utf-8")
    return command


def test_each_is_refused_where_it_is_named(broken: Command) -> None:
    result = broken("validate", "c.yaml")
    assert (result.rc, result.stdout) == (2, "")
    headlines = [line for line in result.stderr.splitlines() if line.startswith("c.yaml:")]
    assert headlines == [
        *(
            f"c.yaml:{line}:5: error: model[{line - 4}].type: {message}"
            for line, (_, message) in enumerate(BROKEN.values(), 4)
        ),
        "c.yaml:15:24: error: optimizer.lrr: unknown key 'lrr'; did you mean 'lr'?",
    ]
    assert "Traceback" not in result.stderr


def test_they_are_in_nobody_s_way(broken: Command) -> None:
    """Names and suggestions are known without importing anything."""
    right, typo, key = broken.each(
        "validate c.yaml 'model=[{type: Linear, out_features: 10}]' optimizer=SGD",
        "validate c.yaml 'model=[Rlu, Lsot]' optimizer=SGD",
        "validate c.yaml 'model=[{type: ReLU, momentum: 0}]' optimizer=SGD",
    )
    assert (right.rc, right.stderr) == (0, "")
    assert [line.partition(" error: ")[2] for line in typo.stderr.splitlines() if " error: " in line] == [
        "model[0].type: unknown component 'Rlu'; did you mean 'ReLU'?",
        "model[1].type: unknown component 'Lsot'; did you mean 'Lost'?",
    ]
    assert "model[0].momentum: ReLU has no 'momentum': that is an argument of BatchNorm1d, " in key.stderr
    assert (typo.rc, key.rc) == (2, 2)


def test_the_list_says_what_is_broken(broken: Command) -> None:
    """Every time it is asked for, not just the first."""
    for result in broken.each("list-components", "list-components ReLU"):
        assert (result.rc, result.stdout, result.stderr) == (2, "", f"error: {BROKEN[min(BROKEN)][1]}\n")


def test_one_of_declnet_s_own_names(command: Command) -> None:
    """declnet's own is what a config gets; the list says that there is another."""
    install(command.cwd, "shadow", "SGD", "raise SystemExit('imported')", group="optimizers")
    (command.cwd / "c.yaml").write_text(CONFIG, encoding="utf-8")
    command.env["PYTHONPATH"] = os.pathsep.join(filter(None, [str(command.cwd), command.env.get("PYTHONPATH")]))
    valid, listed = command.each(
        "validate c.yaml 'model=[{type: Linear, out_features: 10}]' optimizer=SGD", "list-components"
    )
    assert valid.rc == 0
    assert (listed.rc, listed.stdout, listed.stderr) == (
        2,
        "",
        "error: the plug-in shadow 1.0 brings the optimizer 'SGD', which declnet has itself; rename it there, or "
        "remove the plug-in: pip uninstall shadow\n",
    )


@pytest.mark.parametrize(("registry", "other"), [(modules, optimizers), (optimizers, modules)])
def test_another_role(registry: Registry, other: Registry) -> None:
    cls = other["SGD" if other is optimizers else "ReLU"]
    bases = {"component": "Module or Wrapper", "optimizer": "Optimizer"}[registry.role]
    with pytest.raises(TypeError) as caught:
        registry.register(cls)
    assert str(caught.value) == f"'{cls.__name__}' is no {registry.role}: no class derived from {bases}"
