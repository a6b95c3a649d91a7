"""`make scale-demo` as a developer runs it. Nine processes cost half a minute of processor time, so all of it
belongs to the long form (`make chaos`); its judgement is tested apart, in `tests/bench`."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from bench import scale_demo
from tests.live_process import ROOT

PROMISES = ("cache", "stream", "outbox", "quota", "web", "end")


@pytest.mark.skipif(os.environ.get("CHAOS") != "full", reason="the long form alone: CHAOS=full")
def test_every_promise_of_the_scale_demo_holds() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "bench.scale_demo"], cwd=ROOT, capture_output=True, text=True, timeout=180
    )
    passed = [line.split()[1] for line in done.stdout.splitlines() if line.startswith("PASS")]
    assert (done.returncode, tuple(passed)) == (0, PROMISES), done.stdout + done.stderr


def test_what_is_missing_is_named_in_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    assert scale_demo.main([]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "redis-server" in line
    assert "make deps" in line
