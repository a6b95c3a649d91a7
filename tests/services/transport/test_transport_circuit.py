"""The breaker: when it opens, what it counts, and that only one probe goes out."""

from __future__ import annotations

import pytest

from app.core.clock import ManualClock
from app.core.errors import (
    ProviderAuthFailed,
    ProviderBadPayload,
    ProviderCircuitOpen,
    ProviderError,
    ProviderNoData,
    ProviderPlanLimited,
    ProviderRateLimited,
    ProviderTimeout,
    ProviderUnavailable,
)
from app.services.transport.circuit import CircuitBreaker


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def changes() -> list[tuple[str, str, str]]:
    return []


@pytest.fixture
def breaker(clock: ManualClock, changes: list[tuple[str, str, str]]) -> CircuitBreaker:
    return CircuitBreaker(
        "okx",
        monotonic=clock.monotonic_s,
        cooldown_s=5,
        max_cooldown_s=60,
        on_change=lambda *change: changes.append(change),
    )


def fail(breaker: CircuitBreaker, kind: type[ProviderError] = ProviderTimeout, times: int = 1) -> None:
    for _ in range(times):
        breaker.settle(breaker.enter("ticker"), kind("okx", "ticker", "x"))


@pytest.mark.parametrize("kind", [ProviderTimeout, ProviderUnavailable, ProviderBadPayload])
def test_five_outages_in_a_row_open_it(breaker: CircuitBreaker, kind: type[ProviderError]) -> None:
    fail(breaker, kind, times=4)
    breaker.ensure_allowed("ticker")
    fail(breaker, kind)
    with pytest.raises(ProviderCircuitOpen) as refused:
        breaker.enter("ticker")
    assert refused.value.retry_after_s == 5


@pytest.mark.parametrize(
    "kind", [ProviderNoData, ProviderPlanLimited, ProviderAuthFailed, ProviderRateLimited]
)
def test_answers_that_are_no_outage_never_open_it(breaker: CircuitBreaker, kind: type[ProviderError]) -> None:
    fail(breaker, kind, times=20)
    assert breaker.state == "closed"


def test_a_success_forgets_the_outages_before_it(breaker: CircuitBreaker) -> None:
    fail(breaker, times=4)
    breaker.settle(breaker.enter("ticker"), None)
    fail(breaker, times=4)
    assert breaker.state == "closed"


def test_after_the_cooldown_exactly_one_probe_goes_out(breaker: CircuitBreaker, clock: ManualClock) -> None:
    fail(breaker, times=5)
    clock.tick(5)
    breaker.enter("ticker")
    for _ in range(10):
        with pytest.raises(ProviderCircuitOpen):
            breaker.enter("ticker")


def test_a_good_probe_closes_it_and_each_change_is_told_once(
    breaker: CircuitBreaker, clock: ManualClock, changes: list[tuple[str, str, str]]
) -> None:
    fail(breaker, times=5)
    clock.tick(5)
    breaker.settle(breaker.enter("ticker"), None)
    assert changes == [
        ("okx", "closed", "open"),
        ("okx", "open", "half_open"),
        ("okx", "half_open", "closed"),
    ]


def test_failed_probes_double_the_cooldown_up_to_the_cap(breaker: CircuitBreaker, clock: ManualClock) -> None:
    fail(breaker, times=5)
    for cooldown_s in (5, 10, 20, 40, 60, 60):
        clock.tick(cooldown_s - 0.01)
        with pytest.raises(ProviderCircuitOpen):
            breaker.enter("ticker")
        clock.tick(0.01)
        fail(breaker)


def test_a_probe_that_was_cancelled_leaves_room_for_the_next(
    breaker: CircuitBreaker, clock: ManualClock
) -> None:
    fail(breaker, times=5)
    clock.tick(5)
    breaker.release(breaker.enter("ticker"))
    breaker.settle(breaker.enter("ticker"), None)
    assert breaker.state == "closed"


def test_a_late_answer_from_before_the_outage_changes_nothing(
    breaker: CircuitBreaker, clock: ManualClock
) -> None:
    early = breaker.enter("ticker")
    fail(breaker, times=5)
    breaker.settle(early, None)
    assert breaker.state == "open"
    clock.tick(5)
    breaker.enter("ticker")
    breaker.release(early)
    with pytest.raises(ProviderCircuitOpen):
        breaker.enter("ticker")
