"""A bot between a conversation and the simulated Bot API, over loopback; waiting costs stepped time only."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx2

from app.core.alerting.bot_texts import menus
from app.core.chat_ports import Conversation, Reply
from app.core.domain.alerts import Language
from app.core.stream_ports import Message
from app.services.telegram.bot import BotConfig, TelegramBot
from app.services.transport.connection import tls_context
from tests.live_rig import LiveSim, RigClock, live_simulator

TOKEN = "1:canary-token"
SECRET = "canary_webhook_secret"
CHAT_ID = -1001
CHAT = f"telegram:{CHAT_ID}"


@dataclass(slots=True)
class Echo:
    """A conversation that repeats what it was told; `allowed` may ask."""

    allowed: frozenset[str] = frozenset({CHAT, "telegram:42", "telegram:@channel"})
    heard: list[tuple[str, str, bool]] = field(default_factory=list)
    gone: list[str] = field(default_factory=list)
    say: Callable[[str], Reply] = lambda text: Reply((Message(text, text),), "noted")
    gate: asyncio.Event | None = None

    def knows(self, chat: str) -> bool:
        return chat in self.allowed

    async def answer(self, chat: str, text: str, *, is_callback: bool = False) -> Reply:
        self.heard.append((chat, text, is_callback))
        if self.gate is not None:
            await self.gate.wait()
        return self.say(text)

    async def refused(self, chat: str) -> None:
        self.gone.append(chat)


@dataclass(slots=True)
class BotRig:
    """One bot, running or not, with the server it talks to. slept: seconds it wanted to wait."""

    bot: TelegramBot
    sim: LiveSim
    clock: RigClock
    client: httpx2.AsyncClient
    slept: list[float]
    task: asyncio.Task[None] | None = None

    def start(self) -> None:
        self.task = asyncio.create_task(self.bot.run())

    async def stop(self) -> None:
        if self.task is not None:
            self.task.cancel()
            await asyncio.gather(self.task, return_exceptions=True)

    async def write(self, text: str, chat_id: int = CHAT_ID, **chat: Any) -> dict[str, Any]:
        """A user writes `text`; the update as it was queued."""
        return await self.push({"message": {"message_id": 1, "chat": {"id": chat_id, **chat}, "text": text}})

    async def press(self, data: str, chat_id: int = CHAT_ID) -> dict[str, Any]:
        message = {"message_id": 1, "chat": {"id": chat_id}}
        return await self.push({"callback_query": {"id": "77", "message": message, "data": data}})

    async def push(self, update: dict[str, Any]) -> dict[str, Any]:
        answer = await self.client.post("/__sim__/telegram/updates", json=update)
        pushed: dict[str, Any] = answer.json()
        return pushed

    async def texts(self) -> list[str]:
        """What stands in the chats, oldest first."""
        listed = (await self.client.get("/__sim__/telegram/messages")).json()["messages"]
        return [message.get("text", message.get("caption")) for message in listed]

    async def server(self) -> dict[str, Any]:
        """Webhook, menus and notices as the server has them."""
        state: dict[str, Any] = (await self.client.get("/__sim__/telegram/bot")).json()
        return state

    async def pending(self) -> list[dict[str, Any]]:
        """Updates that nobody has confirmed."""
        found: list[dict[str, Any]] = (await self.method("getUpdates")).json()["result"]
        return found

    async def method(self, name: str, **params: Any) -> Any:
        return await self.client.post(f"/telegram/bot{TOKEN}/{name}", json=params)

    async def until(self, holds: Callable[[], bool]) -> None:
        async with asyncio.timeout(10):
            while not holds():  # noqa: ASYNC110 - a server over loopback sets no event here
                await asyncio.sleep(0.005)

    async def sent(self, count: int) -> list[str]:
        """The chats' texts once there are `count`."""
        await self.until(lambda: self.bot.status().answers >= count)
        return await self.texts()


@asynccontextmanager
async def bot_rig(
    conversation: Conversation,
    *,
    token: str = TOKEN,
    webhook_url: str | None = None,
    poll_s: int = 20,
    starts: bool = True,
    **more: Any,
) -> AsyncIterator[BotRig]:
    """A bot on a fresh simulator; by webhook where an address is given."""
    clock, slept = RigClock(), []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)
        clock.advance(int(seconds * 1000) + 1)
        await asyncio.sleep(0.001)

    async with (
        live_simulator(clock) as sim,
        httpx2.AsyncClient(base_url=sim.url, verify=tls_context(), timeout=30) as client,
    ):
        bot = TelegramBot(
            BotConfig(
                mode="webhook" if webhook_url else "polling",
                base_url=f"{sim.url}/telegram",
                menus=menus(Language.EN),
                webhook_url=webhook_url,
                poll_s=poll_s,
            ),
            token=token,
            conversation=conversation,
            now_ms=clock.now_ms,
            monotonic=clock.monotonic_s,
            webhook_secret=SECRET,
            sleep=sleep,
            seed=1,
            **more,
        )
        rig = BotRig(bot, sim, clock, client, slept)
        if starts:
            rig.start()
        try:
            yield rig
        finally:
            await rig.stop()
