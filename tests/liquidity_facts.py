"""The market of the confluence model's worked example (section 9), and made-up ones."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence

from app.core.confluence.clustering import build_clusters
from app.core.confluence.setups import MarketNow
from app.core.domain.derivatives import PositionSide
from app.core.domain.liquidity import Level, LiquidationZone, SmcZone, ZoneKind, ZoneState

PRICE, ATR = 60_000.0, 450.0
SIGMA = 0.03 / math.sqrt(24)
USD = 1e6
LEVELS_MILLION = {
    59_100: 12,
    59_040: 8,
    58_980: 10,
    58_200: 20,
    60_900: 15,
    60_960: 10,
    61_800: 25,
    63_000: 30,
}


def level(price_usd: float, usd: float, price_now: float = PRICE) -> Level:
    side = PositionSide.LONG if price_usd < price_now else PositionSide.SHORT
    return Level(price_usd, usd, side)


def example_levels() -> list[Level]:
    return [level(price, million * USD) for price, million in LEVELS_MILLION.items()]


def example_clusters() -> tuple[LiquidationZone, ...]:
    return build_clusters(example_levels(), PRICE, ATR)


def zone(
    bottom: float,
    top: float,
    *,
    is_bullish: bool,
    kind: ZoneKind = ZoneKind.ORDER_BLOCK,
    state: ZoneState = ZoneState.UNTOUCHED,
) -> SmcZone:
    return SmcZone(kind, is_bullish, top, bottom, state, f"{kind.value} {bottom}", 0, 0)


BLOCK = zone(58_900.0, 59_200.0, is_bullish=True)
GAP = zone(61_000.0, 61_200.0, is_bullish=False, kind=ZoneKind.FAIR_VALUE_GAP, state=ZoneState.TOUCHED)


def market(price: float = PRICE, atr: float = ATR, **changes: object) -> MarketNow:
    known: dict[str, object] = {
        "price_usd": price,
        "atr_usd": atr,
        "sigma": SIGMA,
        "last_low_usd": price,
        "last_high_usd": price,
        "last_close_usd": price,
        "volume": (60.0, 30.0, 100.0, 20),
    }
    return MarketNow(**(known | changes))  # type: ignore[arg-type]


def random_levels(seed: int, price: float = PRICE, atr: float = ATR, size: int = 40) -> list[Level]:
    draw = random.Random(seed)
    return [
        level(price + draw.uniform(-9, 9) * atr, math.exp(draw.gauss(15, 1.5)), price) for _ in range(size)
    ]


def mirrored_levels(levels: Sequence[Level], price: float = PRICE) -> list[Level]:
    """Reflected at the price, sides exchanged."""
    return [level(2 * price - one.price_usd, one.usd, price) for one in levels]


def mirrored_zone(one: SmcZone, price: float = PRICE) -> SmcZone:
    return SmcZone(
        one.kind,
        not one.is_bullish,
        2 * price - one.bottom_usd,
        2 * price - one.top_usd,
        one.state,
        one.label,
        one.formed_ms,
        one.known_ms,
    )
