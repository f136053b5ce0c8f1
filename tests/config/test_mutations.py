"""One random change to an example config: it is refused in words, or it works. It is never a traceback."""

from __future__ import annotations

import random
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from declnet.config.document import Value
from declnet.config.dump import dump
from declnet.config.yaml import load as load_yaml
from declnet.core.registry import REGISTRIES
from declnet.errors import DeclnetError
from declnet.errors import Path as KeyPath
from declnet.runner.experiment import load
from declnet.runner.figures import figures
from examples import CONFIGS, write_stand_ins, write_tables

MUTATIONS = 2000
"""Of all the examples together."""

NAMES = sorted({name for registry in REGISTRIES for name in registry})
VALUES: tuple[Value, ...] = (
    *(None, True, False, 0, 1, -1, 2, 3, 7, 10**9, 10**18, 0.0, -0.5, 0.5, 1e-3, 1e300, -1e300),
    *(
        "",
        "x",
        "y",
        "input",
        "target",
        "a.b",
        "0",
        "mean",
        "float64",
        "${vars.x}",
        "${model}",
        "${",
        "*",
        "é\U0001f600",
    ),
    *((), (1,), (1, 2), (-1, 1), ("x",), ("x", "y"), ((1, 2), (3, 4)), ("ReLU",)),
    *({}, {"type": "ReLU"}, {"type": "Linear", "out_features": 3}, {"x": "x"}, {"use": "0"}, {"a": 1, "b": {}}),
)


def places(node: Value, path: KeyPath = ()) -> Iterator[KeyPath]:
    """The paths of all values below a node."""
    items = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, tuple) else ()
    for key, value in items:
        yield (*path, key)
        yield from places(value, (*path, key))


def at(node: Value, path: KeyPath) -> Value:
    for part in path:
        node = node[part]  # type: ignore[index]  # a path of this node
    return node


def put(node: Value, path: KeyPath, change: dict[str, Value] | tuple[Value, ...]) -> Value:
    """The node with what stands at a path replaced by items: of a mapping, or of a list."""
    part, *rest = path
    if isinstance(node, dict):
        inner = {part: put(node[str(part)], tuple(rest), change)} if rest else change
        assert isinstance(inner, dict)
        return {k: v for key, value in node.items() for k, v in (inner if key == part else {key: value}).items()}
    assert isinstance(node, tuple)
    assert isinstance(part, int)
    items = (put(node[part], tuple(rest), change),) if rest else change
    assert isinstance(items, tuple)
    return (*node[:part], *items, *node[part + 1 :])


def misspelt(rng: random.Random, word: str) -> str:
    spot = rng.randrange(len(word) + 1)
    return rng.choice(
        [word[:spot] + word[spot + 1 :], word[:spot] + rng.choice("aEs_.1 ") + word[spot:], word.upper()]
    )


def mutated(rng: random.Random, data: Value) -> Value:
    """One node removed, replaced, renamed, doubled, wrapped, or exchanged for another one."""
    known = list(places(data))
    path = rng.choice(known)
    value, key = at(data, path), path[-1]
    kind = rng.choice(["remove", "value", "value", "name", "rename", "twice", "wrap", "other", "misspell"])
    if kind == "remove":
        return put(data, path, {} if isinstance(key, str) else ())
    if kind == "rename" and isinstance(key, str):
        return put(data, path, {misspelt(rng, key): value})
    if kind == "twice":
        return put(data, path, {key: value, f"{key}2": value} if isinstance(key, str) else (value, value))
    if kind == "misspell" and isinstance(value, str):
        new: Value = misspelt(rng, value)
    elif kind == "wrap":
        new = rng.choice([(value,), {"x": value}, {"type": "Sequential", "layers": (value,)}])
    elif kind == "other":
        new = at(data, rng.choice(known))
    elif kind == "name":
        new = rng.choice(NAMES)
    else:
        new = rng.choice(VALUES)
    return put(data, path, {key: new} if isinstance(key, str) else (new,))


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_mutations(tmp_path: Path, path: Path) -> None:
    rng = random.Random(path.stem)  # noqa: S311 - the same mutations each time
    data = load_yaml(path).data
    assert isinstance(data["data"], dict)
    file = tmp_path / path.name
    shutil.copytree(path.parent / "data", tmp_path / "data")
    write_stand_ins(tmp_path / "data")
    write_tables(tmp_path)
    refused = 0
    count = -(-MUTATIONS // len(CONFIGS))
    for _ in range(count):
        text = dump(mutated(rng, data))  # type: ignore[arg-type]  # the top is never replaced
        file.write_text(text, encoding="utf-8")
        try:
            figures(load(file))
        except DeclnetError as error:
            refused += 1
            for item in error.diagnostics:
                assert item.message, text
                assert item.mark is None or (item.mark.line, item.mark.column) >= (1, 1), text
        except Exception as error:  # whatever it is, the text that did it is worth more than the traceback alone
            raise AssertionError(f"{type(error).__name__}: {error}\n{text}") from error
    assert count / 4 < refused < count
