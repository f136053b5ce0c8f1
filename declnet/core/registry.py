"""The closed list of what a config may name. Nothing is ever imported by a path written in a config.

declnet's own classes register themselves under their `type` when their file is imported. Installed plug-ins join
through the entry-point groups `declnet.modules`, `declnet.losses`, `declnet.optimizers`, ..., one group a
registry; the name of an entry point is the `type` of the class it leads to. They are looked for when a name is
not one of declnet's own, and when all are listed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import cached_property
from importlib import import_module
from typing import TYPE_CHECKING, Generic, TypeVar

from declnet.core.component import Component, Loss, Module
from declnet.core.initializer import Initialization
from declnet.core.metric import Metric
from declnet.core.optimizer import Optimizer
from declnet.core.scheduler import Scheduler
from declnet.core.source import Source
from declnet.core.transform import Transform
from declnet.core.wrapper import Wrapper
from declnet.errors import PluginError

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

B = TypeVar("B", bound=Component)
C = TypeVar("C", bound=Component)


class Registry(Generic[B]):
    """The components of one role, by type name.

    declnet's own families say in their package's `COMPONENTS` which file holds which component, and the entry
    points of plug-ins say so too: only the files of the components that a config names are imported.
    """

    def __init__(
        self, role: str, plural: str, families: tuple[str, ...], base: tuple[type[Component], ...]
    ) -> None:
        """`role` names one of them in messages; `families` are declnet's own packages that hold them, and `base`
        the classes of which they derive.
        """
        self.role = role
        self.plural = plural
        self.base = base
        self.group = f"declnet.{plural}"
        self._families = families
        self._classes: dict[str, type[B]] = {}
        self._loaded = False

    def register(self, cls: type[C]) -> type[C]:
        """Class decorator: make the component known under the value of its `type`."""
        if not (isinstance(cls, type) and issubclass(cls, self.base)):
            bases = " or ".join(base.__name__ for base in self.base)
            raise TypeError(f"{getattr(cls, '__name__', cls)!r} is no {self.role}: no class derived from {bases}")
        name = cls.model_fields["type"].default
        if not isinstance(name, str):
            raise TypeError(
                f"{cls.__name__} has no type: give it type: Literal[{cls.__name__!r}] = {cls.__name__!r}"
            )
        known = self._classes.get(name)
        there = self.files.get(name, known.__module__ if known else cls.__module__)
        if known not in (None, cls) or there != cls.__module__:
            raise ValueError(
                f"the {self.role} {name!r} is there already, in {there}: {cls.__module__} needs another name"
            )
        self._classes[name] = cls  # type: ignore[assignment] # one of B's subclasses, as was checked
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

    @cached_property
    def plug_ins(self) -> dict[str, list[EntryPoint]]:
        """The entry points of installed plug-ins, by the type name that they stand for, in alphabetical order."""
        # Looking through installed packages takes as long as importing half of declnet: only on demand.
        found: Iterable[EntryPoint] = import_module("importlib.metadata").entry_points(group=self.group)
        points: dict[str, list[EntryPoint]] = {}
        for point in sorted(found, key=lambda point: (point.name, point.value)):
            points.setdefault(point.name, []).append(point)
        return points

    def own(self) -> dict[str, type[B]]:
        """declnet's own components in the order of their families, then what plug-ins have registered by now."""
        for file in self.files.values():
            import_module(file)
        order = {name: index for index, name in enumerate(self.files)}
        self._classes = dict(sorted(self._classes.items(), key=lambda item: order.get(item[0], len(order))))
        return self._classes

    def load(self) -> dict[str, type[B]]:
        """All components: declnet's own, then those of plug-ins.

        Raises:
            PluginError: an installed plug-in cannot be used.
        """
        if not self._loaded:
            self.own()
            for name in self.plug_ins:
                self._plug_in(name)
            self._loaded = True
        return self._classes

    def get(self, name: str) -> type[B] | None:
        """The class registered under this name, or None.

        Raises:
            PluginError: the plug-in that brings it cannot be used.
        """
        if name in self.files:
            import_module(self.files[name])
        elif name not in self._classes and name in self.plug_ins:
            self._plug_in(name)
        return self._classes.get(name)

    def __getitem__(self, name: str) -> type[B]:
        """The class registered under this name, or KeyError."""
        found = self.get(name)
        if found is None:
            raise KeyError(name)
        return found

    def __iter__(self) -> Iterator[str]:
        """All names that there are, declnet's own first; nothing is imported for them."""
        return iter(dict.fromkeys((*self.files, *self.plug_ins, *self._classes)))

    def _plug_in(self, name: str) -> None:
        """Register what the entry point of this name leads to."""
        point, *others = self.plug_ins[name]
        package, title = _package(point)
        if others:
            second, also = _package(others[0])
            raise PluginError(
                f"two plug-ins bring the {self.role} {name!r}: {title} and {also}; keep one: "
                f"pip uninstall {package}, or pip uninstall {second}"
            )
        if name in self.files:
            raise PluginError(
                f"the plug-in {title} brings the {self.role} {name!r}, which declnet has itself; rename it "
                f"there, or remove the plug-in: pip uninstall {package}"
            )
        try:
            cls = self.register(point.load())
        except Exception as error:
            raise PluginError(
                f"the plug-in {title} cannot be used: loading {point.value} for the {self.role} {name!r} ends with "
                f"{type(error).__name__}: {error}; `python -c 'import {point.module}'` shows where. Install what "
                f"it needs or another version of it, or remove it: pip uninstall {package}"
            ) from error
        if (own := cls.model_fields["type"].default) != name:
            raise PluginError(
                f"the plug-in {title} cannot be used: its entry point {name!r} in {self.group} leads to the "
                f"{self.role} {own!r}; the two names have to be the same"
            )


def _package(point: EntryPoint) -> tuple[str, str]:
    """The distribution that an entry point belongs to: its name, and that with the version."""
    if point.dist is None:
        raise AssertionError(f"the entry point {point.name} belongs to no distribution")
    return point.dist.name, f"{point.dist.name} {point.dist.version}"


def family(cls: type[Component]) -> str:
    """The family a component is listed under: the name of its package, `plug-in` for another's."""
    root, *rest = cls.__module__.split(".")
    return rest[0] if root == "declnet" and rest else "plug-in"


modules: Registry[Module | Wrapper] = Registry(
    "component",
    "modules",
    ("wrappers", "layers", "activations", "normalization", "pooling", "dropout", "operations"),
    (Module, Wrapper),
)
losses: Registry[Loss] = Registry("loss", "losses", ("losses",), (Loss,))
optimizers: Registry[Optimizer] = Registry("optimizer", "optimizers", ("optimizers",), (Optimizer,))
schedulers: Registry[Scheduler] = Registry("scheduler", "schedulers", ("schedulers",), (Scheduler,))
metrics: Registry[Metric] = Registry("metric", "metrics", ("metrics",), (Metric,))
initializers: Registry[Initialization] = Registry(
    "initializer", "initializers", ("initializers",), (Initialization,)
)
sources: Registry[Source] = Registry("source", "sources", ("data.sources",), (Source,))
transforms: Registry[Transform] = Registry("transform", "transforms", ("transforms",), (Transform,))

REGISTRIES: tuple[Registry[Component], ...] = (
    modules,  # type: ignore[assignment]
    losses,
    optimizers,
    schedulers,
    metrics,
    initializers,
    sources,
    transforms,
)
