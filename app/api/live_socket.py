"""`/ws`: the live feed by WebSocket. Refusals before the handshake, the first message, and the close codes.

The edge answers requests and passes sockets through, so everything it checks is checked here once more: rate,
origin, caller, number. A token comes in the first message and never in the address, which proxies log.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.types import Message as Event
from starlette.types import Receive, Scope, Send

from app.api.audit_door import AuditDoor
from app.api.auth import address_of
from app.api.errors import TooManyClients
from app.api.live_clients import Ending, Gathers, serve
from app.api.live_hub import Kind, LiveHub, Message, Position
from app.api.live_limits import MAX_MESSAGE_BYTES
from app.api.options import ApiOptions
from app.api.options import Scope as KeyScope
from app.api.origins import is_allowed_origin
from app.api.rate_limit import SlidingWindowLimiter
from app.api.session import Sessions

SOCKET_PATH = "/ws"
# A client has nothing to say after its first message; a few are forgiven.
_MAX_LATER_MESSAGES = 16
_POLICY, _TRY_LATER, _RESTART = 1008, 1013, 1012
_CLOSE_CODES: Mapping[Ending, int] = {
    Ending.SLOW: _POLICY,
    Ending.TALKATIVE: _POLICY,
    Ending.EXPIRED: _RESTART,
    Ending.STOPPED: _RESTART,
}
# A client that does not take the close frame is left to the server.
_CLOSE_S = 1.0


class _Resume(BaseModel):
    model_config = ConfigDict(strict=True)

    hub: str = Field(max_length=64)
    seq: int = Field(ge=0)


class _Hello(BaseModel):
    model_config = ConfigDict(strict=True)

    type: Literal["hello"]
    token: str | None = Field(default=None, max_length=512)
    resume: _Resume | None = None


class _Refused(Exception):
    """The client is told why, and closed."""

    def __init__(self, code: str, detail: str, close: int = _POLICY) -> None:
        super().__init__(detail)
        self.code, self.detail, self.close = code, detail, close


class LiveSocket:
    """ASGI endpoint of the WebSocket route."""

    def __init__(
        self,
        options: ApiOptions,
        hub: LiveHub,
        gathers: Gathers,
        sessions: Sessions,
        *,
        audit: AuditDoor,
        monotonic: Callable[[], float],
    ) -> None:
        self._options = options
        self._hub = hub
        self._gathers = gathers
        self._sessions = sessions
        self._audit = audit
        self._monotonic = monotonic
        self._limiter = SlidingWindowLimiter(options.rate_limit_per_minute)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = _headers(scope)
        address = address_of(scope, self._options)
        await receive()  # websocket.connect
        if not await self._let_in(scope, headers, address, send):
            return
        await send({"type": "websocket.accept"})
        try:
            with self._hub.seat(Kind.SOCKET, address):
                await self._converse(scope, headers, address, receive, send)
        except TooManyClients as error:
            await _close(send, _TRY_LATER, error.code, str(error))
        except _Refused as refused:
            self._hub.observe.live_refused(refused.code)
            await _close(send, refused.close, refused.code, refused.detail)
        except OSError:
            return  # gone before it was told anything

    async def _let_in(self, scope: Scope, headers: Mapping[bytes, bytes], address: str, send: Send) -> bool:
        """Before the handshake: a browser learns nothing but that it was refused."""
        reason, status = self._why_not(scope, headers, address)
        if not reason:
            return True
        self._hub.observe.live_refused(reason)
        if status == 429 and "websocket.http.response" in scope.get("extensions", {}):
            answer = {"status": status, "headers": [(b"retry-after", b"60")]}
            await send({"type": "websocket.http.response.start", **answer})
            await send({"type": "websocket.http.response.body", "body": b""})
        else:
            await send({"type": "websocket.close", "code": _POLICY})
        return False

    def _why_not(self, scope: Scope, headers: Mapping[bytes, bytes], address: str) -> tuple[str, int]:
        if not self._limiter.check(f"ip:{address}", self._monotonic()).allowed:
            return "rate", 429
        if scope.get("query_string"):
            return "query", 403
        origin = headers.get(b"origin")
        if not is_allowed_origin(None if origin is None else origin.decode("latin-1"), self._options):
            return "origin", 403
        return "", 0

    async def _converse(
        self, scope: Scope, headers: Mapping[bytes, bytes], address: str, receive: Receive, send: Send
    ) -> None:
        hello = await self._hello(receive)
        if hello is None:
            return
        self._authorise(scope, hello.token, headers, address)
        resume = None if hello.resume is None else Position(hello.resume.hub, hello.resume.seq)

        async def tell(message: Message) -> None:
            await send({"type": "websocket.send", "text": message.text})

        async def leaves() -> Ending:
            return await _until_gone(receive)

        ending = await serve(
            self._hub, self._gathers, kind=Kind.SOCKET, tell=tell, resume=resume, leaves=leaves
        )
        if ending in _CLOSE_CODES:
            await _close(send, _CLOSE_CODES[ending], ending.value, "")

    async def _hello(self, receive: Receive) -> _Hello | None:
        """The first message; None for a client that went away. Raises: _Refused."""
        limit_s = self._hub.limits.hello_s
        try:
            async with asyncio.timeout(limit_s):
                event = await receive()
        except TimeoutError:
            raise _Refused("hello_late", f"no hello within {limit_s:g} s") from None
        if event["type"] == "websocket.disconnect":
            return None
        return _read_hello(event)

    def _authorise(
        self, scope: Scope, token: str | None, headers: Mapping[bytes, bytes], address: str
    ) -> None:
        """Raises: _Refused, unless the token, the session or this deployment lets the client read."""
        if not self._options.auth_required:
            return
        if token is not None:
            caller = self._sessions.caller_of_token(token, address)
            if caller is None:
                self._audit.wrong_key(scope)
        else:
            cookie = headers.get(b"cookie")
            caller = self._sessions.caller_of_cookie(
                None if cookie is None else cookie.decode("latin-1"), address
            )
        if caller is None or KeyScope.READ not in caller.scopes:
            raise _Refused("unauthorized", "a valid token in the first message, or a session, is needed")


def _headers(scope: Scope) -> dict[bytes, bytes]:
    """Every header; a repeated one is joined, so that a second Origin is no origin of ours."""
    found: dict[bytes, bytes] = {}
    for name, value in scope["headers"]:
        joint = b"; " if name == b"cookie" else b","
        found[name] = found[name] + joint + value if name in found else value
    return found


def _read_hello(event: Event) -> _Hello:
    text = event.get("text")
    if text is None or len(text.encode("utf-8", "surrogatepass")) > MAX_MESSAGE_BYTES:
        raise _Refused("bad_hello", f"the first message is JSON text of at most {MAX_MESSAGE_BYTES} bytes")
    try:
        return _Hello.model_validate_json(text)
    except ValidationError:
        expected = '{"type":"hello","token":null,"resume":null}'
        raise _Refused("bad_hello", f"the first message is like {expected}") from None


async def _until_gone(receive: Receive) -> Ending:
    """Read on, so that a disconnect is seen; what the client says is not."""
    for _ in range(_MAX_LATER_MESSAGES):
        if (await receive())["type"] == "websocket.disconnect":
            return Ending.LEFT
    return Ending.TALKATIVE


async def _close(send: Send, code: int, error: str, detail: str) -> None:
    """Say why, if there is something to say, and close; within a moment or not at all."""
    try:
        async with asyncio.timeout(_CLOSE_S):
            if detail:
                told = {"type": "error", "code": error, "detail": detail}
                await send({"type": "websocket.send", "text": json.dumps(told)})
            await send({"type": "websocket.close", "code": code, "reason": error})
    except (TimeoutError, OSError):
        return
