"""One traded price per coin: of one exchange as long as it speaks, so that no spread between two is traded.

Pure. Ticks come before trades, because they come for every watched coin. Used by the pipeline for outcomes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from app.core.domain.flow import PriceTick, TradeEvent

# An exchange that says nothing of a coin for so long makes way for another.
SILENT_MS = 15_000
MAX_COINS = 5_000


class PriceChoice:
    """Remembers which exchange speaks for which coin."""

    def __init__(self) -> None:
        self._chosen: dict[str, tuple[str, int]] = {}

    def choose(
        self, ticks: Sequence[PriceTick], trades: Sequence[TradeEvent]
    ) -> Iterator[tuple[str, float, int]]:
        """(coin, price, event time) of the exchange that was chosen for it, in the order they came."""
        for tick in ticks:
            if self._speaks(tick.symbol, tick.exchange, tick.ts_event_ms):
                yield tick.symbol, tick.price, tick.ts_event_ms
        for trade in trades:
            if self._speaks(trade.symbol, trade.exchange, trade.ts_event_ms):
                yield trade.symbol, trade.price, trade.ts_event_ms

    def _speaks(self, symbol: str, exchange: str, at_ms: int) -> bool:
        chosen = self._chosen.get(symbol)
        if chosen is not None and chosen[0] != exchange and at_ms - chosen[1] < SILENT_MS:
            return False
        if chosen is None and len(self._chosen) >= MAX_COINS:
            self._chosen.clear()
        self._chosen[symbol] = (exchange, at_ms if chosen is None else max(at_ms, chosen[1]))
        return True
