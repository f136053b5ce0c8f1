"""The command stopped by signals, killed, and gone on with."""

from __future__ import annotations

import random
import signal
import time
from typing import TYPE_CHECKING

import pytest

from runner.runs import OPTIMIZERS, lines, same

if TYPE_CHECKING:
    from conftest import Command

pytestmark = pytest.mark.usefixtures("resumable")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("name", ["AdamW", "LBFGS", "SGD"])
def test_the_command_stopped_by_a_signal(command: Command, name: str, number: int) -> None:
    chosen = [f"optimizer={OPTIMIZERS[name]}", "loop.epochs=60"]
    process = command.start("train", "c.yaml", *chosen, "--run-dir", "r")
    assert process.stderr is not None
    for _ in range(4):
        process.stderr.readline()
    process.send_signal(number)
    process.communicate(timeout=60)
    assert process.returncode == 128 + number, "slower than it was stopped; give it more epochs"
    done = len(lines("r"))
    assert 3 <= done < 60
    result = command("train", "--resume", "r")
    assert result.rc == 0, result.stderr
    assert f"going on after epoch {done} of 60" in result.stderr
    assert command("train", "c.yaml", *chosen, "-q", "--run-dir", "straight").rc == 0
    same("straight", "r")


def test_the_command_killed_at_random_moments(command: Command) -> None:
    """kill -9, wherever it is: within a step, a checkpoint, a line, before the first checkpoint."""
    moments, chosen = random.Random(0), ["loop.epochs=300", "loop.checkpoint_every=1"]  # noqa: S311 - no secret
    assert command("train", "c.yaml", *chosen, "-q", "--run-dir", "straight").rc == 0
    arguments: list[str] = ["c.yaml", *chosen, "--run-dir", "r"]
    kills = 0
    for _ in range(6):
        process = command.start("train", *arguments)
        assert process.stderr is not None
        process.stderr.readline()  # it has begun
        time.sleep(moments.uniform(0, 0.4))
        process.kill()
        process.communicate(timeout=60)
        kills += process.returncode == -signal.SIGKILL
        arguments = ["--resume", "r"]
    assert kills >= 3, "it was faster than the kills; give it more epochs"
    result = command("train", "--resume", "r")
    assert result.rc == 0, result.stderr
    same("straight", "r")


def test_the_command_line(command: Command) -> None:
    first, again, grown, busy, both, none, other, missing = command.each(
        "train c.yaml loop.epochs=1 -q --json --run-dir r",
        "train --resume r --json",
        "train --resume r loop.epochs=2 -q",
        "train --resume r seed=4",
        "train --resume r --run-dir q",
        "train",
        "train --resume r c.yaml loop.epochs=2",
        "train --resume none",
    )
    assert (first.rc, again.rc, grown.rc) == (0, 0, 0)
    assert again.stdout == first.stdout
    assert again.stderr == (
        "this run is done, after epoch 1, and was left as it is; loop.epochs=N makes it longer\n"
    )
    assert "best epoch 2 of 2" in grown.stdout
    assert (busy.rc, both.rc, none.rc, missing.rc) == (2, 2, 2, 2)
    assert busy.stderr.startswith("<command line>:1:6: error: seed: 3 in r/config.yaml, 4 here\n")
    assert "--resume goes on in the run's own directory; leave --run-dir out" in both.stderr
    assert "Missing argument 'CONFIG': the YAML file to train; or go on with a run: --resume RUN" in none.stderr
    assert (other.rc, other.stdout) == (0, grown.stdout)
    assert missing.stderr == "error: none is not the directory of a run: it has no config.yaml\n"
