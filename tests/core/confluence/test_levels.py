"""Liquidation levels out of open interest and candles, bar by bar and by hand."""

from __future__ import annotations

import pytest

from app.core.confluence.levels import (
    HALF_LIFE_MS,
    LEVERAGE_WEIGHTS,
    InterestBar,
    estimate_levels,
    interest_bars,
    levels_of_heatmap,
    levels_of_map,
    levels_of_record,
    liquidation_price,
    maintenance_frac,
)
from app.core.confluence.volatility import ewma_sigma
from app.core.domain.derivatives import HeatmapCell, LiquidationLevel, LiquidationLevels, PositionSide
from app.core.domain.market import HOUR_MS, Candles, Series, Unit

FAR = 1e9  # an ATR that drops nothing
M = 0.004
NEWEST = 3 * HOUR_MS


def bar(
    new_usd: float,
    *,
    typical: float = 60_000.0,
    low: float = 59_990.0,
    high: float = 60_010.0,
    left: float = 1.0,
    buy: float = 0.5,
) -> InterestBar:
    return InterestBar(0, HOUR_MS, typical, high, low, new_usd, left, buy)


def test_new_interest_opens_both_sides_at_every_leverage() -> None:
    found = estimate_levels([bar(1e6, buy=0.6)], 60_000.0, M, atr_usd=FAR)
    assert len(found) == 2 * len(LEVERAGE_WEIGHTS)
    longs = [one for one in found if one.side is PositionSide.LONG]
    assert sum(one.usd for one in longs) == pytest.approx(0.6e6)
    assert sum(one.usd for one in found) == pytest.approx(1e6)
    ten = next(one for one in longs if one.leverage == 10)
    assert (ten.price_usd, ten.usd) == (
        pytest.approx(liquidation_price(60_000, 10, M, is_long=True)),
        pytest.approx(0.6e6 * 0.2),
    )
    assert all((one.price_usd < 60_000) == (one.side is PositionSide.LONG) for one in found)


def test_leverages_whose_margin_is_gone_at_the_start_are_refused() -> None:
    found = estimate_levels([bar(1e6)], 60_000.0, 0.01, atr_usd=FAR)
    assert {one.leverage for one in found} == set(LEVERAGE_WEIGHTS) - {100}


def test_levels_fade_shrink_and_die_when_price_trades_at_them() -> None:
    steps = [bar(1e6), bar(0.0), bar(-1.0, left=0.5)]
    found = estimate_levels(steps, 60_000.0, M, atr_usd=FAR)
    fade = 2.0 ** (-2 * HOUR_MS / HALF_LIFE_MS)
    assert sum(one.usd for one in found) == pytest.approx(1e6 * fade * 0.5)
    crash = bar(0.0, low=57_000.0)
    left = estimate_levels([bar(1e6), crash], 60_000.0, M, atr_usd=FAR)
    assert {one.leverage for one in left if one.side is PositionSide.LONG} == {3, 5, 10}
    # The bar that opened them may have traded lower before: it does not close them.
    assert estimate_levels([bar(1e6, low=57_000.0)], 60_000.0, M, atr_usd=FAR) != left


def test_levels_beyond_ten_atr_are_dropped() -> None:
    found = estimate_levels([bar(1e6)], 60_000.0, M, atr_usd=300.0)
    assert {one.leverage for one in found} == {20, 25, 50, 100}
    assert estimate_levels([], 60_000.0, M, atr_usd=300.0) == ()


def hourly(closes: tuple[float, ...]) -> Candles:
    times = tuple((n + 1) * HOUR_MS for n in range(len(closes)))
    return Candles("OKX", HOUR_MS, times, closes, closes, closes, closes)


def test_coins_are_priced_at_the_bar_and_a_move_of_the_price_opens_nothing() -> None:
    candles = hourly((100.0, 110.0, 120.0))
    times = candles.close_ms
    coins = interest_bars(
        candles, Series(Unit.BASE, HOUR_MS, times, (50.0, 50.0, 60.0)), from_ms=0, until_ms=NEWEST
    )
    # Of the first bar it is not known what there was before.
    assert [(one.new_usd, one.left_frac) for one in coins] == [(0.0, 1.0), (0.0, 1.0), (1200.0, 1.2)]
    usd = interest_bars(
        candles, Series(Unit.USD, HOUR_MS, times, (5000.0, 5500.0, 7200.0)), from_ms=0, until_ms=NEWEST
    )
    assert [one.new_usd for one in usd] == [0.0, 500.0, 1700.0]
    gap = interest_bars(
        candles, Series(Unit.BASE, HOUR_MS, times[::2], (50.0, 60.0)), from_ms=0, until_ms=NEWEST
    )
    assert gap == ()
    known_then = interest_bars(
        candles, Series(Unit.BASE, HOUR_MS, times, (1.0, 2.0, 3.0)), from_ms=0, until_ms=times[1]
    )
    assert [one.close_ms for one in known_then] == [*times[:2]]
    assert (
        len(
            interest_bars(
                candles, Series(Unit.BASE, HOUR_MS, times, (1.0, 2.0, 3.0)), from_ms=times[1], until_ms=NEWEST
            )
        )
        == 1
    )


def test_a_bar_without_open_interest_still_ends_what_it_traded_at() -> None:
    """Open interest comes an hour late at times; the newest candle counts all the same."""
    closes = (100.0, 100.0, 100.0)
    times = tuple((n + 1) * HOUR_MS for n in range(3))
    lows = (100.0, 100.0, 92.0)
    candles = Candles("OKX", HOUR_MS, times, closes, closes, lows, closes)
    whole = Series(Unit.BASE, HOUR_MS, times, (50.0, 60.0, 60.0))
    late = Series(Unit.BASE, HOUR_MS, times[:2], (50.0, 60.0))
    by_series = [
        estimate_levels(interest_bars(candles, one, from_ms=0, until_ms=NEWEST), 100.0, M, atr_usd=FAR)
        for one in (whole, late)
    ]
    assert by_series[0] == by_series[1]
    longs = {one.leverage for one in by_series[1] if one.side is PositionSide.LONG}
    assert longs == {3, 5, 10}


def test_of_a_heatmap_only_the_newest_column_counts() -> None:
    cells = [HeatmapCell(1, 90.0, 5.0), HeatmapCell(2, 90.0, 7.0), HeatmapCell(2, 110.0, 3.0)]
    found = levels_of_heatmap(cells, 100.0)
    assert [(one.price_usd, one.usd, one.side.value) for one in found] == [
        (90.0, 7.0, "LONG"),
        (110.0, 3.0, "SHORT"),
    ]
    assert levels_of_heatmap([], 100.0) == ()
    assert [one.usd for one in levels_of_record(cells, 100.0)] == [12.0, 3.0]


def test_the_side_of_a_map_is_the_prices_and_not_the_fields() -> None:
    """CoinGlass's own samples name them the wrong way round."""
    wrong = LiquidationLevel(110.0, 3.0, PositionSide.LONG)
    (found,) = levels_of_map(LiquidationLevels("model", 100.0, (wrong,)), 100.0)
    assert found.side is PositionSide.SHORT


def test_margins_and_volatility() -> None:
    assert (maintenance_frac("BTC"), maintenance_frac("DOGE")) == (0.004, 0.01)
    closes, price = [100.0], 100.0
    for n in range(60):
        price *= 2.718281828459045 ** (0.01 if n % 2 else -0.01)
        closes.append(price)
    assert ewma_sigma(closes, HOUR_MS, 6.0) == pytest.approx(0.01)
    assert ewma_sigma(closes, HOUR_MS // 4, 72.0) == pytest.approx(0.02)
    assert ewma_sigma(closes[:30], HOUR_MS, 6.0) is None
    assert ewma_sigma([5.0] * 60, HOUR_MS, 6.0) is None
