"""R20: web and worker under steady load with random faults keep their descriptors, tasks and memory.

`SOAK_S` is how long; `make soak` takes ten minutes, `make chaos` one. `make test` takes seven seconds: it has
ten minutes for everything, and what leaks with every question, fault or reconnect shows in as many.
"""

from __future__ import annotations

import asyncio
import json
import math
import os
import random
import re
import signal
import sys
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from websockets.asyncio.client import connect
from websockets.typing import Origin

from app.core.clock import SystemClock
from tests.chaos.conftest import note
from tests.live_rig import fault
from tests.services.transport.conftest import RedisServer
from tests.worker_rig import COINS, REPLAYED, Child, Truth, Upstream, alerts_config, full, until, upstream

SOAK_S = float(os.environ.get("SOAK_S") or full(60, 7))
# Everything has been opened once by then.
WARM_UP_S = min(20.0, SOAK_S / 3)
EVENTS_PER_S = 300
# Descriptors and tasks; the web process has a connection for each question that waits, forty at most.
MAX_MORE = {"worker": 6, "web": 45}
MAX_GROWTH_BYTES = full(40, 25) * 2**20
_PAGE = os.sysconf("SC_PAGE_SIZE")
_TASKS = re.compile(r"^tasks (\d+)$", re.MULTILINE)


def stream(kind: str, value: Any = None, count: int = 1) -> dict[str, Any]:
    return fault("coinglass", kind, value, endpoint="ws", count=count)


FAULTS: tuple[dict[str, Any], ...] = (
    stream("drop", 0),
    stream("drop", {"after": 3, "code": 1012}),
    stream("silence", "data", count=4),
    stream("garbage", "not json"),
    stream("duplicates", count=5),
    stream("reorder"),
    stream("status", 403),
    fault("okx", "drop", 0, endpoint="ws", count=1),
    fault("telegram", "status", {"code": 502}, count=1),
    fault("telegram", "drop", 0, count=1),
)


@dataclass(frozen=True, slots=True)
class Sample:
    descriptors: int
    tasks: int
    resident_bytes: int


async def sample(child: Child) -> Sample:
    told = len(_TASKS.findall(child.log()))
    child.process.send_signal(signal.SIGUSR1)
    await until(lambda: len(_TASKS.findall(child.log())) > told, why=child.log)
    tasks = int(_TASKS.findall(child.log())[-1])
    proc = Path(f"/proc/{child.pid}")
    resident = int((proc / "statm").read_text("ascii").split()[1]) * _PAGE
    return Sample(len(list((proc / "fd").iterdir())), tasks, resident)


@asynccontextmanager
async def load(around: Upstream, visitors: Visitors) -> AsyncIterator[None]:
    async def events() -> None:
        draw, script = random.Random(20), around.sim.state.script
        while True:
            now_ms = SystemClock().now_ms()
            while script.liquidations and script.liquidations[0][0] < now_ms - 70_000:
                script.liquidations.popleft()  # told long ago
            for _ in range(EVENTS_PER_S // 60):
                around.cascade(draw.choice(COINS), usd=draw.uniform(30, 900), events=3)
            around.liquidated.clear()
            await asyncio.sleep(0.05)

    async def cascades() -> None:
        draw = random.Random(21)
        while True:
            around.cascade(draw.choice(COINS), side=draw.choice(("long", "short")))
            await asyncio.sleep(0.4)

    async def faults() -> None:
        draw = random.Random(22)
        while True:
            around.sim.break_with(REPLAYED, *draw.sample(FAULTS, 2), *draw.sample(WEB_FAULTS, 2))
            await asyncio.sleep(draw.uniform(0.3, 1.2))

    works = (events, cascades, faults, visitors.listen, visitors.ask_cold)
    tasks = [asyncio.create_task(work()) for work in works]
    try:
        yield
    finally:
        ended = [task for task in tasks if task.done()]
        assert not ended, f"the load ended by itself: {ended}"
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def http(provider: str, kind: str, value: Any = None) -> dict[str, Any]:
    return fault(provider, kind, value, probability=0.5, count=5)


# Never all sources of a price at once: what is left answers.
WEB_FAULTS: tuple[dict[str, Any], ...] = (
    http("coinglass", "status", {"code": 503}),
    http("coinglass", "html"),
    http("coinglass", "truncate"),
    http("coinglass", "latency", 700),
    http("lunarcrush", "hang"),
    http("lunarcrush", "status", {"code": 429, "headers": {"Retry-After": "1"}}),
    http("coinapi", "drop"),
    http("okx", "nan", "NaN"),
    http("alternative.me", "garbage", "not json"),
)


class Visitors:
    """Who uses the web process: questions at half of what it can answer, and listeners that come and go."""

    def __init__(self, web: Child) -> None:
        self._web = web
        self.listeners = 0
        self.codes: Counter[str] = Counter()

    async def half_capacity(self) -> float:
        """Half of what eight callers without a pause get; in the short form, which has neighbours, less."""
        phase = await self._generate("--clients", "8", "--seconds", "2")
        return min(full(math.inf, 60.0), 0.5 * float(phase["admitted"]["perS"]))

    async def ask(self, rate: float, seconds: float) -> dict[str, Any]:
        return await self._generate("--rate", f"{rate:g}", "--seconds", f"{seconds:g}")

    async def _generate(self, *more: str) -> dict[str, Any]:
        args = ("--url", self._web.url, "--mix", "dashboard", "--connections", "40", *more)
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "bench.load", *args, stdout=asyncio.subprocess.PIPE
        )
        out, _ = await process.communicate()
        found: dict[str, Any] = json.loads(out)["phases"][0]
        return found

    async def listen(self) -> None:
        """One after the other, some of which leave without a word."""
        draw = random.Random(23)
        url = self._web.url.replace("http", "ws") + "/ws"
        while True:
            client = await connect(url, origin=Origin("http://localhost"), close_timeout=1)
            await client.send(json.dumps({"type": "hello", "token": None, "resume": None}))
            assert json.loads(await client.recv())["type"] == "snapshot"
            await asyncio.sleep(draw.uniform(0.05, 1.5))
            if draw.random() < 0.3:
                client.transport.abort()
            else:
                await client.close()
            self.listeners += 1

    async def ask_cold(self) -> None:
        """Coins that nobody else asks for, and why those that fail do."""
        draw = random.Random(24)
        while True:
            answer = await self._web.get(f"/signals/{draw.choice(COINS)}")
            if answer.status_code != 200:
                self.codes[f"{answer.status_code} {answer.json()['code']}"] += 1
            await asyncio.sleep(draw.uniform(0.2, 1.0))


async def test_a_long_run_with_random_faults_keeps_its_size(tmp_path: Path, own_redis: RedisServer) -> None:
    url = f"sqlite:///{tmp_path / 'signals.db'}"
    config = alerts_config(tmp_path, cooldown_s=0, forget_s=1, hourly_cap=1000)
    settings = {"PYTHONWARNINGS": "always", "REDIS_URL": own_redis.url, "ALERTS_CONFIG": config}
    async with upstream(tmp_path, url, **settings) as around:
        worker = await around.start(module="tests.soak_child")
        web = await around.start(module="tests.soak_web_child", WORKER="off")
        visitors = Visitors(web)
        rate = await visitors.half_capacity()
        samples: dict[Child, list[Sample]] = {worker: [], web: []}
        async with load(around, visitors):
            asking = asyncio.create_task(visitors.ask(rate, SOAK_S))
            await asyncio.sleep(WARM_UP_S)
            while not asking.done():
                for child, taken in samples.items():
                    taken.append(await sample(child))
                await asyncio.sleep(max(0.2, SOAK_S / 60))
            phase = await asking
        for child, taken in samples.items():
            status, _ = await child.stop()
            assert status == 0, child.log()
            assert "Traceback" not in child.log()
            warnings = [line for line in child.log().splitlines() if "Warning" in line]
            assert warnings == []
            keeps_its_size("web" if child is web else "worker", taken)
        assert await Truth(url).alerts()
        assert_well_served(visitors, phase)
        p99_ms = phase["admitted"]["p99Ms"]
        note(
            f"R20 {SOAK_S:.0f} s: {rate:.0f} questions/s, answers {phase['statuses']}, p99 {p99_ms:.0f} ms, "
            f"{visitors.listeners} listeners, failed {dict(visitors.codes)}"
        )


def assert_well_served(visitors: Visitors, phase: dict[str, Any]) -> None:
    """No 500 ever, and a 503 only where it is promised: no price from anyone, or too many at once."""
    assert set(phase["statuses"]) <= {"200", "503"}
    assert phase["lost"] == phase["refusedWithoutRetryAfter"] == phase["refusedNotProblem"] == 0
    assert phase["refused"]["count"] <= 0.05 * phase["admitted"]["count"]
    assert set(visitors.codes) <= {"503 no_price", "503 overloaded"}
    assert visitors.listeners > 0


def keeps_its_size(name: str, samples: Sequence[Sample]) -> None:
    third = len(samples) // 3
    first, last = middle(samples[:third]), middle(samples[-third:])
    course = [one.resident_bytes >> 20 for one in samples[:: max(1, len(samples) // 10)]]
    note(f"R20 {SOAK_S:.0f} s, {name}: {first} -> {last}; resident MB on the way {course}")
    assert last.descriptors - first.descriptors <= MAX_MORE[name]
    assert last.tasks - first.tasks <= MAX_MORE[name]
    assert last.resident_bytes - first.resident_bytes <= MAX_GROWTH_BYTES


def middle(samples: Sequence[Sample]) -> Sample:
    """The median of each figure: reconnects come and go."""
    return Sample(
        int(median(one.descriptors for one in samples)),
        int(median(one.tasks for one in samples)),
        int(median(one.resident_bytes for one in samples)),
    )
