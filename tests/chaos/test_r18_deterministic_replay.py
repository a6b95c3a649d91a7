"""R18: the same recording twice, under different hash seeds, gives byte-identical alerts."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
DATA = ROOT.parent / "shared" / "data"


def replayed(hash_seed: str) -> bytes:
    """Every alert of the recordings, as a process of its own prints them."""
    command = [sys.executable, "-m", "app.flow_study", "--data", str(DATA), "--alerts"]
    environment = {**os.environ, "PYTHONHASHSEED": hash_seed}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, check=False, timeout=300)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout


@pytest.mark.skipif(not DATA.is_dir(), reason="recorded data ../shared/data is not here")
def test_replaying_the_recordings_twice_gives_the_same_bytes() -> None:
    first, second = replayed("1"), replayed("4242")
    assert first == second
    lines = first.decode().splitlines()
    assert sum('"STOP_HUNT"' in line for line in lines) >= 8
    assert len({line.split(" ", 1)[1] for line in lines}) == len(lines)
