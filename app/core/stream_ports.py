"""What the streaming worker needs from the outside, as protocols: sources, store of alerts, senders, bus.

Adapters implement these (`services.coinglass`, `services.okx`, `services.storage`, `services.telegram`,
`services.bus`); only bootstrap names them.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeAlias

from app.core.domain.alerts import (
    Alert,
    AlertQuery,
    Delivery,
    DropReason,
    GateVerdict,
    OutboxDepth,
    StoredAlert,
)
from app.core.domain.flow import FlowSnapshot, LinkStatus, StreamFrame, StreamGap
from app.core.domain.stored import LiquidationRow, Page

# Takes one frame; returns when it has been dealt with, so that a slow consumer slows the reader (bounded).
FrameSink: TypeAlias = Callable[[StreamFrame], Awaitable[None]]


class EventSource(Protocol):
    """One upstream stream, connecting and re-connecting by itself."""

    name: str

    async def run(self, sink: FrameSink) -> None:
        """Deliver frames until cancelled; never raises for what the network or the venue does."""
        ...

    def watch(self, symbols: Sequence[str]) -> None:
        """The coins whose trades and prices are wanted, most wanted first; liquidations come for all."""
        ...

    def status(self) -> LinkStatus: ...


class AlertStore(Protocol):
    """History of alerts and the outbox, in one database so that both are written in one transaction.

    Every method raises `StorageUnavailable` when the database cannot be asked.
    """

    async def keep(
        self,
        alert: Alert,
        *,
        drop_reason: DropReason | None,
        dropped_chats: Mapping[str, DropReason],
        chats: Sequence[str],
        now_ms: int,
    ) -> None:
        """Store the alert and what is to be sent, committed on return; the same again changes nothing.

        A chat that has a row already gets the new revision in it (to be edited); `drop_reason` never erases
        that an earlier revision was kept.
        """
        ...

    async def keep_all(self, verdicts: Sequence[GateVerdict], *, now_ms: int) -> None:
        """Many at once, in order and in one transaction: a storm over all coins is one visit."""
        ...

    async def recent(self, since_ms: int) -> Sequence[StoredAlert]:
        """Alerts since then, oldest first, with their deliveries: what the gate remembers after a start."""
        ...

    async def page(self, query: AlertQuery) -> Page[StoredAlert]:
        """Newest first. Raises: InvalidParameter (a bad cursor)."""
        ...

    async def one(self, alert_id: str) -> StoredAlert | None: ...


class Outbox(Protocol):
    """What is to be sent. Raises `StorageUnavailable` like the store it is part of.

    Several deliveries are marked at once where they were one message (a digest).
    """

    async def claim(
        self, *, owner: str, now_ms: int, lease_ms: int, limit: int, hold: Sequence[str] = ()
    ) -> Sequence[Delivery]:
        """Take due deliveries for `lease_ms`: now SENDING, attempts counted, in no other process's hands.

        Urgent alerts first, then by time. hold: chats, or whole schemes (`telegram`), that are left alone.
        Claimed ones whose lease is over come again with `repeats` + 1: it is not known whether they were
        sent.
        """
        ...

    async def sent(self, deliveries: Sequence[Delivery], *, message_id: str, now_ms: int) -> None:
        """They arrived; due again at once where a newer revision came meanwhile."""
        ...

    async def retry(
        self, deliveries: Sequence[Delivery], *, at_ms: int, error: str, is_uncertain: bool
    ) -> None:
        """Not sent, or not known (then `repeats` counts and a second time makes a new message UNCERTAIN)."""
        ...

    async def release(self, deliveries: Sequence[Delivery], *, at_ms: int | None = None) -> None:
        """Not tried after all, so no attempt: due as before the claim, or not before `at_ms`."""
        ...

    async def give_up(self, deliveries: Sequence[Delivery], *, error: str, now_ms: int) -> None:
        """Refused for good."""
        ...

    async def give_up_chat(self, chat: str, *, error: str, now_ms: int) -> int:
        """The chat takes nothing any more: all that waits for it has failed; how many."""
        ...

    async def group(self, deliveries: Sequence[Delivery], *, group: str) -> None:
        """Note that these are one message, before it is sent."""
        ...

    async def members(self, chat: str, group: str, *, now_ms: int) -> Sequence[Delivery]:
        """Every alert of that message, in the order in which they came."""
        ...

    async def expire_leases(self, *, owner_prefix: str, now_ms: int) -> int:
        """What owners of such names hold is due at once (they are dead); how many. "": everybody's."""
        ...

    async def depth(self, now_ms: int) -> OutboxDepth: ...


@dataclass(frozen=True, slots=True)
class Message:
    """One message, ready to be sent. html: with markup; plain: the same without, for a server that refuses
    the markup; buttons: rows of (text, callback data or URL). png: a picture, with the text as its
    caption."""

    html: str
    plain: str
    buttons: tuple[tuple[tuple[str, str], ...], ...] = ()
    png: bytes | None = None
    is_silent: bool = False


class Sender(Protocol):
    """One kind of destination (`telegram`, `webhook`, `redis`).

    Raises `DeliveryError`: which one says what to do next.
    """

    scheme: str

    async def send(self, chat: str, delivery: Delivery, message: Message) -> str:
        """Send; the id of the new message ("" where the destination knows none)."""
        ...

    async def edit(self, chat: str, delivery: Delivery, message: Message) -> None:
        """Replace the text of `delivery.message_id`."""
        ...


class WarmCache(Protocol):
    """Rolling aggregates where every process can read them. Never raises for an outage: reads are None."""

    async def publish(self, snapshots: Sequence[FlowSnapshot]) -> None: ...

    async def read(self, symbol: str) -> FlowSnapshot | None: ...

    async def read_all(self) -> Sequence[FlowSnapshot]:
        """Every coin that had an event within a day, at most some thousands."""
        ...

    async def put_text(self, key: str, value: str, *, keep_s: float) -> None:
        """Small further state that other processes show (status, whale book), JSON text."""
        ...

    async def get_text(self, key: str) -> str | None: ...


class LiquidationTail(Protocol):
    """Stored liquidations, to rebuild windows after a start."""

    async def since(self, from_ms: int) -> Sequence[LiquidationRow]:
        """Every coin's since then, oldest first; bounded by the store (newest win)."""
        ...


class GapLog(Protocol):
    """Times of which events may be missing."""

    async def add_gap(self, gap: StreamGap) -> None: ...

    async def gaps(self, since_ms: int) -> Sequence[StreamGap]: ...
