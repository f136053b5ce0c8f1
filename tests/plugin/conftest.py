"""Makes the plug-in beside this file usable as if it were installed, for the tests that it brings."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from declnet.core.registry import REGISTRIES, modules, optimizers

sys.path.append(str(Path(__file__).parent))


@pytest.fixture(autouse=True)
def registered(monkeypatch: pytest.MonkeyPatch) -> None:
    """What its entry points do; afterwards the registries are as they were."""
    from declnet_example.mish import Mish
    from declnet_example.rprop import Rprop

    for registry in REGISTRIES:
        monkeypatch.setattr(registry, "_classes", dict(registry.load()))
    modules.register(Mish)
    optimizers.register(Rprop)
