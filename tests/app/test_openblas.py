"""OpenBLAS is told before NumPy loads it, and only what the user has not said."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from declnet.app.openblas import better_kernels, prepare, threads_to_start

AVX512 = "avx512f avx512dq avx512cd avx512bw avx512vl"


def cpuinfo(vendor: str, flags: str, *, cpus: int = 2) -> str:
    """As Linux writes it."""
    block = (
        f"processor\t: 0\nvendor_id\t: {vendor}\nmodel name\t: a CPU\nflags\t\t: fpu sse {flags} rdpid\nbugs\t\t:\n"
    )
    return "\n".join([block] * cpus) + "\n"


@pytest.mark.parametrize(
    ("vendor", "flags", "kernels"),
    [
        ("AuthenticAMD", f"avx2 {AVX512} avx512_bf16", "SkylakeX"),  # Zen 4 and 5
        ("AuthenticAMD", "avx2 fma", None),  # Zen 1 to 3
        ("AuthenticAMD", AVX512.replace("avx512dq ", ""), None),
        ("GenuineIntel", f"avx2 {AVX512}", None),  # OpenBLAS sees by itself what these can do
    ],
)
def test_they_are_chosen_by_the_flags(vendor: str, flags: str, kernels: str | None) -> None:
    assert better_kernels(cpuinfo(vendor, flags)) == kernels


def test_other_processors_say_other_things() -> None:
    assert better_kernels("") is None
    assert (
        better_kernels("processor\t: 0\nBogoMIPS\t: 48.00\nFeatures\t: fp asimd\nCPU implementer\t: 0x41\n") is None
    )


def test_what_the_user_said_stays(tmp_path: Path) -> None:
    wide = tmp_path / "cpuinfo"
    wide.write_text(cpuinfo("AuthenticAMD", AVX512, cpus=500), encoding="ascii")
    own, none = {"OPENBLAS_CORETYPE": "Haswell", "OPENBLAS_THREAD_TIMEOUT": "26"}, {"HOME": "/"}
    for environ in (own, none):
        prepare(environ, str(wide))
    assert own == {"OPENBLAS_CORETYPE": "Haswell", "OPENBLAS_THREAD_TIMEOUT": "26"}
    assert none == {"HOME": "/", "OPENBLAS_CORETYPE": "SkylakeX", "OPENBLAS_THREAD_TIMEOUT": "18"}


def test_without_proc_openblas_chooses(tmp_path: Path) -> None:
    environ: dict[str, str] = {}
    prepare(environ, str(tmp_path / "cpuinfo"))
    assert environ == {"OPENBLAS_THREAD_TIMEOUT": "18"}


def test_it_is_told_before_numpy_is_there() -> None:
    """The entry point does so first of all."""
    code = (
        "import sys\nimport declnet.app as app\n"
        "app.prepare = lambda environ: print('numpy' in sys.modules)\n"
        "sys.argv = ['declnet', 'list-components', '--json']\napp.main()\nprint('numpy' in sys.modules)"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=os.environ)
    first, *_, last = found.stdout.splitlines()
    assert (first, last) == ("False", "True")


@pytest.mark.parametrize(
    ("environ", "threads"),
    [
        ({}, 4),
        ({"OPENBLAS_NUM_THREADS": "1"}, 1),
        ({"OMP_NUM_THREADS": "2"}, 2),
        ({"OMP_NUM_THREADS": "2", "OPENBLAS_NUM_THREADS": "3"}, 3),
        ({"OMP_NUM_THREADS": "2", "OPENBLAS_NUM_THREADS": "many"}, 2),
        ({"OPENBLAS_NUM_THREADS": "100"}, 4),
        ({"OPENBLAS_NUM_THREADS": "0"}, 4),
    ],
)
def test_threads_are_at_most_the_cpus(
    monkeypatch: pytest.MonkeyPatch, environ: dict[str, str], threads: int
) -> None:
    monkeypatch.setattr("declnet.core.cpus.cpus", lambda: 4)
    assert threads_to_start(environ) == threads
