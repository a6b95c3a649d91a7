"""Liquidations, trades and prices for tests of the flow, and what a mirror makes of a finding."""

from __future__ import annotations

import random
from collections.abc import Iterable
from dataclasses import replace
from itertools import count

from app.core.domain.flow import (
    Finding,
    LiquidationEvent,
    PriceTick,
    StreamFrame,
    StreamGap,
    TradeEvent,
    TradeLevels,
)
from app.core.domain.flow_config import FlowConfig
from app.core.domain.signal import Direction
from app.core.domain.stored import LiquidatedSide, LiquidationRow
from app.core.flow.engine import FlowEngine

T = 1_764_000_000_000  # a whole minute
CONFIG = FlowConfig()
LEVEL = 60_000.0  # prices are mirrored around it

_numbers = count()
_OTHER = {"LONG": "SHORT", "SHORT": "LONG"}


def row(
    side: str, usd: float, at_s: float, *, symbol: str = "BTC", price: float = LEVEL, late_s: float = 0.2
) -> LiquidationRow:
    """One liquidation `at_s` seconds after T, known `late_s` later."""
    ts_ms = T + round(at_s * 1000)
    facts = ("coinglass", "Binance", f"{symbol}USDT", side, price, usd, usd / price, 0)
    return LiquidationRow(symbol, ts_ms, next(_numbers), *facts, ts_ms + round(late_s * 1000))


def event(
    side: str = "LONG", usd: float = 500.0, at_s: float = 0.0, *, pair: str = "BTCUSDT", price: float = LEVEL
) -> LiquidationEvent:
    ts_ms = T + round(at_s * 1000)
    return LiquidationEvent("BTC", "Binance", pair, side, price, usd, usd / price, ts_ms)


def frame(
    *events: LiquidationEvent, at_s: float = 60.0, gap_s: float | None = None, source: str = "coinglass"
) -> StreamFrame:
    """Arrived `at_s` after T; gap_s: the connection had been lost since then."""
    now_ms = T + round(at_s * 1000)
    gap = None if gap_s is None else StreamGap(source, T + round(gap_s * 1000), now_ms, "drop")
    return StreamFrame(source, now_ms, liquidations=events, gap=gap)


def tick(price: float, at_s: float, symbol: str = "BTC") -> PriceTick:
    return PriceTick(symbol, "Binance", price, T + round(at_s * 1000))


def trade(is_buy: bool, usd: float, at_s: float, *, price: float = LEVEL, symbol: str = "BTC") -> TradeEvent:
    return TradeEvent(symbol, "Binance", f"{symbol}USDT", is_buy, price, usd, T + round(at_s * 1000))


def random_rows(
    seed: int, number: int, *, span_s: int, symbols: tuple[str, ...] = ("BTC", "PEPE")
) -> list[LiquidationRow]:
    """In order of time."""
    draw = random.Random(seed)
    times = sorted(draw.uniform(0, span_s) for _ in range(number))
    return [
        row(
            draw.choice(("LONG", "SHORT")),
            round(draw.lognormvariate(6, 2), 3),
            at,
            symbol=draw.choice(symbols),
            price=round(draw.uniform(59_000, 61_000), 1),
        )
        for at in times
    ]


def shuffled(rows: list[LiquidationRow], seed: int, within_s: float = 5.0) -> list[LiquidationRow]:
    """As they arrive when each is late by up to `within_s`."""
    draw = random.Random(seed)
    return sorted(rows, key=lambda one: one.ts_event_ms + draw.uniform(0, within_s * 1000))


def feed(engine: FlowEngine, *rows: LiquidationRow) -> list[Finding]:
    """Each row as a frame of its own."""
    return [found for one in rows for found in engine.on_liquidations((one,), one.ts_init_ms)]


class Play:
    """A story told to an engine, as it is or in the mirror: sides swapped, prices mirrored around LEVEL."""

    def __init__(self, *, is_mirrored: bool = False, symbol: str = "BTC") -> None:
        self.engine = FlowEngine(CONFIG)
        self.found: list[Finding] = []
        self._is_mirrored = is_mirrored
        self._symbol = symbol

    def _price(self, price: float) -> float:
        return 2 * LEVEL - price if self._is_mirrored else price

    def liquidate(
        self, side: str, usd: float, at_s: float, price: float = LEVEL, *, late_s: float = 0.2
    ) -> list[Finding]:
        side = _OTHER[side] if self._is_mirrored else side
        one = row(side, usd, at_s, price=self._price(price), symbol=self._symbol, late_s=late_s)
        return self._keep(self.engine.on_liquidations((one,), one.ts_init_ms))

    def tick(self, price: float, at_s: float) -> list[Finding]:
        now_ms = T + round(at_s * 1000) + 200
        return self._keep(self.engine.on_ticks((tick(self._price(price), at_s, self._symbol),), now_ms))

    def trade(self, is_buy: bool, usd: float, at_s: float, price: float = LEVEL) -> list[Finding]:
        one = trade(is_buy != self._is_mirrored, usd, at_s, price=self._price(price), symbol=self._symbol)
        return self._keep(self.engine.on_trades((one,), one.ts_event_ms + 200))

    def pass_time(self, at_s: float) -> list[Finding]:
        """Event time is `at_s` after T."""
        return self._keep(self.engine.advance(T + round(at_s * 1000) + 200))

    def market(self, atr: float, below: Iterable[float], above: Iterable[float]) -> None:
        lower, upper = ([self._price(price) for price in prices] for prices in (below, above))
        if self._is_mirrored:
            lower, upper = upper, lower
        self.engine.note_market(self._symbol, atr=atr, below=lower, above=upper)

    def _keep(self, found: list[Finding]) -> list[Finding]:
        self.found += found
        return found


_MIRRORED_EVIDENCE = {
    "long_usd": "short_usd",
    "short_usd": "long_usd",
    "range_low": "range_high",
    "range_high": "range_low",
    "venue_low_usd": "venue_high_usd",
    "venue_high_usd": "venue_low_usd",
    "buy_usd": "sell_usd",
    "sell_usd": "buy_usd",
    "large_buys": "large_sells",
    "large_sells": "large_buys",
}
_MIRRORED_KINDS = {
    "ACCUMULATION": "DISTRIBUTION",
    "DISTRIBUTION": "ACCUMULATION",
    "WHALE_ACCUMULATION": "WHALE_DISTRIBUTION",
    "WHALE_DISTRIBUTION": "WHALE_ACCUMULATION",
}
_PRICES = {"range_low", "range_high", "sweep_extreme", "venue_low_usd", "venue_high_usd"}


def mirrored(finding: Finding) -> Finding:
    """The same finding as the mirror shows it; evidence in order of names."""
    opposite = {Direction.LONG: Direction.SHORT, Direction.SHORT: Direction.LONG}
    kind = type(finding.kind)(_MIRRORED_KINDS.get(finding.kind, finding.kind))
    side = None if finding.side is None else LiquidatedSide(_OTHER[finding.side])
    episode = finding.episode.replace(f"{finding.kind}:", f"{kind}:")
    if finding.side is not None and side is not None:
        episode = episode.replace(f":{finding.side}:", f":{side}:")
    levels = finding.levels
    direction = opposite.get(finding.direction, finding.direction)
    return replace(
        finding,
        kind=kind,
        direction=direction,
        burst=finding.burst.replace(f":trades:{finding.direction}", f":trades:{direction}"),
        side=side,
        episode=episode,
        price=None if finding.price is None else 2 * LEVEL - finding.price,
        levels=None
        if levels is None
        else TradeLevels(
            2 * LEVEL - levels.entry,
            2 * LEVEL - levels.stop,
            tuple(2 * LEVEL - target for target in levels.targets),
        ),
        evidence=tuple(sorted(_mirrored_number(name, value) for name, value in finding.evidence)),
    )


def _mirrored_number(name: str, value: float) -> tuple[str, float]:
    value = 2 * LEVEL - value if name in _PRICES else 1 - value if name == "buy_share_frac" else value
    return _MIRRORED_EVIDENCE.get(name, name), value


def ordered(finding: Finding) -> Finding:
    return replace(finding, evidence=tuple(sorted(finding.evidence)))
