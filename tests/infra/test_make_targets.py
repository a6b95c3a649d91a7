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
EVERY = "--profile single --profile scale"
APPS = "web worker ingest detect deliver"


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
        lines = path.read_text().splitlines() if path.exists() else []
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


class TestUpdate:
    def test_without_a_change_of_tables_nothing_is_stopped(self, host: Host) -> None:
        assert host.make("update")[0] == 0
        assert host.asked() == [
            "git pull --ff-only",
            "build --pull",
            "run --rm -T migrate python -m app.store status",
            "up --detach --wait --remove-orphans",
        ]

    def test_before_tables_change_there_is_a_backup_and_nobody_writes(self, host: Host) -> None:
        host.tool("docker", 'case "$*" in *"app.store status") exit 1;; esac')
        assert host.make("update")[0] == 0
        kinds = [line.split()[0] for line in host.asked()]
        assert kinds == ["git", "build", "run", "exec", "exec", EVERY.split()[0], "up"]
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
            "exec -T postgres sh /usr/local/bin/restore.sh --check",
            f"{EVERY} stop {APPS}",
            "exec -T postgres sh /usr/local/bin/restore.sh",
            "up --detach --wait",
            "exec -T web python -m app.store verify",
            "exec -T web python -m app.store note-restored x.dump",
        ]
        assert (host.folder / "got").read_text() == "dumped\n"

    @pytest.mark.parametrize("refusing", ["pg_restore", "restore.sh --check"])
    def test_what_is_refused_stops_nothing(self, host: Host, dump: str, refusing: str) -> None:
        host.tool("docker", f'case "$*" in *"{refusing}"*) exit 3;; esac')
        assert host.make("restore", dump)[0] != 0
        assert not any(" stop " in line for line in host.asked())

    def test_what_is_there_is_dumped_before_it_is_replaced(self, host: Host, dump: str) -> None:
        assert host.make("restore", dump, "FORCE=1")[0] == 0
        asked = host.asked()
        saved = asked.index("exec -T postgres sh /usr/local/bin/backup.sh")
        assert saved < asked.index("exec -T postgres sh /usr/local/bin/restore.sh --force")
        assert list((host.folder / "backups").glob("signals-*.dump"))

    def test_without_a_file_it_says_what_to_give(self, host: Host) -> None:
        status, said = host.make("restore")
        assert status == 2
        assert "make restore FILE=" in said
        assert host.asked() == []
