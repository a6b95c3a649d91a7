"""A made-up flood of liquidations for the storage benchmark: coins of very different weight, walking prices.

Drawn with a seed and in pieces, so that five million rows need neither a file nor gigabytes.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from app.core.domain.stored import LiquidationRow
from app.core.heatmap.buckets import GROWTH

COINS = ("BTC", "ETH", "SOL", *(f"C{k}" for k in range(3, 200)))
_BUCKET = np.log(GROWTH)


def flood(
    rows: int, *, start_ms: int, span_ms: int, piece: int = 100_000, seed: int = 7
) -> Iterator[list[LiquidationRow]]:
    """`rows` events in order of time from `start_ms` over `span_ms`, in pieces.

    Coin k has a share proportional to 1 / (k + 1), so BTC has about 17 %. Prices swing by some percent a day.
    """
    draw = np.random.default_rng(seed)
    share = 1.0 / np.arange(1, len(COINS) + 1)
    share /= share.sum()
    level = np.log(10 ** draw.uniform(-4, 5, len(COINS)))
    walk_minutes = span_ms // 60_000 + 2
    for start in range(0, rows, piece):
        count = min(piece, rows - start)
        at = (
            start_ms
            + np.sort(draw.integers(0, span_ms, count) // (rows // count or 1))
            + span_ms * start // rows
        )
        coin = draw.choice(len(COINS), count, p=share)
        minute = (at - start_ms) // 60_000
        # A walk that needs no memory: sums of slow waves, another phase for each coin.
        phase = minute / walk_minutes * 2 * np.pi
        log_price = level[coin] + 0.02 * np.sin(9 * phase + coin) + 0.005 * np.sin(120 * phase + 3 * coin)
        log_price += draw.normal(0, 0.0004, count)
        price = np.exp(log_price)
        usd = np.round(10 ** draw.uniform(1.5, 5, count), 2)
        bucket = np.floor(log_price / _BUCKET).astype(np.int64)
        ids = draw.integers(-(2**63), 2**63 - 1, count)
        is_long = draw.random(count) < 0.5
        columns = (coin, at, ids, price, usd, bucket, is_long)
        yield [
            LiquidationRow(
                COINS[k],
                ts,
                number,
                "coinglass",
                "Binance",
                f"{COINS[k]}USDT",
                "LONG" if long else "SHORT",
                p,
                u,
                u / p,
                b,
                ts + 80,
            )
            for k, ts, number, p, u, b, long in zip(*(c.tolist() for c in columns), strict=True)
        ]
