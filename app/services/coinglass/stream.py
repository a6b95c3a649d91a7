"""The CoinGlass WebSocket as an `EventSource`: liquidations of all coins, trades and prices of watched ones.

Owns what is subscribed and how the link is shown; frames are read by `stream_parse`, the connection is kept
by the transport. Needs a key of the Standard plan or above; without one it is off, and says so.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TypeAlias
from urllib.parse import quote

import msgspec

from app.core.domain.flow import LinkState, LinkStatus, StreamFrame, StreamGap
from app.core.stream_ports import FrameSink
from app.services.coinglass.parse import PROVIDER
from app.services.coinglass.stream_parse import kind_of, parse_frame, read_refusal
from app.services.coinglass.stream_wire import TICKER, TRADES
from app.services.transport.socket import Heard, Send, SocketConfig, SupervisedSocket, Timing
from app.services.transport.stream_health import StreamHealth
from app.services.transport.stream_log import StreamLog

# The pair of a coin on each exchange that lists it, as CoinGlass spells them.
Pairs: TypeAlias = Callable[[str], Mapping[str, str]]

# All coins and exchanges in one channel: half a minute without a liquidation is not usual.
EXPECTED_GAP_S = 30.0
# No limit is documented; a hundred coins on three exchanges is what anyone can look at.
MAX_CHANNELS = 300
_CHANNELS_A_FRAME = 50
# Lists of pairs may arrive later than the wish to watch.
_LOOK_AGAIN_S = 60.0
_DETAILS = {
    LinkState.OFF: "no key is set",
    LinkState.REFUSED: "the key was refused: the stream needs the Standard plan or above",
    LinkState.SILENT: "connected and subscribed, and no data arrives",
    LinkState.ALARM: "frames arrive that cannot be read at all: the format may have changed",
}


def keyed_socket(url: str, api_key: str | None, *, reconnect_s: float) -> SocketConfig | None:
    """How the socket is kept, None without a key. The key travels in the address; it is in no repr."""
    if not api_key:
        return None
    joint = "&" if "?" in url else "?"
    return SocketConfig(
        url=f"{url}{joint}cg-api-key={quote(api_key, safe='')}",
        base_s=reconnect_s,
        ping_s=20.0,
        missed_pongs=2,
        stall_s=2 * EXPECTED_GAP_S,
        secrets=(api_key,),
    )


class CoinGlassStream:
    """Implements `core.stream_ports.EventSource`."""

    name = PROVIDER

    def __init__(
        self,
        socket: SocketConfig | None,
        *,
        channel: str,
        exchanges: Sequence[str],
        pairs: Pairs,
        least_usd: Callable[[str], float],
        now_ms: Callable[[], int],
        timing: Timing | None = None,
    ) -> None:
        """socket: of `keyed_socket`. channel: of liquidations. exchanges: whose trades are wanted.

        pairs: see `Pairs`. least_usd: smallest trade of a coin that is wanted, USD.
        """
        timing = timing or Timing()
        self._channel = channel
        self._exchanges = tuple(exchanges)
        self._pairs = pairs
        self._least_usd = least_usd
        self._now_ms = now_ms
        self._monotonic = timing.monotonic
        self._watched: tuple[str, ...] = ()
        self._subscribed: set[str] = set()
        self._look_s = 0.0
        self._sink: FrameSink | None = None
        self._health = StreamHealth(now_ms=now_ms, monotonic=timing.monotonic, expected_gap_s=EXPECTED_GAP_S)
        secrets = () if socket is None else socket.secrets
        self._is_new = False  # nothing came over this connection yet
        self._told = StreamLog(self.name, monotonic=timing.monotonic, secrets=secrets)
        self._socket = None if socket is None else SupervisedSocket(socket, self, timing)

    async def run(self, sink: FrameSink) -> None:
        """Deliver frames until cancelled; without a key there is nothing to deliver."""
        self._sink = sink
        if self._socket is None:
            await asyncio.get_running_loop().create_future()
        else:
            await self._socket.run()

    def watch(self, symbols: Sequence[str]) -> None:
        """Subscriptions follow within a second or two."""
        self._watched = tuple(dict.fromkeys(symbols))
        self._look_s = 0.0

    def status(self) -> LinkStatus:
        health = self._health
        state = LinkState.OFF if self._socket is None else LinkState(health.state(self._socket.state))
        said = self._socket.detail if self._socket is not None else ""
        unread = ", ".join(filter(None, health.alarms()))
        detail = "; ".join(part for part in (_DETAILS.get(state, ""), unread, said) if part)
        return LinkStatus(
            source=self.name,
            state=state,
            detail=detail,
            connected_ms=health.connected_ms,
            last_data_ms=health.last_data_ms,
            frames=health.frames,
            events=health.events,
            rejects=dict(health.rejects),
            reconnects=health.reconnects,
            gaps=health.gaps,
        )

    async def opened(self, send: Send) -> None:
        """Subscriptions do not survive a reconnect."""
        self._health.opened()
        self._is_new = True
        self._subscribed = set()
        self._look_s = 0.0
        await self.tick(send)

    def lost(self, reason: str) -> None:
        self._health.lost(reason)
        self._tell_state(reason)

    def _tell_state(self, reason: str = "") -> None:
        """To the log. reason: why the connection ended, when it did."""
        status = self.status()
        why = "; ".join(filter(None, (reason, status.detail)))
        self._told.state(status.state, why, reconnects=status.reconnects)

    async def heard(self, frame: bytes) -> Heard:
        read = parse_frame(frame, self._now_ms())
        events = len(read.liquidations) + len(read.trades) + len(read.ticks)
        if not events and not read.rejects:
            return Heard.REFUSED if read_refusal(frame) else Heard.OTHER
        kinds = [kind for kind in ("liquidations", "trades", "ticks") if getattr(read, kind)]
        missed = self._health.note(events, read.rejects, kinds)
        if read.rejects:
            self._told.rejected(read.rejects, frame)
        if not events:
            self._health.note_unreadable(kind_of(frame))
            return Heard.OTHER
        if missed is not None:
            read = replace(read, gap=StreamGap(self.name, *missed))
        if self._is_new:
            self._is_new = False
            self._tell_state()
        await self._deliver(read)
        return Heard.DATA

    async def _deliver(self, frame: StreamFrame) -> None:
        if self._sink is not None:
            await self._sink(frame)

    async def tick(self, send: Send) -> None:
        """Bring the subscriptions in line with what is wanted."""
        self._tell_state()
        if self._monotonic() < self._look_s:
            return
        self._look_s = self._monotonic() + _LOOK_AGAIN_S
        wanted = self._wanted()
        await self._ask(send, "unsubscribe", sorted(self._subscribed - set(wanted)))
        await self._ask(send, "subscribe", [name for name in wanted if name not in self._subscribed])
        self._subscribed = set(wanted)

    def _wanted(self) -> list[str]:
        """Channels, most wanted first."""
        channels = [self._channel]
        for symbol in self._watched:
            listed = self._pairs(symbol)
            markets = [f"{name}_{listed[name]}" for name in self._exchanges if name in listed]
            least_usd = int(self._least_usd(symbol))
            channels += [f"{TRADES}{market}@{least_usd}" for market in markets]
            # One price per coin is enough, and the first exchange is the preferred one.
            channels += [f"{TICKER}{market}" for market in markets[:1]]
        return list(dict.fromkeys(channels))[:MAX_CHANNELS]

    async def _ask(self, send: Send, method: str, channels: Sequence[str]) -> None:
        for start in range(0, len(channels), _CHANNELS_A_FRAME):
            asked = {"method": method, "channels": channels[start : start + _CHANNELS_A_FRAME]}
            await send(msgspec.json.encode(asked).decode())
