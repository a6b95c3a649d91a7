"""Parameters of catalogue endpoints: what is wrong is said before anything is asked, with what to send."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.core.errors import InputError, InvalidParameter, PlanTooLow
from app.services.coinglass.catalog import ENDPOINTS, Plan
from app.services.coinglass.spelling import Held
from app.services.coinglass.validate import must_be_sent, validate
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


@pytest.mark.parametrize("text", ["4H", "4h", "H4", "h4"])
def test_a_bar_size_may_be_written_in_capitals(text: str) -> None:
    assert check(PRICE, None, **(PAIR | {"interval": text}))["interval"] == "4h"


@pytest.mark.parametrize("text", ["1M", "3M", "15M"])
def test_a_capital_m_is_a_month_elsewhere_and_never_becomes_minutes(text: str) -> None:
    with pytest.raises(InvalidParameter, match="one of 1m, 3m"):
        check(PRICE, None, **(PAIR | {"interval": text}))


def test_exchanges_are_spelt_as_the_provider_spells_them_and_named_once() -> None:
    given = COIN | {"exchange_list": "binance,%20OKX, okx ,hyperliquid".replace("%20", " ")}
    assert check(LIQUIDATIONS, None, **given)["exchange_list"] == "Binance,OKX,Hyperliquid"
    assert check(PRICE, None, **(PAIR | {"exchange": "bYBit"}))["exchange"] == "Bybit"
    volume = "futures_volume_footprint_history"
    assert check(volume, None, **(PAIR | {"exchange": "okx", "limit": "5"}))["exchange"] == "OKX"


def test_an_exchange_nobody_lists_is_refused_with_those_there_are() -> None:
    with pytest.raises(InvalidParameter, match=r"'Foo'; there are .*Binance.*OKX"):
        check(LIQUIDATIONS, None, **(COIN | {"exchange_list": "Binance,Foo"}))
    with pytest.raises(InvalidParameter, match="no exchange is called"):
        check(PRICE, None, **(PAIR | {"exchange": "Foo"}))


def test_an_exchange_of_the_held_list_is_known() -> None:
    sent = validate(
        ENDPOINTS[LIQUIDATIONS],
        COIN | {"exchange_list": "newdex"},
        None,
        Held(exchanges=frozenset({"NewDex"})),
    )
    assert sent["exchange_list"] == "NewDex"


def test_all_exchanges_may_be_asked_where_the_page_says_so() -> None:
    book = "futures_orderbook_aggregated_ask_bids_history"
    assert check(book, None, **(COIN | {"exchange_list": "all"}))["exchange_list"] == "ALL"
    with pytest.raises(InvalidParameter):
        check(LIQUIDATIONS, None, **(COIN | {"exchange_list": "all"}))


def test_symbols_are_written_in_capitals_save_where_a_small_letter_belongs_to_the_name() -> None:
    assert check(LIQUIDATIONS, None, **(COIN | {"symbol": "btc"}))["symbol"] == "BTC"
    assert check(PRICE, None, **(PAIR | {"symbol": "btcusdt"}))["symbol"] == "BTCUSDT"
    hyper = PAIR | {"exchange": "Hyperliquid", "symbol": "kPEPE"}
    assert check(PRICE, None, **hyper)["symbol"] == "kPEPE"


def test_a_listed_coin_where_a_pair_belongs_is_refused_with_its_pair() -> None:
    held = Held(coins=frozenset({"PEPE"}))
    given = PAIR | {"symbol": "pepe"}
    with pytest.raises(InvalidParameter, match="send exchange=Binance&symbol=PEPEUSDT"):
        validate(ENDPOINTS[PRICE], given, None, held)
    on_hyperliquid = given | {"exchange": "hyperliquid"}
    assert validate(ENDPOINTS[PRICE], on_hyperliquid, None, held)["symbol"] == "PEPE"


def test_a_pair_the_exchange_lists_is_spelt_as_listed_also_where_it_looks_like_a_coin() -> None:
    held = Held(
        coins=frozenset({"PEPE"}),
        pairs={("Binance", "pepe"): "PEPE", ("Hyperliquid", "kpepe"): "kPEPE"},
    )
    for exchange, text, pair in (("binance", "pepe", "PEPE"), ("hyperliquid", "KPEPE", "kPEPE")):
        given = PAIR | {"exchange": exchange, "symbol": text}
        assert validate(ENDPOINTS[PRICE], given, None, held)["symbol"] == pair


def test_a_window_that_ends_before_it_starts_is_refused() -> None:
    times = {"start_time": "1749637000000", "end_time": "1749500000000"}
    with pytest.raises(InvalidParameter, match="not after end_time"):
        check(PRICE, None, **(PAIR | times))


@pytest.mark.parametrize(
    "endpoint",
    sorted(id_ for id_, row in ROWS.items() if any(p["name"] == "per_page" for p in row["params"])),
)
def test_pages_hold_at_least_one_row(endpoint: str) -> None:
    with pytest.raises(InvalidParameter, match=r"whole number (from )?1"):
        check(endpoint, None, **(good_params(ROWS[endpoint]) | {"per_page": "0"}))


@pytest.mark.parametrize("endpoint", ["option_exchange_oi_history", "option_exchange_vol_history"])
def test_the_unit_of_options_is_usd_or_their_coin(endpoint: str) -> None:
    given = good_params(ROWS[endpoint])
    assert check(endpoint, None, **(given | {"unit": "usd"}))["unit"] == "USD"
    assert check(endpoint, None, **(given | {"unit": "btc"}))["unit"] == "BTC"
    for wrong in ("coin", "ETH"):
        with pytest.raises(InvalidParameter, match="send unit=USD or unit=BTC"):
            check(endpoint, None, **(given | {"unit": wrong}))


def test_everything_that_is_missing_is_named_at_once_with_a_query_that_works() -> None:
    with pytest.raises(InvalidParameter) as caught:
        check(PRICE)
    assert "exchange=Binance&symbol=BTCUSDT&interval=4h" in str(caught.value)
    query = str(caught.value).split("send ")[1]
    assert check(PRICE, None, **dict(part.split("=") for part in query.split("&")))


@pytest.mark.parametrize("endpoint", sorted(ROWS))
def test_what_a_hint_says_is_accepted(endpoint: str) -> None:
    if not any(must_be_sent(p) for p in ENDPOINTS[endpoint].params):
        return
    with pytest.raises(InvalidParameter) as caught:
        check(endpoint)
    query = str(caught.value).split("send ")[1]
    assert check(endpoint, None, **dict(part.split("=") for part in query.split("&")))


def test_a_number_of_rows_with_a_default_need_not_be_sent() -> None:
    given = {name: value for name, value in PAIR.items() if name != "limit"}
    assert check("futures_price_history", None, **given)["limit"] == 1000


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


@settings(max_examples=300)
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
