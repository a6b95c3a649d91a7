"""Every detector against its definition spelled out: slow, obvious, written apart from the engine."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings

from app.core.smc.bars import NEVER, Bars
from app.core.smc.config import BlockBreak, SmcConfig
from app.core.smc.records import SmcRun
from app.core.smc.run import run_smc
from tests.smc_facts import SETS, any_bars, head, oracle_bars, walk_bars

SMALL = SmcConfig(left=2, right=2, max_age_bars=20, equal_atr=0.8)


def first(holds: Any, start: int, end: int | None = None) -> int:
    """First bar t >= start (and < end) at which it holds."""
    for t in range(start, len(holds) if end is None else min(len(holds), end)):
        if holds[t]:
            return t
    return NEVER


def fractals(bars: Bars, a: int, b: int) -> list[tuple[int, int]]:
    found = []
    for i in range(a, len(bars) - b):
        h, low = bars.high, bars.low
        is_high = h[i] > max(h[i - a : i]) and h[i] >= max(h[i + 1 : i + b + 1])
        is_low = low[i] < min(low[i - a : i]) and low[i] <= min(low[i + 1 : i + b + 1])
        order = (-1, 1) if bars.close[i] >= bars.open[i] else (1, -1)
        found += [(i, d) for d in order if (is_high if d > 0 else is_low)]
    return found


@pytest.mark.parametrize(("a", "b"), [(5, 5), (10, 10), (3, 7), (50, 50)])
@pytest.mark.parametrize("name", SETS)
def test_swings_equal_a_brute_force_on_real_candles(name: str, a: int, b: int) -> None:
    bars = head(oracle_bars(name), 3_000)
    swings = run_smc(bars, SmcConfig(left=a, right=b)).swings
    assert list(zip(swings.i.tolist(), swings.dir.tolist(), strict=True)) == fractals(bars, a, b)
    assert len(swings.i) > 10


@given(any_bars())
@settings(max_examples=60)
def test_swings_and_pivots_follow_their_definitions(bars: Bars) -> None:
    run = run_smc(bars, SMALL)
    found = fractals(bars, 2, 2)
    assert list(zip(run.swings.i.tolist(), run.swings.dir.tolist(), strict=True)) == found
    pivots: list[list[float]] = []
    for i, d in found:
        level = (bars.high if d > 0 else bars.low)[i]
        if pivots and pivots[-1][1] == d:
            if level * d <= pivots[-1][2] * d:
                continue
            pivots[-1][3] = i + 2
        pivots.append([i, d, level, NEVER])
    got = zip(run.pivots.i, run.pivots.dir, run.pivots.level, run.pivots.superseded_at, strict=True)
    assert [list(row) for row in got] == pivots


@given(any_bars())
@settings(max_examples=60)
def test_breaks_follow_the_state_machine(bars: Bars) -> None:
    run = run_smc(bars, SMALL)
    for is_wick, table in ((False, run.breaks), (True, run.wick_breaks)):
        got = zip(table.confirmed_at, table.dir, table.level, table.is_choch, table.is_initial, strict=True)
        assert [tuple(row) for row in got] == break_machine(bars, run, is_wick=is_wick)


def break_machine(bars: Bars, run: SmcRun, *, is_wick: bool) -> list[tuple[Any, ...]]:
    trend, state, found = 0, dict[int, float]({}), []
    for t in range(len(bars)):
        for k in range(run.pivots.i.size):
            if run.pivots.confirmed_at[k] == t - 1:
                state[int(run.pivots.dir[k])] = run.pivots.level[k]
        up_price = bars.high[t] if is_wick else bars.close[t]
        down_price = bars.low[t] if is_wick else bars.close[t]
        broken = [
            d for d, price in ((1, up_price), (-1, down_price)) if d in state and price * d > state[d] * d
        ]
        if len(broken) == 2:
            kept = 1 if bars.close[t] >= bars.open[t] else -1
        elif broken:
            kept = broken[0]
        for d in broken:
            level = state.pop(d)
            if d == kept:
                found.append((t, d, level, trend == -d, trend == 0))
        if broken:
            trend = kept
    return found


@given(any_bars())
@settings(max_examples=60)
def test_gaps_follow_their_lives(bars: Bars) -> None:
    gaps, h, low, c, o = run_smc(bars, SMALL).gaps, bars.high, bars.low, bars.close, bars.open
    expected = []
    for i in range(1, len(bars) - 1):
        if c[i] > o[i] and h[i - 1] < low[i + 1]:
            expected.append((i, 1, low[i + 1], h[i - 1]))
        if c[i] < o[i] and low[i - 1] > h[i + 1]:
            expected.append((i, -1, low[i - 1], h[i + 1]))
    assert list(zip(gaps.i, gaps.dir, gaps.top, gaps.bottom, strict=True)) == expected
    for k, (i, d, top, bottom) in enumerate(expected):
        end, extreme = i + 1 + 20 + 1, low if d > 0 else h
        near, far = (top, bottom) if d > 0 else (bottom, top)
        middle = (top + bottom) / 2
        touched = first(extreme * d <= near * d, i + 2, end)
        assert gaps.touched_at[k] == touched
        assert gaps.mid_at[k] == first(extreme * d <= middle * d, i + 2, end)
        assert gaps.filled_at[k] == first(extreme * d <= far * d, i + 2, end)
        inverted = first(c * d < far * d, i + 2, end)
        assert gaps.inverted_at[k] == inverted
        ended = NEVER if inverted == NEVER else first(c * d > near * d, inverted + 1, end)
        assert gaps.ended_at[k] == (ended if ended != NEVER else end if end < len(bars) else NEVER)


@pytest.mark.parametrize("broken_by", BlockBreak)
@given(bars=any_bars())
@settings(max_examples=40)
def test_blocks_follow_their_lives(broken_by: BlockBreak, bars: Bars) -> None:
    config = SmcConfig(left=2, right=2, max_age_bars=20, block_break=broken_by)
    run, h, low, c, o = run_smc(bars, config), bars.high, bars.low, bars.close, bars.open
    blocks = run.blocks
    assert blocks.confirmed_at.tolist() == run.breaks.confirmed_at.tolist()
    for k in range(blocks.i.size):
        s, t0, d = int(run.breaks.swing_i[k]), int(blocks.confirmed_at[k]), int(blocks.dir[k])
        between = range(s + 1, t0)
        i = max(between, key=lambda t: (-low[t] if d > 0 else h[t], t)) if between else t0 - 1
        top, bottom = h[i], low[i]
        assert (blocks.i[k], blocks.top[k], blocks.bottom[k]) == (i, top, bottom)
        near, far, extreme = (top, bottom, low) if d > 0 else (bottom, top, h)
        beyond = extreme
        if broken_by is BlockBreak.BODY:
            beyond = np.minimum(o, c) if d > 0 else np.maximum(o, c)
        end = t0 + 20 + 1
        assert blocks.touched_at[k] == first(extreme * d <= near * d, t0 + 1, end)
        middle = (top + bottom) / 2
        assert blocks.mitigated_at[k] == first(extreme * d <= middle * d, t0 + 1, end)
        broken = first(beyond * d < far * d, t0 + 1, end)
        assert blocks.broken_at[k] == broken
        other = h if d > 0 else low
        ended = NEVER if broken == NEVER else first(other * d > near * d, broken + 1, end)
        assert blocks.ended_at[k] == (ended if ended != NEVER else end if end < len(bars) else NEVER)
        last, third = bars.volume[t0] + bars.volume[t0 - 1], bars.volume[t0 - 2]
        assert blocks.volume[k] == last + third
        if max(last, third) == 0:
            assert math.isnan(blocks.balance_pct[k])
        else:
            assert blocks.balance_pct[k] == 100 * min(last, third) / max(last, third)


def brute_pools(bars: Bars, run: SmcRun, equal_atr: float) -> list[dict[str, Any]]:
    """Definition 5 word for word: ranges are searched, nothing is carried over."""
    pools: list[dict[str, Any]] = []
    groups: list[dict[str, Any]] = []  # current candidates
    swings = run.swings
    for k in range(swings.i.size):
        i, d, x, known = (
            int(swings.i[k]),
            int(swings.dir[k]),
            swings.level[k] * swings.dir[k],
            int(swings.confirmed_at[k]),
        )
        heights = (bars.high if d > 0 else bars.low) * d
        options = []
        for group in groups:
            if group["dir"] != d or not abs(x - group["levels"][0]) <= equal_atr * bars.atr[known]:
                continue
            traded = heights[group["members"][0] + 1 : known + 1].max()
            if traded <= max(max(group["levels"]), x):
                options.append(group)
        new = {"dir": d, "levels": [x], "members": [i], "pool": None}
        if options:
            best = min(options, key=lambda g: (abs(x - g["levels"][0]), -g["members"][-1]))
            groups.remove(best)
            if best["pool"] is not None:
                pools[best["pool"]]["superseded_at"] = known
            new = {
                "dir": d,
                "levels": [*best["levels"], x],
                "members": [*best["members"], i],
                "pool": len(pools),
            }
            edge = max(new["levels"])
            taken = first(heights > edge, i + 1)
            pools.append(
                {"dir": d, "members": tuple(new["members"]), "edge": edge * d, "confirmed_at": known}
                | {
                    "superseded_at": NEVER,
                    "taken_at": taken,
                    "level": sum(new["levels"]) / len(new["levels"]) * d,
                }
            )
        groups.append(new)
    return pools


def assert_pools(bars: Bars, config: SmcConfig) -> int:
    run = run_smc(bars, config)
    expected = brute_pools(bars, run, config.equal_atr)
    got = run.pools
    for name in ("dir", "edge", "confirmed_at", "superseded_at", "taken_at", "level"):
        assert getattr(got, name).tolist() == [pool[name] for pool in expected], name
    assert list(got.members) == [pool["members"] for pool in expected]
    return len(expected)


@given(any_bars(140))
@settings(max_examples=60)
def test_pools_equal_a_search_of_every_range(bars: Bars) -> None:
    assert_pools(bars, SMALL)
    assert_pools(bars, SmcConfig(left=1, right=1, equal_atr=3.0))


def test_pools_equal_a_search_of_every_range_on_long_walks_and_real_candles() -> None:
    assert assert_pools(walk_bars(3, 1_200), SmcConfig(left=2, right=2, equal_atr=0.5)) > 100
    assert assert_pools(head(oracle_bars("btcusdt_perp_15m"), 3_000), SmcConfig()) > 10


@given(any_bars())
@settings(max_examples=60)
def test_sweeps_and_runs_follow_the_crossing_bar(bars: Bars) -> None:
    run = run_smc(bars, SMALL)
    expected = []
    tables = [
        (0, k, run.swings.dir[k], run.swings.level[k], run.swings.i[k]) for k in range(run.swings.i.size)
    ]
    tables += [
        (1, k, run.pools.dir[k], run.pools.edge[k], run.pools.newest_i[k]) for k in range(run.pools.dir.size)
    ]
    for kind, ref, d, level, i in tables:
        extreme = (bars.high if d > 0 else bars.low) * d
        at = first(extreme > level * d, int(i) + 1)
        if at == NEVER or (kind == 1 and run.pools.superseded_at[ref] < at):
            continue
        if bars.close[at] * d <= level * d:
            expected.append((kind, ref, d, level, 0, at, at))
            continue
        expected.append((kind, ref, d, level, 1, at, at))
        back = first(bars.close * d < level * d, at + 1, at + 4)
        if back != NEVER:
            expected.append((kind, ref, d, level, 2, at, back))
    s = run.sweeps
    got = zip(s.level_kind, s.ref, s.dir, s.level, s.kind, s.crossed_at, s.confirmed_at, strict=True)
    assert sorted(tuple(map(float, row)) for row in got) == sorted(tuple(map(float, row)) for row in expected)
    for k in range(s.ref.size):
        at, known, d = int(s.crossed_at[k]), int(s.confirmed_at[k]), int(s.dir[k])
        spread = bars.high[at] - bars.low[at]
        extreme = (bars.high if d > 0 else bars.low) * d
        assert s.rejection[k] == ((extreme[at] - bars.close[at] * d) / spread if spread else 0.0)
        beyond = extreme[at : known + 1].max()
        gone = first(bars.close * d > beyond, known + 1)
        assert s.invalidated_at[k] == (NEVER if s.kind[k] == 1 else gone)


@given(any_bars())
@settings(max_examples=60)
def test_ranges_and_retracements_follow_the_newest_pivots(bars: Bars) -> None:
    run = run_smc(bars, SMALL)
    r, p = run.ranges, run.pivots
    for t in range(len(bars)):
        known = [k for k in range(p.i.size) if p.confirmed_at[k] <= t]
        assert r.range_id[t] == len(known)
        high_i = next((int(p.i[k]) for k in reversed(known) if p.dir[k] > 0), None)
        low_i = next((int(p.i[k]) for k in reversed(known) if p.dir[k] < 0), None)
        high = math.nan if high_i is None else bars.high[high_i : t + 1].max()
        low = math.nan if low_i is None else bars.low[low_i : t + 1].min()
        np.testing.assert_array_equal([r.high[t], r.low[t]], [high, low])
        if high > low:
            assert r.pos[t] == (bars.close[t] - low) / (high - low)
            assert 0.0 <= r.pos[t] <= 1.0
        else:
            assert math.isnan(r.pos[t])
        if high_i is None or low_i is None:
            assert r.leg_dir[t] == 0
            continue
        end, start = (bars.high[high_i], bars.low[low_i])
        is_up = p.dir[known[-1]] > 0
        length = end - start
        if not length > 0:
            assert r.leg_dir[t] == 0
            continue
        if is_up:
            back = 100.0 * (end - bars.low[high_i + 1 : t + 1]) / length
        else:
            back = 100.0 * (bars.high[low_i + 1 : t + 1] - start) / length
        if back.max() > 100.0:
            assert r.leg_dir[t] == 0
            assert math.isnan(r.current_pct[t])
        else:
            assert (r.leg_dir[t], r.current_pct[t], r.deepest_pct[t]) == (
                1 if is_up else -1,
                back[-1],
                back.max(),
            )
