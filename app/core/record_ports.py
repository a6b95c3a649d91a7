"""What the record of scheduled evaluations needs from the store, as protocols. `services.storage` implements
them.

What lies after now (market time) is not read. Every method raises `StorageUnavailable` when the database
cannot be asked.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from app.core.domain.evaluations import EvaluationRef, EvaluationRow, HourCount
from app.core.domain.outcomes import OutcomeRow
from app.core.domain.stored import Page
from app.core.domain.track_record import SignalCount
from app.core.domain.trades import TradeQuery, TradeRow


class EvaluationHours(Protocol):
    """Who evaluates which coin in which hour: one for all processes that share the database."""

    async def claim(self, symbol: str, hour_ms: int) -> bool:
        """True for exactly one caller per coin and hour (its start), for ever."""
        ...

    async def settle(self, symbol: str, hour_ms: int, failure: str | None) -> None:
        """What became of a claimed hour; None: its evaluation is stored."""
        ...

    async def hour_counts(self, until_ms: int) -> Sequence[HourCount]:
        """Every coin that was ever tried in an hour that began by then, in order of its name."""
        ...


class EvaluationReader(Protocol):
    """Stored evaluations of this data mode."""

    async def unfollowed(self, since_ms: int, limit: int) -> Sequence[EvaluationRef]:
        """Evaluations made since then whose trades have no outcome row yet, oldest first."""
        ...

    async def evaluations(
        self, since_ms: int, limit: int, after: tuple[int, str] | None = None
    ) -> Sequence[EvaluationRow]:
        """A page in order of (as_of_ms, id). after: those of the last one seen."""
        ...

    async def newest_since(self, count: int) -> int:
        """When the oldest of the newest `count` evaluations was made; 0 where there are no more."""
        ...

    async def signal_counts(self, since_ms: int) -> Sequence[SignalCount]:
        """All signals stored since then, requested ones too, by coin, trigger, mode and direction."""
        ...


class TradeOutcomes(Protocol):
    """Outcomes of both sides of evaluations, one row per trade and horizon. A write told twice changes
    nothing the second time."""

    async def open(self, rows: Sequence[OutcomeRow]) -> None:
        """Begin to follow, or write the end at once; rows that are there already stay as they are."""
        ...

    async def resolve(self, rows: Sequence[OutcomeRow]) -> None:
        """Write the ends; a row that has one already keeps it."""
        ...

    async def running_coins(self) -> Sequence[str]:
        """Coins with a trade that is not over, by name."""
        ...

    async def running(self, symbol: str) -> Sequence[OutcomeRow]:
        """Rows of one coin that are not over, trade by trade, shortest horizon first."""
        ...

    async def of_trades(self, trade_ids: Sequence[str]) -> Sequence[OutcomeRow]:
        """All rows of these trades, in no order."""
        ...


class TradeReader(Protocol):
    """Single evaluations with a direction, and the outcome of that side."""

    async def trades(self, query: TradeQuery) -> Page[TradeRow]:
        """A page, newest first. What an outcome may say at a moment is not decided here.

        Raises:
            InvalidParameter: a bad cursor.
        """
        ...


class Claims(Protocol):
    """Work that one of several processes does once in a while."""

    async def claim(self, key: str, slot: int) -> bool:
        """True for whoever is the first to name this slot under the key."""
        ...

    async def get_state(self, key: str) -> str | None: ...
    async def put_state(self, key: str, value: str) -> None: ...
