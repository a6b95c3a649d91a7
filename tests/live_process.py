"""`python -m app.main` as a child process, the way an operator starts it.

Runs in a folder of its own, so that no `.env` of the developer is read, and sees none of our settings but
those given.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx2

from app.services.transport.connection import tls_context
from app.settings import SETTING_NAMES
from tests.live_rig import closed_port

ROOT = Path(__file__).resolve().parents[1]
START_S = 30.0
STOP_S = 20.0


@dataclass(slots=True)
class Service:
    """A running service: where it answers, its process, and where its output goes."""

    url: str
    process: subprocess.Popen[str]
    output: Path

    def get(self, path: str, **options: object) -> httpx2.Response:
        with httpx2.Client(base_url=self.url, verify=tls_context(), timeout=30) as client:
            return client.get(path, **options)  # type: ignore[arg-type]

    def terminate(self) -> int:
        """SIGTERM, then the exit status."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(STOP_S)


def clean_environment(settings: Mapping[str, str]) -> dict[str, str]:
    """This process' environment without any setting of ours, plus `settings`. What hour it is must not decide
    what a test sees."""
    kept = {name: value for name, value in os.environ.items() if name not in SETTING_NAMES}
    given = {"PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1", "HOURLY_EVALUATIONS": "off"}
    return kept | given | dict(settings)


def start(
    *args: str, folder: Path, settings: Mapping[str, str], output: Path | None = None
) -> subprocess.Popen[str]:
    """`python -m app.main ARGS` in `folder`; its output goes to the file `output`, else to pipes."""
    command = [sys.executable, "-m", "app.main", *args]
    sink = subprocess.PIPE if output is None else output.open("w")
    try:
        return subprocess.Popen(
            command,
            cwd=folder,
            env=clean_environment(settings),
            stdin=subprocess.DEVNULL,
            stdout=sink,
            stderr=subprocess.PIPE if output is None else subprocess.STDOUT,
            text=True,
        )
    finally:
        if not isinstance(sink, int):
            sink.close()


@contextmanager
def running(
    *args: str, folder: Path, settings: Mapping[str, str] | None = None, path: str = "/health/ready"
) -> Iterator[Service]:
    """A service that answers `path` with 200; killed at the end unless it has stopped by itself."""
    output = folder / "service.log"
    chosen = {"PORT": str(closed_port()), **(settings or {})}
    process = start(*args, folder=folder, settings=chosen, output=output)
    service = Service(f"http://127.0.0.1:{chosen['PORT']}", process, output)
    try:
        _wait_until_it_answers(service, path)
        yield service
    finally:
        if process.poll() is None:
            try:
                service.terminate()
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _wait_until_it_answers(service: Service, path: str) -> None:
    give_up_s = time.monotonic() + START_S
    while time.monotonic() < give_up_s:
        assert service.process.poll() is None, service.output.read_text()
        try:
            if service.get(path).status_code == 200:
                return
        except httpx2.TransportError:
            time.sleep(0.05)
    raise AssertionError(f"no answer within {START_S} s: {service.output.read_text()}")


def children_of(pid: int) -> list[int]:
    """Process ids of the direct children."""
    found: list[int] = []
    for task in Path(f"/proc/{pid}/task").iterdir():
        found += map(int, (task / "children").read_text("ascii").split())
    return found


def is_running(pid: int) -> bool:
    """False for a process that is gone, and for one that has ended and waits to be collected."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text("ascii", errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return False
    return stat.rpartition(")")[2].split()[0] not in {"Z", "X"}


def await_end(pid: int, within_s: float) -> bool:
    """True when the process has ended in time."""
    give_up_s = time.monotonic() + within_s
    while is_running(pid) and time.monotonic() < give_up_s:
        time.sleep(0.02)
    return not is_running(pid)
