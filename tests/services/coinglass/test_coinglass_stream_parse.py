"""CoinGlass stream frames to events: sides, units, both spellings, and what bad input costs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.domain.flow import PriceTick, StreamFrame
from app.services.coinglass.stream_parse import kind_of, parse_frame, read_refusal

TS_MS = 1_725_416_318_379
NOW_MS = TS_MS + 250
CONTRACT = Path(__file__).resolve().parents[4] / "shared" / "contracts" / "coinglass" / "websocket.json"
OLD = {
    "baseAsset": "BTC",
    "exName": "Binance",
    "price": 56738.0,
    "side": 2,
    "symbol": "BTCUSDT",
    "time": TS_MS,
    "volUsd": 3858.184,
}
NEW_NAMES = {"baseAsset": "base_asset", "exName": "exchange", "volUsd": "volume_usd"}
TRADES = "futures_trades@Binance_BTCUSDT@10000"
TICKER = "futures_ticker@Binance_BTCUSDT"


def row(**changes: Any) -> dict[str, Any]:
    return {**OLD, **changes}


def renamed(item: dict[str, Any]) -> dict[str, Any]:
    return {NEW_NAMES.get(name, name): value for name, value in item.items()}


def read(channel: str, *items: Any, now_ms: int = NOW_MS) -> StreamFrame:
    return parse_frame(json.dumps({"channel": channel, "data": list(items)}), now_ms)


def liquidations(*items: Any) -> StreamFrame:
    return read("liquidationOrders", *items)


def test_a_liquidation_keeps_every_fact_of_the_sample() -> None:
    frame = liquidations(OLD)
    (event,) = frame.liquidations
    assert event == ("BTC", "Binance", "BTCUSDT", "SHORT", 56738.0, 3858.184, 3858.184 / 56738.0, TS_MS)
    assert (frame.source, frame.ts_init_ms, frame.rejects) == ("coinglass", NOW_MS, {})


def test_code_1_is_a_liquidated_long_and_code_2_a_liquidated_short() -> None:
    frame = liquidations(row(side=1), row(side=2))
    assert [event.liquidated_side for event in frame.liquidations] == ["LONG", "SHORT"]


def test_code_1_of_a_trade_is_a_sale_and_code_2_a_purchase() -> None:
    frame = read(TRADES, row(side=1), row(side=2))
    assert [trade.is_buy for trade in frame.trades] == [False, True]
    assert frame.liquidations == ()


@pytest.mark.parametrize("channel", ["liquidationOrders", "liquidation_orders"])
def test_both_spellings_of_fields_are_read_in_both_channels(channel: str) -> None:
    assert read(channel, OLD).liquidations == read(channel, renamed(OLD)).liquidations != ()


def test_numbers_as_text_are_the_same_numbers() -> None:
    as_text = row(price="56738.0", volUsd="3858.184", side="2", time=str(TS_MS))
    assert liquidations(as_text).liquidations == liquidations(OLD).liquidations


def test_a_single_object_instead_of_a_list_is_read() -> None:
    frame = parse_frame(json.dumps({"channel": "liquidationOrders", "data": OLD}), NOW_MS)
    assert frame.liquidations == liquidations(OLD).liquidations


@pytest.mark.parametrize(
    ("base", "pair", "symbol", "multiplier"),
    [
        ("1000PEPE", "1000PEPEUSDT", "PEPE", 1000),
        ("PEPE", "1000PEPEUSDT", "PEPE", 1000),
        ("PEPE", "PEPE-USDT-SWAP", "PEPE", 1),
        ("SHIB1000", "SHIB1000USDT", "SHIB", 1000),
        ("1000000MOG", "1000000MOGUSDT", "MOG", 1_000_000),
        ("kPEPE", "kPEPE", "PEPE", 1000),
        ("KAVA", "KAVAUSDT", "KAVA", 1),
        ("1INCH", "1INCHUSDT", "1INCH", 1),
    ],
)
def test_prices_are_per_single_coin(base: str, pair: str, symbol: str, multiplier: int) -> None:
    item = row(baseAsset=base, symbol=pair, price=11.8, volUsd=1180.0)
    (event,) = liquidations(item).liquidations
    assert (event.symbol, event.pair) == (symbol, pair)
    assert event.price == pytest.approx(11.8 / multiplier)
    assert event.base == pytest.approx(100.0 * multiplier)  # 1,180 USD at 11.8 per contract are 100 contracts
    (trade,) = read(TRADES, item).trades
    assert (trade.symbol, trade.price) == (symbol, event.price)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"side": 3}, "bad_side"),
        ({"side": 0}, "bad_side"),
        ({"side": "long"}, "bad_side"),
        ({"side": True}, "bad_side"),
        ({"price": 0}, "bad_price"),
        ({"price": -1.0}, "bad_price"),
        ({"price": "nan"}, "bad_price"),
        ({"price": "inf"}, "bad_price"),
        ({"price": None}, "bad_number"),
        ({"price": "1e999"}, "bad_number"),
        ({"price": "12,5"}, "bad_number"),
        ({"volUsd": 0}, "bad_usd"),
        ({"volUsd": -5.0}, "bad_usd"),
        ({"volUsd": "-inf"}, "bad_usd"),
        ({"volUsd": 1e15}, "bad_usd"),
        ({"volUsd": {}}, "bad_number"),
        ({"time": TS_MS // 1000}, "bad_time"),  # seconds
        ({"time": TS_MS * 1000}, "bad_time"),  # microseconds
        ({"time": "2026-01-01"}, "bad_time"),
        ({"time": 10**30}, "bad_time"),
        ({"baseAsset": ""}, "unknown_shape"),
        ({"baseAsset": 5}, "unknown_shape"),
        ({"baseAsset": "<b>"}, "bad_symbol"),
        ({"baseAsset": "X" * 50}, "bad_symbol"),
        ({"baseAsset": "币安人生"}, "bad_symbol"),
        ({"exName": "Bin\nance"}, "bad_text"),
        ({"exName": "<script>"}, "bad_text"),
        ({"exName": "B" * 31}, "bad_text"),
        ({"symbol": "BTC\u0000USDT"}, "bad_text"),
        ({"symbol": "P" * 41}, "bad_text"),
    ],
)
def test_a_bad_event_costs_itself_and_is_counted_by_reason(changes: dict[str, Any], reason: str) -> None:
    for channel in ("liquidationOrders", TRADES):
        frame = read(channel, OLD, row(**changes), OLD)
        assert len(frame.liquidations) + len(frame.trades) == 2
        assert frame.rejects == {reason: 1}


def test_a_number_that_is_no_json_costs_its_own_event_only() -> None:
    frame = liquidations(row(price=float("nan")), OLD)
    assert (len(frame.liquidations), frame.rejects) == (1, {"bad_number": 1})


def test_an_exchange_is_spelled_as_the_lists_spell_it() -> None:
    assert liquidations(row(exName="BINANCE")).liquidations[0].exchange == "Binance"
    assert liquidations(row(exName="Newcomer")).liquidations[0].exchange == "Newcomer"


def ticker(**changes: Any) -> dict[str, Any]:
    stated = {"exchange": "Binance", "symbol": "BTCUSDT", "base_asset": "BTC", "price": 62850.45}
    return {**stated, "expiry_date": None, "update_time": "2026-04-29 08:20:00", **changes}


ARRIVED_MS = 1_777_450_803_000  # 2026-04-29 08:20:03 UTC


@pytest.mark.parametrize("stated", ["2026-04-29 08:20:00", "2026-04-29 16:20:00", "2026-04-29 03:20:00"])
def test_a_ticker_is_a_price_with_its_age_whatever_its_zone(stated: str) -> None:
    frame = read(TICKER, ticker(update_time=stated), now_ms=ARRIVED_MS)
    assert frame.ticks == (PriceTick("BTC", "Binance", 62850.45, ARRIVED_MS - 3000),)


def test_a_ticker_of_a_thousand_coins_is_priced_per_coin() -> None:
    item = ticker(symbol="1000PEPEUSDT", base_asset="1000PEPE", price=11.8)
    (tick,) = read("futures_ticker@Binance_1000PEPEUSDT", item, now_ms=ARRIVED_MS).ticks
    assert (tick.symbol, tick.price) == ("PEPE", pytest.approx(0.0118))


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"update_time": "2026-04-29 08:05:00"}, "bad_time"),  # a quarter of an hour old
        ({"update_time": None}, "bad_time"),
        ({"update_time": "yesterday"}, "bad_time"),
        ({"price": 0}, "bad_price"),
        ({"base_asset": "b t c"}, "bad_symbol"),
    ],
)
def test_a_stale_or_unreadable_ticker_is_no_price(changes: dict[str, Any], reason: str) -> None:
    frame = read(TICKER, ticker(**changes), now_ms=ARRIVED_MS)
    assert (frame.ticks, frame.rejects) == ((), {reason: 1})


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (b"", "not_json"),
        (b"\xff\xfe", "not_json"),
        (b"pong", "not_json"),
        (b'{"channel":"liquidationOrders","data":[{"pri', "not_json"),
        (b"[" * 200_000, "unknown_shape"),
        (b'{"channel":"x","data":' + b"[" * 200_000, "not_json"),
        (b"[]", "unknown_shape"),
        (b"{}", "unknown_shape"),
        (b'{"type":"liq","payload":[]}', "unknown_shape"),
        (b'{"channel":5,"data":[]}', "unknown_shape"),
        (b'{"channel":"liquidations","data":[]}', "unknown_channel"),
        (b'{"channel":"liquidationOrders"}', "unknown_shape"),
        (b'{"channel":"liquidationOrders","data":"x"}', "unknown_shape"),
        (b'{"channel":"liquidationOrders","data":[[1,2]]}', "unknown_shape"),
        (b'{"channel":"liquidationOrders","data":[{"px":1}]}', "unknown_shape"),
    ],
)
def test_a_frame_of_an_unknown_dialect_is_counted(raw: bytes, reason: str) -> None:
    frame = parse_frame(raw, NOW_MS)
    assert (frame.liquidations, frame.trades, frame.ticks) == ((), (), ())
    assert reason in frame.rejects


def test_a_notice_is_neither_event_nor_reject() -> None:
    frame = parse_frame(b'{"event":"subscribe","success":true}', NOW_MS)
    assert (frame.liquidations, frame.rejects) == ((), {})


@pytest.mark.parametrize(
    ("raw", "is_refusal"),
    [
        (b'{"code":"401","msg":"Upgrade plan"}', True),
        (b'{"code":403}', True),
        (b'{"code":"0","msg":"ok"}', False),
        (b'{"channel":"liquidationOrders","data":[],"code":401}', False),
        (b"pong", False),
    ],
)
def test_a_refusal_of_key_or_plan_is_recognised(raw: bytes, is_refusal: bool) -> None:
    assert read_refusal(raw) is is_refusal


def test_the_kind_of_a_frame_nothing_came_of_can_be_told() -> None:
    channels = ("liquidationOrders", "liquidation_orders", TRADES, TICKER, "orders_v9")
    kinds = [kind_of(json.dumps({"channel": channel, "data": [{}]})) for channel in channels]
    assert kinds == ["liquidations", "liquidations", "trades", "ticks", ""]
    assert kind_of(b"{") == kind_of(b"[]") == ""


VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=50),
    st.lists(st.integers(), max_size=2),
)
ROWS = st.dictionaries(st.sampled_from([*OLD, *NEW_NAMES.values(), "update_time", "other"]), VALUES)


@given(raw=st.one_of(st.binary(max_size=300), st.text(max_size=300)))
def test_arbitrary_bytes_never_raise_and_yield_nothing(raw: bytes | str) -> None:
    frame = parse_frame(raw, NOW_MS)
    assert (frame.liquidations, frame.trades, frame.ticks) == ((), (), ())
    read_refusal(raw)


@given(
    channel=st.sampled_from(["liquidationOrders", "liquidation_orders", TRADES, TICKER]),
    items=st.lists(st.one_of(ROWS, st.just(OLD), VALUES), max_size=6),
)
def test_every_event_is_read_or_counted(channel: str, items: list[Any]) -> None:
    frame = read(channel, *items)
    usable = len(frame.liquidations) + len(frame.trades) + len(frame.ticks)
    assert usable + sum(frame.rejects.values()) == len(items)
    for event in (*frame.liquidations, *frame.trades):
        assert 0 < event.price < float("inf")
        assert 0 < event.usd < float("inf")


@pytest.mark.skipif(not CONTRACT.is_file(), reason="the contracts folder beside the project is absent")
def test_the_documented_samples_are_read_whole() -> None:
    channels = {item["id"]: item for item in json.loads(CONTRACT.read_text("utf-8"))["channels"]}
    samples = channels["liquidation_orders"]
    for name in ("sample", "sample_new_spelling"):
        frame = parse_frame(json.dumps(samples[name]), NOW_MS)
        assert [event.liquidated_side for event in frame.liquidations] == ["SHORT"]
        assert frame.rejects == {}
    (trade,) = parse_frame(json.dumps(channels["futures_trades"]["sample"]), NOW_MS).trades
    assert (trade.is_buy, trade.usd) == (True, 3858.184)
    (tick,) = parse_frame(json.dumps(channels["futures_ticker"]["sample"]), ARRIVED_MS).ticks
    assert (tick.symbol, tick.price) == ("BTC", 62850.45)
