"""OKX funding: settled rates and the running one as one series per eight hours. Pure; provider.py fetches.

Periods are read from the stamps, settlement by settlement: contracts settle every 8, 4, 2 or 1 h and change
between them, so a rate per period means nothing without its own period.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import pairwise

from app.core.domain.market import DAY_MS, HOUR_MS, Series, Unit
from app.services.okx.parse import FUNDING_PERIODS_H, FundingNow, Rows, per_8h
from app.services.transport.cache import Freshness

_LATE_SETTLEMENT_RETRY_MS = 20_000
# A page has 100 settlements: 4 days of an hourly contract, 33 of an eight-hour one. Pages that end this many
# days back join the newest one whatever the period, and no page waits for another to learn where it ends.
_PAST_PAGES_DAYS = (3, 15, 31)
# Settlements further apart than two of the longest periods are not neighbours.
_MAX_GAP_MS = 16 * HOUR_MS
# Gaps to each side that say what the period was at the time.
_NEIGHBOURS = 2


def past_pages_ms(now_ms: int) -> tuple[int, ...]:
    """Where past pages end, newest first: whole UTC days, so that a page is asked for once a day."""
    return tuple(now_ms // DAY_MS * DAY_MS - days * DAY_MS for days in _PAST_PAGES_DAYS)


def join_settled(newest: Rows, past: Iterable[Rows]) -> Rows:
    """`newest` and the past pages (newest first) that join it without a hole; the others are left out.

    An eight-hour contract gets about 200 settlements, a four-hour one more than those of 33 days.
    """
    joined = dict(newest)
    for page in past:
        if page and joined and max(page) + _MAX_GAP_MS >= min(joined):
            joined = {**page, **joined}
    return joined


def periods_h(settled_ms: Sequence[int], running_h: int) -> tuple[int, ...]:
    """Length in hours of the period that ended at each stamp (oldest first).

    It is the distance to the settlement before, unless that is a multiple of the commonest distance around
    it: then settlements are missing in between, and the rate is one of a common period. Around it, not in
    all: contracts change their period, and a run of eight hours before one of four is no gap. Where the
    distance is no valid period (the first row) the period of the next settlement stands in; the last resort
    is the running period. Worked number: 4 h, 4 h, 8 h, 4 h, 4 h apart -> the third is one of 4 h.
    """
    gaps = [round((later - sooner) / HOUR_MS) for sooner, later in pairwise(settled_ms)]
    gaps.append(running_h)
    lengths: list[int] = []
    known_h = running_h
    for index in range(len(settled_ms) - 1, -1, -1):
        gap_h = _period_h(gaps, index - 1) if index else 0
        known_h = gap_h if gap_h in FUNDING_PERIODS_H else known_h
        lengths.append(known_h)
    return tuple(reversed(lengths))


def _period_h(gaps: Sequence[int], index: int) -> int:
    """The gap at `index`, or the commonest one around it when it is a multiple of that."""
    gap_h = gaps[index]
    counts = Counter(gaps[max(0, index - _NEIGHBOURS) : index + _NEIGHBOURS + 1])
    common_h = max(counts, key=lambda hours: (counts[hours], hours == gap_h, -hours))
    return common_h if common_h in FUNDING_PERIODS_H and gap_h % common_h == 0 else gap_h


def settled_between(settled: Rows, from_ms: int, to_ms: int) -> tuple[tuple[int, float], ...] | None:
    """(time, rate of that period as a fraction) of each settlement in (from_ms, to_ms]; None when one of them
    may not be in `settled`.

    Known is what lies after the oldest stamp and before the settlement that comes next by the last period. A
    distance that is no period, or several, hides settlements. Worked number: stamps every 8 h up to 16:00 and
    asked for (09:00, 23:59] -> that of 16:00; asked for (09:00, 24:00] -> None, the one of 24:00 is not in.
    """
    stamps = sorted(settled)
    if not stamps or stamps[0] > from_ms:
        return None
    lengths = periods_h(stamps, 8)
    if stamps[-1] + lengths[-1] * HOUR_MS <= to_ms:
        return None
    for index in range(1, len(stamps)):
        sooner, later = stamps[index - 1], stamps[index]
        if later > from_ms and sooner < to_ms and round((later - sooner) / HOUR_MS) != lengths[index]:
            return None
    return tuple((at_ms, settled[at_ms][0]) for at_ms in stamps if from_ms < at_ms <= to_ms)


def build_funding(settled: Rows, running: FundingNow, *, now_ms: int) -> Series:
    """Settled history, then the running rate as the last value; fractions per 8 h, longs pay when positive.

    Worked number: 0.00005 per 4 h enters as 0.0001. The running value is stamped by its own time, at most
    `now_ms` (provider clocks run ahead at times); at the instant of a settlement it stands for both. A
    running rate read before a settlement that is in the history is outdated: the settled one is newer.
    """
    stamps = tuple(sorted(ts for ts in settled if ts <= now_ms))
    lengths = periods_h(stamps, running.period_h)
    points = {ts: per_8h(settled[ts][0], hours) for ts, hours in zip(stamps, lengths, strict=True)}
    if not stamps or running.settles_ms > stamps[-1]:
        running_ms = min(running.ts_ms, now_ms)
        points = {ts: rate for ts, rate in points.items() if ts < running_ms}
        points[running_ms] = running.rate_8h_frac
    return Series(
        unit=Unit.FRAC_PER_8H,
        interval_ms=running.period_h * HOUR_MS,
        close_ms=tuple(points),
        values=tuple(points.values()),
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
