"""Tracing: names, inferred arguments, what each call reads, and every mistake at once, each in its place."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pytest

from declnet.activations.relu import ReLU
from declnet.core.component import Loss, Module
from declnet.core.spec import Spec
from declnet.core.wrapper import Node, Term, Wrapper
from declnet.errors import Path, dotted
from declnet.layers.linear import Linear
from declnet.losses.cross_entropy import CrossEntropyLoss
from declnet.losses.huber import HuberLoss
from declnet.losses.mse import MSELoss
from declnet.operations.flatten import Flatten
from declnet.plan.graph import Call, Graph
from declnet.plan.trace import trace
from declnet.wrappers.sequential import Sequential
from plan.parts import Add, Distance, Fold, Gain, Lookup, Mul, Norm, Pair, Ranking

Entry = Module | list["Entry"] | tuple["Module | list[Entry] | None", dict[str, object]]
"""A component, a block of entries, or one of these with the node's own keys; None is an entry that was wrong."""

X, XZ = {"x": Spec((3, 4))}, {"x": Spec((3, 4)), "z": Spec((3, 4))}
Y, LABELS = {"y": Spec((3, 2))}, {"y": Spec((3,), "int")}
MSE = [Term(MSELoss(), ("loss",))]


def nodes(entries: Sequence[Entry], path: Path = ("model",)) -> tuple[Node, ...]:
    """What the config makes of a list of components."""
    made = []
    for index, entry in enumerate(entries):
        own, keys = entry if isinstance(entry, tuple) else (entry, {})
        here = (*path, index)
        component: Module | Wrapper | None
        component = Sequential(layers=nodes(own, (*here, "layers"))) if isinstance(own, list) else own
        made.append(Node(component, here, **keys))  # type: ignore[arg-type] # a test's own keys
    return tuple(made)


def traced(
    entries: Sequence[Entry],
    terms: Sequence[Term] = MSE,
    inputs: Mapping[str, Spec] = X,
    targets: Mapping[str, Spec] = Y,
) -> Graph:
    return trace(nodes(entries), terms, inputs, targets)


def sound(*args: object, **kwargs: object) -> Graph:
    graph = traced(*args, **kwargs)  # type: ignore[arg-type]
    assert graph.problems == []
    return graph


def problems(graph: Graph) -> list[tuple[str, str]]:
    return [(dotted(problem.path), problem.message) for problem in graph.problems]


def reads(graph: Graph) -> dict[str, list[str]]:
    """What each call reads: data fields by name, values by the call that makes them."""
    names = {value: name for name, value in graph.inputs.items()}
    names |= {call.output: call.name for call in graph.calls}
    return {call.name: [names[value] for value in call.inputs] for call in graph.calls}


def linear(out_features: int, **settings: object) -> Linear:
    return Linear(out_features=out_features, **settings)  # type: ignore[arg-type]


def term(loss: Loss, **settings: object) -> Term:
    return Term(loss, ("loss",), **settings)  # type: ignore[arg-type]


def test_parameters_are_called_as_in_pytorch() -> None:
    graph = sound(
        [
            linear(6),
            ([linear(4, bias=False), ReLU(), [Norm(), (Gain(), {"name": "gain"})]], {"name": "encoder"}),
            [Norm()],
            (linear(2), {"name": "head"}),
        ]
    )
    assert [*graph.parameters] == [
        "0.weight",
        "0.bias",
        "encoder.0.weight",
        "encoder.2.0.weight",
        "encoder.2.gain.gain",
        "2.0.weight",
        "head.weight",
        "head.bias",
    ]
    assert [*graph.buffers] == [
        f"{norm}.{name}" for norm in ("encoder.2.0", "2.0") for name in ("mean", "var", "count")
    ]
    assert [parameter.shape for parameter in graph.parameters.values()][:3] == [(6, 4), (6,), (4, 6)]
    assert [call.owner for call in graph.calls[:-1]] == [call.name for call in graph.calls[:-1]]
    assert graph.trained() == [*graph.parameters]


def test_what_was_left_out_is_filled_in() -> None:
    first, second = linear(6), linear(2, in_features=6)
    graph = sound([first, [second]])
    assert [call.component for call in graph.calls[:2]] == [linear(6, in_features=4), second]
    assert first.in_features is None


def test_specs_and_origins_of_values() -> None:
    graph = sound([linear(6), [(Fold(), {"name": "fold"}), Flatten(), linear(2)]])
    assert [(str(spec), origin) for spec, origin in zip(graph.specs, graph.origins, strict=True)] == [
        ("(3, 4)", "data.inputs.x"),
        ("(3, 6)", "model[0]"),
        ("(3, 3, 2)", "model[1].layers[0]"),
        ("(3, 6)", "model[1].layers[1]"),
        ("(3, 2)", "model[1].layers[2]"),
        ("(3, 2)", "data.targets.y"),
        ("()", "loss"),
    ]
    assert (graph.output, graph.inputs, graph.terms) == (4, {"x": 0, "y": 5}, [(6, 1.0)])


@pytest.mark.parametrize(
    ("entries", "expected"),
    [
        ([linear(4), ReLU(), linear(2)], {"0": ["x"], "1": ["0"], "2": ["1"], "loss": ["2", "y"]}),
        (
            [(linear(2), {"name": "a"}), (linear(2), {"inputs": ("z",)}), (Mul(), {"inputs": ("1", "a")})],
            {"a": ["x"], "1": ["z"], "2": ["1", "a"], "loss": ["2", "y"]},
        ),
        (
            [(Pair(out_features=2), {"inputs": {"input2": "x", "input1": "z"}})],
            {"0": ["z", "x"], "loss": ["0", "y"]},
        ),
        (
            [(Add(), {"inputs": ("x", "x", "z")}), (Add(), {"inputs": {"inputs": "0"}}), linear(2)],
            {"0": ["x", "x", "z"], "1": ["0"], "2": ["1"], "loss": ["2", "y"]},
        ),
        # A block: its input has a name inside, and inner values have none outside.
        (
            [
                ([(linear(4), {"name": "a"}), (Add(), {"inputs": ("input", "a")})], {"name": "block"}),
                (Add(), {"inputs": {"inputs": "block"}}),
                ([linear(2)], {"inputs": {"input": "x"}}),
            ],
            {"block.a": ["x"], "block.1": ["x", "block.a"], "1": ["block.1"], "2.0": ["x"], "loss": ["2.0", "y"]},
        ),
        # An empty block is its input; its name is another one for that.
        (
            [([], {"name": "same"}), (Mul(), {"inputs": ("same", "x")}), linear(2)],
            {"1": ["x", "x"], "2": ["1"], "loss": ["2", "y"]},
        ),
        # Indices count all entries; inner names may repeat outer ones.
        (
            [(linear(4), {"name": "a"}), [(linear(4), {"name": "a"}), linear(4)], (linear(2), {"inputs": ("a",)})],
            {"a": ["x"], "1.a": ["a"], "1.1": ["1.a"], "2": ["a"], "loss": ["2", "y"]},
        ),
    ],
)
def test_what_each_call_reads(entries: list[Entry], expected: dict[str, list[str]]) -> None:
    first, *rest = entries  # of two data fields, the first component says which it takes
    keys = first[1] if isinstance(first, tuple) else {}
    own = first[0] if isinstance(first, tuple) else first
    entries = [(own, {"inputs": ("x",)} | keys), *rest]
    assert reads(sound(entries, inputs=XZ)) == expected


def test_terms_of_the_loss() -> None:
    """By default the output and the first target, whatever else there is; each with its scale."""
    terms = [
        term(CrossEntropyLoss()),
        Term(Distance(), ("loss", 1), ("z", "x"), 0.5),
        Term(Ranking(), ("loss", 2), {"other": "w", "second": "x", "first": "z"}, -2.0),
    ]
    targets = LABELS | {"w": Spec((3, 4))}
    graph = sound([(linear(2), {"inputs": ("z",)})], terms, XZ, targets)
    assert [call.inputs for call in graph.calls[1:]] == [(2, 3), (1, 0), (1, 0, 4)]
    assert [(graph.calls[1 + i].output, scale) for i, scale in enumerate((1.0, 0.5, -2.0))] == graph.terms
    assert graph.needed(training=True) == graph.calls


def test_what_runs_is_what_the_loss_and_in_evaluation_the_output_depend_on() -> None:
    graph = sound(
        [(linear(2), {"name": "a"}), (linear(4), {"inputs": ("x",)}), (ReLU(), {"inputs": ("a",)}), linear(2)],
        [term(Distance(), inputs=("x", "x"))],
    )
    names = {training: [call.name for call in graph.needed(training=training)] for training in (True, False)}
    assert names == {True: ["loss"], False: ["a", "2", "3", "loss"]}
    assert graph.trained() == []


MISTAKES = [
    pytest.param(
        [linear(6, in_features=5), ReLU(), linear(5, in_features=7), [linear(2, in_features=3)]],
        [
            ("model[0].in_features", "Linear takes 5 features but its input has 4 (from data.inputs.x)"),
            ("model[2].in_features", "Linear takes 7 features but its input has 6 (from model[1])"),
            ("model[3].layers[0].in_features", "Linear takes 3 features but its input has 5 (from model[2])"),
        ],
        id="wrong sizes in several places",
    ),
    pytest.param(
        [(Pair(in1_features=3, in2_features=9, out_features=5), {"inputs": ("x", "x")})],
        [
            ("model[0].in1_features", "Pair takes 3 features but its input has 4 (from data.inputs.x)"),
            ("model[0].in2_features", "Pair takes 9 features but its input has 4 (from data.inputs.x)"),
            (
                "loss",
                "MSELoss compares arrays of one shape but its input is (3, 5) and its target (3, 2) "
                "(from data.targets.y)",
            ),
        ],
        id="two wrong sizes in one component, and the loss",
    ),
    pytest.param(
        [Flatten(start_dim=2), linear(2), (linear(9, in_features=1), {"inputs": ("x",)})],
        [
            (
                "model[0].start_dim",
                "Flatten needs a dimension 2 but its input (3, 4) has 2; start_dim may be -2 to 1 "
                "(from data.inputs.x)",
            ),
            ("model[2].in_features", "Linear takes 1 features but its input has 4 (from data.inputs.x)"),
            (
                "loss",
                "MSELoss compares arrays of one shape but its input is (3, 9) and its target (3, 2) "
                "(from data.targets.y)",
            ),
        ],
        id="an argument that cannot be left out: what follows is unknown, the rest is checked",
    ),
    pytest.param(
        [
            (linear(2), {"inputs": ("y",)}),
            (linear(2), {"inputs": ("x",)}),
            (Add(), {"inputs": ("1", "2", "X", "3")}),
            (ReLU(), {"inputs": ("1",), "name": "last"}),
        ],
        [
            ("model[0].inputs[0]", "'y' is a target, which only the loss reads"),
            ("model[2].inputs[1]", "'2' comes later, at model[2]; only what is before can be read"),
            ("model[2].inputs[2]", "nothing before it is called 'X'; did you mean 'x'?"),
            ("model[2].inputs[3]", "nothing before it is called '3'; there is x, 0 and 1"),
        ],
        id="targets, itself, another case and later ones cannot be read",
    ),
    pytest.param(
        [
            (linear(4), {"name": "a"}),
            [(ReLU(), {"inputs": ("a",)}), (Add(), {"inputs": ("input", "x", "0")}), linear(2)],
            (linear(2), {"inputs": ("2",)}),
        ],
        [
            (
                "model[1].layers[0].inputs[0]",
                "'a' is outside the block, which sees only its own names: input; 'input' is what the block reads",
            ),
            (
                "model[1].layers[1].inputs[1]",
                "'x' is outside the block, which sees only its own names: input and 0; "
                "'input' is what the block reads",
            ),
            ("model[2].inputs[0]", "'2' comes later, at model[2]; only what is before can be read"),
        ],
        id="a block hides outer names, and its own",
    ),
    pytest.param(
        [
            (Mul(), {"inputs": ("x",)}),
            (linear(2), {"inputs": ("x", "x")}),
            (linear(2), {"inputs": ()}),
            (Pair(out_features=2), {"inputs": {"input1": "x", "other": "x"}}),
            (Pair(out_features=2), {"inputs": {"input1": "x"}}),
            (linear(2), {"inputs": {"x": "x"}}),
            Mul(),
        ],
        [
            ("model[0].inputs", "Mul takes 2 inputs (input, other) but gets 1"),
            ("model[1].inputs", "Linear takes 1 input (input) but gets 2"),
            ("model[2].inputs", "Linear takes 1 input (input) but gets 0"),
            ("model[3].inputs", "inputs are input1, input2; got input1, other"),
            ("model[4].inputs", "inputs are input1, input2; got input1"),
            ("model[5].inputs", "inputs are input; got x"),
            ("model[6]", "Mul takes 2 inputs (input, other) but gets 1; say with 'inputs' what it reads"),
        ],
        id="wrong numbers and names of inputs",
    ),
    pytest.param(
        [([linear(2)], {"inputs": ("x", "x")}), ([linear(2)], {"inputs": ("x",)})],
        [
            (
                "model[0]",
                "Sequential takes one input but gets 2 (from data.inputs.x and data.inputs.x); "
                "name one with 'inputs'",
            )
        ],
        id="a block takes one input",
    ),
    pytest.param(
        [
            (linear(4), {"name": "a"}),
            (linear(4), {"name": "a"}),
            (linear(4), {"name": "4"}),
            [(ReLU(), {"name": "input"}), (ReLU(), {"name": "b"}), (ReLU(), {"name": "b"})],
            (linear(2), {"name": "x"}),
        ],
        [
            ("model[1].name", "two components are called 'a'; give one another name"),
            ("model[3].layers[0].name", "'input' is already the name of an input; choose another"),
            ("model[3].layers[2].name", "two components are called 'b'; give one another name"),
            ("model[4].name", "'x' is already the name of an input; choose another"),
        ],
        id="names that are taken",
    ),
    pytest.param(
        [(linear(2), {"name": "1"}), linear(2)],
        [("model[1].name", "two components are called '1'; give one another name")],
        id="a name that is an index",
    ),
    pytest.param(
        [
            (None, {}),
            linear(2),
            (None, {"name": "a"}),
            (Add(), {"inputs": ("a", "x", "b")}),
            (linear(2), {"inputs": ("x",)}),
        ],
        [("model[3].inputs[2]", "nothing before it is called 'b'; there is x, 0, 1 and a")],
        id="behind a mistake that the config reported",
    ),
    pytest.param(
        [(Lookup(rows=3, width=2), {}), (Add(), {"inputs": ("x", "x")}), [Norm(), Fold(), linear(2)]],
        [
            ("model[0]", "Lookup takes integers but its input holds floats (from data.inputs.x)"),
            (
                "loss",
                "MSELoss compares arrays of one shape but its input is (3, 2, 2) and its target (3, 2) "
                "(from data.targets.y)",
            ),
        ],
        id="wrong kind of number",
    ),
]


@pytest.mark.parametrize(("entries", "expected"), MISTAKES)
def test_every_mistake_at_once(entries: list[Entry], expected: list[tuple[str, str]]) -> None:
    assert problems(traced(entries)) == expected


SAME = "MSELoss compares arrays of one shape but its input is (3, 2) and its target"


@pytest.mark.parametrize(
    ("terms", "targets", "expected"),
    [
        pytest.param(MSE, {}, [("loss", "MSELoss needs a target; declare data.targets")], id="no target"),
        pytest.param(
            [term(HuberLoss())],
            LABELS,
            [("loss", "HuberLoss takes floating-point numbers but its target holds ints (from data.targets.y)")],
            id="kind",
        ),
        pytest.param(MSE, LABELS, [("loss", f"{SAME} (3,) int (from data.targets.y)")], id="kind and shape"),
        pytest.param(
            [term(CrossEntropyLoss())],
            {"y": Spec((3,))},
            [
                (
                    "loss",
                    "CrossEntropyLoss takes class indices as integers but its target holds floats; make the data "
                    "field {columns: ..., dtype: int64} where the column holds them, {columns: ..., transforms: "
                    "[ClassLabels]} where it holds names (from data.targets.y)",
                )
            ],
            id="labels that are floats",
        ),
        pytest.param(MSE, {"y": Spec((3,))}, [("loss", f"{SAME} (3,) (from data.targets.y)")], id="shape"),
        pytest.param(
            [term(Ranking())],
            Y,
            [
                (
                    "loss",
                    "Ranking takes 3 inputs: first, second, other; the model ends in 1 value, "
                    "so name them with 'inputs'",
                )
            ],
            id="three inputs",
        ),
        pytest.param(
            [term(Ranking(), inputs=("y", "y"))],
            Y,
            [("loss.inputs", "Ranking takes 3 inputs (first, second, other) but gets 2")],
            id="two of three inputs",
        ),
        pytest.param(
            [term(MSELoss(), inputs={"input": "x", "targets": "y"}), Term(MSELoss(), ("loss", 1), ("nope", "y"))],
            Y,
            [
                ("loss.inputs.targets", "inputs are input, target; got input, targets"),
                ("loss[1].inputs[0]", "nothing before it is called 'nope'; there is x, 0 and y"),
            ],
            id="names",
        ),
        pytest.param(
            [term(Distance(reduction="none")), Term(MSELoss(reduction="none"), ("loss", 1))],
            Y,
            [
                (
                    f"{path}.reduction",
                    f"{loss} gives one number for each row; to train it must be reduced: mean or sum",
                )
                for path, loss in (("loss", "Distance"), ("loss[1]", "MSELoss"))
            ],
            id="not reduced",
        ),
        pytest.param(
            [term(CrossEntropyLoss(weight=(1.0, 2.0, 3.0)))],
            {"y": Spec((4,), "int")},
            [
                ("loss.weight", "weight has 3 numbers but the input (3, 2) has 2 classes"),
                (
                    "loss",
                    "CrossEntropyLoss takes class indices (3,) int or class probabilities (3, 2) for an "
                    "input (3, 2), but its target is (4,) int (from data.targets.y)",
                ),
            ],
            id="an argument and a shape",
        ),
    ],
)
def test_mistakes_in_the_loss(terms: list[Term], targets: dict[str, Spec], expected: list[tuple[str, str]]) -> None:
    graph = traced([linear(2)], terms, targets=targets)
    assert problems(graph) == expected
    assert [call.name for call in graph.calls][:1] == ["0"]


SOURCES = "(from data.inputs.x and data.inputs.z)"
LINEAR = f"Linear takes 1 input (input) but gets 2 {SOURCES}; say with 'inputs' what it reads"
BLOCK = f"Sequential takes one input but gets 2 {SOURCES}; name one with 'inputs'"


@pytest.mark.parametrize(
    ("first", "message"), [(linear(2), LINEAR), ([linear(2)], BLOCK), ((linear(2), {"name": "a"}), LINEAR)]
)
def test_the_first_component_says_which_of_several_fields_it_reads(first: Entry, message: str) -> None:
    """What follows is unknown, but for what names its inputs."""
    graph = traced([first, ReLU(), (linear(2, in_features=3), {"inputs": ("z",)})], inputs=XZ)
    assert problems(graph) == [
        ("model[0]", message),
        ("model[2].in_features", "Linear takes 3 features but its input has 4 (from data.inputs.z)"),
    ]


def test_a_loss_reads_values_by_name() -> None:
    graph = sound([(linear(4), {"name": "a"}), linear(2)], [term(Distance(), inputs=("a", "x"))])
    assert reads(graph)["loss"] == ["a", "x"]


def test_a_component_is_not_called_as_a_target() -> None:
    graph = traced([(linear(2), {"name": "y"}), [(ReLU(), {"name": "y"})]])
    assert problems(graph) == [("model[0].name", "'y' is already the name of a target; choose another")]


def test_one_mistake_is_not_two() -> None:
    """Which inputs an unknown component has is unknown too."""
    assert problems(traced([(None, {"inputs": {"input1": "x", "input2": "x"}})])) == []


def test_an_input_given_by_name_is_marked_by_name() -> None:
    graph = traced([(Pair(out_features=2), {"inputs": {"input1": "x", "input2": "nope"}})])
    assert problems(graph) == [("model[0].inputs.input2", "nothing before it is called 'nope'; there is x")]


def test_a_block_is_checked_inside_whatever_it_reads() -> None:
    graph = traced([([(linear(2), {"inputs": ("nope",)})], {"inputs": {"x": "x"}})])
    assert problems(graph) == [
        ("model[0].inputs", "inputs are input; got x"),
        ("model[0].layers[0].inputs[0]", "nothing before it is called 'nope'; there is input"),
    ]


def test_nothing_is_made_of_what_is_unknown() -> None:
    """A call that has a mistake is not there; its parameters neither."""
    graph = traced(
        [(linear(2), {"inputs": ("nope",)}), ReLU(), (linear(2), {"inputs": ("x",)}), Flatten(start_dim=9)]
    )
    assert [(call.name, call.inputs) for call in graph.calls] == [("2", (0,))]
    assert [*graph.parameters] == ["2.weight", "2.bias"]
    assert (graph.output, graph.terms) == (None, [])


def test_the_graph_does_not_depend_on_the_batch() -> None:
    def calls(batch: int) -> list[Call]:
        return sound(
            [linear(4), Norm(), [linear(2)]], inputs={"x": Spec((batch, 4))}, targets={"y": Spec((batch, 2))}
        ).calls

    assert calls(1) == calls(64)
