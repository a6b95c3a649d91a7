"""List answers become named figures; the total row is picked, sides keep their meaning."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from app.core.errors import ProviderBadPayload
from app.services.coinglass import parse_market
from app.services.coinglass.parse_market import Figures

Body = Callable[[str, str], bytes]

COINS = "futures_coins_markets"
PAIRS = "futures_pairs_markets"
LIST = "futures_liquidation_exchange_list"
FUNDING = "futures_funding_rate_exchange_list"
OPEN_INTEREST = "futures_open_interest_exchange_list"
HEATMAP = "futures_liquidation_aggregated_heatmap_model1"
MAP = "futures_liquidation_aggregated_map"
SUBSCRIPTION = "user_account_subscription"


def values(figures: Figures) -> dict[tuple[str, str], float]:
    return {(item.name, item.unit): item.value for item in figures}


class TestLiquidationExchangeList:
    @pytest.mark.parametrize("case", ["live", "documented"])
    def test_both_spellings_give_the_total_row_and_never_a_sum(self, body: Body, case: str) -> None:
        figures = values(parse_market.parse_liquidation_exchange_list(body(LIST, case), endpoint=LIST))
        assert figures == {("long liquidations", "usd"): 700.25, ("short liquidations", "usd"): 300.25}

    @pytest.mark.parametrize("case", ["without_all", "without_sides"])
    def test_no_total_or_no_sides_is_refused_instead_of_zero(self, body: Body, case: str) -> None:
        with pytest.raises(ProviderBadPayload):
            parse_market.parse_liquidation_exchange_list(body(LIST, case), endpoint=LIST)

    def test_no_rows_give_no_figures(self, body: Body) -> None:
        assert parse_market.parse_liquidation_exchange_list(body(LIST, "empty"), endpoint=LIST) == ()


class TestCoinsMarkets:
    def test_percent_becomes_a_fraction_and_the_one_fraction_stays(self, body: Body) -> None:
        figures = values(parse_market.parse_coins_markets(body(COINS, "normal"), endpoint=COINS)["BTC"])
        assert figures[("price", "usd")] == 121_500.5
        assert figures[("price change 24h", "frac")] == pytest.approx(0.0106)
        assert figures[("funding, OI-weighted", "frac_per_8h")] == pytest.approx(0.000066)
        assert figures[("open interest to market cap", "frac")] == 0.0327

    def test_a_coin_with_few_figures_does_not_hide_the_others(self, body: Body) -> None:
        coins = parse_market.parse_coins_markets(body(COINS, "normal"), endpoint=COINS)
        assert values(coins["ETH"]) == {("price", "usd"): 4400.25}
        assert len(coins) == 3

    def test_a_null_price_is_absent_and_not_zero(self, body: Body) -> None:
        coins = parse_market.parse_coins_markets(body(COINS, "null_price"), endpoint=COINS)
        assert ("price", "usd") not in values(coins["BTC"])

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

    @pytest.mark.parametrize("case", ["null_price", "empty"])
    def test_pairs_without_a_price_are_left_out(self, body: Body, case: str) -> None:
        assert parse_market.parse_pairs_markets(body(PAIRS, case), endpoint=PAIRS) == ()


def test_funding_by_exchange_is_shown_per_own_period_and_per_eight_hours(body: Body) -> None:
    coins = parse_market.parse_funding_exchange_list(body(FUNDING, "normal"), endpoint=FUNDING)
    assert values(coins["BTC"]) == pytest.approx(
        {
            ("Binance", "frac_per_8h"): 0.0001,
            ("Bybit", "frac_per_4h"): 0.00005,
            ("Bybit", "frac_per_8h"): 0.0001,
            ("Binance coin-margined", "frac_per_8h"): -0.00002,
        }
    )
    assert coins["ETH"] == ()


def test_open_interest_by_exchange_names_the_total(body: Body) -> None:
    figures = values(
        parse_market.parse_open_interest_exchange_list(body(OPEN_INTEREST, "normal"), endpoint=OPEN_INTEREST)
    )
    assert figures[("All exchanges", "usd")] == 9.0e10
    assert figures[("All exchanges change 24h", "frac")] == pytest.approx(0.009)
    assert figures[("Binance", "usd")] == 1.5e10


def test_heatmap_cells_beyond_the_price_axis_are_left_out(body: Body) -> None:
    figures = values(parse_market.parse_heatmap(body(HEATMAP, "normal"), endpoint=HEATMAP))
    assert figures == {
        ("largest level price", "usd"): 123_000,
        ("largest level size", "usd"): 4_000_000,
        ("all levels size", "usd"): 5_000_000.5,
        ("levels", "count"): 2,
    }


@pytest.mark.parametrize("case", ["documented", "live"])
def test_both_shapes_of_the_map_give_the_same_levels(body: Body, case: str) -> None:
    figures = values(parse_market.parse_liquidation_map(body(MAP, case), endpoint=MAP))
    assert figures[("largest level price", "usd")] == 123_000
    assert figures[("all levels size", "usd")] == 4_000_000.5


def test_max_pain_is_found_by_coin(body: Body) -> None:
    endpoint = "futures_liquidation_max_pain"
    coins = parse_market.parse_max_pain(body(endpoint, "normal"), endpoint=endpoint)
    assert values(coins["BTC"])[("long max pain price", "usd")] == 123_400


@pytest.mark.parametrize("endpoint", ["hyperliquid_whale_alert", "hyperliquid_whale_position"])
def test_the_sign_of_a_whale_position_is_its_side(body: Body, endpoint: str) -> None:
    coins = parse_market.parse_whales(body(endpoint, "normal"), endpoint=endpoint)
    assert values(coins["BTC"]) == {
        ("long positions", "count"): 1,
        ("long positions", "usd"): 1_210_000,
        ("short positions", "count"): 1,
        ("short positions", "usd"): 3_085_500,
    }
    assert values(coins["ETH"])[("long positions", "usd")] == 0


def test_a_whale_without_a_size_is_refused_because_its_side_is_unknown(body: Body) -> None:
    endpoint = "hyperliquid_whale_position"
    with pytest.raises(ProviderBadPayload):
        parse_market.parse_whales(body(endpoint, "without_size"), endpoint=endpoint)


@pytest.mark.parametrize(
    ("case", "level"),
    [("standard", "standard"), ("hobbyist", "hobbyist"), ("expired", None), ("unknown_level", "platinum")],
)
def test_the_plan_is_read_in_lower_case_and_a_lapsed_one_is_none(
    body: Body, case: str, level: str | None
) -> None:
    assert parse_market.parse_subscription(body(SUBSCRIPTION, case), endpoint=SUBSCRIPTION) == level
