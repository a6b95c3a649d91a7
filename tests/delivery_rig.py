"""A delivery over a real store, for its tests: senders that play a script, and a clock that stands still.

The service is stepped round by round instead of being run, so that nothing waits.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from app.core.clock import ManualClock
from app.core.domain.alerts import Alert, ChatSettings, Delivery, DeliveryState, GateVerdict
from app.core.errors import DeliveryError
from app.core.stream_ports import Message, Outbox, Sender
from app.services.chat_book import ChatBook
from app.services.storage.alerts import SqlAlerts
from app.services.storage.store import SqlStore
from app.services.streaming.chat_addresses import ChatAddresses
from app.services.streaming.delivery import DeliveryOptions, DeliveryService
from app.services.streaming.delivery_status import DeliveryRecord
from app.services.streaming.pacing import Pace
from app.services.watchlist import Watchlist
from tests.delivery_facts import T0_MS

CHAT, OTHER = "telegram:-100", "telegram:7"
START_MS = T0_MS + 1_000


@dataclass
class Call:
    """What a sender was given."""

    chat: str
    delivery: Delivery
    message: Message
    is_edit: bool
    at_s: float


Step = DeliveryError | Callable[[], Awaitable[None]] | None


@dataclass
class ScriptedSender:
    """Plays `script` call by call: an error is raised, a function awaited, None and the end are success."""

    scheme: str
    clock: ManualClock
    script: list[Step] = field(default_factory=list)
    calls: list[Call] = field(default_factory=list)

    async def send(self, chat: str, delivery: Delivery, message: Message) -> str:
        await self._play(Call(chat, delivery, message, False, self.clock.monotonic_s()))
        return str(len(self.calls))

    async def edit(self, chat: str, delivery: Delivery, message: Message) -> None:
        await self._play(Call(chat, delivery, message, True, self.clock.monotonic_s()))

    async def _play(self, call: Call) -> None:
        self.calls.append(call)
        step = self.script.pop(0) if self.script else None
        if isinstance(step, DeliveryError):
            raise step
        if step is not None:
            await step()

    @property
    def texts(self) -> list[str]:
        return [call.message.plain for call in self.calls]


@dataclass
class DeliveryRig:
    """One store, its clock, and services over it."""

    store: SqlStore
    clock: ManualClock
    telegram: ScriptedSender
    webhook: ScriptedSender
    chats: ChatBook
    records: list[DeliveryRecord] = field(default_factory=list)

    @property
    def alerts(self) -> SqlAlerts:
        return self.store.alerts

    def service(
        self,
        *,
        owner: str = "w1",
        takes_over: str | None = None,
        paces: dict[str, Pace] | None = None,
        senders: dict[str, Sender] | None = None,
        outbox: Outbox | None = None,
    ) -> DeliveryService:
        options = DeliveryOptions(
            owner=owner,
            data_mode="live",
            takes_over=takes_over,
            paces=paces,
            dashboard_url="https://dash.example",
            observe=self.records.append,
        )
        both: dict[str, Sender] = {"telegram": self.telegram, "webhook": self.webhook}
        return DeliveryService(
            outbox or self.alerts,
            both if senders is None else senders,
            chats=self.chats,
            addresses=ChatAddresses(self.store.state),
            clock=self.clock,
            options=options,
            sleep=lambda _: asyncio.sleep(0),
        )

    async def keep(self, *alerts: Alert, chats: Sequence[str] = (CHAT,)) -> None:
        verdicts = [GateVerdict(alert, None, tuple(chats), {}) for alert in alerts]
        await self.alerts.keep_all(verdicts, now_ms=self.clock.now_ms())

    async def rows(self) -> dict[tuple[int, str], Delivery]:
        """By number of the alert and chat."""
        found = await self.alerts.recent(0)
        return {(int(item.alert.id, 16), row.chat): row for item in found for row in item.deliveries}

    async def states(self) -> list[DeliveryState]:
        return [row.state for row in (await self.rows()).values()]


def chat_book(store: SqlStore, *chats: str) -> ChatBook:
    """Chats that are configured and have set nothing."""
    watchlist = Watchlist(configured=(), store=store.state)
    return ChatBook(defaults=[ChatSettings(chat) for chat in chats], watchlist=watchlist, store=store.state)


def digest_size(text: str) -> int:
    """How many alerts a digest says it holds; 0: it is none."""
    found = re.search(r"Alerts: (\d+)", text)
    return int(found[1]) if found else 0


async def turn(service: DeliveryService) -> None:
    """One round and all the turns it starts."""
    await service._round()
    await asyncio.gather(*service._turns.values())
    await asyncio.sleep(0)  # the ends of turns are noted by callbacks


@asynccontextmanager
async def delivery_rig(folder: Path) -> AsyncIterator[DeliveryRig]:
    clock = ManualClock(START_MS)
    url = f"sqlite:///{folder / 'store.db'}"
    store = SqlStore(url, data_mode="live", now_ms=clock.now_ms, monotonic=time.monotonic)
    store.start()
    await store.opened()
    try:
        telegram, webhook = ScriptedSender("telegram", clock), ScriptedSender("webhook", clock)
        yield DeliveryRig(store, clock, telegram, webhook, chat_book(store, CHAT, OTHER, "webhook"))
    finally:
        await store.close()
