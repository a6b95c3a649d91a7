"""The keys that the command made, as a running process knows them.

Read by a loop, asked synchronously for every request. Nothing is accepted before the first reading; while the
database is away the last one goes on, less what has expired since; and a key that was once seen revoked here
stays so, whatever a restored database says. Knows nothing of HTTP and of the keys of the environment.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence

from app.core.access_ports import KeyStore
from app.core.domain.access import MAX_ACTIVE_KEYS, MAX_KEYS, KeyState, StoredKey
from app.core.errors import StorageUnavailable

RELOAD_S = 2.0
# Until the store has answered once, no key of the table opens anything.
FIRST_LOAD_S = 0.25
# The use of a key is written at most this often: one write a minute and key, however busy it is.
USE_EVERY_MS = 60_000
_log = logging.getLogger(__name__)


class Keyring:
    """One per web process."""

    def __init__(self, store: KeyStore, *, wall_ms: Callable[[], int]) -> None:
        """wall_ms: UTC epoch milliseconds of the real world; a replay's market has another time."""
        self._store = store
        self._wall_ms = wall_ms
        self._all: tuple[StoredKey, ...] = ()
        self._active: tuple[StoredKey, ...] = ()
        self._valid_until_ms: int | None = None
        self._revoked: dict[bytes, None] = {}
        self._used: dict[str, int] = {}
        self._noted: dict[str, int] = {}

    def active(self) -> tuple[StoredKey, ...]:
        """Those in force now, at most `MAX_ACTIVE_KEYS`; the same object until something changes."""
        if self._valid_until_ms is not None and self._wall_ms() >= self._valid_until_ms:
            self._sort_out()
        return self._active

    def all(self) -> tuple[StoredKey, ...]:
        """Every key there is, by name."""
        return self._all

    def use(self, name: str) -> None:
        """A request came with this key; written down by `run`, to the minute."""
        now_ms = self._wall_ms()
        if now_ms - self._noted.get(name, 0) >= USE_EVERY_MS:
            self._used[name] = now_ms

    async def run(self) -> None:
        """Read what the command changed and write what was used, until cancelled."""
        was_read = False
        while True:
            was_read = await self.load() or was_read
            await asyncio.sleep(RELOAD_S if was_read else FIRST_LOAD_S)

    async def load(self) -> bool:
        """One round of `run`; False when the store cannot be asked: what is known stays."""
        try:
            self._take(await self._store.keys())
            await self._write_uses()
        except StorageUnavailable:
            return False
        return True

    def _take(self, rows: Sequence[StoredKey]) -> None:
        self._revoked |= dict.fromkeys(row.digest for row in rows if row.revoked_ms is not None)
        for _ in range(len(self._revoked) - MAX_KEYS):
            del self._revoked[next(iter(self._revoked))]
        known = {row.name: row.last_used_ms for row in rows if row.last_used_ms is not None}
        # What another process wrote counts as well: one write a minute for all of them.
        self._noted = {name: max(ms, self._noted.get(name, 0)) for name, ms in known.items()}
        if tuple(rows) != self._all:
            self._all = tuple(rows)
            self._sort_out()

    def _sort_out(self) -> None:
        now_ms = self._wall_ms()
        active = [
            key
            for key in self._all
            if key.state(now_ms) is KeyState.ACTIVE and key.digest not in self._revoked
        ]
        if len(active) > MAX_ACTIVE_KEYS:
            _log.error("more keys than are accepted", extra={"keys": len(active), "most": MAX_ACTIVE_KEYS})
        self._active = tuple(active[:MAX_ACTIVE_KEYS])
        self._valid_until_ms = min(
            (key.expires_ms for key in active if key.expires_ms is not None), default=None
        )

    async def _write_uses(self) -> None:
        """Raises: StorageUnavailable; what could not be written is written later."""
        used = {name: ms for name, ms in self._used.items() if ms - self._noted.get(name, 0) >= USE_EVERY_MS}
        if used:
            await self._store.touch_keys(used)
        self._noted |= used
        self._used = {name: ms for name, ms in self._used.items() if ms > self._noted.get(name, 0)}
