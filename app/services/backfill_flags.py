"""Outlier flags that do not depend on how a history was cut into pages, killed and resumed.

Owns loading the bars before a page, and judging stored bars again once older ones were put in front of them.
A flag once set stays, in the store too; so bars that get a longer past may gain a flag and never lose one.
Called by `backfill_service`.
"""

from __future__ import annotations

import asyncio

from app.core.domain.outliers import MEMORY_BARS, OutlierJudge
from app.core.domain.stored import BarQuery, BarRow
from app.core.store_ports import BarReader, MarketWriter
from app.services.backfill_plan import Task


class FlagKeeper:
    """Judges the bars of a task in order, whatever was stored before."""

    def __init__(self, reader: BarReader, writer: MarketWriter) -> None:
        self._reader = reader
        self._writer = writer

    async def judge_before(self, task: Task, exchange: str | None, at_ms: int) -> OutlierJudge:
        """A judge that knows the stored bars before `at_ms`. Raises: StorageUnavailable."""
        judge = OutlierJudge()
        if exchange is not None:
            judge.learn(await self._stored(task, exchange, 0, at_ms, newest_first=True))
        return judge

    async def judge_after(self, judge: OutlierJudge, task: Task, exchange: str, at_ms: int) -> int:
        """Judge the stored bars from `at_ms` on with what `judge` knows of the time before.

        Goes on until the memory of the judge holds no bar whose flag or past has changed. Returns how many
        bars gained a flag. Raises: StorageUnavailable.
        """
        gained, unchanged = 0, 0
        while unchanged < MEMORY_BARS:
            rows = await self._stored(task, exchange, at_ms, task.wanted.to_ms, newest_first=False)
            if not rows:
                break
            judged = await asyncio.to_thread(judge.judge, rows)
            changed = [new for old, new in zip(rows, judged, strict=True) if new != old]
            if changed:
                await self._writer.put_all(changed)
                gained += len(changed)
                last_ms = changed[-1].close_ms
                unchanged = sum(1 for row in rows if row.close_ms > last_ms)
            else:
                unchanged += len(rows)
            at_ms = rows[-1].close_ms + 1
        await self._writer.flush()
        return gained

    async def first_stored_ms(self, task: Task) -> int | None:
        """Close of the first stored bar of the task, None without any. Raises: StorageUnavailable."""
        exchange = task.covered.exchange
        if exchange is None:
            return None
        rows = await self._stored(task, exchange, 0, task.wanted.to_ms, newest_first=False, limit=1)
        return rows[0].close_ms if rows else None

    async def _stored(
        self,
        task: Task,
        exchange: str,
        from_ms: int,
        to_ms: int,
        *,
        newest_first: bool,
        limit: int = MEMORY_BARS,
    ) -> list[BarRow]:
        """`limit` bars of the exchange at the named end of the span, oldest first."""
        found: list[BarRow] = []
        for interval in task.intervals:
            page = await self._reader.bars(
                BarQuery(
                    series=task.source.series,
                    symbol=task.symbol.base,
                    interval=interval,
                    from_ms=from_ms,
                    to_ms=to_ms,
                    exchange=exchange,
                    scope=task.source.scope,
                    limit=limit,
                    newest_first=newest_first,
                )
            )
            found += page.rows
        found.sort(key=lambda row: row.close_ms)
        return found[-limit:] if newest_first else found[:limit]
