"""Long hourly histories from short pages: which pages, how long each stays fresh, how they join.

Pages lie on an absolute grid (a page of 100 hours starts at a multiple of 100 hours, or half way between), so
a page whose hours have all passed never changes and is cached for a day; per bar only the newest page is
fetched again.
Pure; provider.py fetches.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from app.core.domain.market import DAY_MS, HOUR_MS
from app.core.errors import ProviderError, ProviderNoData
from app.services.okx.client import PROVIDER
from app.services.okx.parse import Rows, require_past
from app.services.transport.cache import Cached, Freshness

# A bar that should be there and is not: ask again soon, it is being computed.
LATE_BAR_RETRY_MS = 20_000
# One public client found a statistics history that had stopped years ago: older than this is no data.
FROZEN_AFTER_MS = 6 * HOUR_MS
# With pages missing, fewer bars than the engine ranks in are no history. (A young coin misses no page.)
MIN_BARS = 100
# A quarter: what traders call the range.
RANGE_DAYS = 90


@dataclass(frozen=True, slots=True)
class Page:
    """Bars that open in [start_ms, end_ms)."""

    start_ms: int
    end_ms: int


def newest_closed_open_ms(now_ms: int) -> int:
    """Open time of the last hour that is over at `now_ms`. 12:34 -> 11:00; 12:00:00.000 -> 11:00."""
    return now_ms // HOUR_MS * HOUR_MS - HOUR_MS


def grid_pages(now_ms: int, *, page_bars: int, bars: int) -> tuple[Page, ...]:
    """The grid pages, oldest first, that hold the newest `bars` closed hours at `now_ms`.

    Of two grids, half a page apart, the one with fewer pages: just after a page has begun, the first grid
    needs one page more for its oldest few hours. Worked number: 745 hours in pages of 300 are always 3 pages.
    """
    plain = _pages(now_ms, page_bars * HOUR_MS, bars, offset_ms=0)
    shifted = _pages(now_ms, page_bars * HOUR_MS, bars, offset_ms=page_bars // 2 * HOUR_MS)
    return min(plain, shifted, key=len)


def _pages(now_ms: int, width_ms: int, bars: int, *, offset_ms: int) -> tuple[Page, ...]:
    newest_ms = newest_closed_open_ms(now_ms) - offset_ms
    oldest_ms = newest_ms - (bars - 1) * HOUR_MS
    return tuple(
        Page(index * width_ms + offset_ms, (index + 1) * width_ms + offset_ms)
        for index in range(oldest_ms // width_ms, newest_ms // width_ms + 1)
    )


def page_freshness(page: Page, rows: Rows, fetched_ms: int) -> Freshness:
    """A past page keeps for a day, the newest until its next bar closes, a late one for 20 s."""
    expected_ms = min(newest_closed_open_ms(fetched_ms), page.end_ms - HOUR_MS)
    if expected_ms not in rows and fetched_ms - expected_ms < FROZEN_AFTER_MS:
        return Freshness(fresh_ms=LATE_BAR_RETRY_MS, error_ms=2 * HOUR_MS)
    if page.end_ms <= fetched_ms:
        return Freshness(fresh_ms=DAY_MS, error_ms=DAY_MS)
    return Freshness(fresh_ms=until_next_hour_ms(fetched_ms), error_ms=2 * HOUR_MS)


def until_next_hour_ms(now_ms: int) -> int:
    return HOUR_MS - now_ms % HOUR_MS


def until_next_day_ms(now_ms: int) -> int:
    return DAY_MS - now_ms % DAY_MS


def days_freshness(days: Rows, fetched_ms: int) -> Freshness:
    """Until the next UTC day closes; 20 s while the newest closed day is not there yet."""
    is_complete = fetched_ms // DAY_MS * DAY_MS - DAY_MS in days
    return Freshness(until_next_day_ms(fetched_ms) if is_complete else LATE_BAR_RETRY_MS, error_ms=DAY_MS)


def newest_days(found: Cached[Rows], *, now_ms: int, endpoint: str) -> Rows:
    """The closed UTC days of the last `RANGE_DAYS`, oldest first; fewer for a young coin.

    Raises:
        ProviderNoData: nothing closed, or the newest day ended more than a day ago (a frozen history).
        ProviderBadPayload: a day that has not begun.
    """
    require_past(max(found.value, default=0), found.fetched_ms, endpoint)
    until_ms = closed_until_ms(found, now_ms)
    closed = sorted(ts for ts in found.value if ts + DAY_MS <= until_ms)
    if not closed:
        raise ProviderNoData(PROVIDER, endpoint, "no closed days")
    if now_ms - (closed[-1] + DAY_MS) > DAY_MS + FROZEN_AFTER_MS:
        raise ProviderNoData(PROVIDER, endpoint, "history frozen: newest day older than 30 h")
    oldest_ms = closed[-1] - (RANGE_DAYS - 1) * DAY_MS
    return {ts: found.value[ts] for ts in closed if ts >= oldest_ms}


def closed_until_ms(page: Cached[Rows], now_ms: int) -> int:
    """Bars that close by this moment were closed when the page was fetched AND are closed now."""
    return min(now_ms, page.fetched_ms)


def newest_run(found: Sequence[Cached[Rows] | ProviderError]) -> list[Cached[Rows]]:
    """The pages that came, oldest first, when only the oldest ones are missing; `found` is newest first.

    Raises: the error of the newest page, or of one in the middle: what is left would have a hole.
    """
    run: list[Cached[Rows]] = []
    missing: ProviderError | None = None
    for page in found:
        if isinstance(page, ProviderError):
            missing = missing or page
            if not run:
                raise page
        elif missing is not None:
            raise missing
        else:
            run.append(page)
    return run[::-1]


def require_enough(rows: Rows, found: Sequence[Cached[Rows] | ProviderError]) -> None:
    """Raises: the error of the first missing page when fewer than a hundred bars are left to rank in."""
    missing = next((page for page in found if isinstance(page, ProviderError)), None)
    if missing is not None and len(rows) < MIN_BARS:
        raise missing


def join_pages(pages: Sequence[Cached[Rows]], *, now_ms: int, bars: int, endpoint: str) -> Rows:
    """The newest `bars` closed bars of `pages` (oldest page first), oldest bar first.

    Raises:
        ProviderNoData: nothing closed, a page in the middle is empty (a hole of days), or the newest bar is
            older than six hours (a frozen history).
        ProviderBadPayload: a bar that has not begun.
    """
    given = [page for page in pages if page.value]
    filled = [bool(page.value) for page in pages]
    if given and False in filled[filled.index(True) : len(filled) - filled[::-1].index(True)]:
        raise ProviderNoData(PROVIDER, endpoint, "the history has a hole of a whole page")
    joined: dict[int, tuple[float, ...]] = {}
    for page in given:
        # Leaving out bars that have not begun would leave shifted ones that look like the newest.
        require_past(max(page.value), page.fetched_ms, endpoint)
        until_ms = closed_until_ms(page, now_ms)
        joined |= {ts: row for ts, row in page.value.items() if ts + HOUR_MS <= until_ms}
    if not joined:
        raise ProviderNoData(PROVIDER, endpoint, "no closed bars")
    newest = sorted(joined)[-bars:]
    if now_ms - (newest[-1] + HOUR_MS) > FROZEN_AFTER_MS:
        raise ProviderNoData(PROVIDER, endpoint, "history frozen: newest bar older than 6 h")
    return {ts: joined[ts] for ts in newest}
