"""The guide shows everything there is, and no pair of it goes unchecked."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from declnet.core.component import Component
from declnet.core.registry import Registry, initializers, losses, modules, optimizers, schedulers
from declnet.runner import resumption
from declnet.runner.events import Finished
from declnet.runner.experiment import load
from declnet.runner.train import resume, train
from guide.page import GUIDE, Wrong, pairs, tensors

TEXT = GUIDE.read_text(encoding="utf-8")
PAIRS = pairs(TEXT)
COMMANDS = re.findall(r"^declnet (?:train|validate) (?!--resume)(.*?)(?: *#.*)?$", TEXT, re.M)
RESUMED = re.findall(r"^declnet train --resume (\S+)$", TEXT, re.M)


@pytest.mark.parametrize(
    "registry", [modules, losses, optimizers, schedulers, initializers], ids=lambda registry: registry.role
)
def test_everything_has_its_pair(registry: Registry[Component]) -> None:
    """And is there called by PyTorch's name."""
    shown = {name: [p for p in PAIRS if re.search(rf"\b{name}\b", p.yaml)] for name in registry}
    assert [name for name in registry if not shown[name]] == []
    for name, found in shown.items():
        if registry[name].pytorch is not None:
            assert any(re.search(rf"\b{name}\b", pair.python) for pair in found), name


@pytest.mark.parametrize("arguments", COMMANDS)
def test_commands(folder: Path, arguments: str) -> None:
    """Settings on the command line fit the first config of the page that runs."""
    name, *settings = shlex.split(arguments)
    Path(name).write_text(next(pair.yaml for pair in PAIRS if pair.kind == "run"), encoding="utf-8")
    assert load(name, settings, strict=True).config != load(name).config or not settings


@pytest.mark.parametrize("run", RESUMED)
def test_going_on(folder: Path, run: str) -> None:
    """With the run that the first config of the page makes."""
    Path("config.yaml").write_text(next(pair.yaml for pair in PAIRS if pair.kind == "run"), encoding="utf-8")
    list(train(load("config.yaml", ["loop.epochs=1"])))
    *_, last = resume(resumption.load(Path(run), ["loop.epochs=2"]), Path(run))
    assert isinstance(last, Finished)
    assert last.summary["epochs"] == 2


def test_there_are_commands() -> None:
    assert any("=" in arguments for arguments in COMMANDS)
    assert RESUMED


def test_links() -> None:
    """A heading is linked in lower case, without commas, with dashes for spaces."""
    headings = [
        re.sub(r"[^\w -]", "", line.lower()).replace(" ", "-") for line in re.findall(r"^## (.*)$", TEXT, re.M)
    ]
    assert re.findall(r"\(#(.*?)\)", TEXT) == headings


PYTHON, YAML = "```python\nmodel\n```\n", "```yaml\nmodel\n```\n"
TABLE = "| PyTorch | declnet |\n|---|---|\n| `a` | `b` |\n"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (PYTHON + YAML, "line 1: a block of python without a check"),
        ("```py\nmodel\n```", "line 1: a block of py without a check"),
        ("\n" + YAML, "line 2: a block of yaml without a check"),
        ("<!-- check values -->\n" + PYTHON, "line 2: a checked block is one of python, followed by one of yaml"),
        (
            "<!-- check values -->\n" + YAML + PYTHON,
            "line 2: a checked block is one of python, followed by one of yaml",
        ),
        ("<!-- check values -->\nwords\n" + PYTHON, "line 2: a mark stands right before what it marks"),
        ("<!-- check values -->\n", "the last mark marks nothing"),
        ("<!-- check values -->\n" * 2, "line 2: the mark before this one marks nothing"),
        ("words\n" + TABLE, "line 2: a table of PyTorch's without a check"),
        (
            "<!-- check values -->\n" + TABLE.replace("`b`", "`b` or `c`"),
            "line 4: a checked row has one piece of code a side",
        ),
    ],
)
def test_what_a_page_may_not_have(text: str, message: str) -> None:
    with pytest.raises(Wrong) as error:
        pairs(text)
    assert str(error.value) == message


def test_what_is_read() -> None:
    marked = (
        f"<!-- check outputs: x (N, 3); targets y (N,) of 0..2 -->\n{PYTHON}{YAML}<!-- check values -->\n{TABLE}"
    )
    first, second = pairs(f"```sh\nls\n```\n\n| a | b |\n|---|---|\n| `c` | d |\n\n{marked}")
    assert (first.kind, first.python, first.yaml) == ("outputs", "model\n", "model\n")
    assert first.given == "x (N, 3); targets y (N,) of 0..2"
    assert (second.kind, second.python, second.yaml, second.given) == ("values", "a", "b", "")


def test_tensors() -> None:
    found = tensors("(N, 3), a (4,) of 0..2, p () from 0 to 1, t (N,) of -1 and 1, q (N, 2) of shares", 7)
    kinds = {name: (type(draw).__name__, draw.shape) for name, draw in found.items()}
    assert kinds == {
        "x": ("Normal", (7, 3)),
        "a": ("Labels", (4,)),
        "p": ("Uniform", ()),
        "t": ("Signs", (7,)),
        "q": ("Shares", (7, 2)),
    }
    with pytest.raises(Wrong, match="cannot be read"):
        tensors("x (N, 3) of something", 7)
