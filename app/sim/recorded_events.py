"""Single liquidations, trades and funding settlements of a recorded folder, sorted by time.

Owns how recorded symbols and sides become ours: 1000PEPEUSDT becomes PEPE with its price divided by 1000,
BTC-USDT-SWAP becomes BTC; a liquidation without a side is skipped. Called by recorded only.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np

from app.core.domain.market import HOUR_MS
from app.core.domain.symbol import strip_multiplier
from app.sim.market import Coin, Floats, Int64s, LiquidationEvent, TradeEvent
from app.sim.recorded_files import DataFile, read_rows, spell_exchange
from app.sim.world_coins import MODELS

_SYMBOL = re.compile(r"([A-Z0-9]+?)(?:-?(?:USDT|USDC|USD))?(?:-SWAP)?")
_MULTIPLIERS = {"": 1, "1000": 1000, "10000": 10_000, "1M": 1_000_000, "1000000": 1_000_000}


@dataclass(frozen=True, slots=True)
class Pair:
    """A recorded symbol: its base coin and how many coins one unit is."""

    base: str
    multiplier: int


def parse_pair(symbol: str) -> Pair | None:
    """1000PEPEUSDT -> PEPE x1000; None for names outside A-Z and 0-9."""
    match = _SYMBOL.fullmatch(symbol)
    if match is None:
        return None
    base = strip_multiplier(match[1])
    return Pair(base, _MULTIPLIERS[match[1].removesuffix(base)])


def read_liquidations(files: Sequence[DataFile]) -> list[LiquidationEvent]:
    """Every forced order that names its side, by time. Price is the fill where recorded, else the order's."""
    return _by_time([event for file in files for event in _liquidations(file)])


def _liquidations(file: DataFile) -> Iterator[LiquidationEvent]:
    for row in read_rows(file.path, ("time_ms", "symbol", "liquidated", "price", "avg_price", "usd")):
        pair, side = parse_pair(row["symbol"]), row["liquidated"]
        price, usd = _number(row["avg_price"] or row["price"]), _number(row["usd"])
        if pair is not None and side in ("long", "short") and price > 0 and usd > 0:
            yield LiquidationEvent(
                _stamp(row, file), file.exchange, pair.base, side, price / pair.multiplier, usd
            )


def read_trades(files: Sequence[DataFile]) -> list[TradeEvent]:
    """Every recorded trade, by time. USD is price times quantity where the file has no such column."""
    return _by_time([trade for file in files for trade in _trades(file)])


def _trades(file: DataFile) -> Iterator[TradeEvent]:
    for row in read_rows(file.path, ("time_ms", "symbol", "price", "qty", "taker_side")):
        pair, taker, price = parse_pair(row["symbol"]), row["taker_side"], _number(row["price"])
        usd = _number(row["usd"]) if "usd" in row else price * _number(row["qty"])
        if pair is not None and taker in ("buy", "sell") and price > 0 and usd > 0:
            yield TradeEvent(_stamp(row, file), file.exchange, pair.base, price / pair.multiplier, usd, taker)


def read_funding(files: Sequence[DataFile]) -> dict[tuple[str, str], tuple[Int64s, Floats]]:
    """(exchange, base) -> settlement stamps and rates, FRACTION per period.

    Recorded stamps jitter by milliseconds around the hour; they are put back on it, first row wins.
    """
    rates: dict[tuple[str, str], dict[int, float]] = {}
    for file in files:
        for row in read_rows(file.path, ("time_ms", "exchange", "symbol", "funding_rate")):
            stamp = (_stamp(row, file) + HOUR_MS // 2) // HOUR_MS * HOUR_MS
            key = spell_exchange(row["exchange"]), row["symbol"]
            rates.setdefault(key, {}).setdefault(stamp, _rate(row, file))
    return {
        key: (np.array(sorted(held), np.int64), np.array([held[stamp] for stamp in sorted(held)]))
        for key, held in rates.items()
    }


def _stamp(row: dict[str, str], file: DataFile) -> int:
    try:
        return int(row["time_ms"])
    except ValueError as error:
        raise ValueError(f"{file.path.name}: {error}") from error


def _rate(row: dict[str, str], file: DataFile) -> float:
    try:
        return float(row["funding_rate"])
    except ValueError as error:
        raise ValueError(f"{file.path.name}: {error}") from error


def _number(text: str) -> float:
    """A finite number, or 0 for an empty or odd cell (such rows are skipped)."""
    try:
        value = float(text)
    except ValueError:
        return 0.0
    return value if math.isfinite(value) else 0.0


_Event = TypeVar("_Event", LiquidationEvent, TradeEvent)


def _by_time(events: list[_Event]) -> list[_Event]:
    return sorted(events, key=lambda event: event.ts_ms)


def list_coins(priced: Sequence[str], events: Sequence[LiquidationEvent]) -> tuple[Coin, ...]:
    """Coins with prices first, then those only seen in liquidations.

    Contract sizes of coins outside our table are 1 and their supply is 0 (unknown).
    """
    prices = {event.base: event.price_usd for event in events}
    seen = [*dict.fromkeys(priced), *sorted(set(prices) - set(priced))]
    return tuple(_coin(base, rank, prices.get(base, 1.0)) for rank, base in enumerate(seen, start=1))


def _coin(base: str, rank: int, price_usd: float) -> Coin:
    if base in MODELS:
        return replace(MODELS[base].coin, rank=rank)
    tick = float(f"1e{math.floor(math.log10(price_usd)) - 4}")
    return Coin(base, base, rank, 1.0, 1, 8, tick, 0.0)
