"""Which message a chat gets next out of all that waits for it: one alert, a digest of many, or an edit.

Pure. People read one message better than a hundred, so what waits together goes together; other systems get
every alert by itself (`delivery` does not ask here for them).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from app.core.domain.alerts import Delivery

# More new alerts of one chat than these, waiting at once, are one digest.
MAX_SINGLES = 3
MAX_DIGEST = 500
# An edit that has waited so long goes before new messages, or a long storm would keep old sizes on show.
EDIT_PATIENCE_MS = 10_000


@dataclass(frozen=True, slots=True)
class Job:
    """One call to a sender. is_digest: all deliveries are one message; group: its name when it has one."""

    deliveries: tuple[Delivery, ...]
    is_digest: bool
    is_edit: bool
    group: str = ""

    @property
    def chat(self) -> str:
        return self.deliveries[0].chat

    @property
    def is_repeat(self) -> bool:
        """It may have arrived before."""
        return not self.is_edit and any(delivery.repeats for delivery in self.deliveries)


def next_job(
    rows: Sequence[Delivery], *, is_stale: Callable[[Delivery], bool], may_edit: bool, now_ms: int
) -> Job | None:
    """What to send first of these deliveries of one chat, urgent ones first; None when it all has to wait.

    is_stale: too old to be shown as if it had just happened; then it goes into a digest, even alone.
    """
    new = [row for row in rows if row.sent_revision == 0]
    edits = [row for row in rows if row.sent_revision > 0] if may_edit else []
    is_overdue = any(now_ms - row.next_try_ms > EDIT_PATIENCE_MS for row in edits)
    if new and not is_overdue:
        return _new_message(new, is_stale)
    return _edit(edits) if edits else None


def _new_message(new: Sequence[Delivery], is_stale: Callable[[Delivery], bool]) -> Job:
    fresh = [row for row in new if not row.group and not row.repeats]
    if len(fresh) > MAX_SINGLES:
        return Job(tuple(fresh[:MAX_DIGEST]), is_digest=True, is_edit=False)
    stale = tuple(filter(is_stale, fresh))
    if stale:
        return Job(stale, is_digest=True, is_edit=False)
    # What may have arrived before is repeated as it was sent: alone, or with the same others.
    return _of_group((fresh or new)[0], new, is_edit=False)


def _edit(edits: Sequence[Delivery]) -> Job:
    return _of_group(edits[0], edits, is_edit=True)


def _of_group(first: Delivery, rows: Sequence[Delivery], *, is_edit: bool) -> Job:
    if not first.group:
        return Job((first,), is_digest=False, is_edit=is_edit)
    same = tuple(row for row in rows if row.group == first.group)
    return Job(same, is_digest=True, is_edit=is_edit, group=first.group)
