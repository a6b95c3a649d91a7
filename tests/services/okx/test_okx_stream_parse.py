"""OKX pushes to events: contracts to USD, sides, control frames, and what bad input costs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.domain.flow import PriceTick, StreamFrame
from app.services.okx.stream_parse import Notice, kind_of, parse_frame, read_notice

TS_MS = 1_790_088_612_984
NOW_MS = TS_MS + 80
SIZES = {"BTC": 0.01, "ETH": 0.1, "DOGE": 1000.0}
SAMPLES = Path(__file__).resolve().parents[4] / "shared" / "contracts" / "okx" / "samples"
ORDER = {
    "bkLoss": "0",
    "bkPx": "50000",
    "ccy": "",
    "posSide": "long",
    "side": "sell",
    "sz": "2",
    "ts": str(TS_MS),
}
TRADE = {
    "instId": "BTC-USDT-SWAP",
    "tradeId": "1",
    "px": "50000",
    "sz": "2",
    "side": "sell",
    "ts": str(TS_MS),
}
TICKER = {"instId": "BTC-USDT-SWAP", "last": "50000.5", "askPx": "", "ts": str(TS_MS)}


def read(channel: str, *rows: Any) -> StreamFrame:
    raw = json.dumps({"arg": {"channel": channel}, "data": list(rows)})
    return parse_frame(raw, NOW_MS, SIZES)


def group(*orders: Any, inst_id: str = "BTC-USDT-SWAP") -> dict[str, Any]:
    return {"instId": inst_id, "instType": "SWAP", "details": list(orders)}


def order(**changes: Any) -> dict[str, Any]:
    return {**ORDER, **changes}


def test_contracts_become_coins_and_usd() -> None:
    doge = order(bkPx="0.1")
    frame = read("liquidation-orders", group(ORDER), group(doge, inst_id="DOGE-USDT-SWAP"))
    btc, doge_event = frame.liquidations
    # Two contracts of 0.01 BTC at 50,000 and two of 1,000 DOGE at 0.1.
    assert btc == ("BTC", "OKX", "BTC-USDT-SWAP", "LONG", 50000.0, 1000.0, 0.02, TS_MS)
    assert (doge_event.usd, doge_event.base) == (pytest.approx(200.0), 2000.0)
    assert frame.source == "okx"


@pytest.mark.parametrize(
    ("pos_side", "side", "liquidated"),
    [("long", "sell", "LONG"), ("short", "buy", "SHORT"), ("net", "sell", "LONG"), ("net", "buy", "SHORT")],
)
def test_a_forced_sell_closes_a_long(pos_side: str, side: str, liquidated: str) -> None:
    (event,) = read("liquidation-orders", group(order(posSide=pos_side, side=side))).liquidations
    assert event.liquidated_side == liquidated


def test_a_trade_has_the_side_of_its_taker_and_usd() -> None:
    sale, purchase = read("trades", TRADE, {**TRADE, "side": "buy"}).trades
    assert sale == ("BTC", "OKX", "BTC-USDT-SWAP", False, 50000.0, 1000.0, TS_MS)
    assert purchase.is_buy is True


def test_a_ticker_is_the_last_price() -> None:
    assert read("tickers", TICKER).ticks == (PriceTick("BTC", "OKX", 50000.5, TS_MS),)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"posSide": "long", "side": "buy"}, "bad_side"),
        ({"posSide": "", "side": "sell"}, "bad_side"),
        ({"side": 1}, "bad_side"),
        ({"bkPx": ""}, "bad_number"),
        ({"bkPx": "0"}, "bad_price"),
        ({"bkPx": "nan"}, "bad_price"),
        ({"sz": ""}, "bad_number"),
        ({"sz": "-2"}, "bad_usd"),
        ({"sz": "inf"}, "bad_usd"),
        ({"ts": "1790088612"}, "bad_time"),
        ({"ts": "now"}, "bad_time"),
    ],
)
def test_a_bad_order_costs_itself_and_is_counted_by_reason(changes: dict[str, Any], reason: str) -> None:
    frame = read("liquidation-orders", group(ORDER, order(**changes)), group(ORDER))
    assert (len(frame.liquidations), frame.rejects) == (2, {reason: 1})


@pytest.mark.parametrize(
    ("inst_id", "reason"),
    [
        ("NEW-USDT-SWAP", "unknown_contract"),
        ("BTC-USD-SWAP", "other_contract"),
        ("BTC-USDC-SWAP", "other_contract"),
        ("BTC", "bad_text"),
        ("<b>-USDT-SWAP", "bad_text"),
        ("", "unknown_shape"),
    ],
)
def test_an_instrument_without_a_known_contract_is_refused(inst_id: str, reason: str) -> None:
    frame = read("liquidation-orders", group(ORDER, ORDER, inst_id=inst_id))
    assert (frame.liquidations, frame.rejects) == ((), {reason: 2})
    frame = read("trades", {**TRADE, "instId": inst_id})
    assert (frame.trades, frame.rejects) == ((), {reason: 1})


@pytest.mark.parametrize(
    ("channel", "row", "reason"),
    [
        ("trades", {**TRADE, "side": "long"}, "bad_side"),
        ("trades", {**TRADE, "px": ""}, "bad_number"),
        ("trades", {**TRADE, "px": "-1"}, "bad_price"),
        ("tickers", {**TICKER, "last": ""}, "bad_number"),
        ("tickers", {**TICKER, "last": "0"}, "bad_price"),
        ("tickers", {**TICKER, "ts": ""}, "bad_time"),
        ("tickers", 5, "unknown_shape"),
        ("liquidation-orders", TRADE, "unknown_shape"),
        ("books", TRADE, "unknown_channel"),
    ],
)
def test_a_bad_row_is_counted(channel: str, row: Any, reason: str) -> None:
    frame = read(channel, row)
    assert (frame.liquidations, frame.trades, frame.ticks) == ((), (), ())
    assert frame.rejects == {reason: 1}


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (b"", "not_json"),
        (b'{"arg":{"channel":"trades"},"data":[{"px', "not_json"),
        (b"[]", "unknown_shape"),
        (b"{}", "unknown_shape"),
        (b'{"arg":{"channel":"trades"},"data":{}}', "unknown_shape"),
        (b'{"arg":5,"data":[]}', "unknown_shape"),
        (b'{"data":[]}', "unknown_shape"),
        (b'{"arg":{"channel":"trades"},"data":' + b"[" * 200_000, "not_json"),
    ],
)
def test_a_frame_of_an_unknown_dialect_is_counted(raw: bytes, reason: str) -> None:
    frame = parse_frame(raw, NOW_MS, SIZES)
    assert reason in frame.rejects
    assert frame.trades == ()


@pytest.mark.parametrize(
    ("raw", "notice"),
    [
        (b'{"event":"subscribe","arg":{"channel":"trades"},"connId":"a"}', Notice("subscribe", "")),
        (b'{"event":"error","code":"60018","msg":"Wrong URL"}', Notice("error", "60018")),
        (b'{"event":"notice","code":"64008","msg":"upgrade"}', Notice("notice", "64008")),
        (b'{"arg":{"channel":"trades"},"data":[]}', None),
        (b"pong", None),
    ],
)
def test_control_frames_are_recognised(raw: bytes, notice: Notice | None) -> None:
    assert read_notice(raw) == notice
    if notice is not None:
        assert parse_frame(raw, NOW_MS, SIZES) == StreamFrame("okx", NOW_MS)


def test_the_kind_of_a_frame_nothing_came_of_can_be_told() -> None:
    channels = ("liquidation-orders", "trades", "tickers", "books")
    kinds = [kind_of(json.dumps({"arg": {"channel": channel}, "data": 5})) for channel in channels]
    assert kinds == ["liquidations", "trades", "ticks", ""]
    assert kind_of(b"{") == kind_of(b"{}") == ""


VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=50),
    st.just([]),
)


@given(raw=st.one_of(st.binary(max_size=300), st.text(max_size=300)))
def test_arbitrary_bytes_never_raise_and_yield_nothing(raw: bytes | str) -> None:
    frame = parse_frame(raw, NOW_MS, SIZES)
    assert (frame.liquidations, frame.trades, frame.ticks) == ((), (), ())
    read_notice(raw)


@given(
    channel=st.sampled_from(["trades", "tickers"]),
    rows=st.lists(st.one_of(st.dictionaries(st.sampled_from([*TRADE, "last"]), VALUES), VALUES), max_size=6),
)
def test_every_row_is_read_or_counted(channel: str, rows: list[Any]) -> None:
    frame = read(channel, *rows)
    assert len(frame.trades) + len(frame.ticks) + sum(frame.rejects.values()) == len(rows)


@given(
    orders=st.lists(st.one_of(st.dictionaries(st.sampled_from([*ORDER]), VALUES), st.just(ORDER)), max_size=6)
)
def test_every_order_is_read_or_counted(orders: list[Any]) -> None:
    frame = read("liquidation-orders", group(*orders))
    assert len(frame.liquidations) + sum(frame.rejects.values()) == len(orders)


@pytest.mark.skipif(not SAMPLES.is_dir(), reason="the contracts folder beside the project is absent")
def test_the_recorded_samples_are_read() -> None:
    sizes = {"ETH": 0.1, "PENGU": 100.0}
    frame = parse_frame((SAMPLES / "ws_liquidation_orders.json").read_bytes(), NOW_MS, sizes)
    assert [(e.symbol, e.liquidated_side) for e in frame.liquidations] == [
        ("ETH", "SHORT"),
        ("PENGU", "LONG"),
    ]
    assert frame.liquidations[0].usd == pytest.approx(7.97 * 0.1 * 2735.52)
    for name in ("ws_trades", "ws_tickers"):  # both of a coin-margined swap
        frame = parse_frame((SAMPLES / f"{name}.json").read_bytes(), NOW_MS, sizes)
        assert frame.rejects == {"other_contract": 1}
