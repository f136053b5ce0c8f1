"""`declnet schema`: the committed file without plug-ins, and theirs with them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from jsonschema import Draft202012Validator

if TYPE_CHECKING:
    from conftest import Command

CHECKOUT = Path(__file__).parents[2]
FILE = CHECKOUT / "schemas" / "declnet.schema.json"

PLUGIN = '''
import math
from collections.abc import Sequence
from typing import Annotated, Literal, final

from pydantic import Field

from declnet.core.component import Module, Settings


class Split(Settings):
    """Has a namesake in declnet's own."""

    type: str
    at: float
    name: Literal["left", "right"] | None = None


@final
class Twist(Module):
    type: Literal["Twist"] = "Twist"
    pair: tuple[int, str] = (1, "x")
    scale: int | Annotated[float, Field(ge=0)] = 1
    limit: float = Field(math.inf, allow_inf_nan=True, description="its own words")
    bends: tuple[Split, ...] = ()
    any: Sequence[int] = ()
    nothing: tuple[()] = ()

    def infer(self, input):
        return input
'''


def test_without_plugins_it_is_the_committed_file(command: Command) -> None:
    result = command("schema", "--no-plugins")
    assert (result.rc, result.stderr) == (0, "")
    assert result.stdout == FILE.read_text(encoding="utf-8")


@pytest.fixture
def with_plugin(command: Command) -> dict[str, Any]:
    """The schema where a plug-in is installed."""
    (command.cwd / "twisting.py").write_text(PLUGIN, encoding="utf-8")
    info = command.cwd / "twisting-1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: twisting\nVersion: 1\n", encoding="utf-8")
    (info / "entry_points.txt").write_text("[declnet.modules]\nTwist = twisting:Twist\n", encoding="utf-8")
    result = command("schema", PYTHONPATH=f"{command.cwd}:{CHECKOUT}")
    assert (result.rc, result.stderr) == (0, "")
    schema: dict[str, Any] = json.loads(result.stdout)
    Draft202012Validator.check_schema(schema)
    return schema


def test_a_plugin_is_completed_and_checked_like_any_component(with_plugin: dict[str, Any]) -> None:
    own = json.loads(FILE.read_text(encoding="utf-8"))
    assert with_plugin["$defs"].keys() - own["$defs"].keys() == {"modules.Twist", "twisting.Split"}
    twist = with_plugin["$defs"]["modules.Twist"]["properties"]
    assert twist["pair"]["default"] == [1, "x"]
    assert twist["limit"] == {"$ref": "#/$defs/number", "description": "its own words"}, "JSON has no infinity"
    validator = Draft202012Validator(with_plugin)
    config = {"data": {"source": "Digits"}, "loss": "MSELoss", "optimizer": "SGD"}

    def right(node: object) -> bool:
        return validator.is_valid(config | {"model": [node]})

    assert right("Twist")
    for key, value in [("pair", [2, "y"]), ("scale", -1), ("scale", 0.5), ("any", [1]), ("name", "t")]:
        assert right({"type": "Twist", key: value}), (key, value)
    assert right({"type": "Twist", "bends": [{"type": "a", "at": 1, "name": "left"}, {"type": "b", "at": 0.5}]})
    for key, value in [
        ("pair", ["y", 2]),
        ("pair", [1]),
        ("scale", -0.5),
        ("scale", "x"),
        ("limit", "x"),
        ("p", 1),
    ]:
        assert not right({"type": "Twist", key: value}), (key, value)
    assert not right({"type": "Twist", "bends": [{"type": "a", "name": "left"}]})
    assert not right({"type": "Twist", "bends": [{"type": "a", "at": 1, "name": "up"}]})
