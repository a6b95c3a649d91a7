"""R19: more questions than one process can answer; what it admits is answered, the rest refused at once.

The short form floods it from three hundred connections that never pause, which is too much on any machine,
and looks at the kind of every answer. The long one measures: capacity, three times that for a minute, after.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest
from websockets.asyncio.client import connect
from websockets.typing import Origin

from app.services.transport.connection import tls_context
from bench.overload import Service, figures_of_overload
from tests.chaos.conftest import note
from tests.worker_rig import IS_FULL, Child, full, until, upstream

FLOOD_CLIENTS = 300
FLOOD_S = full(10, 4)
MAX_GROWTH_BYTES = 40 * 2**20
MAX_LOG_LINES = 60
PATH = "/signals/BTC"
_PAGE = os.sysconf("SC_PAGE_SIZE")


def resident_bytes(child: Child) -> int:
    return int(Path(f"/proc/{child.pid}/statm").read_text("ascii").split()[1]) * _PAGE


def descriptors(child: Child) -> int:
    return len(list(Path(f"/proc/{child.pid}/fd").iterdir()))


@asynccontextmanager
async def web(tmp_path: Path) -> AsyncIterator[Child]:
    """A web process that has answered its first question."""
    url = f"sqlite:///{tmp_path / 'signals.db'}"
    async with upstream(tmp_path, url, RATE_LIMIT_PER_MINUTE="100000000", WORKER="off") as around:
        child = await around.start(module="app.main")

        async def answers() -> bool:
            return (await child.get(PATH)).status_code == 200

        await until(answers, why=child.log)
        yield child


async def flood(child: Child) -> dict[str, Any]:
    """What the generator has to say about its one phase."""
    args = ("--url", child.url, "--path", PATH, "--clients", str(FLOOD_CLIENTS), "--seconds", str(FLOOD_S))
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "bench.load", *args, stdout=asyncio.subprocess.PIPE
    )
    out, _ = await process.communicate()
    found: dict[str, Any] = json.loads(out)["phases"][0]
    return found


def is_whole(answer: httpx2.Response) -> bool:
    """An answer that says what was asked for, or a refusal that says all a caller needs."""
    if answer.status_code == 200:
        return bool(answer.json()["symbol"] == "BTC" and answer.json()["dataMode"] == "live")
    assert answer.status_code in {429, 503}
    assert answer.headers["content-type"] == "application/problem+json"
    assert 1 <= int(answer.headers["retry-after"]) <= 60
    return bool(answer.json()["requestId"] == answer.headers["x-request-id"])


async def ask_meanwhile(child: Child, flooding: asyncio.Task[Any]) -> tuple[Counter[str], Counter[int]]:
    """Probes by path, all of which must be answered, and questions by status."""
    probes: Counter[str] = Counter()
    statuses: Counter[int] = Counter()
    async with httpx2.AsyncClient(base_url=child.url, verify=tls_context(), timeout=30) as client:
        while not flooding.done():
            for path in ("/health/live", "/health/ready", "/metrics"):
                answer = await client.get(path)
                assert answer.status_code == 200, f"{path}: {answer.text}"
                probes[path] += 1
            answer = await client.get(PATH)
            assert is_whole(answer)
            statuses[answer.status_code] += 1
            await asyncio.sleep(0.05)
    return probes, statuses


async def listen(child: Child, heard: list[str]) -> None:
    url = child.url.replace("http", "ws") + "/ws"
    async with connect(url, origin=Origin("http://localhost")) as client:
        await client.send(json.dumps({"type": "hello", "token": None, "resume": None}))
        while True:
            heard.append(str(await client.recv()))


async def test_a_flood_is_refused_politely_and_leaves_nothing_behind(tmp_path: Path) -> None:
    async with web(tmp_path) as child:
        heard: list[str] = []
        listening = asyncio.create_task(listen(child, heard))
        await until(lambda: heard, why=child.log)
        before_bytes, before_open = resident_bytes(child), descriptors(child)
        flooding = asyncio.create_task(flood(child))
        probes, statuses = await ask_meanwhile(child, flooding)
        phase = await flooding
        assert set(phase["statuses"]) <= {"200", "429", "503"}
        # How many depends on whose cores the flood has: that there are some of both does not.
        assert phase["refused"]["count"] > 0
        assert phase["admitted"]["count"] > 0
        assert phase["refusedWithoutRetryAfter"] == phase["refusedNotProblem"] == phase["lost"] == 0
        assert set(phase["retryAfterS"]) > {"1", "2"}, "everyone is told to come back at once"
        assert min(probes.values()) > 0

        # Every question is answered again, and no place was lost to one that was given up.
        async with httpx2.AsyncClient(base_url=child.url, verify=tls_context(), timeout=30) as client:
            again = [await client.get(PATH) for _ in range(20)]
            together = await asyncio.gather(*(client.get(PATH) for _ in range(60)))
        assert {answer.status_code for answer in (*again, *together)} == {200}
        assert not listening.done(), "a listener was dropped"
        told = len(heard)
        await until(lambda: len(heard) > told, why=child.log)
        await until(lambda: descriptors(child) <= before_open + 8, why=child.log)
        listening.cancel()
        growth = resident_bytes(child) - before_bytes
        status, _ = await child.stop()
        assert status == 0
        assert growth < MAX_GROWTH_BYTES
        assert "Traceback" not in child.log()
        assert len(child.log().splitlines()) < MAX_LOG_LINES
        note(
            f"R19 flood of {FLOOD_CLIENTS} connections, {FLOOD_S} s: {phase['admitted']['count']} admitted, "
            f"{phase['refused']['count']} refused, p99 {phase['refused']['p99Ms']:.1f} ms; meanwhile "
            f"{dict(probes)}, {dict(statuses)}; {growth / 2**20:.1f} MB more"
        )


@pytest.mark.skipif(not IS_FULL, reason="measures for two minutes: make chaos")
async def test_three_times_its_capacity_for_a_minute(tmp_path: Path) -> None:
    cores = sorted(os.sched_getaffinity(0))
    async with web(tmp_path) as child:
        os.sched_setaffinity(child.pid, {cores[0]})
        service = Service(child.url, child.pid, cores[-1])
        measured = await asyncio.to_thread(figures_of_overload, service)
        found = {one.name: one.value for one in measured}
        for one in measured:
            note(f"R19 {one.line()}")
        assert found["overload_p99_ratio"] < 2
        assert found["recovery_s"] <= 5
        assert found["recovered_p99_ratio"] < 2
        assert found["refused_without_retry_after"] == found["lost"] == 0
        assert found["rss_growth_mb"] < 20
        assert found["overload_goodput_frac"] > 0.3
