"""Polls large positions: keeps the whale book for every process, and finds what was opened or closed anew.

Owns what was told already. Called by `poller`, once in a round.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol, TypeVar

from app.core.clock import Clock
from app.core.domain.derivatives import CoinMarket, WhaleAlert, WhalePosition
from app.core.domain.flow import Finding
from app.core.domain.flow_answer import WhaleBook
from app.core.domain.flow_config import FlowConfig
from app.core.domain.quality import Missing, Reading
from app.core.domain.views import Parts, View, ViewQuery
from app.core.flow.polled import detect_whales, whale_id
from app.core.stream_ports import WarmCache
from app.services.streaming.whale_shelf import WhaleShelf

MAX_KNOWN = 5_000
T = TypeVar("T")


class Views(Protocol):
    async def parts(self, views: Sequence[View], query: ViewQuery) -> Parts: ...


class WhaleWatch:
    """One for the service: whales of every coin come in one answer."""

    def __init__(
        self,
        *,
        upstream: Views,
        warm: WarmCache,
        config: FlowConfig,
        price_of: Callable[[str], Awaitable[float | None]],
        clock: Clock,
        max_age_ms: int,
    ) -> None:
        """price_of: a price of a coin that is young, None without one. max_age_ms: older is no news."""
        self._upstream = upstream
        self._shelf = WhaleShelf(warm)
        self._config = config
        self._price_of = price_of
        self._clock = clock
        self._max_age_ms = max_age_ms
        self._book = WhaleBook()
        self._known: OrderedDict[str, None] = OrderedDict()

    async def refresh(self) -> bool:
        """Ask once and put the book there; whether the alerts were answered."""
        parts = await self._upstream.parts([View.WHALE_ALERTS, View.WHALE_POSITIONS], ViewQuery())
        alerts, positions = parts[View.WHALE_ALERTS].found, parts[View.WHALE_POSITIONS].found
        self._book = _next_book(self._book, alerts, positions)
        await self._shelf.put(self._book)
        return isinstance(alerts, Reading)

    def notes(self) -> tuple[str, ...]:
        """Why whales are not known just now, at most one sentence for each list."""
        whys = {self._book.alerts_why, self._book.positions_why} - {""}
        return tuple(f"whales: {why}" for why in sorted(whys))

    async def news(self) -> list[Finding]:
        """What the book has that was not told yet, oldest first."""
        since_ms = self._clock.now_ms() - self._max_age_ms
        news = [
            alert
            for alert in self._book.alerts
            if alert.ts_event_ms > since_ms and whale_id(alert) not in self._known
        ]
        for alert in news:
            self._known[whale_id(alert)] = None
        while len(self._known) > MAX_KNOWN:
            self._known.popitem(last=False)
        return detect_whales(news, self._config, await self._prices(news), since_ms=since_ms)

    async def _prices(self, news: Sequence[WhaleAlert]) -> dict[str, float]:
        coins = sorted({alert.base for alert in news})
        found = {coin: await self._price_of(coin) for coin in coins}
        known = {coin: price for coin, price in found.items() if price is not None}
        if len(known) == len(coins):
            return known
        # One list has every coin, where the plan has the list.
        listed = (await self._upstream.parts([View.ALL_MARKETS], ViewQuery()))[View.ALL_MARKETS].found
        return {market.base: market.price.price_usd for market in _rows(listed, CoinMarket)} | known


def _next_book(
    known: WhaleBook, alerts: Reading[object] | Missing, positions: Reading[object] | Missing
) -> WhaleBook:
    """What failed keeps the rows it had, with the time they were asked for, and says why."""
    has_alerts, has_positions = isinstance(alerts, Reading), isinstance(positions, Reading)
    return WhaleBook(
        alerts=_rows(alerts, WhaleAlert) if has_alerts else known.alerts,
        alerts_ms=alerts.ts_init_ms if isinstance(alerts, Reading) else known.alerts_ms,
        alerts_why=alerts.detail if isinstance(alerts, Missing) else "",
        positions=_rows(positions, WhalePosition) if has_positions else known.positions,
        positions_ms=positions.ts_init_ms if isinstance(positions, Reading) else known.positions_ms,
        positions_why=positions.detail if isinstance(positions, Missing) else "",
        provider=alerts.provider if isinstance(alerts, Reading) else known.provider,
    )


def _rows(found: Reading[object] | Missing, kind: type[T]) -> tuple[T, ...]:
    rows = found.value if isinstance(found, Reading) and isinstance(found.value, tuple) else ()
    return tuple(row for row in rows if isinstance(row, kind))
