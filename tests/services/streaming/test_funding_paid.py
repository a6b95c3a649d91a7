"""Settlements for outcomes: asked for only when one may lie in between, and unknown when nobody answers."""

from __future__ import annotations

import asyncio

from app.core.domain.market import HOUR_MS
from app.core.domain.symbol import Symbol
from app.core.errors import ProviderUnavailable
from app.core.outcome_ports import Settlements
from app.services.streaming.funding_paid import PaidFunding

T0_MS = 500_000 * HOUR_MS


class Exchange:
    def __init__(self, answer: Settlements | None = None, *, is_up: bool = True, hangs: bool = False) -> None:
        self.asked: list[tuple[str, int, int]] = []
        self.answer, self.is_up, self.hangs = answer, is_up, hangs

    async def settled_funding(self, symbol: Symbol, from_ms: int, to_ms: int) -> Settlements | None:
        self.asked.append((symbol.base, from_ms, to_ms))
        if self.hangs:
            await asyncio.Event().wait()
        if not self.is_up:
            raise ProviderUnavailable("okx", "public_funding_rate_history", "down")
        return self.answer


async def test_over_a_full_hour_the_exchange_is_asked() -> None:
    exchange = Exchange([(T0_MS, 0.0001)])
    assert await PaidFunding(exchange)("BTC", T0_MS - 1, T0_MS) == [(T0_MS, 0.0001)]
    assert exchange.asked == [("BTC", T0_MS - 1, T0_MS)]


async def test_within_an_hour_nothing_was_paid_and_nobody_is_asked() -> None:
    exchange = Exchange(None)
    assert await PaidFunding(exchange)("BTC", T0_MS, T0_MS + HOUR_MS - 1) == ()
    assert exchange.asked == []


async def test_what_cannot_be_had_is_unknown() -> None:
    for exchange in (Exchange(None), Exchange(is_up=False), Exchange(hangs=True)):
        assert await PaidFunding(exchange, deadline_s=0.01)("BTC", T0_MS - 1, T0_MS) is None
