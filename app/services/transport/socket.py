"""One WebSocket that is kept up: connect, ping, notice that it is dead, wait, connect again. For ever.

Knows no channel and no message but the two heartbeat words; what is said and heard is the `Feed`'s. Waits
grow and are jittered, and only data shortens them again. Reasons are our own words: an address carries a key,
so no text of the library is passed on. Used by the streams of CoinGlass and OKX.
"""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from enum import Enum, StrEnum
from typing import NamedTuple, Protocol, TypeAlias

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus, WebSocketException

from app.services.transport.connection import tls_context
from app.services.transport.socket_ends import REFUSED, End, end_of_close, end_of_connect

Send: TypeAlias = Callable[[str], Awaitable[None]]

_PING, _PONG = "ping", b"pong"
# The library would log the request line, and with it the key.
_MUTE = logging.Logger("websocket", level=logging.CRITICAL + 1)
_AGENT = "crypto-futures-signals"
_QUEUED_FRAMES = 8
_SEND_S = 10.0
_CLOSE_S = 1.0


class Heard(Enum):
    """What a frame was: usable data, anything else, or the word that key or plan is refused."""

    DATA = "data"
    OTHER = "other"
    REFUSED = "refused"


class Feed(Protocol):
    """Who talks over the socket."""

    async def opened(self, send: Send) -> None:
        """A new connection: subscribe again."""
        ...

    async def heard(self, frame: bytes) -> Heard: ...

    async def tick(self, send: Send) -> None:
        """About once a second while connected."""
        ...

    def lost(self, reason: str) -> None:
        """The connection ended, or could not be made."""
        ...


class SocketState(StrEnum):
    """Where the socket stands."""

    CONNECTING = "connecting"
    OPEN = "open"
    WAITING = "waiting"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class SocketConfig:
    """How one socket is kept. The address may carry a key: it is in no repr.

    base_s, cap_s: bounds of the wait before the next attempt. ping_s: between two pings; missed_pongs: so
    many without an answer are too many. stall_s: without data for so long, the connection is given up.
    refused_s: longest wait after a refusal of key or plan. max_bytes: of one frame, unfolded. secrets: what
    must not be written anywhere.
    """

    url: str = field(repr=False)
    base_s: float = 1.0
    cap_s: float = 60.0
    connect_s: float = 10.0
    ping_s: float = 20.0
    missed_pongs: int = 2
    stall_s: float = 60.0
    refused_s: float = 900.0
    max_bytes: int = 4 * 2**20
    tick_s: float = 1.0
    secrets: tuple[str, ...] = field(default=(), repr=False)


class Timing(NamedTuple):
    """Time and chance, as tests replace them."""

    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    monotonic: Callable[[], float] = time.monotonic
    random: Callable[[], float] = random.random


class _Connect(connect):
    def process_redirect(self, exc: Exception) -> Exception:
        """A redirect is not followed: the key belongs to the address that was configured."""
        return exc


class SupervisedSocket:
    """See the module. `state` and `detail` say how it does; `opens` counts connections made."""

    def __init__(self, config: SocketConfig, feed: Feed, timing: Timing | None = None) -> None:
        self._config = config
        self._feed = feed
        self._sleep, self._monotonic, self._random = timing or Timing()
        self.state = SocketState.CONNECTING
        self.detail = ""
        self.opens = 0
        self._failures = 0
        self._refusals = 0
        self._answers_pings = False
        self._is_busy = False
        self._verdict: str | None = None
        self._begin()

    async def run(self) -> None:
        """Keep it up until cancelled."""
        while True:
            started_s = self._monotonic()
            self.state = SocketState.CONNECTING
            end = await self._attempt()
            self.detail = end.detail
            self.state = SocketState.REFUSED if end.reason == REFUSED else SocketState.WAITING
            self._feed.lost(end.reason)
            await self._sleep(self._pause_s(end, self._monotonic() - started_s))

    def _pause_s(self, end: End, lasted_s: float) -> float:
        """How long to wait. Full jitter under a ceiling that doubles; at most one attempt in `base_s`.

        Worked numbers, base 1 s: the fourth failure in a row waits up to 8 s, the tenth up to 60 s.
        """
        config = self._config
        if end.reason == REFUSED:
            self._refusals += 1
            # A firewall's mood passes in a minute, a missing plan does not.
            ceiling_s = min(config.refused_s, 60.0 * 4.0 ** min(self._refusals - 1, 10))
            return ceiling_s * (1 - 0.1 * self._random())
        ceiling_s = min(config.cap_s, config.base_s * 2.0 ** min(self._failures, 30))
        self._failures += 1
        return max(self._random() * ceiling_s, config.base_s - lasted_s, end.retry_after_s)

    async def _attempt(self) -> End:
        """One connection from its making to its end."""
        try:
            connection = await self._connect()
        except (InvalidStatus, WebSocketException, OSError) as error:
            return end_of_connect(error)
        self.opens += 1
        self._begin()
        self.state, self.detail = SocketState.OPEN, ""
        try:
            return await self._serve(connection)
        finally:
            await connection.close()

    async def _connect(self) -> ClientConnection:
        url = self._config.url
        return await _Connect(
            url,
            compression="deflate",
            user_agent_header=_AGENT,
            proxy=None,  # settings come from the settings module, not from proxy variables
            open_timeout=self._config.connect_s,
            close_timeout=_CLOSE_S,
            ping_interval=None,  # the providers want their own words
            max_size=self._config.max_bytes,
            max_queue=_QUEUED_FRAMES,
            logger=_MUTE,
            ssl=tls_context() if url.startswith("wss:") else None,
        )

    async def _serve(self, connection: ClientConnection) -> End:
        watcher = asyncio.create_task(self._watch(connection))
        # Whatever ends the watcher, an unwatched connection must not live on.
        watcher.add_done_callback(lambda _: connection.transport.abort())
        try:
            return await self._converse(connection)
        except ConnectionClosed as error:
            return End(self._verdict) if self._verdict else end_of_close(error)
        finally:
            watcher.cancel()
            await asyncio.wait((watcher,))
            if not watcher.cancelled():
                watcher.result()

    async def _converse(self, connection: ClientConnection) -> End:
        try:
            await self._feed.opened(self._sender(connection))
        except TimeoutError:
            return End("stall", "nothing could be sent")
        while True:
            frame = await connection.recv(decode=False)
            if frame == _PONG:
                self._unanswered, self._answers_pings = 0, True
                self._any_s = self._monotonic()
                continue
            self._is_busy = True
            heard = await self._feed.heard(frame)
            self._is_busy = False
            # Afterwards, not before: a slow consumer is not a silent server.
            self._any_s = self._monotonic()
            if heard is Heard.DATA:
                self._data_s = self._any_s
                self._failures = self._refusals = 0
            elif heard is Heard.REFUSED:
                return End(REFUSED, "the server refuses key or plan")

    def _begin(self) -> None:
        now_s = self._monotonic()
        self._any_s = self._data_s = self._pinged_s = now_s
        self._unanswered = 0
        self._verdict = None
        self._is_busy = False

    async def _watch(self, connection: ClientConnection) -> None:
        """Ping, and give up a connection that is dead without saying so."""
        send = self._sender(connection)
        while True:
            await self._sleep(self._config.tick_s)
            if self._is_busy:
                continue
            self._verdict = self._find_dead()
            if self._verdict is not None:
                return
            try:
                await self._ping_when_due(send)
                await self._feed.tick(send)
            except ConnectionClosed:
                return
            except TimeoutError:
                self._verdict = "stall"
                return

    async def _ping_when_due(self, send: Send) -> None:
        if self._monotonic() - self._pinged_s >= self._config.ping_s:
            self._pinged_s = self._monotonic()
            self._unanswered += 1
            await send(_PING)

    def _find_dead(self) -> str | None:
        """Why the connection is given up, None while it is not."""
        config, now_s = self._config, self._monotonic()
        if now_s - self._data_s >= config.stall_s:
            return "stall"
        is_over = now_s - self._pinged_s >= config.ping_s and self._unanswered >= config.missed_pongs
        # A server that never answered any ping and sends all the same has another idea of the heartbeat.
        is_silent = now_s - self._any_s >= config.ping_s * config.missed_pongs
        return "no_pong" if is_over and (self._answers_pings or is_silent) else None

    def _sender(self, connection: ClientConnection) -> Send:
        async def send(text: str) -> None:
            async with asyncio.timeout(_SEND_S):
                await connection.send(text)

        return send
