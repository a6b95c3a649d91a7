"""Every documented sample that is used parses, or is refused for the reason the contract itself names."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from app.core.domain.market import DAY_MS, HOUR_MS, Unit
from app.core.errors import ProviderBadPayload
from app.services.coinglass import pairs, parse, parse_events, parse_levels, parse_market
from app.services.coinglass.catalog import ENDPOINTS
from app.services.coinglass.client import check_envelope
from app.services.coinglass.view_table import DECLARED
from app.services.transport.records import Answer

FIXTURES = Path(__file__).parents[2] / "fixtures" / "coinglass"

_SHARE = partial(parse.parse_long_share, interval_ms=HOUR_MS, label="share")

PARSERS: dict[str, Callable[..., Any]] = {
    "user_account_subscription": parse_market.parse_subscription,
    "futures_supported_coins": pairs.parse_coins,
    "futures_supported_exchange_pairs": pairs.parse_pairs,
    "futures_coins_markets": parse_market.parse_coins_markets,
    "futures_pairs_markets": parse_market.parse_pairs_markets,
    "futures_price_history": partial(
        parse.parse_candles, interval_ms=HOUR_MS, exchange="Binance", multiplier=1
    ),
    "futures_liquidation_aggregated_history": partial(
        parse.parse_liquidations, interval_ms=DAY_MS, scope="Binance"
    ),
    "futures_liquidation_exchange_list": parse_market.parse_liquidation_exchange_list,
    "futures_open_interest_aggregated_history": partial(
        parse.parse_open_interest, interval_ms=HOUR_MS, unit=Unit.USD
    ),
    "futures_open_interest_exchange_list": parse_market.parse_open_interest_exchange_list,
    "futures_funding_rate_oi_weight_history": partial(parse.parse_funding, interval_ms=DAY_MS),
    "futures_funding_rate_vol_weight_history": partial(parse.parse_funding, interval_ms=DAY_MS),
    "futures_v2_taker_buy_sell_volume_history": partial(parse.parse_pair_taker, interval_ms=HOUR_MS),
    "futures_funding_rate_exchange_list": parse_market.parse_funding_exchange_list,
    "futures_global_long_short_account_ratio_history": partial(_SHARE, side="global_account"),
    "futures_top_long_short_account_ratio_history": partial(_SHARE, side="top_account"),
    "futures_top_long_short_position_ratio_history": partial(_SHARE, side="top_position"),
    "futures_aggregated_taker_buy_sell_volume_history": partial(
        parse.parse_taker_volume, interval_ms=HOUR_MS
    ),
    **{
        f"futures_liquidation_aggregated_heatmap_model{model}": parse_levels.parse_heatmap
        for model in (1, 2, 3)
    },
    "futures_liquidation_aggregated_map": parse_levels.parse_liquidation_map,
    "futures_liquidation_max_pain": parse_levels.parse_max_pain,
    "hyperliquid_whale_alert": parse_events.parse_whale_alerts,
    "hyperliquid_whale_position": parse_events.parse_whale_positions,
    "futures_liquidation_order": parse_events.parse_liquidation_orders,
    "index_fear_greed_history": parse.parse_fear_greed,
}
# Its numbers are pasted from the stablecoin page, so they must not pass as an index.
WRONG_SAMPLES = {"index_fear_greed_history"}


def sample(contracts: Path, endpoint: str) -> bytes:
    return (contracts / "samples" / f"{endpoint}.json").read_bytes()


def test_every_endpoint_that_a_view_stands_on_has_a_parser_here() -> None:
    assert {item.endpoint for item in DECLARED} <= set(PARSERS) <= set(ENDPOINTS)


@pytest.mark.parametrize("endpoint", sorted(set(PARSERS) - WRONG_SAMPLES))
def test_the_documented_sample_parses_to_something(contracts: Path, endpoint: str) -> None:
    body = sample(contracts, endpoint)
    check_envelope(endpoint, Answer(200, {}, body, 1.0))
    parsed = PARSERS[endpoint](body, endpoint=endpoint)
    # The heatmap sample is cut: all its cells point beyond its price axis, so no level is left.
    is_cut = "heatmap" in endpoint
    assert bool(parsed.cells if is_cut else parsed) is not is_cut


def test_the_sample_with_pasted_numbers_is_refused(contracts: Path) -> None:
    endpoint = "index_fear_greed_history"
    with pytest.raises(ProviderBadPayload, match="not plausible"):
        parse.parse_fear_greed(sample(contracts, endpoint), endpoint=endpoint)


def test_units_of_the_documented_samples(contracts: Path) -> None:
    funding = "futures_funding_rate_oi_weight_history"
    series = PARSERS[funding](sample(contracts, funding), endpoint=funding)
    assert series.values == pytest.approx((0.00009229, 0.0001))
    ratio = "futures_global_long_short_account_ratio_history"
    assert PARSERS[ratio](sample(contracts, ratio), endpoint=ratio).values[0] == pytest.approx(0.7388)


@pytest.mark.parametrize("endpoint", sorted(PARSERS))
def test_our_own_fixture_cut_at_any_byte_is_refused(endpoint: str) -> None:
    body = min(FIXTURES.glob(f"http_get_{endpoint}__*.json")).read_bytes().rstrip()
    for end in range(len(body)):
        with pytest.raises(ProviderBadPayload):
            PARSERS[endpoint](body[:end], endpoint=endpoint)


@pytest.mark.parametrize("endpoint", sorted(PARSERS))
def test_a_sample_cut_at_any_byte_is_refused(contracts: Path, endpoint: str) -> None:
    body = sample(contracts, endpoint).rstrip()
    for end in range(len(body)):
        with pytest.raises(ProviderBadPayload):
            PARSERS[endpoint](body[:end], endpoint=endpoint)
