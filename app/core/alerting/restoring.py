"""What each chat saw of a stored alert: read from its deliveries, for the memory of the gate after a start.

Called by `desk.restore`. A delivery that failed for good counts as told: sending the same again would fail
again, and one that arrived unnoticed would be a repetition.
"""

from __future__ import annotations

from collections.abc import Mapping

from app.core.alerting.codec import MalformedText, decode_alert
from app.core.alerting.policy import HOUSE
from app.core.domain.alerts import Alert, Delivery, DropReason, StoredAlert


def told_chats(stored: StoredAlert) -> Mapping[str, Alert]:
    """Chat -> the revision it was sent or is about to be sent; "" for what nobody was there to be told."""
    told = {delivery.chat: _seen(delivery, stored.alert) for delivery in stored.deliveries}
    if not told and stored.drop_reason is DropReason.NO_CHAT:
        return {HOUSE.chat: stored.alert}
    return told


def _seen(delivery: Delivery, newest: Alert) -> Alert:
    """The stored alert may be a revision this chat was not told; what it was told is in its delivery."""
    try:
        return decode_alert(delivery.body)
    except MalformedText:
        return newest
