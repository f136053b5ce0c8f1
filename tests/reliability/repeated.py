"""Determinism and long runs: the same bits from the same config, and an epoch that costs what the first one did."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import chdir
from itertools import pairwise
from pathlib import Path
from typing import Final

import numpy as np

from declnet.app.openblas import NEEDED
from declnet.core.spec import Array
from examples import CONFIGS, pointed_at, write_stand_ins
from reliability.children import CHECKOUT, Children, Ended
from reliability.large_networks import EXACT, SHARED, write_large
from reliability.long_run import Sample
from reliability.promise import Outcome, Promise, Scale
from runner.runs import CHECKPOINTS, lines, summary

Bits = dict[str, object]
"""What a run leaves, without the time it took."""

SEEDS: Final[Mapping[Scale, range]] = {"quick": range(2), "whole": range(10)}
"""Of Python's hashes, which decide on the order of sets."""
SHORT: Final = ("loop.epochs=2", "--run-dir", "r", "-q")
PRINTED: Final = (("schema",), ("list-components", "--json"))
"""Commands whose output is the same each time, too."""

THREADS: Final[Mapping[Scale, tuple[int, ...]]] = {"quick": (1, 2), "whole": (1, 2, 3, 4)}
KERNELS: Final = {"Sandybridge": {"avx"}, "Haswell": {"avx2", "fma"}, "SkylakeX": NEEDED}
"""OpenBLAS's names of what it multiplies matrices with, and the CPU flags that they need."""
ON_THREADS: Final = Path(__file__).with_name("on_threads.py")
NEAR: Final = 1e-3
"""By how much parameters may differ after two epochs, as a share of the largest one of each."""

EPOCHS: Final[Mapping[Scale, int]] = {"quick": 2_000, "whole": 100_000}
LOOKS: Final = 40
LONG_RUN: Final = Path(__file__).with_name("long_run.py")
GROWTH: Final = 1 << 20
"""Bytes that memory may grow by after the first twentieth of the epochs: pages that the allocator keeps."""
REWRITTEN: Final = 4
"""What is written in all, as a multiple of what metrics.jsonl gets longer by: progress and checkpoints too."""
SLOWER: Final = 3
"""Times that an epoch may take in the end; the machine may be busy."""
LONG: Final = """\
name: long
data: {source: {type: NPZ, path: data.npz}, inputs: x, targets: y, split: {val: 0.25, test: 0}}
model: [{type: Linear, out_features: 4}, BatchNorm1d, {type: Dropout, p: 0.1}, {type: Linear, out_features: 1}]
loss: MSELoss
optimizer: {type: Adam, lr: 1e-4}
loop: {batch_size: 8, ema: 0.9, clip_norm: 1}
"""


def bits(ended: Ended, folder: Path) -> Bits:
    """What a run in `r` has left, which is removed."""
    found: Bits = {"exit": ended.rc, "stderr": ended.stderr}
    if ended.rc == 0:
        with chdir(folder):
            for run in map(str, sorted(Path("r").glob("fold-*")) or ["r"]):
                found |= {f"{run}/metrics.jsonl": lines(run), f"{run}/summary.json": summary(run)}
                for name in ("config.yaml", *(f"checkpoints/{checkpoint}" for checkpoint in CHECKPOINTS)):
                    found[f"{run}/{name}"] = Path(run, name).read_bytes()
    shutil.rmtree(folder / "r", ignore_errors=True)
    return found


def hashes(scale: Scale) -> Outcome:
    """Each example, and what lists things, with each seed of the hashes, in programs of their own."""
    failures: list[str] = []
    configs = CONFIGS if scale == "whole" else CONFIGS[::8]
    with tempfile.TemporaryDirectory() as name, Children(loaded=False) as children:
        folder = Path(name)
        write_stand_ins(folder)
        commands = {config.stem: ("train", config, *pointed_at(config, folder), *SHORT) for config in configs}
        commands |= {arguments[0]: arguments for arguments in PRINTED}
        for command, arguments in commands.items():
            results = []
            for seed in SEEDS[scale]:
                ended = children.declnet(folder, *arguments, PYTHONHASHSEED=str(seed))
                left = bits(ended, folder) if arguments[0] == "train" else {"stdout": ended.stdout}
                results.append((ended.rc, left))
            failures += [
                f"{command}, seed {seed}: exit {rc}, {differing(results[0][1], found)}"
                for seed, (rc, found) in enumerate(results)
                if rc or found != results[0][1]
            ]
    seeds = len(SEEDS[scale])
    figures = f"{len(configs)} examples and {len(PRINTED)} commands that list, {seeds} seeds each"
    return Outcome(len(commands) * seeds, failures, figures)


def differing(one: Bits, other: Bits) -> str:
    """Where two differ."""
    return ", ".join(sorted(key for key in one.keys() | other.keys() if one.get(key) != other.get(key)))


def trained(children: Children, folder: Path, text: str, count: int, kernels: str = "") -> Bits:
    """What a config leaves on so many threads."""
    (folder / "c.yaml").write_text(text, "utf-8")
    ended = children.python(folder, ON_THREADS, count, kernels, "train", "c.yaml", "--run-dir", "r", "-q")
    return bits(ended, folder)


def threads(scale: Scale) -> Outcome:
    """Networks whose work is shared, twice on each number of threads."""
    failures: list[str] = []
    chosen = list(EXACT) if scale == "whole" else list(EXACT)[::13]
    with tempfile.TemporaryDirectory() as name, Children(loaded=False) as children:
        folder = Path(name)
        write_large(folder)
        for network in chosen:
            first = trained(children, folder, EXACT[network], 1)
            for count in THREADS[scale]:
                found = trained(children, folder, EXACT[network], count)
                if found["exit"] or found != first:
                    failures.append(f"{network}, {count} threads: {differing(first, found)}; {found['stderr']}")
    figures = f"{len(chosen)} networks on {', '.join(map(str, THREADS[scale]))} threads, beside a first run on one"
    return Outcome(len(chosen) * len(THREADS[scale]), failures, figures)


def parameters(found: Bits, folder: Path) -> dict[str, Array]:
    """Those of the last checkpoint."""
    (folder / "last.npz").write_bytes(bytes(found["r/checkpoints/last.npz"]))  # type: ignore[call-overload]
    with np.load(folder / "last.npz") as saved:
        names = [name for name in saved.files if name.startswith("model/") and saved[name].dtype.kind == "f"]
        return {name: saved[name] for name in names}


def distance(one: Bits, other: Bits, folder: Path) -> float:
    """By how much parameters differ at most, as a share of the largest one of each."""
    first, second = parameters(one, folder), parameters(other, folder)
    return max(float(np.abs(first[key] - second[key]).max() / np.abs(first[key]).max()) for key in first)


def kernels() -> list[str]:
    """Those that this CPU can run."""
    flags = set(Path("/proc/cpuinfo").read_text("ascii", "replace").split())
    return [name for name, needed in KERNELS.items() if needed <= flags]


def elsewhere(scale: Scale) -> Outcome:
    """What may differ: products that OpenBLAS shares, and everything on other kernels."""
    failures: list[str] = []
    alike: dict[str, list[bool]] = defaultdict(list)
    most: dict[str, float] = defaultdict(float)
    networks = {**SHARED, **{name: EXACT[name] for name in ("Conv2d", "activations", "Embedding, Adam")}}
    chosen = networks if scale == "whole" else {"Linear": SHARED["Linear"]}
    with tempfile.TemporaryDirectory() as name, Children(loaded=False) as children:
        folder = Path(name)
        write_large(folder)
        for network, text in chosen.items():
            variants = [("threads", count, "") for count in THREADS[scale][1:] if network in SHARED]
            variants += [("kernels", 1, own) for own in kernels()[: None if scale == "whole" else 1]]
            first = trained(children, folder, text, 1)
            for what, count, own in variants:
                found, again = (trained(children, folder, text, count, own) for _ in range(2))
                alike[what].append(found == first)
                far = np.inf if found["exit"] else distance(first, found, folder)
                most[what] = max(most[what], far)
                if found != again or far > NEAR:
                    failures.append(f"{network}, {count} threads, {own}: {differing(found, again)}; {far:.0e}")
    figures = "; ".join(
        f"{what}: {sum(same)} of {len(same)} the same bits as on one thread with the usual kernels, others "
        f"differ by at most {most[what]:.0e} of the largest parameter"
        for what, same in alike.items()
    )
    return Outcome(sum(map(len, alike.values())), failures, figures)


def uneven(samples: Sequence[Sample]) -> Iterator[str]:
    """Where a run does not cost what it did before."""
    start = samples[LOOKS // 20]
    for before, now in pairwise(samples):
        epochs = f"epochs {before['epoch']:,} to {now['epoch']:,}"
        if now["memory"] > start["memory"] + GROWTH:
            yield f"{epochs}: memory grew to {now['memory']:,} bytes"
        if now["files"] != before["files"]:
            yield f"{epochs}: {now['files']} files are open, {before['files']} were"
        longer = now["size"] - before["size"]
        if now["inode"] != before["inode"] or not 0 < now["written"] - before["written"] < REWRITTEN * longer:
            yield f"{epochs}: {now['written'] - before['written']:,} bytes written for {longer:,} more"


def taken(samples: Sequence[Sample]) -> float:
    """Milliseconds of a processor for an epoch."""
    first, last = samples[0], samples[-1]
    return (last["cpu"] - first["cpu"]) / 1e6 / (last["epoch"] - first["epoch"])


def long(scale: Scale) -> Outcome:
    """Memory, open files and what is written, looked at through a run of many epochs."""
    epochs = EPOCHS[scale]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        rng = np.random.default_rng(0)
        np.savez(folder / "data.npz", x=rng.standard_normal((24, 2), "f4"), y=rng.standard_normal((24, 1), "f4"))
        (folder / "c.yaml").write_text(LONG, "utf-8")
        every = str(epochs // LOOKS)
        ended = subprocess.run(
            [sys.executable, LONG_RUN, every, "train", "c.yaml", f"loop.epochs={epochs}", "--run-dir", "r"],
            cwd=folder,
            env={**os.environ, "PYTHONPATH": str(CHECKOUT)},
            capture_output=True,
            text=True,
            check=False,
        )
        if ended.returncode:
            return Outcome(LOOKS, [f"{ended.returncode}: {ended.stderr[-500:]}"])
        samples = json.loads(ended.stdout.splitlines()[-1])
        with (folder / "r" / "metrics.jsonl").open("rb") as file:
            count = sum(1 for _ in file)
    failures = list(uneven(samples))
    if count != epochs or len(samples) != LOOKS:
        failures.append(f"{count} lines, {len(samples)} looks")
    first, last = samples[LOOKS // 20], samples[-1]
    early, late = taken(samples[: LOOKS // 4]), taken(samples[-LOOKS // 4 :])
    if late > SLOWER * early:
        failures.append(f"an epoch took {early:.2f} ms in the first quarter and {late:.2f} ms in the last one")
    figures = (
        f"{epochs:,} epochs, looked at {len(samples)} times: {early:.2f} ms of a processor for each in the first "
        f"quarter, {late:.2f} ms in the last; memory {first['memory'] / 1e6:.1f} MB after {first['epoch']:,}, "
        f"{last['memory'] / 1e6:.1f} MB at the end; open files {first['files']}, {last['files']} at the end; "
        f"written {last['written'] / 1e6:.1f} MB, of which metrics.jsonl {last['size'] / 1e6:.1f} MB"
    )
    return Outcome(len(samples), failures, figures)


DETERMINISM: Final = (
    Promise(
        "hashes do not matter",
        "The examples, and what lists components and the schema, give the same bits in each process, whatever "
        "Python's hashes are seeded with",
        hashes,
    ),
    Promise(
        "threads do not matter",
        "A run leaves the same bits each time it is repeated and on any number of threads, where OpenBLAS shares "
        "no product; it may share those of Linear and MatMul from some 8 million operations on, and no others",
        threads,
    ),
    Promise(
        "what may differ differs little",
        "Where OpenBLAS shares a large product of Linear or MatMul, another number of threads, and on another CPU "
        "other kernels, may round differently, but the same each time",
        elsewhere,
    ),
)
LONG_RUNS: Final = (
    Promise(
        "an epoch costs what the first one did",
        "Through a long run an epoch takes no longer, memory stays flat, no file is left open, and metrics.jsonl "
        "is appended to, never rewritten",
        long,
    ),
)
PROMISES: Final = (*DETERMINISM, *LONG_RUNS)
