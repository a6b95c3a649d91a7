"""The simulated CoinGlass index: every published day is there, with a price or without."""

from __future__ import annotations

from typing import Any

DAY_MS = 86_400_000


async def test_today_is_there_although_its_candle_is_not(sim: Any) -> None:
    data = (await sim.coinglass("/api/index/fear-greed-history")).json()["data"]
    today_ms = sim.clock.now_ms() // DAY_MS * DAY_MS
    assert data["time_list"][-2:] == [today_ms - DAY_MS, today_ms]
    assert 0 <= data["data_list"][-1] <= 100


async def test_a_day_without_a_daily_candle_has_no_price(sim: Any) -> None:
    # At midnight the value of the day is published and its candle has not begun to form.
    midnight_ms = sim.clock.now_ms() // DAY_MS * DAY_MS
    sim.clock.set(midnight_ms)
    data = (await sim.coinglass("/api/index/fear-greed-history")).json()["data"]
    assert data["time_list"][-1] == midnight_ms
    assert data["price_list"][-2] > 0
    assert data["price_list"][-1] is None
