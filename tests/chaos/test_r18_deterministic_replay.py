"""R18: the same recording twice, under different hash seeds, gives byte-identical alerts and signals."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.chaos.conftest import note
from tests.worker_rig import IS_FULL

ROOT = Path(__file__).resolve().parents[2]
DATA = ROOT.parent / "shared" / "data"


def start(hash_seed: str) -> subprocess.Popen[bytes]:
    """A process of its own that prints every alert of the recordings."""
    command = [sys.executable, "-m", "app.flow_study", "--data", str(DATA), "--alerts"]
    environment = {**os.environ, "PYTHONHASHSEED": hash_seed}
    return subprocess.Popen(
        command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )


@pytest.mark.skipif(not DATA.is_dir(), reason="recorded data ../shared/data is not here")
def test_replaying_the_recordings_twice_gives_the_same_bytes() -> None:
    with start("1") as one, start("4242") as other:
        (first, one_said), (second, other_said) = one.communicate(timeout=300), other.communicate(timeout=300)
    assert (one.returncode, other.returncode) == (0, 0), (one_said + other_said).decode()
    assert first == second
    lines = first.decode().splitlines()
    # Nine cascades, one revision or more each, and no revision twice.
    assert sum('"kind":"STOP_HUNT"' in line for line in lines) >= 9
    assert len(set(lines)) == len(lines)
    note(f"R18 {len(lines)} alerts, {len(first)} bytes, the same under two hash seeds")


@pytest.mark.skipif(not IS_FULL, reason="two whole services: make chaos")
def test_the_same_market_twice_gives_the_same_signals() -> None:
    command = [sys.executable, "-m", "tests.signals_child"]
    runs = [
        subprocess.Popen(
            command,
            cwd=ROOT,
            env={**os.environ, "PYTHONHASHSEED": seed},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        for seed in ("1", "4242")
    ]
    (first, said), (second, _) = (run.communicate(timeout=300) for run in runs)
    assert [run.returncode for run in runs] == [0, 0], said.decode()
    lines = first.decode().splitlines()
    assert {line[:4] for line in lines} == {"200 "}
    assert len(set(lines)) == len(lines)
    assert first == second
    note(f"R18 {len(lines)} signals, {len(first)} bytes, the same under two hash seeds")
