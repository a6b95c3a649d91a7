"""The call budget: never above N in any window as the provider sees it, pauses, usage headers, refusals."""

from __future__ import annotations

import asyncio
import tracemalloc
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.errors import ProviderRateLimited
from app.services.transport.limits import MARGIN_S, EndpointLimit, Quota


class Clock:
    def __init__(self) -> None:
        self.now_s = 1000.0

    def monotonic(self) -> float:
        return self.now_s

    async def sleep(self, seconds: float) -> None:
        self.now_s += seconds
        await asyncio.sleep(0)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def make(clock: Clock) -> Callable[..., Quota]:
    def build(calls: int | None, window_s: float = 60.0, classes: tuple[EndpointLimit, ...] = ()) -> Quota:
        return Quota(
            "p",
            calls=calls,
            window_s=window_s,
            classes=classes,
            monotonic=clock.monotonic,
            sleep=clock.sleep,
        )

    return build


async def call(quota: Quota, endpoint: str = "e", max_wait_s: float = 0.0) -> None:
    quota.release(await quota.acquire(endpoint, max_wait_s), sent=True)


async def test_calls_beyond_the_limit_are_refused_at_once_with_the_time_to_wait(
    make: Callable[..., Quota], clock: Clock
) -> None:
    quota = make(2)
    await call(quota)
    clock.now_s += 10
    await call(quota)
    with pytest.raises(ProviderRateLimited) as refused:
        await quota.acquire("e", 5.0)
    assert refused.value.retry_after_s == pytest.approx(50 + MARGIN_S)
    assert clock.now_s == 1010.0


async def test_a_wait_that_fits_is_waited(make: Callable[..., Quota], clock: Clock) -> None:
    quota = make(2, 10.0)
    slot = await quota.acquire("e", 0)
    clock.now_s += 1
    quota.release(slot, sent=True)
    await call(quota)
    await call(quota, max_wait_s=20)
    assert clock.now_s == pytest.approx(1011.05)


async def test_a_request_under_way_holds_its_slot_until_a_window_after_its_answer(
    make: Callable[..., Quota], clock: Clock
) -> None:
    quota = make(1, 10.0)
    slot = await quota.acquire("e", 0)
    clock.now_s += 30
    with pytest.raises(ProviderRateLimited):
        await quota.acquire("e", 9)
    quota.release(slot, sent=True)
    with pytest.raises(ProviderRateLimited):
        await quota.acquire("e", 9)


async def test_a_slot_that_was_never_used_is_free_again(make: Callable[..., Quota]) -> None:
    quota = make(1)
    quota.release(await quota.acquire("e", 0), sent=False)
    await call(quota)
    with pytest.raises(ProviderRateLimited):  # that one was used
        await quota.acquire("e", 0)


async def test_each_endpoint_has_its_own_window_when_the_provider_counts_so(
    make: Callable[..., Quota],
) -> None:
    quota = make(None, classes=(EndpointLimit(1, 2.0),))
    await call(quota, "ticker")
    await call(quota, "candles")
    with pytest.raises(ProviderRateLimited):
        await quota.acquire("ticker", 0)


async def test_endpoints_of_a_shared_class_use_one_window(make: Callable[..., Quota]) -> None:
    quota = make(None, classes=(EndpointLimit(1, 2.0, frozenset({"a", "b"}), shared=True),))
    await call(quota, "a")
    await call(quota, "c")
    with pytest.raises(ProviderRateLimited):
        await quota.acquire("b", 0)


async def test_no_call_leaves_during_a_pause_and_a_shorter_pause_does_not_cut_it(
    make: Callable[..., Quota], clock: Clock
) -> None:
    quota = make(100)
    quota.pause(30)
    quota.pause(5)
    assert quota.left() == 0
    with pytest.raises(ProviderRateLimited) as refused:
        await quota.acquire("e", 10)
    assert refused.value.retry_after_s == 30
    clock.now_s += 30
    await call(quota)


async def test_usage_headers_count_the_calls_of_other_programs(make: Callable[..., Quota]) -> None:
    quota = make(80)
    await call(quota)
    quota.observe_usage(79, 80)
    assert (quota.left(), quota.limit()) == (1, 80)
    quota.observe_usage(80, 80)
    with pytest.raises(ProviderRateLimited):
        await quota.acquire("e", 0)


async def test_usage_headers_behind_our_own_count_give_nothing_back(make: Callable[..., Quota]) -> None:
    quota = make(80)
    for _ in range(5):
        await call(quota)
    quota.observe_usage(3, 80)
    assert quota.left() == 75


async def test_the_limit_header_resizes_the_budget_and_nonsense_does_not(
    make: Callable[..., Quota],
) -> None:
    quota = make(30)
    quota.observe_usage(None, 300)
    assert quota.limit() == 300
    quota.observe_usage(-5, 0)
    assert (quota.limit(), quota.left()) == (300, 300)


@pytest.mark.parametrize(("used", "limit"), [(20_000_000, 20_000_000), (20_000_000, 80), (None, 100_001)])
async def test_absurd_usage_headers_are_ignored_and_cost_no_memory(
    make: Callable[..., Quota], used: int | None, limit: int
) -> None:
    quota = make(80)
    tracemalloc.start()
    quota.observe_usage(used, limit)
    peak_bytes = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak_bytes < 100_000
    assert (quota.limit(), quota.left()) == (80, 80)


async def test_a_use_header_without_any_limit_counts_nothing(make: Callable[..., Quota]) -> None:
    quota = make(None)
    quota.observe_usage(90_000, None)
    quota.resize(80)
    assert quota.left() == 80


async def test_a_use_header_above_the_limit_fills_it_and_no_more(make: Callable[..., Quota]) -> None:
    quota = make(80)
    quota.observe_usage(500, 80)
    assert quota.left() == 0
    quota.resize(100)
    assert quota.left() == 20


async def test_an_unknown_limit_lets_everything_pass(make: Callable[..., Quota]) -> None:
    quota = make(None)
    for _ in range(1000):
        await call(quota)
    assert quota.left() is None


async def test_callers_that_cannot_be_served_in_time_are_refused_before_they_wait(clock: Clock) -> None:
    async def sleep_for_good(_seconds: float) -> None:
        await asyncio.Event().wait()

    quota = Quota("p", calls=10, window_s=10, monotonic=clock.monotonic, sleep=sleep_for_good)
    for _ in range(10):
        await call(quota)
    tasks = [asyncio.create_task(call(quota, max_wait_s=11)) for _ in range(1000)]
    done, queued = await asyncio.wait(tasks, timeout=0)
    for task in queued:
        task.cancel()
    await asyncio.gather(*queued, return_exceptions=True)
    assert len(queued) == 10
    assert all(isinstance(task.exception(), ProviderRateLimited) for task in done)


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["ask", "answer", "drop"]),
        st.floats(0, 4),  # time before the step
        st.floats(0, 1),  # how far between sending and answer the provider saw it
    ),
    max_size=120,
)


@given(calls=st.integers(1, 6), window_s=st.floats(0.5, 10), steps=STEPS)
def test_the_provider_never_sees_more_than_n_calls_in_any_window(
    calls: int, window_s: float, steps: list[tuple[str, float, float]]
) -> None:
    asyncio.run(_check_window(calls, window_s, steps))


async def _check_window(calls: int, window_s: float, steps: list[tuple[str, float, float]]) -> None:
    clock = Clock()
    quota = Quota("p", calls=calls, window_s=window_s, monotonic=clock.monotonic, sleep=clock.sleep)
    under_way: list[tuple[object, float]] = []
    seen_s: list[float] = []
    for kind, gap_s, share in steps:
        clock.now_s += gap_s
        if kind == "ask":
            try:
                slot = await quota.acquire("e", 3.0)
            except ProviderRateLimited:
                continue
            under_way.append((slot, clock.now_s))
        elif under_way:
            slot_, sent_s = under_way.pop(0)
            quota.release(slot_, sent=kind == "answer")  # type: ignore[arg-type]
            if kind == "answer":
                seen_s.append(sent_s + share * (clock.now_s - sent_s))
    # Requests still under way may have been seen at any moment: assume the last.
    seen_s = sorted([*seen_s, *(clock.now_s for _ in under_way)])
    for first, over in zip(seen_s, seen_s[calls:], strict=False):
        assert over - first >= window_s
