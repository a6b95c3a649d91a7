"""R17: told to stop under load, every process ends in time, its sends done and its buffers written.

The next start sends the rest, and nothing twice.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from pathlib import Path

import httpx2
import pytest

from tests.chaos.conftest import note
from tests.worker_rig import (
    COINS,
    LONG_STALL_S,
    Child,
    Truth,
    Upstream,
    is_told_once,
    repeated,
    until,
    upstream,
)

STOP_LIMIT_S = 10.0


async def is_ended_well(child: Child) -> float:
    status, took_s = await child.stop()
    assert status == 0, child.log()
    assert took_s <= STOP_LIMIT_S
    assert "Traceback" not in child.log()
    assert "lost" not in child.log()
    return took_s


async def burden(around: Upstream, truth: Truth, coins: tuple[str, ...]) -> None:
    """Everything has come in and little is sent, with messages on their way: the messengers are slow."""
    around.sim.state.latency_ms = 300
    around.hook.delay_s = 0.8
    for n, coin in enumerate(coins):
        around.cascade(coin, side=("long", "short")[n % 2])
        await asyncio.sleep(0.02)

    async def is_in() -> bool:
        return set((await truth.alerts()).values()) == set(coins)

    await until(is_in, within_s=30)
    await until(lambda: len(around.hook.calls) > 1 and around.inbox.arrived)


async def nothing_hangs(around: Upstream, truth: Truth) -> None:
    """What was begun is done and known to be done, and what came in is stored."""
    rows, alerts = await truth.outbox(), await truth.alerts()
    assert {row.state for row in rows} <= {"sent", "pending"}
    assert {row.repeats for row in rows} == {0} or around.longest_stall_s > LONG_STALL_S
    assert "pending" in {row.state for row in rows}, "it sent everything: there was no load"
    repeated(around.inbox, rows, alerts)
    done = {row.alert_id for row in rows if row.chat == "webhook" and row.state == "sent"}
    assert around.hook.told() == done
    assert await truth.liquidations() == Counter((row["base"], row["ts_ms"]) for row in around.liquidated)


async def the_rest_is_sent(around: Upstream, truth: Truth, coins: tuple[str, ...]) -> None:
    around.sim.state.latency_ms = 0
    around.hook.delay_s = 0.0
    await until(truth.is_all_sent, within_s=30)
    rows, alerts = await truth.outbox(), await truth.alerts()
    is_told_once(around, rows, alerts, coins)


@pytest.mark.parametrize("module", ["app.worker", "app.main"])
async def test_a_process_that_does_everything(tmp_path: Path, module: str) -> None:
    url = f"sqlite:///{tmp_path / 'signals.db'}"
    truth, coins = Truth(url), COINS[:16]
    async with upstream(tmp_path, url, WORKER="embedded") as around:
        child = await around.start(module=module)
        await burden(around, truth, coins)
        took_s = await is_ended_well(child)
        await nothing_hangs(around, truth)
        await around.start()
        await the_rest_is_sent(around, truth, coins)
        note(f"R17 {module}: stopped in {took_s:.2f} s")


async def test_a_question_under_way_is_answered_and_a_new_one_finds_nobody(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'signals.db'}"
    async with upstream(tmp_path, url, WORKER="off") as around:
        web = await around.start(module="app.main")
        around.sim.state.latency_ms = 1_000
        around.sim.forget_calls()
        asking = [asyncio.create_task(web.get(f"/signals/{coin}")) for coin in COINS[:8]]
        await until(lambda: len(around.sim.calls()) >= len(asking), why=web.log)
        stopping = asyncio.create_task(is_ended_well(web))
        answers = await asyncio.gather(*asking)
        assert {answer.status_code for answer in answers} == {200}
        took_s = await stopping
        with pytest.raises(httpx2.ConnectError):
            await web.get("/health/live")
        note(f"R17 web: {len(answers)} questions under way were answered, stopped in {took_s:.2f} s")
