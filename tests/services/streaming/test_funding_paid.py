"""Settlements for outcomes: asked for only when one may lie in between, and unknown when nobody answers."""

from __future__ import annotations

import asyncio

from app.core.clock import ManualClock
from app.core.domain.market import HOUR_MS
from app.core.domain.symbol import Symbol
from app.core.errors import ProviderError, ProviderNoData, ProviderUnavailable
from app.core.outcome_ports import Settlements
from app.services.streaming.funding_paid import REST_S, PaidFunding

T0_MS = 500_000 * HOUR_MS


class Exchange:
    def __init__(
        self,
        answer: Settlements | None = None,
        *,
        error: type[ProviderError] | None = None,
        hangs: bool = False,
    ) -> None:
        self.asked: list[tuple[str, int, int]] = []
        self.answer, self.error, self.hangs = answer, error, hangs

    async def settled_funding(self, symbol: Symbol, from_ms: int, to_ms: int) -> Settlements | None:
        self.asked.append((symbol.base, from_ms, to_ms))
        if self.hangs:
            await asyncio.Event().wait()
        if self.error is not None:
            raise self.error("okx", "public_funding_rate_history", "no")
        return self.answer


def paid_by(exchange: Exchange, clock: ManualClock | None = None) -> PaidFunding:
    return PaidFunding(exchange, monotonic=(clock or ManualClock()).monotonic_s, deadline_s=0.01)


async def test_over_a_full_hour_the_exchange_is_asked() -> None:
    exchange = Exchange([(T0_MS, 0.0001)])
    assert await paid_by(exchange)("BTC", T0_MS - 1, T0_MS) == [(T0_MS, 0.0001)]
    assert exchange.asked == [("BTC", T0_MS - 1, T0_MS)]


async def test_within_an_hour_nothing_was_paid_and_nobody_is_asked() -> None:
    exchange = Exchange(None)
    assert await paid_by(exchange)("BTC", T0_MS, T0_MS + HOUR_MS - 1) == ()
    assert exchange.asked == []


async def test_what_cannot_be_had_is_unknown() -> None:
    for exchange in (Exchange(None), Exchange(error=ProviderUnavailable), Exchange(hangs=True)):
        assert await paid_by(exchange)("BTC", T0_MS - 1, T0_MS) is None


async def test_an_exchange_that_does_not_answer_is_left_alone_for_a_while() -> None:
    exchange, clock = Exchange([], error=ProviderUnavailable), ManualClock()
    paid = paid_by(exchange, clock)
    assert [await paid("BTC", T0_MS - 1, T0_MS) for _ in range(3)] == [None] * 3
    assert len(exchange.asked) == 1
    clock.tick(REST_S)
    exchange.error = None
    assert await paid("BTC", T0_MS - 1, T0_MS) == []


async def test_a_coin_that_is_not_listed_costs_the_others_nothing() -> None:
    exchange = Exchange([], error=ProviderNoData)
    paid = paid_by(exchange)
    assert await paid("NEW", T0_MS - 1, T0_MS) is None
    exchange.error = None
    assert await paid("BTC", T0_MS - 1, T0_MS) == []
