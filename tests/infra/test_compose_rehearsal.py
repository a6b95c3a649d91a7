"""What `make env` and `make start` lead to, without an engine: the same commands, environment and order.

Postgres and Redis are real, on loopback; names and ports of the compose network are replaced by theirs. The
market is the demo's, which production has to be asked for.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx2
import pytest
import redis

from app.services.transport.connection import tls_context
from app.settings import SETTING_NAMES
from tests.infra.compose_file import ROOT, load, read_env
from tests.live_rig import closed_port
from tests.services.storage.conftest import postgres
from tests.services.transport.conftest import _redis_binary

if TYPE_CHECKING:
    from tests.postgres_server import PostgresServer

__all__ = ["postgres"]

START_S = 90.0
STOP_S = 20.0  # stop_grace_period


class Rehearsal:
    """The services of the file, run here one by one."""

    def __init__(self, folder: Path, server: PostgresServer) -> None:
        self.folder, self._server = folder, server
        self.ports = {name: closed_port() for name in ("web", "redis", "worker")}
        subprocess.run(["sh", ROOT / "infra" / "make-env.sh", folder / ".env"], check=True)
        edited = {"DATA_MODE": "demo", "ALLOW_DEMO_IN_PROD": "true", "SYMBOLS": "BTC"}
        self.env = read_env((folder / ".env").read_text("utf-8")) | edited
        self.services: dict[str, Any] = load(self.env)["services"]
        self._running = ExitStack()

    def close(self) -> None:
        self._running.close()

    def environment(self, name: str) -> dict[str, str]:
        given = {**self.services[name]["environment"], "HOST": "127.0.0.1", "PORT": str(self.ports["web"])}
        given["DATABASE_URL"] = given["DATABASE_URL"].replace(
            "@postgres:5432", f"@127.0.0.1:{self._server.port}"
        )
        given["REDIS_URL"] = given["REDIS_URL"].replace("@redis:6379", f"@127.0.0.1:{self.ports['redis']}")
        if "METRICS_PORT" in given:
            given |= {"METRICS_HOST": "127.0.0.1", "METRICS_PORT": str(self.ports["worker"])}
        kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
        # What hour it is must not decide what is seen.
        quiet = {"HOURLY_EVALUATIONS": "off", "PLANNER": "off"}
        return kept | {"PYTHONPATH": str(ROOT)} | given | quiet

    def start(self, name: str) -> subprocess.Popen[bytes]:
        """In the background, with the command of the service, else that of the image."""
        command = self.services[name].get("command", ["python", "-m", "app.main"])
        assert command[0] == "python"
        log = (self.folder / f"{name}.log").open("ab")
        child = subprocess.Popen(
            [sys.executable, *command[1:]],
            cwd=self.folder,
            env=self.environment(name),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        )
        log.close()
        self._running.callback(self._end, child)
        return child

    @staticmethod
    def _end(child: subprocess.Popen[bytes]) -> None:
        if child.poll() is None:
            child.kill()
        child.wait()

    def start_redis(self) -> None:
        """By the script of the container."""
        binary = Path(_redis_binary())
        given = {name: self.env[name] for name in self.services["redis"]["environment"]}
        child = subprocess.Popen(
            ["sh", ROOT / "infra/redis/start.sh", "--port", str(self.ports["redis"]), "--bind", "127.0.0.1"],
            env=given | {"REDIS_FOLDER": str(self.folder), "PATH": f"{binary.parent}:{os.defpath}"},
            stdout=subprocess.DEVNULL,
        )
        self._running.callback(self._end, child)
        self.await_true(lambda: self.ask_redis(self.env["REDIS_PASSWORD"]), "redis")

    def ask_redis(self, password: str | None) -> bool:
        with redis.Redis(port=self.ports["redis"], password=password) as client:
            try:
                return bool(client.ping())
            except (redis.ConnectionError, redis.AuthenticationError):
                return False

    def is_healthy(self, name: str) -> bool:
        """By the check of the service."""
        kind, program, flag, script = self.services[name]["healthcheck"]["test"]
        assert (kind, program, flag) == ("CMD", "python", "-c")
        inside = {"web": ":8000/", "worker": ":9100/"}[name]
        assert inside in script
        script = script.replace(inside, f":{self.ports[name]}/")
        return subprocess.run([sys.executable, "-S", "-c", script], capture_output=True).returncode == 0

    def await_true(self, is_so: Any, name: str) -> None:
        give_up_s = time.monotonic() + START_S
        while time.monotonic() < give_up_s:
            if is_so():
                return
            time.sleep(0.5)
        log = self.folder / f"{name}.log"
        raise AssertionError(f"{name}: {log.read_text(errors='replace') if log.exists() else 'not so'}")

    def get(self, path: str, key: str | None) -> httpx2.Response:
        headers = {} if key is None else {"Authorization": f"Bearer {key}"}
        base = f"http://127.0.0.1:{self.ports['web']}"
        with httpx2.Client(base_url=base, headers=headers, verify=tls_context(), timeout=30) as client:
            return client.get(path)

    def command(self, *args: str) -> subprocess.CompletedProcess[str]:
        """Inside of the web container."""
        return subprocess.run(
            [sys.executable, "-m", *args],
            cwd=self.folder,
            env=self.environment("web"),
            capture_output=True,
            text=True,
        )

    def tool(self, script: str, *args: str, given: bytes = b"") -> bytes:
        """A script of the database's container."""
        names = self.services["postgres"]["environment"]
        environment = {
            "PATH": f"{self._server._bin}:{os.defpath}",
            "PGHOST": "127.0.0.1",
            "PGPORT": str(self._server.port),
            **{name: names[name] for name in ("POSTGRES_USER", "POSTGRES_DB")},
        }
        done = subprocess.run(
            ["sh", ROOT / "infra" / "postgres" / script, *args],
            env=environment,
            input=given,
            capture_output=True,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout


@pytest.fixture
def stack(tmp_path: Path, postgres: PostgresServer) -> Iterator[Rehearsal]:
    made = Rehearsal(tmp_path, postgres)
    given: Mapping[str, str] = made.services["postgres"]["environment"]
    user, password = given["POSTGRES_USER"], given["POSTGRES_PASSWORD"]
    with suppress(RuntimeError):  # left from another run
        postgres.psql(f"CREATE ROLE {user} SUPERUSER LOGIN PASSWORD '{password}'")
    postgres.create(given["POSTGRES_DB"])
    yield made
    made.close()


def test_an_operator_gets_from_make_env_to_answers_and_back_from_a_backup(stack: Rehearsal) -> None:
    waits = {name: stack.services[name]["depends_on"] for name in ("migrate", "web", "worker")}
    assert waits["migrate"] == {"postgres": {"condition": "service_healthy"}}
    assert (
        waits["web"]
        == waits["worker"]
        == {
            "migrate": {"condition": "service_completed_successfully"},
            "redis": {"condition": "service_healthy"},
        }
    )
    stack.start_redis()
    assert not stack.ask_redis(None)
    assert stack.start("migrate").wait(START_S) == 0
    web, worker = stack.start("web"), stack.start("worker")
    stack.await_true(lambda: stack.is_healthy("web"), "web")

    owner = stack.env["API_KEYS"].split(":")[1]
    assert stack.get("/signals/BTC", None).status_code == 401
    assert stack.get("/signals/BTC", stack.env["REDIS_PASSWORD"]).status_code == 401
    answer = stack.get("/signals/BTC", owner)
    assert (answer.status_code, answer.json()["dataMode"]) == (200, "demo")
    assert stack.get("/metrics", stack.env["METRICS_KEY"]).status_code == 200
    assert stack.get("/health/ready", owner).json()["status"] == "ok"
    stack.await_true(lambda: stack.get("/flow/BTC", owner).json()["state"] == "live", "worker")
    if "METRICS_PORT" in SETTING_NAMES:
        stack.await_true(lambda: stack.is_healthy("worker"), "worker")

    def history() -> list[dict[str, Any]]:
        """Empty while the store opens, or has not written yet."""
        return list(stack.get("/signals/BTC/history", owner).json().get("items", []))

    stack.await_true(history, "web")
    dump = stack.tool("backup.sh")
    told = history()
    for process in (web, worker):
        process.terminate()
    assert [process.wait(STOP_S) for process in (web, worker)] == [0, 0]

    stack.tool("restore.sh", "--force", given=dump)
    verified = stack.command("app.store", "verify")
    assert verified.returncode == 0, verified.stdout + verified.stderr
    assert f"{len(told)} signals" in verified.stdout
    stack.start("web")
    stack.await_true(lambda: stack.is_healthy("web"), "web")
    stack.await_true(history, "web")
    assert history() == told
