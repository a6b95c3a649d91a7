"""`POST /telegram/webhook`: updates pushed by Telegram. There only where the bot works by webhook.

The caller proves itself by the secret header that was agreed with `setWebhook`, not by a key of ours; updates
are handed on and answered at once. In no document: it is nobody's interface but Telegram's.
"""

from __future__ import annotations

import hmac
import json
import logging

from fastapi import APIRouter, Request, Response

from app.api.deps import TelegramWebhook
from app.api.edge import TELEGRAM_PATH
from app.api.errors import Overloaded, Unauthorized
from app.api.options import digest_of
from app.core.errors import InvalidParameter

SECRET_HEADER = "X-Telegram-Bot-Api-Secret-Token"  # noqa: S105 - the name of a header
_log = logging.getLogger(__name__)


def telegram_routes(webhook: TelegramWebhook) -> APIRouter:
    """The router."""
    router = APIRouter(include_in_schema=False)

    @router.post(TELEGRAM_PATH)
    async def push_update(request: Request) -> Response:
        given = digest_of(request.headers.get(SECRET_HEADER, ""))
        if not hmac.compare_digest(given, webhook.secret_digest):
            _log.warning("a webhook call without the agreed secret was refused")
            raise Unauthorized(f"a valid {SECRET_HEADER} is needed")
        update = _read(await request.body())
        if not webhook.accept(update):
            raise Overloaded()
        return Response(b"{}", headers={"Cache-Control": "no-store"}, media_type="application/json")

    return router


def _read(body: bytes) -> dict[str, object]:
    """Raises: InvalidParameter, unless the body is one JSON object."""
    try:
        update = json.loads(body)
    except (ValueError, RecursionError):
        update = None
    if not isinstance(update, dict):
        raise InvalidParameter("body", "one JSON object")
    return update
