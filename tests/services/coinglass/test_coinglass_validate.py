"""Parameters of catalogue endpoints: what is wrong is said before anything is asked, with what to send."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.core.errors import InputError, InvalidParameter, PlanTooLow
from app.services.coinglass.catalog import ENDPOINTS, Plan
from app.services.coinglass.validate import validate
from tests.coinglass_requests import good_params, read_rows

ROWS = {row["id"]: row for row in read_rows()}
LIQUIDATIONS = "futures_liquidation_aggregated_history"
PRICE = "futures_price_history"
COIN = {"exchange_list": "Binance", "symbol": "BTC", "interval": "4h"}
PAIR = {"exchange": "Binance", "symbol": "BTCUSDT", "interval": "4h", "limit": "10"}


def check(endpoint: str, plan: Plan | None = None, /, **given: str) -> dict[str, str | int]:
    return validate(ENDPOINTS[endpoint], given, plan)


@pytest.mark.parametrize("endpoint", sorted(ROWS))
@pytest.mark.parametrize("required_only", [True, False])
def test_good_parameters_pass_for_every_endpoint(endpoint: str, required_only: bool) -> None:
    given = good_params(ROWS[endpoint], required_only=required_only)
    sent = check(endpoint, None, **given)
    assert {name: str(value) for name, value in sent.items()} == given


def test_a_missing_list_of_exchanges_is_named_with_what_to_send() -> None:
    with pytest.raises(InvalidParameter, match="exchange_list=Binance,OKX,Bybit"):
        check(LIQUIDATIONS, None, symbol="BTC", interval="4h")


@pytest.mark.parametrize("pair", ["BTCUSDT", "BTC-USDT-SWAP", "BTC_USDT", "ethusdc"])
def test_a_pair_where_a_coin_belongs_is_refused(pair: str) -> None:
    with pytest.raises(InvalidParameter, match="send symbol=BTC"):
        check(LIQUIDATIONS, None, **(COIN | {"symbol": pair}))


@pytest.mark.parametrize("coin", ["FDUSD", "1000PEPE", "BTC", "USDT(ETH)"])
def test_coins_that_look_like_pairs_are_coins(coin: str) -> None:
    assert check(LIQUIDATIONS, None, **(COIN | {"symbol": coin}))["symbol"] == coin


def test_a_coin_where_a_pair_belongs_is_refused() -> None:
    with pytest.raises(InvalidParameter, match="exchange=Binance&symbol=BTCUSDT"):
        check(PRICE, None, **(PAIR | {"symbol": "BTC"}))


@pytest.mark.parametrize(
    ("old", "new"), [("h4", "4h"), ("H1", "1h"), ("d1", "1d"), ("m15", "15m"), ("w1", "1w")]
)
def test_old_spellings_of_intervals_are_translated(old: str, new: str) -> None:
    assert check(PRICE, None, **(PAIR | {"interval": old}))["interval"] == new


def test_an_unknown_parameter_is_refused_with_those_there_are() -> None:
    with pytest.raises(InvalidParameter, match="takes exchange, symbol, interval"):
        check(PRICE, None, **(PAIR | {"intervall": "1h"}))


def test_seconds_where_milliseconds_belong_are_refused() -> None:
    with pytest.raises(InvalidParameter, match="milliseconds"):
        check(PRICE, None, **(PAIR | {"start_time": "1735689600"}))


@pytest.mark.parametrize("limit", ["0", "1001", "x", "-1", "1.5", "٣"])
def test_a_limit_outside_its_bounds_is_refused(limit: str) -> None:
    with pytest.raises(InvalidParameter):
        check("futures_funding_rate_history", None, **(PAIR | {"limit": limit}))


def test_a_plan_without_the_endpoint_names_the_plan_with_it() -> None:
    with pytest.raises(PlanTooLow, match="professional") as caught:
        check("futures_liquidation_aggregated_map", Plan.STANDARD, symbol="BTC", range="1d")
    assert (caught.value.code, caught.value.http_status, caught.value.needed) == (
        "plan_too_low",
        400,
        "professional",
    )


def test_a_bar_below_the_floor_names_the_plan_that_has_it() -> None:
    with pytest.raises(PlanTooLow, match=r"1h bars.*hobbyist.*startup"):
        check(PRICE, Plan.HOBBYIST, **(PAIR | {"interval": "1h"}))
    assert check(PRICE, Plan.HOBBYIST, **PAIR)["interval"] == "4h"


def test_an_unknown_plan_may_try() -> None:
    assert check(PRICE, None, **(PAIR | {"interval": "1m"}))["interval"] == "1m"


@settings(max_examples=300, deadline=None)
@given(
    endpoint=st.sampled_from(sorted(ROWS)),
    names=st.lists(
        st.one_of(st.sampled_from(["symbol", "exchange", "interval", "limit", "range"]), st.text())
    ),
    texts=st.lists(st.text(max_size=200)),
    plan=st.sampled_from([None, *Plan]),
)
def test_whatever_is_given_only_listed_harmless_values_pass(
    endpoint: str, names: list[str], texts: list[str], plan: Plan | None
) -> None:
    given = good_params(ROWS[endpoint]) | dict(zip(names, texts, strict=False))
    try:
        sent = validate(ENDPOINTS[endpoint], given, plan)
    except InputError:
        return
    assert set(sent) <= {parameter.name for parameter in ENDPOINTS[endpoint].params}
    assert all(not set(str(value)) & set("/?&#%\\\r\n\x00'\"<>") for value in sent.values())
