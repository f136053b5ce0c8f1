"""The rules of the design that a reader of one file cannot see: who imports whom, who prints, who touches files."""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

import declnet
from declnet.core.component import Component
from declnet.core.registry import REGISTRIES
from declnet.testing import check_docstring

ROOT = Path(declnet.__file__).parent
FILES = sorted(ROOT.rglob("*.py"))
LINES = 350

LAYERS = ["app", "runner", "plan data config", "families", "core", "errors", "records"]
"""From top to bottom; a file imports from its own package and from layers below its own."""

FAMILIES = {
    *("wrappers", "layers", "activations", "normalization", "dropout", "losses", "optimizers", "schedulers"),
    *("metrics", "pooling", "operations", "initializers", "transforms"),
}
ABOVE_ALL = {"__main__", "api", "testing", ""}
"""The entry point, the API, what authors of components test with, and declnet itself, which hands on the API."""


def name_of(file: Path) -> str:
    parts = file.relative_to(ROOT).with_suffix("").parts
    return ".".join(("declnet", *parts)).removesuffix(".__init__")


@cache
def tree(file: Path) -> ast.Module:
    return ast.parse(file.read_text(encoding="utf-8"), str(file))


def imports(file: Path) -> Iterator[tuple[str, int]]:
    """All modules that a file imports, also within functions and for types only."""
    for node in ast.walk(tree(file)):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file}:{node.lineno}: imports are absolute"
            # `from declnet.runner import checkpoint` imports a module; `from declnet import app` too.
            yield node.module or "", node.lineno
            yield from ((f"{node.module}.{alias.name}", node.lineno) for alias in node.names)


def package(module: str) -> str:
    """`declnet.config.read` is config; a source is data, though the registry knows it like a family."""
    return module.split(".")[1] if module.startswith("declnet.") else ""


def layer(module: str) -> int:
    name = "families" if package(module) in FAMILIES else package(module)
    return next(number for number, names in enumerate(LAYERS) if name in names.split())


def test_every_package_has_its_place() -> None:
    known = {*" ".join(LAYERS).split(), *FAMILIES, *ABOVE_ALL}
    assert {package(name_of(file)) for file in FILES} <= known


def test_arrows_point_one_way() -> None:
    known = {name_of(file) for file in FILES}
    wrong = []
    for file in FILES:
        own = name_of(file)
        if package(own) in ABOVE_ALL:
            continue
        for module, line in imports(file):
            if not package(module) or (module not in known and module.rpartition(".")[0] not in known):
                continue
            inner = package(own) == package(module) or {package(own), package(module)} <= FAMILIES
            if not inner and layer(own) >= layer(module):
                wrong.append(f"{file.relative_to(ROOT)}:{line}: {own} imports {module}")
    assert wrong == []


def test_testing_stands_beside_the_runner() -> None:
    files = [file for file in FILES if package(name_of(file)) == "testing"]
    found = {package(module) for file in files for module, _ in imports(file)} - {"", "testing"}
    assert found <= {"core", "plan", "errors", "records"}


def test_a_component_imports_only_the_core_of_other_files() -> None:
    """A family's file may use another's helper (a metric the losses' class indices), never its components."""
    names = {f"{cls.__module__}.{cls.__name__}" for registry in REGISTRIES for cls in registry.load().values()}
    files = [file for file in FILES if package(name_of(file)) in FAMILIES]
    wrong = {(str(file), module) for file in files for module, _ in imports(file) if module in names}
    assert wrong == set()


LIBRARIES = {"os", "np", "shutil", "tempfile", "subprocess", "socket", "csv"}


def calls(file: Path) -> Iterator[tuple[str, ast.Call]]:
    """All calls, by what is called: `print`, `np.load`, and `.mkdir` for a method of something."""
    for node in ast.walk(tree(file)):
        if isinstance(node, ast.Call):
            target = node.func
            if isinstance(target, ast.Name):
                yield target.id, node
            elif isinstance(target, ast.Attribute):
                owner = target.value.id if isinstance(target.value, ast.Name) else ""
                yield f"{owner if owner in LIBRARIES else ''}.{target.attr}", node


def found(wanted: set[str], allowed: dict[str, set[str]]) -> list[str]:
    """Where one of these is called, but for the files in which it may be."""
    wrong = []
    for file in FILES:
        place = file.relative_to(ROOT).as_posix()
        free = {name for start, names in allowed.items() if place.startswith(start) for name in names}
        wrong += [f"{place}:{node.lineno}: {name}" for name, node in calls(file) if name in wanted - free]
    return wrong


def test_only_app_prints() -> None:
    assert found({"print", "input"}, {"app/": {"print"}}) == []
    for file in FILES:
        uses = {
            node.attr
            for node in ast.walk(tree(file))
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "sys"
        }
        assert not uses & {"stdout", "stderr", "stdin"} or "app" in file.parts, file


TOUCHING = {
    *("open", ".open", ".read_text", ".read_bytes", ".write_text", ".write_bytes", ".mkdir", ".rmdir", ".unlink"),
    *(
        ".touch",
        ".rename",
        ".symlink_to",
        ".hardlink_to",
        ".iterdir",
        ".chmod",
        "os.open",
        "os.remove",
        "os.replace",
    ),
    *("os.makedirs", "os.mkdir", "os.unlink", "os.truncate", "np.load", "np.save", "np.savez", "np.loadtxt"),
    *("np.genfromtxt", "np.fromfile", "np.memmap", ".tofile", "shutil.rmtree", "shutil.copy", "shutil.move"),
    *("tempfile.mkstemp", "tempfile.mkdtemp", "tempfile.NamedTemporaryFile", "subprocess.run", "subprocess.Popen"),
    *("os.system", "urllib.request.urlopen", "socket.socket"),
}


def test_only_runner_and_data_touch_files() -> None:
    never = {"subprocess.run", "subprocess.Popen", "os.system", "urllib.request.urlopen", "socket.socket"}
    assert found(never, {}) == []
    allowed = {
        "runner/": TOUCHING - never,
        "data/": {".open", ".iterdir", "np.load", "np.memmap"},
        "config/yaml.py": {".open"},
        "app/output.py": {"os.open"},  # /dev/null, where stdout goes once nobody reads it
        "app/openblas.py": {"open"},  # /proc/cpuinfo, before anything else is there
    }
    assert found(TOUCHING, allowed) == []


def test_no_file_is_unpickled() -> None:
    loads = [
        (file, node)
        for file in FILES
        for name, node in calls(file)
        if name in ("np.load", ".read_array", ".load_array")
    ]
    assert loads
    for file, node in loads:
        given = {keyword.arg: ast.unparse(keyword.value) for keyword in node.keywords}
        assert given.get("allow_pickle") == "False", f"{file}:{node.lineno}"


CODE = {"eval", "exec", "compile", "__import__", "globals", "breakpoint"}
LOADERS = {"pickle", "marshal", "shelve", "dill", "importlib", "runpy", "code", "pkgutil", "imp"}


def test_nothing_executes_what_is_written_in_a_file() -> None:
    assert found(CODE, {"core/fused.py": {"exec"}}) == []  # of what it writes itself, where no name comes in
    importers = {(name_of(file), module) for file in FILES for module, _ in imports(file) if module in LOADERS}
    assert {name for name, _ in importers} == {"declnet.core.registry", "declnet.app.later"}
    assert all("importlib" in module for _, module in importers)
    assert found({"import_module", ".import_module"}, {"core/registry.py": {"import_module"}}) == []
    imported = {module for file in FILES for module, _ in imports(file)}
    assert "pydantic.ImportString" not in imported
    pyyaml = {module for module in imported if module.split(".")[0] == "yaml"}
    assert not any(re.search("load|construct|compos|represent|resolv", module) for module in pyyaml)
    assert "yaml" not in pyyaml, "PyYAML's scanner and parser only"


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(ROOT)))
def test_a_file_holds_one_idea(file: Path) -> None:
    lines = file.read_text(encoding="utf-8").count("\n")
    assert lines <= LINES
    assert ast.get_docstring(tree(file)) or "__main__" in file.name


COMPONENTS = {f"{registry.plural}.{name}": cls for registry in REGISTRIES for name, cls in registry.load().items()}


@pytest.mark.parametrize("name", COMPONENTS)
def test_a_component_is_documented_in_order(name: str) -> None:
    cls: type[Component] = COMPONENTS[name]
    check_docstring(cls)
    source = inspect.getsource(cls)
    raises = re.search(
        r"\braise \w+Error|self\.require_|_same_shape\(|check_\w+\(|AfterValidator|Annotated", source
    )
    assert not raises or "\nRaises:" in (inspect.getdoc(cls) or "")


@pytest.mark.parametrize("name", COMPONENTS)
def test_a_component_stands_for_its_type(name: str) -> None:
    cls: type[Component] = COMPONENTS[name]
    own, snake = cls.model_fields["type"].default, re.sub(r"(?<!^)(?=[A-Z])", "_", cls.__name__).lower()
    assert own in (cls.__name__, snake, f"{snake}_")
    assert not cls.__subclasses__(), "abstract or final"
    assert getattr(cls, "__final__", False)
    assert cls.pytorch is None or cls.pytorch.rpartition(".")[2] == own
