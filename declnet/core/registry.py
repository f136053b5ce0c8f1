"""The closed list of what a config may name. Nothing is ever imported by a path written in a config.

Each class registers itself under its `type` when its file is imported. Installed plug-ins join through the
entry-point groups `declnet.modules`, `declnet.losses`, `declnet.optimizers`, ..., one group a registry; they are
looked for when a name is not one of declnet's own, and when all are listed.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from importlib import import_module
from typing import Generic, TypeVar

from declnet.core.component import Component, Loss, Module
from declnet.core.initializer import Initialization
from declnet.core.metric import Metric
from declnet.core.optimizer import Optimizer
from declnet.core.source import Source
from declnet.core.wrapper import Wrapper
from declnet.errors import ConfigError

B = TypeVar("B", bound=Component)
C = TypeVar("C", bound=Component)


class Registry(Generic[B]):
    """The components of one role, by type name.

    declnet's own families say in their package's `COMPONENTS` which file holds which component, so only the
    files of the components that a config names are imported.
    """

    def __init__(self, role: str, plural: str, families: tuple[str, ...]) -> None:
        """`role` names one of them in messages; `families` are declnet's own packages that hold them."""
        self.role = role
        self.plural = plural
        self._families = families
        self._classes: dict[str, type[B]] = {}
        self._loaded = False

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

    @cached_property
    def files(self) -> dict[str, str]:
        """The modules of declnet's own components, by type name."""
        return {
            name: f"declnet.{family}.{file}"
            for family in self._families
            for file, names in import_module(f"declnet.{family}").COMPONENTS.items()
            for name in names
        }

    def load(self) -> dict[str, type[B]]:
        """All components: declnet's own in the order of their families, then plug-ins."""
        if not self._loaded:
            self._loaded = True
            for file in self.files.values():
                import_module(file)
            # Looking through installed packages takes as long as importing half of declnet: only on demand.
            for point in import_module("importlib.metadata").entry_points(group=f"declnet.{self.plural}"):
                self.register(point.load())
            order = {name: index for index, name in enumerate(self.files)}
            self._classes = dict(sorted(self._classes.items(), key=lambda item: order.get(item[0], len(order))))
        return self._classes

    def get(self, name: str) -> type[B] | None:
        """The class registered under this name, or None."""
        if name in self.files:
            import_module(self.files[name])
            return self._classes[name]
        return self.load().get(name)

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
    "component",
    "modules",
    ("wrappers", "layers", "activations", "normalization", "pooling", "dropout", "operations"),
)
losses: Registry[Loss] = Registry("loss", "losses", ("losses",))
optimizers: Registry[Optimizer] = Registry("optimizer", "optimizers", ("optimizers",))
metrics: Registry[Metric] = Registry("metric", "metrics", ("metrics",))
initializers: Registry[Initialization] = Registry("initializer", "initializers", ("initializers",))
sources: Registry[Source] = Registry("source", "sources", ("data.sources",))

REGISTRIES: tuple[Registry[Component], ...] = (
    modules,  # type: ignore[assignment]
    losses,
    optimizers,
    metrics,
    initializers,
    sources,
)
