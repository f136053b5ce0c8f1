"""What holds for the class of every component: that a config finds it, and that it is documented."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable

from declnet.core.component import Component
from declnet.core.registry import losses, modules, optimizers
from declnet.core.suggest import any_of

SECTIONS = ("Shape:", "Parameters:", "Raises:", "Reference:")
"""In their order; Raises may be left out."""


def require(holds: bool, message: str) -> None:
    """Fail with this message unless it holds."""
    if not holds:
        raise AssertionError(message)


def check_registered(cls: type[Component]) -> None:
    """Require that a config finds the class under its own name."""
    name = cls.model_fields["type"].default
    require(name == cls.__name__, f"its type, {name!r}, is not the name of the class")
    registry = next(registry for registry in (losses, modules, optimizers) if issubclass(cls, registry.base))
    known = registry.get(name)
    if known is None:
        raise AssertionError(
            f'it is not registered: add {name} = "{cls.__module__}:{cls.__name__}" to '
            f'[project.entry-points."{registry.group}"] in pyproject.toml, and install the package'
        )
    require(known is cls, f"the class registered under its name is another, in {known.__module__}")


def check_closed(cls: type[Component]) -> None:
    """Require that a config cannot give it anything but what its fields say."""
    for key, value in Component.model_config.items():
        found = cls.model_config.get(key)
        require(found == value, f"its model_config has {key}={found!r}; every component has {key}={value!r}")


def check_docstring(cls: type[Component]) -> None:
    """Require a first sentence, the sections in their order, and a line on each argument.

    Raises:
        AssertionError: the docstring lacks something; the message says what.
    """
    name, text = cls.__name__, inspect.cleandoc(cls.__doc__ or "")
    require(bool(text), f"it has no docstring of its own: `declnet list-components {name}` prints it")
    lines = text.splitlines()
    first = re.match(r"[A-Z0-9].*[.:]$", lines[0])
    require(bool(first), "the docstring does not begin with a sentence on one line, which the list shows")
    found = [section for line in lines for section in SECTIONS if line.startswith(section)]
    for section in SECTIONS:
        require(section in found or section == "Raises:", f"the docstring has no section {section}")
    right = [section for section in SECTIONS if section in found]
    require(found == right, f"the docstring has {any_of(found, 'and')}; their order is {any_of(right, 'and')}")
    parameters = lines[lines.index("Parameters:") + 1 :]
    for field in cls.model_fields:
        described = any(re.match(rf"    .*\b{field}\b.*: ", line) for line in parameters)
        require(
            described or field == "type", f"the docstring says nothing of {field}, under Parameters: {field}: ..."
        )


CLASS_CHECKS: tuple[Callable[[type[Component]], None], ...] = (check_registered, check_closed, check_docstring)
