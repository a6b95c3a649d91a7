"""R20: steady load with random faults; descriptors, tasks and memory stay as they are, nothing is left open.

`SOAK_S` is how long; `make soak` takes ten minutes.
"""

from __future__ import annotations

import asyncio
import os
import random
import re
import signal
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from app.core.clock import SystemClock
from tests.chaos.conftest import note
from tests.live_rig import fault
from tests.services.transport.conftest import RedisServer
from tests.worker_rig import COINS, REPLAYED, Child, Truth, Upstream, alerts_config, full, until, upstream

SOAK_S = float(os.environ.get("SOAK_S") or full(60, 7))
# Everything has been opened once by then.
WARM_UP_S = min(20.0, SOAK_S / 3)
EVENTS_PER_S = 300
MAX_MORE = {"descriptors": 6, "tasks": 6}
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
async def load(around: Upstream) -> AsyncIterator[None]:
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
            around.sim.break_with(REPLAYED, *draw.sample(FAULTS, 2))
            await asyncio.sleep(draw.uniform(0.3, 1.2))

    tasks = [asyncio.create_task(work()) for work in (events, cascades, faults)]
    try:
        yield
    finally:
        assert not [task for task in tasks if task.done()], "the load ended by itself"
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def test_a_long_run_with_random_faults_keeps_its_size(tmp_path: Path, own_redis: RedisServer) -> None:
    url = f"sqlite:///{tmp_path / 'signals.db'}"
    config = alerts_config(tmp_path, cooldown_s=0, forget_s=1, hourly_cap=1000)
    settings = {"PYTHONWARNINGS": "always", "REDIS_URL": own_redis.url, "ALERTS_CONFIG": config}
    async with upstream(tmp_path, url, **settings) as around:
        child = await around.start(module="tests.soak_child")
        ends_s = time.monotonic() + SOAK_S
        samples: list[Sample] = []
        async with load(around):
            await asyncio.sleep(WARM_UP_S)
            while time.monotonic() < ends_s:
                samples.append(await sample(child))
                await asyncio.sleep(max(0.2, SOAK_S / 60))
        status, _ = await child.stop()
        assert status == 0, child.log()
        assert "Traceback" not in child.log()
        warnings = [line for line in child.log().splitlines() if "Warning" in line]
        assert warnings == []
        assert await Truth(url).alerts()
    third = len(samples) // 3
    first, last = middle(samples[:third]), middle(samples[-third:])
    course = [one.resident_bytes >> 20 for one in samples[:: max(1, len(samples) // 10)]]
    note(f"R20 {SOAK_S:.0f} s: {first} -> {last}; resident MB on the way {course}")
    assert last.descriptors - first.descriptors <= MAX_MORE["descriptors"]
    assert last.tasks - first.tasks <= MAX_MORE["tasks"]
    assert last.resident_bytes - first.resident_bytes <= MAX_GROWTH_BYTES


def middle(samples: Sequence[Sample]) -> Sample:
    """The median of each figure: reconnects come and go."""
    return Sample(
        int(median(one.descriptors for one in samples)),
        int(median(one.tasks for one in samples)),
        int(median(one.resident_bytes for one in samples)),
    )
