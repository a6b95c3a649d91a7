"""The gatherer: one task per capability, one deadline, every failure a value."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

import pytest

from app.core.clock import SteppedClock, SystemClock
from app.core.domain.context import Capability, DataMode, EnhancedSignalContext
from app.core.domain.market import Price, PriceKind
from app.core.domain.quality import CacheState, Missing, MissingReason, Reading
from app.core.domain.symbol import Symbol
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
from app.core.ports import Fetched, Source
from app.services.context_service import ContextService, SourceOrder, ask

BTC = Symbol("BTC")
Fetch = Callable[[Symbol], Awaitable[Fetched[object]]]


def price(value: float, ts_event_ms: int = 1_000) -> Fetched[object]:
    return Fetched(Price(value, PriceKind.LAST_TRADE), "ticker", ts_event_ms, ts_event_ms, CacheState.MISS)


def answers(fetched: Fetched[object]) -> Fetch:
    async def fetch(_: Symbol) -> Fetched[object]:
        return fetched

    return fetch


def fails(error: Exception) -> Fetch:
    async def fetch(_: Symbol) -> Fetched[object]:
        raise error

    return fetch


async def hangs(_: Symbol) -> Fetched[object]:
    await asyncio.Event().wait()
    raise AssertionError("an event nobody sets was set")


def service(
    fetches: dict[str, Fetch],
    *,
    order: tuple[str, ...] | None = None,
    deadline_s: float = 5.0,
    oldest_ms: int = 0,
) -> ContextService:
    """A gatherer that knows only prices, from providers named by their keys."""
    sources = [Source(Capability.PRICE, name, f"{name}_ticker", fetch) for name, fetch in fetches.items()]
    return ContextService(
        sources=SourceOrder.build({Capability.PRICE: order or tuple(fetches)}, sources),
        clock=SystemClock(),
        data_mode=DataMode.LIVE,
        deadline_s=deadline_s,
        is_fresh=lambda _capability, fetched, _now_ms: fetched.ts_event_ms >= oldest_ms,
    )


async def gathered_price(built: ContextService) -> Reading[Price] | Missing:
    context: EnhancedSignalContext = await built.gather(BTC)
    return context.price


async def test_the_first_source_that_answers_is_the_reading() -> None:
    found = await gathered_price(service({"okx": answers(price(10.0)), "coinglass": answers(price(11.0))}))
    assert isinstance(found, Reading)
    assert (found.value.price_usd, found.provider) == (10.0, "okx")
    assert [attempt.provider for attempt in found.attempts] == ["okx"]


async def test_a_fallback_is_named_with_the_failure_before_it() -> None:
    down = ProviderUnavailable("okx", "ticker", "connection refused")
    found = await gathered_price(service({"okx": fails(down), "coinglass": answers(price(11.0))}))
    assert isinstance(found, Reading)
    assert found.provider == "coinglass"
    assert [(a.provider, a.outcome) for a in found.attempts] == [("okx", "unavailable"), ("coinglass", "ok")]


@pytest.mark.parametrize(
    ("error_type", "reason"),
    [
        (ProviderTimeout, MissingReason.TIMEOUT),
        (ProviderUnavailable, MissingReason.UNAVAILABLE),
        (ProviderRateLimited, MissingReason.RATE_LIMITED),
        (ProviderCircuitOpen, MissingReason.CIRCUIT_OPEN),
        (ProviderAuthFailed, MissingReason.AUTH_FAILED),
        (ProviderPlanLimited, MissingReason.NOT_IN_PLAN),
        (ProviderBadPayload, MissingReason.BAD_PAYLOAD),
        (ProviderNoData, MissingReason.NO_DATA),
    ],
)
async def test_every_provider_error_becomes_its_own_reason(
    error_type: type[ProviderError], reason: MissingReason
) -> None:
    found = await gathered_price(service({"okx": fails(error_type("okx", "ticker", "because"))}))
    assert isinstance(found, Missing)
    assert found.reason is reason
    assert "okx: because" in found.detail


async def test_a_provider_without_a_key_is_not_configured_and_does_not_hide_a_fault() -> None:
    down = ProviderUnavailable("okx", "ticker", "refused")
    found = await gathered_price(service({"okx": fails(down)}, order=("okx", "coinapi")))
    assert isinstance(found, Missing)
    assert found.reason is MissingReason.UNAVAILABLE
    assert [a.outcome for a in found.attempts] == ["unavailable", "not_configured"]


async def test_an_input_that_nobody_can_fetch_is_not_configured() -> None:
    context = await service({"okx": answers(price(10.0))}).gather(BTC)
    assert isinstance(context.social, Missing)
    assert context.social.reason is MissingReason.NOT_CONFIGURED


async def test_a_hanging_first_source_leaves_time_for_the_second() -> None:
    found = await gathered_price(service({"okx": hangs, "coinglass": answers(price(11.0))}, deadline_s=0.1))
    assert isinstance(found, Reading)
    assert found.provider == "coinglass"
    assert found.attempts[0].outcome == "timeout"


async def test_sources_that_cannot_be_asked_get_no_share_of_the_time() -> None:
    async def slow(_: Symbol) -> Fetched[object]:
        await asyncio.sleep(0.4)
        return price(10.0)

    # A third of 1 s would not be enough; the other two have no key.
    found = await gathered_price(
        service({"okx": slow}, order=("okx", "coinglass", "coinapi"), deadline_s=1.0)
    )
    assert isinstance(found, Reading)


async def test_everything_hanging_ends_at_the_deadline_with_reasons() -> None:
    async with asyncio.timeout(30):
        found = await gathered_price(service({"okx": hangs, "coinglass": hangs}, deadline_s=0.1))
    assert isinstance(found, Missing)
    assert found.reason is MissingReason.TIMEOUT


async def test_a_source_whose_time_has_passed_says_so_and_names_no_seconds_below_none() -> None:
    late = Source(Capability.PRICE, "okx", "ticker", hangs)
    found, attempt = await ask(late, BTC, -0.2, SystemClock())
    assert found is None
    assert attempt.detail == "no answer at once, and no time was left to wait"


async def test_a_stale_first_choice_makes_way_for_a_fresh_second() -> None:
    built = service(
        {"okx": answers(price(10.0, 1_000)), "coinglass": answers(price(11.0, 9_000))}, oldest_ms=5_000
    )
    found = await gathered_price(built)
    assert isinstance(found, Reading)
    assert found.provider == "coinglass"


async def test_when_all_are_stale_the_youngest_is_handed_on() -> None:
    built = service(
        {"okx": answers(price(10.0, 1_000)), "coinglass": answers(price(11.0, 2_000))}, oldest_ms=5_000
    )
    found = await gathered_price(built)
    assert isinstance(found, Reading)
    assert (found.provider, found.ts_event_ms) == ("coinglass", 2_000)


async def test_a_bug_in_one_adapter_costs_one_input_and_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.ERROR):
        found = await gathered_price(
            service({"okx": fails(ZeroDivisionError("oops")), "coinglass": answers(price(11.0))})
        )
    assert isinstance(found, Reading)
    assert found.provider == "coinglass"
    assert "adapter failed" in caplog.text


async def test_cancelling_the_gatherer_is_never_swallowed() -> None:
    task = asyncio.create_task(service({"okx": hangs}).gather(BTC))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


def columns(capability: Capability, provider: str, fetch: Fetch) -> Source:
    return Source(capability, provider, f"{provider}_{capability}", fetch)


async def test_open_interest_follows_the_provider_of_the_liquidations() -> None:
    down = ProviderUnavailable("coinglass", "liquidations", "refused")
    usd = Capability.OPEN_INTEREST_USD
    sources = [
        columns(Capability.LIQUIDATIONS, "coinglass", fails(down)),
        columns(Capability.LIQUIDATIONS, "okx", answers(price(1.0))),
        columns(usd, "coinglass", answers(price(2.0))),
        columns(usd, "okx", answers(price(3.0))),
    ]
    order = dict.fromkeys([Capability.LIQUIDATIONS, usd], ("coinglass", "okx"))
    built = ContextService(
        sources=SourceOrder.build(order, sources),
        clock=SystemClock(),
        data_mode=DataMode.LIVE,
        deadline_s=5.0,
        is_fresh=lambda _capability, _fetched, _now_ms: True,
    )
    context = await built.gather(BTC)
    assert isinstance(context.liquidations, Reading)
    assert isinstance(context.open_interest_usd, Reading)
    assert context.liquidations.provider == context.open_interest_usd.provider == "okx"
    assert [a.provider for a in context.open_interest_usd.attempts] == ["coinglass", "okx"]


async def test_a_replay_calls_its_price_a_last_close_and_dates_answers_by_their_question() -> None:
    clock = SteppedClock(5_000)

    async def slow(_: Symbol) -> Fetched[object]:
        clock.advance(130_000)  # at sixty times the speed, two seconds of waiting
        return price(10.0, 5_000)

    built = ContextService(
        sources=SourceOrder.build(
            {Capability.PRICE: ("okx",)}, [Source(Capability.PRICE, "okx", "ticker", slow)]
        ),
        clock=clock,
        data_mode=DataMode.REPLAY,
        deadline_s=1_000.0,
        is_fresh=lambda _capability, _fetched, _now_ms: True,
    )
    context = await built.gather(BTC)
    assert context.as_of_ms == 5_000
    assert isinstance(context.price, Reading)
    assert context.price.value.kind is PriceKind.LAST_CLOSE
