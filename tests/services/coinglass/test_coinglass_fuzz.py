"""Whatever the bytes: a parser answers finite numbers in order, or raises a provider error."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Callable
from functools import partial
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.core.domain.derivatives import OpenInterestHistory
from app.core.domain.market import HOUR_MS, Candles, LiquidationHistory, Series, Unit
from app.core.errors import ProviderError
from app.services.coinglass import pairs, parse, parse_events, parse_levels, parse_market
from app.services.coinglass.client import check_envelope
from app.services.transport.records import Answer

HISTORIES: tuple[Callable[..., Series | Candles | LiquidationHistory | OpenInterestHistory], ...] = (
    partial(parse.parse_open_interest, interval_ms=HOUR_MS, unit=Unit.USD),
    partial(parse.parse_funding, interval_ms=HOUR_MS),
    partial(parse.parse_liquidations, interval_ms=HOUR_MS, scope="x"),
    partial(parse.parse_taker_volume, interval_ms=HOUR_MS),
    partial(parse.parse_long_share, interval_ms=HOUR_MS, side="global_account", label="x"),
    partial(parse.parse_candles, interval_ms=HOUR_MS, exchange="x", multiplier=1000),
    parse.parse_fear_greed,
)
LISTS: tuple[Callable[..., Any], ...] = (
    parse_market.parse_coins_markets,
    parse_market.parse_pairs_markets,
    parse_market.parse_liquidation_exchange_list,
    parse_market.parse_funding_exchange_list,
    parse_market.parse_open_interest_exchange_list,
    parse_levels.parse_heatmap,
    parse_levels.parse_liquidation_map,
    parse_levels.parse_max_pain,
    parse_events.parse_whale_alerts,
    parse_events.parse_whale_positions,
    parse_events.parse_liquidation_orders,
    partial(parse.parse_pair_taker, interval_ms=HOUR_MS),
    parse_market.parse_subscription,
    pairs.parse_pairs,
    pairs.parse_coins,
)

numbers = st.one_of(
    st.floats(),
    st.integers(-10, 10**19),
    st.sampled_from(["1", "-0.5", "NaN", "Infinity", "1e308", "", "0", "x", None, True, 1e308, 5e-324]),
)
KEYS = [
    "time",
    "open",
    "high",
    "low",
    "close",
    "volume_usd",
    "aggregated_long_liquidation_usd",
    "aggregated_short_liquidation_usd",
    "aggregated_buy_volume_usd",
    "aggregated_sell_volume_usd",
    "taker_buy_volume_usd",
    "taker_sell_volume_usd",
    "global_account_long_percent",
    "global_account_long_short_ratio",
    "current_price",
    "liquidation_usd",
    "longLiquidation_usd",
    "shortLiquidation_usd",
    "funding_rate",
    "funding_rate_interval",
    "open_interest_usd",
    "position_size",
    "position_value_usd",
    "price",
    "long_max_pain_liq_price",
]
NAMES = {"symbol": "BTC/USDT", "exchange": "All", "exchange_name": "x", "instrument_id": "1000BTCUSDT"}
rows = st.lists(st.fixed_dictionaries({}, optional=dict.fromkeys(KEYS, numbers)), max_size=6).map(
    lambda items: [{**NAMES, **item} for item in items]
)
plausible_rows = st.lists(
    st.fixed_dictionaries(
        dict.fromkeys(KEYS, st.floats(min_value=1e-9, max_value=99.0).map(lambda x: x if x != 50 else "50"))
    ).flatmap(lambda row: st.integers(10**12, 2 * 10**12).map(lambda time: {**NAMES, **row, "time": time})),
    max_size=5,
)
lists = st.fixed_dictionaries(
    {},
    optional={
        "data_list": st.lists(numbers, max_size=4),
        "time_list": st.lists(numbers, max_size=4),
        "y_axis": st.lists(numbers, max_size=4),
        "liquidation_leverage_data": st.lists(st.lists(numbers, max_size=4), max_size=4),
        "data": st.dictionaries(st.text(max_size=3), st.lists(st.lists(numbers, max_size=4), max_size=2)),
        "level": st.text(max_size=12),
        "Binance": rows,
    },
)
payloads = st.one_of(rows, plausible_rows, lists, st.lists(lists, max_size=2), st.none(), numbers)
bodies = st.one_of(
    st.binary(max_size=200),
    payloads.map(lambda data: json.dumps({"code": "0", "data": data}).encode()),
    st.integers(1, 3000).map(lambda depth: b'{"data":' + b"[" * depth),
)


def assert_sound(value: Series | Candles | LiquidationHistory | OpenInterestHistory) -> None:
    times = value.close_ms
    assert all(earlier < later for earlier, later in pairwise(times))
    columns: list[tuple[float, ...]] = []
    if isinstance(value, Series):
        columns = [value.values]
    elif isinstance(value, LiquidationHistory):
        columns = [value.long_usd, value.short_usd]
    elif isinstance(value, OpenInterestHistory):
        columns = [value.open or (), value.high or (), value.low or (), value.close]
    else:
        columns = [value.open, value.high, value.low, value.close, value.volume_base or ()]
        assert all(price > 0 for price in value.close)
    assert all(math.isfinite(item) for column in columns for item in column)


def numbers_in(value: Any) -> list[float]:
    if isinstance(value, bool) or value is None:
        return []
    if isinstance(value, int | float):
        return [float(value)]
    if isinstance(value, dict):
        return [number for item in value.values() for number in numbers_in(item)]
    if isinstance(value, list | tuple):
        return [number for item in value for number in numbers_in(item)]
    if dataclasses.is_dataclass(value):
        return [
            number for field in dataclasses.fields(value) for number in numbers_in(getattr(value, field.name))
        ]
    return []


@pytest.mark.parametrize("parser", HISTORIES)
@settings(max_examples=120)
@given(body=bodies)
def test_a_history_is_finite_and_in_order_or_refused(parser: Callable[..., Any], body: bytes) -> None:
    try:
        value = parser(body, endpoint="any")
    except ProviderError:
        return
    assert_sound(value)


@pytest.mark.parametrize("parser", LISTS)
@settings(max_examples=80)
@given(body=bodies)
def test_a_list_has_only_finite_figures_or_is_refused(parser: Callable[..., Any], body: bytes) -> None:
    try:
        value = parser(body, endpoint="any")
    except ProviderError:
        return
    assert all(math.isfinite(number) for number in numbers_in(value))


@settings(max_examples=200)
@given(body=bodies, status=st.sampled_from([200, 200, 400, 401, 403, 404, 429, 500, 599, 302]))
def test_the_envelope_check_raises_nothing_but_provider_errors(body: bytes, status: int) -> None:
    try:
        check_envelope("any", Answer(status, {}, body, 1.0))
    except ProviderError:
        return
    assert status == 200
