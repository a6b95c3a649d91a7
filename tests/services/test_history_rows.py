"""Histories as rows: whose bars a label says they are, which bars are closed ones, one row per bar."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from app.core.domain.derivatives import OpenInterestHistory
from app.core.domain.market import HOUR_MS, Candles, Series, Unit
from app.core.domain.quality import CacheState, Reading
from app.core.domain.stored import ALL_EXCHANGES, RatioScope
from app.services.coinglass import parse
from app.services.coinglass.pairs import PairRef
from app.services.coinglass.standard import ACCOUNT_RATIO, TOP_POSITION_RATIO, StandardInputs
from app.services.history_rows import (
    as_interest,
    candle_rows,
    exchange_of,
    funding_rows,
    interest_rows,
    interval_text,
    learned_ms,
    pick_bars,
    ratio_rows,
)

FIXTURES = Path(__file__).resolve().parents[1] / "fixtures" / "coinglass"
CLOSES = (HOUR_MS, 2 * HOUR_MS, 3 * HOUR_MS)


def reading(value: Any, provider: str = "coinglass", ts_init_ms: int = 4 * HOUR_MS) -> Reading[Any]:
    return Reading(value, provider, "endpoint", CLOSES[-1], ts_init_ms, CacheState.MISS)


def series(unit: Unit, *values: float, label: str = "x, all exchanges") -> Series:
    return Series(unit, HOUR_MS, CLOSES, values, label)


class TestExchange:
    def test_coinglass_totals_are_of_all_exchanges(self) -> None:
        interest = parse.parse_open_interest(
            (FIXTURES / "http_get_futures_open_interest_aggregated_history__normal.json").read_bytes(),
            endpoint="e",
            interval_ms=HOUR_MS,
            unit=Unit.USD,
        )
        funding = parse.parse_funding(
            (FIXTURES / "http_get_futures_funding_rate_oi_weight_history__normal.json").read_bytes(),
            endpoint="e",
            interval_ms=HOUR_MS,
        )
        assert exchange_of(interest.label, "coinglass") == ALL_EXCHANGES
        assert exchange_of(funding.label, "coinglass") == ALL_EXCHANGES

    @pytest.mark.parametrize("endpoint", [ACCOUNT_RATIO, TOP_POSITION_RATIO])
    @pytest.mark.parametrize("exchange", ["Binance", "Crypto com"])
    def test_a_coinglass_ratio_is_of_its_exchange(self, endpoint: str, exchange: str) -> None:
        _, parser = StandardInputs._share_call(PairRef(exchange, "BTC-USDT", 1), endpoint)
        assert exchange_of(parser.keywords["label"], "coinglass") == exchange  # type: ignore[attr-defined]

    @pytest.mark.parametrize("label", ["OKX open interest in USD", "OKX accounts net long", ""])
    def test_what_okx_measures_it_measures_on_okx(self, label: str) -> None:
        assert exchange_of(label, "okx") == "OKX"

    def test_a_set_of_exchanges_is_a_key_of_its_own(self) -> None:
        assert exchange_of("OI-weighted, Binance,OKX", "coinglass") == "Binance,OKX"

    def test_the_total_of_another_aggregator_does_not_become_all(self) -> None:
        assert exchange_of("open interest, all exchanges", "newcomer") is None

    @pytest.mark.parametrize("label", ["", "all", "funding, OI-weighted", "top-trader positions long"])
    def test_a_label_that_does_not_say_where_names_nobody(self, label: str) -> None:
        assert exchange_of(label, "coinglass") is None


def test_bars_are_picked_by_close_both_ends_included() -> None:
    assert pick_bars(CLOSES, HOUR_MS, from_ms=2 * HOUR_MS, until_ms=3 * HOUR_MS) == [1, 2]
    assert pick_bars(CLOSES, HOUR_MS, from_ms=0, until_ms=3 * HOUR_MS - 1) == [0, 1]


def test_a_running_rate_is_no_closed_bar() -> None:
    running = (8 * HOUR_MS, 16 * HOUR_MS, 16 * HOUR_MS + 1234)
    assert pick_bars(running, 8 * HOUR_MS, from_ms=0, until_ms=20 * HOUR_MS) == [0, 1]


def test_sizes_without_a_name_have_none() -> None:
    assert interval_text(HOUR_MS) == "1h"
    assert interval_text(2 * HOUR_MS) is None


def test_a_bar_is_not_learned_before_it_closes() -> None:
    assert learned_ms(5, 7) == 7
    assert learned_ms(9, 7) == 9


@pytest.mark.parametrize("volume", [(1.0, 2.0, 3.0), None])
def test_candles_keep_every_price_in_its_column(volume: tuple[float, ...] | None) -> None:
    candles = Candles("Binance", HOUR_MS, CLOSES, (1, 2, 3), (4, 5, 6), (0.5, 0.6, 0.7), (2, 3, 4), volume)
    first, last = candle_rows("BTC", "1h", reading(candles), [0, 2])
    assert first[:9] == ("Binance", "BTC", "1h", HOUR_MS, 1, 4, 0.5, 2, volume and 1.0)
    assert (last.close, last.source, last.ts_init_ms) == (4, "coinglass", 4 * HOUR_MS)


@pytest.mark.parametrize(
    ("exchange", "columns"),
    [("OKX", (0.2, None, None)), ("ALL", (None, 0.2, None)), ("Binance,OKX", (None, 0.2, None))],
)
def test_funding_of_one_venue_and_weighted_funding_are_different_columns(
    exchange: str, columns: tuple[float | None, ...]
) -> None:
    rows = funding_rows("BTC", exchange, "1h", reading(series(Unit.FRAC_PER_8H, 0.1, 0.2, 0.3)), [1])
    assert rows[0][4:7] == columns


def test_ratios_carry_their_scope() -> None:
    source = reading(series(Unit.FRAC, 0.1, 0.2, 0.7388))
    (row,) = ratio_rows("BTC", RatioScope.TOP_POSITION, "OKX", "1h", source, [2])
    assert row[:6] == ("top_position", "OKX", "BTC", "1h", 3 * HOUR_MS, 0.7388)


class TestInterest:
    def test_usd_and_coins_of_one_bar_are_one_row(self) -> None:
        usd = reading(as_interest(series(Unit.USD, 10.0, 20.0, 30.0)))
        base = reading(as_interest(series(Unit.BASE, 1.0, 2.0, 3.0)))
        (row,) = interest_rows("BTC", "ALL", "1h", [usd, base], [2 * HOUR_MS])
        assert (row.close_usd, row.close_base, row.open_usd) == (20.0, 2.0, None)

    def test_what_one_unit_lacks_stays_unknown(self) -> None:
        usd = reading(as_interest(series(Unit.USD, 10.0, 20.0, 30.0)))
        late = Series(Unit.BASE, HOUR_MS, CLOSES[:2], (1.0, 2.0), "x, all exchanges")
        rows = interest_rows("BTC", "ALL", "1h", [usd, reading(as_interest(late))], CLOSES)
        assert [(row.close_usd, row.close_base) for row in rows] == [(10.0, 1.0), (20.0, 2.0), (30.0, None)]

    def test_open_high_and_low_are_kept_where_known(self) -> None:
        bars = OpenInterestHistory(
            Unit.USD, HOUR_MS, CLOSES, (1.0, 2.0, 3.0), (4.0, 5.0, 6.0), (0.1, 0.2, 0.3), (1.5, 2.5, 3.5), "x"
        )
        (row,) = interest_rows("BTC", "ALL", "1h", [reading(bars)], [3 * HOUR_MS])
        assert row[4:12] == (3.0, 6.0, 0.3, 3.5, None, None, None, None)
