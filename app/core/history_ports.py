"""What the backfill needs from providers: their histories, page by page, as the store keeps them.

Adapters implement `HistoryProvider`; the command wires them into `services.backfill_service`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Protocol, TypeAlias

from app.core.domain.market import bar_length_ms
from app.core.domain.stored import BarRow, RatioScope, SeriesName
from app.core.domain.symbol import Symbol

# (coin, bar size, from_ms, to_ms) -> closed bars that close in [from_ms, to_ms), oldest first.
FetchHistory: TypeAlias = Callable[[Symbol, str, int, int], Awaitable[tuple[BarRow, ...]]]


@dataclass(frozen=True, slots=True)
class HistorySource:
    """One history of one provider.

    exchange: whose bars; None when it depends on the coin (the rows say it). scope: of long/short ratios.
    intervals: bar sizes it can be asked for; empty when it has a rhythm of its own (funding settlements).
    rhythm: then the bar sizes its rows come in. page_bars: bars one `fetch` may span, of the longest rhythm.
    max_days: how far back a bar size reaches, None for all of it or unknown.
    fetch: one page. Empty when there is nothing in it. Raises `ProviderError`; `ProviderPlanLimited` and
    `ProviderNoData` (coin not listed) are states of the source, not faults.
    """

    series: SeriesName
    provider: str
    exchange: str | None
    scope: RatioScope | None
    intervals: frozenset[str]
    rhythm: tuple[str, ...]
    page_bars: int
    max_days: Callable[[str], int | None]
    fetch: FetchHistory

    @property
    def name(self) -> str:
        """The series with its scope: `long-short.top_account`."""
        return self.series.value if self.scope is None else f"{self.series.value}.{self.scope.value}"

    def page_ms(self, interval: str) -> int:
        """How much time one page spans."""
        lengths = [bar_length_ms(name) for name in self.rhythm or (interval,)]
        return self.page_bars * max(lengths)


class HistoryProvider(Protocol):
    """A provider that can be asked for the past."""

    name: str

    def histories(self) -> tuple[HistorySource, ...]:
        """What it has; empty when it is not configured."""
        ...

    def known_bases(self) -> frozenset[str]:
        """Coins it lists; empty while unknown."""
        ...

    async def start(self) -> None: ...
    async def close(self) -> None: ...
