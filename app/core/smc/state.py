"""The structure of now, read off a run over closed candles."""

from __future__ import annotations

import math

from app.core.domain.market import DAY_MS
from app.core.domain.structure import (
    BreakKind,
    DealingRange,
    PeriodLevels,
    Retracement,
    SessionState,
    StructureBreak,
    StructureState,
    SweepEvent,
)
from app.core.smc.bars import NEVER, Bars
from app.core.smc.periods import Period, standing_levels
from app.core.smc.ranges import is_deep, optimal_entry_of, zone_of
from app.core.smc.records import LevelKind, SmcRun, SweepKind
from app.core.smc.sessions import SESSIONS, session_columns

MAX_SWEEPS = 5
# What happened longer ago is history, not news.
SWEEP_BARS = 50
_PERIODS = (Period.DAY, Period.WEEK)


def read_structure(bars: Bars, run: SmcRun) -> StructureState | None:
    """The state at the last bar; None without bars."""
    if not len(bars):
        return None
    breaks = run.breaks
    atr = float(bars.atr[-1])
    return StructureState(
        as_of_ms=int(bars.close_ms[-1]),
        bars=len(bars),
        missing_bars=bars.missing_bars,
        atr_usd=None if math.isnan(atr) else atr,
        trend=int(breaks.dir[-1]) if breaks.dir.size else None,
        last_break=_last_break(bars, run),
        swing_high_usd=_newest_pivot(run, 1),
        swing_low_usd=_newest_pivot(run, -1),
        range=_range(run),
        retracement=_retracement(run),
        sweeps=_sweeps(bars, run),
        previous=tuple(found for period in _PERIODS if (found := _previous(bars, period)) is not None),
        sessions=_sessions(bars),
    )


def _last_break(bars: Bars, run: SmcRun) -> StructureBreak | None:
    table = run.breaks
    if not table.dir.size:
        return None
    margin = float(table.close_margin_atr[-1])
    return StructureBreak(
        kind=BreakKind.CHOCH if table.is_choch[-1] else BreakKind.BOS,
        is_up=bool(table.dir[-1] > 0),
        level_usd=float(table.level[-1]),
        at_ms=int(bars.close_ms[table.confirmed_at[-1]]),
        margin_atr=None if math.isnan(margin) else margin,
    )


def _newest_pivot(run: SmcRun, direction: int) -> float | None:
    rows = ((run.pivots.dir == direction) & (run.pivots.superseded_at == NEVER)).nonzero()[0]
    return float(run.pivots.level[rows[-1]]) if rows.size else None


def _range(run: SmcRun) -> DealingRange | None:
    pos = float(run.ranges.pos[-1])
    part = zone_of(pos)
    if part is None:
        return None
    return DealingRange(
        high_usd=float(run.ranges.high[-1]),
        low_usd=float(run.ranges.low[-1]),
        pos_frac=pos,
        part=part,
        is_deep=is_deep(pos),
        ote=optimal_entry_of(pos),
    )


def _retracement(run: SmcRun) -> Retracement | None:
    direction = int(run.ranges.leg_dir[-1])
    if direction == 0:
        return None
    return Retracement(direction > 0, float(run.ranges.current_pct[-1]), float(run.ranges.deepest_pct[-1]))


def _sweeps(bars: Bars, run: SmcRun) -> tuple[SweepEvent, ...]:
    """The newest that still stand, newest first: neither invalidated, nor a run that came back."""
    table, found = run.sweeps, list[SweepEvent]()
    # The pool at the same price stands behind its swings in the table, so it is met first and tells for them.
    told: set[tuple[float, int]] = set()
    late = {
        (int(table.level_kind[row]), int(table.ref[row]))
        for row in (table.kind == SweepKind.SWEEP_LATE).nonzero()[0].tolist()
    }
    for row in range(table.ref.size - 1, -1, -1):
        if len(found) == MAX_SWEEPS or table.confirmed_at[row] < len(bars) - SWEEP_BARS:
            break
        level = int(table.level_kind[row]), int(table.ref[row])
        is_over = table.kind[row] == SweepKind.RUN and level in late
        place = float(table.level[row]), int(table.crossed_at[row])
        if is_over or place in told or table.invalidated_at[row] != NEVER:
            continue
        told.add(place)
        found.append(
            SweepEvent(
                kind=SweepKind(int(table.kind[row])).name.lower(),
                what=LevelKind(level[0]).name.lower(),
                is_high=bool(table.dir[row] > 0),
                level_usd=float(table.level[row]),
                at_ms=int(bars.close_ms[table.confirmed_at[row]]),
                is_stop_hunt=bool(table.is_stop_hunt[row]),
            )
        )
    return tuple(found)


def _previous(bars: Bars, period: Period) -> PeriodLevels | None:
    if bars.interval_ms > DAY_MS or (period is Period.DAY and bars.interval_ms == DAY_MS):
        return None
    row = standing_levels(bars, period)
    if row is None:
        return None
    return PeriodLevels(period.value, row.high, row.low, row.is_partial, row.broken_high, row.broken_low)


def _sessions(bars: Bars) -> tuple[SessionState, ...]:
    """Those that hold the last bar; none on bars as long as a session."""
    if bars.interval_ms >= 4 * 3_600_000:
        return ()
    # A window is at most half a day long; two days hold all of it.
    tail = bars.tail(2 * DAY_MS // bars.interval_ms)
    found = []
    for session in SESSIONS:
        columns = session_columns(tail, session)
        if columns.is_active[-1]:
            found.append(
                SessionState(
                    session.name,
                    session.is_kill_zone,
                    int(columns.start_ms[-1]),
                    float(columns.high[-1]),
                    float(columns.low[-1]),
                )
            )
    return tuple(found)
