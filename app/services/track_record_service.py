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
from app.core.domain.evaluations import HourCount
from app.core.domain.market import HOUR_MS
from app.core.domain.stored import ChainReport
from app.core.domain.symbol import Symbol
from app.core.domain.track_record import RecordAnswer, SignalStats, TrackRecord
from app.core.record.assembling import RecordColumns
from app.core.record.columns import Evaluations, HorizonOutcomes
from app.core.record.summary import summary_of
from app.core.record_ports import EvaluationHours, EvaluationReader
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
        hours: EvaluationHours,
        verify: Callable[[], Awaitable[ChainReport]],
        build: BuildRecord,
        resolve: Callable[[str], Symbol],
        clock: Clock,
        keep_s: float = KEEP_S,
    ) -> None:
        """verify: walks the chains of stored signals."""
        self._reader = reader
        self._evaluations = evaluations
        self._hours = hours
        self._verify = verify
        self._build = build
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
        self._walks = KeptAnswers[None, ChainReport](keep_s=VERIFY_S, max_keys=1, monotonic=monotonic)

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
        return RecordAnswer(now_ms, computed_ms, record, summary_of(record))

    async def verify(self) -> ChainReport:
        """Every hash computed again; one walk at a time, kept for a minute."""
        return await self._walks.get(None, self._verify)

    async def stats(self, hours: int) -> SignalStats:
        """How many signals were stored in the last hours, and of what kind."""
        now_ms = self._clock.now_ms()
        since_ms = now_ms - hours * HOUR_MS
        return SignalStats(now_ms, since_ms, tuple(await self._evaluations.signal_counts(since_ms)))

    async def columns(self) -> RecordColumns:
        """What records are made of, for whoever learns from it; at most five minutes old."""
        return await self._columns.get(None, self._reader.read)

    async def _make(self, symbol: str | None) -> tuple[int, TrackRecord]:
        columns = await self.columns()
        counts = [one for one in await self._hours.hour_counts() if symbol in (None, one.symbol)]
        record = await asyncio.to_thread(self._built, columns, symbol)
        notes = (*record.notes, *hours_notes(counts, record.evaluations))
        return columns.read_ms, replace(record, notes=notes)

    def _built(self, columns: RecordColumns, symbol: str | None) -> TrackRecord:
        found = columns.of(symbol)
        return self._build(found.evaluations, found.outcomes, symbol=symbol)


def hours_notes(counts: Sequence[HourCount], evaluations: int) -> tuple[str, ...]:
    """What became of hours without an evaluation, in a sentence; none where nothing was ever tried.

    Due is every hour of each coin from the first that was tried to the last. Worked number: 100 hours, 90
    evaluations, 4 without a usable price -> 6 missed.
    """
    expected = sum(one.expected for one in counts)
    if not expected:
        return ()
    failed = sum(sum(one.failed.values()) for one in counts)
    missed = max(0, expected - evaluations - failed)
    return (
        f"Of {expected:,} hours that were due, {evaluations:,} were evaluated, {failed:,} had no usable "
        f"price and {missed:,} were missed.",
    )
