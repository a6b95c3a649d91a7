"""What the Smart Money engine finds, in columns: append-only, keyed by when it could be known.

Indices are bar positions; `NEVER` stands for "not happened (yet)", NaN for a figure that is not known. Rows
are in order of `confirmed_at`. Nothing is deleted or moved: an end is a column. `dir` +1 is bullish (swings,
pivots, pools, sweeps: highs), -1 bearish (lows).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

from app.core.smc.bars import Bools, Floats, Ints


class SweepKind(IntEnum):
    """What the bar that crossed a level did: closed back, closed beyond, or closed back within 3 bars."""

    SWEEP = 0
    RUN = 1
    SWEEP_LATE = 2


class LevelKind(IntEnum):
    """What level was crossed; `ref` is its row in the table of that name."""

    SWING = 0
    POOL = 1


@dataclass(frozen=True, slots=True)
class Swings:
    """Fractal highs and lows. `i` is the bar of the extreme, known `right` bars later."""

    i: Ints
    dir: Ints
    level: Floats
    confirmed_at: Ints
    taken_at: Ints  # first bar that traded beyond the level


@dataclass(frozen=True, slots=True)
class Pivots:
    """Swings folded into alternating structure; a more extreme one of the same direction supersedes."""

    i: Ints
    dir: Ints
    level: Floats
    confirmed_at: Ints
    superseded_at: Ints


@dataclass(frozen=True, slots=True)
class Breaks:
    """Breaks of structure. `is_choch`: against the trend; `is_initial`: there was no trend yet."""

    dir: Ints
    level: Floats
    swing_i: Ints
    confirmed_at: Ints
    is_choch: Bools
    is_initial: Bools
    close_margin_atr: (
        Floats  # how far the close lies beyond the level; below 0 in wick mode means "only the wick"
    )


@dataclass(frozen=True, slots=True)
class Gaps:
    """Fair value gaps: `i` is the middle candle of three."""

    i: Ints
    dir: Ints
    top: Floats
    bottom: Floats
    confirmed_at: Ints
    size_atr: Floats
    touched_at: Ints
    mid_at: Ints  # half filled
    filled_at: Ints
    inverted_at: Ints  # a close beyond the far edge: acts the other way from here
    ended_at: Ints


@dataclass(frozen=True, slots=True)
class Blocks:
    """Order blocks: `i` is the extreme candle before a break of structure."""

    i: Ints
    dir: Ints
    top: Floats
    bottom: Floats
    confirmed_at: Ints
    volume: Floats
    balance_pct: Floats  # evenness of the volume, not power
    displacement_atr: Floats
    rel_volume: Floats
    touched_at: Ints
    mitigated_at: Ints  # traded through half of it
    broken_at: Ints  # a breaker from here: acts the other way
    ended_at: Ints


@dataclass(frozen=True, slots=True)
class Pools:
    """Equal highs or lows. `edge`: stops rest beyond it. members: swing positions, oldest first."""

    dir: Ints
    level: Floats
    edge: Floats
    first_i: Ints
    newest_i: Ints
    count: Ints
    confirmed_at: Ints
    superseded_at: Ints  # a later pool holds these members and more
    taken_at: Ints
    members: tuple[tuple[int, ...], ...]


@dataclass(frozen=True, slots=True)
class Sweeps:
    """First crossings of single swings and pools, and what became of them."""

    level_kind: Ints
    ref: Ints
    dir: Ints
    level: Floats
    kind: Ints
    crossed_at: Ints
    confirmed_at: Ints
    penetration_atr: Floats
    rejection: Floats
    vol_ratio: Floats
    is_stop_hunt: Bools
    invalidated_at: Ints  # a close beyond the extreme of the sweep; runs are never invalidated


@dataclass(frozen=True, slots=True)
class Ranges:
    """One row per bar: the dealing range and the retracement of the last leg; NaN where there is none.

    pos: 0 at the low, 1 at the high. range_id: changes with each pivot. leg_dir: 0 without a leg.
    """

    high: Floats
    low: Floats
    pos: Floats
    range_id: Ints
    leg_dir: Ints
    current_pct: Floats
    deepest_pct: Floats


@dataclass(frozen=True, slots=True)
class SmcRun:
    """Everything found in `bars` bars."""

    bars: int
    swings: Swings
    pivots: Pivots
    breaks: Breaks
    wick_breaks: Breaks
    gaps: Gaps
    blocks: Blocks
    pools: Pools
    sweeps: Sweeps
    ranges: Ranges
