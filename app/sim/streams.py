"""One simulated WebSocket connection: reading, pushing with faults, heartbeat words, idle close.

Raw ASGI, so that an abrupt drop really is one. Channels belong to streams_coinglass and streams_okx.
"""

from __future__ import annotations

import asyncio
from typing import Protocol

from starlette.types import Receive, Scope, Send

from app.sim.faults import Fault
from app.sim.market import MarketSource
from app.sim.state import SimState
from app.sim.stream_spelling import garbage, respell

_FRAME_FAULTS = frozenset({"silence", "duplicates", "reorder", "garbage", "huge", "dialect", "skew"})
_DROP = frozenset({"drop"})
_REFUSE = frozenset({"status"})
_NO_PONG = frozenset({"no_pong"})
_REPLAY = frozenset({"replay"})
# How much missed market time a stream sends after the clock was set forward.
_CATCH_UP_MS = 3_600_000


class StreamServer(Protocol):
    """Answers for one WebSocket path."""

    async def serve(self, scope: Scope, receive: Receive, send: Send) -> None: ...


class Dropped(Exception):
    """The connection ends here; the fault says how."""


class Connection:
    """One accepted connection; every frame passes the faults in force at that moment."""

    def __init__(
        self, receive: Receive, send: Send, *, state: SimState, provider: str, endpoint: str
    ) -> None:
        self._receive = receive
        self._send = send
        self._state = state
        self._names = (provider, endpoint)
        self._frames = 0
        self._held: str | None = None
        self._seen_ms: int | None = None
        self._has_replayed = False

    async def open(self, *, is_allowed: bool) -> bool:
        """Take the handshake; False when it was refused (HTTP 403 before the upgrade)."""
        await self._receive()
        refused = self._state.faults.take(*self._names, _REFUSE)
        if refused is not None or not is_allowed:
            await self._send({"type": "websocket.close", "code": 1008})
            return False
        await self._send({"type": "websocket.accept"})
        return True

    async def read(self) -> str | None:
        """The next text frame; None when the client has gone."""
        while True:
            message = await self._receive()
            if message["type"] == "websocket.disconnect":
                return None
            text = message.get("text")
            if text is not None:
                return str(text)

    def market(self) -> MarketSource:
        """The market this stream sees: scripted events over it; still while a freeze fault holds."""
        return self._state.script.over(self._state.market_of(*self._names))

    def advance(self, now_ms: int, *, is_subscribed: bool) -> tuple[int, int]:
        """[start, end) of market time to report since the last call; empty at first and on a step back."""
        seen_ms = now_ms if self._seen_ms is None else self._seen_ms
        self._seen_ms = now_ms
        if is_subscribed and not self._has_replayed:
            self._has_replayed = True
            seen_ms -= self._replayed_ms()
        return max(seen_ms, now_ms - _CATCH_UP_MS), now_ms

    def _replayed_ms(self) -> int:
        fault = self._state.faults.take(*self._names, _REPLAY)
        return 0 if fault is None else int(float(fault.value or 60) * 1000)

    async def tick(self) -> None:
        """Wait one turn, and drop the connection when a fault says so even though nothing is sent."""
        await self._drop_if_due()
        await asyncio.sleep(self._state.config.ws_tick_s)

    async def reply(self, frame: str) -> None:
        """Send an answer to the client (pong, ack); a full silence swallows it."""
        silent = self._state.faults.take(*self._names, frozenset({"silence"}), lambda f: f.value != "data")
        if frame == "pong" and silent is None:
            silent = self._state.faults.take(*self._names, _NO_PONG)
        if silent is None:
            await self._send({"type": "websocket.send", "text": frame})

    async def push(self, frame: str) -> None:
        """Send one event frame through the faults.

        Raises:
            Dropped: a drop fault was due; the connection is closed.
        """
        await self._drop_if_due()
        fault = self._state.faults.take(*self._names, _FRAME_FAULTS)
        for text in self._faulty(fault, frame):
            await self._send({"type": "websocket.send", "text": text})
            self._frames += 1

    def _faulty(self, fault: Fault | None, frame: str) -> list[str]:
        held, self._held = self._held, None
        # A held frame goes out after the one that follows it.
        frames = [frame] if held is None else [frame, held]
        if fault is None:
            return frames
        if fault.kind == "silence":
            return []
        if fault.kind == "duplicates":
            return [text for text in frames for _ in range(2)]
        if fault.kind == "reorder" and held is None:
            self._held = frame
            return []
        if fault.kind in ("garbage", "huge"):
            return [garbage(fault), *frames]
        if fault.kind in ("dialect", "skew"):
            return [respell(text, fault) for text in frames]
        return frames

    async def _drop_if_due(self) -> None:
        fault = self._state.faults.take(*self._names, _DROP, self._is_drop_due)
        if fault is None:
            return
        code = fault.value.get("code") if isinstance(fault.value, dict) else None
        if code is not None:
            await self._send({"type": "websocket.close", "code": int(code)})
        raise Dropped  # without a close frame the server cuts the connection: 1006 at the client

    def _is_drop_due(self, fault: Fault) -> bool:
        after = fault.value.get("after", 0) if isinstance(fault.value, dict) else int(fault.value or 0)
        return self._frames >= int(after)

    async def close(self, code: int) -> None:
        await self._send({"type": "websocket.close", "code": code})


async def run_both(first: asyncio.Task[None], second: asyncio.Task[None]) -> None:
    """Run reader and pump until one ends; a drop or a client that has gone is an end, the rest is raised."""
    done, pending = await asyncio.wait((first, second), return_when=asyncio.FIRST_COMPLETED)
    for task in pending:
        task.cancel()
    await asyncio.gather(*pending, return_exceptions=True)
    for task in done:
        error = task.exception()
        if error is not None and not isinstance(error, Dropped | OSError):
            raise error
