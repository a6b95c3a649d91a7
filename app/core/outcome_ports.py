"""What following alerts needs from the store, as a protocol. `services.storage.outcomes` implements it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from app.core.domain.outcomes import EntryRow, OutcomeRow, SetupCount


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
