"""Confluence in columns against the live service, hour by hour, on made-up and recorded markets."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from app.backtest_data import load_with_interest
from app.core.backtest.confluence_columns import LIVE_BARS, STRETCH_BARS, confluence_directions
from app.core.confluence.note import summarise
from app.core.domain.market import HOUR_MS, Candles, Price, PriceKind, Series, Unit
from app.core.domain.signal import Direction
from app.core.domain.symbol import Symbol
from app.core.errors import InvariantViolation
from app.core.record.columns import LONG, NEUTRAL, SHORT, Codes, Floats, Ints
from tests.liquidity_rig import LiquidityRig, reading, wavy_candles

DATA = Path(__file__).resolve().parents[4] / "shared" / "data"
END_MS = 1_772_000_000_000
# As many as CoinGlass's page has closed.
LONGEST_BARS = 999


def cut(candles: Candles, first: int, end: int) -> Candles:
    names = ("close_ms", "open", "high", "low", "close", "volume_base")
    return replace(candles, **{name: getattr(candles, name)[first:end] for name in names})


def cut_series(series: Series, first: int, end: int) -> Series:
    return replace(series, close_ms=series.close_ms[first:end], values=series.values[first:end])


def known_until(candles: Candles, interest: Series, now_ms: int) -> tuple[Candles, Series]:
    return (
        cut(candles, 0, bisect_right(candles.close_ms, now_ms)),
        cut_series(interest, 0, bisect_right(interest.close_ms, now_ms)),
    )


class Live:
    """The live service of one coin, with a context as it would have been at a moment."""

    def __init__(self, base: str, candles: Candles, interest: Series) -> None:
        self.base, self.candles, self.interest = base, candles, interest
        self.rig = LiquidityRig(known=frozenset({base}))

    async def direction(self, now_ms: int, price_usd: float, first: int) -> int:
        """first: position of the oldest candle in the context."""
        candles, interest = known_until(self.candles, self.interest, now_ms)
        candles = cut(candles, first, len(candles.close_ms))
        interest = cut_series(interest, max(0, len(interest.close_ms) - LIVE_BARS), len(interest.close_ms))
        field = "open_interest_base" if interest.unit is Unit.BASE else "open_interest_usd"
        self.rig.changes = {
            "as_of_ms": now_ms,
            "price": reading(Price(price_usd, PriceKind.LAST_TRADE), now_ms),
            "candles": reading(candles, candles.close_ms[-1]),
            "open_interest_base": self.rig.context().social,  # missing
            field: reading(interest, interest.close_ms[-1]),
        }
        found = summarise(await self.rig.service.of_context(self.rig.context(Symbol(self.base))))
        if isinstance(found, str):
            return NEUTRAL
        return LONG if found.direction is Direction.LONG else SHORT

    def newest(self, now_ms: int, bars: int) -> int:
        """First position of the newest `bars` candles."""
        return max(0, bisect_right(self.candles.close_ms, now_ms) - bars)

    def of_stretch(self, now_ms: int) -> int:
        """First position of the stretch that the columns see."""
        newest_ms = self.candles.close_ms[bisect_right(self.candles.close_ms, now_ms) - 1]
        begin_h = newest_ms // HOUR_MS // STRETCH_BARS * STRETCH_BARS
        return bisect_left(self.candles.close_ms, (begin_h - LIVE_BARS + 1) * HOUR_MS)


def made_up(seed: int, *, hours: int = 2_400, unit: Unit = Unit.BASE) -> tuple[Candles, Series]:
    """Hours with waves, holes in candles and interest, and a stretch without interest."""
    rng = np.random.default_rng(seed)
    candles = wavy_candles(END_MS, HOUR_MS, size=hours, seed=seed)
    kept = rng.random(hours) > 0.003
    candles = replace(
        candles,
        **{
            name: tuple(np.array(getattr(candles, name))[kept].tolist())
            for name in ("close_ms", "open", "high", "low", "close", "volume_base")
        },
    )
    coins = 9e4 * np.exp(np.cumsum(rng.normal(0.0, 0.01, len(candles.close_ms))))
    told = rng.random(coins.size) > 0.02
    told[1_500:1_540] = False
    values = coins if unit is Unit.BASE else coins * np.array(candles.close)
    times = np.array(candles.close_ms)[told]
    return candles, Series(unit, HOUR_MS, tuple(times.tolist()), tuple(values[told].tolist()))


def some_moments(candles: Candles, seed: int, count: int, first: int) -> tuple[Ints, Floats]:
    """Moments within the hour after a close, with prices near it."""
    rng = np.random.default_rng(seed)
    rows = np.sort(rng.choice(np.arange(first, len(candles.close_ms)), count, replace=False))
    at_ms = np.array(candles.close_ms)[rows] + rng.integers(0, HOUR_MS, count) * rng.integers(0, 2, count)
    return at_ms, np.array(candles.close)[rows] * (1.0 + rng.normal(0.0, 0.002, count))


@cache
def recorded(base: str) -> tuple[Candles, Series]:
    if not DATA.is_dir():
        pytest.skip("no recorded data beside the project (../shared/data)")
    one = next(one for one in load_with_interest(DATA) if one.base == base)
    return one.candles, one.interest


@pytest.mark.parametrize(("seed", "base", "unit"), [(1, "BTC", Unit.BASE), (2, "SOL", Unit.USD)])
async def test_every_direction_is_that_of_a_live_answer(seed: int, base: str, unit: Unit) -> None:
    candles, interest = made_up(seed, unit=unit)
    at_ms, price = some_moments(candles, seed, 200, 20)
    found = confluence_directions(base, candles, interest, at_ms, price)
    live = Live(base, candles, interest)
    expected = [
        await live.direction(now, usd, live.of_stretch(now))
        for now, usd in zip(at_ms.tolist(), price.tolist(), strict=True)
    ]
    assert found.tolist() == expected
    assert found.dtype == np.int8
    assert min(expected.count(code) for code in (LONG, NEUTRAL, SHORT)) > 20


@pytest.mark.parametrize("base", ["BTC", "ETH"])
@pytest.mark.parametrize("bars", [LIVE_BARS, LONGEST_BARS])
async def test_on_recorded_hours_no_direction_depends_on_how_many_candles_a_provider_gives(
    base: str, bars: int
) -> None:
    candles, interest = recorded(base)
    first = bisect_left(candles.close_ms, interest.close_ms[0])
    at_ms, price = some_moments(candles, bars, 100, first)
    found = confluence_directions(base, candles, interest, at_ms, price)
    live = Live(base, candles, interest)
    expected = [
        await live.direction(now, usd, live.newest(now, bars))
        for now, usd in zip(at_ms.tolist(), price.tolist(), strict=True)
    ]
    assert found.tolist() == expected
    assert {LONG, SHORT} <= set(expected)


def test_the_future_changes_nothing() -> None:
    candles, interest = made_up(3)
    at_ms, price = some_moments(candles, 3, 60, 800)
    found = confluence_directions("BTC", candles, interest, at_ms, price)
    for row in range(at_ms.size):
        past, told = known_until(candles, interest, int(at_ms[row]))
        one = slice(row, row + 1)
        assert confluence_directions("BTC", past, told, at_ms[one], price[one]).tolist() == [found[row]]


def test_what_lies_before_the_reach_of_a_live_context_changes_nothing() -> None:
    candles, interest = made_up(4)
    at_ms, price = some_moments(candles, 4, 100, 1_300)
    found = confluence_directions("BTC", candles, interest, at_ms, price)
    later = cut(candles, 200, len(candles.close_ms))
    assert confluence_directions("BTC", later, interest, at_ms, price).tolist() == found.tolist()


def reflected(candles: Candles, pivot: float) -> Candles:
    """The market upside down."""
    return replace(
        candles,
        open=tuple(pivot - one for one in candles.open),
        high=tuple(pivot - one for one in candles.low),
        low=tuple(pivot - one for one in candles.high),
        close=tuple(pivot - one for one in candles.close),
    )


def directions_both_ways(seed: int) -> tuple[Codes, Codes]:
    candles, interest = made_up(seed, hours=1_200, unit=Unit.USD)
    at_ms, price = some_moments(candles, seed, 200, 800)
    pivot = 2.0 * float(np.mean(candles.close[800:]))
    plain = confluence_directions("BTC", candles, interest, at_ms, price)
    return plain, confluence_directions("BTC", reflected(candles, pivot), interest, at_ms, pivot - price)


def test_upside_down_the_directions_change_sides() -> None:
    """Not all: a leverage is a share of the price, so levels do not reflect to the cent."""
    plain, turned = (np.concatenate(pair) for pair in zip(*map(directions_both_ways, (5, 6)), strict=True))
    told = plain != NEUTRAL
    assert np.mean(turned[told] == -plain[told]) > 0.85
    assert np.mean(turned[told] == plain[told]) < 0.06


def test_moments_may_come_in_any_order_and_more_than_once() -> None:
    candles, interest = made_up(7)
    at_ms, price = some_moments(candles, 7, 50, 900)
    found = confluence_directions("BTC", candles, interest, at_ms, price)
    mixed = np.random.default_rng(7).integers(0, 50, 80)
    again = confluence_directions("BTC", candles, interest, at_ms[mixed], price[mixed])
    assert again.tolist() == found[mixed].tolist()


def at(candles: Candles, interest: Series, now_ms: int, price_usd: float) -> int:
    found = confluence_directions("BTC", candles, interest, np.array([now_ms]), np.array([price_usd]))
    return int(found[0])


def test_old_or_missing_inputs_have_no_direction() -> None:
    candles, interest = made_up(8)
    rows = [row for row in range(900, 2_000) if candles.close_ms[row] in interest.close_ms]
    row = next(row for row in rows if at(candles, interest, candles.close_ms[row], candles.close[row]))
    now_ms, price = candles.close_ms[row], candles.close[row]
    past, told = known_until(candles, interest, now_ms)
    assert at(past, told, now_ms + 2 * HOUR_MS, price) != NEUTRAL
    assert at(past, told, now_ms + 2 * HOUR_MS + 1, price) == NEUTRAL
    without = cut_series(told, 0, len(told.close_ms) - 1)
    assert without.close_ms[-1] < now_ms
    assert at(past, without, without.close_ms[-1] + 2 * HOUR_MS + 1, price) == NEUTRAL
    assert at(past, told, now_ms, float("nan")) == NEUTRAL
    assert at(past, cut_series(told, 0, 0), now_ms, price) == NEUTRAL
    assert at(past, told, past.close_ms[0] - 1, price) == NEUTRAL
    assert at(past, told, past.close_ms[12], price) == NEUTRAL  # no ATR yet


def test_other_bars_and_unequal_columns_are_refused() -> None:
    candles, interest = made_up(9, hours=1_600)
    one, none = np.array([END_MS]), np.empty(0)
    with pytest.raises(InvariantViolation, match="hourly"):
        confluence_directions("BTC", replace(candles, interval_ms=900_000), interest, one, np.array([1.0]))
    with pytest.raises(InvariantViolation, match="one price"):
        confluence_directions("BTC", candles, interest, one, none)
    assert confluence_directions("BTC", candles, interest, np.empty(0, dtype=np.int64), none).size == 0
