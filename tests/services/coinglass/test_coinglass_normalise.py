"""Any answer in one spelling: units in names, numbers as numbers, times twice, codes as words."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.core.errors import ProviderBadPayload
from app.services.coinglass.catalog import ENDPOINTS
from app.services.coinglass.normalise import normalise, read_data
from app.services.coinglass.unit_names import unit_name


def normal(endpoint: str, data: Any, unit: str = "usd") -> Any:
    return normalise(data, ENDPOINTS[endpoint].answer, endpoint=endpoint, unit=unit)


def numbers_in(node: Any) -> Iterator[float]:
    if isinstance(node, dict | list):
        for item in node.values() if isinstance(node, dict) else node:
            yield from numbers_in(item)
    elif isinstance(node, int | float) and not isinstance(node, bool):
        yield float(node)


@pytest.mark.parametrize(
    ("key", "kind", "name"),
    [
        ("price_change_percent_24h", "pct", "priceChange24hPct"),
        ("open_interest_market_cap_ratio", "frac", "openInterestMarketCapRatioFrac"),
        ("funding_rate_interval", "hours", "fundingRateIntervalH"),
        ("long_liquidation_usd_24h", "usd", "longLiquidation24hUsd"),
        ("longLiquidation_usd", "usd", "longLiquidationUsd"),
        ("open_interest_volume_radio", "ratio", "openInterestVolumeRatio"),
        ("ydt_change_percent", "pct", "ytdChangePct"),
        ("holdings_amount_change1d", "base", "holdingsAmountChange1dBase"),
        ("close", "price#", "closeUsd"),
        ("side", "code:liquidated_side", "liquidatedSide"),
    ],
)
def test_a_name_ends_in_its_unit_and_is_spelt_right(key: str, kind: str, name: str) -> None:
    assert unit_name(key, kind, "usd") == name


def test_the_unit_asked_for_is_the_unit_of_open_interest() -> None:
    row = {"time": 1_760_000_400_000, "open": "1", "high": "2", "low": "1", "close": "2"}
    endpoint = "futures_open_interest_aggregated_history"
    assert normal(endpoint, [row])[0]["closeUsd"] == 2.0
    assert normal(endpoint, [row], unit="coin")[0]["closeBase"] == 2.0


@pytest.mark.parametrize("market", ["futures", "spot"])
def test_taker_volume_asked_for_in_coins_is_not_called_usd(market: str) -> None:
    row = {
        "time": 1_760_000_400_000,
        "aggregated_buy_volume_usd": 10.5,
        "aggregated_sell_volume_usd": 9.5,
    }
    endpoint = f"{market}_aggregated_taker_buy_sell_volume_history"
    (in_usd,) = normal(endpoint, [row])
    (in_coins,) = normal(endpoint, [row], unit="coin")
    assert (in_usd["aggregatedBuyVolumeUsd"], in_usd["aggregatedSellVolumeUsd"]) == (10.5, 9.5)
    assert (in_coins["aggregatedBuyVolumeBase"], in_coins["aggregatedSellVolumeBase"]) == (10.5, 9.5)
    assert not [name for name in in_coins if "Usd" in name]


@pytest.mark.parametrize("endpoint", ["option_exchange_oi_history", "option_exchange_vol_history"])
@pytest.mark.parametrize(
    ("unit", "name"), [("USD", "valuesUsd"), ("usd", "valuesUsd"), ("BTC", "valuesBase")]
)
def test_options_in_the_coin_they_were_asked_for_are_in_coins(endpoint: str, unit: str, name: str) -> None:
    data = [{"time_list": [1_760_000_400_000], "price_list": [1.0], "data_map": {"Deribit": [5.0]}}]
    (found,) = normal(endpoint, data, unit=unit)
    assert found["dataMap"] == [{"exchange": "Deribit", name: [5.0]}]


def test_balances_of_exchanges_are_coins() -> None:
    data = [{"time_list": [1_691_460_000_000], "price_list": [29140.9], "data_map": {"gate": [23412.723]}}]
    (found,) = normal("exchange_balance_chart", data)
    assert found["dataMap"] == [{"exchange": "gate", "valuesBase": [23412.723]}]


def test_money_supply_growth_is_a_fraction_in_the_us_and_percent_worldwide() -> None:
    (us,) = normal("index_bitcoin_vs_us_m2_growth", [{"us_m2_yoy_growth": 0.042}])
    (world,) = normal("index_bitcoin_vs_global_m2_growth", [{"global_m2_yoy_growth": 5.5}])
    assert us == {"usM2YoyGrowthFrac": 0.042}
    assert world == {"globalM2YoyGrowthPct": 5.5}


@pytest.mark.parametrize(("text", "value"), [("1494442737.22", 1494442737.22), ("", None)])
def test_assets_under_management_are_a_number_in_usd(text: str, value: float | None) -> None:
    assert normal("etf_ethereum_list", [{"aum": text}]) == [{"aumUsd": value}]


def test_percent_stays_percent_and_text_becomes_a_number() -> None:
    row = {"time": 1_760_000_400_000, "open": "0.0066", "high": "0.01", "low": "-0.001", "close": "0.0066"}
    (found,) = normal("futures_funding_rate_oi_weight_history", [row])
    assert found["closePct"] == 0.0066
    assert found["time"] == "2025-10-09T09:00:00.000Z"
    assert found["timeMs"] == 1_760_000_400_000


@pytest.mark.parametrize("time", [1_760_000_400, 1_760_000_400_000, 1_760_000_400_000_000_000])
def test_seconds_milliseconds_and_nanoseconds_are_told_apart(time: int) -> None:
    (found,) = normal("coinbase_premium_index", [{"time": time, "premium": 5.5, "premium_rate": 0.026}])
    assert found["timeMs"] == 1_760_000_400_000
    assert (found["premiumUsd"], found["premiumRatePct"]) == (5.5, 0.026)


@pytest.mark.parametrize(("code", "side"), [(1, "LONG"), (2, "SHORT")])
def test_a_liquidated_side_is_a_word_and_mirrors(code: int, side: str) -> None:
    row = {
        "exchange_name": "BINANCE",
        "symbol": "BTCUSDT",
        "base_asset": "BTC",
        "price": 1.0,
        "usd_value": 2.0,
    }
    (found,) = normal("futures_liquidation_order", [row | {"side": code, "time": 1_760_000_400_000}])
    assert found["liquidatedSide"] == side


@pytest.mark.parametrize("code", [0, 3, "x", None, True])
def test_a_side_in_no_table_is_refused(code: Any) -> None:
    if code is None:
        assert normal("futures_liquidation_order", [{"side": None}])[0]["liquidatedSide"] is None
        return
    with pytest.raises(ProviderBadPayload):
        normal("futures_liquidation_order", [{"side": code}])


@pytest.mark.parametrize(("size", "side"), [(10.5, "LONG"), (-10.5, "SHORT"), (0, None)])
def test_the_sign_of_a_size_is_told_as_a_side(size: float, side: str | None) -> None:
    (found,) = normal("hyperliquid_whale_position", [{"symbol": "BTC", "position_size": size}])
    assert (found["positionSizeBase"], found["side"]) == (size, side)


def test_large_orders_are_sold_at_one_and_bought_at_two() -> None:
    sides = [
        normal("futures_orderbook_large_limit_order", [{"order_side": n}])[0]["orderSide"] for n in (1, 2)
    ]
    assert sides == ["sell", "buy"]


@pytest.mark.parametrize("shape", ["documented", "live"])
def test_fear_and_greed_in_both_shapes_is_one(shape: str) -> None:
    lists = {
        "data_list": [30, 40],
        "price_list": [6000.5, None],
        "time_list": [1_517_443_200_000, 1_517_529_600_000],
    }
    (found,) = normal("index_fear_greed_history", lists if shape == "live" else [lists])
    assert found["dataListScore"] == [30, 40]
    assert found["priceListUsd"] == [6000.5, None]
    assert found["timeList"][0] == "2018-02-01T00:00:00.000Z"


def test_both_shapes_of_the_liquidation_map_are_one() -> None:
    rows = {"48935": [[48935, 1579370.77, None, None]]}
    documented = normal("futures_liquidation_aggregated_map", {"data": rows})
    live = normal(
        "futures_liquidation_aggregated_map",
        {"data": [{"liqMapV2": rows, "instrument": {"exName": "Binance"}}], "last_price": 77860},
    )
    assert documented["data"] == live["data"]
    assert live["data"][0] | {"unused": None} == {
        "priceUsd": 48935,
        "sizeUsd": 1579370.77,
        "leverage": None,
        "unused": None,
    }
    assert live["lastPriceUsd"] == 77860


def test_names_of_exchanges_as_keys_become_rows() -> None:
    data = {"Binance": [{"instrument_id": "BTCUSDT", "base_asset": "BTC", "quote_asset": "USDT"}]}
    (row,) = normal("futures_supported_exchange_pairs", data)
    assert (row["exchange"], row["instrumentId"]) == ("Binance", "BTCUSDT")


@pytest.mark.parametrize("value", ["x", "NaN", "1e999", True, [1], {"a": 1}])
def test_a_number_that_is_none_is_refused(value: Any) -> None:
    with pytest.raises(ProviderBadPayload):
        normal("futures_exchange_rank", [{"exchange": "Binance", "open_interest_usd": value}])


def test_absent_empty_and_null_are_null_and_never_zero() -> None:
    rows = normal("futures_exchange_rank", [{"open_interest_usd": None, "volume_usd": ""}])
    assert rows == [{"openInterestUsd": None, "volumeUsd": None}]


def test_what_the_catalogue_does_not_know_is_kept_apart_and_harmless() -> None:
    (row,) = normal("futures_exchange_rank", [{"exchange": "A\x00\u202eB", "new_field": "x" * 5_000, "n": 1}])
    assert row["exchange"] == "A B"
    assert row["other"] == {"newField": "x" * 2_000, "n": 1}


@pytest.mark.parametrize("endpoint", sorted(ENDPOINTS))
def test_every_documented_sample_is_finite_and_keeps_nothing_unknown(contracts: Path, endpoint: str) -> None:
    body = (contracts / "samples" / f"{endpoint}.json").read_bytes()
    found = normal(endpoint, read_data(body, endpoint))
    assert found
    assert all(math.isfinite(number) for number in numbers_in(found))
    assert '"other"' not in json.dumps(found)


anything = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(-(10**20), 10**20),
        st.floats(allow_nan=False, allow_infinity=False),
        st.text(max_size=12),
        st.sampled_from(["1", "-0.5", "NaN", "1e999", ""]),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.dictionaries(
            st.sampled_from(
                ["time", "close", "data", "symbol", "side", "list", "position_size", "x", "y_axis"]
            ),
            inner,
            max_size=4,
        ),
    ),
    max_leaves=20,
)


@pytest.mark.parametrize("rows", [[{"a": 1}, None], [None, {"a": 1}]])
def test_a_row_that_is_none_beside_others_is_left_out(rows: list[Any]) -> None:
    found = normalise({"Binance": rows}, {"<exchange>": [{"a": "number"}]}, endpoint="any", unit="")
    assert found == [{"exchange": "Binance", "a": 1}]


@settings(max_examples=300)
@given(endpoint=st.sampled_from(sorted(ENDPOINTS)), data=anything)
def test_whatever_comes_is_finite_or_refused(endpoint: str, data: Any) -> None:
    try:
        read = read_data(json.dumps({"code": "0", "data": data}).encode(), endpoint)
        found = normal(endpoint, read)
    except ProviderBadPayload:
        return
    assert all(math.isfinite(number) for number in numbers_in(found))
