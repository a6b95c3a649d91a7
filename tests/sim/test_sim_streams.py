"""The simulated WebSockets over a real socket: channels, spellings, heartbeat, error codes, stream faults."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

MINUTE_MS = 60_000


def coinglass_url(served: Any, key: str = "test-key") -> str:
    return f"ws://127.0.0.1:{served.port}/coinglass/ws-api?cg-api-key={key}"


def okx_url(served: Any, kind: str) -> str:
    return f"ws://127.0.0.1:{served.port}/okx/ws/v5/{kind}"


async def ask(stream: ClientConnection, request: Any) -> None:
    """Send a request and wait until the server has read it: requests are answered in order."""
    await stream.send(json.dumps(request))
    await stream.send("ping")
    assert await stream.recv() == "pong"


async def frames(served: Any, stream: ClientConnection, count: int = 1, step_ms: int = MINUTE_MS) -> Any:
    """Let market time pass until `count` frames have come."""
    got = []
    async with asyncio.timeout(10):
        while len(got) < count:
            served.clock.set(served.clock.now_ms() + step_ms)
            try:
                async with asyncio.timeout(0.1):
                    got.append(json.loads(await stream.recv()))
            except TimeoutError:
                continue
    return got


class TestCoinglass:
    async def test_key_and_plan_are_required(self, served: Any) -> None:
        for key in ("", "bad-key"):
            with pytest.raises(InvalidStatus):
                await connect(coinglass_url(served, key))
        await served.client.put("/__sim__/plan", json={"plan": "startup"})
        with pytest.raises(InvalidStatus):
            await connect(coinglass_url(served))

    @pytest.mark.parametrize(
        ("channel", "fields"),
        [
            ("liquidationOrders", {"baseAsset", "exName", "volUsd"}),
            ("liquidation_orders", {"base_asset", "exchange", "volume_usd"}),
        ],
    )
    async def test_both_spellings_carry_every_exchange(
        self, served: Any, channel: str, fields: set[str]
    ) -> None:
        async with connect(coinglass_url(served)) as stream:
            await ask(stream, {"method": "subscribe", "channels": [channel]})
            start_ms = served.clock.now_ms()
            frame = (await frames(served, stream))[0]
        rows = frame["data"]
        assert frame["channel"] == channel
        assert set(rows[0]) == fields | {"price", "side", "symbol", "time"}
        assert {row["side"] for row in rows} <= {1, 2}
        assert all(row["time"] >= start_ms for row in rows)

    async def test_stream_and_market_agree_on_every_event(self, served: Any) -> None:
        async with connect(coinglass_url(served)) as stream:
            await ask(stream, {"method": "subscribe", "channels": ["liquidation_orders"]})
            start_ms = served.clock.now_ms()
            end_ms = start_ms + 10 * MINUTE_MS
            wanted = served.app.state.simulator.market
            served.clock.set(end_ms)
            truth = wanted.liquidation_events(start_ms, end_ms)
            rows: list[Any] = []
            async with asyncio.timeout(10):
                while len(rows) < len(truth):
                    rows += json.loads(await stream.recv())["data"]
        codes = {"long": 1, "short": 2}
        assert [(r["time"], r["exchange"], r["side"]) for r in rows] == [
            (e.ts_ms, e.exchange, codes[e.liquidated]) for e in truth
        ]

    async def test_trades_are_of_one_pair_above_the_least_value(self, served: Any) -> None:
        async with connect(coinglass_url(served)) as stream:
            channel = "futures_trades@Binance_BTCUSDT@10000"
            await ask(stream, {"method": "subscribe", "channels": [channel]})
            rows = (await frames(served, stream))[0]["data"]
        assert {(row["symbol"], row["exName"]) for row in rows} == {("BTCUSDT", "Binance")}
        assert all(row["volUsd"] >= 10_000 for row in rows)

    async def test_a_ticker_is_a_price_with_a_date_and_no_zone(self, served: Any) -> None:
        async with connect(coinglass_url(served)) as stream:
            await ask(stream, {"method": "subscribe", "channels": ["futures_ticker@Binance_1000PEPEUSDT"]})
            row = (await frames(served, stream))[0]["data"][0]
            price, _ = served.app.state.simulator.market.last_price("PEPE")
        assert (row["base_asset"], row["price"]) == ("1000PEPE", pytest.approx(price * 1000, rel=0.05))
        assert len(row["update_time"]) == len("2026-04-29 08:20:00")

    async def test_unsubscribed_channels_fall_silent_and_nonsense_is_ignored(self, served: Any) -> None:
        async with connect(coinglass_url(served)) as stream:
            await stream.send("{not json")
            await ask(stream, {"method": "subscribe", "channels": ["liquidation_orders"]})
            await frames(served, stream)
            await stream.send(json.dumps({"method": "unsubscribe", "channels": ["liquidation_orders"]}))
            await ask(stream, {"method": "subscribe", "channels": ["futures_trades@OKX_BTC-USDT-SWAP@0"]})
            rows = (await frames(served, stream))[0]
        assert rows["channel"].startswith("futures_trades")


class TestOkx:
    @pytest.mark.parametrize(
        ("kind", "channel"),
        [
            ("public", "tickers"),
            ("public", "trades"),
            ("public", "funding-rate"),
            ("public", "open-interest"),
            ("business", "candle1m"),
        ],
    )
    async def test_subscriptions_are_acknowledged_and_pushed(
        self, served: Any, kind: str, channel: str
    ) -> None:
        arg = {"channel": channel, "instId": "BTC-USDT-SWAP"}
        async with connect(okx_url(served, kind)) as stream:
            await stream.send(json.dumps({"id": "7", "op": "subscribe", "args": [arg]}))
            ack = json.loads(await stream.recv())
            frame = (await frames(served, stream))[0]
        assert (ack["event"], ack["arg"], ack["id"]) == ("subscribe", arg, "7")
        assert frame["arg"] == arg
        assert isinstance(frame["data"], list)

    async def test_liquidations_come_in_groups_of_contracts(self, served: Any) -> None:
        arg = {"channel": "liquidation-orders", "instType": "SWAP"}
        async with connect(okx_url(served, "public")) as stream:
            await stream.send(json.dumps({"op": "subscribe", "args": [arg]}))
            await stream.recv()
            groups = (await frames(served, stream))[0]["data"]
        for group in groups:
            assert group["instId"] == f"{group['instFamily']}-SWAP"
            assert all({"side", "posSide", "sz", "bkPx", "ts"} <= set(d) for d in group["details"])

    @pytest.mark.parametrize(
        ("kind", "request_text", "code"),
        [
            ("public", "{nonsense", "60012"),
            ("public", '{"op":"subscribe","args":[]}', "60013"),
            (
                "public",
                '{"op":"subscribe","args":[{"channel":"candle1m","instId":"BTC-USDT-SWAP"}]}',
                "64001",
            ),
            (
                "business",
                '{"op":"subscribe","args":[{"channel":"trades","instId":"BTC-USDT-SWAP"}]}',
                "64002",
            ),
            ("public", '{"op":"subscribe","args":[{"channel":"tickers","instId":"NOPE"}]}', "60018"),
        ],
    )
    async def test_bad_requests_get_their_error_code(
        self, served: Any, kind: str, request_text: str, code: str
    ) -> None:
        async with connect(okx_url(served, kind)) as stream:
            await stream.send(request_text)
            answer = json.loads(await stream.recv())
        assert (answer["event"], answer["code"]) == ("error", code)


class TestFaults:
    async def subscribe(self, stream: ClientConnection) -> None:
        await ask(stream, {"method": "subscribe", "channels": ["liquidation_orders"]})

    async def test_drop_without_a_code_is_abnormal(self, served: Any) -> None:
        async with connect(coinglass_url(served)) as stream:
            await self.subscribe(stream)
            await served.faults({"provider": "coinglass", "endpoint": "ws", "kind": "drop"})
            with pytest.raises(ConnectionClosed) as closed:
                await stream.recv()
        assert closed.value.rcvd is None

    async def test_drop_with_a_code_after_some_frames(self, served: Any) -> None:
        value = {"after": 2, "code": 1012}
        await served.faults({"provider": "coinglass", "endpoint": "ws", "kind": "drop", "value": value})
        async with connect(coinglass_url(served)) as stream:
            await self.subscribe(stream)
            await frames(served, stream, 2)
            with pytest.raises(ConnectionClosed) as closed:
                await frames(served, stream)
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 1012

    async def test_duplicates_send_each_frame_twice(self, served: Any) -> None:
        await served.faults({"provider": "coinglass", "kind": "duplicates"})
        async with connect(coinglass_url(served)) as stream:
            await self.subscribe(stream)
            first, second = await frames(served, stream, 2)
        assert first == second

    async def test_reorder_swaps_neighbours(self, served: Any) -> None:
        await served.faults({"provider": "coinglass", "kind": "reorder"})
        async with connect(coinglass_url(served)) as stream:
            await self.subscribe(stream)
            first, second = await frames(served, stream, 2)
        assert first["data"][0]["time"] > second["data"][0]["time"]

    async def test_garbage_comes_before_a_good_frame(self, served: Any) -> None:
        await served.faults({"provider": "coinglass", "kind": "garbage", "value": 100, "count": 1})
        async with connect(coinglass_url(served)) as stream:
            await self.subscribe(stream)
            served.clock.set(served.clock.now_ms() + 10 * MINUTE_MS)
            async with asyncio.timeout(10):
                garbage, good = await stream.recv(), await stream.recv()
        assert len(garbage) == 100
        assert json.loads(good)["data"]

    async def test_a_huge_frame_comes_before_a_good_one(self, served: Any) -> None:
        await served.faults({"provider": "coinglass", "kind": "huge", "value": 2, "count": 1})
        async with connect(coinglass_url(served), max_size=None) as stream:
            await self.subscribe(stream)
            served.clock.set(served.clock.now_ms() + 10 * MINUTE_MS)
            async with asyncio.timeout(10):
                huge, good = await stream.recv(), await stream.recv()
        assert len(huge) == 2 * 2**20
        assert json.loads(good)["data"]

    @pytest.mark.parametrize(
        ("dialect", "keys"),
        [("envelope", {"topic", "payload"}), ("channel", {"channel", "data"}), ("rows", {"channel", "data"})],
    )
    async def test_dialects_say_the_same_in_words_nobody_knows(
        self, served: Any, dialect: str, keys: set[str]
    ) -> None:
        await served.faults({"provider": "coinglass", "kind": "dialect", "value": dialect})
        async with connect(coinglass_url(served)) as stream:
            await self.subscribe(stream)
            frame = (await frames(served, stream))[0]
        assert set(frame) == keys
        assert frame.get("channel") in (None, "orders_v9", "liquidation_orders")
        assert isinstance(frame.get("data", [[]])[0], list) is (dialect != "channel")

    async def test_skew_moves_the_times_of_events_only(self, served: Any) -> None:
        await served.faults({"provider": "coinglass", "kind": "skew", "value": -300_000})
        async with connect(coinglass_url(served)) as stream:
            await self.subscribe(stream)
            start_ms = served.clock.now_ms()
            rows = (await frames(served, stream))[0]["data"]
            truth = served.app.state.simulator.market.liquidation_events(start_ms, served.clock.now_ms())
        assert [row["time"] for row in rows] == [event.ts_ms - 300_000 for event in truth[: len(rows)]]

    async def test_a_replay_sends_the_last_minutes_again_to_a_new_connection(self, served: Any) -> None:
        now_ms = served.clock.now_ms()
        truth = served.app.state.simulator.market.liquidation_events(now_ms - 600_000, now_ms)
        await served.faults({"provider": "coinglass", "kind": "replay", "value": 600, "count": 1})
        async with connect(coinglass_url(served)) as stream:
            await self.subscribe(stream)
            rows = (await frames(served, stream, step_ms=1))[0]["data"]
        assert truth
        assert [row["time"] for row in rows[: len(truth)]] == [event.ts_ms for event in truth]

    async def test_without_pongs_data_still_flows(self, served: Any) -> None:
        async with connect(coinglass_url(served)) as stream:
            await self.subscribe(stream)
            await served.faults({"provider": "coinglass", "kind": "no_pong"})
            await stream.send("ping")
            assert (await frames(served, stream))[0]["data"]

    async def test_silence_of_data_still_answers_pings(self, served: Any) -> None:
        await served.faults({"provider": "coinglass", "kind": "silence", "value": "data"})
        async with connect(coinglass_url(served)) as stream:
            await self.subscribe(stream)
            served.clock.set(served.clock.now_ms() + 10 * MINUTE_MS)
            await stream.send("ping")
            assert await stream.recv() == "pong"
