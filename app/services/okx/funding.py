"""OKX funding: settled rates and the running one as one series per eight hours. Pure; provider.py fetches.

Periods are read from the stamps, settlement by settlement: contracts settle every 8, 4, 2 or 1 h and change
between them, so a rate per period means nothing without its own period.
"""

from __future__ import annotations

from app.core.domain.market import HOUR_MS, Series, Unit
from app.services.okx.parse import FUNDING_PERIODS_H, FundingNow, Rows, per_8h
from app.services.transport.cache import Freshness

_LATE_SETTLEMENT_RETRY_MS = 20_000


def periods_h(settled_ms: tuple[int, ...], running_h: int) -> tuple[int, ...]:
    """Length in hours of the period that ended at each stamp (oldest first).

    It is the distance to the settlement before. Where that is no valid period (the first row, a missing
    row) the period of the next settlement stands in; the last resort is the running period.
    """
    lengths: list[int] = []
    known_h = running_h
    for index in range(len(settled_ms) - 1, -1, -1):
        gap_h = round((settled_ms[index] - settled_ms[index - 1]) / HOUR_MS) if index else 0
        known_h = gap_h if gap_h in FUNDING_PERIODS_H else known_h
        lengths.append(known_h)
    return tuple(reversed(lengths))


def build_funding(settled: Rows, running: FundingNow, *, now_ms: int) -> Series:
    """Settled history, then the running rate as the last value; fractions per 8 h, longs pay when positive.

    Worked number: 0.00005 per 4 h enters as 0.0001. The running value is stamped by its own time, at most
    `now_ms` (provider clocks run ahead at times); at the instant of a settlement it stands for both.
    """
    running_ms = min(running.ts_ms, now_ms)
    stamps = tuple(sorted(ts for ts in settled if ts < running_ms))
    lengths = periods_h(stamps, running.period_h)
    rates = tuple(per_8h(settled[ts][0], hours) for ts, hours in zip(stamps, lengths, strict=True))
    return Series(
        unit=Unit.FRAC_PER_8H,
        interval_ms=running.period_h * HOUR_MS,
        close_ms=(*stamps, running_ms),
        values=(*rates, running.rate_8h_frac),
        label="OKX settled funding, then the running rate",
    )


def settled_freshness(settled: Rows, fetched_ms: int) -> Freshness:
    """Until the next settlement is due, at most an hour (periods can shorten); a late one: 20 s."""
    stamps = tuple(sorted(settled))
    if not stamps:
        return Freshness(fresh_ms=HOUR_MS)
    period_ms = periods_h(stamps, 8)[-1] * HOUR_MS
    due_in_ms = stamps[-1] + period_ms - fetched_ms
    fresh_ms = min(due_in_ms, HOUR_MS) if due_in_ms > 0 else _LATE_SETTLEMENT_RETRY_MS
    return Freshness(fresh_ms=fresh_ms, error_ms=2 * period_ms)
