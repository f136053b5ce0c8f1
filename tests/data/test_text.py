"""Text: windows and what comes next, the alphabet, places in messages, and a model of pairs of characters."""

from __future__ import annotations

import gzip
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from declnet.core.source import Column
from declnet.data.sources.text import Text
from declnet.errors import DataError
from declnet.runner.events import Finished
from declnet.runner.experiment import load
from declnet.runner.train import train

Refusal = Callable[[Callable[[], object]], str]


@pytest.fixture(autouse=True)
def _folder(folder: Path) -> None: ...


def source(text: str | bytes, length: int = 4, stride: int | None = None) -> Text:
    Path("t.txt").write_bytes(text.encode() if isinstance(text, str) else text)
    return Text(path=Path("t.txt"), length=length, stride=stride)


@pytest.mark.parametrize("text", ["hello world\nhow\r\nare you", "ÄÖ😀ä€ \t" * 3, "\ufeffa word or two", "aaaaaaa"])
@pytest.mark.parametrize("length", [1, 3, 6])
@pytest.mark.parametrize("stride", [None, 1, 2, 5])
@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_windows(text: str, length: int, stride: int | None, pack: Callable[[bytes], bytes]) -> None:
    made = source(pack(text.encode()), length, stride)
    text = text.removeprefix("\ufeff")
    assert made.columns() == dict.fromkeys(("window", "next"), Column((length,), "int"))
    alphabet = made.vocabulary()
    assert alphabet == tuple(sorted(set(text)))
    read = made.read(["window", "next"])
    starts = range(0, len(text) - length, stride or length)
    for name, shift in (("window", 0), ("next", 1)):
        back = ["".join(alphabet[number] for number in row) for row in read[name]]
        assert back == [text[start + shift : start + shift + length] for start in starts]


def test_large_alphabets() -> None:
    text = "".join(map(chr, range(0x4E00, 0x4E00 + 300)))
    read = source(text, 299).read(["next"])
    np.testing.assert_array_equal(read["next"], np.arange(1, 300)[None])


def test_too_short(refusal: Refusal) -> None:
    assert len(source("abcde").read(["next"])["next"]) == 1
    for text, count in (("abcd", 4), ("", 0)):
        assert refusal(lambda: source(text).read(["next"])) == (  # noqa: B023 - called within the loop
            f"length: t.txt: has {count} characters, and a window with the character that follows takes 5; "
            "lower length"
        )


def test_files_that_are_none(refusal: Refusal) -> None:
    assert refusal(Text(path=Path("no")).columns) == "path: no: no such file"
    assert refusal(Text(path=Path()).columns) == "path: .: is a directory, not a file"


def test_not_utf_8() -> None:
    made = source("a\nbä".encode() + b"\xe4x")
    with pytest.raises(DataError) as caught:
        made.read(["next"])
    assert str(caught.value) == "t.txt:2:3: error: byte 0xE4 is not UTF-8; save the file as UTF-8\n    bä\n      ^"


CONFIG = """\
data: {source: {type: Text, path: t.txt, length: 4}}
model: [{type: Embedding, num_embeddings: 7, embedding_dim: %d}, {type: Permute, dims: [0, 2, 1]}]
loss: CrossEntropyLoss
optimizer: {type: Adam, lr: 0.1}
"""


def test_the_alphabet_is_told_where_the_model_is_too_small() -> None:
    source("abcab\ncdefabcab" * 10)
    Path("c.yaml").write_text(CONFIG % 5, encoding="utf-8")
    with pytest.raises(DataError) as caught:
        list(train(load("c.yaml"), Path("r")))
    assert str(caught.value) == (
        "t.txt:1:6: error: the class 5 does not exist: the model's output has 5, 0 to 4; the text has 7 different "
        "characters, 0 to 6\n    abcab\n         ^"
    )
    assert not Path("r").exists()


def test_windows_take_no_memory_of_their_own() -> None:
    from declnet.runner.rows import Rows

    source("abcdefg\n" * 100_000)
    Path("c.yaml").write_text((CONFIG % 8).replace("7", "8").replace("length: 4", "length: 100, stride: 1"))
    experiment = load("c.yaml")
    tracemalloc.start()
    try:
        Rows(experiment)
        left, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    characters = 800_000  # of which windows would be 200 times 8 bytes each
    assert left < characters * 16  # mostly row numbers: 8 bytes a window, and as much while they are drawn
    assert peak < characters * 40


SHAKESPEARE = """\
data: {source: {type: Text, path: %s}}
model: [{type: Embedding, num_embeddings: 65, embedding_dim: 65}, {type: Permute, dims: [0, 2, 1]}]
loss: CrossEntropyLoss
optimizer: {type: Adam, lr: 0.1}
loop: {epochs: 2, metrics: [accuracy]}
"""


def test_shakespeare(real_data: Callable[[str], Path]) -> None:
    """Pairs of characters bring the loss near the entropy of the next one, given the one before: 2.45 nats."""
    path = real_data("tinyshakespeare.txt")
    text = path.read_text(encoding="utf-8")
    assert Text(path=path).vocabulary() == tuple(sorted(set(text)))
    Path("c.yaml").write_text(SHAKESPEARE % path, encoding="utf-8")
    *_, last = train(load("c.yaml"), Path("r"))
    assert isinstance(last, Finished)
    pairs = np.zeros((128, 128))
    np.add.at(pairs, (np.frombuffer(text.encode()[:-1], "u1"), np.frombuffer(text.encode()[1:], "u1")), 1)
    seen = pairs[pairs > 0]
    given = np.broadcast_to(pairs.sum(1, keepdims=True), pairs.shape)[pairs > 0]
    entropy = -(seen * np.log(seen / given)).sum() / seen.sum()
    assert last.summary["test"]["loss"] == pytest.approx(entropy, abs=0.05)  # type: ignore[index] # a mapping
