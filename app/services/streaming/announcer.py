"""What chats are told besides alerts: that the data feed went silent and came back, and scheduled summaries.

Owns since when no upstream stream is live, and when each chat had its last summary (kept in the store). Texts
are `core.alerting`'s, sending is the delivery's. Started by the worker that delivers.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from app.core.alerting.notices import FeedNotice, render_notice, summary_since_ms
from app.core.alerting.text import render_summary
from app.core.clock import Clock
from app.core.domain.alerts import Alert, AlertQuery, ChatSettings
from app.core.domain.flow import LinkState
from app.core.domain.flow_answer import StreamReport
from app.core.errors import StorageUnavailable
from app.core.store_ports import StateStore
from app.core.stream_ports import AlertStore, Message

EVERY_S = 5.0
# A reconnect takes seconds and is nobody's business; beyond this people would wait for alerts in vain.
SILENT_MS = 120_000
MAX_SUMMARY_ALERTS = 500
_PAGE = 100
_SCHEME = "telegram:"
_LIVE = (LinkState.LIVE, LinkState.STANDBY)


@dataclass(frozen=True, slots=True)
class AnnouncerParts:
    """reports: of every worker that has the upstream streams. tell: hands a message to the delivery."""

    reports: Callable[[], Awaitable[Sequence[StreamReport]]]
    chats: Callable[[], Sequence[ChatSettings]]
    tell: Callable[[str, Message], None]
    alerts: AlertStore
    state: StateStore
    clock: Clock
    data_mode: str
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep


class Announcer:
    """`run()` until cancelled."""

    def __init__(self, parts: AnnouncerParts) -> None:
        self._parts = parts
        self._silent_since_ms: int | None = None
        self._is_told = False
        self._summaries: dict[str, int] = {}

    async def run(self) -> None:
        while True:
            await self._parts.sleep(EVERY_S)
            await self.look()

    async def look(self) -> None:
        """Say what is due."""
        self._watch_feed(await self._parts.reports())
        for chat in self._people():
            try:
                await self._summarise(chat)
            except StorageUnavailable:
                return  # due again at the next look

    def _watch_feed(self, reports: Sequence[StreamReport]) -> None:
        now_ms = self._parts.clock.now_ms()
        links = [link for report in reports for link in report.links]
        if any(link.state in _LIVE for link in links):
            self._feed_is_back(now_ms)
        elif links:
            newest = [link.last_data_ms for link in links if link.last_data_ms is not None]
            if self._silent_since_ms is None:
                self._silent_since_ms = max(newest, default=now_ms)
            if not self._is_told and now_ms - self._silent_since_ms >= SILENT_MS:
                self._is_told = True
                self._announce(FeedNotice("stream", self._silent_since_ms, None))

    def _feed_is_back(self, now_ms: int) -> None:
        """Said only where the silence was: who was not told of it misses nothing."""
        if self._is_told and self._silent_since_ms is not None:
            self._announce(FeedNotice("stream", self._silent_since_ms, now_ms))
        self._silent_since_ms, self._is_told = None, False

    def _announce(self, notice: FeedNotice) -> None:
        parts, now_ms = self._parts, self._parts.clock.now_ms()
        for chat in self._people():
            text = render_notice(notice, chat.language, now_ms=now_ms, data_mode=parts.data_mode)
            parts.tell(chat.chat, text)

    def _people(self) -> list[ChatSettings]:
        return [
            chat for chat in self._parts.chats() if chat.chat.startswith(_SCHEME) and not chat.is_disabled
        ]

    async def _summarise(self, chat: ChatSettings) -> None:
        """Raises: StorageUnavailable."""
        parts, now_ms = self._parts, self._parts.clock.now_ms()
        if not chat.digest_every_min:
            return
        if chat.chat not in self._summaries:
            kept = await parts.state.get_state(_key(chat.chat))
            self._summaries[chat.chat] = int(kept) if kept else now_ms
        since_ms = summary_since_ms(chat, last_ms=self._summaries[chat.chat], now_ms=now_ms)
        if since_ms is None:
            return
        alerts = await self._told_since(chat, since_ms, now_ms)
        await parts.state.put_state(_key(chat.chat), str(now_ms))
        self._summaries[chat.chat] = now_ms
        parts.tell(
            chat.chat,
            render_summary(
                alerts, chat.language, since_ms=since_ms, now_ms=now_ms, data_mode=parts.data_mode
            ),
        )

    async def _told_since(self, chat: ChatSettings, since_ms: int, now_ms: int) -> list[Alert]:
        """Alerts of which this chat was told."""
        found: list[Alert] = []
        cursor: str | None = None
        while len(found) < MAX_SUMMARY_ALERTS:
            query = AlertQuery(is_kept=True, from_ms=since_ms, to_ms=now_ms, limit=_PAGE, cursor=cursor)
            page = await self._parts.alerts.page(query)
            found += [row.alert for row in page.rows if any(one.chat == chat.chat for one in row.deliveries)]
            cursor = page.cursor
            if cursor is None:
                break
        return found


def _key(chat: str) -> str:
    return f"summary:{chat}"
