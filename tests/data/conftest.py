"""What the tests of sources share: how a refusal is read."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from declnet.errors import DataError


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
