"""The web server: uvicorn with bounded sockets, and a stop that waits for answers but not for listeners.

Knows of the application only how to end its live clients. Called by `app.main`.
"""

from __future__ import annotations

import asyncio
import resource
import socket
from collections.abc import Callable
from typing import Any, cast

import uvicorn
from starlette.types import ASGIApp

from app.api.admission import Admission
from app.api.live_events import EVENTS_PATH
from app.api.live_limits import MAX_MESSAGE_BYTES
from app.api.refusals import Refusals
from app.web_door import Door

# The web server closes idle keep-alive connections after this; load balancers want it above their own 60 s.
KEEP_ALIVE_S = 75
GRACEFUL_STOP_S = 10
# Listeners that have not taken their goodbye by then are cut off.
LISTENERS_S = 2.0
PING_S = 20.0
# WebSockets included; the next one is told to come again later.
MAX_CONNECTIONS = 2048
# Bytes that a peer has not taken for so long end its connection. A closed transport waits for them for ever
# otherwise, with what it holds, whatever was answered: an event stream, a file of the dashboard, a problem.
UNTAKEN_S = 40.0


def web_server(
    api: ASGIApp,
    *,
    close_listeners: Callable[[], None],
    admission: Admission,
    refusals: Refusals,
    is_behind_proxy: bool = True,
) -> WebServer:
    """The server of `api`.

    close_listeners: ends its live clients at the beginning of a stop. admission: how much is let in, and
    refusals: what the rest is told. is_behind_proxy: all clients come from one address.
    """
    door = Door(admission, refusals, _max_connections(), knows_addresses=not is_behind_proxy)
    config = uvicorn.Config(
        api,
        access_log=False,  # request counts and times are on /metrics, without query strings
        log_config=None,  # one redacting log chain for everything, set up by bootstrap
        server_header=False,
        http=door.protocol(),
        ws=cast(type[asyncio.Protocol], _open_socket),
        ws_max_size=MAX_MESSAGE_BYTES,
        ws_ping_interval=PING_S,
        ws_ping_timeout=PING_S,
        ws_per_message_deflate=False,  # a compressor per client weighs more than what it saves on a delta
        timeout_keep_alive=KEEP_ALIVE_S,
        timeout_graceful_shutdown=GRACEFUL_STOP_S,
        proxy_headers=False,  # X-Forwarded-For is read by our own rule (TRUSTED_PROXY_HOPS)
    )
    return WebServer(config, close_listeners)


def _max_connections() -> int:
    """As many as this process may have files open, less what the rest of it needs."""
    files = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    return MAX_CONNECTIONS if files == resource.RLIM_INFINITY else max(64, min(MAX_CONNECTIONS, files - 192))


class WebServer(uvicorn.Server):
    """Ends listeners first."""

    def __init__(self, config: uvicorn.Config, close_listeners: Callable[[], None]) -> None:
        super().__init__(config)
        self._close_listeners = close_listeners

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        for listener in sockets or ():
            if hasattr(socket, "TCP_USER_TIMEOUT") and listener.family in {socket.AF_INET, socket.AF_INET6}:
                # Connections have it from the socket that took them; only Linux knows it.
                listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, round(UNTAKEN_S * 1000))
        await super().startup(sockets)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._close_listeners()
        cutting = asyncio.create_task(self._cut_off())
        try:
            await super().shutdown(sockets)
        finally:
            cutting.cancel()
            await asyncio.gather(cutting, return_exceptions=True)

    async def _cut_off(self) -> None:
        """Connections of listeners that take nothing would hold up the stop until its deadline."""
        await asyncio.sleep(LISTENERS_S)
        for connection in list(self.server_state.connections):
            scope = _scope_of(connection)
            if scope.get("type") == "websocket" or scope.get("path") == EVENTS_PATH:
                connection.transport.abort()


def _scope_of(connection: object) -> dict[str, Any]:
    """What is being answered on a connection, empty when nothing is."""
    answering = getattr(connection, "cycle", None) or connection
    return getattr(answering, "scope", None) or {}


def _open_socket(**parts: Any) -> asyncio.Protocol:
    """A connection that becomes a WebSocket; the first one loads the library."""
    from app.web_sockets import BoundedSocket

    return BoundedSocket(**parts)
