"""The CoinGlass stream: what it subscribes, what its address looks like, what it says of itself."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest

from app.core.domain.flow import LinkState
from app.services.coinglass.stream import MAX_CHANNELS, CoinGlassStream, keyed_socket
from app.services.transport.socket import Heard, SocketState
from tests.stream_rig import Kept, StreamTime

STREAM_LOG = "app.services.transport.stream_log"
PAIRS = {
    "BTC": {"Binance": "BTCUSDT", "OKX": "BTC-USDT-SWAP", "Bybit": "BTCUSDT", "Gate": "BTC_USDT"},
    "PEPE": {"Bybit": "1000PEPEUSDT"},
}


class Said:
    """Keeps what was sent, by method."""

    def __init__(self) -> None:
        self.frames: list[Any] = []

    async def __call__(self, text: str) -> None:
        self.frames.append(json.loads(text))

    def channels(self, method: str) -> list[str]:
        return [name for frame in self.frames if frame["method"] == method for name in frame["channels"]]


def build(
    time: StreamTime, pairs: Mapping[str, Mapping[str, str]] = PAIRS, key: str | None = "k"
) -> CoinGlassStream:
    return CoinGlassStream(
        keyed_socket("wss://stream.example/ws-api", key, reconnect_s=1.0),
        channel="liquidation_orders",
        exchanges=("Binance", "OKX", "Bybit"),
        pairs=lambda coin: pairs.get(coin, {}),
        least_usd=lambda coin: 2000.5 if coin == "BTC" else 400.0,
        now_ms=time.now_ms,
        timing=time.timing,
    )


def test_the_key_is_quoted_into_the_address_and_shown_nowhere() -> None:
    config = keyed_socket("wss://stream.example/ws-api", "a&b=c d", reconnect_s=2.0)
    assert config is not None
    assert config.url == "wss://stream.example/ws-api?cg-api-key=a%26b%3Dc%20d"
    assert "a%26b" not in repr(config)
    assert (config.base_s, config.ping_s) == (2.0, 20.0)
    with_query = keyed_socket("wss://stream.example/?x=1", "k", reconnect_s=1.0)
    assert with_query is not None
    assert with_query.url.endswith("/?x=1&cg-api-key=k")
    assert keyed_socket("wss://stream.example", None, reconnect_s=1.0) is None


async def test_liquidations_come_for_all_and_trades_and_one_price_for_watched_coins() -> None:
    said = Said()
    stream = build(StreamTime())
    stream.watch(["BTC", "PEPE", "BTC", "NONE"])
    await stream.opened(said)
    assert said.channels("subscribe") == [
        "liquidation_orders",
        "futures_trades@Binance_BTCUSDT@2000",
        "futures_trades@OKX_BTC-USDT-SWAP@2000",
        "futures_trades@Bybit_BTCUSDT@2000",
        "futures_ticker@Binance_BTCUSDT",
        "futures_trades@Bybit_1000PEPEUSDT@400",
        "futures_ticker@Bybit_1000PEPEUSDT",
    ]


async def test_only_differences_are_sent_and_everything_again_after_a_reconnect() -> None:
    said = Said()
    stream = build(StreamTime())
    stream.watch(["PEPE"])
    await stream.opened(said)
    await stream.tick(said)
    stream.watch([])
    await stream.tick(said)
    gone = ["futures_ticker@Bybit_1000PEPEUSDT", "futures_trades@Bybit_1000PEPEUSDT@400"]
    assert said.channels("unsubscribe") == gone
    assert len(said.frames) == 2
    await stream.opened(said)
    assert said.frames[-1] == {"method": "subscribe", "channels": ["liquidation_orders"]}


async def test_pairs_that_become_known_later_are_subscribed_within_a_minute() -> None:
    said, time = Said(), StreamTime()
    pairs: dict[str, Mapping[str, str]] = {}
    stream = build(time, pairs)
    stream.watch(["BTC"])
    await stream.opened(said)
    pairs.update(PAIRS)
    await stream.tick(said)
    assert said.channels("subscribe") == ["liquidation_orders"]
    await time.pass_s(60.0, step_s=60.0)
    await stream.tick(said)
    assert "futures_ticker@Binance_BTCUSDT" in said.channels("subscribe")


async def test_subscriptions_are_bounded() -> None:
    said = Said()
    many = {f"C{n}": {"Binance": f"C{n}USDT"} for n in range(400)}
    stream = build(StreamTime(), many)
    stream.watch(list(many))
    await stream.opened(said)
    channels = said.channels("subscribe")
    assert len(channels) == MAX_CHANNELS
    assert channels[0] == "liquidation_orders"
    assert max(len(frame["channels"]) for frame in said.frames) <= 50


async def test_a_frame_without_a_usable_event_is_counted_and_not_delivered() -> None:
    stream = build(StreamTime())
    assert await stream.heard(b'{"channel":"liquidation_orders","data":[{"side":9}]}') is Heard.OTHER
    assert await stream.heard(b'{"event":"subscribe"}') is Heard.OTHER
    assert await stream.heard(b'{"code":401,"msg":"Upgrade plan"}') is Heard.REFUSED
    assert stream.status().rejects == {"unknown_shape": 1}
    assert (stream.status().frames, stream.status().events) == (1, 0)


async def test_without_a_key_it_is_off() -> None:
    stream = build(StreamTime(), key="")
    assert (stream.status().state, stream.status().detail) == (LinkState.OFF, "no key is set")


async def test_the_gap_is_on_the_first_data_after_a_loss_and_only_there() -> None:
    time, kept = StreamTime(), Kept()
    stream = build(time)
    stream._sink = kept
    row = {
        "baseAsset": "BTC",
        "exName": "OKX",
        "price": 1.0,
        "side": 1,
        "symbol": "BTC-USDT-SWAP",
        "volUsd": 5,
    }
    frame = json.dumps({"channel": "liquidationOrders", "data": [{**row, "time": time.now_ms()}]}).encode()
    await stream.opened(Said())
    assert await stream.heard(frame) is Heard.DATA
    last_ms = time.now_ms()
    await time.pass_s(7.0)
    stream.lost("stall")
    stream.lost("unreachable")
    await time.pass_s(3.0)
    await stream.opened(Said())
    assert stream.status().state is not LinkState.LIVE
    await stream.heard(frame)
    await stream.heard(frame)
    assert [gap and tuple(gap) for gap in (frame.gap for frame in kept.frames)] == [
        None,
        ("coinglass", last_ms, last_ms + 10_000, "stall"),
        None,
    ]
    assert (stream.status().reconnects, stream.status().gaps) == (1, 1)


def at(stream: CoinGlassStream, state: SocketState) -> None:
    """As if its socket were there."""
    assert stream._socket is not None
    stream._socket.state = state


async def test_the_log_tells_of_a_link_that_breaks_and_of_a_format_that_changed(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level("INFO", logger=STREAM_LOG)
    time = StreamTime()
    stream = build(time, key="s3cretkey0123")
    at(stream, SocketState.OPEN)
    await stream.opened(Said())
    unreadable = b'{"channel":"liquidation_orders","data":[{"side":9,"key":"s3cretkey0123"}]}'
    for _ in range(90):
        await stream.heard(unreadable)
        await time.pass_s(1.0, turns=0)
        await stream.tick(Said())
    stream.lost("stall")
    told = [record for record in caplog.records if record.name == STREAM_LOG]
    changes = [(one.old, one.new) for one in told if hasattr(one, "new")]  # type: ignore[attr-defined]
    assert changes == [("off", "silent"), ("silent", "alarm")]
    [sample] = [one for one in told if hasattr(one, "sample")]
    assert (sample.reason, sample.count) == ("unknown_shape", 1)  # type: ignore[attr-defined]
    assert "s3cretkey" not in str([vars(one) for one in told])


async def test_the_log_tells_when_data_comes_again(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", logger=STREAM_LOG)
    time = StreamTime()
    stream = build(time)
    row = {
        "baseAsset": "BTC",
        "exName": "OKX",
        "price": 1.0,
        "side": 1,
        "symbol": "BTC-USDT-SWAP",
        "volUsd": 5,
    }
    frame = json.dumps({"channel": "liquidationOrders", "data": [{**row, "time": time.now_ms()}]}).encode()
    for _ in range(2):
        at(stream, SocketState.OPEN)
        await stream.opened(Said())
        await stream.heard(frame)
        at(stream, SocketState.WAITING)
        stream.lost("drop")
    told = [record for record in caplog.records if record.name == STREAM_LOG]
    changes = [(one.old, one.new, one.why, one.reconnects) for one in told]  # type: ignore[attr-defined]
    assert changes == [
        ("off", "live", "", 0),
        ("live", "connecting", "drop", 0),
        ("connecting", "live", "", 1),
        ("live", "connecting", "drop", 1),
    ]
