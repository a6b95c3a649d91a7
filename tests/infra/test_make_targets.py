"""The make targets of the stack, with a `docker` of the test's own: what they ask of it, in which order."""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
TARGETS = ("env", "start", "stop", "restart", "status", "logs", "update", "backup", "restore")
NEED_THE_STACK = tuple(name for name in TARGETS if name != "env")
EVERY = "--profile single --profile scale --profile alerting"
APPS = "web worker ingest detect deliver"

# A client that runs what it is asked to run in the database's container.
IN_THE_CONTAINER = """case "$*" in "compose exec -T postgres "*)
shift 4; POSTGRES_USER=u POSTGRES_DB=d exec "$@";; esac"""


@dataclass(slots=True)
class Host:
    """A checkout on a host whose `docker` and `git` write down what they are asked."""

    folder: Path

    def tool(self, name: str, script: str) -> None:
        path = self.folder / "bin" / name
        path.write_text(f'#!/bin/sh\necho "{name} $*" >>{self.folder}/asked\n{script}\n')
        path.chmod(0o755)

    def make(self, *arguments: str) -> tuple[int, str]:
        make = shutil.which("make")
        if make is None:
            pytest.skip("no make")
        done = subprocess.run(
            [make, "--no-print-directory", "-f", str(ROOT / "Makefile"), *arguments],
            cwd=self.folder,
            env={"PATH": f"{self.folder}/bin:{os.defpath}"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        return done.returncode, done.stdout

    def asked(self) -> list[str]:
        """What the tools were asked since the last look, without the question whether they are there."""
        path = self.folder / "asked"
        text = path.read_text() if path.exists() else ""
        for script in ("backup.sh", "restore.sh"):
            whole = (ROOT / "infra" / "postgres" / script).read_text("utf-8").rstrip("\n")
            text = text.replace(f"sh -c {whole} {script}", f"TEXT-OF {script}")
        lines = text.splitlines()
        path.unlink(missing_ok=True)
        short = [line.removeprefix("docker compose ") for line in lines]
        return [line for line in short if line != "version"]


@pytest.fixture
def host(tmp_path: Path) -> Host:
    (tmp_path / "bin").mkdir()
    (tmp_path / ".env").write_text("COMPOSE_PROFILES=single\n")
    (tmp_path / "infra").symlink_to(ROOT / "infra")
    made = Host(tmp_path)
    made.tool("docker", "")
    made.tool("git", "")
    return made


@pytest.mark.parametrize("target", NEED_THE_STACK)
def test_without_docker_one_line_says_what_is_missing(host: Host, target: str) -> None:
    host.tool("docker", "exit 1")
    status, said = host.make(target)
    assert status == 2
    assert said.count("\n") == 1
    assert "Docker with the compose plugin" in said


@pytest.mark.parametrize("target", NEED_THE_STACK)
def test_without_an_env_one_line_says_what_is_missing(host: Host, target: str) -> None:
    (host.folder / ".env").unlink()
    status, said = host.make(target)
    assert status == 2
    assert said == "there is no .env: make env writes one\n"
    assert host.asked() == []


@pytest.mark.parametrize("target", TARGETS)
def test_each_is_explained(host: Host, target: str) -> None:
    (line,) = [line for line in host.make("help")[1].splitlines() if line.split()[:1] == [target]]
    assert len(line.split()) > 5


def test_env_writes_what_start_needs(host: Host) -> None:
    (host.folder / ".env").unlink()
    assert host.make("env")[0] == 0
    assert host.make("start")[0] == 0
    assert host.asked() == ["up --detach --build --wait"]


@pytest.mark.parametrize(
    ("target", "asked"),
    [
        ("stop", [f"{EVERY} down --remove-orphans"]),
        ("restart", [f"{EVERY} rm --stop --force {APPS}", "up --detach --wait"]),
        ("status", ["ps --all", "exec -T web python -m app.doctor"]),
        ("logs", ["logs --follow --tail=200"]),
    ],
)
def test_it_asks_for_what_its_name_says(host: Host, target: str, asked: list[str]) -> None:
    assert host.make(target)[0] == 0
    assert host.asked() == asked


def test_the_logs_of_one_service(host: Host) -> None:
    host.make("logs", "SERVICE=worker")
    assert host.asked() == ["logs --follow --tail=200 worker"]


class TestOfThisHost:
    """What looks after a service without containers, on a host whose `.env` is the stack's."""

    @pytest.mark.parametrize("target", ["doctor", "migrate"])
    @pytest.mark.parametrize("line", ["POSTGRES_PASSWORD=x", "COMPOSE_PROFILES=single"])
    def test_it_says_who_looks_after_the_stack_and_fails(self, host: Host, target: str, line: str) -> None:
        (host.folder / ".env").write_text(f"A=1\n{line}\n")
        status, said = host.make(target)
        assert status != 0
        assert said == "this .env is the compose stack's: make status checks it, make start migrates it\n"

    @pytest.mark.parametrize("text", [None, "POSTGRES_PASSWORD=\nMY_COMPOSE_PROFILES=single\n"])
    def test_otherwise_it_runs_the_command_of_the_project(self, host: Host, text: str | None) -> None:
        (host.folder / ".env").unlink()
        (host.folder / ".venv").mkdir()
        for name in ("requirements.txt", ".venv/.created", ".venv/.run"):
            (host.folder / name).touch()
        if text is not None:
            (host.folder / ".env").write_text(text)
        assert "-m app.doctor" in host.make("-n", "doctor")[1]
        assert "compose stack" not in host.make("not-the-stack")[1]
        assert host.make("not-the-stack")[0] == 0

    def test_the_demo_is_not_the_stack(self, host: Host) -> None:
        (host.folder / "requirements.txt").touch()
        assert "compose stack" not in host.make("-n", "doctor", "ARGS=--demo")[1]


class TestUpdate:
    def test_without_a_change_of_tables_nothing_is_stopped(self, host: Host) -> None:
        assert host.make("update")[0] == 0
        assert host.asked() == [
            "git pull --ff-only",
            "build --pull",
            "run --rm -T migrate python -m app.store status",
            "up --detach --wait --remove-orphans",
            # Files they read are new ones now, and a container holds on to the old.
            "up --detach --wait --force-recreate --no-deps proxy prometheus grafana",
        ]

    def test_before_tables_change_there_is_a_backup_and_nobody_writes(self, host: Host) -> None:
        host.tool("docker", 'case "$*" in *"app.store status") exit 1;; esac')
        assert host.make("update")[0] == 0
        kinds = [line.split()[0] for line in host.asked()]
        assert kinds == ["git", "build", "run", "exec", "exec", EVERY.split()[0], "up", "up"]
        assert list((host.folder / "backups").glob("signals-*.dump"))

    def test_without_a_backup_it_does_not_go_on(self, host: Host) -> None:
        host.tool("docker", 'case "$*" in *"app.store status"|*backup.sh) exit 1;; esac')
        assert host.make("update")[0] != 0
        assert not any(line.startswith("up ") or " stop " in line for line in host.asked())


class TestBackup:
    def test_the_dump_gets_its_name_when_it_is_whole(self, host: Host) -> None:
        host.tool("docker", 'case "$*" in *backup.sh) echo dumped;; esac')
        assert host.make("backup")[0] == 0
        (file,) = (host.folder / "backups").iterdir()
        assert file.read_text() == "dumped\n"
        assert file.stat().st_mode & 0o777 == 0o600

    def test_the_script_that_runs_is_the_one_of_the_checkout(self, host: Host) -> None:
        """The container may have been made before an update: nothing of its own files is asked for."""
        host.tool("docker", IN_THE_CONTAINER)
        host.tool("pg_dump", 'echo "dump of $PGDATABASE by $PGUSER"')
        host.tool("pg_restore", "cat >/dev/null")
        assert host.make("backup")[0] == 0
        (file,) = (host.folder / "backups").iterdir()
        assert file.read_text() == "dump of d by u\n"

    @pytest.mark.parametrize("step", ["backup.sh", "pg_restore"])
    def test_a_broken_one_leaves_nothing(self, host: Host, step: str) -> None:
        host.tool("docker", f'case "$*" in *{step}*) echo half; exit 1;; esac')
        assert host.make("backup")[0] != 0
        assert list((host.folder / "backups").iterdir()) == []


class TestRestore:
    @pytest.fixture
    def dump(self, host: Host) -> str:
        (host.folder / "x.dump").write_text("dumped\n")
        return "FILE=x.dump"

    def test_into_an_empty_database(self, host: Host, dump: str) -> None:
        host.tool("docker", f'case "$*" in *restore.sh) cat >{host.folder}/got;; esac')
        assert host.make("restore", dump)[0] == 0
        assert host.asked() == [
            "up --detach --wait postgres",
            "exec -T postgres pg_restore --list",
            "exec -T postgres TEXT-OF restore.sh --check",
            f"{EVERY} stop {APPS}",
            "exec -T postgres TEXT-OF restore.sh",
            "up --detach --wait",
            "exec -T web python -m app.store verify",
            "exec -T web python -m app.store note-restored x.dump",
        ]
        assert (host.folder / "got").read_text() == "dumped\n"

    @pytest.mark.parametrize("tables", [0, 7])
    def test_the_script_gets_its_options_and_the_dump(self, host: Host, dump: str, tables: int) -> None:
        host.tool("docker", IN_THE_CONTAINER)
        host.tool("psql", f'case "$*" in *pg_tables*) echo {tables};; *) echo 0;; esac')
        host.tool("pg_restore", f"cat >{host.folder}/got")
        status, _ = host.make("restore", dump)
        assert (status == 0) == (tables == 0)
        told = [line for line in host.asked() if line.startswith("psql")]
        assert told
        assert not any("DROP DATABASE" in line for line in told)
        assert (host.folder / "got").read_text() == "dumped\n"
        host.tool("pg_dump", "echo saved")
        assert host.make("restore", dump, "FORCE=1")[0] == 0
        assert any("DROP DATABASE" in line for line in host.asked()) == (tables > 0)

    @pytest.mark.parametrize("refusing", ["pg_restore --list", "restore.sh --check"])
    def test_what_is_refused_stops_nothing(self, host: Host, dump: str, refusing: str) -> None:
        host.tool("docker", f'case "$*" in *"{refusing}") exit 3;; esac')
        assert host.make("restore", dump)[0] != 0
        assert not any(" stop " in line for line in host.asked())

    def test_what_is_there_is_dumped_before_it_is_replaced(self, host: Host, dump: str) -> None:
        assert host.make("restore", dump, "FORCE=1")[0] == 0
        asked = host.asked()
        saved = asked.index("exec -T postgres TEXT-OF backup.sh")
        assert saved < asked.index("exec -T postgres TEXT-OF restore.sh --force")
        assert list((host.folder / "backups").glob("signals-*.dump"))

    def test_without_a_file_it_says_what_to_give(self, host: Host) -> None:
        status, said = host.make("restore")
        assert status == 2
        assert "make restore FILE=" in said
        assert host.asked() == []
