"""R12 for alerts: Redis is down at the start, comes, restarts, is read-only, is slow.

Every coin is told once, the service goes on and says how it is.
"""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from redis.asyncio import Redis

from tests.services.transport.conftest import RedisServer
from tests.worker_rig import CHATS, COINS, Child, Truth, is_told_once, until, upstream


async def redis_state(child: Child) -> tuple[str, str]:
    """(of the service, of Redis), as readiness says."""
    body = (await child.get("/health/ready")).json()
    (found,) = [item["state"] for item in body["dependencies"] if item["name"] == "redis"]
    return body["status"], found


async def stream_status(child: Child) -> dict[str, Any]:
    answer = await child.get("/stream/status")
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def test_every_coin_is_told_once_through_all_that_happens_to_redis(
    tmp_path: Path, own_redis: RedisServer
) -> None:
    url = f"sqlite:///{tmp_path / 'signals.db'}"
    truth, coins = Truth(url), iter(COINS)
    told: list[str] = []
    settings = {"WORKER": "embedded", "REDIS_URL": own_redis.url, "ALERT_CHANNELS": "true"}
    own_redis.stop()
    async with upstream(tmp_path, url, **settings) as around:
        child = await around.start(module="app.main")

        async def tell(count: int = 2) -> None:
            """Cascades of the next coins arrive in the chat, whatever Redis does."""
            mine = [next(coins) for _ in range(count)]
            for coin in mine:
                around.cascade(coin)
            told.extend(mine)
            await until(lambda: set(mine) <= set(around.inbox.coins(CHATS[0])), why=child.log)

        await tell()
        assert await redis_state(child) == ("degraded", "down")
        assert (await child.get("/health/live")).status_code == 200
        status = await stream_status(child)
        assert status["workers"], status

        own_redis.start()
        await until(lambda: is_redis(child, "ok"))
        await tell()
        own_redis.stop()
        await tell()
        assert (await redis_state(child))[1] == "down"
        own_redis.start()
        await until(lambda: is_redis(child, "ok"))
        async with Redis.from_url(own_redis.url) as admin:
            await admin.replicaof("127.0.0.1", 1)
            await tell()
            await until(lambda: is_redis(child, "down"))  # what only reads is taken for well in between
            await admin.replicaof("NO", "ONE")
            await until(lambda: is_redis(child, "ok"))
            await admin.client_pause(1_000, all=True)
            await tell()
            await asyncio.sleep(0.5)
        await until(lambda: is_redis(child, "ok"))
        await until(truth.is_all_sent, within_s=30, why=child.log)
        rows, alerts = await truth.outbox(), await truth.alerts()
        is_told_once(around, rows, alerts, told)
        assert "redis" in {row.chat for row in rows}
        assert (await stream_status(child))["workers"]
        assert (await child.stop())[0] == 0


async def is_redis(child: Child, state: str) -> bool:
    return (await redis_state(child))[1] == state
