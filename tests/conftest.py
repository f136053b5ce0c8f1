"""What the tests share: the installed command as a subprocess, and a small table to train on."""

from __future__ import annotations

import importlib.metadata
import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from examples import write_stand_ins

CHECKOUT = Path(__file__).parent.parent
REAL_DATA = Path(os.environ.get("DECLNET_TEST_DATA", CHECKOUT.parent / "shared" / "data"))
"""Real sets that do not come with declnet: the MNIST test digits (IDX) and tinyshakespeare.txt."""


EACH = """
import contextlib, io, json, shlex, sys
from declnet.app import main

results = []
for command in sys.argv[1:]:
    sys.argv[1:] = shlex.split(command)
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        rc = main()
    results.append((rc, out.getvalue(), err.getvalue(), sorted(sys.modules)))
print(json.dumps(results))
"""


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave slow tests out, unless -m speaks of them, or a test is named."""
    named = any("::" in argument for argument in config.args)
    if "slow" not in config.option.markexpr and not named:
        left_out = pytest.mark.skip(reason="slow: run it with -m slow")
        for item in items:
            if "slow" in item.keywords:
                item.add_marker(left_out)


@dataclass(frozen=True)
class Result:
    """How a command ended, what it printed, and, where that was asked for, what was imported by then."""

    rc: int
    stdout: str
    stderr: str
    modules: list[str] = field(default_factory=list)


class Command:
    """`declnet` in a folder, with an environment in which nothing but the test decides how output looks."""

    def __init__(self, cwd: Path) -> None:
        self.cwd = cwd
        keep = ("PATH", "SYSTEMROOT", "LD_LIBRARY_PATH")
        env = {key: value for key, value in os.environ.items() if key in keep or key.startswith("COV")}
        env |= {"HOME": str(cwd), "LANG": "C.UTF-8", "COLUMNS": "100", "OPENBLAS_NUM_THREADS": "1"}
        if not installed():
            env["PYTHONPATH"] = str(CHECKOUT)
        self.env = env | {"PYTHONWARNINGS": "error"}

    def arguments(self, *args: object) -> list[str]:
        return [sys.executable, "-m", "declnet", *map(str, args)]

    def __call__(self, *args: object, **env: str) -> Result:
        return self.run(self.arguments(*args), **env)

    def each(self, *commands: str) -> list[Result]:
        """Several commands one after another in one process, which saves the starts."""
        done = self.run([sys.executable, "-c", EACH, *commands])
        assert (done.rc, done.stderr) == (0, "")
        return [Result(*result) for result in json.loads(done.stdout)]

    def run(self, arguments: list[str], **env: str) -> Result:
        done = subprocess.run(
            arguments, cwd=self.cwd, env=self.env | env, capture_output=True, text=True, timeout=60, check=False
        )
        assert "\x1b" not in done.stdout + done.stderr, "control codes, and nothing is a terminal"
        return Result(done.returncode, done.stdout, done.stderr)

    def start(self, *args: object) -> subprocess.Popen[str]:
        """The command running, to be sent signals."""
        pipe = subprocess.PIPE
        return subprocess.Popen(
            self.arguments(*args), cwd=self.cwd, env=self.env, stdout=pipe, stderr=pipe, text=True
        )


def installed() -> bool:
    try:
        importlib.metadata.distribution("declnet")
    except importlib.metadata.PackageNotFoundError:
        return False
    return True


@pytest.fixture
def command(tmp_path: Path) -> Command:
    """The command in a folder of the test's own."""
    return Command(tmp_path)


@pytest.fixture(scope="session")
def command_in() -> Callable[[Path], Command]:
    """The command in any folder: for runs that tests share."""
    return Command


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder, the current one while the test runs."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture(scope="session")
def stand_ins(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with stand-ins for the data that two examples read."""
    folder = tmp_path_factory.mktemp("stand_ins")
    write_stand_ins(folder)
    return folder


@pytest.fixture
def real_data() -> Callable[[str], Path]:
    """A file of the folder with real data; the test is skipped without it."""

    def find(name: str) -> Path:
        path = REAL_DATA / name
        if not path.exists():
            pytest.skip(f"needs {name} in {REAL_DATA}, or in the folder that DECLNET_TEST_DATA names")
        return path

    return find


@pytest.fixture
def table(folder: Path) -> Path:
    """`t.csv` in the current folder: 20 rows; a counts up, b is twice a, c is 0 and 1 in turns."""
    path = folder / "t.csv"
    path.write_text("a,b,c\n" + "".join(f"{i},{2 * i},{i % 2}\n" for i in range(20)), encoding="utf-8")
    return path
