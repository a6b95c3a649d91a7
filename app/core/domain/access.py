"""Keys of callers and the audit log: how one is stored and asked for.

A key is stored as the SHA-256 of its text and never as the text. Times are UTC epoch milliseconds of the real
world, also where the market has another time.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple

# Each request is compared with every key that is in force, so there are not too many.
MAX_ACTIVE_KEYS = 200
# Every name there ever was: one is given only once, or the audit log would say two things by it.
MAX_KEYS = 2_000


class KeyState(StrEnum):
    """What a stored key is good for now."""

    ACTIVE = "active"
    EXPIRED = "expired"
    REVOKED = "revoked"
    SHADOWED = "shadowed"  # API_KEYS has one of its name; said where both are known


@dataclass(frozen=True, slots=True)
class StoredKey:
    """One row of `api_keys`. digest: SHA-256, 32 bytes. scopes: of read, debug, admin.

    expires_ms: the first moment at which it is no longer accepted, None for never. last_used_ms: to the
    minute.
    """

    name: str
    digest: bytes = field(repr=False)
    scopes: frozenset[str]
    created_ms: int
    expires_ms: int | None = None
    revoked_ms: int | None = None
    last_used_ms: int | None = None

    def state(self, now_ms: int) -> KeyState:
        if self.revoked_ms is not None:
            return KeyState.REVOKED
        if self.expires_ms is not None and now_ms >= self.expires_ms:
            return KeyState.EXPIRED
        return KeyState.ACTIVE


class AuditAction(StrEnum):
    """What is written down. The names are labels of a metric: a closed set."""

    KEY_CREATED = "key.created"
    KEY_REVOKED = "key.revoked"
    KEY_REFUSED = "key.refused"  # a bearer key that is none of ours
    LOGIN = "login"
    COIN_ADDED = "coin.added"
    COIN_SWITCHED = "coin.switched"
    COIN_REMOVED = "coin.removed"
    CHAT_CHANGED = "chat.changed"
    ADMIN_READ = "admin.read"
    SCOPE_REFUSED = "scope.refused"
    STORE_MIGRATED = "store.migrated"
    STORE_DOWNGRADED = "store.downgraded"
    STORE_RESTORED = "store.restored"


class AuditOutcome(StrEnum):
    """How it ended."""

    DONE = "done"
    REFUSED = "refused"


class AuditEvent(NamedTuple):
    """One row of `audit_log`, in the order of its columns.

    actor: `key:NAME`, `session:NAME`, `chat:ID`, `cli:USER`, `stranger`, or `anyone` on a service without
    keys. target: a coin, the name of a key, a route. times: how many of the same there were from then on
    within the minute. address: None where there is none, `many` for addresses that were folded.
    """

    ts_ms: int
    id: str
    actor: str
    action: AuditAction
    outcome: AuditOutcome
    target: str = ""
    request_id: str | None = None
    address: str | None = None
    times: int = 1


@dataclass(frozen=True, slots=True)
class AuditQuery:
    """One page of the audit log, newest first. action None: every action; limit 1..200."""

    limit: int
    action: AuditAction | None = None
    cursor: str | None = None
