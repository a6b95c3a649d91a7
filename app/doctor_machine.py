"""Probes of this machine: Python and packages, what was built, room on disk and in memory, files, the clock.

Reads only. Where a figure cannot be had (another system than Linux) the probe is skipped.
"""

from __future__ import annotations

import asyncio
import os
import re
import resource
import shutil
import sys
from collections.abc import Iterator
from email.utils import parsedate_to_datetime
from importlib import metadata
from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from sqlalchemy import make_url

from app.api.dashboard_files import read_dashboard
from app.core.errors import ConfigurationError, ProviderError
from app.core.smc.sessions import SESSIONS
from app.doctor_deployment import Deployment
from app.doctor_run import Finding, Probe, fail, ok, skip, warn
from app.services.storage.engine import is_embedded

GROUP = "machine"
OLDEST_PYTHON, NEWEST_TRIED = (3, 11), (3, 13)
MB, GB = 10**6, 10**9
# Days of liquidations of every coin are some hundred megabytes; a full disk stops the record.
WARN_DISK_BYTES, FAIL_DISK_BYTES = 2 * GB, 200 * MB
WARN_MEMORY_BYTES, FAIL_MEMORY_BYTES = 512 * MB, 128 * MB
# 500 listeners of the live feed, as many requests, providers, database.
WARN_FILES, FAIL_FILES = 1_024, 256
WARN_SKEW_S, FAIL_SKEW_S = 2.0, 30.0
_PINNED = re.compile(r"^([A-Za-z0-9._-]+)==([^\s;\\]+)\s*(;)?", re.MULTILINE)


async def python_version(_: Deployment) -> Finding:
    return judge_python(sys.version_info[:2], sys.version.partition(" ")[0])


def judge_python(version: tuple[int, int], now: str) -> Finding:
    """Is it one that this service was tried with? now: in words."""
    if version < OLDEST_PYTHON:
        return fail(f"Python {now} is too old", "install Python 3.11 or newer and make the .venv again")
    if version > NEWEST_TRIED:
        return warn(f"Python {now} is newer than what was tried", "use Python 3.11 to 3.13")
    return ok(f"Python {now}")


async def packages(deployment: Deployment) -> Finding:
    if not deployment.requirements.is_file():
        return skip("requirements.txt is not here")
    pinned = deployment.requirements.read_text(encoding="utf-8")
    checked, other = await asyncio.to_thread(_compare, pinned)
    if other:
        shown = ", ".join(other[:5]) + (f" and {len(other) - 5} more" if len(other) > 5 else "")
        return warn(f"not as pinned: {shown}", "install requirements.txt again, with --require-hashes")
    return ok(f"{checked} packages are as requirements.txt pins them")


def _compare(pinned: str) -> tuple[int, list[str]]:
    """(how many are as pinned, the others in words). A package may be pinned once for each Python."""
    wanted: dict[str, set[str]] = {}
    conditional = set()
    for name, version, marker in _PINNED.findall(pinned):
        wanted.setdefault(name, set()).add(version)
        if marker:
            conditional.add(name)
    installed = {name: _installed(name) for name in wanted}
    missing = [name for name, version in installed.items() if version is None and name not in conditional]
    wrong = [
        f"{name} {version}" for name, version in installed.items() if version and version not in wanted[name]
    ]
    right = sum(version in wanted[name] for name, version in installed.items())
    return right, [f"{name} is missing" for name in missing] + wrong


def _installed(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


async def dashboard(deployment: Deployment) -> Finding:
    mend = "make web (Node 20.19 or newer and npm); everything else works without it"
    try:
        built = await asyncio.to_thread(read_dashboard, deployment.web_dist)
    except ConfigurationError as error:
        return fail(str(error), "make web builds it again")
    if built is None:
        return warn("the dashboard is not built", mend)
    return ok("the dashboard is built")


async def time_zones(_: Deployment) -> Finding:
    try:
        zones = {ZoneInfo(session.zone).key for session in SESSIONS}
    except ZoneInfoNotFoundError:
        return fail("there is no time zone data", "install the package tzdata, of the system or of Python")
    return ok(f"time zones of the trading sessions are known: {', '.join(sorted(zones))}")


async def data_folder(deployment: Deployment) -> Finding:
    folder = _data_folder(deployment)
    if folder is None:
        return skip("the database is a server's: nothing is written here")
    existing = _existing(folder)
    if not existing.is_dir():
        return fail(f"{existing} is in the way: it is a file", "move it, or set DATABASE_URL elsewhere")
    if not os.access(existing, os.W_OK | os.X_OK):
        return fail(f"nothing can be written in {existing}", "give it to the user that runs the service")
    return ok(f"{folder} can be written" if folder == existing else f"{folder} can be made")


async def data_disk(deployment: Deployment) -> Finding:
    folder = _existing(_data_folder(deployment) or deployment.folder)
    return room(shutil.disk_usage(folder), str(folder))


def room(usage: shutil._ntuple_diskusage, where: str) -> Finding:
    """Is there room enough?"""
    found = f"{usage.free / GB:,.1f} GB of {usage.total / GB:,.1f} GB are free at {where}"
    mend = "make room, or keep less (RETENTION_ settings)"
    if usage.free < FAIL_DISK_BYTES:
        return fail(found, mend)
    return warn(found, mend) if usage.free < WARN_DISK_BYTES else ok(found)


async def memory(_: Deployment) -> Finding:
    left = [bytes_ for bytes_ in (_machine_memory(), _group_memory()) if bytes_ is not None]
    if not left:
        return skip("how much memory is left cannot be read here")
    found = f"{min(left) / MB:,.0f} MB of memory are available"
    mend = "give the machine or the container more: a web process takes 300 MB, a worker about as much"
    if min(left) < FAIL_MEMORY_BYTES:
        return fail(found, mend)
    return warn(found, mend) if min(left) < WARN_MEMORY_BYTES else ok(found)


def _machine_memory() -> int | None:
    found = re.search(r"^MemAvailable:\s+(\d+) kB", _text("/proc/meminfo"), re.MULTILINE)
    return int(found[1]) * 1024 if found else None


def _group_memory() -> int | None:
    """What is left of a container's limit."""
    limit, used = _text("/sys/fs/cgroup/memory.max").strip(), _text("/sys/fs/cgroup/memory.current").strip()
    return int(limit) - int(used) if limit.isdigit() and used.isdigit() else None


def _text(path: str) -> str:
    try:
        return Path(path).read_text(encoding="ascii")
    except OSError:
        return ""


async def open_files(_: Deployment) -> Finding:
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    if limit == resource.RLIM_INFINITY:
        return ok("as many open files as wanted")
    found = f"{limit:,} open files are allowed"
    mend = "raise it: LimitNOFILE= in the unit, ulimit -n in a shell, ulimits in compose"
    if limit < FAIL_FILES:
        return fail(found, mend)
    return warn(found, mend) if limit < WARN_FILES else ok(found)


async def processors(deployment: Deployment) -> Finding:
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    found = f"{cores} processor core{'' if cores == 1 else 's'}"
    if cores == 1 and not deployment.settings.runs_worker_embedded():
        return warn(f"{found} for a web process and a worker", "two let the stream and answers run at once")
    return ok(found)


async def clock_skew(deployment: Deployment) -> Finding:
    settings = deployment.settings
    for whom, url in (
        ("okx", f"{settings.okx_base_url}/api/v5/public/time"),
        ("alternative.me", f"{settings.alternative_me_base_url}/fng/"),
    ):
        before_ms = deployment.wall.now_ms()
        try:
            answer = await deployment.questions.ask(whom, url)
        except ProviderError:
            continue
        theirs_ms = _date_ms(answer.headers.get("date", ""))
        if theirs_ms is not None:
            # Whole seconds, cut: half of one is the best guess. Taken half-way between question and answer.
            skew_s = (before_ms + answer.elapsed_ms / 2 - theirs_ms - 500) / 1000
            return _judge_skew(skew_s, whom)
    return skip("nobody told the time")


def _judge_skew(skew_s: float, whom: str) -> Finding:
    mend = "let the clock be kept: timedatectl set-ntp true, or chrony"
    if abs(skew_s) <= WARN_SKEW_S:
        return ok(f"the clock agrees with {whom} within {WARN_SKEW_S:g} s")
    found = f"this clock is {abs(skew_s):.1f} s {'ahead of' if skew_s > 0 else 'behind'} the one of {whom}"
    return fail(found, mend) if abs(skew_s) > FAIL_SKEW_S else warn(found, mend)


def _date_ms(header: str) -> int | None:
    try:
        return int(parsedate_to_datetime(header).timestamp() * 1000)
    except ValueError:
        return None


def _data_folder(deployment: Deployment) -> Path | None:
    """Where the SQLite file is; None without one."""
    url = deployment.settings.store_url()
    if not is_embedded(url):
        return None
    return (deployment.folder / (make_url(url).database or "")).parent


def _existing(folder: Path) -> Path:
    """The folder, or the first above it that is there."""
    return next(path for path in _upwards(folder) if path.exists())


def _upwards(folder: Path) -> Iterator[Path]:
    yield folder
    yield from folder.absolute().parents


PROBES = (
    Probe("python_version", GROUP, python_version),
    Probe("packages", GROUP, packages),
    Probe("dashboard", GROUP, dashboard),
    Probe("time_zones", GROUP, time_zones),
    Probe("data_folder", GROUP, data_folder),
    Probe("data_disk", GROUP, data_disk),
    Probe("memory", GROUP, memory),
    Probe("open_files", GROUP, open_files),
    Probe("processors", GROUP, processors),
    Probe("clock_skew", GROUP, clock_skew, is_remote=True, limit_s=14.0),
)
