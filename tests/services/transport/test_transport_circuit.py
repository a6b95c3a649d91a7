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


def fail(
    breaker: CircuitBreaker,
    kind: type[ProviderError] = ProviderTimeout,
    times: int = 1,
    endpoint: str = "ticker",
    *,
    answered: bool = False,
) -> None:
    for _ in range(times):
        breaker.settle(breaker.enter(endpoint), kind("okx", endpoint, "x"), answered=answered)


def succeed(breaker: CircuitBreaker, endpoint: str = "ticker") -> None:
    breaker.settle(breaker.enter(endpoint), None, answered=True)


@pytest.mark.parametrize("answered", [False, True])
@pytest.mark.parametrize("kind", [ProviderTimeout, ProviderUnavailable, ProviderBadPayload])
def test_five_outages_in_a_row_open_it(
    breaker: CircuitBreaker, kind: type[ProviderError], answered: bool
) -> None:
    fail(breaker, kind, times=4, answered=answered)
    breaker.ensure_allowed("ticker")
    fail(breaker, kind, answered=answered)
    assert breaker.state == "open"
    with pytest.raises(ProviderCircuitOpen) as refused:
        breaker.enter("ticker")
    assert refused.value.retry_after_s == 5


@pytest.mark.parametrize(
    "kind", [ProviderNoData, ProviderPlanLimited, ProviderAuthFailed, ProviderRateLimited]
)
def test_answers_that_are_no_outage_never_open_it(breaker: CircuitBreaker, kind: type[ProviderError]) -> None:
    fail(breaker, kind, times=20, answered=True)
    assert breaker.state == "closed"


def test_a_success_forgets_the_outages_before_it(breaker: CircuitBreaker) -> None:
    fail(breaker, times=4)
    succeed(breaker)
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
    succeed(breaker)
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
    succeed(breaker)
    assert breaker.state == "closed"


def test_a_late_answer_from_before_the_outage_changes_nothing(
    breaker: CircuitBreaker, clock: ManualClock
) -> None:
    early = breaker.enter("ticker")
    fail(breaker, times=5)
    breaker.settle(early, None, answered=True)
    assert breaker.state == "open"
    clock.tick(5)
    breaker.enter("ticker")
    breaker.release(early)
    with pytest.raises(ProviderCircuitOpen):
        breaker.enter("ticker")


def test_broken_answers_of_one_family_leave_the_rest_of_the_provider_alone(breaker: CircuitBreaker) -> None:
    succeed(breaker)
    for endpoint in ("accounts", "positions", "open_interest"):
        fail(breaker, ProviderUnavailable, times=5, endpoint=endpoint, answered=True)
        with pytest.raises(ProviderCircuitOpen, match=endpoint):
            breaker.ensure_allowed(endpoint)
    succeed(breaker)
    assert (breaker.state, breaker.is_partly_open) == ("closed", True)


def test_a_family_that_hangs_while_others_answer_is_its_own_outage(breaker: CircuitBreaker) -> None:
    hanging = [breaker.enter("accounts") for _ in range(5)]
    succeed(breaker)
    for permit in hanging:
        breaker.settle(permit, ProviderTimeout("okx", "accounts", "x"), answered=False)
    breaker.ensure_allowed("ticker")
    with pytest.raises(ProviderCircuitOpen):
        breaker.ensure_allowed("accounts")


def test_connection_faults_count_together_whatever_was_asked(breaker: CircuitBreaker) -> None:
    for number in range(5):
        fail(breaker, ProviderUnavailable, endpoint=f"e{number}")
    with pytest.raises(ProviderCircuitOpen):
        breaker.ensure_allowed("ticker")


def test_an_answer_even_a_broken_one_ends_the_row_of_connection_faults(breaker: CircuitBreaker) -> None:
    fail(breaker, times=4)
    fail(breaker, ProviderUnavailable, answered=True)
    fail(breaker, times=4)
    breaker.ensure_allowed("ticker")


def test_each_endpoint_that_opens_tells_it_once_under_its_own_name(
    breaker: CircuitBreaker, clock: ManualClock, changes: list[tuple[str, str, str]]
) -> None:
    succeed(breaker, "candles")
    fail(breaker, ProviderUnavailable, times=5, answered=True)
    clock.tick(5)
    breaker.enter("candles")
    succeed(breaker)
    name = "okx ticker"
    assert changes == [(name, "closed", "open"), (name, "open", "half_open"), (name, "half_open", "closed")]
    assert not breaker.is_partly_open


def test_an_open_endpoint_has_one_probe_and_does_not_use_up_the_probe_of_the_provider(
    breaker: CircuitBreaker, clock: ManualClock
) -> None:
    fail(breaker, ProviderUnavailable, times=5, answered=True)
    clock.tick(4)
    fail(breaker, times=5, endpoint="candles")  # now the provider is away as a whole
    clock.tick(5)
    fail(breaker, ProviderUnavailable, answered=True)  # both probe; the provider is back, the ticker is not
    with pytest.raises(ProviderCircuitOpen):
        breaker.enter("ticker")
    succeed(breaker, "candles")
    assert breaker.state == "closed"


def test_a_provider_whose_every_endpoint_fails_is_shown_as_open(
    breaker: CircuitBreaker, clock: ManualClock
) -> None:
    succeed(breaker, "instruments")
    clock.tick(3600)
    for endpoint in ("ticker", "candles"):
        succeed(breaker, endpoint)
        fail(breaker, ProviderUnavailable, times=5, endpoint=endpoint, answered=True)
    before = breaker.state
    clock.tick(60)
    succeed(breaker, "candles")
    assert (before, breaker.state) == ("open", "closed")
