"""Made-up CoinGlass frames for the stream benchmark: mixed venues and coins, mostly quiet, some cascades.

As bytes, the way the socket delivers them, drawn with a seed. Event times of one frame spread over several
seconds and are not in order, as they are when a provider gathers venues.
"""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from app.core.domain.stored import LiquidationRow

PER_FRAME = 500
FRAME_MS = 8_000  # sixty events a second: a wild day
EVENTS_A_MINUTE = PER_FRAME * 60_000 / FRAME_MS
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


def coin_names(coins: int) -> list[str]:
    return [COINS[k] if k < len(COINS) else f"C{k}" for k in range(coins)]


def _share(coins: int) -> NDArray[np.float64]:
    """Coin k has a share proportional to 1 / (k + 1)."""
    share: NDArray[np.float64] = 1.0 / np.arange(1, coins + 1)
    return share / float(share.sum())


def _usual_usd(coins: int) -> NDArray[np.float64]:
    """Median event of each coin: quiet 30 s hold some percent of the tier's cascade threshold, as on a day on
    which 100 million USD of BTC are liquidated (35,000 in 30 s, of 2 million)."""
    threshold = np.array([2e6 if k < 2 else 2e5 if k < len(COINS) else 5e4 for k in range(coins)])
    return 0.02 * threshold / np.maximum(_share(coins) * EVENTS_A_MINUTE / 2, 1.0)


@cache
def hours_before(coins: int, *, seed: int = 6) -> list[LiquidationRow]:
    """310 minutes of quiet before the first frame, as stored: what z-scores and percentiles look back on."""
    draw = np.random.default_rng(seed)
    events = draw.poisson(_share(coins) * EVENTS_A_MINUTE, (310, coins))
    usd = _usual_usd(coins) * events * draw.lognormal(0.0, 1.0, (310, coins))
    is_long = draw.random((310, coins)) < 0.5
    names = coin_names(coins)
    rows: list[LiquidationRow] = []
    for minute, k in np.argwhere(events > 0).tolist():
        at_ms, side = START_MS - (310 - minute) * 60_000, "LONG" if is_long[minute, k] else "SHORT"
        facts = ("coinglass", "OKX", names[k], side, 100.0, float(usd[minute, k]), None, 1844, at_ms)
        rows.append(LiquidationRow(names[k], at_ms, len(rows), *facts))
    return rows


def frames(coins: int, count: int, *, seed: int = 5) -> list[Frame]:
    """`count` frames of 500 events over `coins` coins; every twentieth is a cascade of a few of them.

    In a cascade one side of every tenth coin is hit, with 250 times the usual sizes.
    """
    draw = np.random.default_rng(seed)
    share, usual, names = _share(coins), _usual_usd(coins), coin_names(coins)
    price = 10 ** draw.uniform(-3, 5, coins)
    made = []
    for number in range(count):
        coin = draw.choice(coins, PER_FRAME, p=share)
        is_wild = number % _CASCADE_EVERY_FRAMES < _CASCADE_FRAMES
        hit = draw.random(coins) < (0.1 if is_wild and coins > 1 else float(is_wild))
        usd = usual[coin] * draw.lognormal(0.0, 1.0, PER_FRAME) * np.where(hit[coin], 250.0, 1.0)
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
