"""R07: five failures open the breaker, nothing is asked meanwhile, one probe decides, changes are logged."""

from __future__ import annotations

import asyncio
import re
from typing import Any

import pytest

from tests.live_rig import Rig, closed_port, fault, inputs, live_rig

COOLDOWN_S = 5
BROKEN_TICKER = fault("okx", "status", 503, "market_ticker")
COINS = ("BTC", "ETH", "SOL", "DOGE")


def ticker_calls(rig: Rig) -> int:
    return len(rig.sim.calls("okx", "market_ticker"))


async def ask_all(rig: Rig) -> list[dict[str, Any]]:
    return list(await asyncio.gather(*(rig.signal(coin) for coin in COINS)))


def okx_price_attempt(body: dict[str, Any]) -> dict[str, Any]:
    attempts: list[dict[str, Any]] = inputs(body)["price"]["attempts"]
    return next(attempt for attempt in attempts if attempt["provider"] == "okx")


def changes_in(log: str) -> list[tuple[str, str]]:
    """(old, new) of every line about the ticker or all of OKX."""
    lines = [line for line in log.splitlines() if "breaker_changed" in line and "okx" in line]
    found = []
    for line in lines:
        old, new = re.search(r"old=(\w+)", line), re.search(r"new=(\w+)", line)
        assert old
        assert new
        found.append((old[1], new[1]))
    return found


async def open_the_breaker(rig: Rig) -> None:
    """Two requests of up to three attempts each: the fifth failure is the last call."""
    await rig.signal()
    rig.advance(1.5)
    await rig.signal()


async def test_five_failures_open_it_and_then_nothing_is_asked() -> None:
    async with live_rig(faults=(BROKEN_TICKER,)) as rig:
        await open_the_breaker(rig)
        assert ticker_calls(rig) == 5
        rig.advance(2)
        bodies = await ask_all(rig)
        assert ticker_calls(rig) == 5
        ready = (await rig.app.get("/health/ready")).json()
    for body in bodies:
        assert body["priceSource"] == "coinglass"
        attempt = okx_price_attempt(body)
        assert attempt["outcome"] == "circuit_open"
        assert "unavailable, HTTP 503" in attempt["detail"]  # why it is open, not only that it is
    okx = next(item for item in ready["providers"] if item["provider"] == "okx")
    assert okx["state"] != "ok"
    assert ready["status"] == "degraded"


async def test_one_probe_decides_for_everybody_and_each_failed_one_doubles_the_rest(
    capfd: pytest.CaptureFixture[str],
) -> None:
    async with live_rig(faults=(BROKEN_TICKER,)) as rig:
        await open_the_breaker(rig)
        rig.advance(COOLDOWN_S + 0.5)
        await ask_all(rig)
        assert ticker_calls(rig) == 6  # one probe for four coins, and it failed
        rig.advance(2 * COOLDOWN_S - 2)
        await ask_all(rig)
        assert ticker_calls(rig) == 6  # twice as long now
        rig.sim.break_with()
        rig.advance(2.5)
        await ask_all(rig)
        assert 7 <= ticker_calls(rig) <= 6 + len(COINS)
        rig.advance(1.5)
        bodies = await ask_all(rig)
    assert {body["priceSource"] for body in bodies} == {"okx"}
    assert changes_in(capfd.readouterr().err) == [
        ("closed", "open"),
        ("open", "half_open"),
        ("half_open", "open"),
        ("open", "half_open"),
        ("half_open", "closed"),
    ]


async def test_a_provider_that_cannot_be_reached_is_left_alone_as_a_whole(
    capfd: pytest.CaptureFixture[str],
) -> None:
    nobody = {"OKX_BASE_URL": f"http://127.0.0.1:{closed_port()}"}
    async with live_rig(nobody) as rig:
        await ask_all(rig)
        rig.app.records.clear()
        rig.advance(2)
        bodies = await ask_all(rig)
        asked = [record for record in rig.app.records if record.provider == "okx"]
    assert asked
    assert sum(record.attempts for record in asked) == 0
    assert {record.outcome for record in asked} == {"circuit_open"}
    assert all("connection refused" in okx_price_attempt(body)["detail"] for body in bodies)
    assert changes_in(capfd.readouterr().err) == [("closed", "open")]
