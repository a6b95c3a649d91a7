"""What keys and the audit log need from the store, as protocols. `services.storage` implements them.

Every method raises `StorageUnavailable` when the database cannot be asked.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from app.core.domain.access import AuditEvent, AuditQuery, StoredKey
from app.core.domain.stored import Page


class KeyStore(Protocol):
    """The keys that were made by the command."""

    async def keys(self) -> Sequence[StoredKey]:
        """Every one, revoked and expired ones too, by name; at most `MAX_KEYS`."""
        ...

    async def add_key(self, key: StoredKey) -> bool:
        """False: the name was given before; nothing has changed."""
        ...

    async def revoke_key(self, name: str, at_ms: int) -> bool:
        """False: there is none of that name in force."""
        ...

    async def touch_keys(self, used: Mapping[str, int]) -> None:
        """Note when keys were last used; an older time than the one that is noted changes nothing."""
        ...


class AuditLog(Protocol):
    """The append-only log."""

    async def append(self, events: Sequence[AuditEvent]) -> None:
        """Write them; one that is there already is left as it is."""
        ...

    async def page(self, query: AuditQuery) -> Page[AuditEvent]:
        """Newest first. Raises: InvalidParameter (a bad cursor)."""
        ...
