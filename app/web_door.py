"""The door of the web server: connections are bounded, and what is too much is refused before it costs much.

An answer takes a few hundred microseconds, and a refusal by the application takes half of that: under a flood
only one that skips server and framework leaves time for answers. So a plain question that comes while the
round is full is answered here, with bytes made at the start. Whether it is full is `app.api.admission`'s to
say, and everything else about a question is the edge's.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from uvicorn.config import Config
from uvicorn.server import ServerState

from app.api.admission import GUEST_KEY, PROBE_PATHS, SHED_KEY, Admission, Guest, Visit
from app.api.auth import client_address
from app.api.errors import Unreadable
from app.api.refusals import Refusals
from app.http_connection import BoundedConnection, Limits, new_request_id

_PROBES = frozenset(path.encode() for path in PROBE_PATHS)
# A question that can be refused without a parser: one whole GET without a body that keeps its connection.
_PLAIN = re.compile(rb"GET (/[^ ?]*)[^ ]* HTTP/1\.1\r\n")
_NOT_PLAIN = re.compile(
    rb"[\r\n](?:(?:origin|upgrade|expect|content-length|transfer-encoding)\s*:|connection\s*:(?!\s*keep-alive\r))",
    re.IGNORECASE,
)
_REQUEST_ID = re.compile(rb"\r\nx-request-id: ?([A-Za-z0-9._-]{8,64})\r\n", re.IGNORECASE)
_HEAD_END = b"\r\n\r\n"
# A connection over the bound is told so with its first question, if that comes soon.
TOLD_WITHIN_S = 2.0
MAX_TOLD = 64
# What one address may have of all connections, where addresses tell clients apart.
ADDRESS_FRAC = 0.25
# Probes that come faster on one connection share a smaller budget.
PROBE_EVERY_S = 1.0


@dataclass(slots=True)
class Door:
    """What all connections share.

    max_connections: WebSockets included. knows_addresses: no proxy is in front, so that one address is one
    client, or a house of them.
    """

    admission: Admission
    refusals: Refusals
    max_connections: int
    knows_addresses: bool = False
    limits: Limits = field(init=False)
    _is_gathering: bool = field(default=False, init=False)
    _has_read: bool = field(default=False, init=False)
    _by_address: Counter[str] = field(default_factory=Counter, init=False)

    def __post_init__(self) -> None:
        self.limits = Limits(self.refusals)

    def admit(self, guest: Guest) -> bool:
        """One question was read. The first of a round has its beginning and end told by the loop."""
        if not self._has_read:
            self._has_read = True
            self.admission.read(time.thread_time())
        return self.admit_queued(guest)

    def admit_queued(self, guest: Guest) -> bool:
        """One that was read long ago is next on its connection: it belongs to the round that comes."""
        if not self._is_gathering:
            self._is_gathering = True
            asyncio.get_running_loop().call_soon(self._begin)
        return self.admission.admit(guest)

    def _begin(self) -> None:
        """Runs before the answers: they were put in line after this."""
        self._is_gathering = self._has_read = False
        self.admission.begin(time.monotonic(), time.thread_time())
        # Runs when the loop has read again what came meanwhile.
        asyncio.get_running_loop().call_soon(self._end)

    def _end(self) -> None:
        if not self._has_read:
            self.admission.read(time.thread_time())
        self.admission.end(time.monotonic(), time.thread_time())

    def enter(self, peer: str | None) -> str | None:
        """Take a place of this address: its name, for `leave`, or None when it has as many as it may."""
        if not self.knows_addresses:
            return ""
        address = client_address(peer, None, 0)
        if self._by_address[address] >= self.max_connections * ADDRESS_FRAC:
            return None
        self._by_address[address] += 1
        return address

    def leave(self, address: str) -> None:
        """Give it back."""
        self._by_address[address] -= 1
        if self._by_address[address] <= 0:
            del self._by_address[address]

    def protocol(self) -> type[asyncio.Protocol]:
        """The class of connections through this door."""
        return type("BoundDoorway", (Doorway,), {"door": self, "limits": self.limits})


class Doorway(BoundedConnection):
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
        self._is_one_too_many = False
        self._address: str | None = None
        self._refused_s = self._probed_s = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        is_full = len(self.connections) >= self.door.max_connections
        super().connection_made(transport)
        if not is_full:
            self._address = self.door.enter(self.client[0] if self.client else None)
        if self._address is not None:
            return
        self._is_one_too_many = True
        self.door.admission.turn_away()
        if len(self.connections) > self.door.max_connections + MAX_TOLD:
            self.transport.abort()
        else:
            self.loop.call_later(TOLD_WITHIN_S, self.transport.abort)

    def connection_lost(self, exc: Exception | None) -> None:
        self._leave()
        super().connection_lost(exc)

    def _leave(self) -> None:
        if self._address is not None:
            self.door.leave(self._address)
            self._address = None

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
        would_refuse = self.door.admission.would_refuse
        if not would_refuse(self._guest(b"")) and not would_refuse(Guest.PROBE_AGAIN):
            return None
        if self._is_within or self._unread_bytes or self._is_over or self.is_answering:
            return None
        found = _PLAIN.match(data)
        if found is None or data.find(_HEAD_END) != len(data) - 4 or _NOT_PLAIN.search(data):
            return None
        path = found[1]
        return path if would_refuse(self._guest(path)) else None

    def _guest(self, path: bytes) -> Guest:
        if path in _PROBES:
            is_prompt = self._visit.is_known or self.loop.time() - self._probed_s >= PROBE_EVERY_S
            return Guest.PROBE if is_prompt else Guest.PROBE_AGAIN
        return Guest.KNOWN if self._visit.is_known else Guest.STRANGER

    def _admits(self, path: bytes, *, is_queued: bool = False) -> bool:
        guest = self._guest(path)
        is_let_in = self.door.admit_queued(guest) if is_queued else self.door.admit(guest)
        if is_let_in and guest >= Guest.PROBE_AGAIN:
            self._probed_s = self.loop.time()
        return is_let_in

    def _refuse(self, path: bytes, data: bytes, *, closes: bool = False) -> None:
        given = _REQUEST_ID.search(data)
        request_id = given[1] if given else new_request_id()
        headers = self.server_state.default_headers
        self.transport.write(self.door.refusals.of(path, request_id, headers, closes=closes))
        self._refused_s = self.loop.time()
        if closes:
            self.transport.close()

    def timeout_keep_alive_handler(self) -> None:
        """Idle since the last answer, of which refusals are some: they start no timer of their own."""
        left_s = self._refused_s + self.timeout_keep_alive - self.loop.time()
        if left_s > 0 and self._refused_s:
            close = self.timeout_keep_alive_handler
            self.timeout_keep_alive_task = self.loop.call_later(max(left_s, 0.001), close)
        else:
            super().timeout_keep_alive_handler()

    def on_question(self) -> None:
        """What could not be refused above: the edge does it, and reads this in the scope."""
        scope: dict[str, Any] = self.scope  # type: ignore[assignment]
        scope[GUEST_KEY] = self._visit
        scope[SHED_KEY] = not self.is_answering and not self._admits(self.url.partition(b"?")[0])

    def on_response_complete(self) -> None:
        """The next of a pipeline takes its place when it is its turn, not when it was read."""
        if self.pipeline and not self.transport.is_closing():
            scope: Any = self.pipeline[-1][0].scope
            scope[SHED_KEY] = not self._admits(scope["raw_path"], is_queued=True)
        super().on_response_complete()
        if self.pipeline:
            self.flow.pause_reading()

    def handle_websocket_upgrade(self) -> None:
        scope: Any = self.scope
        if scope[SHED_KEY]:
            self._refuse(b"/", b"", closes=True)
        elif scope["method"] != "GET":
            self._turn_away(Unreadable)
        else:
            self._leave()
            super().handle_websocket_upgrade()
