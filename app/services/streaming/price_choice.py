"""One traded price per coin out of all that frames bring: those that `core.flow.price_voice` believes.

Pure. Ticks come before trades, because they come for every watched coin. Used by the pipeline for outcomes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from app.core.domain.flow import PriceTick, TradeEvent
from app.core.flow.price_voice import PriceVoice

MAX_COINS = 5_000


class PriceChoice:
    """Remembers which exchange speaks for which coin."""

    def __init__(self) -> None:
        self._voices: dict[str, PriceVoice] = {}

    def choose(
        self, ticks: Sequence[PriceTick], trades: Sequence[TradeEvent]
    ) -> Iterator[tuple[str, float, int]]:
        """(coin, price, event time) of the exchange that was chosen for it, in the order they came."""
        for tick in ticks:
            if self._voice(tick.symbol).believes(tick.exchange, tick.price, tick.ts_event_ms):
                yield tick.symbol, tick.price, tick.ts_event_ms
        for trade in trades:
            if self._voice(trade.symbol).believes(trade.exchange, trade.price, trade.ts_event_ms):
                yield trade.symbol, trade.price, trade.ts_event_ms

    def _voice(self, symbol: str) -> PriceVoice:
        voice = self._voices.get(symbol)
        if voice is None:
            if len(self._voices) >= MAX_COINS:
                self._voices.clear()
            voice = self._voices[symbol] = PriceVoice()
        return voice
