"""The store as one object: opens the database, owns its tasks and its end, and says how it does.

Parts: `market` (bars, liquidations, tiles, alerts in), `signals` (the record), `evaluations` (those of it
that count), `trades` (what became of these), `bars`, `tiles`, `exports`, `state`, `alerts` (history, outbox,
gaps), `tail`, `outcomes` of alerts and `signal_outcomes`, `keys` and `audit` log.
Nothing here waits for the database at start: until it is open, writes are buffered and reads fail with
`StorageUnavailable`.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from sqlalchemy.ext.asyncio import AsyncEngine

from app.core.domain.stored import ChainReport, StoreState, StoreStatus
from app.core.errors import StorageRefused, StorageUnavailable
from app.services.storage.access import SqlAuditLog, SqlKeys
from app.services.storage.alerts import SqlAlerts
from app.services.storage.bars import SqlBars
from app.services.storage.engine import is_embedded, let_go, open_engine
from app.services.storage.evaluated_trades import SqlTrades
from app.services.storage.evaluations import SqlEvaluations
from app.services.storage.exports import SqlExports
from app.services.storage.faults import is_full
from app.services.storage.gate import GatedEngine, watch
from app.services.storage.layout import PartitionBook
from app.services.storage.liquidation_hours import SqlLiquidationHours
from app.services.storage.liquidation_tail import SqlLiquidationTail
from app.services.storage.outcome_ledger import OutcomeLedger
from app.services.storage.outcomes import SqlOutcomes
from app.services.storage.postgres_bulk import PostgresBulk
from app.services.storage.probability_log import SqlProbabilityLog
from app.services.storage.record_proof import verify_record
from app.services.storage.retention import Keep, apply_retention
from app.services.storage.schema import ensure_schema
from app.services.storage.signal_log import MAX_BUFFERED_SIGNALS, SqlSignalLog
from app.services.storage.sqlite_bulk import SqliteBulk
from app.services.storage.state import SqlState
from app.services.storage.tables import signal_outcomes
from app.services.storage.tiles import SqlTiles
from app.services.storage.turns import WriteTurns
from app.services.storage.writer import MAX_AGE_S, MAX_BUFFERED_ROWS, BufferedWriter, BulkBackend

_log = logging.getLogger(__name__)

_OPEN_PAUSE_S = 2.0
_REFUSED_PAUSE_S = 10.0
_RETENTION_EVERY_S = 6 * 3_600.0
_STOP_S = 8.0
# Rows that have waited this long are not on their way any more, whatever the last batch said.
LATE_S = 10.0


class SqlStore:
    """`core.store_ports`, all of them, over one database. `start()` and `close()` by the composition root."""

    def __init__(
        self,
        url: str,
        *,
        data_mode: str,
        now_ms: Callable[[], int],
        monotonic: Callable[[], float],
        keep: Keep | None = None,
        max_buffered_rows: int = MAX_BUFFERED_ROWS,
        observe_batch: Callable[[float], None] = lambda seconds: None,
    ) -> None:
        """observe_batch: told the seconds of each bulk write."""
        self._engine: AsyncEngine = open_engine(url)
        self._is_embedded = is_embedded(url)
        turns = WriteTurns() if self._is_embedded else None
        self._gate = GatedEngine(self._engine, turns=turns)
        self._data_mode = data_mode
        self._now_ms = now_ms
        self._url = url
        self._keep = keep
        backend: BulkBackend = (
            PostgresBulk(url, PartitionBook(now_ms)) if turns is None else SqliteBulk(url, turns)
        )
        self.market = BufferedWriter(
            backend,
            monotonic=monotonic,
            max_buffered_rows=max_buffered_rows,
            observe_batch=observe_batch,
        )
        self.signals = SqlSignalLog(self._gate, now_ms=now_ms, monotonic=monotonic)
        self.bars = SqlBars(self._gate, now_ms=now_ms)
        self.tiles = SqlTiles(self._gate)
        self.liquidations = SqlLiquidationHours(self._gate, now_ms=now_ms)
        self.exports = SqlExports(self._gate, now_ms=now_ms)
        self.probabilities = SqlProbabilityLog(self._gate)
        self.outcomes = SqlOutcomes(self._gate)
        self.evaluations = SqlEvaluations(self._gate, data_mode=data_mode, now_ms=now_ms)
        self.trades = SqlTrades(self._gate, data_mode=data_mode, now_ms=now_ms)
        self.signal_outcomes = SqlOutcomes(self._gate, signal_outcomes, OutcomeLedger(now_ms=now_ms))
        self.state = SqlState(self._gate, now_ms=now_ms)
        self.alerts = SqlAlerts(self._gate, now_ms=now_ms)
        self.tail = SqlLiquidationTail(self._gate, now_ms=now_ms)
        self.keys = SqlKeys(self._gate)
        self.audit = SqlAuditLog(self._gate)
        self._task: asyncio.Task[None] | None = None
        self._opened = asyncio.Event()

    def start(self) -> None:
        """Open in the background; then write, and age out what `keep` says, until closed."""
        self._task = asyncio.create_task(self._run())

    async def opened(self) -> None:
        """Wait until the database is open (commands; the web process never waits).

        Raises:
            StorageRefused: it can never be used as it is.
        """
        if self._task is None:
            raise RuntimeError("start() comes first")
        waiting = asyncio.create_task(self._opened.wait())
        await asyncio.wait({waiting, self._task}, return_when=asyncio.FIRST_COMPLETED)
        if not self._opened.is_set():
            waiting.cancel()
            await self._task
        if self.market.state is StoreState.REFUSED:
            raise StorageRefused(self.market.detail)

    async def close(self) -> None:
        """Write what is buffered within seconds, then close."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        why = self._state()[1]
        if self._gate.closed is None:
            try:
                async with asyncio.timeout(_STOP_S):
                    await self._write_rest()
            except (StorageUnavailable, TimeoutError) as error:
                why = str(error) or f"no answer within {_STOP_S:g} s"
        left = self.market.buffered_rows + self.signals.buffered
        if left:
            _log.error("rows lost at stop", extra={"rows": left, "why": why})
        await self.signals.close()
        await self.market.close()
        await let_go(self._engine)

    async def verify(self) -> ChainReport:
        """Is the record as it was written? Raises: StorageUnavailable."""
        return await verify_record(self._gate)

    def status(self) -> StoreStatus:
        """Counters; never waits for the database."""
        counts = self.market.counts
        state, detail = self._state()
        return StoreStatus(
            state=state,
            detail=detail,
            backend=self._engine.dialect.name,
            buffered_rows=self.market.buffered_rows + self.signals.buffered,
            oldest_buffered_s=self._oldest_s(),
            max_buffered_rows=self.market.max_buffered_rows + MAX_BUFFERED_SIGNALS,
            max_age_s=MAX_AGE_S,
            written_rows=counts.written + self.signals.written,
            duplicate_rows=counts.duplicate,
            lost_rows=counts.lost + self.signals.lost,
            rejected_rows=counts.rejected,
            batches=counts.batches,
            failed_batches=counts.failed_batches,
        )

    def _oldest_s(self) -> float:
        return max(self.market.oldest_s(), self.signals.oldest_s())

    async def _write_rest(self) -> None:
        """What is still buffered. Raises: StorageUnavailable: not all of it could be written."""
        try:
            await self.signals.flush()
        finally:  # neither has to wait for the other's luck
            await self.market.drain()

    def _state(self) -> tuple[StoreState, str]:
        """The worst of: opening and bulk writes, signals, reads, rows that wait too long."""
        if self.market.state is not StoreState.OK:
            return self.market.state, self.market.detail
        trouble = self.signals.trouble
        if trouble is not None and is_full(trouble):
            return StoreState.FULL, str(trouble)
        trouble = trouble or self._gate.silent
        if trouble is not None:
            return StoreState.DOWN, str(trouble)
        late_s = self._oldest_s()
        if late_s > LATE_S:
            return StoreState.DOWN, f"rows have waited {late_s:.0f} s for the database"
        return StoreState.OK, ""

    async def _run(self) -> None:
        await self._open()
        self._opened.set()
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self.market.run())
            tasks.create_task(self.signals.run())
            tasks.create_task(self._watch())
            if self._keep is not None:
                tasks.create_task(self._age_out(self._keep))

    async def _open(self) -> None:
        """Try until it is open: what is wrong (away, not migrated yet) may be put right while this runs."""
        said = ""
        while True:
            try:
                await ensure_schema(
                    self._engine,
                    embedded=self._is_embedded,
                    data_mode=self._data_mode,
                    now_ms=self._now_ms(),
                )
                self._gate.open()
                await self.signals.open()
                if said:
                    _log.info("the database is open")
                return
            except StorageUnavailable as error:
                why = str(error)
                self._gate.keep_shut(error)
                if why != said:  # one line per change, not one per try
                    _log.error("the database is not open", extra={"why": why})
                    said = why
            if isinstance(self._gate.closed, StorageRefused):
                self.market.refuse(why)
                self._opened.set()  # nobody waits for what only an operator can change
                await asyncio.sleep(_REFUSED_PAUSE_S)
            else:
                self.market.wait_for(why)
                await asyncio.sleep(_OPEN_PAUSE_S)

    async def _watch(self) -> None:
        engine = open_engine(self._url, pool_size=1)
        try:
            await watch(engine, self._gate)
        finally:
            await let_go(engine)

    async def _age_out(self, keep: Keep) -> None:
        # Its statements may take minutes; those of answers must not.
        engine = open_engine(self._url, pool_size=1, statement_timeout_s=None)
        try:
            while True:
                try:
                    removed = await apply_retention(engine, keep, self._now_ms())
                    gone = {name: count for name, count in removed.items() if count}
                    if gone:
                        _log.info("old rows removed", extra=gone)
                except StorageUnavailable as error:
                    _log.warning("old rows stay for now", extra={"why": str(error)})
                await asyncio.sleep(_RETENTION_EVERY_S)
        finally:
            await let_go(engine)
