"""R17 for roles: each ends in time, gives back what it holds, and does so without Redis too."""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path

import httpx2

from tests.chaos.conftest import note
from tests.chaos.test_r17_graceful_stop import (
    STOP_LIMIT_S,
    burden,
    is_ended_well,
    nothing_hangs,
    the_rest_is_sent,
)
from tests.live_rig import closed_port
from tests.services.transport.conftest import RedisServer
from tests.worker_rig import COINS, Child, Truth, full, upstream

ROLES = ("ingest", "detect", "deliver")


async def doors_tell_of_their_roles(doors: dict[str, int]) -> None:
    """Each is ready by what its role needs, and shows that role's figures."""
    family = {"ingest": "stream_link_up", "detect": "pipeline_events_total", "deliver": "outbox_depth"}
    async with httpx2.AsyncClient(timeout=30) as client:
        for role, port in doors.items():
            ready = await client.get(f"http://127.0.0.1:{port}/health/ready")
            assert (ready.status_code, ready.json()["role"]) == (200, role), ready.text
            text = (await client.get(f"http://127.0.0.1:{port}/metrics")).text
            others = set(family.values()) - {family[role]}
            assert family[role] in text
            assert not [name for name in others if name in text]
            assert ("pipeline_backlog_frames " in text) is (role != "deliver")


async def test_roles_stop_in_order_and_also_without_redis(
    tmp_path: Path, own_redis: RedisServer, postgres_url: str
) -> None:
    truth, coins = Truth(postgres_url), COINS[:12]
    async with upstream(tmp_path, postgres_url, REDIS_URL=own_redis.url) as around:
        doors = {role: closed_port() for role in ROLES}

        async def start(*roles: str) -> list[Child]:
            started = (around.start("--role", role, METRICS_PORT=str(doors[role])) for role in roles)
            return list(await asyncio.gather(*started))

        children = await start(*ROLES)
        await burden(around, truth, coins)
        await doors_tell_of_their_roles(doors)
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
