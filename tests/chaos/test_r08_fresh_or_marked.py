"""R08: when an upstream stands still, every answer says how old it is, and too much age is NEUTRAL."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from tests.live_rig import NOW_MS, factors, fault, inputs, live_rig

# Funding is not among them: the running rate of OKX counts for as long as its period of eight hours.
HOURLY = ("liquidations", "momentum", "long_short", "smart_money", "oi_trend", "social")


# CoinGlass states no time for its price, so that only the other two can be caught standing still.
FROZEN = (fault("coinglass", "status", 404, "futures_coins_markets"), fault("*", "freeze"))


def at(text: str) -> datetime:
    return datetime.fromisoformat(text)


async def test_a_price_frozen_for_ten_minutes_is_shown_as_stale_and_neutral() -> None:
    async with live_rig() as rig:
        before = await rig.signal()
        rig.sim.break_with(*FROZEN)
        rig.advance(600)
        after = await rig.signal()
    assert (before["priceStatus"], before["priceAgeS"]) == ("ok", 0)
    assert after["priceStatus"] == "stale"
    assert after["priceAgeS"] >= 600
    assert after["signal"] == "NEUTRAL"
    assert "price is" in after["reason"]
    assert "old, allowed" in after["reason"]
    assert at(after["asOf"]) - at(before["asOf"]) == timedelta(minutes=10)
    # Each source was asked, and the youngest of the old prices is the one that is shown.
    assert [attempt["provider"] for attempt in inputs(after)["price"]["attempts"]] == [
        "stream",
        "okx",
        "coinglass",
        "coinapi",
    ]


async def test_a_price_frozen_beyond_all_use_is_no_price() -> None:
    async with live_rig() as rig:
        rig.sim.break_with(*FROZEN)
        rig.advance(2 * 3600)
        answer = await rig.app.get("/signals/BTC")
    assert answer.status_code == 503
    assert answer.json()["code"] == "no_price"
    assert "stale" in answer.json()["detail"]


async def test_frozen_histories_keep_counting_their_age_and_end_as_stale() -> None:
    async with live_rig() as rig:
        fresh = await rig.signal()
        rig.sim.break_with(
            fault("coinglass", "freeze"),
            fault("lunarcrush", "freeze"),
            fault("alternative.me", "freeze"),
            *(fault("okx", "freeze", endpoint=name) for name in ("market_candles", "rubik*", "public_*")),
        )
        ages = []
        for _ in range(4):
            rig.advance(3600)
            body = await rig.signal()
            ages.append(factors(body)["long_short"]["ageS"])
    assert fresh["coverage"] == 1
    assert ages == sorted(ages)
    assert ages[0] == pytest.approx(factors(fresh)["long_short"]["ageS"] + 3600, abs=1)
    for name in HOURLY:
        assert factors(body)[name]["status"] == "stale", factors(body)[name]
        assert factors(body)[name]["ageS"] > 3 * 3600
        assert factors(body)[name]["score"] == 50
    assert factors(body)["fear_greed"]["status"] == "ok"  # once a day, and still of today
    assert body["coverage"] == pytest.approx(0.2)
    assert body["signal"] == "NEUTRAL"
    assert "coverage" in body["reason"]
    told = {item["input"]: item["reason"] for item in body["missing"]}
    assert all("old, allowed" in told[name] for name in HOURLY)
    assert at(body["asOf"]).timestamp() * 1000 == NOW_MS + 4 * 3_600_000
