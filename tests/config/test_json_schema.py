"""The JSON Schema: it is what the code says, takes what the reader takes, and refuses what is wrong in itself."""

from __future__ import annotations

import copy
import inspect
import json
import math
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError

from components.cases import initializers as initializer_cases
from components.cases.case import Bad, Subject
from components.cases.tables import SUBJECTS
from config.test_read import MISTAKES, cases, listed_data, mutations, places, text_of
from declnet.config.docstrings import arguments, summary
from declnet.config.document import Document, Value
from declnet.config.json_schema import json_schema
from declnet.config.plain import plain
from declnet.config.read import Reading, read
from declnet.config.yaml import loads
from declnet.core.registry import REGISTRIES, Registry, initializers
from declnet.dropout.dropout import Dropout

CHECKOUT = Path(__file__).parents[2]
FILE = CHECKOUT / "schemas" / "declnet.schema.json"
SCHEMA = json_schema(plugins=False)
VALIDATOR = Draft202012Validator(SCHEMA)

Place = tuple[str | int, ...]


def refused(data: Any) -> set[Place]:
    """Where the schema finds fault: of each mistake the deepest place, in any of the forms a value may have."""
    return {deepest(error) for error in VALIDATOR.iter_errors(data)}


def deepest(error: ValidationError) -> Place:
    return max((tuple(error.absolute_path), *map(deepest, error.context or ())), key=len)


SMALL: dict[str, Any] = {"data": {"source": "Digits"}, "model": [], "loss": "MSELoss", "optimizer": "SGD"}
"""What any config must have: a section of it is replaced by what is checked."""


def config(text: str) -> dict[str, Any]:
    """The config without a mistake, with these lines in it."""
    data: dict[str, Any] = listed_data(loads(text_of(text), "f.yaml").data)
    return data


def reading(data: dict[str, Any]) -> Reading:
    """What the reader makes of data that come from no file."""
    document = tuples(data)
    assert isinstance(document, dict)
    return read(Document(document, {}, {}))


def tuples(value: Any) -> Value:
    if isinstance(value, dict):
        return {key: tuples(item) for key, item in value.items()}
    return tuple(map(tuples, value)) if isinstance(value, list) else value


def at(path: str) -> Place:
    """`model[0].p` as a place."""
    return tuple(int(part) if part.isdigit() else part for part in re.findall(r"[^.\[\]]+", path))


def test_it_is_a_schema() -> None:
    Draft202012Validator.check_schema(SCHEMA)
    assert SCHEMA["$schema"] == Draft202012Validator.META_SCHEMA["$schema"]


def test_the_file_is_the_schema() -> None:
    stale = "run: declnet schema --no-plugins > schemas/declnet.schema.json"
    assert FILE.read_text(encoding="utf-8") == json.dumps(SCHEMA, indent=2) + "\n", stale


def test_every_reference_leads_to_a_definition() -> None:
    for node in nodes(SCHEMA):
        if isinstance(node.get("$ref"), str):
            found: Any = SCHEMA
            for part in node["$ref"].removeprefix("#/").split("/"):
                found = found[part]
            assert isinstance(found, dict)


def test_every_definition_is_used() -> None:
    used = {node["$ref"].split("/")[2] for node in nodes(SCHEMA) if isinstance(node.get("$ref"), str)}
    assert used == SCHEMA["$defs"].keys()


WIRINGS = tuple(f"#/$defs/{name}/" for name in ("Wiring", "TermWiring", "MetricWiring", "Scheduling"))


def test_every_key_is_described() -> None:
    """In its own words or, where a component shares it with others, in those of the definition."""
    undescribed = {
        f"{name}.{key}"
        for name, definition in SCHEMA["$defs"].items()
        for key, value in definition.get("properties", {}).items()
        if "description" not in value and not value.get("$ref", "").startswith(WIRINGS)
    }
    types = {f"{registry.plural}.{name}.type" for registry in REGISTRIES for name in registry.files}
    assert undescribed == types | {"component.use"}
    assert all("description" in SCHEMA["$defs"][name.removesuffix(".type")] for name in types)
    assert all("description" in value for value in SCHEMA["properties"].values())


def nodes(value: Any) -> Iterator[dict[str, Any]]:
    if isinstance(value, dict):
        yield value
    for item in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from nodes(item)


def test_a_component_is_defined_as_its_class_says() -> None:
    assert summary(Dropout) == inspect.getdoc(Dropout).splitlines()[0]
    assert arguments(Dropout).keys() == {"p"}
    assert SCHEMA["$defs"]["modules.Dropout"] == {
        "title": "Dropout",
        "description": summary(Dropout),
        "type": "object",
        "properties": {
            "type": {"const": "Dropout"},
            "p": {
                "$ref": "#/$defs/number.minimum.0.maximum.1",
                "description": arguments(Dropout)["p"],
                "default": 0.5,
            },
            **{
                key: {"$ref": f"#/$defs/Wiring/properties/{key}"}
                for key in ("name", "inputs", "calls", "repeat", "init", "freeze")
            },
        },
        "additionalProperties": False,
    }
    assert SCHEMA["$defs"]["number.minimum.0.maximum.1"] == {
        "anyOf": [{"type": "number", "minimum": 0, "maximum": 1}, {"$ref": "#/$defs/reference"}]
    }


@pytest.mark.parametrize("path", sorted((CHECKOUT / "configs").rglob("*.yaml")), ids=lambda path: path.name)
def test_an_example_passes(path: Path) -> None:
    assert refused(listed_data(loads(path.read_text(encoding="utf-8"), path.name).data)) == set()


SECTIONS: dict[str, Callable[[Any], tuple[dict[str, Any], Place]]] = {
    "modules": lambda node: ({"model": [node]}, ("model", 0)),
    "losses": lambda node: ({"loss": node}, ("loss",)),
    "optimizers": lambda node: ({"optimizer": node}, ("optimizer",)),
    "schedulers": lambda node: ({"scheduler": node}, ("scheduler",)),
    "metrics": lambda node: ({"loop": {"metrics": [node]}}, ("loop", "metrics", 0)),
    "initializers": lambda node: (
        {"model": [{"type": "Identity", "init": {"*": node}}]},
        ("model", 0, "init", "*"),
    ),
}
"""Where in a config a component of each role may stand."""


def within(registry: Registry[Any], node: dict[str, Any]) -> tuple[dict[str, Any], Place]:
    """A config with this component in it, and its place."""
    section, place = SECTIONS[registry.plural](node)
    return SMALL | section, place


def registry_of(name: str) -> Registry[Any]:
    return next(registry for registry in REGISTRIES if name in registry.files)


@pytest.mark.parametrize("subject", SUBJECTS, ids=repr)
def test_the_arguments_of_every_case_pass(subject: Subject) -> None:
    written = {json.dumps(plain(subject(case.arguments), Path())) for case in subject.cases}
    assert written
    for node in map(json.loads, written):
        assert refused(within(registry_of(subject.name), node)[0]) == set(), node


@pytest.mark.parametrize("subject", [s for s in SUBJECTS if s.bad], ids=repr)
def test_wrong_arguments_are_refused_at_their_place(subject: Subject) -> None:
    for bad in subject.bad:
        node = {"type": subject.name} | listed_data(dict(bad.arguments))
        data, place = within(registry_of(subject.name), node)
        near, found = (*place, *bad.where), refused(data)
        if bad.type == "value_error":  # a rule between keys, or one that only code can say
            assert found == set(), bad
        elif blind(bad, value_at(node, bad.where)):
            assert found <= {near}, bad
        else:
            (where,) = found
            # What is missing or too much has no place of its own: it is what it is missing in.
            inside = where[: len(near)] == near
            assert inside or (where == near[:-1] and bad.type in ("missing", "extra_forbidden", "too_short")), bad


def value_at(value: Any, where: Place) -> Any:
    """The value there; None where it is missing."""
    try:
        for part in where:
            value = value[part]
    except LookupError:
        return None
    return value


def blind(bad: Bad, value: Any) -> bool:
    """Whether JSON Schema need not see what is wrong: it has no word for infinities, and 1.0 is an integer."""
    if not isinstance(value, float):
        return False
    return not math.isfinite(value) or (bad.type == "int_type" and value.is_integer())


def test_initializers() -> None:
    given = [(name, own) for name, own, *_ in initializer_cases.FIXED + initializer_cases.RANDOM]
    assert {name for name, _ in given} == set(initializers.files)
    for name, own in given:
        assert refused(within(initializers, {"type": name} | own)[0]) == set()
    # The two bounds of uniform_ are a rule between keys.
    alone = r"p\.init\.\w+: (?!a (is|and) )|p\.init: \w+ needs"
    wrong = [item for item in initializer_cases.REFUSED if re.match(alone, item.message)]
    assert wrong
    for item in wrong:
        data, place = within(initializers, {"type": item.name} | item.given)
        (where,) = refused(data)
        assert where[: len(place)] == place


FORMS = """
name: a-b.c_1

seed: 3
dtype: float64

data: {source: {type: Triplets, source: {type: Pairs, source: {type: CSV, path: t.csv, delimiter: ;}}, label: c, seed: 1}}

data:
  source: Digits
  inputs: {x: [a, b], z: {columns: a}, w: {columns: [a], dtype: float}, v: b}
  targets: c
  split: {train: 0.5, val: 0.25, test: 0}

data: {source: {type: Digits, flatten: false}, inputs: [image, label], targets: {}}

model: []

model: [{type: Sequential, name: encoder, repeat: 2, layers: [ReLU, {type: Sequential, layers: [Tanh]}]}]

model: [{type: Linear, out_features: 8, bias: false, inputs: [x], init: {weight: zeros_, "b*": {type: normal_, std: 1}}}]

model: [{type: Linear, out_features: 10, name: null, inputs: null, calls: null, repeat: null, init: {}}]

model: [{type: Conv2d, out_channels: 4, kernel_size: [3, 3], padding: same, stride: 1, freeze: true}]

model: [{type: ModuleDict, name: größe, forward: map, modules: {price: Identity, size: {type: Softmax, dim: 1}}}]

model: [{type: ModuleList, modules: [{type: LayerNorm, normalized_shape: [8], name: norm}]}]

model: [{type: ParameterDict, name: g, parameters: {temp: {shape: [], init: {type: constant_, val: 2}}}}]

model: [{type: ParameterList, values: [{shape: [2, 3], init: ones_}]}]

model: [{type: BatchNorm1d, momentum: null, calls: {a: x, b: [z], c: {input: w}}}]

model: [{use: heads.price, name: again, inputs: {input: x}}]

model: [{type: AdaptiveAvgPool2d, output_size: [null, 1]}]

loss:
  - {type: CrossEntropyLoss, weight: [1, 0.5], scale: 2, inputs: {input: a, target: y}}
  - {type: BCEWithLogitsLoss, pos_weight: [[1, 2], [3, 4]], weight: 1, inputs: [a, y]}
  - MSELoss

loss: {type: TripletMarginLoss, p: .inf, swap: true, inputs: x}

optimizer: {type: AdamW, lr: 1, betas: [0, 0.9], groups: [{match: "*.b", lr: 0.1}, {match: [a, b], betas: [0, 0]}]}

optimizer: {type: LBFGS, groups: [], line_search_fn: null}

optimizer: {type: SGD, groups: [{match: w}]}

loop: {epochs: 1, batch_size: 2, shuffle: false, metrics: [accuracy], checkpoint_every: null}

loop: {metrics: [{type: accuracy}]}

loop: {metrics: [{type: top_k, k: 3, inputs: [a, y]}, {type: f1, average: null, inputs: {output: a}}, mae]}

loop: {}
""".strip().split("\n\n")  # noqa: E501 - a section stands on one line
"""Every form that a key may have; nothing says that shapes fit."""


def form(text: str) -> dict[str, Any]:
    """A section in a small config."""
    data: dict[str, Any] = listed_data(loads(text, "f.yaml").data)
    return SMALL | data


def sites(text: str) -> list[Place]:
    """The places within the sections of this text, and of these themselves."""
    return places(listed_data(loads(text, "f.yaml").data))


def put(data: dict[str, Any], place: Place) -> tuple[dict[str, Any], Any]:
    """A copy of the data, and in it what holds the value at this place."""
    data = copy.deepcopy(data)
    parent: Any = data
    for part in place[:-1]:
        parent = parent[part]
    return data, parent


@pytest.mark.parametrize("text", FORMS)
def test_every_form_passes(text: str) -> None:
    assert reading(form(text)).problems == []
    assert refused(form(text)) == set()


def test_a_config_may_have_no_name() -> None:
    assert "name" not in SMALL
    assert refused(SMALL) == set()


COMMON = [
    ("model: [Relu]", "model[0]"),
    ("model: [Linear]", "model[0]"),  # needs out_features
    ("model: [{type: Liner, out_features: 10}]", "model[0].type"),
    ("model: [{type: Linear, out_feature: 10}]", "model[0]"),
    ("model: [{type: Linear}]", "model[0]"),
    ("model: [{out_features: 10}]", "model[0]"),
    ("model: [{Linear: {out_features: 10}}]", "model[0]"),
    ("model: [{type: Linear, out_features: ten}]", "model[0].out_features"),
    ("model: [{type: Linear, out_features: '10'}]", "model[0].out_features"),
    ("model: [{type: Linear, out_features: 0}]", "model[0].out_features"),
    ("model: [{type: Linear, out_features: 2.5}]", "model[0].out_features"),
    ("model: [{type: Linear, out_features: 10, bias: no}]", "model[0].bias"),
    ("model: [{type: Linear, out_features: 10, activation: relu}]", "model[0]"),
    ("model: [{type: Linear, out_features: 10, name: my layer}]", "model[0].name"),
    ("model: [{type: Linear, out_features: 10, name: 1st}]", "model[0].name"),
    ("model: [{type: Linear, out_features: 10, inputs: []}]", "model[0].inputs"),
    ("model: [{type: Linear, out_features: 10, repeat: 0}]", "model[0].repeat"),
    ("model: [{type: Linear, out_features: 10, init: {weight: normal}}]", "model[0].init.weight"),
    ("model: [{type: Linear, out_features: 10, init: zeros_}]", "model[0].init"),
    ("model: [{type: Linear, out_features: 10, scale: 2}]", "model[0]"),  # of a loss
    ("model: [{type: Dropout, p: 1.5}]", "model[0].p"),
    ("model: [{type: Conv2d, out_channels: 1, kernel_size: [3, 3, 3]}]", "model[0].kernel_size"),
    ("model: [{type: Conv2d, out_channels: 1, kernel_size: 3, padding: smae}]", "model[0].padding"),
    ("model: [{type: GELU, approximate: Tanh}]", "model[0].approximate"),
    ("model: [{type: Sequential, modules: [ReLU]}]", "model[0]"),
    ("model: [{type: Sequential, layers: ReLU}]", "model[0].layers"),
    ("model: [{type: Sequential, layers: [{type: Dropout, p: x}]}]", "model[0].layers[0].p"),
    ("model: [{type: ModuleDict, modules: [ReLU]}]", "model[0].modules"),
    ("model: [{type: ModuleDict, modules: {a: Rel}}]", "model[0].modules.a"),
    ("model: [{type: ParameterList, values: [{shape: [1]}]}]", "model[0].values[0]"),
    ("model: [{type: ParameterDict, parameters: {a: {init: ones_}}}]", "model[0].parameters.a"),
    ("model: [{use: a, out_features: 3}]", "model[0]"),
    ("model: [[ReLU]]", "model[0]"),
    ("model: [CrossEntropyLoss]", "model[0]"),
    ("model: {type: ReLU}", "model"),
    ("loss: CrossEntropy", "loss"),
    ("loss: {type: CrossEntropyLoss, reduction: avg}", "loss.reduction"),
    ("loss: {type: CrossEntropyLoss, label_smoothing: 2}", "loss.label_smoothing"),
    ("loss: {weight: [1, 2]}", "loss"),
    ("loss: [MSELoss, {scale: 2}]", "loss[1]"),
    ("loss: []", "loss"),
    ("optimizer: adam", "optimizer"),
    ("optimizer: {type: Adamw}", "optimizer.type"),
    ("optimizer: {lr: 0.1}", "optimizer"),
    ("optimizer: {type: SGD, lr: -1}", "optimizer.lr"),
    ("optimizer: {type: SGD, lr: 1e-3x}", "optimizer.lr"),
    ("optimizer: {type: SGD, betas: [0.9, 0.99]}", "optimizer"),
    ("optimizer: {type: AdamW, betas: [0.9]}", "optimizer.betas"),
    ("optimizer: {type: AdamW, betas: [0.9, 1.0]}", "optimizer.betas[1]"),
    ("optimizer: {type: SGD, groups: [{lr: 0.1}]}", "optimizer.groups[0]"),
    ("optimizer: {type: SGD, groups: [{match: a, type: SGD}]}", "optimizer.groups[0]"),
    ("optimizer: {type: SGD, groups: [{match: a, lr: -1}]}", "optimizer.groups[0].lr"),
    ("optimizer: {type: LBFGS, groups: [{match: a, lr: 1}]}", "optimizer.groups"),
    ("loop: {lr: 0.1}", "loop"),
    ("loop: {epochs: 0}", "loop.epochs"),
    ("loop: {metrics: accuracy}", "loop.metrics"),
    ("loop: {metrics: [Accuracy]}", "loop.metrics[0]"),
    ("loop: {metrics: [top_k]}", "loop.metrics[0]"),
    ("loop: {metrics: [{type: top_k}]}", "loop.metrics[0]"),
    ("loop: {metrics: [{type: f1, average: none}]}", "loop.metrics[0].average"),
    ("loop: {metrics: [{type: f1, scale: 1}]}", "loop.metrics[0]"),
    ("data: Digits", "data"),
    ("data: {source: MNIST}", "data.source"),
    ("data: {source: CSV}", "data.source"),  # needs path
    ("data: {source: {type: CSV}}", "data.source"),
    ("data: {source: {type: Pairs, source: {type: CSV}}}", "data.source.source"),
    ("data: {split: {train: 1}}", "data"),
    ("data: {source: Digits, inputs: {}}", "data.inputs"),
    ("data: {source: Digits, inputs: {x: {dtype: float}}}", "data.inputs.x"),
    ("data: {source: Digits, targets: {y: {columns: label, dtype: int}}}", "data.targets.y.dtype"),
    ("data: {source: Digits, split: {train: 80}}", "data.split.train"),
    ("dtype: float16", "dtype"),
    ("seed: -1", "seed"),
    ("name: my run", "name"),
    ("epochs: 3", ""),
]


@pytest.mark.parametrize(("text", "place"), COMMON, ids=[text for text, _ in COMMON])
def test_a_common_mistake_is_refused_at_its_place(text: str, place: str) -> None:
    assert reading(config(text)).problems
    assert refused(config(text)) == {at(place)}


@pytest.mark.parametrize("key", ["data", "model", "loss", "optimizer"])
def test_a_section_is_missing(key: str) -> None:
    data = config("")
    del data[key]
    assert refused(data) == {()}


UNSEEN = [
    r"must be a finite number",  # JSON Schema has no word for infinities
    r"expected a whole number.*\b\d+\.0\b",  # 1.0 is an integer in JSON
    r"expected a name .*, got '.*[^\x00-\x7f].*'",  # which letters Python's names have
    r"nesterov needs|sum to|exclude each other|needs a stride of 1",  # rules between keys
    r"must not be negative where|must be one number, or|two numbers for each dimension",
    r"a run needs an end|has nothing to add up",  # and between those of the loop
    r"a delimiter is one character|of one length|no such user",  # rules that only code can say
]
"""What the reader says of mistakes that the schema lets pass."""


def agree(result: Reading, data: Any) -> None:
    """Hold the schema to the reader: what it refuses is wrong; what it lets pass is right, or among the unseen."""
    found = refused(data)
    assert result.problems or not found, f"refused by the schema alone, at {found}: {data}"
    if not found:
        for problem in result.problems:
            assert any(re.search(text, problem.message) for text in UNSEEN), f"{problem}: {data}"


@pytest.mark.parametrize(("lines", "messages"), cases(MISTAKES))
def test_the_schema_and_the_reader_agree_on_mistakes(lines: str, messages: list[str]) -> None:
    document = loads(text_of(lines), "f.yaml")
    data = listed_data(document.data)
    result = read(document)
    agree(result, data)
    there = {(), *places(data)}
    problems = set()
    for problem in result.problems:
        path = problem.path
        while path not in there:  # what a shorthand stands for is not in the file
            path = path[:-1]
        problems.add(path)
    for place in refused(data):
        assert any(place[: len(path)] == path[: len(place)] for path in problems), (place, problems)


OTHERS: list[Any] = [None, True, -1, 0.5, "x", [], ["x"], {"x": 1}]
"""What each value of a config is replaced by."""


def changes(data: dict[str, Any], place: Place) -> Iterator[dict[str, Any]]:
    """The config with a value left out, under another key, or replaced."""
    for other in OTHERS:
        new, parent = put(data, place)
        parent[place[-1]] = other
        yield new
    new, parent = put(data, place)
    value = parent.pop(place[-1])
    yield new
    if isinstance(parent, dict):
        parent["zzzz"] = value
        yield new


@pytest.mark.parametrize("text", FORMS)
def test_the_schema_and_the_reader_agree_on_any_change(text: str) -> None:
    for place in sites(text):
        for data in changes(form(text), place):
            agree(reading(data), data)


@settings(max_examples=100, derandomize=True, deadline=None, database=None)
@given(data=mutations())
def test_the_schema_and_the_reader_agree_whatever_stands_in_a_config(data: dict[str, Any]) -> None:
    agree(reading(data), data)


@pytest.mark.parametrize("text", FORMS)
def test_a_reference_may_stand_for_any_value(text: str) -> None:
    for place in sites(text):
        for reference in ("${vars.hidden}", "a ${vars.b} c"):
            data, parent = put(form(text), place)
            parent[place[-1]] = reference
            assert refused(data) == set(), place


@pytest.mark.parametrize("text", ["$vars.hidden", "{vars.hidden}", "${vars.hidden"])
def test_what_is_hardly_a_reference_is_refused(text: str) -> None:
    assert refused(config(f"seed: '{text}'")) == {("seed",)}


def test_vars_take_anything() -> None:
    assert refused(config("vars: {hidden: 64, my-list: [1, null], deep: {a: {b: ReLU}}}")) == set()
    assert refused(config("vars:")) == set()
    assert refused(config("vars: 3")) == {("vars",)}


@pytest.mark.parametrize("text", FORMS)
def test_a_config_that_extends_another_may_say_any_part(text: str) -> None:
    part = {"extends": "base.yaml"} | listed_data(loads(text, "f.yaml").data)
    assert refused(part) == set()
    for place in sites(text):
        if not any(isinstance(key, int) for key in place):  # lists are not merged
            data, parent = put(part, place)
            del parent[place[-1]]
            if place[:2] != ("data", "inputs") or data["data"].get("inputs"):  # nobody extends by an empty mapping
                assert refused(data) == set(), place


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("optimizer: {type: SGD, lr: -1}", "optimizer.lr"),
        ("optimizer: {type: Sgd}", "optimizer.type"),
        ("data: {source: {type: CSV, pth: a}}", "data.source"),
        ("data: {spilt: {train: 0.5}}", "data"),
        ("model: [{type: Linear}]", "model[0]"),  # lists are not merged
        ("loss: [{scale: 2}]", "loss[0]"),
        ("loop: {epoch: 3}", "loop"),
        ("epochs: 3", ""),
    ],
)
def test_a_config_that_extends_another_is_checked(text: str, place: str) -> None:
    data = listed_data(loads(f"extends: base.yaml\n{text}", "f.yaml").data)
    assert refused(data) == {at(place)}


@pytest.mark.parametrize("value", ["3", "[a.yaml]", "{}"])
def test_extends_is_a_path(value: str) -> None:
    assert refused(config(f"extends: {value}")) == {("extends",)}
