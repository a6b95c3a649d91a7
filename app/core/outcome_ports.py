"""What following trades needs from outside, as protocols: the store of outcomes, and settled funding.

`services.storage.outcomes` and an exchange's adapter implement them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, TypeAlias

from app.core.domain.outcomes import EntryRow, OutcomeRow, SetupCount
from app.core.domain.symbol import Symbol

# (time, rate of the period that ended then as a fraction; positive: longs pay shorts), oldest first.
Settlements: TypeAlias = Sequence[tuple[int, float]]


class SettledFunding(Protocol):
    """Funding that one exchange really settled."""

    async def settled_funding(self, symbol: Symbol, from_ms: int, to_ms: int) -> Settlements | None:
        """All settlements in (from_ms, to_ms]; None when they are not all known.

        Raises:
            ProviderError: it cannot be asked.
        """
        ...


class OutcomeStore(Protocol):
    """Outcomes of alerts, one row per alert and horizon. Every method raises `StorageUnavailable` when the
    database cannot be asked, and every write told twice changes nothing the second time."""

    async def open(self, rows: Sequence[OutcomeRow]) -> None:
        """Begin to follow; rows that are there already stay as they are."""
        ...

    async def enter(self, entries: Sequence[EntryRow]) -> None:
        """Waiting alerts were entered: all their horizons become OPEN and end later by the wait."""
        ...

    async def resolve(self, rows: Sequence[OutcomeRow]) -> None:
        """Write the ends; a row that has one already keeps it."""
        ...

    async def due(
        self, now_ms: int, limit: int, after: tuple[int, str, str] | None = None
    ) -> Sequence[OutcomeRow]:
        """Waiting and open ones whose horizon is over at now_ms, longest due first. after: (due_ms, trade_id,
        horizon) of the last one seen."""
        ...

    async def of_trade(self, trade_id: str) -> Sequence[OutcomeRow]:
        """Its outcomes at all horizons, shortest first; empty for one that is not followed."""
        ...

    async def counts(self, horizon: str, since_ms: int) -> Sequence[SetupCount]:
        """Every setup's outcomes at one horizon that was over at since_ms or later, in order of the name."""
        ...
