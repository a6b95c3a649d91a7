"""The rule of `conftest.py`: a missing service skips by name, and fails where services are promised."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
SAMPLE = """
import pytest

def test_service():
    pytest.skip("no chromium")

def test_data():
    pytest.skip("no recorded data beside the project")
"""


@pytest.fixture
def sample(tmp_path: Path) -> Path:
    (tmp_path / "conftest.py").write_text((ROOT / "tests" / "conftest.py").read_text("utf-8"))
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    (tmp_path / "test_sample.py").write_text(SAMPLE)
    return tmp_path


def run(folder: Path, require: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
    environ = {"REQUIRE_SERVICES": require, "PATH": ""}
    return subprocess.run(command, cwd=folder, env=environ, capture_output=True, text=True, check=False)


def test_a_missing_service_skips_and_the_summary_names_it(sample: Path) -> None:
    result = run(sample, "")
    assert result.returncode == 0
    assert "1 skipped: no chromium" in result.stdout


def test_a_missing_service_fails_where_services_are_promised(sample: Path) -> None:
    result = run(sample, "1")
    assert result.returncode == 1
    assert "REQUIRE_SERVICES=1, but no chromium" in result.stdout
    assert "1 failed, 1 skipped" in result.stdout
