"""Stores what the gate decided, before anybody is told; what the database cannot take now waits in order.

Owns the bounded queue in front of the store of alerts. Of an alert only its newest revision waits. Called by
the pipeline; `run()` tries again what could not be stored.
"""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Sequence

from app.core.clock import Clock
from app.core.domain.alerts import GateVerdict
from app.core.errors import StorageUnavailable
from app.core.stream_ports import AlertStore
from app.services.streaming.alert_context import told_ids

_log = logging.getLogger(__name__)

# Alerts that wait for the database; a storm over every coin there is fits in many times.
MAX_WAITING = 10_000
BATCH = 500
_PAUSE_S = 0.5


class AlertKeeper:
    """Alerts on their way into the database. `on_stored` is called after each batch that was committed."""

    def __init__(
        self,
        store: AlertStore,
        *,
        on_stored: Callable[[], None],
        clock: Clock,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        max_waiting: int = MAX_WAITING,
    ) -> None:
        self._store = store
        self._on_stored = on_stored
        self._clock = clock
        self._sleep = sleep
        self._max_waiting = max_waiting
        self._waiting: OrderedDict[str, GateVerdict] = OrderedDict()
        self._turn = asyncio.Lock()
        self._stuck = asyncio.Event()
        self.stored = 0
        self.lost = 0
        self.trouble: str | None = None

    @property
    def waiting(self) -> int:
        return len(self._waiting)

    async def keep(self, verdicts: Sequence[GateVerdict]) -> None:
        """Store these now; when the database does not take them, they wait and `run` tries again."""
        for verdict in verdicts:
            self._add(verdict)
        await self._store_waiting()

    async def run(self) -> None:
        """Try again what waits, until cancelled."""
        while True:
            await self._stuck.wait()
            await self._sleep(_PAUSE_S)
            await self._store_waiting()

    async def settle(self) -> None:
        """One last try, at the end."""
        await self._store_waiting()

    def _add(self, verdict: GateVerdict) -> None:
        before = self._waiting.pop(verdict.alert.id, None)
        self._waiting[verdict.alert.id] = verdict if before is None else _joined(before, verdict)
        if len(self._waiting) > self._max_waiting:
            # The oldest has waited longest and is worth least by now.
            lost_id, _ = self._waiting.popitem(last=False)
            self.lost += 1
            _log.error("an alert is lost: too many wait for the database", extra={"alertId": lost_id})

    async def _store_waiting(self) -> None:
        async with self._turn:
            while self._waiting:
                batch = list(self._waiting.values())[:BATCH]
                try:
                    await self._store.keep_all(batch, now_ms=self._clock.now_ms())
                except StorageUnavailable as error:
                    self._note_trouble(str(error))
                    return
                self._forget(batch)
                self.stored += len(batch)
                _note_stored(batch)
                self._on_stored()
            self._note_recovery()

    def _forget(self, batch: Sequence[GateVerdict]) -> None:
        for verdict in batch:
            # A newer revision may have come while this one was being written.
            if self._waiting.get(verdict.alert.id) is verdict:
                del self._waiting[verdict.alert.id]

    def _note_trouble(self, why: str) -> None:
        if self.trouble is None:  # one line per outage
            seen = {"why": why, "waiting": len(self._waiting), "alertId": told_ids(self._waiting)}
            _log.error("alerts wait for the database", extra=seen)
        self.trouble = why
        self._stuck.set()

    def _note_recovery(self) -> None:
        if self.trouble is not None:
            _log.info("the database takes alerts again")
        self.trouble = None
        self._stuck.clear()


def _note_stored(batch: Sequence[GateVerdict]) -> None:
    """One line for each that the gate let through: it bounds those, and what it drops is only counted."""
    for verdict in batch:
        if verdict.reason is None:
            alert = verdict.alert
            seen = {"alertId": alert.id, "revision": alert.revision, "kind": alert.kind.value}
            seen |= {"symbol": alert.symbol, "direction": alert.direction.value}
            _log.info("an alert is stored", extra={**seen, "severity": alert.severity.value})


def _joined(older: GateVerdict, newer: GateVerdict) -> GateVerdict:
    """The newer revision, told to everybody to whom either was to be told."""
    chats = (*older.chats, *(chat for chat in newer.chats if chat not in older.chats))
    dropped = {chat: why for chat, why in newer.dropped.items() if chat not in chats}
    reason = newer.reason if older.reason is not None else None
    return GateVerdict(newer.alert, reason, chats, dropped, newer.is_edit)
