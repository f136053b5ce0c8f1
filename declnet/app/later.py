"""Packages that are imported when something of them is first used.

Importing NumPy takes half as long as all the rest of `declnet validate`, which hardly needs an array.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from importlib import reload
from types import ModuleType
from typing import Any


class Later(ModuleType):
    """A package that is not there yet. The first attribute that is asked for, which is `__path__` for a module in
    it, imports it into this very object, so whoever holds that holds the package.
    """

    def __init__(self, name: str, before: Callable[[], object]) -> None:
        """Have `before` called when it is imported."""
        super().__init__(name)
        self._before = before

    def __getattr__(self, name: str) -> Any:
        """Import it, then hand out what it has."""
        self.__dict__["_before"]()  # where that refuses, it can be asked again
        del self._before
        self.__class__ = ModuleType  # type: ignore[assignment]  # from here on a package like any other
        reload(self)
        return getattr(self, name)


def later(package: str, before: Callable[[], object]) -> None:
    """Have a package imported at its first use, where it is not imported yet, and `before` called before it is."""
    sys.modules.setdefault(package, Later(package, before))
