"""How good the published probabilities were: the log scored, and a calibration where there is enough of
it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from app.core.calibration.logistic import MIN_WINDOWS, Calibration, fit
from app.core.calibration.scores import (
    block_bootstrap,
    brier,
    log_loss,
    log_losses,
    reliability,
)
from app.core.domain.stored import ProbabilityRow
from app.core.domain.track_record import Mean, ReliabilityBin
from app.core.errors import InvariantViolation

HOUR_MS = 3_600_000


@dataclass(frozen=True, slots=True)
class LogReport:
    """One horizon. n: resolved windows that do not overlap per level. calibration: fitted on the first half;
    gain: its log loss less the published one's on the second half; is_kept: the interval lies below 0."""

    horizon_h: float
    n: int
    brier: float
    log_loss: float
    bins: tuple[ReliabilityBin, ...]
    calibration: Calibration | None
    gain: Mean | None
    is_kept: bool
    note: str


def score_log(rows: Sequence[ProbabilityRow], horizon_h: float) -> LogReport:
    """Score the resolved rows of one horizon.

    Raises:
        InvariantViolation: none is resolved.
    """
    kept = _apart([row for row in rows if row.horizon_h == horizon_h and row.outcome is not None])
    if not kept:
        raise InvariantViolation(f"no resolved probability of {horizon_h:g} h")
    probability = np.array([row.probability for row in kept])
    hit = np.array([row.outcome for row in kept], dtype=np.float64)
    at_ms = np.array([row.at_ms for row in kept], dtype=np.int64)
    half = int(np.searchsorted(at_ms, at_ms[0] + (at_ms[-1] - at_ms[0]) // 2))
    # What had not ended before the second half began is not the past yet.
    past = np.flatnonzero(at_ms[:half] + int(horizon_h * HOUR_MS) <= at_ms[min(half, at_ms.size - 1)])
    calibration, gain, note = None, None, ""
    if past.size < MIN_WINDOWS:
        note = f"{past.size} resolved windows in the first half, {MIN_WINDOWS} are needed to calibrate"
    else:
        calibration = fit(probability[past], hit[past])
        later = slice(half, None)
        change = log_losses(calibration.apply(probability[later]), hit[later])
        change = change - log_losses(probability[later], hit[later])
        gain = block_bootstrap(change, at_ms[later], int(2 * horizon_h * HOUR_MS))
    return LogReport(
        horizon_h=horizon_h,
        n=len(kept),
        brier=brier(probability, hit),
        log_loss=log_loss(probability, hit),
        bins=reliability(probability, hit),
        calibration=calibration,
        gain=gain,
        is_kept=gain is not None and gain.high < 0,
        note=note,
    )


def _apart(rows: Sequence[ProbabilityRow]) -> list[ProbabilityRow]:
    """In order of time; of one coin, side and distance (whole ATR) only windows that do not overlap."""
    ends: dict[tuple[str, str, int], int] = {}
    found = []
    for row in sorted(rows, key=lambda one: (one.at_ms, one.id)):
        place = row.symbol, row.side, int(row.distance_atr or 0)
        if row.at_ms >= ends.get(place, 0):
            ends[place] = row.due_ms
            found.append(row)
    return found
