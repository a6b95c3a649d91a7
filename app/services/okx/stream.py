"""The OKX public WebSocket as an `EventSource`: liquidations of all USDT swaps, trades and prices of some.

No key. Owns what is subscribed, the sizes of contracts it multiplies with, and how the link is shown; frames
are read by `stream_parse`, the connection is kept by the transport.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from typing import TypeAlias

import msgspec

from app.core.domain.flow import LinkState, LinkStatus, StreamGap
from app.core.errors import ProviderError
from app.core.stream_ports import FrameSink
from app.services.okx import stream_wire as wire
from app.services.okx.client import PROVIDER
from app.services.okx.stream_parse import SUFFIX, kind_of, parse_frame, read_notice
from app.services.transport.socket import Heard, Send, SocketConfig, SupervisedSocket, Timing
from app.services.transport.stream_health import StreamHealth
from app.services.transport.stream_log import StreamLog

# Coins per contract by base asset; raises `ProviderError` when they cannot be had.
ContractValues: TypeAlias = Callable[[], Awaitable[Mapping[str, float]]]

# Tickers come ten times a second; with nothing watched there are only the liquidations of one exchange.
EXPECTED_GAP_S = 30.0
MAX_WATCHED = 200
# 480 requests per connection and hour and 65,536 bytes a request are allowed.
_REQUESTS_AN_HOUR = 400
_ARGS_A_REQUEST = 200
_SIZES_GOOD_S = 3600.0
_SIZES_RETRY_S = 60.0
_DETAILS = {
    LinkState.SILENT: "connected and subscribed, and no data arrives",
    LinkState.ALARM: "frames arrive that cannot be read at all: format or sizes of contracts are unknown",
}


def public_socket(url: str, *, reconnect_s: float) -> SocketConfig:
    """How the socket is kept. OKX closes a connection that says nothing for 30 s."""
    return SocketConfig(url=url, base_s=reconnect_s, ping_s=25.0, missed_pongs=1, stall_s=2 * EXPECTED_GAP_S)


class OkxStream:
    """Implements `core.stream_ports.EventSource`."""

    name = PROVIDER

    def __init__(
        self,
        socket: SocketConfig,
        *,
        contract_values: ContractValues,
        now_ms: Callable[[], int],
        timing: Timing | None = None,
    ) -> None:
        """socket: of `public_socket`. contract_values: see `ContractValues`."""
        timing = timing or Timing()
        self._contract_values = contract_values
        self._sizes: Mapping[str, float] = {}
        self._sizes_tried_s = self._sizes_due_s = 0.0
        self._now_ms = now_ms
        self._monotonic = timing.monotonic
        self._watched: tuple[str, ...] = ()
        self._subscribed: dict[tuple[str, str], None] = {}
        self._asked_s: deque[float] = deque(maxlen=_REQUESTS_AN_HOUR)
        self._refused = ""
        self._sink: FrameSink | None = None
        self._health = StreamHealth(
            now_ms=now_ms,
            monotonic=timing.monotonic,
            expected_gap_s=EXPECTED_GAP_S,
        )
        self._is_new = False  # nothing came over this connection yet
        # Swaps that are not settled in USDT come in the same channel, and are not ours.
        self._told = StreamLog(self.name, monotonic=timing.monotonic, usual={"other_contract"})
        self._socket = SupervisedSocket(socket, self, timing)

    async def run(self, sink: FrameSink) -> None:
        """Deliver frames until cancelled."""
        self._sink = sink
        await self._socket.run()

    def watch(self, symbols: Sequence[str]) -> None:
        """Subscriptions follow within a second or two; at most `MAX_WATCHED` coins."""
        self._watched = tuple(dict.fromkeys(symbols))[:MAX_WATCHED]

    def status(self) -> LinkStatus:
        health = self._health
        state = LinkState(health.state(self._socket.state))
        unread = ", ".join(filter(None, health.alarms()))
        said = (_DETAILS.get(state, ""), unread, self._socket.detail, self._refused)
        return LinkStatus(
            source=self.name,
            state=state,
            detail="; ".join(part for part in said if part),
            connected_ms=health.connected_ms,
            last_data_ms=health.last_data_ms,
            frames=health.frames,
            events=health.events,
            rejects=dict(health.rejects),
            reconnects=health.reconnects,
            gaps=health.gaps,
        )

    async def opened(self, send: Send) -> None:
        """Subscriptions do not survive a reconnect; their budget is the connection's."""
        self._health.opened()
        self._is_new = True
        self._subscribed = {}
        self._asked_s.clear()
        self._refused = ""
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
        read = parse_frame(frame, self._now_ms(), self._sizes)
        events = len(read.liquidations) + len(read.trades) + len(read.ticks)
        if not events and not read.rejects:
            self._note_notice(frame)
            return Heard.OTHER
        if "unknown_contract" in read.rejects:
            self._sizes_due_s = min(self._sizes_due_s, self._sizes_tried_s + _SIZES_RETRY_S)
        kinds = [kind for kind in ("liquidations", "trades", "ticks") if getattr(read, kind)]
        missed = self._health.note(events, read.rejects, kinds)
        if read.rejects:
            self._told.rejected(read.rejects, frame)
        if not events:
            if not self._readable().issuperset(read.rejects):
                self._health.note_unreadable(kind_of(frame))
            return Heard.OTHER
        if missed is not None:
            read = replace(read, gap=StreamGap(self.name, *missed))
        if self._is_new:
            self._is_new = False
            self._tell_state()
        if self._sink is not None:
            await self._sink(read)
        return Heard.DATA

    def _readable(self) -> frozenset[str]:
        """Reasons of rejects that show a readable event which is not ours, or of a coin just listed."""
        return frozenset({"other_contract", "unknown_contract"} if self._sizes else {"other_contract"})

    def _note_notice(self, frame: bytes) -> None:
        notice = read_notice(frame)
        if notice is not None and notice.event == "error" and notice.code.isalnum():
            self._refused = f"a subscription was refused (code {notice.code})"

    async def tick(self, send: Send) -> None:
        """Keep the sizes of contracts young and the subscriptions in line with what is wanted."""
        self._tell_state()
        await self._load_sizes()
        wanted = self._wanted()
        await self._ask(send, "unsubscribe", [arg for arg in self._subscribed if arg not in wanted])
        await self._ask(send, "subscribe", [arg for arg in wanted if arg not in self._subscribed])

    async def _load_sizes(self) -> None:
        now_s = self._monotonic()
        if now_s < self._sizes_due_s:
            return
        self._sizes_tried_s = now_s
        self._sizes_due_s = now_s + _SIZES_GOOD_S
        try:
            self._sizes = await self._contract_values()
        except ProviderError:
            # Old sizes are still sizes; without any, liquidations and trades are refused and counted.
            self._sizes_due_s = now_s + _SIZES_RETRY_S

    def _wanted(self) -> dict[tuple[str, str], None]:
        """(channel, instrument or "" for all), most wanted first; coins OKX does not list are left out."""
        listed = [coin for coin in self._watched if coin in self._sizes or not self._sizes]
        args = [(channel, coin + SUFFIX) for coin in listed for channel in (wire.TICKERS, wire.TRADES)]
        return dict.fromkeys([(wire.LIQUIDATIONS, ""), *args])

    async def _ask(self, send: Send, op: str, args: Sequence[tuple[str, str]]) -> None:
        for start in range(0, len(args), _ARGS_A_REQUEST):
            part = args[start : start + _ARGS_A_REQUEST]
            if not self._may_ask():
                return
            await send(msgspec.json.encode({"op": op, "args": [_arg(*arg) for arg in part]}).decode())
            for arg in part:
                if op == "subscribe":
                    self._subscribed[arg] = None
                else:
                    self._subscribed.pop(arg, None)

    def _may_ask(self) -> bool:
        """Whether one more request is within OKX's hourly allowance; what is not is asked later."""
        now_s = self._monotonic()
        is_full = len(self._asked_s) == _REQUESTS_AN_HOUR
        if is_full and now_s - self._asked_s[0] < 3600.0:
            return False
        self._asked_s.append(now_s)
        return True


def _arg(channel: str, instrument: str) -> dict[str, str]:
    where = {"instId": instrument} if instrument else {"instType": "SWAP"}
    return {"channel": channel, **where}
