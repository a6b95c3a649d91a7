"""Events that a test or a demonstration puts into the streams, beside or instead of the market's own.

Installed by `POST /__sim__/events`, read by the stream connections only: histories know nothing of them. What
is scripted is sent once, when it arrives; its event time may lie before that (late, replayed, skewed).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from app.sim.market import LiquidationEvent, MarketSource, TradeEvent

_KEPT = 200_000


@dataclass(slots=True)
class Script:
    """The events in force. is_alone: the market's own liquidations and trades are silent."""

    is_alone: bool = False
    liquidations: deque[tuple[int, LiquidationEvent]] = field(default_factory=lambda: deque(maxlen=_KEPT))
    trades: deque[tuple[int, TradeEvent]] = field(default_factory=lambda: deque(maxlen=_KEPT))
    prices: dict[str, float] = field(default_factory=dict)

    def add(self, body: Mapping[str, Any], now_ms: int) -> None:
        """Take `{"alone": bool, "liquidations": [...], "trades": [...], "prices": {"BTC": 96200}}`.

        Rows have the fields of `LiquidationEvent` and `TradeEvent`; `ts_ms` may be left out (now), `in_ms`
        says how much later than now the row arrives.

        Raises:
            KeyError, TypeError, ValueError: a row that is none.
        """
        self.is_alone = bool(body.get("alone", self.is_alone))
        for row in body.get("liquidations", ()):
            arrives_ms, fields = _row(row, now_ms)
            self.liquidations.append((arrives_ms, LiquidationEvent(**fields)))
        for row in body.get("trades", ()):
            arrives_ms, fields = _row(row, now_ms)
            self.trades.append((arrives_ms, TradeEvent(**fields)))
        self.prices.update({str(base): float(price) for base, price in body.get("prices", {}).items()})

    def clear(self) -> None:
        self.is_alone = False
        self.liquidations.clear()
        self.trades.clear()
        self.prices.clear()

    def over(self, market: MarketSource) -> MarketSource:
        """The market as the streams see it."""
        is_empty = not (self.is_alone or self.liquidations or self.trades or self.prices)
        return market if is_empty else _Scripted(market, self)


def _row(row: Mapping[str, Any], now_ms: int) -> tuple[int, dict[str, Any]]:
    fields = dict(row)
    arrives_ms = now_ms + int(fields.pop("in_ms", 0))
    fields.setdefault("ts_ms", arrives_ms)
    if not float(fields["usd"]) > 0 or not float(fields["price_usd"]) > 0:
        raise ValueError("usd and price_usd must be above zero")
    return arrives_ms, fields


class _Scripted:
    """A market with scripted events over it; all else is the market's own."""

    def __init__(self, market: MarketSource, script: Script) -> None:
        self._market = market
        self._script = script

    def __getattr__(self, name: str) -> Any:
        return getattr(self._market, name)

    def last_price(self, base: str) -> tuple[float, int] | None:
        price = self._script.prices.get(base)
        return self._market.last_price(base) if price is None else (price, self._market.now_ms())

    def liquidation_events(
        self, start_ms: int, end_ms: int, base: str | None = None
    ) -> list[LiquidationEvent]:
        own = [] if self._script.is_alone else self._market.liquidation_events(start_ms, end_ms, base)
        return own + [
            event
            for at_ms, event in self._script.liquidations
            if start_ms <= at_ms < end_ms and base in (None, event.base)
        ]

    def trade_events(self, base: str, start_ms: int, end_ms: int) -> list[TradeEvent]:
        own = [] if self._script.is_alone else self._market.trade_events(base, start_ms, end_ms)
        return own + [
            event for at_ms, event in self._script.trades if start_ms <= at_ms < end_ms and event.base == base
        ]
