"""Packages that only some sources need: imported when they are, and asked for by the extra that brings them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from declnet.errors import ConfigError, Diagnostic


@contextmanager
def needed(source: str, package: str, extra: str) -> Iterator[None]:
    """Around an import: that a package is not installed is a mistake at the source's type."""
    try:
        yield
    except ImportError as error:
        install = f"pip install 'declnet[{extra}]'"
        why = (
            "" if isinstance(error, ModuleNotFoundError) else f", and what is installed cannot be imported: {error}"
        )
        raise ConfigError(Diagnostic(f"{source} needs {package}{why}: {install}", ("type",))) from None
