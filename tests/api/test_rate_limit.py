"""The sliding window: worked number, waiting as told, bounded memory."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from app.api.rate_limit import SlidingWindowLimiter


def test_worked_number_of_the_docstring() -> None:
    limiter = SlidingWindowLimiter(60)
    for _ in range(60):
        assert limiter.check("a", 600.0).allowed
    verdict = limiter.check("a", 675.0)
    assert (verdict.allowed, verdict.remaining, verdict.reset_s) == (True, 14, 45)


def test_callers_do_not_share_an_allowance() -> None:
    limiter = SlidingWindowLimiter(1)
    assert limiter.check("a", 0.0).allowed
    assert limiter.check("b", 0.0).allowed
    assert not limiter.check("a", 0.0).allowed


def test_whoever_asked_least_recently_is_forgotten_first() -> None:
    limiter = SlidingWindowLimiter(1, max_callers=2)
    for caller in ("a", "b", "a", "c"):
        limiter.check(caller, 0.0)
    assert not limiter.check("a", 0.0).allowed
    assert limiter.check("b", 0.0).allowed


@given(limit=st.integers(1, 50), gaps=st.lists(st.floats(0, 40), max_size=200))
def test_waiting_as_told_is_enough(limit: int, gaps: list[float]) -> None:
    limiter, now_s = SlidingWindowLimiter(limit), 0.0
    for gap in gaps:
        now_s += gap
        verdict = limiter.check("a", now_s)
        assert 0 <= verdict.remaining < limit
        assert 1 <= verdict.reset_s <= 60
        if not verdict.allowed:
            now_s += verdict.retry_after_s
            assert limiter.check("a", now_s).allowed


@given(limit=st.integers(1, 30), times=st.lists(st.floats(0, 300), max_size=300))
def test_no_window_lets_in_more_than_the_limit(limit: int, times: list[float]) -> None:
    limiter = SlidingWindowLimiter(limit)
    allowed = [now_s for now_s in sorted(times) if limiter.check("a", now_s).allowed]
    for index in range(6):
        inside = [now_s for now_s in allowed if index * 60 <= now_s < (index + 1) * 60]
        assert len(inside) <= limit
