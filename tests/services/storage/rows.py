"""Rows of our own making, seeded, and waiting for the store's tasks."""

from __future__ import annotations

import asyncio
import math
import random
from collections.abc import Callable, Sequence

from app.core.domain.stored import CandleRow, LiquidationRow, OpenInterestRow
from app.core.flow.ids import liquidation_id
from app.core.heatmap.buckets import bucket_of

T0_MS = 1_764_892_800_000  # 2025-12-05T00:00Z
NOW_MS = T0_MS + 30 * 86_400_000  # the time of stores that hold such rows


def liquidation(
    *,
    symbol: str = "BTC",
    ts_event_ms: int = T0_MS,
    side: str = "LONG",
    price: float = 100_000.0,
    usd: float = 1_000.0,
    nth: int = 0,
    extras: str | None = None,
) -> LiquidationRow:
    pair = f"{symbol}USDT"
    return LiquidationRow(
        symbol=symbol,
        ts_event_ms=ts_event_ms,
        id=liquidation_id("test", "Binance", pair, ts_event_ms, side, price, usd, nth),
        source="test",
        exchange="Binance",
        pair=pair,
        liquidated_side=side,
        price=price,
        usd=usd,
        base=usd / price,
        bucket=bucket_of(price),
        ts_init_ms=ts_event_ms + 150,
        extras=extras,
    )


def liquidations(
    count: int, *, seed: int = 1, symbols: Sequence[str] = ("BTC", "ETH", "PEPE"), spread_ms: int = 400
) -> list[LiquidationRow]:
    """Events in order of time whose prices walk, both sides, sizes over four decades."""
    draw = random.Random(seed)
    prices = dict(zip(symbols, (100_000.0, 4_000.0, 0.00001182), strict=False))
    now_ms, rows = T0_MS, []
    for _ in range(count):
        now_ms += draw.randint(0, spread_ms)
        symbol = draw.choice(symbols)
        prices[symbol] = prices.get(symbol, 10.0) * math.exp(draw.gauss(0, 0.0005))
        rows.append(
            liquidation(
                symbol=symbol,
                ts_event_ms=now_ms,
                side=draw.choice(("LONG", "SHORT")),
                price=prices[symbol],
                usd=round(10 ** draw.uniform(1, 5), 2),
                nth=draw.randint(0, 10**9),
            )
        )
    return rows


def candle(
    close_ms: int = T0_MS, *, close: float = 100.0, exchange: str = "Binance", **more: object
) -> CandleRow:
    row = CandleRow(
        exchange=exchange,
        symbol="BTC",
        interval="1h",
        close_ms=close_ms,
        open=99.0,
        high=max(101.0, close),
        low=min(98.0, close),
        close=close,
        volume_base=12.5,
        source="test",
        ts_init_ms=close_ms + 1_000,
    )
    return row._replace(**more)


def open_interest(close_ms: int = T0_MS, **more: object) -> OpenInterestRow:
    row = OpenInterestRow("ALL", "BTC", "1h", close_ms, *(None,) * 8, "test", close_ms + 1_000)
    return row._replace(**more)


async def until(is_met: Callable[[], bool]) -> None:
    """Let other tasks run until it holds; fails after a minute."""
    async with asyncio.timeout(60):
        while not is_met():  # noqa: ASYNC110  what is waited for has no event
            await asyncio.sleep(0.002)
