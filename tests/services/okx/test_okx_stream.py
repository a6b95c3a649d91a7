"""The OKX stream: what it subscribes, within which limits, and where the sizes of contracts come from."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest

from app.core.domain.flow import LinkState
from app.core.errors import ProviderUnavailable
from app.services.okx.stream import MAX_WATCHED, OkxStream, public_socket
from app.services.transport.socket import Heard, SocketState
from tests.stream_rig import StreamTime

STREAM_LOG = "app.services.transport.stream_log"
ORDER = {"bkPx": "100", "posSide": "long", "side": "sell", "sz": "2", "ts": "1760000000000"}
LIQUIDATIONS = {"channel": "liquidation-orders", "instType": "SWAP"}


class Said:
    """Keeps what was sent."""

    def __init__(self) -> None:
        self.texts: list[str] = []

    async def __call__(self, text: str) -> None:
        self.texts.append(text)

    def args(self, op: str) -> list[dict[str, str]]:
        frames = [json.loads(text) for text in self.texts]
        return [arg for frame in frames if frame["op"] == op for arg in frame["args"]]


class Sizes:
    """Contract values as a test sets them; None: cannot be had."""

    def __init__(self, sizes: Mapping[str, float] | None) -> None:
        self.sizes = sizes
        self.calls = 0

    async def __call__(self) -> Mapping[str, float]:
        self.calls += 1
        if self.sizes is None:
            raise ProviderUnavailable("okx", "public_instruments", "refused")
        return self.sizes


def build(time: StreamTime, sizes: Sizes) -> OkxStream:
    socket = public_socket("wss://stream.example/ws/v5/public", reconnect_s=1.0)
    return OkxStream(socket, contract_values=sizes, now_ms=time.now_ms, timing=time.timing)


def push(inst_id: str) -> bytes:
    group = {"instId": inst_id, "details": [ORDER]}
    return json.dumps({"arg": LIQUIDATIONS, "data": [group]}).encode()


async def test_liquidations_of_all_swaps_and_trades_and_prices_of_listed_watched_coins() -> None:
    said = Said()
    stream = build(StreamTime(), Sizes({"BTC": 0.01}))
    stream.watch(["BTC", "NOSUCH", "BTC"])
    await stream.opened(said)
    swap = "BTC-USDT-SWAP"
    wanted = [LIQUIDATIONS, {"channel": "tickers", "instId": swap}, {"channel": "trades", "instId": swap}]
    assert said.args("subscribe") == wanted
    assert len(said.texts) == 1
    stream.watch([])
    await stream.tick(said)
    assert said.args("unsubscribe") == wanted[1:]


async def test_requests_stay_within_what_okx_allows() -> None:
    time, said = StreamTime(), Said()
    coins = {f"COINNUMBER{n:05d}": 1.0 for n in range(500)}
    stream = build(time, Sizes(coins))
    stream.watch(list(coins))
    await stream.opened(said)
    assert len(said.args("subscribe")) == 1 + 2 * MAX_WATCHED
    assert max(len(text.encode()) for text in said.texts) <= 65_536
    for turn in range(1000):
        stream.watch(["COINNUMBER00001"] if turn % 2 else [])
        await stream.tick(said)
    assert len(said.texts) <= 480
    await time.pass_s(3600.0, step_s=3600.0)
    before = len(said.texts)
    stream.watch(["COINNUMBER00002"])
    await stream.tick(said)
    assert len(said.texts) > before


async def test_no_size_is_guessed_and_missing_sizes_are_asked_for_again() -> None:
    time, sizes = StreamTime(), Sizes(None)
    stream = build(time, sizes)
    await stream.opened(Said())
    assert await stream.heard(push("BTC-USDT-SWAP")) is Heard.OTHER
    await stream.tick(Said())
    assert (sizes.calls, stream.status().rejects) == (1, {"unknown_contract": 1})
    sizes.sizes = {"BTC": 0.01}
    await time.pass_s(60.0, step_s=60.0)
    await stream.tick(Said())
    assert await stream.heard(push("BTC-USDT-SWAP")) is Heard.DATA


async def test_a_new_listing_is_looked_up_at_most_once_a_minute() -> None:
    time, sizes = StreamTime(), Sizes({"BTC": 0.01})
    stream = build(time, sizes)
    await stream.opened(Said())
    for _ in range(120):
        await stream.heard(push("NEW-USDT-SWAP"))
        await time.pass_s(1.0, turns=0)
        await stream.tick(Said())
    assert sizes.calls == 3


async def test_old_sizes_stay_when_new_ones_cannot_be_had() -> None:
    time, sizes = StreamTime(), Sizes({"BTC": 0.01})
    stream = build(time, sizes)
    await stream.opened(Said())
    sizes.sizes = None
    await time.pass_s(3600.0, step_s=3600.0)
    await stream.tick(Said())
    assert sizes.calls == 2
    assert await stream.heard(push("BTC-USDT-SWAP")) is Heard.DATA


async def test_a_refused_subscription_is_said() -> None:
    stream = build(StreamTime(), Sizes({}))
    notice: dict[str, Any] = {"event": "error", "code": "60018", "msg": "Wrong <b>URL</b>"}
    assert await stream.heard(json.dumps(notice).encode()) is Heard.OTHER
    assert stream.status().detail == "a subscription was refused (code 60018)"


async def test_coin_margined_swaps_alone_are_no_alarm() -> None:
    time = StreamTime()
    stream = build(time, Sizes({"BTC": 0.01}))
    await stream.opened(Said())
    for _ in range(120):
        await stream.heard(push("BTC-USD-SWAP"))
        await time.pass_s(1.0, turns=0)
    assert stream.status().state is not LinkState.ALARM
    assert stream.status().rejects == {"other_contract": 120}


async def test_without_any_sizes_orders_that_cannot_be_used_are_an_alarm_whatever_the_prices() -> None:
    time = StreamTime()
    stream = build(time, Sizes(None))
    await stream.opened(Said())
    row = {"instId": "BTC-USDT-SWAP", "last": "100", "ts": "1760000000000"}
    for _ in range(60):
        await stream.heard(push("BTC-USDT-SWAP"))
        await stream.heard(json.dumps({"arg": {"channel": "tickers"}, "data": [row]}).encode())
        await time.pass_s(1.0, turns=0)
    assert stream.status().state is LinkState.ALARM
    assert "liquidations" in stream.status().detail


async def test_the_log_tells_of_a_link_that_breaks_and_of_rejects_that_are_faults(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level("INFO", logger=STREAM_LOG)
    stream = build(StreamTime(), Sizes({"BTC": 0.01}))
    stream._socket.state = SocketState.OPEN
    await stream.opened(Said())
    await stream.heard(push("BTC-USDT-SWAP"))
    await stream.heard(push("BTC-USD-SWAP"))
    await stream.heard(b"<html>")
    stream._socket.state = SocketState.WAITING
    stream.lost("drop")
    told = [record for record in caplog.records if record.name == STREAM_LOG]
    assert [(one.getMessage(), one.source) for one in told] == [  # type: ignore[attr-defined]
        ("a stream changed its state", "okx"),
        ("events of a stream are rejected", "okx"),
        ("a stream changed its state", "okx"),
    ]
    assert (told[1].reason, told[1].sample) == ("not_json", "<html>")  # type: ignore[attr-defined]
    assert told[2].why == "drop"  # type: ignore[attr-defined]
