"""The fixtures of tests of whole runs."""

from __future__ import annotations

from runner.conftest import fit, resumable

__all__ = ["fit", "resumable"]
