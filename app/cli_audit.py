"""What commands write into the audit log: who ran them on this machine, and on what.

Called by `app.keys` and `app.store`, which open the database themselves.
"""

from __future__ import annotations

import getpass
import secrets
import time

from app.core.domain.access import AuditAction, AuditEvent, AuditOutcome
from app.services.storage.access import SqlAuditLog
from app.services.storage.gate import Access

UNKNOWN = "unknown"


async def note_by_command(engine: Access, action: AuditAction, target: str) -> None:
    """One row, at once. Raises: StorageUnavailable."""
    now_ms = time.time_ns() // 1_000_000
    done = AuditEvent(now_ms, secrets.token_hex(8), f"cli:{user()}", action, AuditOutcome.DONE, target)
    await SqlAuditLog(engine).append([done])


def user() -> str:
    """Who runs this, as far as the system says."""
    try:
        name = getpass.getuser()
    except (KeyError, OSError, ImportError):  # a container's number without a name
        return UNKNOWN
    return "".join(char for char in name[:40] if char.isprintable()) or UNKNOWN
