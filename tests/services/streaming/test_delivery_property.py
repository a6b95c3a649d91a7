"""Whatever goes wrong in whatever order: every alert arrives, and twice only where nobody could know."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from app.core.domain.alerts import Delivery, DeliveryState
from app.core.errors import DeliveryRateLimited, DeliveryUnavailable, DeliveryUncertain
from app.core.stream_ports import Message
from app.services.streaming.pacing import Limit, Pace
from tests.delivery_facts import an_alert
from tests.delivery_rig import CHAT, DeliveryRig, delivery_rig

ALERTS = 3  # as many as go out one by one
NO_PACE = {"telegram": Pace(*(Limit(1, 0.0),) * 4)}
# What happens to a send, and whether the message is in the chat afterwards.
EVENTS = ("ok", "timeout after", "timeout before", "flood", "server fault", "kill after", "kill before")
REPEAT = "Repeat:"


@dataclass
class Chat:
    """A Telegram that plays a list of events and then works; `arrived` is what a reader sees."""

    events: list[str]
    arrived: list[tuple[str, bool]] = field(default_factory=list)
    tries: Counter[str] = field(default_factory=Counter)
    doubts: Counter[str] = field(default_factory=Counter)
    kills: Counter[str] = field(default_factory=Counter)
    death: asyncio.Event = field(default_factory=asyncio.Event)
    scheme: str = "telegram"

    async def send(self, chat: str, delivery: Delivery, message: Message) -> str:
        event = self.events.pop(0) if self.events else "ok"
        self.tries[delivery.alert_id] += 1
        if event in ("ok", "timeout after", "kill after"):
            self.arrived.append((delivery.alert_id, REPEAT in message.plain))
        await self._end(event, delivery.alert_id)
        return str(len(self.arrived))

    async def edit(self, chat: str, delivery: Delivery, message: Message) -> None:
        raise AssertionError("nothing here grows")

    async def _end(self, event: str, alert_id: str) -> None:
        if event == "flood":
            raise DeliveryRateLimited(CHAT, "429", retry_after_s=3)
        if event == "server fault":
            raise DeliveryUnavailable(CHAT, "503")
        if event.startswith("timeout"):
            self.doubts[alert_id] += 1
            raise DeliveryUncertain(CHAT, "no answer")
        if event.startswith("kill"):
            self.kills[alert_id] += 1
            self.death.set()
            await asyncio.Event().wait()


async def deliver(rig: DeliveryRig, chat: Chat) -> None:
    """Start processes one after the other until nothing is left to do."""
    for process in range(30):
        service = rig.service(owner=f"w{process}", takes_over="", paces=NO_PACE, senders={"telegram": chat})
        chat.death = asyncio.Event()
        while not chat.death.is_set():
            await service._round()
            turns = list(service._turns.values())
            death = asyncio.create_task(chat.death.wait())
            if turns:  # one chat: one turn
                await asyncio.wait({death, *turns}, return_when=asyncio.FIRST_COMPLETED)
            for task in (death, *turns):
                task.cancel()
            await asyncio.gather(death, *turns, return_exceptions=True)
            if all(state in (DeliveryState.SENT, DeliveryState.UNCERTAIN) for state in await rig.states()):
                return
            rig.clock.tick(61)
    raise AssertionError("it never ended")


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty store, made once."""
    folder = tmp_path_factory.mktemp("template")

    async def make() -> None:
        async with delivery_rig(folder):
            pass

    asyncio.run(make())
    return folder


@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(events=st.lists(st.sampled_from(EVENTS), max_size=10))
@example(events=["timeout after"] * 10)
@example(events=["kill after"] * 10)
def test_every_alert_arrives_and_repeats_only_where_nobody_could_know(
    template: Path, events: list[str]
) -> None:
    chat = Chat(list(events))

    async def play() -> dict[str, Delivery]:
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            shutil.copytree(template, folder, dirs_exist_ok=True)
            async with delivery_rig(folder) as rig:
                await rig.keep(*(an_alert(number) for number in range(1, ALERTS + 1)))
                await deliver(rig, chat)
                return {row.alert_id: row for row in (await rig.rows()).values()}

    rows = asyncio.run(play())
    for alert_id, row in rows.items():
        copies = [is_marked for name, is_marked in chat.arrived if name == alert_id]
        open_ends = chat.doubts[alert_id] + chat.kills[alert_id]
        # Without an answer twice, it is said to be uncertain instead of being sent a third time.
        assert copies or row.state is DeliveryState.UNCERTAIN
        assert len(copies) <= 1 + open_ends
        assert row.repeats == open_ends
        # Nobody knew of the first: every further copy says that it may be one.
        assert all(copies[1:])
        if not chat.kills[alert_id]:
            assert len(copies) <= 2
        if open_ends == 0:
            assert copies == [False]
