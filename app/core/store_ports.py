"""What use cases need from the store, as protocols. `services.storage` implements them.

What lies after now (market time) is not read: a replay's store may hold all that is still to come in it.
Every method that reads or writes the database raises `StorageUnavailable` when it cannot; `put` and `append`
never do, they only fill bounded buffers.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Protocol

from app.core.domain.context import EnhancedSignalContext
from app.core.domain.signal import Signal
from app.core.domain.stored import (
    BarQuery,
    BarRow,
    CompositeRow,
    ExportQuery,
    HourSum,
    LiquidationRow,
    MarketRow,
    Page,
    ProbabilityRow,
    SignalQuery,
    StoredSignal,
    StoreStatus,
    TileRow,
    Trigger,
)
from app.core.domain.watchlist import StoredCoin


class MarketWriter(Protocol):
    """Batched, idempotent writes: the same row twice is one row."""

    def put(self, rows: Sequence[MarketRow]) -> int:
        """Take rows (of one type) into the buffer; how many were accepted. The rest is counted as lost."""
        ...

    async def put_all(self, rows: Sequence[MarketRow]) -> None:
        """Take every row, waiting while the buffer is full (backfill; back-pressure instead of loss)."""
        ...

    async def flush(self) -> None:
        """Return when everything accepted so far is in the database.

        Raises:
            StorageUnavailable: it could not be written now; it stays in the buffer.
        """
        ...


class SignalLog(Protocol):
    """The append-only, hash-chained record of signals."""

    def append(self, signal: Signal, context: EnhancedSignalContext, trigger: Trigger) -> None:
        """Take one signal into the buffer; written in order, within seconds."""
        ...

    async def page(self, query: SignalQuery) -> Page[StoredSignal]:
        """Stored signals, newest first. Raises: StorageUnavailable, InvalidParameter (a bad cursor)."""
        ...


class BarReader(Protocol):
    """Stored histories."""

    async def bars(self, query: BarQuery) -> Page[BarRow]:
        """One page of bars. Raises: StorageUnavailable, InvalidParameter (a bad cursor)."""
        ...


class TileStore(Protocol):
    """Heatmap tiles: written with the liquidations they sum, in the same transaction."""

    async def tiles(self, symbol: str, from_min: int, to_min: int) -> Sequence[TileRow]:
        """Tiles with from_min <= ts_min < to_min, in order of (ts_min, bucket)."""
        ...

    async def newest_minute(self, symbol: str, to_min: int) -> int | None:
        """`ts_min` of the coin's newest tile before `to_min`, None when it had none by then."""
        ...

    async def composite_tiles(self, symbol: str, from_min: int, to_min: int) -> Sequence[CompositeRow]:
        """The same for composite tiles."""
        ...

    async def rebuild(self, from_min: int, to_min: int) -> int:
        """Compute the tiles of these minutes again from the stored liquidations; how many there are."""
        ...


class LiquidationReader(Protocol):
    """Stored liquidations of one coin."""

    async def hours(self, symbol: str, from_ms: int, to_ms: int) -> Sequence[HourSum]:
        """Sums of the hours that close after `from_ms` and up to `to_ms`, by (hour, source); hours without a
        liquidation are not there."""
        ...

    async def newest(self, symbol: str, limit: int) -> Sequence[LiquidationRow]:
        """Newest first, at most `limit`."""
        ...


class ExportReader(Protocol):
    """Whole tables in pieces, for downloads of any size in flat memory."""

    def export(
        self, query: ExportQuery
    ) -> tuple[tuple[str, ...], AsyncIterator[Sequence[tuple[object, ...]]]]:
        """Column names, and chunks of rows in the same order, oldest first."""
        ...


class WatchStore(Protocol):
    """The list of followed coins as it survives a restart."""

    async def watchlist(self) -> tuple[StoredCoin, ...]:
        """In the order they were added."""
        ...

    async def watch(self, symbol: str, *, is_on: bool, is_removed: bool = False, added_ms: int) -> None:
        """Add a coin at the end, or change one that is there in its place; `added_ms` stays as it was."""
        ...

    async def unwatch(self, symbol: str) -> None:
        """Its row goes; one that is not there is no error."""
        ...


class StateStore(WatchStore, Protocol):
    """Small state that survives a restart."""

    async def get_state(self, key: str) -> str | None: ...
    async def put_state(self, key: str, value: str) -> None: ...
    async def chat_settings(self, chat: str) -> str | None:
        """JSON text, None for a chat that set nothing."""
        ...

    async def put_chat_settings(self, chat: str, settings: str) -> None: ...


class StoreHealth(Protocol):
    """Reads counters; never waits for the database."""

    def status(self) -> StoreStatus: ...


class ProbabilityLog(Protocol):
    """Published probabilities; written like market rows, a second time with their outcome."""

    async def due(
        self, now_ms: int, limit: int, after: tuple[int, str] | None = None
    ) -> Sequence[ProbabilityRow]:
        """Open ones whose horizon is over at `now_ms`, longest due first. after: (due_ms, id) of the last one
        seen."""
        ...

    async def resolved(self, limit: int) -> Sequence[ProbabilityRow]:
        """The newest with an outcome, oldest first."""
        ...

    async def counts(self) -> tuple[int, int, int]:
        """(open, with an outcome, unscorable)."""
        ...
