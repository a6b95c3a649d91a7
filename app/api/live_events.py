"""`/events`: the live feed as server-sent events, for clients that cannot or need not open a socket.

Frames messages and hears when the client has gone. It is a request like others: key, rate and headers are the
edge's business.
"""

from __future__ import annotations

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from app.api.errors import BodyTooLarge, TooManyClients
from app.api.live_clients import Ending, Gathers, serve
from app.api.live_hub import Kind, LiveHub, Message, Position
from app.api.problems import problem_response

EVENTS_PATH = "/events"
EVENTS_MEDIA_TYPE = "text/event-stream"
# How long a client waits before it comes again, told once.
_RETRY = b"retry: 2000\n\n"
_MAX_ID_CHARS = 96
# no-store: a proxy that keeps an answer waits for its end; the last one asks nginx not to.
_HEADERS = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}


def read_position(last_event_id: str | None) -> Position | None:
    """`a1b2:41` -> (a1b2, 41); None for anything else: that client starts anew."""
    hub, _, version = (last_event_id or "")[:_MAX_ID_CHARS].partition(":")
    if not hub or not (version.isascii() and version.isdecimal()):
        return None
    return Position(hub, int(version))


class EventStream(Response):
    """An answer that ends when the client does, or the process."""

    media_type = EVENTS_MEDIA_TYPE

    def __init__(self, hub: LiveHub, gathers: Gathers, *, address: str, resume: Position | None) -> None:
        super().__init__(headers=_HEADERS)
        del self.headers["content-length"]
        self._hub = hub
        self._gathers = gathers
        self._address = address
        self._resume = resume

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            with self._hub.seat(Kind.EVENTS, self._address):
                await self._stream(receive, send)
        except TooManyClients as error:
            await problem_response(scope, error)(scope, receive, send)

    async def _stream(self, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
        await send({"type": "http.response.body", "body": _RETRY, "more_body": True})

        async def tell(message: Message) -> None:
            frame = _frame(self._hub.id, message)
            await send({"type": "http.response.body", "body": frame, "more_body": True})

        async def leaves() -> Ending:
            try:
                while (await receive())["type"] != "http.disconnect":
                    pass
            except BodyTooLarge:
                return Ending.TALKATIVE
            return Ending.LEFT

        ending = await serve(
            self._hub, self._gathers, kind=Kind.EVENTS, tell=tell, resume=self._resume, leaves=leaves
        )
        if ending in {Ending.STOPPED, Ending.EXPIRED}:
            await send({"type": "http.response.body", "body": b"", "more_body": False})


def _frame(hub: str, message: Message) -> bytes:
    """JSON text has no line break, so one data line holds it."""
    return f"event: {message.told.value}\nid: {hub}:{message.version}\ndata: {message.text}\n\n".encode()
