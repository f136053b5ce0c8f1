"""Packages that only some configs need: imported when they are, and asked for by the extra that brings them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from declnet.errors import ConfigError, Diagnostic
from declnet.errors import Path as KeyPath


@contextmanager
def needed(who: str, package: str, extra: str, key: KeyPath = ("type",)) -> Iterator[None]:
    """Around an import: that a package is not installed is a mistake at what needs it, a source's type."""
    try:
        yield
    except ImportError as error:
        install = f"pip install 'declnet[{extra}]'"
        why = (
            "" if isinstance(error, ModuleNotFoundError) else f", and what is installed cannot be imported: {error}"
        )
        raise ConfigError(Diagnostic(f"{who} needs {package}{why}: {install}", key)) from None
