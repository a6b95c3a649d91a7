"""Scripted events over a real socket: what a test puts into the streams arrives, once, as it was said."""

from __future__ import annotations

import json
from typing import Any

import pytest
from websockets.asyncio.client import connect

from tests.sim.test_sim_streams import ask, coinglass_url, frames, okx_url

CASCADE = {"base": "BTC", "exchange": "OKX", "liquidated": "long", "price_usd": 96_200.0, "usd": 12_000_000.0}
TRADE = {"base": "BTC", "exchange": "OKX", "taker": "sell", "price_usd": 96_150.0, "usd": 25_000.0}


async def test_scripted_events_replace_those_of_the_market_in_both_streams(served: Any) -> None:
    liquidations = {"channel": "liquidation-orders", "instType": "SWAP"}
    async with connect(coinglass_url(served)) as wide, connect(okx_url(served, "public")) as okx:
        await ask(wide, {"method": "subscribe", "channels": ["liquidation_orders"]})
        await okx.send(json.dumps({"op": "subscribe", "args": [liquidations]}))
        assert json.loads(await okx.recv())["event"] == "subscribe"
        late = {**CASCADE, "usd": 500.0, "liquidated": "short", "ts_ms": served.clock.now_ms() - 4000}
        body = {"alone": True, "liquidations": [CASCADE, late]}
        answer = await served.client.post("/__sim__/events", json=body)
        assert answer.status_code == 200
        start_ms = served.clock.now_ms()
        rows = (await frames(served, wide))[0]["data"]
        details = (await frames(served, okx))[0]["data"][0]["details"]
    assert [(row["side"], row["volume_usd"], row["time"] - start_ms) for row in rows] == [
        (1, 12_000_000.0, 0),
        (2, 500.0, -4000),
    ]
    assert [(row["side"], row["posSide"]) for row in details] == [("sell", "long"), ("buy", "short")]


async def test_a_scripted_price_is_the_last_price_of_the_streams_alone(served: Any) -> None:
    await served.client.post("/__sim__/events", json={"prices": {"BTC": 91_234.5}, "trades": [TRADE]})
    channels = [{"channel": name, "instId": "BTC-USDT-SWAP"} for name in ("tickers", "trades")]
    async with connect(okx_url(served, "public")) as okx:
        await okx.send(json.dumps({"op": "subscribe", "args": channels}))
        got = await frames(served, okx, count=4, step_ms=200)
    pushed = {frame["arg"]["channel"]: frame["data"][0] for frame in got if "data" in frame}
    assert float(pushed["tickers"]["last"]) == 91_234.5
    rest = await served.okx("market/ticker", instId="BTC-USDT-SWAP")
    assert float(rest["data"][0]["last"]) != 91_234.5


@pytest.mark.parametrize(
    "row", [{}, {**CASCADE, "usd": -1.0}, {**CASCADE, "usd": "much"}, {**CASCADE, "colour": "red"}]
)
async def test_a_row_that_is_no_event_is_refused(served: Any, row: Any) -> None:
    answer = await served.client.post("/__sim__/events", json={"liquidations": [row]})
    assert answer.status_code == 400


async def test_a_reset_forgets_the_script(served: Any) -> None:
    await served.client.post("/__sim__/events", json={"alone": True, "prices": {"BTC": 1.0}})
    await served.client.post("/__sim__/reset")
    script = served.app.state.simulator.script
    assert script.over(served.app.state.simulator.market) is served.app.state.simulator.market
