"""R15: a worker killed at any moment under load loses nothing that was stored and tells everything once."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from itertools import cycle
from pathlib import Path
from statistics import median

import pytest

from app.core.clock import SystemClock
from tests.chaos.conftest import note
from tests.worker_rig import CHATS, COINS, Truth, Upstream, alerts_config, full, repeated, until, upstream

KILLS = full(100, 2)
START_LIMIT_S = 5.0
# A coin comes again when its last cascade is long over.
EVERY_S = full(3, 0.5)


class Load:
    """Small liquidations all the time, and now and then a cascade of the next coin."""

    def __init__(self, around: Upstream) -> None:
        self._around = around
        self.cascades: Counter[str] = Counter()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        tasks = [asyncio.create_task(self._small()), asyncio.create_task(self._large())]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _small(self) -> None:
        draw, script = random.Random(1), self._around.sim.state.script
        for coin in cycle(("BTC", "ETH", "SOL")):
            self._around.cascade(coin, side=draw.choice(("long", "short")), usd=30.0, events=3)
            while script.liquidations[0][0] < SystemClock().now_ms() - 90_000:
                script.liquidations.popleft()  # told long ago
            await asyncio.sleep(0.05)

    async def _large(self) -> None:
        for n, coin in enumerate(cycle(COINS)):
            self.cascades[coin] += 1
            self._around.cascade(coin, side=("long", "short")[n % 2], over_ms=300)
            if not full(1, 0) and n == len(COINS) - 1:
                return
            await asyncio.sleep(EVERY_S)


@pytest.fixture
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Of an empty database: of Postgres, or of a SQLite file."""
    if request.param == "postgres":
        return str(request.getfixturevalue("postgres_url"))
    return f"sqlite:///{tmp_path / 'signals.db'}"


@pytest.mark.parametrize(
    ("url", "is_replayed"),
    [("sqlite", True), *full([("postgres", True), ("sqlite", False)], [])],
    indirect=["url"],
)
async def test_random_kills_lose_nothing_and_repeat_only_what_nobody_could_mark(
    tmp_path: Path, url: str, is_replayed: bool
) -> None:
    """is_replayed: whether the market tells a new connection what it missed; then nothing is missed."""
    config = alerts_config(tmp_path, cooldown_s=0, forget_s=1, hourly_cap=1000)
    # The third hundred, without replays, would take `make chaos` beyond half an hour.
    kills = KILLS if is_replayed else full(40, KILLS)
    draw, truth = random.Random(15), Truth(url)
    starts: list[tuple[float, float]] = []
    stored_before: Counter[tuple[str, int]] = Counter()
    known_before: dict[str, str] = {}
    async with upstream(tmp_path, url, ALERTS_CONFIG=config) as around:
        if not is_replayed:
            around.sim.break_with()
        # A message is in the chat a quarter of a second before the worker hears so: time to be killed in.
        around.sim.state.latency_ms = 250
        around.hook.delay_s = 0.1
        load = Load(around)
        async with load.running():
            for life in range(kills):
                worker = await around.start()
                starts.append((worker.start_cpu_s, worker.start_s))
                await asyncio.sleep(draw.uniform(0.0, full(2.0, 1.5)))
                if is_replayed and life % 4 == 3:
                    # The market tells one minute again: longer than that nobody must have been deaf.
                    await until(lambda: is_up_to_date(truth, around), within_s=30, why=worker.log)
                await worker.kill()
                stored, known = await truth.liquidations(), await truth.alerts()
                assert stored_before <= stored
                assert known_before.items() <= known.items()
                stored_before, known_before = stored, known
        around.sim.state.latency_ms = 0
        worker = await around.start()
        liquidated = Counter((row["base"], row["ts_ms"]) for row in around.liquidated)
        if is_replayed:
            with suppress(AssertionError):
                await until(lambda: is_stored(truth, liquidated), within_s=20)
            found_rows = await truth.liquidations()
            assert sorted((liquidated - found_rows).items()) == []
            assert sorted((found_rows - liquidated).items()) == []
        await until(truth.is_all_sent, within_s=60, why=worker.log)
        alerts, rows = await truth.alerts(), await truth.outbox()
        found = Counter(alerts.values())
        assert found <= load.cascades
        assert await truth.liquidations() <= liquidated
        if is_replayed:
            assert found == load.cascades
        assert {row.chat for row in rows} == {"webhook", *(f"telegram:{chat}" for chat in CHATS)}
        assert len(rows) == len(alerts) * (1 + len(CHATS))
        again = repeated(around.inbox, rows, alerts)
        copies = around.hook.copies()
        assert around.hook.told() == set(alerts)
        hooked_again = sum(copies.values()) - len(copies)
        marked = sum(row.repeats for row in rows if row.chat != "webhook")
        note(
            f"R15 {url.partition(':')[0]} {kills} kills, replayed {is_replayed}: "
            f"{load.cascades.total()} cascades, {len(alerts)} alerts to {1 + len(CHATS)} places, "
            f"{sum(liquidated.values())} liquidations; lost 0; copies: telegram {again} "
            f"({marked} times in doubt), webhook {hooked_again}; starts took {max(starts)[0]:.2f} s of work, "
            f"{median(taken for _, taken in starts):.2f} s in the middle, "
            f"{max(taken for _, taken in starts):.2f} s at most"
        )
        assert max(starts)[0] <= START_LIMIT_S
        assert (await worker.stop())[0] == 0


async def is_up_to_date(truth: Truth, around: Upstream) -> bool:
    """The last two seconds may be on their way."""
    until_ms = SystemClock().now_ms() - 2_000
    told = {(row["base"], row["ts_ms"]) for row in around.liquidated if row["ts_ms"] < until_ms}
    return told <= set(await truth.liquidations())


async def is_stored(truth: Truth, expected: Counter[tuple[str, int]]) -> bool:
    return await truth.liquidations() == expected
