from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks import page, record, scaling
from benchmarks.frame import OURS, Result
from benchmarks.limits import MEMORY, OPERATIONS
from benchmarks.overhead import ALONE, NODES
from benchmarks.report import details, duration, memory, sides, summary, troubles, verdict

HERE = {"CPU": "a CPU", "cores": "2", "Python": "3.11", "numpy": "2.4", "torch": "2.13", "load before": "0.1"}

TWICE = "2.00 (2.00 to 2.00)"


def result(threads: int = 1, goal: float | None = 1.5, ours: float = 0.002, theirs: float = 0.004) -> Result:
    return Result("step-x", "A step", "steps", goal, threads, {OURS: [ours] * 3, "PyTorch": [theirs] * 3})


def limits() -> Result:
    rates = {OPERATIONS: 1e11, MEMORY: 1e10}
    return Result("machine", "Limits", "machine", None, 1, {OURS: [0.001]}, {OURS: rates})


def beside(ours: float) -> Result:
    return Result("overhead", "Tiny", "overhead", 1e-6, 1, {OURS: [ours], ALONE: [1e-4]}, {OURS: {NODES: 100.0}})


def test_a_row_for_each_side() -> None:
    assert sides(result()) == [
        (OURS, "2 ms", "2 ms", "2 ms", ""),
        ("PyTorch", "4 ms", "4 ms", "4 ms", "2.00 (2.00 to 2.00)"),
    ]
    assert verdict(result()) == "declnet is 2.00 times as fast as the fastest other, PyTorch; the goal is 1.5."


def test_goals_are_met_with_every_number_of_threads_or_not() -> None:
    header = ("workload", "goal", "1 thread", "against", "2 threads", "against", "met")
    both = [result(), result(2)]
    assert summary([limits(), *both]) == [header, ("step-x", "1.5", TWICE, "PyTorch", TWICE, "PyTorch", "yes")]
    assert summary([result(), result(2, theirs=0.0028)])[1][-2:] == ("PyTorch", "no")
    assert summary([result(goal=None)])[1] == ("step-x", "", TWICE, "PyTorch", "")


def test_what_is_wrong_or_failed_meets_no_goal() -> None:
    wrong, failed = result(), result(2)
    wrong.wrong.append("loss: 1 with declnet, 2 with PyTorch")
    failed.failed[OURS] = "killed"
    assert summary([wrong, failed])[1] == ("step-x", "1.5", "wrong", "", "failed", "", "no")
    assert troubles(wrong) == ["WRONG: loss: 1 with declnet, 2 with PyTorch"]
    assert troubles(failed) == ["FAILED: declnet: killed"]


def test_the_overhead_is_of_a_node() -> None:
    assert summary([beside(1.5e-4)])[1] == ("overhead", "1 µs", "0.5 µs a node", "", "yes")
    assert summary([beside(4e-4)])[1] == ("overhead", "1 µs", "3 µs a node", "", "no")
    assert verdict(beside(4e-4)) == "A step takes 3 µs a node beside NumPy."


def test_rates_are_held_against_the_limits() -> None:
    found = result()
    found.facts = {
        OURS: {"operations": 1e8, "peak memory, bytes": 5e6, "allocated at most, bytes": 300, "blocks kept": 0},
        "PyTorch": {"peak memory, bytes": 7.5e7},
    }
    assert details(found, limits()) == (
        "50 GFLOP/s, 50% of the limit; peak memory 5 MB, 75 MB with PyTorch; a call allocates 300 B at most, and 0 "
        "blocks stay"
    )
    found.facts = {OURS: {"bytes": 1e7}}
    assert details(found, limits()) == "5 GB/s, 50% of the limit"
    assert details(found, None) == "5 GB/s"


@pytest.mark.parametrize(("seconds", "text"), [(12.34, "12.3 s"), (0.0123, "12.3 ms"), (4.5e-7, "0.45 µs")])
def test_durations(seconds: float, text: str) -> None:
    assert duration(seconds) == text


@pytest.mark.parametrize(("nbytes", "text"), [(12, "12 B"), (1500, "1.5 kB"), (2.5e6, "2.5 MB"), (3e9, "3 GB")])
def test_memory(nbytes: float, text: str) -> None:
    assert memory(nbytes) == text


def test_results_are_read_as_they_were_written(tmp_path: Path) -> None:
    file = tmp_path / "results.json"
    found = [limits(), result(), beside(3e-4)]
    record.write(file, HERE, found)
    assert record.read(file, HERE | {"load before": "5"}) == (HERE, found)


def test_results_of_another_machine_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "results.json"
    record.write(file, HERE, [result()])
    with pytest.raises(record.OtherMachineError, match=r"with numpy 2\.4, and here it is 2\.5"):
        record.read(file, HERE | {"numpy": "2.5"})


def test_the_section_is_rewritten_and_the_rest_stays(tmp_path: Path) -> None:
    file = tmp_path / "page.md"
    file.write_text("# Title\n\n## Results\n\nold\n\n## Behind\n\nstays\n")
    (tmp_path / "scaling-mlp.svg").touch()
    page.write(file, HERE, [limits(), result()])
    first = file.read_text()
    page.write(file, HERE, [limits(), result()])
    assert file.read_text() == first
    assert first.startswith("# Title\n\n## Results\n\n- CPU: a CPU\n")
    assert first.endswith("\n\n## Behind\n\nstays\n")
    assert "old" not in first
    assert "\n![scaling-mlp](scaling-mlp.svg)\n" in first
    assert "- at most, 1 thread: 100 GFLOP/s in products, 10.0 GB/s in copies" in first
    assert "| step-x | 1.5 | 2.00 (2.00 to 2.00) | PyTorch | yes |" in first
    assert "| step-x | 1 | 2 ms (2 ms to 2 ms) | PyTorch 4 ms |" in first


def test_plots_are_drawn_where_all_points_are_there(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib", reason="matplotlib, which draws the plots, is not installed")
    points = [point for series in scaling.PLOTS["wide_mlp"] for point in scaling.points("wide_mlp", series)]
    seconds = {side: [0.001] for side in scaling.COLOURS}
    found = [Result(point.name, point.title, point.group, None, 1, seconds) for point in points]
    assert scaling.draw(tmp_path, found[1:]) == []
    (file,) = scaling.draw(tmp_path, found)
    text = file.read_text()
    assert file.name == "scaling-wide-mlp.svg"
    assert all(word in text for word in ("MLP, 1 thread", "PyTorch fused", "depth (batch 64, width 128)"))
