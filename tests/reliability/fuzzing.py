"""Fuzzing: Hypothesis changes what is right, byte by byte and node by node; declnet does it, or says why not."""

from __future__ import annotations

import random
import shutil
import tempfile
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.tiny import CONFIG, prepare
from config.test_mutations import mutated
from declnet.config.dump import dump
from declnet.config.yaml import loads
from examples import CONFIGS
from reliability.broken_arrays import npz
from reliability.children import Children, Ended
from reliability.hostile import stopped_run
from reliability.promise import Outcome, Promise, Scale

SECONDS: Final = 5.0
"""Of a processor: what takes longer hangs."""
BYTES: Final = 256_000_000

EXAMPLES: Final[Mapping[Scale, int]] = {"quick": 25, "whole": 400}
"""Of each kind; of a run's lesser files a quarter of it."""

SAME: Final = settings(deadline=None, database=None, derandomize=True, suppress_health_check=[*HealthCheck])
"""Draw the same examples each time."""

Edit = tuple[float, str, bytes]
"""Where, as a share of the length; what is done there; and with which bytes."""

EDITS: Final = st.lists(
    st.tuples(
        st.floats(0, 1, exclude_max=True),
        st.sampled_from(["put", "add", "remove", "double", "flip"]),
        st.binary(min_size=1, max_size=8)
        | st.sampled_from(
            [b"\0", b"\n", b"\t", b'"', b"{", b"[", b": ", b"*a", b"!", b"-1", b"1e999", b"nan", b"\xff"]
        ),
    ),
    min_size=1,
    max_size=4,
)


def edited(content: bytes, edits: list[Edit]) -> bytes:
    """The content with these changes, one after another."""
    for share, what, new in edits:
        at = int(share * len(content))
        head, tail = content[:at], content[at:]
        if what == "put":
            tail = new + tail[len(new) :]
        elif what == "add":
            tail = new + tail
        elif what == "remove":
            tail = tail[len(new) :]
        elif what == "double":
            tail = tail[: 16 * len(new)] + tail
        elif tail:
            tail = bytes([tail[0] ^ (new[0] or 1)]) + tail[1:]
        content = head + tail
    return content


@dataclass
class Tried:
    """What came of the examples so far."""

    count: int = 0
    ends: Counter[int] = field(default_factory=Counter)
    cpu: float = 0.0
    peak: int = 0

    def note(self, ended: Ended, content: bytes) -> None:
        """Count it; an AssertionError, with what did it, where a promise is broken."""
        self.count += 1
        self.ends[ended.rc] += 1
        self.cpu, self.peak = max(self.cpu, ended.cpu), max(self.peak, ended.peak)
        told = (
            f"{ended.rc}, {ended.cpu:.1f} s, {ended.peak:,} bytes; {ended.stderr[-300:]!r} of {content[-2000:]!r}"
        )
        assert ended.in_words, told
        assert ended.cpu <= SECONDS, told
        assert ended.peak <= BYTES, told


@dataclass(frozen=True)
class Target:
    """A file that is changed, and what reads it; `prepare` leaves the file and all else in a folder."""

    file: str
    command: tuple[str, ...]
    prepare: Callable[[Children, Path], object]
    writes: bool = False
    """Whether the command changes the folder, which is then made anew for each example."""
    lesser: bool = False


def with_tables(children: Children, folder: Path) -> None:
    prepare(folder)
    (folder / "tiny.yaml").rename(folder / "c.yaml")


def with_archive(children: Children, folder: Path) -> None:
    npz()(folder)
    data = "data: {source: {type: NPZ, path: a.npz}, inputs: x, targets: y}\nmodel:"
    (folder / "c.yaml").write_text(data + CONFIG.partition("model:")[2], encoding="utf-8")


TRAIN: Final = ("train", "c.yaml", "loop.epochs=1", "--run-dir", "new", "-q")
RESUME: Final = ("train", "--resume", "r", "loop.epochs=3", "-q")
TARGETS: Final[Mapping[str, Target]] = {
    "configs": Target("c.yaml", ("validate", "c.yaml"), with_tables),
    "tables": Target("t.csv", TRAIN, with_tables, writes=True),
    "archives": Target("a.npz", TRAIN, with_archive, writes=True),
    "checkpoints": Target("r/checkpoints/last.npz", RESUME, stopped_run, writes=True),
    "run configs": Target("r/config.yaml", RESUME, stopped_run, writes=True, lesser=True),
    "metrics": Target("r/metrics.jsonl", RESUME, stopped_run, writes=True, lesser=True),
    "summaries": Target("r/summary.json", ("runs", "."), stopped_run, lesser=True),
}


def bytes_of(target: Target, count: int) -> tuple[Tried, list[str]]:
    """Change the bytes of a file; what came of it, and the least change that broke a promise."""
    tried = Tried()
    with tempfile.TemporaryDirectory() as name, Children(loaded=True) as children:
        good, folder = Path(name, "good"), Path(name, "folder")
        good.mkdir()
        target.prepare(children, good)
        content = (good / target.file).read_bytes()
        shutil.copytree(good, folder)

        @settings(SAME, max_examples=count)
        @given(EDITS)
        def check(edits: list[Edit]) -> None:
            changed = edited(content, edits)
            if target.writes:
                shutil.rmtree(folder)
                shutil.copytree(good, folder)
            (folder / target.file).write_bytes(changed)
            tried.note(children.declnet(folder, *target.command), changed)

        return tried, broken(check)


def nodes_of_configs(count: int) -> tuple[Tried, list[str]]:
    """Change a node of an example config."""
    tried = Tried()
    documents = [loads(path.read_bytes(), path.name).data for path in CONFIGS]
    with tempfile.TemporaryDirectory() as name, Children(loaded=True) as children:
        folder = Path(name)
        with_tables(children, folder)

        @settings(SAME, max_examples=count)
        @given(st.sampled_from(range(len(documents))), st.integers(0, 2**32), st.integers(1, 3))
        def check(number: int, seed: int, times: int) -> None:
            rng = random.Random(seed)  # noqa: S311 - Hypothesis draws the seed
            data = documents[number]
            for _ in range(times):
                data = mutated(rng, data)  # type: ignore[assignment] # the top stays a mapping
            text = dump(data)
            (folder / "c.yaml").write_text(text, encoding="utf-8")
            tried.note(children.declnet(folder, "validate", "c.yaml"), text.encode())

        return tried, broken(check)


def broken(check: Callable[[], None]) -> list[str]:
    """What a check found, in a line; nothing where all held."""
    try:
        check()
    except AssertionError as error:
        return [str(error).partition("\nassert")[0]]
    return []


def outcome(found: Mapping[str, tuple[Tried, list[str]]]) -> Outcome:
    failures = [f"{name}: {line}" for name, (_, lines) in found.items() for line in lines]
    figures = "; ".join(
        f"{name}: {tried.count:,}, of which {tried.ends[0]:,} ended with 0, at most {tried.cpu:.2f} s "
        f"and {tried.peak / 1e6:.0f} MB"
        for name, (tried, _) in found.items()
    )
    return Outcome(sum(tried.count for tried, _ in found.values()), failures, figures)


def bytes_changed(scale: Scale) -> Outcome:
    """Byte mutations of all that a stranger may have written."""
    shares = {name: 4 if target.lesser else 1 for name, target in TARGETS.items()}
    return outcome({name: bytes_of(TARGETS[name], EXAMPLES[scale] // share) for name, share in shares.items()})


def nodes_changed(scale: Scale) -> Outcome:
    """Node mutations of the examples."""
    return outcome({"configs": nodes_of_configs(EXAMPLES[scale])})


PROMISES: Final = (
    Promise(
        "changed bytes do no harm",
        "Configs, tables, archives, checkpoints and the other files of a run with any bytes changed, put in or "
        "taken out are read or refused in words: no traceback, at most 5 s of a processor, 256 MB",
        bytes_changed,
    ),
    Promise(
        "changed nodes do no harm",
        "An example config with up to three nodes removed, replaced, renamed, doubled or exchanged validates or is "
        "refused in words: no traceback, at most 5 s of a processor, 256 MB",
        nodes_changed,
    ),
)
