"""What a config says of its graph, seen by what comes of it: mistakes that only show later, names, and rules."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from declnet.app.validate import _command
from declnet.core.numerics import row_sums
from declnet.errors import ConfigError, Diagnostic, Mark
from declnet.runner.events import Finished
from declnet.runner.experiment import Experiment, load
from declnet.runner.model import Model
from declnet.runner.train import train

END = "loss: CrossEntropyLoss\noptimizer: SGD\nloop: {epochs: 1}\n"


def loaded(model: str, rest: str = END, data: str = "{source: Digits}") -> Experiment:
    Path("c.yaml").write_text(f"data: {data}\nmodel:\n{model}\n{rest}", encoding="utf-8")
    return load("c.yaml")


def test_a_graph_that_fits_one_size_of_batches_is_refused(folder: Path) -> None:
    """The last batch has fewer rows: it would have no loss."""
    with pytest.raises(ConfigError) as caught:
        loaded("  - {type: LayerNorm, normalized_shape: [32, 64]}\n  - {type: Linear, out_features: 10}")
    (item,) = caught.value.diagnostics
    assert item.headline.startswith("c.yaml:3:")
    assert "fits batches of 32 rows alone, and the last may have fewer: with 33 rows, LayerNorm" in item.message


def test_another_width_for_a_used_component_hides_nothing(folder: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        loaded("  - {type: Linear, out_features: 3, name: q}\n  - {use: q}\n  - {type: Add, inputs: [nope, q]}")
    assert [item.path for item in caught.value.diagnostics][:2] == [("model", 1, "use"), ("model", 2, "inputs", 0)]


def test_a_metric_may_look_at_a_target_that_the_loss_does_not_read(folder: Path) -> None:
    rest = END.replace("loss: CrossEntropyLoss", "loss: {type: CrossEntropyLoss, inputs: {target: b}}")
    data = "{source: Digits, inputs: {x: image}, targets: {a: label, b: label}}"
    rest = rest.replace("epochs: 1", "epochs: 1, metrics: [accuracy]")
    *_, last = train(loaded("  - {type: Linear, out_features: 10}", rest, data), folder / "r")
    assert isinstance(last, Finished)


def test_values_called_like_the_arguments_of_a_loss_are_meant_by_name(folder: Path) -> None:
    model = "  - {type: Linear, out_features: 2, calls: {negative: n, anchor: a, positive: p}}"
    fields = "{a: anchor_image, p: positive_image, n: negative_image}"
    data = f"{{source: {{type: Triplets, source: Digits}}, inputs: {fields}}}"
    graph = loaded(model, END.replace("CrossEntropyLoss", "TripletMarginLoss"), data).graph(4)
    made = {call.output: call.name for call in graph.calls}
    assert [made[value] for value in graph.calls[-1].inputs] == ["0.anchor", "0.positive", "0.negative"]


def values(experiment: Experiment) -> dict[str, np.ndarray]:
    model = Model(experiment, [(True, 4)], np.random.default_rng(0))
    model.store.initialize(np.random.default_rng(1))
    return model.store.state_dict()


def test_what_is_said_further_inside_wins(folder: Path) -> None:
    """Of first values, a parameter's own among them; of an exact name over a pattern; and of freezing."""
    experiment = loaded(
        "  - type: Sequential\n    name: s\n    freeze: true\n    init: {'*': {type: constant_, val: 7}}\n"
        "    layers:\n"
        "      - {type: ParameterList, name: g, values: [{shape: [64], init: ones_}]}\n"
        "      - {type: Mul, inputs: [input, g.0]}\n"
        "      - {type: Linear, out_features: 10, freeze: false, init: {'*': zeros_, bias: ones_}}"
    )
    found = values(experiment)
    assert [float(found[name].flat[0]) for name in ("s.g.0", "s.2.weight", "s.2.bias")] == [1, 0, 1]
    assert experiment.graph(4).frozen == {"s.g.0"}


def test_parameters_and_components_within_holders(folder: Path) -> None:
    graph = loaded(
        "  - type: ModuleDict\n    name: d\n    modules:\n"
        "      a: {type: ParameterDict, parameters: {w: {shape: [64], init: ones_}}}\n"
        "      p: {type: Sequential, layers: [{type: Linear, out_features: 10}]}\n"
        "  - {type: Mul, inputs: [x, d.a.w]}\n  - {use: d.p.0}"
    ).graph(4)
    assert list(graph.parameters) == ["d.a.w", "d.p.0.weight", "d.p.0.bias"]


def test_a_text_that_looks_like_a_reference_is_written_as_it_was(folder: Path) -> None:
    Path("${q}.csv").write_text("a,b\n" + "1,2\n" * 20, encoding="utf-8")
    data = "{source: {type: CSV, path: '$${q}.csv'}, inputs: [a], targets: [b]}"
    *_, _ = train(
        loaded("  - {type: Linear, out_features: 1}", END.replace("CrossEntropy", "MSE"), data), folder / "r"
    )
    assert "$${q}.csv" in (folder / "r" / "config.yaml").read_text(encoding="utf-8")
    assert load("r/config.yaml").inputs.keys() == {"x"}


def test_a_text_of_the_file_is_no_command_of_github() -> None:
    item = Diagnostic("x\r\n::stop-commands::100%", ("a\n::add-mask::b",), Mark("a,b:c.yaml", 1, 2))
    assert _command(item) == (
        "::error file=a%2Cb%3Ac.yaml,line=1,col=2::a%0A::add-mask::b: x%0D%0A::stop-commands::100%25"
    )


@pytest.mark.parametrize("rows", [0, 1, 128, 129, 8192, 16_385])
def test_sums_over_rows_round_little(rows: int) -> None:
    source, target = np.full((2, rows, 3), 1.1, np.float32), np.full((2, 3), np.nan, np.float32)
    row_sums(source, target)()
    np.testing.assert_allclose(target, rows * float(np.float32(1.1)), rtol=2e-6)
