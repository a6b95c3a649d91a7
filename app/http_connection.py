"""One HTTP connection as uvicorn has it, with bounds for what comes before a question is whole.

Neither uvicorn nor its parser bounds a head, in bytes or in time, and both end what they cannot read in plain
text with a line in the log each. Here a head has a size and a deadline, a body a time between its pieces, a
pipeline a length. Shared by the door of the web process and that of a worker; knows no route.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
import time
from dataclasses import dataclass, field
from typing import Any

from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle
from uvicorn.server import ServerState

from app.api.errors import HeadTooLarge, HeadTooSlow, Unreadable
from app.api.refusals import Refusals

# Questions that wait on one connection for the answers before them; nobody pipelines more in good faith.
MAX_QUEUED = 64
SAY_EVERY_S = 60.0

_log = logging.getLogger(__name__)
# The protocol's warnings are one line per packet of a stranger: they are counted and summed up here instead.
_quiet = logging.getLogger("app.http_connection.protocol")
_quiet.setLevel(logging.ERROR)


@dataclass(slots=True)
class Limits:
    """What a stranger may take, shared by all connections of one door.

    max_head_bytes: from the start of a message, or since the last piece of its body. head_s: from its first
    byte to the end of its head. body_s: between two pieces of a body.
    """

    refusals: Refusals
    max_head_bytes: int = 64 * 1024
    head_s: float = 10.0
    body_s: float = 30.0
    _unsaid: int = field(default=0, init=False)
    _said_s: float | None = field(default=None, init=False)

    def note(self) -> None:
        """One more could not be read: a line a minute at most."""
        self._unsaid += 1
        now_s = time.monotonic()
        if self._said_s is None or now_s - self._said_s >= SAY_EVERY_S:
            _log.warning("requests that cannot be read were refused", extra={"count": self._unsaid})
            self._unsaid, self._said_s = 0, now_s


class BoundedConnection(HttpToolsProtocol):
    """One connection. Subclasses carry `limits`."""

    limits: Limits

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self.logger = _quiet
        self._unread_bytes = 0
        # _is_within: a message has begun and not ended; _has_head: its head is complete.
        self._is_within = self._has_head = self._is_over = False
        self._waits_since_s: float | None = None
        self._deadline: asyncio.TimerHandle | None = None

    @property
    def is_answering(self) -> bool:
        """Whether an answer is being made or waits for its turn."""
        answering: RequestResponseCycle | None = self.cycle
        return answering is not None and not answering.response_complete

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)  # type: ignore[arg-type]
        # Also for one that never asks anything.
        wait_s, close = self.timeout_keep_alive, self.timeout_keep_alive_handler
        self.timeout_keep_alive_task = self.loop.call_later(wait_s, close)

    def connection_lost(self, exc: Exception | None) -> None:
        self._forget_deadline()
        self._unset_keepalive_if_required()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._is_over:
            return
        while len(data) > (room := self.limits.max_head_bytes - self._unread_bytes):
            self._feed(data[:room])
            data = data[room:]
            if not self._goes_on():
                return
        self._feed(data)

    def _goes_on(self) -> bool:
        """Neither about to end nor handed over to another protocol."""
        return not self._is_over and self in self.connections and not self.transport.is_closing()

    def _feed(self, data: bytes) -> None:
        """At most up to the bound: what is still unread then belongs to one head."""
        self._unread_bytes += len(data)
        super().data_received(data)
        if not self._is_within and not self._unread_bytes and self._waits_since_s is None:
            return
        if self._is_over or self.transport.is_closing():
            return
        if self._unread_bytes >= self.limits.max_head_bytes:
            self._turn_away(HeadTooLarge)
        else:
            self._watch()

    def _watch(self) -> None:
        """Part of a message is here. One timer looks now and then whether the rest is late."""
        if not self._is_within and not self._unread_bytes:
            self._waits_since_s = None
            return
        if self._has_head or self._waits_since_s is None:
            self._waits_since_s = self.loop.time()
        if self._deadline is None:
            self._deadline = self.loop.call_later(self.limits.head_s, self._look)

    def _look(self) -> None:
        self._deadline = None
        if self._waits_since_s is None or self._is_over or self.transport.is_closing():
            return
        allowed_s = self.limits.body_s if self._has_head else self.limits.head_s
        left_s = self._waits_since_s + allowed_s - self.loop.time()
        # Not its fault while we do not read, or while the answer before has yet to be given.
        is_excused = self.flow.read_paused or (self.is_answering and not self._has_head)
        if left_s > 0.001 or is_excused:
            self._deadline = self.loop.call_later(max(left_s, 0.1), self._look)
        elif self._is_within and not self._has_head:
            self._turn_away(HeadTooSlow)
        else:
            self.transport.close()

    def _forget_deadline(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def send_400_response(self, msg: str) -> None:
        """The parser gave up."""
        self._turn_away(Unreadable)

    def _turn_away(self, kind: type[Unreadable | HeadTooLarge | HeadTooSlow]) -> None:
        """The last words on this connection, after the answers it waits for."""
        self.limits.note()
        told = self.limits.refusals.unreadable(kind, new_request_id(), self.server_state.default_headers)
        is_about_body = self._has_head and not self.pipeline
        if not self.is_answering or (is_about_body and not self.cycle.response_started):
            self.transport.write(told)
            self.transport.close()
        else:
            self._end_after_answers()

    def _end_after_answers(self) -> None:
        newest = self.pipeline[0][0] if self.pipeline else self.cycle
        newest.keep_alive = False
        self._is_over = True

    def on_message_begin(self) -> None:
        self._is_within, self._has_head = True, False
        self._waits_since_s = None
        super().on_message_begin()

    def on_header(self, name: bytes, value: bytes) -> None:
        if not self._has_head:  # nobody reads what comes after a body
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        self._unread_bytes, self._has_head = 0, True
        if self._is_over:
            return
        if len(self.pipeline) >= MAX_QUEUED:
            self._end_after_answers()
            return
        self.on_question()
        super().on_headers_complete()

    def on_question(self) -> None:
        """The head of a question is complete, and its answer not yet begun."""

    def on_body(self, body: bytes) -> None:
        self._unread_bytes = 0
        if not self._is_over:
            super().on_body(body)

    def on_message_complete(self) -> None:
        self._unread_bytes, self._is_within, self._has_head = 0, False, False
        self._waits_since_s = None
        if not self._is_over:
            super().on_message_complete()

    def handle_websocket_upgrade(self) -> None:
        """From here the connection is the live feed's, which has a patience of its own."""
        self._unread_bytes, self._is_within, self._waits_since_s = 0, False, None
        self._forget_deadline()
        super().handle_websocket_upgrade()


def new_request_id() -> bytes:
    """One for a question that brought none."""
    return secrets.token_hex(8).encode()
