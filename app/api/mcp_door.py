"""`/mcp`: the door at which assistants call tools. Opened by its first visitor, closed with the process.

The MCP library weighs 25 MB and takes a third of a second to load, so whoever is never asked for a tool never
loads it, and the start of the process waits for nothing. Owns the life of the server behind it; what the
tools are is `app.api.mcp_tools`' business, the protocol that of `app.api.mcp_server`.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Protocol

from starlette.routing import Match, Route
from starlette.types import Receive, Scope, Send

from app.api.errors import McpUnavailable

MCP_PATH = "/mcp"
_log = logging.getLogger(__name__)


class Opened(Protocol):
    """A server that answers while `running` is entered."""

    def running(self) -> AbstractAsyncContextManager[None]: ...

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None: ...


class McpRoute(Route):
    """The door as a route that metrics see under its path, as those of the framework are."""

    def __init__(self, door: McpDoor) -> None:
        super().__init__(MCP_PATH, door, include_in_schema=False)

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        match, found = super().matches(scope)
        return match, found if match is Match.NONE else {**found, "route": self}


class McpDoor:
    """ASGI endpoint. `running` belongs into the lifespan of the app; without it every visitor gets a 503."""

    def __init__(self, build: Callable[[], Opened]) -> None:
        """build: makes the server; called in a thread, because it loads the library."""
        self._build = build
        self._wanted = asyncio.Event()
        self._opened: asyncio.Future[Opened] | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Raises: McpUnavailable, and what the server raises before it answers."""
        if self._opened is None:
            raise McpUnavailable
        self._wanted.set()
        # Shielded: a visitor who leaves while the door opens must not shut it for the others.
        server = await asyncio.shield(self._opened)
        await server.handle(scope, receive, send)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """While entered, the first visitor opens the door; at the end what is being answered is cancelled."""
        self._wanted = asyncio.Event()
        self._opened = asyncio.get_running_loop().create_future()
        serving = asyncio.create_task(self._serve(self._opened))
        serving.add_done_callback(self._closed)
        try:
            yield
        finally:
            serving.cancel()
            await asyncio.gather(serving, return_exceptions=True)

    async def _serve(self, opened: asyncio.Future[Opened]) -> None:
        """One task from the opening to the end: the server's task group must be left where it was entered."""
        await self._wanted.wait()
        server = await asyncio.to_thread(self._build)
        async with server.running():
            opened.set_result(server)
            await asyncio.Event().wait()  # until cancelled

    def _closed(self, serving: asyncio.Task[None]) -> None:
        """Whoever waits, and whoever comes later, is told."""
        waiting, self._opened = self._opened, None
        if waiting is not None and not waiting.done():
            waiting.set_exception(McpUnavailable())
            waiting.exception()  # seen, even when nobody waits
        if not serving.cancelled() and (error := serving.exception()) is not None:
            _log.error("the MCP server ended", exc_info=error)
