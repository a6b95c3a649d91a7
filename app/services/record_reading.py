"""Reads the record out of the store: evaluations, outcomes and the market of their moment, in bounded memory.

What is final is read once and kept; each reading adds what is new. Columns and regimes are `core.record`'s.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from app.core.backtest.coin_regimes import regimes_of
from app.core.clock import Clock
from app.core.domain.evaluations import EvaluationRow
from app.core.domain.market import DAY_MS, HOUR_MS
from app.core.domain.outcomes import OutcomeRow, trade_of
from app.core.domain.signal import Direction
from app.core.domain.stored import BarQuery, CandleRow, SeriesName
from app.core.record.assembling import RecordColumns, RecordRows, is_final
from app.core.record.regimes import CoinRegimes
from app.core.record_ports import EvaluationReader, TradeOutcomes
from app.core.store_ports import BarReader
from app.services.bar_pages import all_bars

PAGE = 500
# The newest so many count: ten years of three coins, more than a year of twenty-five. 150 MB of columns.
MAX_EVALUATIONS = 250_000
# Days of candles before the first evaluation: what its trend is read from.
HISTORY_MS = 200 * DAY_MS
_BARS = 5_000
_SIDES = (Direction.LONG.value, Direction.SHORT.value)


class RecordReader:
    """`read()` whenever the record is wanted."""

    def __init__(
        self,
        *,
        evaluations: EvaluationReader,
        outcomes: TradeOutcomes,
        bars: BarReader,
        tier_of: Callable[[str], int],
        clock: Clock,
        engine_version: str,
        max_evaluations: int = MAX_EVALUATIONS,
    ) -> None:
        """engine_version: whose evaluations are read; those of others are counted and left out."""
        self._evaluations = evaluations
        self._outcomes = outcomes
        self._bars = bars
        self._tier_of = tier_of
        self._clock = clock
        self._most = max_evaluations
        self._lock = asyncio.Lock()
        self._engine_version = engine_version
        self._final = RecordRows(engine_version)
        self._after: tuple[int, str] | None = None
        self._read_ms = 0
        self._regimes: dict[str, tuple[int, CoinRegimes]] = {}

    async def read(self) -> RecordColumns:
        """Everything known now (market time).

        Raises:
            StorageUnavailable: the database does not answer.
        """
        async with self._lock:
            now_ms = self._clock.now_ms()
            if now_ms < self._read_ms:  # a clock that was set back knows less
                self._final, self._after, self._regimes = RecordRows(self._engine_version), None, {}
            self._read_ms = now_ms
            rows = await self._rows(now_ms)
            regimes = {coin: await self._regime(coin, first, now_ms) for coin, first in rows.coins().items()}
            return await asyncio.to_thread(
                rows.columns, tier_of=self._tier_of, regimes=regimes, read_ms=now_ms
            )

    async def _rows(self, now_ms: int) -> RecordRows:
        since_ms = await self._evaluations.newest_since(self._most)
        after, is_final_yet, tail = self._after, True, RecordRows(self._engine_version)
        while page := await self._evaluations.evaluations(since_ms, PAGE, after):
            after = page[-1].as_of_ms, page[-1].id
            mine = [row.id for row in page if row.engine_version == self._engine_version]
            trades = [trade_of(one, side) for one in mine for side in _SIDES]
            outcomes = await self._outcomes.of_trades(trades)
            # Some tens of milliseconds a page: not on the event loop.
            is_final_yet = await asyncio.to_thread(
                self._sort_in, page, outcomes, tail, is_final_yet=is_final_yet, now_ms=now_ms
            )
        rows = self._final.joined(tail)
        rows.drop_oldest(max(0, len(rows) - self._most))
        self._final.drop_oldest(max(0, len(self._final) - self._most))
        return rows

    def _sort_in(
        self,
        page: Sequence[EvaluationRow],
        outcomes: Sequence[OutcomeRow],
        tail: RecordRows,
        *,
        is_final_yet: bool,
        now_ms: int,
    ) -> bool:
        """To what is kept for good as long as everything before is final too; whether it still is."""
        known = {(row.trade_id, row.horizon): row for row in outcomes}
        by_evaluation: dict[str, list[OutcomeRow]] = {}
        for outcome in outcomes:
            by_evaluation.setdefault(outcome.trade_id.rpartition(":")[0], []).append(outcome)
        for row in page:
            is_other = row.engine_version != self._engine_version
            is_final_yet = is_final_yet and (is_other or is_final(row, by_evaluation.get(row.id, ()), now_ms))
            if is_final_yet:
                self._after = row.as_of_ms, row.id
            (self._final if is_final_yet else tail).add(row, known, now_ms)
        return is_final_yet

    async def _regime(self, coin: str, first_ms: int, now_ms: int) -> CoinRegimes:
        """Computed again when an hour has closed."""
        hour = now_ms // HOUR_MS
        known = self._regimes.get(coin)
        if known is None or known[0] != hour:
            rows = await self._candles(coin, first_ms - HISTORY_MS, now_ms)
            known = hour, await asyncio.to_thread(regimes_of, rows, until_ms=now_ms)
            self._regimes[coin] = known
        return known[1]

    async def _candles(self, coin: str, from_ms: int, now_ms: int) -> list[CandleRow]:
        query = BarQuery(SeriesName.CANDLES, coin, "1h", from_ms, now_ms + 1, limit=_BARS, newest_first=False)
        return [row for row in await all_bars(self._bars, query) if isinstance(row, CandleRow)]
