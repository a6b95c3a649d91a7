"""S12: the image runs as nobody in particular, from pinned and hashed packages, and holds no secret."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from app.settings import SETTING_NAMES

ROOT = Path(__file__).resolve().parents[2]
TEXT = (ROOT / "Dockerfile").read_text("utf-8")


@dataclass(frozen=True, slots=True)
class Step:
    """One instruction, its arguments as written, and the number of its stage."""

    stage: int
    word: str
    rest: str


def parse(text: str) -> list[Step]:
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
    joined = re.sub(r"\\\n", " ", "\n".join(lines))
    steps: list[Step] = []
    stage = -1
    for line in filter(None, map(str.strip, joined.splitlines())):
        word, _, rest = line.partition(" ")
        stage += word.upper() == "FROM"
        steps.append(Step(stage, word.upper(), rest.strip()))
    return steps


STEPS = parse(TEXT)


def of(word: str, stage: int | None = None) -> list[str]:
    return [step.rest for step in STEPS if step.word == word and stage in (None, step.stage)]


def test_it_is_read_as_it_is_written() -> None:
    assert [
        (step.stage, step.word) for step in parse("FROM a:1 AS b\nRUN x \\\n  && y\n# no\nFROM c:2\nUSER 1")
    ] == [
        (0, "FROM"),
        (0, "RUN"),
        (1, "FROM"),
        (1, "USER"),
    ]
    assert parse("RUN x \\\n  && y")[0].rest.split() == ["x", "&&", "y"]


def test_the_dashboard_is_built_in_a_stage_of_its_own() -> None:
    first, last = of("FROM")
    assert re.fullmatch(r"node:22\.\d+\.\d+-slim AS web", first)
    assert re.fullmatch(r"python:3\.12\.\d+-slim", last)
    assert of("RUN", 0) == ["npm ci --no-audit --no-fund", "npm run build"]
    assert "--from=web /build/app/web_dist app/web_dist" in of("COPY", 1)


def test_no_base_floats() -> None:
    for base in of("FROM"):
        name = base.split()[0]
        assert re.fullmatch(r"[a-z]+:\d+\.\d+\.\d+-slim", name)


def test_every_package_is_checked_against_its_hash() -> None:
    installs = [run for run in of("RUN") if re.search(r"\bpip3?\b", run)]
    assert len(installs) == 1
    assert "--require-hashes -r requirements.txt -r requirements-otel.txt" in installs[0]
    assert not any(re.search(r"\bapt(-get)?\b|\bcurl\b|\bwget\b|npm install", run) for run in of("RUN"))


def test_it_does_not_run_as_root_and_owns_nothing_but_its_data() -> None:
    (user,) = of("USER", 1)
    assert re.fullmatch(r"[1-9]\d{3,}:[1-9]\d{3,}", user)
    position = [step.word for step in STEPS]
    assert position.index("USER") < position.index("CMD")
    (chown,) = re.findall(r"\bchown (\S+ \S+)", TEXT)
    assert chown == "signals:signals data"
    assert not any("--chown" in copy for copy in of("COPY"))
    assert json.loads(of("VOLUME")[0]) == ["/srv/signals/data"]
    assert of("WORKDIR", 1) == ["/srv/signals"]  # where sqlite:///data/signals.db leads to the volume


def test_no_secret_and_no_setting_but_the_address_is_baked_in() -> None:
    given = {pair.partition("=")[0] for line in of("ENV") for pair in shlex.split(line)}
    assert given & SETTING_NAMES == {"HOST"}
    assert of("ARG") == []
    assert not re.search(r"KEY|TOKEN|SECRET|PASSWORD", " ".join(step.rest for step in STEPS), re.IGNORECASE)


def test_nothing_is_copied_but_what_runs() -> None:
    sources = {part for copy in of("COPY") for part in copy.split()[:-1] if not part.startswith("--")}
    assert sources - {"/build/app/web_dist"} == {
        "requirements.txt",
        "requirements-otel.txt",
        "LICENSE",
        "app",
        "config",
        "migrations",
        "web",
        "web/package.json",
        "web/package-lock.json",
    }
    ignored = [
        line for line in (ROOT / ".dockerignore").read_text("utf-8").splitlines() if line[:1] not in "#"
    ]
    assert ignored[0] == "*"
    allowed = {line[1:] for line in ignored if line.startswith("!")}
    assert allowed == {source.split("/")[0] for source in sources} - {""}
    assert {"app/web_dist", "**/.env", "**/.env.*", "**/.npmrc", "**/node_modules"} <= set(ignored)


def test_it_starts_the_service_and_is_told_to_stop_itself() -> None:
    (command,) = of("CMD")
    assert json.loads(command) == ["python", "-m", "app.main"]  # no shell between: it gets the signal
    assert of("ENTRYPOINT") == []


def test_it_is_stopped_by_the_signal_it_listens_to_and_writes_no_code() -> None:
    assert of("STOPSIGNAL") == ["SIGTERM"]
    given = dict(pair.split("=") for line in of("ENV", 1) for pair in shlex.split(line))
    assert given["PYTHONDONTWRITEBYTECODE"] == "1"  # its files may be read-only
    (compiled,) = [run for run in of("RUN", 1) if "compileall" in run]
    assert compiled.startswith("python -m compileall -q app migrations")


def test_its_labels_say_what_it_is() -> None:
    (label,) = of("LABEL")
    names = {pair.partition("=")[0] for pair in shlex.split(label)}
    assert names == {f"org.opencontainers.image.{name}" for name in ("title", "description", "licenses")}


def test_its_health_is_asked_for_by_what_is_in_it() -> None:
    (check,) = of("HEALTHCHECK")
    options, _, command = check.partition("CMD ")
    program, flag, script = json.loads(command)
    assert (program, flag) == ("python", "-c")
    assert "/health/live" in script
    assert "--timeout=5s" in options
    refused = subprocess.run(
        [sys.executable, "-c", script],
        env={"PORT": "1", "http_proxy": "http://127.0.0.1:9"},
        capture_output=True,
        check=False,
    )
    assert refused.returncode == 1  # nothing answers there: a sick container is seen
    compile(script, "healthcheck", "exec")


@pytest.fixture
def image(tmp_path: Path) -> Path:
    """The files of the last stage, but for what the first one makes."""
    for copy in of("COPY", 1):
        if copy.startswith("--from"):
            continue
        source, target = copy.split()
        if (ROOT / source).is_dir():
            ignore = shutil.ignore_patterns("__pycache__", "web_dist", "*.db", ".env*")
            shutil.copytree(ROOT / source, tmp_path / target, ignore=ignore)
        else:
            shutil.copy(ROOT / source, tmp_path / target)
    (tmp_path / "data").mkdir()
    return tmp_path


def test_what_is_copied_is_enough_to_run(image: Path) -> None:
    script = (
        "import app.worker, app.main\n"
        "from app.bootstrap import build\n"
        "from app.settings import load_settings\n"
        "from app.store import main\n"
        "build(load_settings({'WORKER': 'embedded'}))\n"
        "raise SystemExit(main(['migrate']))"
    )
    kept = {name: value for name, value in os.environ.items() if name not in SETTING_NAMES}
    result = subprocess.run(
        [sys.executable, "-c", script],
        cwd=image,
        env=kept | {"PYTHONPATH": str(image), "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    assert (image / "data" / "signals.db").is_file()
