"""All trades of a path at once end as each would bar by bar, on both sides, holes and funding included."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.core.backtest.price_path import PricePath, Settlements, trade_both_sides
from app.core.domain.market import HOUR_MS
from app.core.domain.outcomes import HORIZONS_MS, Unscorable
from app.core.domain.signal import Direction
from app.core.errors import InvariantViolation
from app.core.outcomes.first_touch import (
    MAX_ENTRY_WAIT_MS,
    Ending,
    PathBar,
    follow,
    max_hole_ms,
    plan_trade,
    settle,
)
from app.core.record.columns import OPEN, SCORED, UNSCORABLE, HorizonOutcomes

MINUTE_MS = 60_000


def made_path(seed: int, *, bars: int = 3_000, interval_ms: int = MINUTE_MS, holes: int = 0) -> PricePath:
    rng = np.random.default_rng(seed)
    close = 100.0 * np.exp(np.cumsum(rng.normal(0, 8e-4, bars)))
    open_ = np.append(100.0, close[:-1]) * np.exp(rng.normal(0, 1e-4, bars))
    high = np.maximum(open_, close) * np.exp(np.abs(rng.normal(0, 4e-4, bars)))
    low = np.minimum(open_, close) * np.exp(-np.abs(rng.normal(0, 4e-4, bars)))
    start_ms = 1_700_000_000_000 // HOUR_MS * HOUR_MS + np.arange(bars, dtype=np.int64) * interval_ms
    kept = np.ones(bars, bool)
    for _ in range(holes):
        first = int(rng.integers(0, bars))
        kept[first : first + int(rng.integers(1, 12))] = False
    return PricePath(interval_ms, *(column[kept] for column in (start_ms, open_, high, low, close)))


def bars_of(path: PricePath) -> list[PathBar]:
    columns = (path.start_ms, path.end_ms, path.open, path.high, path.low, path.close)
    return [PathBar(*row) for row in zip(*(column.tolist() for column in columns), strict=True)]


def is_torn(bars: list[PathBar], entered_ms: int, length_ms: int) -> bool:
    """No prices for too long, anywhere between the entry and the end of the horizon."""
    due_ms = entered_ms + length_ms
    held = [bar for bar in bars if bar.start_ms >= entered_ms and bar.end_ms <= due_ms]
    known = [entered_ms, *(moment for bar in held for moment in (bar.start_ms, bar.end_ms)), due_ms]
    return max(after - before for before, after in zip(known[::2], known[1::2], strict=True)) > max_hole_ms(
        length_ms
    )


def one_by_one(
    path: PricePath, at_ms: int, atr_usd: float, direction: Direction, settlements: Settlements | None
) -> dict[str, tuple[int, float | None, bool | None]]:
    """(state, net, won) per horizon, by the rules that score live trades."""
    bars = bars_of(path)
    # A bar that begins at the evaluation was traded after it.
    first = next((bar for bar in bars if bar.start_ms >= at_ms), None)
    if first is not None and first.start_ms - at_ms > MAX_ENTRY_WAIT_MS:
        first = None
    if first is None:
        state = OPEN if at_ms > bars[-1].start_ms else UNSCORABLE
        return dict.fromkeys(HORIZONS_MS, (state, None, None))
    plan = plan_trade(direction, entered_ms=first.start_ms, entry=first.open, barriers=None, atr_usd=atr_usd)
    if isinstance(plan, Unscorable):
        return dict.fromkeys(HORIZONS_MS, (UNSCORABLE, None, None))
    ends = follow(plan, bars, known_until_ms=bars[-1].end_ms)
    found: dict[str, tuple[int, float | None, bool | None]] = {}
    for horizon in HORIZONS_MS:
        end = ends.get(horizon)
        if first.start_ms + HORIZONS_MS[horizon] > bars[-1].end_ms:
            end = None  # what is touched early is known early: all wait until the horizon is over
        elif is_torn(bars, first.start_ms, HORIZONS_MS[horizon]):
            end = Unscorable.HOLES  # live scores what is touched before the hole; here the hole is known
        if not isinstance(end, Ending):
            found[horizon] = (OPEN if end is None else UNSCORABLE, None, None)
            continue
        stamps = None
        if settlements is not None:
            stamps = list(zip(settlements.at_ms.tolist(), settlements.rate_frac.tolist(), strict=True))
        result = settle(plan, end, tier=1, settlements=stamps)
        found[horizon] = (SCORED, result.net_frac, result.is_win)
    return found


@settings(max_examples=25)
@given(
    st.integers(0, 2**31),
    st.sampled_from([0, 0, 3, 40]),
    st.sampled_from([0.05, 0.4, 1.5]),
    st.booleans(),
    st.sampled_from([MINUTE_MS, 5 * MINUTE_MS, HOUR_MS]),
)
def test_every_trade_ends_as_it_would_bar_by_bar(
    seed: int, holes: int, atr_usd: float, has_funding: bool, interval_ms: int
) -> None:
    path = made_path(seed, bars=2_000, holes=holes, interval_ms=interval_ms)
    rng = np.random.default_rng(seed)
    span = int(path.end_ms[-1] - path.start_ms[0])
    at_ms = np.sort(path.start_ms[0] + rng.integers(0, span + HOUR_MS, 12))
    at_ms[:6] -= at_ms[:6] % interval_ms
    at_ms = np.sort(at_ms)
    stamps = np.arange(path.start_ms[0], path.end_ms[-1], 8 * HOUR_MS, dtype=np.int64)
    funding = Settlements(stamps, rng.normal(0, 1e-4, stamps.size)) if has_funding else None
    found = trade_both_sides(path, at_ms, np.full(at_ms.size, atr_usd), tier=1, settlements=funding)
    for row, moment in enumerate(at_ms.tolist()):
        for direction in (Direction.LONG, Direction.SHORT):
            wanted = one_by_one(path, moment, atr_usd, direction, funding)
            for one in found:
                side = one.long if direction is Direction.LONG else one.short
                state, net, is_win = wanted[one.horizon]
                assert side.state[row] == state, (one.horizon, direction)
                if net is not None:
                    assert side.net_frac[row] == pytest.approx(net, abs=1e-12)
                    assert side.win[row] == is_win


def flat(prices: list[tuple[float, float, float, float]]) -> PricePath:
    columns = np.array(prices, dtype=np.float64).T
    return PricePath(MINUTE_MS, np.arange(len(prices), dtype=np.int64) * MINUTE_MS, *columns)


def only(found: tuple[HorizonOutcomes, ...], horizon: str) -> HorizonOutcomes:
    return next(one for one in found if one.horizon == horizon)


def test_worked_numbers_of_a_long_and_a_short() -> None:
    """Entry 100, ATR 1: LONG to 101 earns 0.01 - 0.0016, the SHORT of the same moment loses 0.01 + 0.0016."""
    path = flat([(100, 100.2, 99.9, 100.1), (100.1, 101.2, 100.0, 101.1)] + [(101, 101.1, 100.9, 101)] * 20)
    found = only(trade_both_sides(path, np.array([0]), np.array([1.0]), tier=1), "15m")
    assert found.long.net_frac[0] == pytest.approx(0.0084)
    assert found.short.net_frac[0] == pytest.approx(-0.0116)
    assert (found.long.win[0], found.short.win[0]) == (True, False)
    assert found.long.end_ms[0] == 2 * MINUTE_MS


def test_a_bar_that_touches_both_barriers_loses_on_both_sides() -> None:
    path = flat([(100, 101.5, 98.5, 100)] * 20)
    found = only(trade_both_sides(path, np.array([0]), np.array([1.0]), tier=1), "15m")
    assert not found.long.win[0]
    assert not found.short.win[0]
    assert found.long.net_frac[0] == pytest.approx(-0.0116)
    assert found.short.net_frac[0] == pytest.approx(-0.0116)


@pytest.mark.parametrize("turned", [1.0, -1.0])
def test_a_hole_before_the_end_of_the_horizon_hides_quick_trades_too(turned: float) -> None:
    """Entry 100, target 101 touched in the second minute; of the hour a hole of six minutes comes later."""
    prices = [(100, 100.1, 99.9, 100), (100, 101.2, 99.95, 101)] + [(101, 101.1, 100.9, 101)] * 70
    path = flat([(100 + turned * (o - 100), *sorted((100 + turned * (h - 100), 100 + turned * (low - 100)),
                 reverse=True), 100 + turned * (c - 100)) for o, h, low, c in prices])  # fmt: skip
    kept = np.ones(len(path), bool)
    kept[30:36] = False
    torn = PricePath(
        MINUTE_MS,
        *(column[kept] for column in (path.start_ms, path.open, path.high, path.low, path.close)),
    )
    for one, wanted in ((path, SCORED), (torn, UNSCORABLE)):
        found = trade_both_sides(one, np.array([0]), np.array([1.0]), tier=1)
        assert only(found, "1h").long.state[0] == only(found, "1h").short.state[0] == wanted
        assert only(found, "15m").long.state[0] == SCORED


def test_holes_do_not_make_the_hit_rate_better() -> None:
    """Six minutes are missing in every three hours: trades that last long meet them, and leave with the quick
    ones of the same hours."""
    path = made_path(21, bars=30_000)
    kept = (np.arange(len(path)) % 180) < 174
    torn = PricePath(
        MINUTE_MS,
        *(column[kept] for column in (path.start_ms, path.open, path.high, path.low, path.close)),
    )
    at_ms = path.start_ms[0] + np.arange(0, 29_000, 60, dtype=np.int64) * MINUTE_MS
    atr = np.full(at_ms.size, 1.0)
    whole, holed = (only(trade_both_sides(one, at_ms, atr, tier=1), "1h").long for one in (path, torn))
    scored = holed.state == SCORED
    assert 0 < scored.sum() < (whole.state == SCORED).sum()
    # What is left is scored as it was, and chosen by the clock alone: hours without a hole, all of them.
    assert holed.win[scored].tolist() == whole.win[scored].tolist()
    minute = (at_ms - path.start_ms[0]) // MINUTE_MS % 180
    assert set(minute[scored].tolist()).isdisjoint(minute[(holed.state == UNSCORABLE)].tolist())


def test_a_stop_that_is_jumped_over_is_filled_at_the_open() -> None:
    path = flat([(100, 100.1, 99.9, 100)] + [(97, 97.2, 96.9, 97)] * 20)
    found = only(trade_both_sides(path, np.array([0]), np.array([1.0]), tier=1), "15m")
    assert found.long.net_frac[0] == pytest.approx(-0.03 - 0.0016)


def test_dearer_trading_leaves_less_by_just_the_difference() -> None:
    path = made_path(5)
    at_ms = path.start_ms[:2_000:60]
    atr = np.full(at_ms.size, 0.4)
    plain = only(trade_both_sides(path, at_ms, atr, tier=1), "1h")
    dear = only(trade_both_sides(path, at_ms, atr, tier=1, cost_factor=2.0), "1h")
    scored = plain.long.state == SCORED
    assert plain.long.net_frac[scored] - dear.long.net_frac[scored] == pytest.approx(0.0016)
    assert dear.long.win.sum() <= plain.long.win.sum()


def test_a_market_upside_down_swaps_the_sides() -> None:
    """Prices reflected about the entry: what the LONG earned the SHORT earns, to the last digit."""
    path = made_path(9)
    entry = float(path.open[0])
    upside_down = PricePath(
        MINUTE_MS,
        path.start_ms,
        *(2 * entry - column for column in (path.open, path.low, path.high, path.close)),
    )
    at_ms, atr = path.start_ms[:1], np.array([0.3])
    for one, other in zip(
        trade_both_sides(path, at_ms, atr, tier=1),
        trade_both_sides(upside_down, at_ms, atr, tier=1),
        strict=True,
    ):
        assert one.long.net_frac[0] == pytest.approx(other.short.net_frac[0], abs=1e-12)
        assert one.short.net_frac[0] == pytest.approx(other.long.net_frac[0], abs=1e-12)
        assert one.long.win[0] == other.short.win[0]


def test_longs_pay_positive_funding_and_shorts_receive_it() -> None:
    path = flat([(100, 100.1, 99.9, 100)] * 120)
    funding = Settlements(np.array([30 * MINUTE_MS]), np.array([0.0003]))
    found = only(trade_both_sides(path, np.array([0]), np.array([1.0]), tier=1, settlements=funding), "1h")
    assert found.long.net_frac[0] == pytest.approx(-0.0016 - 0.0003)
    assert found.short.net_frac[0] == pytest.approx(-0.0016 + 0.0003)


def test_the_end_of_the_path_leaves_trades_open_and_missing_atr_unscorable() -> None:
    path = flat([(100, 100.1, 99.9, 100)] * 120)
    at_ms = np.array([0, 0, 110 * MINUTE_MS, 130 * MINUTE_MS])
    found = trade_both_sides(path, at_ms, np.array([1.0, np.nan, 1.0, 1.0]), tier=1)
    assert only(found, "1h").long.state.tolist() == [SCORED, UNSCORABLE, OPEN, OPEN]
    assert only(found, "4h").short.state.tolist() == [OPEN, UNSCORABLE, OPEN, OPEN]
    assert np.isnan(only(found, "4h").long.net_frac).all()


def test_a_path_without_bars_is_refused() -> None:
    empty = PricePath(MINUTE_MS, np.empty(0, np.int64), *(np.empty(0) for _ in range(4)))
    with pytest.raises(InvariantViolation):
        trade_both_sides(empty, np.array([0]), np.array([1.0]), tier=1)
