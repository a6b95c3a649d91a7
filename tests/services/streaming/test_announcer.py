"""Chats hear that the feed is gone and back, and their summaries; each once, in their language."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from app.core.clock import ManualClock
from app.core.domain.alerts import AlertQuery, ChatSettings, Language, StoredAlert
from app.core.domain.flow import LinkState, LinkStatus
from app.core.domain.flow_answer import StreamReport
from app.core.domain.stored import Page
from app.core.stream_ports import Message
from app.services.streaming.announcer import SILENT_MS, Announcer, AnnouncerParts
from tests.alert_facts import CHAT, NOW_MS, alert, stored
from tests.alert_facts import chat as chat_of
from tests.memory_store import MemoryStore

HOUR_MIN = 60


class Alerts:
    """One page of alerts."""

    def __init__(self) -> None:
        self.rows: tuple[StoredAlert, ...] = ()
        self.asked: list[AlertQuery] = []

    async def page(self, query: AlertQuery) -> Page[StoredAlert]:
        self.asked.append(query)
        return Page(self.rows, None)


class Rig:
    def __init__(self, *chats: ChatSettings) -> None:
        self.clock = ManualClock(NOW_MS + 1)
        self.state = LinkState.LIVE
        self.alerts = Alerts()
        self.store = MemoryStore()
        self.told: list[tuple[str, Message]] = []
        self.chats = chats or (chat_of(),)
        self.newest_ms = NOW_MS

    def announcer(self) -> Announcer:
        return Announcer(
            AnnouncerParts(
                reports=self.reports,
                chats=lambda: self.chats,
                tell=lambda chat, message: self.told.append((chat, message)),
                alerts=self.alerts,  # type: ignore[arg-type]
                state=self.store,  # type: ignore[arg-type]
                clock=self.clock,
                data_mode="demo",
            )
        )

    async def reports(self) -> Sequence[StreamReport]:
        link = LinkStatus("coinglass", self.state, "", NOW_MS, self.newest_ms, 1, 1, {}, 0, 0)
        return [StreamReport("all-1", NOW_MS, (link,), None, (), None, ())]


async def test_a_short_silence_is_nobody_s_business() -> None:
    rig = Rig()
    announcer = rig.announcer()
    rig.state = LinkState.CONNECTING
    await announcer.look()
    rig.clock.tick(SILENT_MS / 1000 - 5)
    await announcer.look()
    rig.state = LinkState.LIVE
    await announcer.look()
    assert rig.told == []


async def test_a_long_silence_is_told_once_and_so_is_its_end_with_its_length() -> None:
    rig = Rig(chat_of(), chat_of("telegram:7", language=Language.ID), chat_of("webhook"))
    announcer = rig.announcer()
    rig.state = LinkState.SILENT
    for _ in range(4):
        await announcer.look()
        rig.clock.tick(SILENT_MS / 1000)
    assert [chat for chat, _ in rig.told] == [CHAT, "telegram:7"]  # a system counts for itself
    rig.state = LinkState.LIVE
    await announcer.look()
    await announcer.look()
    assert [chat for chat, _ in rig.told] == [CHAT, "telegram:7"] * 2
    english, indonesian = (message.plain for _, message in rig.told[2:])
    assert "8 min" in english
    assert english.startswith("[DEMO]")
    assert english != indonesian


async def test_a_closed_chat_is_told_nothing() -> None:
    rig = Rig(chat_of(is_disabled=True, digest_every_min=HOUR_MIN))
    announcer = rig.announcer()
    rig.state = LinkState.SILENT
    for _ in range(3):
        await announcer.look()
        rig.clock.tick(7200)
    assert rig.told == []


async def test_a_summary_comes_on_the_hour_with_what_this_chat_was_told() -> None:
    rig = Rig(chat_of(digest_every_min=HOUR_MIN))
    announcer = rig.announcer()
    await announcer.look()
    assert rig.told == []  # nothing is due in the hour in which it was switched on
    mine = alert(symbol="BTC", started_ms=NOW_MS, ts_event_ms=NOW_MS)
    others = replace(mine, id="b" * 16, symbol="DOGE")
    rig.alerts.rows = (told_to(CHAT, mine), told_to("telegram:7", others))
    rig.clock.tick(3600)
    await announcer.look()
    await announcer.look()
    ((chat, message),) = rig.told
    assert chat == CHAT
    assert "BTC" in message.plain
    assert "DOGE" not in message.plain
    assert message.is_silent


async def test_a_restart_neither_repeats_a_summary_nor_forgets_one() -> None:
    rig = Rig(chat_of(digest_every_min=HOUR_MIN))
    await rig.announcer().look()
    rig.clock.tick(3600)
    first = rig.announcer()
    await first.look()
    # Switched on in memory only, the first start knew no time of a summary; from the second on it is kept.
    before = len(rig.told)
    rig.clock.tick(3600)
    await first.look()
    assert len(rig.told) == before + 1
    again = rig.announcer()
    await again.look()
    assert len(rig.told) == before + 1
    rig.clock.tick(3600)
    await again.look()
    assert len(rig.told) == before + 2


def told_to(chat: str, one: object) -> StoredAlert:
    from app.core.domain.alerts import GateVerdict

    return stored(GateVerdict(one, None, (chat,), {}))  # type: ignore[arg-type]
