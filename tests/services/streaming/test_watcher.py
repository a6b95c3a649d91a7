"""Which coins the streams follow: the watchlist first, then what is liquidated most for its size."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace

from app.core.clock import ManualClock
from app.core.domain.flow import FlowSnapshot, LiquidationWindow
from app.services.streaming.warm_cache import MemoryWarmCache
from app.services.streaming.watcher import FIRST_S, MAX_DISCOVERED, Watcher, wanted_coins
from tests.flow_facts import NOW_MS, snapshot


def coin(symbol: str, day_usd: float, *, large_usd: float = 2_000.0) -> FlowSnapshot:
    window = LiquidationWindow(86_400, day_usd, 0.0, 1, 0, day_usd, 1.0, 1.0)
    return replace(snapshot(symbol), large_usd=large_usd, liquidations=(window,))


def test_the_watchlist_keeps_its_order_and_comes_first() -> None:
    found = wanted_coins(["SOL", "BTC"], [coin("BTC", 9e9), coin("PEPE", 1e6)])
    assert found == ("SOL", "BTC", "PEPE")


def test_a_small_coin_s_million_is_more_than_a_large_coin_s() -> None:
    found = wanted_coins([], [coin("ETH", 4e6, large_usd=10_000.0), coin("WIF", 1e6, large_usd=2_000.0)])
    assert found == ("WIF", "ETH")


def test_quiet_coins_are_left_out_and_the_rest_is_bounded() -> None:
    many = [coin(f"C{number}", 1e3 + number) for number in range(200)]
    found = wanted_coins(["BTC"], [*many, coin("IDLE", 0.0)])
    assert len(found) == 1 + MAX_DISCOVERED
    assert found[1] == "C199"
    assert "IDLE" not in found


async def test_the_streams_are_told_only_when_the_wanted_coins_change() -> None:
    clock = ManualClock(NOW_MS)
    warm = MemoryWarmCache(now_ms=clock.now_ms, monotonic=clock.monotonic_s)
    told: list[Sequence[str]] = []
    watcher = Watcher(watch=told.append, listed=lambda: ["BTC"], warm=warm)
    await watcher.look()
    await watcher.look()
    await warm.publish([replace(coin("DOGE", 1e6), as_of_ms=NOW_MS, newest_event_ms=NOW_MS)])
    await watcher.look()
    assert told == [("BTC",), ("BTC", "DOGE")]


async def test_a_change_of_the_watchlist_is_told_at_once_and_not_at_the_next_look() -> None:
    clock = ManualClock(NOW_MS)
    listed = ["BTC"]
    told: asyncio.Queue[Sequence[str]] = asyncio.Queue()
    warm = MemoryWarmCache(now_ms=clock.now_ms, monotonic=clock.monotonic_s)
    watcher = Watcher(watch=told.put_nowait, listed=lambda: listed, warm=warm)
    running = asyncio.create_task(watcher.run())
    try:
        assert await told.get() == ("BTC",)
        for coin in ("DOGE", "PEPE"):
            listed.append(coin)
            watcher.wake()
            async with asyncio.timeout(FIRST_S / 2):
                assert await told.get() == tuple(listed)
    finally:
        running.cancel()
