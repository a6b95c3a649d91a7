"""Sends alerts to another system as signed JSON; it tells repeats by id and revision.

Signature: `X-Signature: sha256=` and the hex HMAC-SHA256 of the body under the shared secret. Because the
receiver can tell, what may have arrived is simply sent again. Called by the delivery.
"""

from __future__ import annotations

import hashlib
import hmac

from app.core.domain.alerts import Delivery
from app.core.errors import (
    DeliveryError,
    DeliveryRateLimited,
    DeliveryRejected,
    DeliveryUnavailable,
    ProviderError,
)
from app.core.stream_ports import Message
from app.services.transport.post import PostClient

_AGAIN = frozenset({408, 425})


class WebhookSender:
    """`core.stream_ports.Sender` for the destination `webhook`."""

    scheme = "webhook"

    def __init__(self, client: PostClient, *, secret: str | None) -> None:
        """secret None: calls carry no signature."""
        self._client = client
        self._secret = None if secret is None else secret.encode()

    def __repr__(self) -> str:
        return "WebhookSender()"

    async def send(self, chat: str, delivery: Delivery, message: Message) -> str:
        """ "": the other system names no message. Raises: DeliveryError."""
        await self._post(chat, delivery)
        return ""

    async def edit(self, chat: str, delivery: Delivery, message: Message) -> None:
        """The newer revision, by the same way."""
        await self._post(chat, delivery)

    async def aclose(self) -> None:
        await self._client.aclose()

    async def _post(self, chat: str, delivery: Delivery) -> None:
        body = delivery.body.encode()
        headers = {
            "content-type": "application/json",
            "x-alert-id": delivery.alert_id,
            "x-alert-revision": str(delivery.revision),
        }
        if self._secret is not None:
            headers["x-signature"] = f"sha256={hmac.new(self._secret, body, hashlib.sha256).hexdigest()}"
        try:
            status, retry_after_s = await self._client.post(body, headers)
        except ProviderError as error:
            raise DeliveryUnavailable(chat, error.detail) from None
        failure = _failure(chat, status, retry_after_s)
        if failure is not None:
            raise failure


def _failure(chat: str, status: int, retry_after_s: float | None) -> DeliveryError | None:
    if 200 <= status < 300:
        return None
    detail = f"HTTP {status}"
    if status == 429:
        return DeliveryRateLimited(chat, detail, retry_after_s=retry_after_s)
    if status >= 500 or status in _AGAIN:
        return DeliveryUnavailable(chat, detail, retry_after_s=retry_after_s)
    return DeliveryRejected(chat, detail)
