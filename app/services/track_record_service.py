"""The use case behind the record: what scheduled evaluations were worth, for all coins or one.

Owns how old an answer may be and what it says of hours without an evaluation. Reading is `record_reading`'s,
arithmetic `core.record`'s; whoever composes the service says how a record is built. No HTTP.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from typing import Protocol

from app.core.clock import Clock
from app.core.domain.market import HOUR_MS
from app.core.domain.stored import ChainReport, Page
from app.core.domain.symbol import Symbol
from app.core.domain.track_record import ChainAnswer, RecordAnswer, SignalStats, TrackRecord
from app.core.domain.trades import TradeQuery, TradesAnswer
from app.core.record.assembling import RecordColumns
from app.core.record.columns import Evaluations, HorizonOutcomes
from app.core.record.listing import trade_at
from app.core.record.live_notes import funding_notes, hours_notes, unscorable_notes, version_notes
from app.core.record.summary import summary_of
from app.core.record_ports import EvaluationHours, EvaluationReader, TradeReader
from app.services.hourly_evaluations import UNTIL_MS
from app.services.kept_answers import KeptAnswers
from app.services.record_reading import RecordReader

KEEP_S = 300.0
# A year of ten coins takes seconds to be counted, and evaluations come once an hour: until a new record is
# made the last one stands for up to an hour more.
GRACE = 12
MAX_RECORDS = 50
VERIFY_S = 60.0


class BuildRecord(Protocol):
    """Makes the record; pure and slow, called in a thread."""

    def __call__(
        self, evaluations: Evaluations, outcomes: Sequence[HorizonOutcomes], *, symbol: str | None
    ) -> TrackRecord: ...


class TrackRecordService:
    """Answers about the record. Every method raises `StorageUnavailable` while the database is away."""

    def __init__(
        self,
        *,
        reader: RecordReader,
        evaluations: EvaluationReader,
        trades: TradeReader,
        hours: EvaluationHours,
        engine_version: str,
        verify: Callable[[], Awaitable[ChainReport]],
        build: BuildRecord,
        why_no_probability: Callable[[], str],
        resolve: Callable[[str], Symbol],
        clock: Clock,
        keep_s: float = KEEP_S,
    ) -> None:
        """engine_version: whose trades are listed. verify: proves all that is stored. why_no_probability: of
        signals now; empty: they carry one."""
        self._reader = reader
        self._evaluations = evaluations
        self._trades = trades
        self._hours = hours
        self._engine_version = engine_version
        self._verify = verify
        self._build = build
        self._why_no_probability = why_no_probability
        self._resolve = resolve
        self._clock = clock
        monotonic = clock.monotonic_s
        # A record may be made of columns that are old already: together they are as old as is promised.
        self._columns = KeptAnswers[None, RecordColumns](keep_s=keep_s / 5, max_keys=1, monotonic=monotonic)
        self._records = KeptAnswers[str | None, tuple[int, TrackRecord]](
            keep_s=keep_s * 4 / 5,
            max_keys=MAX_RECORDS,
            monotonic=monotonic,
            grace_s=GRACE * keep_s,
        )
        self._walks = KeptAnswers[None, ChainAnswer](keep_s=VERIFY_S, max_keys=1, monotonic=monotonic)

    async def record(self, symbol_text: str | None) -> RecordAnswer:
        """The record of one coin, in any usual spelling, or of all together; minutes old, an hour at most
        where nobody had asked for a while.

        Raises:
            InvalidParameter: not a symbol.
            UnknownSymbol: in no provider's list.
        """
        symbol = None if symbol_text is None else self._resolve(symbol_text).base
        computed_ms, record = await self._records.get(symbol, lambda: self._make(symbol))
        now_ms = self._clock.now_ms()
        return RecordAnswer(now_ms, computed_ms, record, summary_of(record), self._why_no_probability())

    async def verify(self) -> ChainAnswer:
        """Every hash computed again; one walk at a time, kept for a minute."""
        return await self._walks.get(None, self._walk)

    async def stats(self, hours: int) -> SignalStats:
        """How many signals were stored in the last hours, and of what kind."""
        now_ms = self._clock.now_ms()
        since_ms = now_ms - hours * HOUR_MS
        return SignalStats(now_ms, since_ms, tuple(await self._evaluations.signal_counts(since_ms)))

    async def trades(
        self, symbol_text: str | None, *, horizon: str, limit: int, cursor: str | None
    ) -> TradesAnswer:
        """What became of single signals, newest first, as it is now: the rows behind `record`, judged alike.

        Raises:
            InvalidParameter: not a symbol, or a foreign cursor.
            UnknownSymbol: in no provider's list.
        """
        symbol = None if symbol_text is None else self._resolve(symbol_text).base
        query = TradeQuery(self._engine_version, horizon, symbol, limit, cursor)
        # Before reading: what is written meanwhile is told by the next answer.
        now_ms = self._clock.now_ms()
        found = await self._trades.trades(query)
        told = tuple(trade_at(row, horizon, now_ms) for row in found.rows)
        return TradesAnswer(now_ms, query, Page(told, found.cursor))

    async def columns(self) -> RecordColumns:
        """What records are made of, for whoever learns from it; at most five minutes old."""
        return await self._columns.get(None, self._reader.read)

    async def _walk(self) -> ChainAnswer:
        walked_ms = self._clock.now_ms()
        return ChainAnswer(walked_ms, await self._verify())

    async def _make(self, symbol: str | None) -> tuple[int, TrackRecord]:
        columns = await self.columns()
        # An hour whose moment is not over has not been missed.
        counts = await self._hours.hour_counts(columns.read_ms - UNTIL_MS)
        record = await asyncio.to_thread(self._built, columns.of(symbol), symbol)
        hours = hours_notes([one for one in counts if symbol in (None, one.symbol)])
        return columns.read_ms, replace(record, notes=(*record.notes, *hours))

    def _built(self, columns: RecordColumns, symbol: str | None) -> TrackRecord:
        record = self._build(columns.evaluations, columns.outcomes, symbol=symbol)
        told = gap_notes(columns, record)
        return replace(record, notes=(*record.notes, *told, *version_notes(columns.others)))


def gap_notes(columns: RecordColumns, record: TrackRecord) -> tuple[str, ...]:
    """What is not known of the engine's trades at the headline horizon. columns: of the same rows."""
    shown, direction = record.at_headline, columns.evaluations.direction
    if shown is None:
        return ()
    return (
        *funding_notes(columns.gaps.unpaid(direction, record.headline), shown.engine.scored),
        *unscorable_notes(columns.gaps.reasons(direction, record.headline)),
    )
