"""The use case behind `/replay/oi`: bars out of the store where it has them all, else from upstream as well.

What upstream answered goes into the store, and what it no longer has comes out of it. A store that is down
costs nothing but the memory: upstream answers alone, and the answer says so.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from app.core.clock import Clock
from app.core.domain.derivatives import OpenInterestHistory
from app.core.domain.history import END_OF_TIME_MS, ReplayedInterest
from app.core.domain.market import INTERVAL_MS
from app.core.domain.quality import CacheState, Reading
from app.core.domain.stored import ALL_EXCHANGES, BarQuery, OpenInterestRow, SeriesName
from app.core.domain.symbol import Symbol
from app.core.domain.views import Part, Parts, View, ViewQuery
from app.core.errors import StorageUnavailable
from app.core.store_ports import BarReader
from app.services.history_recorder import HistoryRecorder
from app.services.history_rows import exchange_of, interest_rows, interval_text

STORE = "store"
# A page is read in milliseconds. A store that hangs must not use up the time upstream needs.
STORE_PATIENCE_S = 2.0
# What a request without a bar size means first, as upstream reads it.
_USUAL_INTERVAL = "1h"
_VIEW = View.OPEN_INTEREST_HISTORY


class Upstream(Protocol):
    """What `derivatives_service` offers of itself."""

    async def parts(self, views: Sequence[View], query: ViewQuery) -> Parts: ...


@dataclass(frozen=True, slots=True)
class _Stored:
    """Stored bars, oldest first; has_more: older ones are stored too; fault: why the store has no answer."""

    rows: tuple[OpenInterestRow, ...] = ()
    has_more: bool = False
    fault: str | None = None


class OpenInterestReplay:
    """Pages of open interest bars, backwards in time."""

    def __init__(
        self,
        *,
        bars: BarReader,
        upstream: Upstream,
        recorder: HistoryRecorder,
        clock: Clock,
        patience_s: float = STORE_PATIENCE_S,
    ) -> None:
        """patience_s: how long the store may take before upstream is asked without it."""
        self._bars = bars
        self._upstream = upstream
        self._recorder = recorder
        self._clock = clock
        self._patience_s = patience_s

    async def replay(
        self, symbol: Symbol, interval: str | None, *, limit: int, before_ms: int | None
    ) -> ReplayedInterest:
        """The newest `limit` bars that closed before `before_ms` (None: now).

        A page is answered without upstream when the store holds `limit` bars of all exchanges up to the last
        closed one, without a hole. interval None: 1h, or what the plan has. When upstream fails too, what is
        stored is answered, holes and all; of one exchange (the label says which) when of all there is none.
        Never raises a provider or a storage error.
        """
        size, exchange = interval or _USUAL_INTERVAL, ALL_EXCHANGES
        now_ms = self._clock.now_ms()
        stored = await self._stored(symbol, size, exchange, limit, before_ms)
        end_ms = now_ms if before_ms is None else min(before_ms - 1, now_ms)
        if _is_complete(stored.rows, INTERVAL_MS[size], end_ms, limit):
            return _page(_store_part(stored.rows), INTERVAL_MS[size], _label(stored.rows), stored, (), limit)
        part = (await self._upstream.parts([_VIEW], ViewQuery(symbol=symbol, interval=interval)))[_VIEW]
        reading = _interest_of(part)
        if reading is None:
            if not stored.rows:
                stored = await self._of_one_exchange(stored, symbol, size, limit, before_ms)
            if not stored.rows:
                return _page(part, None, None, stored, (), limit)
            return _page(part, INTERVAL_MS[size], _label(stored.rows), stored, (), limit)
        history = reading.value
        self._recorder.record_interest(symbol.base, reading, now_ms)
        place = exchange_of(history.label, reading.provider), interval_text(history.interval_ms)
        if place != (exchange, size):
            # Upstream fell back to one exchange or another bar size: only bars of the same kind join it.
            stored = await self._alike(stored, symbol, place, limit, before_ms)
        closes = [at_ms for at_ms in history.close_ms if before_ms is None or at_ms < before_ms]
        fresh = interest_rows(symbol.base, place[0] or "", place[1] or "", [reading], closes)
        return _page(part, history.interval_ms, history.label, stored, fresh, limit)

    async def _alike(
        self,
        stored: _Stored,
        symbol: Symbol,
        place: tuple[str | None, str | None],
        limit: int,
        before_ms: int | None,
    ) -> _Stored:
        exchange, size = place
        if stored.fault is not None or exchange is None or size is None:
            return _Stored(fault=stored.fault)
        return await self._stored(symbol, size, exchange, limit, before_ms)

    async def _of_one_exchange(
        self, stored: _Stored, symbol: Symbol, interval: str, limit: int, before_ms: int | None
    ) -> _Stored:
        """The bars of the exchange whose bar is the newest."""
        if stored.fault is not None:
            return stored
        newest = await self._stored(symbol, interval, None, 1, before_ms)
        if not newest.rows:
            return newest
        return await self._stored(symbol, interval, newest.rows[-1].exchange, limit, before_ms)

    async def _stored(
        self, symbol: Symbol, interval: str, exchange: str | None, limit: int, before_ms: int | None
    ) -> _Stored:
        """The newest stored bars with a close in USD."""
        query = BarQuery(
            series=SeriesName.OPEN_INTEREST,
            symbol=symbol.base,
            interval=interval,
            from_ms=0,
            to_ms=END_OF_TIME_MS if before_ms is None else before_ms,  # the store itself ends at now
            exchange=exchange,
            limit=limit,
        )
        try:
            async with asyncio.timeout(self._patience_s):
                page = await self._bars.bars(query)
        except StorageUnavailable as error:
            return _Stored(fault=str(error))
        except TimeoutError:
            return _Stored(fault=f"no answer within {self._patience_s:g} s")
        rows = tuple(
            row
            for row in reversed(page.rows)
            if isinstance(row, OpenInterestRow) and row.close_usd is not None
        )
        return _Stored(rows, page.cursor is not None)


def _is_complete(rows: Sequence[OpenInterestRow], size_ms: int, end_ms: int, limit: int) -> bool:
    """A full page without a hole that ends with the last bar closed at `end_ms`.

    Signals keep the closes alone, so a bar whose open, high or low is unknown is one to ask upstream for.
    """
    if len(rows) < limit or rows[-1].close_ms != end_ms // size_ms * size_ms:
        return False
    if any(None in (row.open_usd, row.high_usd, row.low_usd) for row in rows):
        return False
    return rows[-1].close_ms - rows[0].close_ms == (limit - 1) * size_ms


def _interest_of(part: Part) -> Reading[OpenInterestHistory] | None:
    found = part.found
    if not isinstance(found, Reading) or not isinstance(found.value, OpenInterestHistory):
        return None
    return Reading(
        found.value, found.provider, found.endpoint, found.ts_event_ms, found.ts_init_ms, found.cache
    )


def _store_part(rows: Sequence[OpenInterestRow]) -> Part:
    newest = rows[-1]
    reading: Reading[object] = Reading(
        value=newest,
        provider=STORE,
        endpoint=f"stored from {newest.source}",
        ts_event_ms=newest.close_ms,
        ts_init_ms=newest.ts_init_ms,
        cache=CacheState.HIT,
    )
    return Part(_VIEW, reading, None)


def _label(rows: Sequence[OpenInterestRow]) -> str:
    """In the words of the adapters."""
    exchange = rows[-1].exchange
    whose = "all exchanges" if exchange == ALL_EXCHANGES else exchange
    return f"open interest, {whose}, stored from {', '.join(_sources(rows))}"


def _sources(rows: Sequence[OpenInterestRow]) -> tuple[str, ...]:
    return tuple(sorted({row.source for row in rows}))


def _page(
    part: Part,
    interval_ms: int | None,
    label: str | None,
    stored: _Stored,
    fresh: Sequence[OpenInterestRow],
    limit: int,
) -> ReplayedInterest:
    """The newest `limit` bars of both; where both have one, upstream's counts."""
    by_close = {row.close_ms: row for row in (*stored.rows, *fresh)}
    closes = sorted(by_close)
    shown = tuple(by_close[at_ms] for at_ms in closes[-limit:])
    fresh_closes = {row.close_ms for row in fresh}
    from_store = [row for row in shown if row.close_ms not in fresh_closes]
    has_more = len(closes) > limit or (stored.has_more and bool(shown))
    return ReplayedInterest(
        part=part,
        interval_ms=interval_ms,
        label=label,
        bars=shown,
        next_ms=shown[0].close_ms if has_more else None,
        stored_bars=len(from_store),
        stored_from=_sources(from_store),
        store_fault=stored.fault,
    )
