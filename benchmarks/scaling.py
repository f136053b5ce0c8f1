"""How the time of a step grows with batch, width and depth: workloads, and plots of what came of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from benchmarks.forms import FUSED
from benchmarks.frame import OURS, Result
from benchmarks.steps import Steps

if TYPE_CHECKING:
    from matplotlib.axes import Axes

GROUP: Final = "scaling"


class Series(NamedTuple):
    """One thing of a network varied, the others as given: a panel of a plot."""

    varied: str
    values: Sequence[int]
    fixed: Mapping[str, int]


PLOTS: Final[Mapping[str, Sequence[Series]]] = {
    "wide_mlp": (
        Series("batch", (1, 4, 16, 64, 256, 1024), {"width": 256, "depth": 1}),
        Series("width", (16, 64, 256, 1024), {"batch": 64, "depth": 1}),
        Series("depth", (1, 4, 16, 64), {"batch": 64, "width": 128}),
    ),
    "residual_cnn": (
        Series("batch", (1, 2, 4, 8, 16), {"width": 32, "depth": 1}),
        Series("width", (8, 16, 32, 64), {"batch": 4, "depth": 1}),
        Series("depth", (1, 2, 4, 8), {"batch": 4, "width": 16}),
    ),
}
"""By network. `batch` is the size of a batch; the other names are settings of the network."""

NAMES: Final = {"wide_mlp": "MLP", "residual_cnn": "residual CNN, images of 32x32"}

COLOURS: Final = {OURS: "#2f80ed", FUSED: "#e8710a"}
GREY: Final = "#8a8f98"
"""These are read well on white and on black."""


def points(network: str, series: Series) -> list[Steps]:
    """A workload for each value."""
    found = []
    for value in series.values:
        settings = {**series.fixed, series.varied: value}
        written = ", ".join(f"{name} {number}" for name, number in settings.items())
        batch = settings.pop("batch")
        found.append(
            Steps(
                name=f"{GROUP}-{network.replace('_', '-')}-{series.varied}-{value}",
                title=f"{NAMES[network]}: {written}",
                group=GROUP,
                network=network,
                batch=batch,
                settings=settings,
                forms=(FUSED,),
            )
        )
    return found


def workloads() -> Iterator[Steps]:
    """Of all plots."""
    for network, panels in PLOTS.items():
        for series in panels:
            yield from points(network, series)


def draw(folder: Path, results: Sequence[Result]) -> list[Path]:
    """Write `scaling-NETWORK.svg` for each network of which every point was measured; the files."""
    import matplotlib as mpl

    mpl.use("svg")
    mpl.rcParams["svg.hashsalt"] = GROUP  # names inside the file are the same each time
    mpl.rcParams["svg.fonttype"] = "none"  # text stays text
    from matplotlib import pyplot

    # With several numbers of threads, of the largest.
    by_name = {result.name: result for result in sorted(results, key=lambda result: result.threads)}
    written = []
    for network, panels in PLOTS.items():
        rows = [[by_name.get(point.name) for point in points(network, series)] for series in panels]
        if not all(result is not None and set(COLOURS) <= result.seconds.keys() for row in rows for result in row):
            continue
        figure, axes = pyplot.subplots(1, len(panels), figsize=(9, 2.8), layout="constrained")
        for axis, series, row in zip(axes, panels, rows, strict=True):
            _panel(axis, series, [result for result in row if result is not None])
        axes[0].set_ylabel("a step, ms", color=GREY)
        axes[0].legend(frameon=False, labelcolor=GREY, fontsize=8)
        threads = next(result.threads for row in rows for result in row if result is not None)
        figure.suptitle(f"{NAMES[network]}, {threads} thread{'s' * (threads > 1)}", color=GREY, fontsize=10)
        file = folder / f"scaling-{network.replace('_', '-')}.svg"
        figure.savefig(file, transparent=True, metadata={"Date": None})
        pyplot.close(figure)
        written.append(file)
    return written


def _panel(axis: Axes, series: Series, results: Sequence[Result]) -> None:
    """The time of a step of each side, against what is varied."""
    from matplotlib.ticker import LogLocator

    for side, colour in COLOURS.items():
        times = [median(result.seconds[side]) * 1e3 for result in results]
        axis.plot(series.values, times, color=colour, marker="o", markersize=3, label=side)
    axis.set_xscale("log", base=2)
    axis.set_yscale("log")
    axis.set_xticks(series.values, [str(value) for value in series.values])
    fixed = ", ".join(f"{name} {number}" for name, number in series.fixed.items())
    axis.set_xlabel(f"{series.varied} ({fixed})", color=GREY, fontsize=8)
    axis.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axis.yaxis.set_major_formatter(lambda value, _: f"{value:g}")
    axis.minorticks_off()
    style: Any = {"colors": GREY, "labelsize": 8}
    axis.tick_params(**style)
    axis.grid(color=GREY, alpha=0.25, linewidth=0.5)
    for spine in axis.spines.values():
        spine.set_color(GREY)
