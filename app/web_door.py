"""The door of the web server: connections are bounded, and what is too much is refused before it costs much.

An answer takes a few hundred microseconds, and a refusal by the application takes half of that: under a flood
only one that skips server and framework leaves time for answers. So a plain question that comes while the
round is full is answered here, with bytes made at the start. Whether it is full is `app.api.admission`'s to
say, and everything else about a question is the edge's.
"""

from __future__ import annotations

import asyncio
import re
import secrets
import time
from dataclasses import dataclass, field
from typing import Any

from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle
from uvicorn.server import ServerState

from app.api.admission import GUEST_KEY, PROBE_PATHS, SHED_KEY, Admission, Guest, Visit
from app.api.refusals import Refusals

_PROBES = tuple(path.encode() for path in PROBE_PATHS)
# A question that can be refused without a parser: one whole GET without a body that keeps its connection.
_PLAIN = re.compile(rb"GET (/[^ ?]*)[^ ]* HTTP/1\.1\r\n")
_NOT_PLAIN = re.compile(
    rb"\r\n(?:(?:origin|upgrade|expect|content-length|transfer-encoding)\s*:|connection\s*:(?!\s*keep-alive\r))",
    re.IGNORECASE,
)
_REQUEST_ID = re.compile(rb"\r\nx-request-id: ?([A-Za-z0-9._-]{8,64})\r\n", re.IGNORECASE)
_HEAD_END = b"\r\n\r\n"
# A connection over the bound is told so with its first question, if that comes soon.
TOLD_WITHIN_S = 2.0
MAX_TOLD = 64


@dataclass(slots=True)
class Door:
    """What all connections share. max_connections: WebSockets included."""

    admission: Admission
    refusals: Refusals
    max_connections: int
    _is_reading: bool = field(default=False, init=False)

    def admit(self, guest: Guest) -> bool:
        """One question was read. The first of a round has its beginning and end told by the loop."""
        if not self._is_reading:
            self._is_reading = True
            self.admission.read(time.thread_time())
            asyncio.get_running_loop().call_soon(self._begin)
        return self.admission.admit(guest)

    def _begin(self) -> None:
        """Runs before the answers: they were put in line after this."""
        self._is_reading = False
        self.admission.begin(time.monotonic(), time.thread_time())
        # Runs when the loop has read again what came meanwhile.
        asyncio.get_running_loop().call_soon(self._end)

    def _end(self) -> None:
        self.admission.end(time.monotonic(), time.thread_time())

    def protocol(self) -> type[asyncio.Protocol]:
        """The class of connections through this door."""
        return type("BoundDoorway", (Doorway,), {"door": self})


class Doorway(HttpToolsProtocol):
    """One connection."""

    door: Door

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self._visit = Visit()
        self._is_within = self._is_one_too_many = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._is_one_too_many = len(self.connections) >= self.door.max_connections
        super().connection_made(transport)  # type: ignore[arg-type]
        if not self._is_one_too_many:
            # Also for one that never asks anything.
            wait_s, close = self.timeout_keep_alive, self.timeout_keep_alive_handler
            self.timeout_keep_alive_task = self.loop.call_later(wait_s, close)
        elif len(self.connections) > self.door.max_connections + MAX_TOLD:
            self.transport.abort()
        else:
            self.loop.call_later(TOLD_WITHIN_S, self.transport.abort)

    def data_received(self, data: bytes) -> None:
        if self._is_one_too_many:
            self._refuse(b"/", data, closes=True)
            return
        path = self._refusable(data)
        if path is None:
            super().data_received(data)
        else:
            self.door.admit(self._guest(path))
            self._refuse(path, data)

    def _refusable(self, data: bytes) -> bytes | None:
        """The path of a plain question that will not be let in; None for everything that goes on."""
        guest = self._guest(b"")
        if not self.door.admission.would_refuse(guest) or self._is_within:
            return None
        answering: RequestResponseCycle | None = self.cycle
        if answering is not None and not answering.response_complete:
            return None
        found = _PLAIN.match(data)
        if found is None or data.find(_HEAD_END) != len(data) - 4 or _NOT_PLAIN.search(data):
            return None
        path = found[1]
        return path if self.door.admission.would_refuse(self._guest(path)) else None

    def _guest(self, path: bytes) -> Guest:
        if path.startswith(_PROBES):
            return Guest.PROBE
        return Guest.KNOWN if self._visit.is_known else Guest.STRANGER

    def _refuse(self, path: bytes, data: bytes, *, closes: bool = False) -> None:
        given = _REQUEST_ID.search(data)
        request_id = given[1] if given else secrets.token_hex(8).encode()
        headers = self.server_state.default_headers
        self.transport.write(self.door.refusals.of(path, request_id, headers, closes=closes))
        if closes:
            self.transport.close()

    def on_message_begin(self) -> None:
        self._is_within = True
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """What could not be refused above: the edge does it, and reads this in the scope."""
        path = self.url.partition(b"?")[0]
        is_let_in = self.door.admit(self._guest(path))
        scope: dict[str, Any] = self.scope  # type: ignore[assignment]
        scope[GUEST_KEY] = self._visit
        scope[SHED_KEY] = not is_let_in
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        self._is_within = False
        super().on_message_complete()
