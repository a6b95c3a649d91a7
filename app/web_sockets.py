"""The WebSocket protocol of the web server, as uvicorn has it, with what it lacks for strangers.

Loaded by the first client that opens a socket, so that a start does not wait for it. What a peer does not
take is bounded (a small buffer, pongs included), one that answers no ping is dropped and not waited for, and
no address or header reaches a log: a token might stand in it. Owns no route.
"""

from __future__ import annotations

import logging
import socket
from asyncio import AbstractEventLoop
from asyncio.transports import BaseTransport
from typing import Any

from uvicorn._types import ASGIReceiveEvent
from uvicorn.config import Config
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from uvicorn.server import ServerState
from websockets.frames import Frame

# Bytes waiting here and in the kernel for one peer: a few updates, after which it is told the latest only.
WRITE_BUFFER = 64 * 1024
CLOSE_S = 2.0
# What a peer has not taken this long after its conversation ended is thrown away.
FLUSH_S = 5.0
# A message has one part; empty ones cost a stranger nothing and add up here.
MAX_PARTS = 16

_quiet = logging.getLogger("app.web_sockets.protocol")
_quiet.setLevel(logging.WARNING)


class BoundedSocket(WebSocketsSansIOProtocol):
    """One connection."""

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        # At INFO the one, at DEBUG the other would write whole addresses, cookies and messages.
        self.logger = self.conn.logger = _quiet
        self.conn.debug = False
        self.close_timeout = CLOSE_S

    def connection_made(self, transport: BaseTransport) -> None:
        super().connection_made(transport)
        self.transport.set_write_buffer_limits(high=WRITE_BUFFER)
        connection = transport.get_extra_info("socket")
        if connection is not None and connection.family in {socket.AF_INET, socket.AF_INET6}:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, WRITE_BUFFER)

    def pause_writing(self) -> None:
        """A peer that takes nothing is not read either: each of its pings would add a pong to the heap."""
        super().pause_writing()
        self.transport.pause_reading()

    def resume_writing(self) -> None:
        super().resume_writing()
        if not self.read_paused:
            self.transport.resume_reading()

    async def receive(self) -> ASGIReceiveEvent:
        """The library reads on after every message, also from a peer that takes nothing."""
        event = await super().receive()
        if not self.writable.is_set() and not self.transport.is_closing():
            self.transport.pause_reading()
        return event

    def handle_cont(self, event: Frame) -> None:
        super().handle_cont(event)
        if len(self.frames) > MAX_PARTS:
            self.transport.abort()

    def keepalive_timeout(self) -> None:
        """Nothing is said to a peer that does not answer: it would wait in the buffer for ever."""
        self.stop_keepalive()
        self.transport.abort()

    async def run_asgi(self) -> None:
        await super().run_asgi()
        if not self.writable.is_set():
            self.transport.abort()
        elif not self.disconnected:
            # A transport that closes waits for its buffer to be taken, for ever if need be.
            self.loop.call_later(FLUSH_S, self.transport.abort)
