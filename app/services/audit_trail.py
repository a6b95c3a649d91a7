"""The audit log as the service writes it: who did what, folded, buffered and bounded.

What was done gets a row of its own within seconds. What was refused, and what an admin only looked at, is
counted by who, what and from where, one row a minute: a million wrong guesses of one address are a row with a
count, and what one actor does beyond the rows that are told apart is one row of that actor. Nobody waits for
the database.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from app.core.access_ports import AuditLog
from app.core.domain.access import AuditAction, AuditEvent, AuditOutcome, AuditQuery
from app.core.domain.stored import Page
from app.core.errors import StorageUnavailable

WRITE_EVERY_S = 1.0
MINUTE_MS = 60_000
# Rows that wait for the database: an outage of an hour on a busy day.
MAX_WAITING = 2_000
# Rows of one actor told apart within a minute; what it does further is counted together. By actor, so that
# strangers, who are one, cannot crowd out what somebody does with a stolen key.
MAX_FOLDS = 100
MANY = "many"
_AT_ONCE = 500
_TEXT_CHARS = 100
_log = logging.getLogger(__name__)


class AuditObserver(Protocol):
    """Told about every event, for metrics; both arguments are closed sets."""

    def __call__(self, *, action: str, outcome: str) -> None: ...


@dataclass(frozen=True, slots=True)
class Occurrence:
    """What happened, before it has a time. Fields as of `AuditEvent`."""

    actor: str
    action: AuditAction
    outcome: AuditOutcome = AuditOutcome.DONE
    target: str = ""
    request_id: str | None = None
    address: str | None = None


class AuditTrail:
    """One per process. `run()` writes; `settle()` writes the rest at the end."""

    def __init__(
        self, log: AuditLog, *, wall_ms: Callable[[], int], observe: AuditObserver | None = None
    ) -> None:
        self._log = log
        self._wall_ms = wall_ms
        self._observe = observe
        self._waiting: list[AuditEvent] = []
        self._folds: dict[tuple[str, AuditAction, str, str | None], AuditEvent] = {}
        self._folds_of: Counter[str] = Counter()
        self._minute = 0
        self.lost = 0

    def note(self, what: Occurrence) -> None:
        """Take one event; never waits and never fails."""
        if self._observe is not None:
            self._observe(action=what.action.value, outcome=what.outcome.value)
        event = _event(what, self._wall_ms())
        if what.outcome is AuditOutcome.REFUSED or what.action is AuditAction.ADMIN_READ:
            self._fold(event)
        else:
            self._wait(event)

    async def page(self, query: AuditQuery) -> Page[AuditEvent]:
        """What was written, newest first. Raises: InvalidParameter, StorageUnavailable."""
        return await self._log.page(query)

    async def run(self) -> None:
        """Write what waits, until cancelled."""
        while True:
            await asyncio.sleep(WRITE_EVERY_S)
            await self.write()

    async def settle(self) -> None:
        """Write everything now, the running minute too."""
        self._close_minute()
        if not await self.write():
            _log.error("audit rows lost at stop", extra={"rows": len(self._waiting)})

    async def write(self) -> bool:
        """One round of `run`; False when the store cannot be asked: the rows wait on."""
        if self._wall_ms() // MINUTE_MS != self._minute:
            self._close_minute()
        while self._waiting:
            rows = self._waiting[:_AT_ONCE]
            try:
                await self._log.append(rows)
            except StorageUnavailable:
                return False
            self._drop_written(rows)
        return True

    def _drop_written(self, rows: Sequence[AuditEvent]) -> None:
        """The oldest may have made room for others while these were being written."""
        written = {row.id for row in rows}
        self._waiting = [row for row in self._waiting if row.id not in written]

    def _fold(self, event: AuditEvent) -> None:
        minute = event.ts_ms // MINUTE_MS
        if minute != self._minute:
            self._close_minute()
            self._minute = minute
        key = (event.actor, event.action, event.target, event.address)
        if key not in self._folds and self._folds_of[event.actor] >= MAX_FOLDS:
            event = event._replace(address=MANY, target="", request_id=None)
            key = (event.actor, event.action, "", MANY)
        known = self._folds.get(key)
        self._folds_of[event.actor] += known is None
        self._folds[key] = event if known is None else known._replace(times=known.times + 1)

    def _close_minute(self) -> None:
        for event in self._folds.values():
            self._wait(event)
        self._folds = {}
        self._folds_of.clear()

    def _wait(self, event: AuditEvent) -> None:
        if len(self._waiting) >= MAX_WAITING:
            # The newest is what somebody looks for; how many are gone is told.
            del self._waiting[0]
            self.lost += 1
            if self.lost in {1, 10, 100, 1_000} or self.lost % 10_000 == 0:
                _log.error("audit rows lost: the database is away for long", extra={"lost": self.lost})
        self._waiting.append(event)


def _event(what: Occurrence, now_ms: int) -> AuditEvent:
    return AuditEvent(
        ts_ms=now_ms,
        id=secrets.token_hex(8),
        actor=_plain(what.actor),
        action=what.action,
        outcome=what.outcome,
        target=_plain(what.target),
        request_id=what.request_id,
        address=what.address,
    )


def _plain(text: str) -> str:
    """Printable and short: names of keys and targets come from outside."""
    return "".join(char if char.isprintable() else "?" for char in text[:_TEXT_CHARS])
