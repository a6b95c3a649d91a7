"""Views under one deadline: order of sources, gaps with the plan that cures them, bugs that cost one part."""

from __future__ import annotations

import asyncio
import dataclasses
from typing import Any

import pytest

from app.core.clock import ManualClock
from app.core.domain.quality import CacheState, Missing, MissingReason, Reading
from app.core.domain.symbol import Symbol
from app.core.domain.views import View, ViewQuery
from app.core.errors import (
    ProviderError,
    ProviderNoData,
    ProviderNotConfigured,
    ProviderPlanLimited,
    ProviderTimeout,
)
from app.core.ports import Fetched, ViewSource
from app.services.derivatives_service import DerivativesService
from tests.derivatives_facts import coin_market

BTC = ViewQuery(symbol=Symbol("BTC"))
VIEW = View.COIN_MARKET


def answering(value: object, provider: str = "coinglass", view: View = VIEW) -> ViewSource:
    async def fetch(_query: ViewQuery) -> Fetched[object]:
        return Fetched(value, f"{provider}_endpoint", 1_000, 2_000, CacheState.MISS)

    return ViewSource(view, provider, "endpoint", fetch, lambda _query: None)


def failing(
    error: Exception, provider: str = "coinglass", plan: str | None = None, view: View = VIEW
) -> ViewSource:
    async def fetch(_query: ViewQuery) -> Fetched[object]:
        raise error

    return ViewSource(view, provider, "endpoint", fetch, lambda _query: plan)


def hanging(view: View = VIEW) -> ViewSource:
    async def fetch(_query: ViewQuery) -> Fetched[object]:
        await asyncio.Event().wait()
        raise AssertionError

    return ViewSource(view, "coinglass", "endpoint", fetch, lambda _query: None)


def service(*sources: ViewSource, deadline_s: float = 5.0) -> DerivativesService:
    return DerivativesService(sources=sources, resolve=Symbol, clock=ManualClock(0), deadline_s=deadline_s)


async def one(*sources: ViewSource, deadline_s: float = 5.0) -> Any:
    return (await service(*sources, deadline_s=deadline_s).parts([VIEW], BTC))[VIEW]


async def test_the_first_source_that_answers_wins_and_is_named() -> None:
    part = await one(answering("first"), answering("second", "okx"))
    assert isinstance(part.found, Reading)
    assert (part.found.value, part.found.provider, part.plan_needed) == ("first", "coinglass", None)
    assert (part.found.ts_event_ms, part.found.ts_init_ms) == (1_000, 2_000)


async def test_a_source_without_plan_or_key_makes_way_for_the_next() -> None:
    for error in (ProviderPlanLimited("coinglass", "e", "no"), ProviderNotConfigured("coinglass", "e", "no")):
        part = await one(failing(error, plan="standard"), answering("public", "okx"))
        assert isinstance(part.found, Reading)
        assert part.found.provider == "okx"
        assert [attempt.outcome for attempt in part.found.attempts] == [error.code, "ok"]


async def test_what_a_lesser_source_answered_says_why_and_which_plan_has_the_whole() -> None:
    error = ProviderPlanLimited("coinglass", "e", "not asked: the hobbyist plan lacks 1h bars")
    part = await one(failing(error, plan="startup"), answering("public", "okx"))
    assert isinstance(part.fell_back, Missing)
    assert part.fell_back.reason is MissingReason.NOT_IN_PLAN
    assert part.fell_back.detail == "coinglass: not asked: the hobbyist plan lacks 1h bars"
    assert part.plan_needed == "startup"


async def test_a_fault_behind_a_fallback_is_told_without_a_plan() -> None:
    part = await one(failing(ProviderTimeout("coinglass", "e", "slow")), answering("public", "okx"))
    assert isinstance(part.fell_back, Missing)
    assert (part.fell_back.reason, part.plan_needed) == (MissingReason.TIMEOUT, None)


async def test_a_reduced_form_of_the_same_provider_is_told_a_whole_one_is_not() -> None:
    refused = failing(ProviderPlanLimited("coinglass", "e", "no"), plan="standard")
    reduced = await one(refused, dataclasses.replace(answering("part"), is_reduced=True))
    whole = await one(refused, answering("all of it"))
    assert reduced.fell_back is not None
    assert reduced.plan_needed == "standard"
    assert (whole.fell_back, whole.plan_needed) == (None, None)


async def test_of_two_whole_forms_the_plan_of_the_cheaper_is_named() -> None:
    error = ProviderNotConfigured("coinglass", "e", "no key set")
    part = await one(failing(error, plan="standard"), failing(error, plan="hobbyist"))
    assert part.plan_needed == "hobbyist"


async def test_what_two_forms_say_alike_is_said_once() -> None:
    error = ProviderNotConfigured("coinglass", "e", "no key set")
    part = await one(failing(error), failing(error), failing(ProviderNoData("okx", "e", "none"), "okx"))
    assert isinstance(part.found, Missing)
    assert part.found.detail == "coinglass: no key set; okx: none"


async def test_what_nobody_has_names_the_plan_that_would_have_it() -> None:
    part = await one(failing(ProviderNotConfigured("coinglass", "e", "no key set"), plan="startup"))
    assert isinstance(part.found, Missing)
    assert part.found.reason is MissingReason.NOT_CONFIGURED
    assert part.plan_needed == "startup"


async def test_a_fault_is_told_before_a_plan_that_never_had_it() -> None:
    part = await one(
        failing(ProviderPlanLimited("coinglass", "e", "no"), plan="standard"),
        failing(ProviderTimeout("coinglass", "e", "slow")),
        failing(ProviderNoData("okx", "e", "none"), "okx"),
    )
    assert isinstance(part.found, Missing)
    assert part.found.reason is MissingReason.TIMEOUT
    assert "okx: none" in part.found.detail
    assert part.plan_needed == "standard"


async def test_the_list_of_markets_falls_back_to_the_coins_of_the_watchlist() -> None:
    async def of_coin(query: ViewQuery) -> Fetched[object]:
        assert query.symbol is not None
        if query.symbol.base == "SOL":
            raise ProviderNoData("okx", "e", "SOL is not listed")
        size = {"BTC": 1e9, "ETH": 2e9}[query.symbol.base]
        at_ms = 1_000 if query.symbol.base == "BTC" else 900
        market = coin_market(query.symbol.base, interest_usd=size)
        return Fetched(market, "e", at_ms, 2_000, CacheState.HIT)

    whole = failing(ProviderPlanLimited("coinglass", "e", "no list"), plan="standard", view=View.ALL_MARKETS)
    coins = ViewSource(View.COIN_MARKET, "okx", "e", of_coin, lambda _query: None)
    use_case = DerivativesService(
        sources=[whole, coins],
        resolve=Symbol,
        clock=ManualClock(0),
        deadline_s=5.0,
        watch=lambda: [Symbol("BTC"), Symbol("ETH"), Symbol("SOL")],
    )
    part = (await use_case.parts([View.ALL_MARKETS], ViewQuery()))[View.ALL_MARKETS]
    assert isinstance(part.found, Reading)
    assert isinstance(part.found.value, tuple)
    assert [market.base for market in part.found.value] == ["ETH", "BTC"]
    assert (part.found.ts_event_ms, part.found.provider, part.plan_needed) == (900, "okx", "standard")
    assert part.fell_back is not None
    assert part.fell_back.detail == "coinglass: no list; SOL: okx: SOL is not listed"


async def test_a_view_without_any_source_is_missing_not_an_error() -> None:
    part = await one()
    assert isinstance(part.found, Missing)
    assert part.found.reason is MissingReason.NO_DATA


async def test_a_hanging_part_costs_only_itself_and_only_its_deadline() -> None:
    other = View.FUNDING_VENUES
    found = await service(hanging(), answering("there", view=other), deadline_s=0.05).parts(
        [VIEW, other], BTC
    )
    assert isinstance(found[VIEW].found, Missing)
    assert found[VIEW].found.reason is MissingReason.TIMEOUT
    assert isinstance(found[other].found, Reading)


async def test_a_hanging_first_source_leaves_time_for_the_second() -> None:
    part = await one(hanging(), answering("late", "okx"), deadline_s=0.1)
    assert isinstance(part.found, Reading)
    assert part.found.provider == "okx"


async def test_a_bug_in_one_adapter_costs_one_part() -> None:
    part = await one(failing(ZeroDivisionError("bug")))
    assert isinstance(part.found, Missing)
    assert part.found.reason is MissingReason.BAD_PAYLOAD


@pytest.mark.parametrize("interval", [None, "4h"])
async def test_every_source_gets_the_question_as_it_was_asked(interval: str | None) -> None:
    seen: list[ViewQuery] = []

    async def fetch(query: ViewQuery) -> Fetched[object]:
        seen.append(query)
        raise ProviderError("coinglass", "e", "no")

    query = ViewQuery(symbol=Symbol("ETH"), interval=interval, model=3)
    source = ViewSource(VIEW, "coinglass", "e", fetch, lambda _query: None)
    await service(source, source).parts([VIEW], query)
    assert seen == [query, query]


class TestShortcuts:
    async def found(self, shortcut: ViewSource, *sources: ViewSource) -> Any:
        made = DerivativesService(
            sources=sources, shortcuts=[shortcut], resolve=Symbol, clock=ManualClock(0), deadline_s=5.0
        )
        return (await made.parts([VIEW], BTC))[VIEW]

    async def test_what_is_kept_answers_before_anybody_is_asked(self) -> None:
        part = await self.found(answering(coin_market(), "stream"), failing(AssertionError("was asked")))
        assert (part.found.provider, part.plan_needed, part.fell_back) == ("stream", None, None)

    @pytest.mark.parametrize(
        "error",
        [
            ProviderNoData("stream", "x", "old"),
            ProviderNotConfigured("stream", "x", "cold"),
            RuntimeError("bug"),
        ],
    )
    async def test_one_that_has_nothing_is_no_fallback_and_leaves_no_trace(self, error: Exception) -> None:
        part = await self.found(failing(error, "stream"), answering(coin_market()))
        assert (part.found.provider, part.fell_back) == ("coinglass", None)
        assert [attempt.provider for attempt in part.found.attempts] == ["coinglass"]

    async def test_of_another_view_it_is_not_asked(self) -> None:
        other = answering(coin_market(), "stream", View.WHALE_ALERTS)
        assert (await self.found(other, answering(coin_market()))).found.provider == "coinglass"
