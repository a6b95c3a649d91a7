"""The PM2 file: node loads it, and it starts what there is with time to stop; the Procfile likewise."""

from __future__ import annotations

import importlib.util
import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
FILE = ROOT / "infra" / "pm2" / "ecosystem.config.js"
GRACEFUL_STOP_MS = 10_000


@pytest.fixture(scope="module")
def apps() -> list[dict[str, Any]]:
    node = shutil.which("node")
    if node is None:
        pytest.skip("no node")
    script = f"process.stdout.write(JSON.stringify(require({json.dumps(str(FILE))})))"
    done = subprocess.run([node, "-e", script], cwd=ROOT.parent, capture_output=True, text=True, check=True)
    return list(json.loads(done.stdout)["apps"])


def test_web_and_worker_run_once_each(apps: list[dict[str, Any]]) -> None:
    assert {app["name"]: app["args"] for app in apps} == {
        "signals-web": ["-m", "app.main"],
        "signals-worker": ["-m", "app.worker"],
    }
    assert all((app["instances"], app["exec_mode"]) == (1, "fork") for app in apps)


def test_they_start_with_the_projects_python_and_no_other_interpreter(apps: list[dict[str, Any]]) -> None:
    for app in apps:
        assert app["script"] == str(ROOT / ".venv" / "bin" / "python")
        assert app["interpreter"] == "none"
        assert app["cwd"] == str(ROOT)


def test_they_come_back_and_have_time_to_stop(apps: list[dict[str, Any]]) -> None:
    for app in apps:
        assert app["autorestart"] is True
        assert app["kill_timeout"] > GRACEFUL_STOP_MS


def test_no_setting_is_in_the_file(apps: list[dict[str, Any]]) -> None:
    assert [app["env"] for app in apps] == [{"PYTHONUNBUFFERED": "1"}] * 2


def test_the_procfile_starts_what_there_is_and_migrates_before() -> None:
    lines = (ROOT / "Procfile").read_text("utf-8").splitlines()
    kinds = dict(line.split(": ", 1) for line in lines)
    assert kinds == {
        "release": "python -m app.store migrate",
        "web": "env HOST=0.0.0.0 python -m app.main",
        "worker": "python -m app.worker",
    }
    for command in kinds.values():
        module = command.split("-m ")[1].split()[0]
        assert importlib.util.find_spec(module) is not None
