"""Liquidation levels out of open interest and candles, bar by bar and by hand."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.core.confluence.levels import (
    HALF_LIFE_MS,
    LEVERAGE_WEIGHTS,
    InterestBar,
    LevelBook,
    SideLevels,
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


def by_hand(bars: Sequence[InterestBar], margin: float) -> list[tuple[bool, float, float, float]]:
    """(is long, price, USD, leverage) of all levels alive after `bars`, one by one."""
    found = []
    for born, opened in enumerate(bars):
        for leverage, share in LEVERAGE_WEIGHTS.items():
            if opened.new_usd <= 0 or 1.0 / leverage <= margin:
                continue
            for is_long in (True, False):
                bought = opened.buy_frac if is_long else 1.0 - opened.buy_frac
                away = 1.0 - 1.0 / leverage if is_long else 1.0 + 1.0 / leverage
                price = opened.typical_usd * (away / (1.0 - margin if is_long else 1.0 + margin))
                usd = opened.new_usd * bought * share
                for later in bars[born + 1 :]:
                    usd *= later.low_usd > price if is_long else later.high_usd < price
                    usd *= 2.0 ** (-later.interval_ms / HALF_LIFE_MS)
                    usd *= later.left_frac if later.new_usd < 0 else 1.0
                if usd > 0:
                    found.append((is_long, price, usd, float(leverage)))
    return sorted(found)


@st.composite
def any_bars(draw: st.DrawFn) -> list[InterestBar]:
    """Rises and falls of price and interest, hours without news of it, and holes of up to a day."""
    found, at_ms, price = list[InterestBar](), 0, 60_000.0
    for _ in range(draw(st.integers(0, 40))):
        at_ms += draw(st.sampled_from((1, 1, 1, 2, 24))) * HOUR_MS
        price *= 1.0 + draw(st.floats(-0.05, 0.05))
        high, low = price * (1.0 + draw(st.floats(0, 0.03))), price * (1.0 - draw(st.floats(0, 0.03)))
        new = draw(st.sampled_from((0.0, 0.0, 1.0, -1.0))) * draw(st.floats(1.0, 1e9))
        left = draw(st.sampled_from((0.0, 0.4, 0.99))) if new < 0 else 1.0
        typical = (high + low + price) / 3.0
        found.append(
            InterestBar(at_ms, HOUR_MS, typical, high, low, new, left, draw(st.sampled_from((0.5, 0.9, 1.0))))
        )
    return found


def rows_of(sides: tuple[SideLevels, SideLevels]) -> list[tuple[bool, float, float, float]]:
    return sorted(
        (is_long, *row)
        for side, is_long in zip(sides, (True, False), strict=True)
        for row in zip(side.price_usd.tolist(), side.usd.tolist(), side.leverage.tolist(), strict=True)
    )


@given(any_bars(), st.sampled_from((M, 0.01)), st.sampled_from((5, 30)), st.sampled_from((1, 4, 100)))
@settings(max_examples=150)
def test_a_book_carried_on_holds_what_every_window_alone_would(
    bars: list[InterestBar], margin: float, window_h: int, rows: int
) -> None:
    book = LevelBook(margin, rows=rows)
    for at, newest in enumerate(bars):
        book.take(newest)
        from_ms = newest.close_ms - window_h * HOUR_MS
        book.forget(from_ms)
        window = [one for one in bars[: at + 1] if one.close_ms > from_ms]
        price = newest.typical_usd
        alive = [one for one in by_hand(window, margin) if one[0] == (one[1] < price)]
        # To the bit: the same steps in the same order.
        assert rows_of(book.near(price, FAR)) == alive
        levels = estimate_levels(window, price, margin, atr_usd=FAR)
        sided = [(one.side is PositionSide.LONG, one.price_usd, one.usd, one.leverage) for one in levels]
        assert sorted(sided) == alive
        assert [one.price_usd for one in levels] == sorted(one[1] for one in alive)


@given(any_bars())
@settings(max_examples=50)
def test_in_a_mirrored_market_longs_and_shorts_change_places(bars: list[InterestBar]) -> None:
    """Reflected bars and takers end and open the other side: money by leverage, whatever the prices."""
    pivot = 120_000.0
    mirrored = [
        replace(
            one,
            typical_usd=pivot - one.typical_usd,
            high_usd=pivot - one.low_usd,
            low_usd=pivot - one.high_usd,
            buy_frac=1.0 - one.buy_frac,
        )
        for one in bars
    ]
    for one, other in zip(bars, mirrored, strict=True):
        plain, turned = LevelBook(0.0), LevelBook(0.0)
        plain.take(one)
        turned.take(other)
        longs, _ = plain.near(one.typical_usd, FAR)
        _, shorts = turned.near(other.typical_usd, FAR)
        assert longs.usd.tolist() == pytest.approx(shorts.usd.tolist())
        # Without a margin both lie as far from the entry, in shares of it.
        assert (1.0 - longs.price_usd / one.typical_usd).tolist() == pytest.approx(
            (shorts.price_usd / other.typical_usd - 1.0).tolist()
        )


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
