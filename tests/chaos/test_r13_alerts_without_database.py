"""R13 for alerts: the database is gone in the midst of a storm; they wait, counted, and are sent after it."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.postgres_server import PostgresServer
from tests.services.storage.conftest import migrate
from tests.worker_rig import CHATS, COINS, Child, Truth, is_told_once, until, upstream


@pytest.fixture
def server() -> Iterator[PostgresServer]:
    """A server of this test's own, for it is stopped."""
    with PostgresServer() as running:
        yield running


async def worker_of(child: Child) -> dict[str, Any]:
    (found,) = (await child.get("/stream/status")).json()["workers"]
    return dict(found)


async def test_a_storm_over_a_stopped_database_is_told_after_it_without_a_restart(
    tmp_path: Path, server: PostgresServer
) -> None:
    url = server.create("storm")
    await asyncio.to_thread(migrate, url)
    truth = Truth(url)
    before, during, after = COINS[:2], COINS[2:14], COINS[14:16]
    async with upstream(tmp_path, url, WORKER="embedded") as around:
        child = await around.start(module="app.main")

        async def has_alarm() -> bool:
            alarms = (await worker_of(child))["alarms"]
            return any(f"{len(during)} alerts wait for the database" in alarm for alarm in alarms)

        async def has_no_alarm() -> bool:
            return not (await worker_of(child))["alarms"]

        for coin in before:
            around.cascade(coin)
        await until(lambda: set(before) <= set(around.inbox.coins(CHATS[0])), why=child.log)
        await asyncio.to_thread(server.stop)  # as a crash: whatever was under way is cut off
        for coin in during:
            around.cascade(coin, side="short")
            await asyncio.sleep(0.05)
        await until(has_alarm, within_s=20, why=child.log)
        ready = await child.get("/health/ready")
        assert ready.status_code == 200
        assert [item["state"] for item in ready.json()["dependencies"] if item["name"] == "store"] == ["down"]
        assert (await child.get("/health/live")).status_code == 200
        assert not set(during) & set(around.inbox.coins(CHATS[0]))  # told only once it is stored

        await asyncio.to_thread(server.start)
        for coin in after:
            around.cascade(coin)
        await until(
            lambda: {*during, *after} <= set(around.inbox.coins(CHATS[0])), within_s=30, why=child.log
        )
        await until(truth.is_all_sent, within_s=30, why=child.log)
        await until(has_no_alarm, within_s=20)
        rows, alerts = await truth.outbox(), await truth.alerts()
        is_told_once(around, rows, alerts, (*before, *during, *after))
        assert await truth.liquidations() == Counter((row["base"], row["ts_ms"]) for row in around.liquidated)
        assert (await child.stop())[0] == 0
