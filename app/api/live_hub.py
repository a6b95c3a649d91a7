"""The meeting of the live board and its clients: who may listen, when there is something to tell, and what.

A client is one cursor; nothing is queued for anybody. Paces deltas, counts seats, ends everybody at a stop.
Knows neither WebSocket nor SSE; `app.api.live_clients` serves both with it.
"""

from __future__ import annotations

import asyncio
import secrets
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple, Protocol

from app.api.errors import TooManyClients
from app.api.live_board import LiveBoard
from app.api.live_limits import LiveLimits
from app.api.numbers import iso_utc
from app.core.domain.context import DataMode

# Who got the last one late need not wait a whole interval more to be in step with the others again.
_EARLY = 0.8
# A wait for a moment ends a little after it, whatever the clock's grain.
_GRAIN_S = 0.001


class Kind(StrEnum):
    """How a client listens."""

    SOCKET = "ws"
    EVENTS = "sse"


class Told(StrEnum):
    """What a message is."""

    SNAPSHOT = "snapshot"
    DELTA = "delta"
    BEAT = "beat"


class Message(NamedTuple):
    """One message as JSON text; the client stands at `version` after it."""

    told: Told
    version: int
    text: str


class Position(NamedTuple):
    """Where a client says it stands."""

    hub: str
    version: int


@dataclass(slots=True)
class Cursor:
    """One client: the version it has, the release that had it, and when it was told last (monotonic)."""

    version: int
    release: int
    told_s: float


class LiveObserver(Protocol):
    """Told what happens, for metrics; every text is one of ours."""

    def live_clients(self, kind: str, count: int) -> None: ...
    def live_sent(self, kind: str, told: str) -> None: ...
    def live_coalesced(self, count: int) -> None: ...
    def live_refused(self, reason: str) -> None: ...
    def live_ended(self, kind: str, ending: str) -> None: ...


class NobodyObserves:
    """Where no metrics are kept."""

    def live_clients(self, kind: str, count: int) -> None: ...
    def live_sent(self, kind: str, told: str) -> None: ...
    def live_coalesced(self, count: int) -> None: ...
    def live_refused(self, reason: str) -> None: ...
    def live_ended(self, kind: str, ending: str) -> None: ...


class LiveHub:
    """One per process. `run` lets changes out until cancelled; `close` ends every client."""

    def __init__(
        self,
        limits: LiveLimits,
        *,
        data_mode: DataMode,
        now_ms: Callable[[], int],
        monotonic: Callable[[], float],
        observe: LiveObserver | None = None,
    ) -> None:
        self.id = secrets.token_hex(4)
        self.limits = limits
        self.observe: LiveObserver = observe or NobodyObserves()
        self.board = LiveBoard(self._on_change)
        self.closing = asyncio.Event()
        self.monotonic = monotonic
        self._data_mode = data_mode
        self._now_ms = now_ms
        self._changed = asyncio.Event()
        self._released = asyncio.Event()
        self._released_version = 0
        self._releases = 0
        self._seats: Counter[Kind] = Counter()
        self._by_address: Counter[str] = Counter()

    async def run(self) -> None:
        """Let changes out, all that have gathered at once, no more often than the pace."""
        while True:
            await self._changed.wait()
            self._changed.clear()
            self._released_version = self.board.version
            self._releases += 1
            woken, self._released = self._released, asyncio.Event()
            woken.set()
            await asyncio.sleep(self.limits.interval_s)

    def close(self) -> None:
        """End every client, and whoever comes later, at once."""
        self.closing.set()
        self._released.set()

    @property
    def clients(self) -> int:
        """How many listen now."""
        return self._seats.total()

    @contextmanager
    def seat(self, kind: Kind, address: str) -> Iterator[None]:
        """A place among the clients while entered. Raises: TooManyClients."""
        limits = self.limits
        is_full = self.clients >= limits.max_clients
        if kind is Kind.EVENTS and self._seats[kind] >= limits.max_event_streams:
            is_full = True
        if is_full or self._by_address[address] >= limits.max_per_address:
            self.observe.live_refused("full" if is_full else "address_full")
            raise TooManyClients
        self._take(kind, address, 1)
        try:
            yield
        finally:
            self._take(kind, address, -1)

    def first(self, resume: Position | None) -> tuple[Message, Cursor]:
        """What a client is told first: what it missed, if it was here before, else everything."""
        version = self.board.version
        cursor = Cursor(version, self._releases, self.monotonic())
        if resume is not None and resume.hub == self.id and self.board.can_resume(resume.version):
            return self._message(Told.DELTA, version, self.board.since(resume.version)), cursor
        facts = f',"speed":{self.limits.speed:g},"dataMode":"{self._data_mode.value}"'
        return self._message(Told.SNAPSHOT, version, facts + self.board.since(None)), cursor

    async def next(self, cursor: Cursor) -> Message | None:
        """The next message of a client, when it is time for one; None when all is over."""
        limits = self.limits
        while not self.closing.is_set():
            quiet_s = self.monotonic() - cursor.told_s
            has_news = self._released_version > cursor.version
            if has_news and quiet_s >= _EARLY * limits.interval_s:
                return self._delta(cursor)
            if quiet_s >= limits.beat_s:
                cursor.told_s = self.monotonic()
                return self._message(Told.BEAT, cursor.version, "")
            await self._release_within(limits.interval_s if has_news else limits.beat_s - quiet_s + _GRAIN_S)
        return None

    async def _release_within(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._released.wait()
        except TimeoutError:
            return

    def _delta(self, cursor: Cursor) -> Message:
        self.observe.live_coalesced(max(0, self._releases - cursor.release - 1))
        members = self.board.since(cursor.version)
        cursor.version, cursor.release = self.board.version, self._releases
        cursor.told_s = self.monotonic()
        return self._message(Told.DELTA, cursor.version, members)

    def _message(self, told: Told, version: int, members: str) -> Message:
        head = f'{{"type":"{told.value}","hub":"{self.id}","seq":{version}'
        return Message(told, version, f'{head},"serverTime":"{iso_utc(self._now_ms())}"{members}}}')

    def _on_change(self) -> None:
        self._changed.set()

    def _take(self, kind: Kind, address: str, count: int) -> None:
        self._seats[kind] += count
        self._by_address[address] += count
        if not self._by_address[address]:
            del self._by_address[address]
        self.observe.live_clients(kind.value, self._seats[kind])
