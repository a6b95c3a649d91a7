"""R17 for roles: each ends in time, gives back what it holds, and does so without Redis too."""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path

from tests.chaos.conftest import note
from tests.chaos.test_r17_graceful_stop import (
    STOP_LIMIT_S,
    burden,
    is_ended_well,
    nothing_hangs,
    the_rest_is_sent,
)
from tests.services.transport.conftest import RedisServer
from tests.worker_rig import COINS, Child, Truth, full, upstream

ROLES = ("ingest", "detect", "deliver")


async def test_roles_stop_in_order_and_also_without_redis(
    tmp_path: Path, own_redis: RedisServer, postgres_url: str
) -> None:
    truth, coins = Truth(postgres_url), COINS[:12]
    async with upstream(tmp_path, postgres_url, REDIS_URL=own_redis.url) as around:

        async def start(*roles: str) -> list[Child]:
            return list(await asyncio.gather(*(around.start("--role", role) for role in roles)))

        children = await start(*ROLES)
        await burden(around, truth, coins)
        took = await asyncio.gather(*map(is_ended_well, children))
        await nothing_hangs(around, truth)
        children = await start(*full(ROLES, ("deliver",)))
        await the_rest_is_sent(around, truth, coins)
        # A Redis that answers nothing any more keeps nobody from ending.
        os.kill(own_redis.pid, signal.SIGSTOP)
        try:
            stuck = await asyncio.gather(*(child.stop() for child in children))
        finally:
            os.kill(own_redis.pid, signal.SIGCONT)
        assert {status for status, _ in stuck} == {0}, [child.log() for child in children]
        assert max(took_s for _, took_s in stuck) <= STOP_LIMIT_S
        frozen_s = max(took_s for _, took_s in stuck)
        note(f"R17 roles: stopped in {max(took):.2f} s, with Redis frozen in {frozen_s:.2f} s")
