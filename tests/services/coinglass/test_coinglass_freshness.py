"""A history is fetched once per closed bar."""

from __future__ import annotations

from app.core.domain.market import HOUR_MS, Series, Unit
from app.services.coinglass.freshness import fixed_freshness, history_freshness
from app.services.transport.cache import Freshness

TEN = 1_760_004_000_000  # 10:00:00 UTC
TWENTY_PAST = TEN + 20 * 60_000


def bars(*close_ms: int) -> Series:
    return Series(Unit.USD, HOUR_MS, close_ms, (1.0,) * len(close_ms))


def test_with_the_newest_bar_it_is_good_until_exactly_the_next_close() -> None:
    assert history_freshness()(bars(TEN), TWENTY_PAST) == Freshness(40 * 60_000, 0, 2 * HOUR_MS)


def test_a_bar_that_may_still_grow_is_asked_again_soon() -> None:
    fresh = history_freshness()
    assert fresh(bars(TEN), TEN).fresh_ms == 20_000
    assert fresh(bars(TEN), TEN + 89_999).fresh_ms == 20_000
    assert fresh(bars(TEN), TEN + 90_000).fresh_ms == HOUR_MS - 90_000
    assert fresh(bars(TEN), TEN).error_ms == 2 * HOUR_MS


def test_a_later_bar_beside_it_proves_a_bar_final() -> None:
    assert history_freshness()(bars(TEN, TEN + HOUR_MS), TEN + 30_000).fresh_ms == HOUR_MS - 30_000


def test_nothing_is_good_beyond_the_next_close() -> None:
    assert history_freshness(missing_ms=600_000)(bars(), TEN + HOUR_MS - 1).fresh_ms == 1


def test_a_forming_bar_at_the_end_changes_nothing() -> None:
    assert history_freshness()(bars(TEN, TEN + HOUR_MS), TWENTY_PAST).fresh_ms == 2_400_000


def test_without_the_newest_bar_it_is_asked_again_soon() -> None:
    assert history_freshness()(bars(TEN - HOUR_MS), TEN + 1_000).fresh_ms == 20_000
    assert history_freshness()(bars(), TEN).fresh_ms == 20_000
    assert history_freshness(missing_ms=600_000)(bars(), TEN).fresh_ms == 600_000


def test_a_fixed_freshness_ignores_the_value() -> None:
    assert fixed_freshness(10, error_ms=30)(object(), TEN) == Freshness(10, 0, 30)
