"""Child processes of the benchmarks: the simulator and the web process, pinned and always ended.

The machine has few cores, so the server under test gets one to itself and the load comes from another.
"""

from __future__ import annotations

import atexit
import functools
import itertools
import os
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path


def cores() -> tuple[int, int]:
    """(core of the server under test, core of everything else); equal on a one-core machine."""
    available = sorted(os.sched_getaffinity(0))
    return available[0], available[-1]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def child(
    module: str, *args: str, env: Mapping[str, str] | None = None, core: int | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    """Run `python -m module args`, pinned to `core`, until the block ends."""
    process = subprocess.Popen(
        [sys.executable, "-m", module, *args],
        env={**os.environ, **(env or {})},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        stdin=subprocess.PIPE,
    )
    if core is not None:
        os.sched_setaffinity(process.pid, {core})
    try:
        yield process
    finally:
        process.terminate()
        with suppress(subprocess.TimeoutExpired):
            process.wait(timeout=10)
        if process.poll() is None:
            process.kill()
            process.wait()
        for pipe in (process.stdout, process.stdin):
            if pipe:
                pipe.close()


@contextmanager
def simulator(*args: str, core: int | None = None) -> Iterator[str]:
    """A simulator on a free port; yields its base URL."""
    with child("app.sim", "--port", "0", *args, core=core) as process:
        if process.stdout is None:
            raise RuntimeError("the simulator has no stdout")
        line = process.stdout.readline().decode()
        if "ready" not in line:
            raise RuntimeError(f"the simulator did not start: {line!r}")
        yield line.split()[-1]


_NUMBERS = itertools.count()


@functools.cache
def _folder() -> str:
    folder = tempfile.TemporaryDirectory(prefix="bench-")
    atexit.register(folder.cleanup)
    return folder.name


def provider_env(base: str, *, database: str | None = None) -> dict[str, str]:
    """Environment that points every provider of the app at the simulator, with every key set.

    database: URL; None: an empty SQLite file of its own that goes with the process.
    """
    return {
        "DATABASE_URL": database or f"sqlite:///{_folder()}/{next(_NUMBERS)}.db",
        "DATA_MODE": "live",
        "COINGLASS_BASE_URL": f"{base}/coinglass",
        "OKX_BASE_URL": f"{base}/okx",
        "LUNARCRUSH_BASE_URL": f"{base}/lunarcrush",
        "COINAPI_BASE_URL": f"{base}/coinapi",
        "ALTERNATIVE_ME_BASE_URL": f"{base}/alternative-me",
        "TELEGRAM_BASE_URL": f"{base}/telegram",
        "COINGLASS_API_KEY": "bench-coinglass-key",
        "LUNARCRUSH_API_KEY": "bench-lunarcrush-key",
        "COINAPI_KEY": "bench-coinapi-key",
        "RATE_LIMIT_PER_MINUTE": "100000000",
        "LOG_LEVEL": "WARNING",
        # Calls made ahead of questions would hide what a cold answer costs.
        "PLANNER": "off",
        "HOURLY_EVALUATIONS": "off",
    }


def cpu_s(pid: int) -> float:
    """CPU time of a process so far, in user code and in the kernel."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def wait_until_answers(url: str, timeout_s: float = 30.0) -> float:
    """Poll `url` every 5 ms until it answers 200; returns the seconds it took.

    Raises:
        TimeoutError: no 200 within `timeout_s`.
    """
    begun = time.perf_counter()
    while time.perf_counter() - begun < timeout_s:
        with (
            suppress(urllib.error.URLError, ConnectionError, TimeoutError),
            urllib.request.urlopen(url, timeout=2) as answer,  # noqa: S310 - loopback only
        ):
            if answer.status == 200:
                return time.perf_counter() - begun
        time.sleep(0.005)
    raise TimeoutError(f"no answer within {timeout_s} s")
