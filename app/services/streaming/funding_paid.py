"""Real funding settlements for those who charge them: what cannot be had is not known, and never guessed.

Owns when nobody has to be asked and how long an answer may take. Called where an outcome is settled.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeAlias

from app.core.domain.market import HOUR_MS
from app.core.domain.symbol import Symbol
from app.core.errors import ProviderError, ProviderNoData
from app.core.outcome_ports import SettledFunding, Settlements

# (coin, from_ms, to_ms) -> settlements in (from_ms, to_ms]; None: not known.
FundingPaid: TypeAlias = Callable[[str, int, int], Awaitable[Settlements | None]]
DEADLINE_S = 5.0
# Hundreds of outcomes may be due at once: they do not all wait for an exchange that does not answer.
REST_S = 30.0


class PaidFunding:
    """`FundingPaid` over one exchange. The settlements of another one are not what its holders paid, but
    rates of large exchanges differ by far less than they are worth."""

    def __init__(
        self, source: SettledFunding, *, monotonic: Callable[[], float], deadline_s: float = DEADLINE_S
    ) -> None:
        self._source = source
        self._monotonic = monotonic
        self._deadline_s = deadline_s
        self._rests_until_s = 0.0

    async def __call__(self, symbol: str, from_ms: int, to_ms: int) -> Settlements | None:
        # Exchanges settle on the hour: most trades are over before anybody could be paid.
        if from_ms // HOUR_MS == to_ms // HOUR_MS:
            return ()
        if self._monotonic() < self._rests_until_s:
            return None
        try:
            async with asyncio.timeout(self._deadline_s):
                return await self._source.settled_funding(Symbol(symbol), from_ms, to_ms)
        except ProviderNoData:  # of this coin only: it is not listed there
            return None
        except (ProviderError, TimeoutError):
            self._rests_until_s = self._monotonic() + REST_S
            return None
