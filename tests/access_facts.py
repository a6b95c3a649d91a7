"""Stores of keys and of the audit log in memory that can go away. Not a test module."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from app.api.options import digest_of
from app.core.domain.access import AuditEvent, AuditQuery, StoredKey
from app.core.domain.stored import Page
from app.core.errors import StorageUnavailable

NOW_MS = 1_772_000_000_000


def key(name: str, text: str = "", *scopes: str, **fields: int) -> StoredKey:
    """A stored key, active unless `fields` say otherwise."""
    return StoredKey(
        name, digest_of(text or f"key-of-{name}"), frozenset(scopes or ("read",)), NOW_MS, **fields
    )


@dataclass(slots=True)
class MemoryKeys:
    """`core.access_ports.KeyStore`."""

    rows: dict[str, StoredKey] = field(default_factory=dict)
    touched: list[Mapping[str, int]] = field(default_factory=list)
    is_away: bool = False

    def put(self, *keys: StoredKey) -> None:
        self.rows |= {one.name: one for one in keys}

    async def keys(self) -> Sequence[StoredKey]:
        self._ask()
        return [self.rows[name] for name in sorted(self.rows)]

    async def add_key(self, key: StoredKey) -> bool:
        self._ask()
        return self.rows.setdefault(key.name, key) is key

    async def revoke_key(self, name: str, at_ms: int) -> bool:
        self._ask()
        self.rows[name] = replace(self.rows[name], revoked_ms=at_ms)
        return True

    async def touch_keys(self, used: Mapping[str, int]) -> None:
        self._ask()
        self.touched.append(dict(used))
        for name, at_ms in used.items():
            self.rows[name] = replace(self.rows[name], last_used_ms=at_ms)

    def _ask(self) -> None:
        if self.is_away:
            raise StorageUnavailable("the database does not answer")


@dataclass(slots=True)
class MemoryAudit:
    """`core.access_ports.AuditLog`, one page long."""

    rows: list[AuditEvent] = field(default_factory=list)
    is_away: bool = False

    async def append(self, events: Sequence[AuditEvent]) -> None:
        self._ask()
        self.rows += events

    async def page(self, query: AuditQuery) -> Page[AuditEvent]:
        self._ask()
        found = [row for row in reversed(self.rows) if query.action in {None, row.action}]
        return Page(tuple(found[: query.limit]), None)

    def _ask(self) -> None:
        if self.is_away:
            raise StorageUnavailable("the database does not answer")
