"""Made-up CoinGlass frames for the stream benchmark: mixed venues and coins, mostly quiet, some cascades.

As bytes, the way the socket delivers them, drawn with a seed. Event times of one frame spread over several
seconds and are not in order, as they are when a provider gathers venues.
"""

from __future__ import annotations

from typing import NamedTuple

import msgspec
import numpy as np

PER_FRAME = 500
FRAME_MS = 8_000  # sixty events a second: a wild day
START_MS = 1_764_000_000_000
DELAY_MS = 250
# Of a provider's coins the first are the big ones; sizes follow the tier, as thresholds do.
COINS = ("BTC", "ETH", "SOL", "XRP", "BNB", "DOGE", "ADA", "AVAX", "LINK", "SUI", "LTC", "DOT", "TRX", "BCH")
VENUES = ("Binance", "OKX", "Bybit", "Bitget", "Gate", "HTX", "Hyperliquid")
_CASCADE_EVERY_FRAMES, _CASCADE_FRAMES = 20, 1


class Frame(NamedTuple):
    """One frame: arrival and text."""

    ts_init_ms: int
    raw: bytes


def frames(coins: int, count: int, *, seed: int = 5) -> list[Frame]:
    """`count` frames of 500 events over `coins` coins; every twentieth is a cascade of a few of them.

    Coin k has a share proportional to 1 / (k + 1). In a cascade one side is hit, with fifty times the usual
    sizes.
    """
    draw = np.random.default_rng(seed)
    share = 1.0 / np.arange(1, coins + 1)
    share /= share.sum()
    names = [COINS[k] if k < len(COINS) else f"C{k}" for k in range(coins)]
    price = 10 ** draw.uniform(-3, 5, coins)
    # Quiet 30 s sums lie well under each threshold: expected events of a coin in 30 s, a tenth of the tier's.
    threshold = np.array([2e6 if k < 2 else 2e5 if k < len(COINS) else 5e4 for k in range(coins)])
    usual = 0.1 * threshold / np.maximum(share * PER_FRAME * 30_000 / FRAME_MS, 1.0)
    made = []
    for number in range(count):
        coin = draw.choice(coins, PER_FRAME, p=share)
        is_wild = number % _CASCADE_EVERY_FRAMES < _CASCADE_FRAMES
        hit = draw.random(coins) < (0.3 if is_wild and coins > 1 else float(is_wild))
        usd = usual[coin] * draw.lognormal(0.0, 1.0, PER_FRAME) * np.where(hit[coin], 50.0, 1.0)
        side = np.where(hit[coin], 1, draw.integers(1, 3, PER_FRAME))
        price *= np.exp(draw.normal(0, 0.0005, coins))
        at = START_MS + number * FRAME_MS + np.sort(draw.integers(0, FRAME_MS, PER_FRAME))
        at -= draw.integers(0, 900, PER_FRAME)
        venue = draw.integers(0, len(VENUES), PER_FRAME)
        columns = (coin, side, usd, price[coin] * draw.normal(1, 0.001, PER_FRAME), at, venue)
        events = [
            {
                "baseAsset": names[k],
                "exName": VENUES[v],
                "price": float(f"{p:.6g}"),
                "side": s,
                "symbol": f"{names[k]}USDT",
                "time": ts,
                "volUsd": round(u, 3),
            }
            for k, s, u, p, ts, v in zip(*(column.tolist() for column in columns), strict=True)
        ]
        raw = msgspec.json.encode({"channel": "liquidationOrders", "data": events})
        made.append(Frame(START_MS + (number + 1) * FRAME_MS + DELAY_MS, raw))
    return made
