"""What stands between the parts of the store and the database: is it fit for use, and does it answer?

Owns when nobody is let through, the longest that anybody waits, and the watch that finds out. Knows no table
but one it may look at.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext, suppress
from typing import TypeAlias

from sqlalchemy import Dialect, select
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from app.core.errors import StorageUnavailable
from app.services.storage.faults import DRIVER_FAULTS, storage_errors
from app.services.storage.tables import worker_state
from app.services.storage.turns import WriteTurns

_log = logging.getLogger(__name__)

# The longest that anybody waits for one visit to the database. More than SQLite waits for a lock.
ANSWER_S = 6.0
# The watch looks this often, and at once when a visit failed.
WATCH_EVERY_S = 5.0
# While it is silent: one look after another, so that all goes on soon after it is back.
_SILENT_PAUSE_S = 0.5
_LOOK_S = 2.0


class GatedEngine:
    """An engine that lets nobody through before the database was found fit, or while it does not answer.

    A database of another data mode answers every query just as well; what it says must not be told. And one
    that hangs must not make every caller wait: the first who waits in vain wakes the watch, and until the
    watch has seen it answer again everybody is told at once.
    """

    def __init__(
        self, engine: AsyncEngine, *, answer_s: float = ANSWER_S, turns: WriteTurns | None = None
    ) -> None:
        """turns: taken by transactions of an embedded database."""
        self._engine = engine
        self._turns = turns
        self._answer_s = answer_s
        self._closed: StorageUnavailable | None = StorageUnavailable("the database is not open yet")
        self._silent: StorageUnavailable | None = None
        self._doubt = asyncio.Event()

    @property
    def dialect(self) -> Dialect:
        return self._engine.dialect

    @property
    def closed(self) -> StorageUnavailable | None:
        """Why it is shut; None while it is open."""
        return self._closed

    @property
    def silent(self) -> StorageUnavailable | None:
        """That it does not answer at the moment, and how; None while it does."""
        return self._silent

    def open(self) -> None:
        self._closed = None

    def keep_shut(self, why: StorageUnavailable) -> None:
        """From now on `why` is what everybody is told."""
        self._closed = why

    def connect(self) -> AbstractAsyncContextManager[AsyncConnection]:
        """Entering raises: StorageUnavailable: while shut or silent. TimeoutError: it took too long."""
        return self._visit(self._engine.connect)

    def begin(self) -> AbstractAsyncContextManager[AsyncConnection]:
        """The same in a transaction that is committed at the end."""
        return self._visit(self._engine.begin if self._turns is None else self._begin_in_turn)

    async def doubted(self, *, within_s: float) -> None:
        """Return when a visit failed, or after `within_s`."""
        with suppress(TimeoutError):
            async with asyncio.timeout(within_s):
                await self._doubt.wait()
        self._doubt.clear()

    def fall_silent(self, why: StorageUnavailable) -> None:
        """Let nobody wait for it until `hear`."""
        if self._silent is None:  # one line per outage, and one at its end
            _log.error("the database does not answer", extra={"why": str(why)})
        self._silent = why

    def hear(self) -> None:
        """It answers."""
        if self._silent is not None:
            _log.info("the database answers again")
        self._silent = None

    @asynccontextmanager
    async def _begin_in_turn(self) -> AsyncIterator[AsyncConnection]:
        turns = nullcontext() if self._turns is None else self._turns.urgent()
        async with turns, self._engine.begin() as connection:
            yield connection

    @asynccontextmanager
    async def _visit(
        self, enter: Callable[[], AbstractAsyncContextManager[AsyncConnection]]
    ) -> AsyncIterator[AsyncConnection]:
        why = self._closed or self._silent
        if why is not None:
            raise type(why)(str(why))
        try:
            async with asyncio.timeout(self._answer_s), enter() as connection:
                yield connection
        except DRIVER_FAULTS:
            self._doubt.set()
            raise


# What the parts of the store are given: commands open the engine themselves.
Access: TypeAlias = AsyncEngine | GatedEngine


async def watch(engine: AsyncEngine, gate: GatedEngine) -> None:
    """Look whether the database answers, until cancelled; tells the gate.

    engine: one of its own, for the gate's connections may all be waiting.
    """
    while True:
        await gate.doubted(within_s=WATCH_EVERY_S if gate.silent is None else _SILENT_PAUSE_S)
        try:
            with storage_errors("the database does not answer"):
                # A table and not a constant: SQLite answers that without its file.
                async with asyncio.timeout(_LOOK_S), engine.connect() as connection:
                    await connection.execute(select(worker_state.c.key).limit(1))
        except StorageUnavailable as error:
            gate.fall_silent(error)
        else:
            gate.hear()
