"""R14: whatever Telegram answers, an alert arrives at least once, and twice only when its answer was lost.

The whole way over real sockets: store, delivery, sender, and the simulated Bot API with scripted faults.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import pytest

from app.core.domain.alerts import Delivery, DeliveryState, GateVerdict
from app.services.storage.store import SqlStore
from app.services.streaming.chat_addresses import ChatAddresses
from app.services.streaming.delivery import DeliveryOptions, DeliveryService
from app.services.telegram.sender import TelegramSender
from tests.delivery_facts import T0_MS, an_alert
from tests.delivery_rig import chat_book, digest_size
from tests.live_rig import LiveSim, RigClock, fault, live_simulator

CHAT, OTHER = "telegram:-100", "telegram:7"
TOKEN = "123456789:AAcanary-Zr8kLw3pQxVb6Nm2Ty5"
REPEAT = "Repeat:"


@dataclass
class Rig:
    """Everything but the pipeline; the clock moves in steps."""

    clock: RigClock
    sim: LiveSim
    store: SqlStore
    service: DeliveryService
    http: httpx2.AsyncClient

    async def keep(self, *numbers: int, revision: int = 1, chats: tuple[str, ...] = (CHAT,)) -> None:
        alerts = [
            an_alert(n, symbol=f"C{n}", revision=revision, ts_init_ms=self.clock.now_ms()) for n in numbers
        ]
        verdicts = [GateVerdict(alert, None, chats, {}) for alert in alerts]
        await self.store.alerts.keep_all(verdicts, now_ms=self.clock.now_ms())
        self.service.wake()

    async def rows(self) -> list[Delivery]:
        found = await self.store.alerts.recent(0)
        return [row for item in found for row in item.deliveries]

    async def settle(self, most_s: int = 600) -> list[Delivery]:
        """Let time pass, two seconds at a time, until nothing waits."""
        for _ in range(most_s // 2):
            for _ in range(400):
                rows = await self.rows()
                if all(row.state not in (DeliveryState.PENDING, DeliveryState.SENDING) for row in rows):
                    return rows
                if not self.service._turns and not any(self.is_due(row) for row in rows):
                    break
                await asyncio.sleep(0.002)
            self.clock.advance(2_000)
            self.service.wake()
        raise AssertionError(f"still waiting: {await self.rows()}")

    def is_due(self, row: Delivery) -> bool:
        is_held = self.service.status().chats.get(row.chat)
        return row.next_try_ms <= self.clock.now_ms() and (is_held is None or is_held.wait_s == 0)

    async def messages(self) -> list[dict[str, Any]]:
        listed: list[dict[str, Any]] = (await self.http.get("/__sim__/telegram/messages")).json()["messages"]
        return listed

    async def texts(self) -> list[str]:
        return [message["text"] for message in await self.messages()]


@pytest.fixture
async def rig(tmp_path: Path) -> AsyncIterator[Rig]:
    clock = RigClock(T0_MS + 1_000)
    url = f"sqlite:///{tmp_path / 'store.db'}"
    store = SqlStore(url, data_mode="live", now_ms=clock.now_ms, monotonic=clock.monotonic_s)
    store.start()
    await store.opened()
    async with live_simulator(clock) as sim, httpx2.AsyncClient(base_url=sim.url) as http:
        sender = TelegramSender(TOKEN, base_url=f"{sim.url}/telegram", read_s=0.1)
        service = DeliveryService(
            store.alerts,
            {"telegram": sender},
            chats=chat_book(store, CHAT, OTHER),
            addresses=ChatAddresses(store.state),
            clock=clock,
            options=DeliveryOptions(owner="w1", data_mode="live", takes_over=""),
            sleep=lambda _: asyncio.sleep(0.005),
        )
        running = asyncio.create_task(service.run())
        yield Rig(clock, sim, store, service, http)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        await sender.aclose()
    await store.close()


def refusal(code: int, text: str, *, count: int = 1, **parameters: int) -> dict[str, Any]:
    body = {"ok": False, "error_code": code, "description": text, "parameters": parameters}
    return fault("telegram", "status", {"status": code, "body": body}, count=count)


FLOOD = refusal(429, "Too Many Requests: retry after 3", count=3, retry_after=3)
MARKUP = refusal(400, "Bad Request: can't parse entities: Unsupported start tag")


@pytest.mark.parametrize(
    "broken",
    [
        FLOOD,
        MARKUP,
        refusal(500, "Internal Server Error", count=3),
        fault("telegram", "html", 502, count=3),
        refusal(503, "Service Unavailable", count=3),
    ],
    ids=["429", "400 markup", "500", "502 html", "503"],
)
async def test_what_was_refused_arrives_once_and_unmarked(rig: Rig, broken: dict[str, Any]) -> None:
    rig.sim.break_with(broken)
    await rig.keep(1, 2)
    rows = await rig.settle()
    texts = await rig.texts()
    assert sorted(name for text in texts for name in ("C1:", "C2:") if name in text) == ["C1:", "C2:"]
    assert REPEAT not in "".join(texts)
    assert {row.state for row in rows} == {DeliveryState.SENT}


async def test_a_lost_answer_leads_to_one_repeat_with_the_same_id_and_a_mark(rig: Rig) -> None:
    rig.sim.break_with(fault("telegram", "hang", count=1))
    await rig.keep(1)
    rows = await rig.settle()
    texts = await rig.texts()
    assert [REPEAT in text for text in texts] == [False, True]
    assert all(an_alert(1).id in text for text in texts)
    assert (rows[0].state, rows[0].repeats) == (DeliveryState.SENT, 1)


async def test_a_message_lost_on_its_way_arrives_with_the_second_try(rig: Rig) -> None:
    rig.sim.break_with(fault("telegram", "hang", "before", count=1))
    await rig.keep(1)
    rows = await rig.settle()
    assert [REPEAT in text for text in await rig.texts()] == [True]
    assert (rows[0].state, rows[0].repeats) == (DeliveryState.SENT, 1)


async def test_never_a_third_time(rig: Rig) -> None:
    rig.sim.break_with(fault("telegram", "hang", count=2))
    await rig.keep(1)
    rows = await rig.settle()
    rig.clock.advance(600_000)
    rig.service.wake()
    assert len(await rig.texts()) == 2
    assert [row.state for row in rows] == [DeliveryState.UNCERTAIN]
    assert rig.service.status().repeats == 1


async def test_a_closed_chat_costs_the_others_nothing(rig: Rig) -> None:
    await rig.http.put("/__sim__/telegram/chats", json={"blocked": ["-100"]})
    await rig.keep(1, 2, chats=(CHAT, OTHER))
    rows = await rig.settle()
    states = {chat: {row.state for row in rows if row.chat == chat} for chat in (CHAT, OTHER)}
    assert states == {CHAT: {DeliveryState.FAILED}, OTHER: {DeliveryState.SENT}}
    assert {message["chat"]["id"] for message in await rig.messages()} == {7}
    assert len(rig.sim.calls("telegram", "sendMessage")) == 3
    assert '"isDisabled":true' in str(await rig.store.state.chat_settings(CHAT))


async def test_a_group_that_became_a_supergroup_is_followed(rig: Rig) -> None:
    await rig.http.put("/__sim__/telegram/chats", json={"moved": {"-100": -100200}})
    await rig.keep(1, 2)
    await rig.settle()
    assert [message["chat"]["id"] for message in await rig.messages()] == [-100200, -100200]
    assert len(rig.sim.calls("telegram", "sendMessage")) == 3


async def test_an_edit_survives_every_fault_and_the_message_stays_one(rig: Rig) -> None:
    await rig.keep(1)
    await rig.settle()
    faults = (FLOOD, MARKUP, refusal(503, "x"), fault("telegram", "hang", count=1))
    for revision, broken in enumerate(faults, start=2):
        rig.sim.break_with(broken)
        await rig.keep(1, revision=revision)
        rows = await rig.settle()
        assert rows[0].sent_revision == revision
    assert len(await rig.texts()) == 1
    assert REPEAT not in (await rig.texts())[0]


async def test_a_storm_with_floods_is_one_digest_per_chat(rig: Rig) -> None:
    rig.sim.break_with(FLOOD)
    await rig.keep(*range(1, 101), chats=(CHAT, OTHER))
    rows = await rig.settle()
    messages = await rig.messages()
    assert sorted(message["chat"]["id"] for message in messages) == [-100, 7]
    assert [digest_size(message["text"]) for message in messages] == [100, 100]
    assert {row.state for row in rows} == {DeliveryState.SENT}


async def test_a_bad_token_is_tried_once_and_loses_nothing(rig: Rig) -> None:
    rig.sim.break_with(refusal(401, "Unauthorized"))
    await rig.keep(1)
    for _ in range(400):
        if rig.service.status().stopped:
            break
        await asyncio.sleep(0.005)
    rig.clock.advance(3_600_000)
    await rig.keep(2)
    assert rig.service.status().stopped == {"telegram": "Unauthorized"}
    assert len(rig.sim.calls("telegram", "sendMessage")) == 1
    assert {row.state for row in await rig.rows()} == {DeliveryState.PENDING}
