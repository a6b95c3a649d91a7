"""The structure of now, read off runs over made-up and real candles."""

from __future__ import annotations

import math

import numpy as np
import pytest

from app.core.domain.structure import BreakKind, RangePart
from app.core.smc.bars import Bars
from app.core.smc.ranges import is_deep, optimal_entry_of, zone_of
from app.core.smc.run import run_smc
from app.core.smc.state import MAX_SWEEPS, SWEEP_BARS, read_structure
from tests.smc_facts import SETS, head, oracle_bars, walk_bars


@pytest.mark.parametrize(
    ("pos", "part", "deep", "entry"),
    [
        (0.04, RangePart.DISCOUNT, True, 0),
        (0.30, RangePart.DISCOUNT, False, 1),
        (0.474, RangePart.DISCOUNT, False, 0),
        (0.475, RangePart.EQUILIBRIUM, False, 0),
        (0.525, RangePart.EQUILIBRIUM, False, 0),
        (0.70, RangePart.PREMIUM, False, -1),
        (0.96, RangePart.PREMIUM, True, 0),
    ],
)
def test_parts_of_the_range(pos: float, part: RangePart, deep: bool, entry: int) -> None:
    assert (zone_of(pos), is_deep(pos), optimal_entry_of(pos)) == (part, deep, entry)
    # Upside down, discount is premium and a long's entry a short's.
    assert optimal_entry_of(1.0 - pos) == -entry
    assert zone_of(math.nan) is None


@pytest.mark.parametrize("name", SETS)
def test_the_state_is_the_last_row_of_everything(name: str) -> None:
    bars = head(oracle_bars(name), 1_500)
    run = run_smc(bars)
    state = read_structure(bars, run)
    assert state is not None
    assert (state.as_of_ms, state.bars, state.trend) == (bars.close_ms[-1], 1_500, run.breaks.dir[-1])
    assert state.last_break is not None
    assert state.last_break.level_usd == run.breaks.level[-1]
    assert (state.last_break.kind is BreakKind.CHOCH) == run.breaks.is_choch[-1]
    assert state.range is not None
    assert state.range.low_usd <= bars.close[-1] <= state.range.high_usd
    assert state.range.high_usd >= (state.swing_high_usd or 0.0)
    if state.retracement is not None:
        assert state.retracement.current_pct <= state.retracement.deepest_pct <= 100


@pytest.mark.parametrize("seed", range(4))
def test_sweeps_are_news_still_stand_and_are_told_once(seed: int) -> None:
    bars = walk_bars(seed, 900)
    state = read_structure(bars, run_smc(bars))
    assert state is not None
    assert 0 < len(state.sweeps) <= MAX_SWEEPS
    times = [sweep.at_ms for sweep in state.sweeps]
    assert times == sorted(times, reverse=True)
    assert times[-1] > bars.close_ms[-1] - SWEEP_BARS * bars.interval_ms
    assert len({(sweep.level_usd, sweep.is_high, sweep.kind) for sweep in state.sweeps}) == len(state.sweeps)
    for sweep in state.sweeps:
        since = bars.close_ms > sweep.at_ms
        crossing = bars.close_ms <= sweep.at_ms
        if sweep.kind != "run":
            extreme = bars.high[crossing][-4:].max() if sweep.is_high else bars.low[crossing][-4:].min()
            beyond = bars.close[since] > extreme if sweep.is_high else bars.close[since] < extreme
            assert not beyond.any()


@pytest.mark.parametrize("size", [0, 1, 5, 20])
def test_little_history_says_little_and_nothing_false(size: int) -> None:
    bars: Bars = walk_bars(1, size)
    state = read_structure(bars, run_smc(bars))
    if size == 0:
        assert state is None
        return
    assert state is not None
    assert (state.atr_usd is None) == (size < 14)
    if size < 11:
        assert (state.trend, state.last_break, state.range, state.retracement) == (None,) * 4
        assert (state.swing_high_usd, state.sweeps) == (None, ())


def test_the_day_before_and_open_sessions_are_told() -> None:
    bars = oracle_bars("btcusdt_perp_15m")
    day_ms = 86_400_000
    # The last bar of the 15 minutes after 14:00 UTC in May: London and New York are open.
    ends = np.flatnonzero((bars.close_ms - bars.interval_ms) % day_ms == 14 * 3_600_000)
    cut = head(bars, int(ends[40]) + 1)
    state = read_structure(cut, run_smc(cut))
    assert state is not None
    names = {session.name for session in state.sessions}
    assert names == {"london", "new_york", "london_close_kill_zone"}
    day = next(levels for levels in state.previous if levels.period == "1d")
    opens = cut.close_ms - cut.interval_ms
    before = (opens >= opens[-1] // day_ms * day_ms - day_ms) & (opens < opens[-1] // day_ms * day_ms)
    assert (day.high_usd, day.low_usd) == (cut.high[before].max(), cut.low[before].min())
    assert not day.is_partial
