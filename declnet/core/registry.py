"""The closed list of what a config may name. Nothing is ever imported by a path written in a config.

Each family's package imports its files, and each class registers itself under its `type`. Installed
plug-ins join through the entry-point groups `declnet.modules`, `declnet.losses`, `declnet.optimizers`, ...,
one group a registry; they are looked for when a name is not one of declnet's own, and when all are listed.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from importlib import import_module
from typing import Generic, TypeVar

from declnet.core.component import Component, Loss, Module
from declnet.core.metric import Metric
from declnet.core.optimizer import Optimizer
from declnet.core.source import Source
from declnet.core.wrapper import Wrapper
from declnet.errors import ConfigError

B = TypeVar("B", bound=Component)
C = TypeVar("C", bound=Component)


class Registry(Generic[B]):
    """The components of one role, by type name, in the order in which they were registered."""

    def __init__(self, role: str, plural: str, packages: tuple[str, ...]) -> None:
        """`role` names one of them in messages; `packages` are declnet's own families that fill it."""
        self.role = role
        self.plural = plural
        self._packages = packages
        self._classes: dict[str, type[B]] = {}
        self._plugins_loaded = False

    def register(self, cls: type[C]) -> type[C]:
        """Class decorator: make the component known under the value of its `type`."""
        name = cls.model_fields["type"].default
        known = self._classes.setdefault(name, cls)  # type: ignore[arg-type] # C is one of B's subclasses
        if known is not cls:
            raise ConfigError(
                f"two {self.plural} are called {name!r}, in {known.__module__} and in {cls.__module__}: "
                "uninstall one of the two plug-ins"
            )
        return cls

    def _own(self) -> dict[str, type[B]]:
        """declnet's own components: imported at the first question, not before."""
        while self._packages:
            package, *rest = self._packages
            import_module(f"declnet.{package}")
            self._packages = tuple(rest)
        return self._classes

    def load(self) -> dict[str, type[B]]:
        """All components, plug-ins too."""
        classes = self._own()
        if not self._plugins_loaded:
            self._plugins_loaded = True
            # Looking through installed packages takes as long as importing half of declnet: only on demand.
            metadata = importlib.import_module("importlib.metadata")
            for point in metadata.entry_points(group=f"declnet.{self.plural}"):
                self.register(point.load())
        return classes

    def get(self, name: str) -> type[B] | None:
        """The class registered under this name, or None."""
        return self._own().get(name) or self.load().get(name)

    def __getitem__(self, name: str) -> type[B]:
        """The class registered under this name, or KeyError."""
        found = self.get(name)
        if found is None:
            raise KeyError(name)
        return found

    def __iter__(self) -> Iterator[str]:
        """All registered names."""
        return iter(self.load())


def family(cls: type[Component]) -> str:
    """The family a component is listed under: the name of its package, `plug-in` for another's."""
    root, *rest = cls.__module__.split(".")
    return rest[0] if root == "declnet" and rest else "plug-in"


modules: Registry[Module | Wrapper] = Registry(
    "component", "modules", ("wrappers", "layers", "activations", "normalization", "dropout", "operations")
)
losses: Registry[Loss] = Registry("loss", "losses", ("losses",))
optimizers: Registry[Optimizer] = Registry("optimizer", "optimizers", ("optimizers",))
metrics: Registry[Metric] = Registry("metric", "metrics", ("metrics",))
sources: Registry[Source] = Registry("source", "sources", ("data.sources",))

REGISTRIES: tuple[Registry[Component], ...] = (modules, losses, optimizers, metrics, sources)  # type: ignore[assignment]
