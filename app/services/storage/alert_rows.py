"""Alerts and deliveries as rows and back: pure, no database.

Owns how the fate of an alert lies in the body of its history row (`fate`, beside the alert's own facts), so
that an export of the table tells all of it. Used by `alerts` and `outbox` only.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import msgspec
from sqlalchemy import RowMapping

from app.core.alerting.codec import decode_alert
from app.core.domain.alerts import Alert, Delivery, DeliveryState, DropReason, StoredAlert


class Fate(msgspec.Struct, frozen=True, omit_defaults=True):
    """Whom the gate let hear of an alert, in the words of the stored body."""

    drop_reason: DropReason | None = None
    dropped_chats: Mapping[str, DropReason] = {}

    def after(self, before: Fate, *, told: Collection[str]) -> Fate:
        """Of a further revision: what somebody was told before is never said to have been dropped."""
        reason = None if before.drop_reason is None else self.drop_reason
        return Fate(reason, {chat: why for chat, why in self.dropped_chats.items() if chat not in told})


def fate_of(drop_reason: DropReason | None, dropped_chats: Mapping[str, DropReason]) -> Fate:
    return Fate(drop_reason, {chat: dropped_chats[chat] for chat in sorted(dropped_chats)})


def history_row(alert: Alert, fate: Fate, *, text: str) -> dict[str, Any]:
    """The columns of `alert_history`; text: the alert, encoded."""
    facts = msgspec.json.decode(text, type=dict[str, msgspec.Raw])
    facts["fate"] = msgspec.Raw(msgspec.json.encode(fate))
    return {
        "id": alert.id,
        "ts_event_ms": alert.ts_event_ms,
        "symbol": alert.symbol,
        "kind": alert.kind.value,
        "direction": alert.direction.value,
        "severity": alert.severity.value,
        "confidence": alert.confidence,
        "usd": alert.usd,
        "is_kept": fate.drop_reason is None,
        "drop_reason": None if fate.drop_reason is None else fate.drop_reason.value,
        "ts_init_ms": alert.ts_init_ms,
        "body": msgspec.json.encode(facts).decode(),
    }


def read_body(body: str) -> tuple[Alert, Fate]:
    """The alert and its fate from the body of a history row."""
    facts = msgspec.json.decode(body, type=dict[str, msgspec.Raw])
    fate = msgspec.json.decode(facts.pop("fate", msgspec.Raw(b"{}")), type=Fate)
    return decode_alert(msgspec.json.encode(facts).decode()), fate


def stored_alert(body: str, deliveries: Sequence[Delivery]) -> StoredAlert:
    alert, fate = read_body(body)
    return StoredAlert(alert, fate.drop_reason, fate.dropped_chats, tuple(deliveries))


def delivery_of(row: RowMapping) -> Delivery:
    """A row of the outbox as the domain names it."""
    return Delivery(
        alert_id=row["alert_id"],
        chat=row["chat"],
        state=DeliveryState(row["state"]),
        revision=row["revision"],
        sent_revision=row["sent_revision"],
        attempts=row["attempts"],
        repeats=row["repeats"],
        next_try_ms=row["next_try_ms"],
        message_id=row["message_id"],
        body=row["body"],
        group=row["group_id"] or "",
        last_error=row["last_error"],
    )
