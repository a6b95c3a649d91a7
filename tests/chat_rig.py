"""A conversation for tests: the real service on the simulated market, or settings alone on a store.

Chats are configured as a deployment would; time is the test's.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, cast

from app.bootstrap_base import build_base
from app.bootstrap_use_cases import build_use_cases
from app.core.chat_ports import Inquiries, Reply, ServiceReport
from app.core.clock import Clock
from app.core.domain.alerts import ChatSettings, Language
from app.core.domain.context import DataMode
from app.core.domain.status import ReadyReport, ReadyStatus
from app.core.domain.symbol import Symbol, resolve_symbol
from app.services.chat_book import ChatBook
from app.services.chat_service import ChatService
from app.services.storage.store import SqlStore
from app.settings import load_settings
from app.simulator_child import provider_settings
from tests.live_rig import RigClock, forget_logging, live_simulator
from tests.watch_facts import MemoryCoins, make_watchlist

CHAT = "telegram:-1001"
OTHER = "telegram:42"
FOREIGN = "telegram:666"
KNOWN = frozenset({"BTC", "ETH", "SOL", "PEPE", "DOGE"})


@dataclass(slots=True)
class MemoryStore(MemoryCoins):
    """A settings store that can go away."""

    rows: dict[str, str] = field(default_factory=dict)
    state: dict[str, str] = field(default_factory=dict)

    async def chat_settings(self, chat: str) -> str | None:
        self._ask()
        return self.rows.get(chat)

    async def put_chat_settings(self, chat: str, settings: str) -> None:
        self._ask()
        self.rows[chat] = settings

    async def get_state(self, key: str) -> str | None:
        self._ask()
        return self.state.get(key)

    async def put_state(self, key: str, value: str) -> None:
        self._ask()
        self.state[key] = value


class _Resolving:
    """The one thing that settings need of the market: which coins there are."""

    def resolve(self, text: str) -> Symbol:
        return resolve_symbol(text, KNOWN)


def make_book(store: Any, *chats: ChatSettings) -> ChatBook:
    defaults = chats or (ChatSettings(CHAT), ChatSettings(OTHER, language=Language.ID))
    return ChatBook(defaults=defaults, watchlist=make_watchlist(store), store=store)


def make_chat(book: ChatBook, clock: Clock, inquiries: Any = None, **more: Any) -> ChatService:
    """A conversation of which only what `inquiries` has can be asked; by default settings alone."""
    if inquiries is None:
        nothing = cast(Any, None)
        inquiries = Inquiries(cast(Any, _Resolving()), nothing, nothing, nothing, nothing)
    given: dict[str, Any] = {"report": report, "data_mode": DataMode.DEMO, "clock": clock}
    return ChatService(book=book, inquiries=inquiries, **(given | more))


async def report() -> ServiceReport:
    return ServiceReport(ReadyReport(ReadyStatus.OK, True, DataMode.DEMO, (), ()))


@dataclass(slots=True)
class LiveChat:
    """The whole service behind a conversation."""

    chat: ChatService
    book: ChatBook
    store: SqlStore

    async def say(self, text: str, chat: str = CHAT, **more: Any) -> str:
        """The answer's plain text, which must be one message."""
        reply: Reply = await self.chat.answer(chat, text, **more)
        assert len(reply.messages) == 1, reply
        return reply.messages[0].plain


@asynccontextmanager
async def live_chat(
    url: str, settings: Mapping[str, str] | None = None, **inquiries: Any
) -> AsyncIterator[LiveChat]:
    """A conversation over the use cases of a whole process on the simulated market."""
    clock = RigClock()

    async def leap(seconds: float) -> None:
        clock.advance(int(seconds * 1000) + 1)
        await asyncio.sleep(0)

    given = {"DATA_MODE": "demo", "LOG_LEVEL": "WARNING", "PLANNER": "off", "DATABASE_URL": url}
    given |= {"HOURLY_EVALUATIONS": "off"}
    async with live_simulator(clock) as sim:
        given |= provider_settings(sim.url) | dict(settings or {})
        base = build_base(load_settings(given), clock=clock, sleep=leap)
        use_cases = build_use_cases(base)
        api = use_cases.api
        async with base.running(), use_cases.running():
            await base.store.opened()
            await base.providers_started.wait()
            asked = Inquiries(
                api.signals, api.market, api.derivatives, api.liquidity, api.heatmap, **inquiries
            )
            book = make_book(base.store.state)
            await book.load()

            async def ready() -> ServiceReport:
                return ServiceReport(await api.health.ready())

            yield LiveChat(make_chat(book, clock, asked, report=ready), book, base.store)
    forget_logging()
