"""List answers become named figures; the total row is picked, sides keep their meaning."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from app.core.domain.market import MarketReading
from app.core.errors import ProviderBadPayload
from app.services.coinglass import figures, parse_events, parse_levels, parse_market
from app.services.coinglass.figures import Figures

Body = Callable[[str, str], bytes]

COINS = "futures_coins_markets"
PAIRS = "futures_pairs_markets"
LIST = "futures_liquidation_exchange_list"
FUNDING = "futures_funding_rate_exchange_list"
OPEN_INTEREST = "futures_open_interest_exchange_list"
HEATMAP = "futures_liquidation_aggregated_heatmap_model1"
MAP = "futures_liquidation_aggregated_map"
SUBSCRIPTION = "user_account_subscription"


def values(named: Figures) -> dict[tuple[str, str], float]:
    return {(item.name, item.unit): item.value for item in named}


class TestLiquidationExchangeList:
    @pytest.mark.parametrize("case", ["live", "documented"])
    def test_both_spellings_give_the_total_row_and_never_a_sum(self, body: Body, case: str) -> None:
        totals = parse_market.parse_liquidation_exchange_list(body(LIST, case), endpoint=LIST)
        assert values(figures.liquidation_figures(totals)) == {
            ("longLiquidations24hUsd", "usd"): 700.25,
            ("shortLiquidations24hUsd", "usd"): 300.25,
        }

    @pytest.mark.parametrize("case", ["without_all", "without_sides"])
    def test_no_total_or_no_sides_is_refused_instead_of_zero(self, body: Body, case: str) -> None:
        with pytest.raises(ProviderBadPayload):
            parse_market.parse_liquidation_exchange_list(body(LIST, case), endpoint=LIST)

    def test_no_rows_give_no_figures(self, body: Body) -> None:
        totals = parse_market.parse_liquidation_exchange_list(body(LIST, "empty"), endpoint=LIST)
        assert figures.liquidation_figures(totals) == ()


class TestCoinsMarkets:
    def test_percent_becomes_a_fraction_and_the_one_fraction_stays(self, body: Body) -> None:
        row = parse_market.parse_coins_markets(body(COINS, "normal"), endpoint=COINS)["BTC"]
        named = values(figures.coin_figures(row))
        assert named[("priceUsd", "usd")] == 121_500.5
        assert named[("priceChange24hFrac", "frac")] == pytest.approx(0.0106)
        assert named[("fundingRate8h", "frac_per_8h")] == pytest.approx(0.000066)
        assert named[("openInterestToMarketCapFrac", "frac")] == 0.0327

    def test_a_coin_with_few_figures_does_not_hide_the_others(self, body: Body) -> None:
        coins = parse_market.parse_coins_markets(body(COINS, "normal"), endpoint=COINS)
        assert values(figures.coin_figures(coins["ETH"])) == {("priceUsd", "usd"): 4400.25}
        assert len(coins) == 3

    def test_a_null_price_is_absent_and_not_zero(self, body: Body) -> None:
        coins = parse_market.parse_coins_markets(body(COINS, "null_price"), endpoint=COINS)
        assert ("priceUsd", "usd") not in values(figures.coin_figures(coins["BTC"]))
        assert parse_market.coin_market(coins["BTC"], "BTC", 1) is None

    def test_no_rows_give_no_coins(self, body: Body) -> None:
        assert parse_market.parse_coins_markets(body(COINS, "empty"), endpoint=COINS) == {}


class TestPairsMarkets:
    def test_every_priced_pair_is_listed_with_its_quote(self, body: Body) -> None:
        quotes = parse_market.parse_pairs_markets(body(PAIRS, "normal"), endpoint=PAIRS)
        assert [(quote.exchange, quote.quote) for quote in quotes] == [
            ("Gate", "USDT"),
            ("OKX", "USDT"),
            ("Binance", "USD"),
            ("Binance", "USDT"),
        ]

    def test_a_price_per_thousand_coins_is_divided(self, body: Body) -> None:
        (quote,) = parse_market.parse_pairs_markets(body(PAIRS, "per_thousand"), endpoint=PAIRS)
        assert quote.price_usd == pytest.approx(0.000012)

    @pytest.mark.parametrize(
        ("symbol", "instrument", "coin", "multiplier"),
        [
            ("SHIB1000/USDT", "SHIB1000USDT", "SHIB", 1000),
            ("SHIB1000/USDT", None, "SHIB", 1000),
            ("PEPE/USDT", "1000PEPEUSDT", "PEPE", 1000),
            ("kPEPE/USD", "kPEPE", "PEPE", 1000),
            ("PEPE/USD", "kPEPE", "PEPE", 1000),
            ("1MBABYDOGE/USDT", "1MBABYDOGEUSDT", "BABYDOGE", 1_000_000),
            ("1000000MOG/USDT", "1000000MOGUSDT", "MOG", 1_000_000),
            ("KAVA/USDT", "KAVAUSDT", "KAVA", 1),
            ("KAS/USDT", "KAS-USDT-SWAP", "KAS", 1),
        ],
    )
    def test_whatever_the_spelling_the_price_is_per_coin(
        self, symbol: str, instrument: str | None, coin: str, multiplier: int
    ) -> None:
        row = {"exchange_name": "X", "symbol": symbol, "instrument_id": instrument, "current_price": 3.0}
        body = json.dumps({"code": "0", "data": [row]}).encode()
        (quote,) = parse_market.parse_pairs_markets(body, endpoint=PAIRS, coins={coin})
        assert quote.price_usd == pytest.approx(3.0 / multiplier)

    @pytest.mark.parametrize("case", ["null_price", "empty"])
    def test_pairs_without_a_price_are_left_out(self, body: Body, case: str) -> None:
        assert parse_market.parse_pairs_markets(body(PAIRS, case), endpoint=PAIRS) == ()


def test_funding_by_exchange_is_shown_per_own_period_and_per_eight_hours(body: Body) -> None:
    coins = parse_market.parse_funding_exchange_list(body(FUNDING, "normal"), endpoint=FUNDING)
    assert values(figures.funding_figures(coins["BTC"])) == pytest.approx(
        {
            ("Binance.fundingRate8h", "frac_per_8h"): 0.0001,
            ("Bybit.fundingRate4h", "frac_per_4h"): 0.00005,
            ("Bybit.fundingRate8h", "frac_per_8h"): 0.0001,
            ("Binance.coinMarginedFundingRate8h", "frac_per_8h"): -0.00002,
        }
    )
    assert coins["ETH"] == ()


def test_open_interest_by_exchange_names_the_total(body: Body) -> None:
    venues = parse_market.parse_open_interest_exchange_list(
        body(OPEN_INTEREST, "normal"), endpoint=OPEN_INTEREST
    )
    named = values(figures.open_interest_figures(venues))
    assert named[("allExchanges.openInterestUsd", "usd")] == 9.0e10
    assert named[("allExchanges.openInterestChange24hFrac", "frac")] == pytest.approx(0.009)
    assert named[("Binance.openInterestUsd", "usd")] == 1.5e10
    assert [venue.is_total for venue in venues] == [True] + [False] * (len(venues) - 1)


def test_figures_per_thousand_coins_become_figures_per_coin() -> None:
    quoted = (
        MarketReading("priceUsd", 0.02, "usd"),
        MarketReading("openInterestBase", 5.0, "base"),
        MarketReading("openInterestUsd", 100.0, "usd"),
    )
    assert [item.value for item in figures.per_coin(quoted, 1000)] == [0.00002, 5000.0, 100.0]
    assert figures.per_coin(quoted, 1) == quoted


def test_an_exchange_that_comes_twice_is_named_once() -> None:
    row = {"exchange": "Binance", "open_interest_usd": 1.0}
    body = json.dumps({"code": "0", "data": [row, row]}).encode()
    assert len(parse_market.parse_open_interest_exchange_list(body, endpoint=OPEN_INTEREST)) == 1


def test_a_heatmap_of_endless_cells_is_refused() -> None:
    data = {"y_axis": [1.0], "liquidation_leverage_data": [[0, 0, 1]] * 200_001}
    body = json.dumps({"code": "0", "data": data}).encode()
    with pytest.raises(ProviderBadPayload, match="200001 rows"):
        parse_levels.parse_heatmap(body, endpoint=HEATMAP)


def test_heatmap_cells_beyond_the_price_axis_are_left_out(body: Body) -> None:
    heatmap = parse_levels.parse_heatmap(body(HEATMAP, "normal"), endpoint=HEATMAP)
    assert values(figures.heatmap_figures(heatmap.cells)) == {
        ("largestLevelPriceUsd", "usd"): 123_000,
        ("largestLevelSizeUsd", "usd"): 4_000_000,
        ("allLevelsSizeUsd", "usd"): 5_000_000.5,
        ("levels", "count"): 2,
    }


@pytest.mark.parametrize("case", ["documented", "live"])
def test_both_shapes_of_the_map_give_the_same_levels(body: Body, case: str) -> None:
    found = parse_levels.parse_liquidation_map(body(MAP, case), endpoint=MAP)
    named = values(figures.level_figures(found.levels))
    assert named[("largestLevelPriceUsd", "usd")] == 123_000
    assert named[("allLevelsSizeUsd", "usd")] == 4_000_000.5


def test_max_pain_is_found_by_coin(body: Body) -> None:
    endpoint = "futures_liquidation_max_pain"
    coins = parse_levels.parse_max_pain(body(endpoint, "normal"), endpoint=endpoint)
    assert values(coins["BTC"])[("longMaxPainPriceUsd", "usd")] == 123_400


@pytest.mark.parametrize(
    ("endpoint", "parse"),
    [
        ("hyperliquid_whale_alert", parse_events.parse_whale_alerts),
        ("hyperliquid_whale_position", parse_events.parse_whale_positions),
    ],
)
def test_the_sign_of_a_whale_position_is_its_side(
    body: Body, endpoint: str, parse: Callable[..., tuple[Any, ...]]
) -> None:
    rows = parse(body(endpoint, "normal"), endpoint=endpoint)

    def of(base: str) -> dict[tuple[str, str], float]:
        return values(figures.whale_figures([row for row in rows if row.base == base]))

    assert of("BTC") == {
        ("longPositions", "count"): 1,
        ("longPositionsUsd", "usd"): 1_210_000,
        ("shortPositions", "count"): 1,
        ("shortPositionsUsd", "usd"): 3_085_500,
    }
    assert of("ETH")[("longPositionsUsd", "usd")] == 0


def test_a_whale_without_a_size_is_refused_because_its_side_is_unknown(body: Body) -> None:
    endpoint = "hyperliquid_whale_position"
    with pytest.raises(ProviderBadPayload):
        parse_events.parse_whale_positions(body(endpoint, "without_size"), endpoint=endpoint)


@pytest.mark.parametrize(
    ("case", "level"),
    [("standard", "standard"), ("hobbyist", "hobbyist"), ("expired", None), ("unknown_level", "platinum")],
)
def test_the_plan_is_read_in_lower_case_and_a_lapsed_one_is_none(
    body: Body, case: str, level: str | None
) -> None:
    account = parse_market.parse_subscription(body(SUBSCRIPTION, case), endpoint=SUBSCRIPTION)
    assert account is not None
    assert account.plan == level


def test_the_end_of_a_plan_is_told_where_it_is_said(body: Body) -> None:
    told = parse_market.parse_subscription(body(SUBSCRIPTION, "standard"), endpoint=SUBSCRIPTION)
    silent = parse_market.parse_subscription(
        b'{"code":"0","data":{"level":"STARTUP","expire_time":0}}', endpoint=SUBSCRIPTION
    )
    assert told is not None
    assert told.ends_ms is not None
    assert silent == parse_market.Account("startup", False, None)
