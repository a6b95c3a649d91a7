"""Were levels reached as often as said? Windows of recorded candles, and the scores of every way to say it.

For each window: levels at fixed distances (in ATR of 1 h) on both sides of the close, and whether price
traded at them within the horizon. Ways: a constant, the table of past hit rates, the closed form with a fast
and a slow volatility, raw and calibrated. Fitted on the windows before the split, scored after it. Section 6
and 7.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate

import numpy as np

from app.core.calibration.hit_rates import build_hit_rates
from app.core.calibration.logistic import Calibration, fit
from app.core.calibration.scores import block_bootstrap, brier, log_loss, reliability
from app.core.confluence.sweep import touch_probability
from app.core.domain.hit_rates import HitRates
from app.core.domain.market import HOUR_MS
from app.core.domain.track_record import Mean, ReliabilityBin
from app.core.smc.bars import Bars, Floats, Ints, wilder_atr

DISTANCES_ATR = (0.5, 1.0, 2.0, 3.0, 4.0)
TABLE_DISTANCES_ATR = (0.25, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0, 8.0, 10.0)
FAST_HALF_LIFE_H, SLOW_HALF_LIFE_H = 6.0, 72.0
_WARM_UP_H = 7 * 24


@dataclass(frozen=True, slots=True)
class Windows:
    """Resolved windows, one row per level. distance_log: |ln(b/P)|; sigmas per root hour; hit: 0 or 1."""

    at_ms: Ints
    distance_atr: Floats
    distance_log: Floats
    fast_sigma: Floats
    slow_sigma: Floats
    hit: Floats

    def __len__(self) -> int:
        return self.hit.size

    def where(self, kept: np.ndarray) -> Windows:
        return Windows(
            self.at_ms[kept],
            self.distance_atr[kept],
            self.distance_log[kept],
            self.fast_sigma[kept],
            self.slow_sigma[kept],
            self.hit[kept],
        )


def join_windows(parts: Sequence[Windows]) -> Windows:
    """Several coins as one list."""
    names = ("at_ms", "distance_atr", "distance_log", "fast_sigma", "slow_sigma", "hit")
    return Windows(*(np.concatenate([getattr(part, name) for part in parts]) for name in names))


def resolve_windows(bars: Bars, horizon_h: float, distances_atr: Sequence[float]) -> Windows:
    """Windows that do not overlap, from a week after the first bar on. Everything but `hit` was known at the
    window's start; hit: the bars wholly inside of (t, t + horizon] traded at the level."""
    span = round(horizon_h * HOUR_MS / bars.interval_ms)
    first = _WARM_UP_H * HOUR_MS // bars.interval_ms
    starts = np.arange(first, len(bars) - span, span)
    # A window over a hole in the recording has seen less than its time.
    whole = bars.close_ms[starts + span] - bars.close_ms[starts] == span * bars.interval_ms
    starts = starts[whole]
    if starts.size == 0:
        none = np.empty(0)
        return Windows(np.empty(0, dtype=np.int64), none, none, none, none, none)
    ahead = starts[:, None] + 1 + np.arange(span)
    highest, lowest = bars.high[ahead].max(axis=1), bars.low[ahead].min(axis=1)
    price, atr = bars.close[starts], hourly_atr(bars)[starts]
    fast, slow = (ewma_sigmas(bars, life)[starts] for life in (FAST_HALF_LIFE_H, SLOW_HALF_LIFE_H))
    parts = []
    for distance in distances_atr:
        for side in (1, -1):
            level = price + side * distance * atr
            hit = highest >= level if side > 0 else lowest <= level
            usable = (level > 0) & (atr > 0) & (fast > 0) & (slow > 0)
            away = np.abs(np.log(np.where(usable, level, 1.0) / price))
            all_rows = Windows(
                bars.close_ms[starts],
                np.full(starts.size, distance),
                away,
                fast,
                slow,
                hit.astype(np.float64),
            )
            parts.append(all_rows.where(usable))
    return join_windows(parts)


def hourly_atr(bars: Bars) -> Floats:
    """ATR(14) of whole hours, at each bar the newest that had closed; NaN before there is one."""
    if bars.interval_ms == HOUR_MS:
        return bars.atr
    hour = (bars.close_ms - 1) // HOUR_MS
    begins = np.flatnonzero(np.append(True, hour[1:] != hour[:-1]))
    ends = np.append(begins[1:], len(bars)) - 1
    if ends.size and bars.close_ms[-1] != (hour[-1] + 1) * HOUR_MS:
        begins, ends = begins[:-1], ends[:-1]  # the newest hour has not closed
    if not ends.size:
        return np.full(len(bars), np.nan)
    upto = ends[-1] + 1
    high = np.maximum.reduceat(bars.high[:upto], begins)
    low = np.minimum.reduceat(bars.low[:upto], begins)
    atr = wilder_atr(high, low, bars.close[ends])
    closed = bars.close_ms[ends] == (hour[ends] + 1) * HOUR_MS
    # The bar that ends an hour knows that hour; the bars after it still do.
    place = np.searchsorted(ends, np.arange(len(bars)), side="right") - 1
    known = np.where(place >= 0, atr[np.maximum(place, 0)], np.nan)
    return np.where((place >= 0) & closed[np.maximum(place, 0)], known, np.nan)


def ewma_sigmas(bars: Bars, half_life_h: float) -> Floats:
    """Volatility per root hour at each bar (`confluence.volatility`, for a whole history)."""
    keep = 2.0 ** (-bars.interval_ms / (half_life_h * HOUR_MS))
    squares = np.append(0.0, np.log(bars.close[1:] / bars.close[:-1]) ** 2).tolist()
    totals = np.array(list(accumulate(squares, lambda total, square: total * keep + square)))
    counts = [0.0] + [1.0] * (len(bars) - 1)
    weights = np.array(list(accumulate(counts, lambda total, one: total * keep + one)))
    per_bar = np.divide(totals, weights, out=np.zeros(len(bars)), where=weights > 0)
    found: Floats = np.sqrt(per_bar * HOUR_MS / bars.interval_ms)
    return found


@dataclass(frozen=True, slots=True)
class Scored:
    """One way to say it, on the test windows. against_table: its Brier score minus the table's, per
    window."""

    name: str
    brier: float
    log_loss: float
    against_table: Mean | None
    calibration: Calibration | None
    bins: tuple[ReliabilityBin, ...]


@dataclass(frozen=True, slots=True)
class SweepReport:
    """What was measured for one horizon. ships: name of the way that is shown to users, and why."""

    horizon_h: float
    train_n: int
    test_n: int
    scored: tuple[Scored, ...]
    table: HitRates
    ships: str
    why: str


TABLE = "hit-rate table"


def measure_sweeps(windows: Windows, split_ms: int, horizon_h: float) -> SweepReport:
    """Fit before the split, score after it.

    Raises:
        InvariantViolation: fewer than 500 windows on a side of the split.
    """
    gap_ms = int(horizon_h * HOUR_MS)
    train = windows.where(
        windows.at_ms + gap_ms <= split_ms
    )  # purged: its outcome lies before the split, too
    test = windows.where(windows.at_ms >= split_ms)
    table = build_hit_rates(horizon_h, train.distance_atr, train.hit)
    said: dict[str, tuple[Floats, Calibration | None]] = {
        "constant rate": (np.full(len(test), train.hit.mean()), None),
        TABLE: (np.array([_rate(table, one) for one in test.distance_atr.tolist()]), None),
    }
    for name, life in (("fast", FAST_HALF_LIFE_H), ("slow", SLOW_HALF_LIFE_H)):
        raw_train, raw_test = (_closed_form(part, horizon_h, name) for part in (train, test))
        calibration = fit(raw_train, train.hit)
        said[f"F, sigma {life:g} h, raw"] = raw_test, None
        said[f"F, sigma {life:g} h, calibrated"] = calibration.apply(raw_test), calibration
    baseline = (said[TABLE][0] - test.hit) ** 2
    scored = []
    for name, (probability, fitted) in said.items():
        difference = None
        if name != TABLE:
            squares = (probability - test.hit) ** 2 - baseline
            difference = block_bootstrap(squares, test.at_ms, 2 * gap_ms)
        scored.append(
            Scored(
                name,
                brier(probability, test.hit),
                log_loss(probability, test.hit),
                difference,
                fitted,
                reliability(probability, test.hit),
            )
        )
    ships, why = _decide(scored)
    return SweepReport(horizon_h, len(train), len(test), tuple(scored), table, ships, why)


def _rate(table: HitRates, distance_atr: float) -> float:
    found = table.at(distance_atr)
    return 0.0 if found is None else found[0]


def _closed_form(windows: Windows, horizon_h: float, which: str) -> Floats:
    sigma = windows.fast_sigma if which == "fast" else windows.slow_sigma
    rows = zip(windows.distance_log.tolist(), sigma.tolist(), strict=True)
    return np.array([touch_probability(away, s, horizon_h) for away, s in rows])


def _decide(scored: Sequence[Scored]) -> tuple[str, str]:
    """The table, unless another way beats it by more than chance."""
    others = [one for one in scored if one.against_table is not None]
    best = min(others, key=lambda one: one.brier)
    if best.against_table is not None and best.against_table.high < 0:
        return best.name, f"Brier {best.against_table.mean:+.4f} against the table, interval below 0"
    return TABLE, "no other way beats the table by more than chance"
