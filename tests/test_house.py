"""The files around the code: settings example, lock files, make targets, and nothing of any one machine."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest
from pydantic import AliasChoices

from app.settings import SETTING_NAMES, Settings, load_settings

ROOT = Path(__file__).resolve().parents[1]
TARGETS = {
    "web",
    "setup",
    "deps",
    "demo",
    "run",
    "replay",
    "test",
    "chaos",
    "soak",
    "check",
    "bench",
    "lint-openapi",
    "clean",
    "help",
    "env",
    "start",
    "stop",
    "restart",
    "status",
    "logs",
    "update",
    "backup",
    "restore",
}
# No package index, no user's home, no temporary folder: a clone must mean the same everywhere.
_MACHINE_PATH = re.compile(r"(?<![\w.}/-])/(?:home|Users|root|work|tmp|mnt|private)/[\w.-]+")
_INDEX_OPTION = re.compile(
    r"--(?:extra-)?index-url[ =]|--trusted-host|--find-links|^\s*(?:extra-)?index-url\s*=", re.M
)


def older_names() -> set[str]:
    choices = [info.validation_alias for info in Settings.model_fields.values()]
    return {str(name) for alias in choices if isinstance(alias, AliasChoices) for name in alias.choices[1:]}


def example_lines() -> dict[str, str]:
    text = (ROOT / ".env.example").read_text("utf-8")
    pairs = [line.partition("=") for line in text.splitlines() if line and not line.startswith("#")]
    return {name: value for name, _, value in pairs}


def project_text_files() -> list[Path]:
    git = shutil.which("git")
    if git is None or not (ROOT / ".git").exists():
        pytest.skip("not a git checkout")
    listed = subprocess.run(
        [git, "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    paths = [ROOT / name for name in listed.stdout.split("\0") if name]
    return [path for path in paths if path.is_file() and b"\0" not in path.read_bytes()[:4096]]


class TestEnvExample:
    def test_it_names_every_setting_and_nothing_else(self) -> None:
        assert set(example_lines()) == SETTING_NAMES

    def test_it_is_a_working_configuration_equal_to_the_defaults(self) -> None:
        given = {name: value for name, value in example_lines().items() if value}
        assert load_settings(given).model_dump() == load_settings({}).model_dump()

    def test_it_mentions_every_older_name(self) -> None:
        text = (ROOT / ".env.example").read_text("utf-8")
        assert older_names() == {"CG_API_KEY", "DB_URL", "API_PORT", "BASE_URL"}
        assert all(f"Older name: {name}" in text for name in older_names())

    def test_every_setting_has_a_comment_above_its_block(self) -> None:
        lines = (ROOT / ".env.example").read_text("utf-8").splitlines()
        assert lines[0].startswith("#")
        assert sum(line.startswith("#") for line in lines) >= 25

    def test_it_holds_no_key(self) -> None:
        secret = {name for name in example_lines() if re.search(r"KEYS?$|TOKEN$|REDIS_URL", name)}
        assert all(example_lines()[name] == "" for name in secret)

    def test_the_documentation_names_every_setting(self) -> None:
        text = (ROOT / "docs" / "configuration.md").read_text("utf-8")
        assert {name for name in SETTING_NAMES if f"`{name}`" not in text} == set()


class TestLockFiles:
    @pytest.mark.parametrize("name", ["requirements.txt", "requirements-dev.txt"])
    def test_every_requirement_is_pinned_and_hashed(self, name: str) -> None:
        text = (ROOT / name).read_text("utf-8").replace("\\\n", " ")
        requirements = [
            line for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")
        ]
        assert len(requirements) > 10
        assert [line for line in requirements if not re.match(r"[\w.-]+(?:\[[\w,-]+\])?==\S+", line)] == []
        assert [line for line in requirements if not re.search(r"--hash=sha256:[0-9a-f]{64}", line)] == []

    @pytest.mark.parametrize("name", ["requirements.txt", "requirements-dev.txt"])
    def test_no_address_is_locked_in(self, name: str) -> None:
        assert "://" not in (ROOT / name).read_text("utf-8")

    def test_both_sets_agree_on_every_version(self) -> None:
        run, dev = (self.versions(name) for name in ("requirements.txt", "requirements-dev.txt"))
        assert {name: version for name, version in run.items() if dev.get(name) != version} == {}

    @pytest.mark.parametrize("name", ["requirements", "requirements-dev"])
    def test_what_is_asked_for_is_locked(self, name: str) -> None:
        asked = re.findall(r"^([\w.-]+)", (ROOT / f"{name}.in").read_text("utf-8"), re.M)
        wanted = {item.lower() for item in asked if not item.startswith("-")}
        assert wanted <= set(self.versions(f"{name}.txt"))

    @staticmethod
    def versions(name: str) -> dict[str, str]:
        found = re.findall(r"^([\w.-]+)(?:\[[\w,-]+\])?==(\S+)", (ROOT / name).read_text("utf-8"), re.M)
        return {package.lower(): version for package, version in found}


class TestMakefile:
    @staticmethod
    def make(*arguments: str) -> subprocess.CompletedProcess[str]:
        make = shutil.which("make")
        if make is None:
            pytest.skip("no make")
        return subprocess.run([make, *arguments], cwd=ROOT, capture_output=True, text=True, check=False)

    @pytest.mark.parametrize("target", sorted(TARGETS))
    def test_target_exists(self, target: str) -> None:
        assert self.make("--dry-run", target, "DATA=app").returncode == 0

    def test_plain_make_lists_every_target(self) -> None:
        shown = self.make().stdout
        assert {target for target in TARGETS if f"\n  {target} " not in shown} == set()

    def test_replay_without_data_says_what_is_missing(self) -> None:
        result = self.make("replay", "DATA=")
        assert result.returncode != 0
        assert "make replay DATA=folder" in result.stdout

    def test_too_old_a_python_is_said_in_words(self, tmp_path: Path) -> None:
        result = self.make(f"VENV={tmp_path}/venv", "PYTHON=false", f"{tmp_path}/venv/.created")
        assert result.returncode != 0
        assert "Python 3.11 or newer is needed" in result.stdout

    def test_installing_demands_hashes(self) -> None:
        installs = re.findall(r"^.*\binstall\b.*$", self.make("-n", "-B", "setup").stdout, re.M)
        pip_lines = [line for line in installs if "-m pip" in line]
        assert pip_lines
        assert all("--require-hashes" in line for line in pip_lines)


class TestContinuousIntegration:
    def test_ci_runs_the_same_checks_as_a_developer(self) -> None:
        text = (ROOT / ".ci" / "run").read_text("utf-8")
        order = [text.index(step) for step in ("make deps", "make check", "REQUIRE_SERVICES=1", "make test")]
        assert order == sorted(order)
        assert (ROOT / ".ci" / "run").stat().st_mode & 0o111

    def test_the_workflow_calls_it_on_every_supported_python(self) -> None:
        text = (ROOT / ".github" / "workflows" / "ci.yml").read_text("utf-8")
        assert "run: .ci/run" in text
        assert '["3.11", "3.12", "3.13"]' in text


class TestNothingOfThisMachine:
    def test_no_file_names_a_machine_path_or_a_package_index(self) -> None:
        found = [
            f"{path.relative_to(ROOT)}: {match.group()}"
            for path in project_text_files()
            for pattern in (_MACHINE_PATH, _INDEX_OPTION)
            for match in pattern.finditer(path.read_text("utf-8"))
            if path != Path(__file__).resolve()
        ]
        assert found == []

    def test_no_secret_file_would_be_committed(self) -> None:
        names = {path.name for path in project_text_files()}
        assert ".env" not in names

    @pytest.mark.parametrize(
        "text", ["see /home/ann/x", "'/root/.cache'", "pip --index-url https://x", "(/tmp/a)"]
    )
    def test_such_text_would_be_found(self, text: str) -> None:
        assert _MACHINE_PATH.search(text) or _INDEX_OPTION.search(text)

    @pytest.mark.parametrize(
        "text", ["app/world/x", "https://h.example/home/x", "GET /api/v5/tmp", "../shared/data"]
    )
    def test_ordinary_paths_are_not(self, text: str) -> None:
        assert not _MACHINE_PATH.search(text)


class TestDecisions:
    RECORDS = sorted((ROOT / "docs" / "adr").glob("[0-9]*.md"))

    def test_they_are_numbered_without_gaps_and_all_listed(self) -> None:
        index = (ROOT / "docs" / "adr" / "README.md").read_text("utf-8")
        assert [path.name[:4] for path in self.RECORDS] == [
            f"{n:04}" for n in range(1, len(self.RECORDS) + 1)
        ]
        assert all(f"({path.name})" in index for path in self.RECORDS)

    @pytest.mark.parametrize("path", RECORDS, ids=lambda path: path.stem)
    def test_each_is_one_page_with_a_quotable_decision(self, path: Path) -> None:
        text = path.read_text("utf-8")
        headings = re.findall(r"^## (.+)$", text, re.M)
        assert headings == ["Context", "Decision", "Consequences", "Rejected", "Enforced"]
        assert re.search(r"^## Decision\n\n> \S", text, re.M)
        assert text.count("\n") <= 60

    def test_every_place_the_documents_name_exists(self) -> None:
        documents = [*self.RECORDS, ROOT / "docs" / "architecture.md", ROOT / "CONTRIBUTING.md"]
        named = {
            match
            for path in documents
            for match in re.findall(r"`((?:app|tests|docs|config)/[\w./-]+)`", path.read_text("utf-8"))
        }
        assert named
        assert sorted(name for name in named if "NAME" not in name and not (ROOT / name).exists()) == []
