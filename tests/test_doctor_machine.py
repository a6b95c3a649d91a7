"""Probes of the machine: packages, folders, room, files, and how far the clock is off."""

from __future__ import annotations

import resource
import shutil
import time
from collections.abc import Callable
from email.utils import formatdate
from importlib import metadata
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfoNotFoundError

import pytest

from app import doctor_machine
from app.core.clock import ManualClock
from app.doctor_machine import GB, MB, judge_python, room
from app.doctor_run import Status
from tests.doctor_rig import finding
from tests.live_rig import closed_port, listening

OK, WARN, FAIL, SKIP = Status.OK, Status.WARN, Status.FAIL, Status.SKIP


@pytest.mark.parametrize(
    ("version", "status"), [((3, 10), FAIL), ((3, 11), OK), ((3, 13), OK), ((3, 14), WARN)]
)
async def test_python_is_one_that_was_tried(version: tuple[int, int], status: Status) -> None:
    assert judge_python(version, "3.x").status is status
    assert (await finding("python_version")).detail.startswith("Python 3.")


async def test_packages_are_compared_with_what_is_pinned(tmp_path: Path) -> None:
    pinned, ours = tmp_path / "requirements.txt", metadata.version("redis")
    cases = {
        f"redis=={ours} \\\n    --hash=sha256:00\n": (OK, "1 packages"),
        f"redis=={ours} ; python_full_version < '3.12'\nredis==0.1 ; python_full_version >= '3.12'\n": (
            OK,
            "",
        ),
        "redis==0.0.1\n": (WARN, f"redis {ours}"),
        "no-such-package==1.0\n": (WARN, "no-such-package is missing"),
        "no-such-package==1.0 ; sys_platform == 'win32' \\\n": (OK, ""),
    }
    for text, (status, word) in cases.items():
        pinned.write_text(text)
        found = await finding("packages", requirements=pinned)
        assert (found.status, word in found.detail) == (status, True), found
    assert (await finding("packages", requirements=tmp_path / "none.txt")).status is SKIP


async def test_the_packages_here_are_those_that_are_pinned() -> None:
    assert (await finding("packages")).status is OK


async def test_a_dashboard_is_there_or_can_be_built(tmp_path: Path) -> None:
    missing = await finding("dashboard", web_dist=tmp_path)
    (tmp_path / "index.html").write_text("<html></html>")
    built = await finding("dashboard", web_dist=tmp_path)
    assert (missing.status, built.status) == (WARN, OK)
    assert "make web" in missing.mend


async def test_time_zones_are_looked_up(monkeypatch: pytest.MonkeyPatch) -> None:
    there = await finding("time_zones")

    def unknown(key: str) -> None:
        raise ZoneInfoNotFoundError(key)

    monkeypatch.setattr(doctor_machine, "ZoneInfo", unknown)
    assert (there.status, (await finding("time_zones")).status) == (OK, FAIL)


async def test_a_data_folder_can_be_made_is_there_or_is_a_file(tmp_path: Path) -> None:
    settings = {"DATABASE_URL": f"sqlite:///{tmp_path}/data/deep/signals.db"}
    before = await finding("data_folder", settings)
    assert not (tmp_path / "data").exists()
    (tmp_path / "data" / "deep").mkdir(parents=True)
    there = await finding("data_folder", settings)
    in_the_way = tmp_path / "file"
    in_the_way.write_text("")
    blocked = await finding("data_folder", {"DATABASE_URL": f"sqlite:///{in_the_way}/signals.db"})
    assert (before.status, there.status, blocked.status) == (OK, OK, FAIL)
    assert "it is a file" in blocked.detail


async def test_a_folder_that_may_not_be_written_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Root may write everywhere: what the system says of rights is put in its place.
    monkeypatch.setattr(doctor_machine.os, "access", lambda path, mode: False)
    found = await finding("data_folder", {"DATABASE_URL": f"sqlite:///{tmp_path}/signals.db"})
    assert (found.status, "nothing can be written" in found.detail) == (FAIL, True)


async def test_a_server_needs_no_folder_here() -> None:
    found = await finding("data_folder", {"DATABASE_URL": "postgresql://a:b@h/c"})
    assert found.status is SKIP


@pytest.mark.parametrize(("free", "status"), [(50 * GB, OK), (GB, WARN), (100 * MB, FAIL)])
async def test_a_disk_has_room(monkeypatch: pytest.MonkeyPatch, free: int, status: Status) -> None:
    usage = shutil.disk_usage("/")._replace(free=free)
    assert room(usage, "the data").status is status
    monkeypatch.setattr(doctor_machine.shutil, "disk_usage", lambda path: usage)
    assert (await finding("data_disk")).status is status


@pytest.mark.parametrize(
    ("machine", "group", "status"),
    [(8 * GB, None, OK), (8 * GB, 300 * MB, WARN), (100 * MB, 8 * GB, FAIL), (None, None, SKIP)],
)
async def test_memory_is_what_machine_and_container_leave(
    monkeypatch: pytest.MonkeyPatch, machine: int | None, group: int | None, status: Status
) -> None:
    monkeypatch.setattr(doctor_machine, "_machine_memory", lambda: machine)
    monkeypatch.setattr(doctor_machine, "_group_memory", lambda: group)
    assert (await finding("memory")).status is status


async def test_memory_is_read_from_the_system(monkeypatch: pytest.MonkeyPatch) -> None:
    texts = {"/proc/meminfo": "MemTotal: 9 kB\nMemAvailable:    2048 kB\n"}
    texts |= {"/sys/fs/cgroup/memory.max": "max\n", "/sys/fs/cgroup/memory.current": "77\n"}
    monkeypatch.setattr(doctor_machine, "_text", texts.__getitem__)
    assert (doctor_machine._machine_memory(), doctor_machine._group_memory()) == (2048 * 1024, None)
    texts["/sys/fs/cgroup/memory.max"] = "100\n"
    assert doctor_machine._group_memory() == 23


@pytest.mark.parametrize(
    ("limit", "status"), [(resource.RLIM_INFINITY, OK), (4096, OK), (512, WARN), (128, FAIL)]
)
async def test_open_files_are_enough(monkeypatch: pytest.MonkeyPatch, limit: int, status: Status) -> None:
    monkeypatch.setattr(doctor_machine.resource, "getrlimit", lambda what: (limit, limit))
    assert (await finding("open_files")).status is status


async def test_one_core_is_little_for_two_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor_machine.os, "sched_getaffinity", lambda pid: {0})
    alone, beside = await finding("processors", {"WORKER": "embedded"}), await finding("processors")
    assert (alone.status, beside.status) == (OK, WARN)


def _telling(date: Callable[[], str]) -> Any:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        headers = [(b"date", date().encode())]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b"{}"})

    return app


@pytest.mark.parametrize(
    ("ahead_s", "status", "word"),
    [(0, OK, "agrees"), (10, WARN, "ahead of"), (-10, WARN, "behind"), (45, FAIL, "ahead of")],
)
async def test_a_clock_that_is_off_is_told(ahead_s: int, status: Status, word: str) -> None:
    async with listening(_telling(lambda: formatdate(time.time(), usegmt=True)), log_level="critical") as url:
        wall = ManualClock(int((time.time() + ahead_s) * 1000))
        found = await finding("clock_skew", {"OKX_BASE_URL": url}, wall=wall)
    assert (found.status, word in found.detail) == (status, True), found


async def test_another_tells_the_time_when_the_first_does_not() -> None:
    nobody = f"http://127.0.0.1:{closed_port()}"
    async with listening(_telling(lambda: "not a date"), log_level="critical") as vague:
        settings = {"OKX_BASE_URL": vague, "ALTERNATIVE_ME_BASE_URL": nobody}
        assert (await finding("clock_skew", settings)).status is SKIP
    async with listening(_telling(lambda: formatdate(time.time(), usegmt=True)), log_level="critical") as url:
        settings = {"OKX_BASE_URL": nobody, "ALTERNATIVE_ME_BASE_URL": url}
        assert "alternative.me" in (await finding("clock_skew", settings)).detail
