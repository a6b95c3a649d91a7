"""One ingest, two detect workers and one delivery over Redis and Postgres, some of them killed at work: each
coin is told once, and the record is that of the market."""

from __future__ import annotations

import asyncio
from collections import Counter
from pathlib import Path

from tests.chaos.conftest import note
from tests.services.transport.conftest import RedisServer
from tests.worker_rig import COINS, Truth, is_told_once, until, upstream

WAVES = 4


async def test_each_coin_is_told_once_whoever_is_killed(
    tmp_path: Path, own_redis: RedisServer, postgres_url: str
) -> None:
    truth = Truth(postgres_url)
    waves = [COINS[n::WAVES] for n in range(WAVES)]
    async with upstream(tmp_path, postgres_url, REDIS_URL=own_redis.url) as around:

        async def wave(number: int) -> None:
            for coin in waves[number]:
                around.cascade(coin, side=("long", "short")[number % 2], over_ms=400)
            await asyncio.sleep(0.6)

        async def is_stored(coins: tuple[str, ...]) -> bool:
            return set(coins) <= set((await truth.alerts()).values())

        ingest, first, second, deliver = await asyncio.gather(
            *(around.start("--role", role) for role in ("ingest", "detect", "detect", "deliver"))
        )
        await wave(0)
        await until(lambda: is_stored(waves[0]), within_s=20, why=lambda: first.log() + second.log())
        await wave(1)
        await first.kill()  # somewhere in the midst of it
        await wave(2)
        await ingest.kill()
        await asyncio.gather(around.start("--role", "ingest"), around.start("--role", "detect"))
        await wave(3)
        everything = tuple(coin for coins in waves for coin in coins)
        took_s = await until(lambda: is_stored(everything), within_s=40, why=second.log)
        await until(truth.is_all_sent, within_s=30, why=deliver.log)
        await asyncio.sleep(1.5)  # for what would be told twice
        await until(truth.is_all_sent, within_s=30, why=deliver.log)

        alerts, rows = await truth.alerts(), await truth.outbox()
        is_told_once(around, rows, alerts, everything)
        assert await truth.liquidations() == Counter((row["base"], row["ts_ms"]) for row in around.liquidated)
        note(f"roles: {len(alerts)} alerts, all stored {took_s:.1f} s after the last wave")
