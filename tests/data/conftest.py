"""What the tests of sources share: how a refusal is read, and real data where there are some."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from declnet.errors import DataError

SHARED = "DECLNET_TEST_DATA"
"""Environment variable: a folder with the MNIST test digits (IDX) and tinyshakespeare.txt."""


@pytest.fixture
def refusal() -> Callable[[Callable[[], object]], str]:
    """Call, and return the one mistake that the DataError speaks of, with its key path."""

    def text(call: Callable[[], object]) -> str:
        with pytest.raises(DataError) as caught:
            call()
        (diagnostic,) = caught.value.diagnostics
        assert caught.value.exit_code == 3
        return diagnostic.text

    return text


@pytest.fixture
def real_data() -> Callable[[str], Path]:
    """A file of the folder with real data; the test is skipped without it."""

    def find(name: str) -> Path:
        path = Path(os.environ.get(SHARED, "/nonexistent"), name)
        if not path.exists():
            pytest.skip(f"needs {name} in the folder that {SHARED} names")
        return path

    return find
