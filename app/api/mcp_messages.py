"""One message of an MCP client before the SDK reads it: named as JSON, whole in time, with a usable id.

Owns refusals for which the SDK has none, or one that says nothing of the cure. What is in a message is the
SDK's business.
"""

from __future__ import annotations

import asyncio
import json

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Message, Receive

from app.api.errors import BodyTooSlow, WrongMediaType

_JSON = "application/json"
_INVALID_REQUEST = -32_600


def check_media_type(request: Request) -> None:
    """Raises: WrongMediaType."""
    named = request.headers.get("content-type", "").partition(";")[0]
    if named.strip() != _JSON:  # in these letters: the SDK does not fold them
        raise WrongMediaType


async def read_body(receive: Receive, within_s: float) -> bytes | None:
    """All of it; None for a client that has left.

    Who sends half of one would hold a slot, and the end of the process.

    Raises:
        BodyTooSlow: the rest did not come in time.
    """
    pieces: list[bytes] = []
    try:
        async with asyncio.timeout(within_s):
            while True:
                message = await receive()
                if message["type"] == "http.disconnect":
                    return None
                pieces.append(message.get("body", b""))
                if not message.get("more_body", False):
                    return b"".join(pieces)
    except TimeoutError:
        raise BodyTooSlow(within_s) from None


def told_again(body: bytes, receive: Receive) -> Receive:
    """The same body for whoever reads next; afterwards what comes from the client."""
    is_told = False

    async def again() -> Message:
        nonlocal is_told
        if is_told:
            return await receive()
        is_told = True
        return {"type": "http.request", "body": body, "more_body": False}

    return again


def refusal_of(body: bytes) -> Response | None:
    """The answer to a request whose id cannot be answered to: null, not whole, not finite, or no id at all.

    The SDK would take it for a notification in the versions of the handshake, and its sender would wait.
    """
    try:
        message = json.loads(body)
    except (ValueError, RecursionError):
        return None  # not JSON: the SDK says so
    if not isinstance(message, dict) or "method" not in message or "id" not in message:
        return None
    if isinstance(message["id"], str | int) and not isinstance(message["id"], bool):
        return None
    error = {"code": _INVALID_REQUEST, "message": "the id of a request is a text or a whole number"}
    return Response(json.dumps({"jsonrpc": "2.0", "id": None, "error": error}), 400, media_type=_JSON)
