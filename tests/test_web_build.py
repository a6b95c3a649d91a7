"""`make web` with a Node and an npm of the test's own: when it builds, and what it says when it cannot."""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
TOOLS = ("sh", "find", "grep", "head", "mktemp", "rm", "tail", "touch", "true")
# A network that swallows packets must not hold up a start for the ten minutes that npm would wait.
CI = "ci --no-audit --no-fund --fetch-retries=1 --fetch-timeout=30000"
REAL_NODE = shutil.which("node")


@dataclass(slots=True)
class Workshop:
    """A front end to build, with nothing on the PATH but what is put there."""

    folder: Path

    @property
    def index(self) -> Path:
        return self.folder / "dist" / "index.html"

    def tool(self, name: str, script: str) -> None:
        path = self.folder / "bin" / name
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)

    def node(self, version: str) -> None:
        """A Node that says this version; what it is asked to run sees that version too."""
        if REAL_NODE is None:
            pytest.skip("no node")
        shown = f"Object.defineProperty(process.versions, 'node', {{value: '{version}'}});"
        self.tool(
            "node",
            f'[ "$1" = --version ] && exec echo v{version}\nexec {REAL_NODE} -e "{shown} $2" 2>/dev/null',
        )

    def npm(self, *, ci: str = "", build: str = "") -> None:
        """An npm that writes down what it is asked, and does `ci` or `build`."""
        installed = "mkdir -p node_modules; touch node_modules/.package-lock.json"
        built = f"mkdir -p {self.index.parent}; echo built >{self.index}"
        self.tool(
            "npm",
            f'echo "$@" >>{self.folder}/asked\ncase "$1" in\n--version) echo 10;;\n'
            f"ci) {ci or installed};;\nrun) {build or built};;\nesac",
        )

    def asked(self) -> list[str]:
        """What npm was asked since the last look."""
        path = self.folder / "asked"
        lines = path.read_text().splitlines() if path.exists() else []
        path.unlink(missing_ok=True)
        return [line for line in lines if line != "--version"]

    def make(self, goal: str) -> tuple[int, str]:
        """Exit status and what was said. `demo` starts nothing here: its Python is `true`."""
        make = shutil.which("make")
        if make is None:
            pytest.skip("no make")
        venv = self.folder / "venv"
        command = [make, goal, f"WEB={self.folder}/web", f"WEB_INDEX={self.index}"]
        result = subprocess.run(
            [*command, f"VENV={venv}", "PY=true"],
            cwd=ROOT,
            env={"PATH": str(self.folder / "bin"), "TMPDIR": str(self.folder)},
            capture_output=True,
            text=True,
            check=False,
        )
        return result.returncode, result.stdout


@pytest.fixture
def shop(tmp_path: Path) -> Workshop:
    for name in ("bin", "web/src", "web/node_modules", "venv"):
        (tmp_path / name).mkdir(parents=True)
    for name in (*TOOLS, "mkdir", "dirname", "echo"):
        path = shutil.which(name)
        assert path is not None
        (tmp_path / "bin" / name).symlink_to(path)
    for name in (
        "web/package.json",
        "web/package-lock.json",
        "web/src/main.ts",
        "venv/.created",
        "venv/.run",
    ):
        (tmp_path / name).write_text("{}")
    return Workshop(tmp_path)


def age(path: Path, seconds: int) -> None:
    """As if it had been written that much earlier."""
    stamp = path.stat().st_mtime - seconds
    os.utime(path, (stamp, stamp))


@pytest.mark.parametrize("goal", ["web", "demo", "run"])
def test_it_is_installed_from_the_lock_file_and_built(shop: Workshop, goal: str) -> None:
    shop.node("20.19.0")
    shop.npm()
    assert shop.make(goal) == (0, "building the dashboard\n")
    assert shop.asked() == [CI, "run build"]
    assert shop.index.read_text() == "built\n"


def test_what_is_built_is_built_again_only_for_newer_sources(shop: Workshop) -> None:
    shop.node("22.12.0")
    shop.npm()
    for path in (shop.folder / "web").rglob("*"):
        age(path, 60)
    age(shop.folder / "web", 60)
    shop.make("web")
    shop.asked()
    assert shop.make("web") == (0, "")
    (shop.folder / "web" / "node_modules" / "x").write_text("not a source")
    os.utime(shop.folder / "web", (0, 0))
    assert shop.make("web") == (0, "")
    age(shop.index, 120)
    assert shop.make("web") == (0, "building the dashboard\n")
    assert shop.asked() == ["run build"]  # what is installed still fits the lock file


@pytest.mark.parametrize("version", ["18.20.4", "20.18.3", "21.7.3", "22.11.0"])
def test_a_node_that_is_too_old_is_said_in_one_line(shop: Workshop, version: str) -> None:
    shop.node(version)
    shop.npm()
    said = f"no dashboard: Node 20.19 or newer is not here (found v{version}); everything else works\n"
    assert shop.make("demo") == (0, said)
    assert shop.make("web") == (2, said)
    assert shop.asked() == []


@pytest.mark.parametrize("version", ["20.19.0", "20.20.2", "22.12.0", "24.0.0"])
def test_a_node_that_will_do_is_used(shop: Workshop, version: str) -> None:
    shop.node(version)
    shop.npm()
    assert shop.make("demo") == (0, "building the dashboard\n")


def test_no_node_is_said_in_one_line(shop: Workshop) -> None:
    said = "no dashboard: Node 20.19 or newer is not here (found none); everything else works\n"
    assert shop.make("demo") == (0, said)


def test_no_npm_is_said_in_one_line(shop: Workshop) -> None:
    shop.node("20.19.0")
    assert shop.make("run") == (0, "no dashboard: npm is not here; everything else works\n")


def test_without_a_network_the_service_starts_all_the_same(shop: Workshop) -> None:
    shop.node("20.19.0")
    shop.npm(ci="echo progress; echo 'npm error code ENOTFOUND' >&2; echo 'npm error more' >&2; exit 1")
    status, said = shop.make("demo")
    assert status == 0
    assert said == (
        "building the dashboard\nno dashboard: npm ci: npm error code ENOTFOUND; everything else works\n"
    )
    assert shop.asked() == [CI]
    assert shop.make("web")[0] == 2


def test_a_build_that_fails_leaves_what_was_built_before(shop: Workshop) -> None:
    shop.node("20.19.0")
    shop.npm(build="echo 'src/main.ts(3,1): error TS2304: nope'; exit 2")
    shop.index.parent.mkdir()
    shop.index.write_text("before\n")
    age(shop.index, 60)
    status, said = shop.make("demo")
    assert status == 0
    assert said.splitlines()[1] == (
        "the dashboard stays as it was built: npm run build: src/main.ts(3,1): error TS2304: nope"
    )
    assert shop.index.read_text() == "before\n"


def test_no_log_is_left_behind(shop: Workshop) -> None:
    shop.node("20.19.0")
    shop.npm(build="exit 1")
    shop.make("demo")
    left = {path.name for path in shop.folder.iterdir()}
    assert left == {"bin", "web", "venv", "asked"}


def test_without_sources_there_is_one_line(shop: Workshop) -> None:
    (shop.folder / "web" / "package.json").unlink()
    said = "no dashboard: its sources are not here; everything else works\n"
    assert shop.make("demo") == (0, said)
