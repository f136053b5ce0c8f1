"""Modules that compute the right thing, in a class that is wrong."""

from __future__ import annotations

from typing import Literal

from pydantic import ConfigDict

from testing.broken_modules import Scale


class Open(Scale):
    model_config = ConfigDict(extra="ignore")
    type: Literal["Open"] = "Open"


class Unregistered(Scale):
    type: Literal["Unregistered"] = "Unregistered"


class Renamed(Scale):
    type: Literal["Named"] = "Named"


class Undocumented(Scale):
    type: Literal["Undocumented"] = "Undocumented"


class NoSentence(Scale):
    """scales features"""

    type: Literal["NoSentence"] = "NoSentence"


class NoShape(Scale):
    """Scales features.

    Parameters:
        none.

    Reference: none.
    """

    type: Literal["NoShape"] = "NoShape"


class WrongOrder(Scale):
    """Scales features.

    Parameters:
        none.

    Shape:
        any.

    Reference: none.
    """

    type: Literal["WrongOrder"] = "WrongOrder"


class Undescribed(Scale):
    """Scales features.

    Shape:
        any.

    Parameters:
        none.

    Reference: none.
    """

    type: Literal["Undescribed"] = "Undescribed"
    factor: float = 1.0
