"""What a conversation needs from the outside and what it answers: protocols and plain values.

`services.chat_service` implements `Conversation` over the use cases named here; `services.telegram.bot` talks
to it and knows nothing of commands. Only bootstrap names who stands behind which protocol.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol, TypeAlias

from app.core.domain.alerts import AlertQuery, OutboxDepth, StoredAlert
from app.core.domain.answer import MarketAnswer, SignalAnswer
from app.core.domain.flow import FlowSnapshot, LinkStatus, PipelineStatus
from app.core.domain.heatmap import HeatmapAnswer, HeatmapQuery
from app.core.domain.liquidity_answer import LiquidityAnswer
from app.core.domain.outcomes import SetupTally
from app.core.domain.signal import Mode
from app.core.domain.status import ReadyReport
from app.core.domain.stored import Page
from app.core.domain.symbol import Symbol
from app.core.domain.track_record import RecordAnswer
from app.core.domain.views import Parts, View, ViewQuery
from app.core.stream_ports import Message


@dataclass(frozen=True, slots=True)
class Reply:
    """What is said to one command: messages in order, and a short notice for a pressed button (plain text).

    Empty: nothing is said at all.
    """

    messages: tuple[Message, ...] = ()
    notice: str = ""


class Conversation(Protocol):
    """Text in, reply out; of chats that are not on the list nothing is answered."""

    def knows(self, chat: str) -> bool:
        """Whether this chat (`telegram:-100123`) may ask."""
        ...

    async def answer(self, chat: str, text: str, *, is_callback: bool = False) -> Reply:
        """Answer a command, or the data of a pressed button; every failure is a text. Never raises."""
        ...

    async def refused(self, chat: str) -> None:
        """The chat does not take our messages any more."""
        ...


@dataclass(frozen=True, slots=True)
class ServiceReport:
    """How everything does, for /status. None: not run by this process, or not to be had now."""

    ready: ReadyReport
    links: tuple[LinkStatus, ...] = ()
    pipeline: PipelineStatus | None = None
    outbox: OutboxDepth | None = None
    alarms: tuple[str, ...] = ()


ReportNow: TypeAlias = Callable[[], Awaitable[ServiceReport]]


class OutcomeCounts(Protocol):
    """What became of alerts so far, by setup."""

    async def counts(self) -> Sequence[SetupTally]:
        """Largest number of outcomes first. Raises: StorageUnavailable."""
        ...


class RecordTalk(Protocol):
    """What scheduled signals were worth."""

    async def record(self, symbol_text: str | None) -> RecordAnswer:
        """None: all coins together. Raises: InvalidParameter, UnknownSymbol, StorageUnavailable."""
        ...


class SettingsStore(Protocol):
    """The part of the state store that chats need. Every method raises `StorageUnavailable`."""

    async def chat_settings(self, chat: str) -> str | None:
        """JSON text, None for a chat that set nothing."""
        ...

    async def put_chat_settings(self, chat: str, settings: str) -> None: ...
    async def get_state(self, key: str) -> str | None: ...


class AlertReader(Protocol):
    """Stored alerts. Every method raises `StorageUnavailable`."""

    async def one(self, alert_id: str) -> StoredAlert | None: ...
    async def page(self, query: AlertQuery) -> Page[StoredAlert]: ...


class SignalTalk(Protocol):
    """Scored signals."""

    def resolve(self, text: str) -> Symbol:
        """Raises: InvalidParameter, UnknownSymbol."""
        ...

    async def signal(self, text: str, mode: Mode, timeframe: str) -> SignalAnswer:
        """Raises: InvalidParameter, UnknownSymbol, NoPriceAvailable."""
        ...


class MarketTalk(Protocol):
    """Raw readings of one coin."""

    async def market(self, text: str) -> MarketAnswer:
        """Raises: InvalidParameter, UnknownSymbol."""
        ...


class DerivativesTalk(Protocol):
    """Parts of the derivatives market; what cannot be had is a part that says why."""

    async def parts(self, views: Sequence[View], query: ViewQuery) -> Parts: ...


class LiquidityTalk(Protocol):
    """Liquidation clusters around the price."""

    async def analyse(self, symbol: Symbol, timeframe: str) -> LiquidityAnswer:
        """Raises: InvalidParameter, NoPriceAvailable."""
        ...


class HeatmapTalk(Protocol):
    """Stored liquidations by time and price, as figures and as a picture."""

    async def heatmap(self, symbol: Symbol, query: HeatmapQuery) -> HeatmapAnswer:
        """Raises: StorageUnavailable."""
        ...

    async def picture(self, symbol: Symbol, query: HeatmapQuery) -> bytes:
        """As PNG. Raises: StorageUnavailable."""
        ...


class SnapshotReader(Protocol):
    """Rolling aggregates of the stream (the warm cache)."""

    async def read(self, symbol: str) -> FlowSnapshot | None: ...


@dataclass(frozen=True, slots=True)
class Inquiries:
    """Everything a question about a coin is answered from. None: this process has no such thing."""

    signals: SignalTalk
    market: MarketTalk
    derivatives: DerivativesTalk
    liquidity: LiquidityTalk
    heatmap: HeatmapTalk
    snapshots: SnapshotReader | None = None
    alerts: AlertReader | None = None
    outcomes: OutcomeCounts | None = None
    record: RecordTalk | None = None


class BotState(StrEnum):
    """How the conversation with the chat service does."""

    OFF = "off"
    STARTING = "starting"
    LISTENING = "listening"
    CONFLICT = "conflict"  # another process reads the same bot's messages
    DOWN = "down"  # not reachable, or it answers with faults
    REFUSED = "refused"  # bad token: asked again rarely


@dataclass(frozen=True, slots=True)
class BotStatus:
    """Counters since the start; detail: why, in words, never a token or a URL.

    foreign: messages of chats that are not on the list; unread: updates that nobody could read; flooded:
    commands that came too fast and were left out; failed: answers that could not be delivered.
    """

    state: BotState
    detail: str
    last_ok_ms: int | None
    updates: int
    answers: int
    foreign: int
    unread: int
    flooded: int
    failed: int
    waiting: int
