"""Tiles of a made-up day, a store that holds them, and the real heatmap service over both."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence

from app.core.clock import ManualClock
from app.core.domain.context import DataMode
from app.core.domain.heatmap import MINUTE_MS, AbsentPart, HeatmapAnswer, HeatmapPart
from app.core.domain.market import Price, PriceKind
from app.core.domain.quality import CacheState, Missing, MissingReason, Reading
from app.core.domain.stored import CompositeRow, TileRow
from app.core.domain.symbol import Symbol, resolve_symbol
from app.core.errors import StorageUnavailable
from app.core.heatmap.buckets import bucket_of
from app.services.heatmap_service import HeatmapService, InterestNow, PublishedComposite, SwingsNow

NOW_MS = 1_772_000_000_000 + 20_000
TO_MIN = NOW_MS // MINUTE_MS  # the open minute, outside every window


async def no_swings(_symbol: Symbol) -> AbsentPart:
    """As when nobody has candles."""
    return AbsentPart(HeatmapPart.SWING_PROXIMITY, MissingReason.NO_DATA, "no candles")


def tile(
    minutes_ago: int, price_usd: float, long_usd: float = 0.0, short_usd: float = 0.0, events: int = 1
) -> TileRow:
    """A tile of BTC; 1 minute ago is the last closed one, 0 the open one."""
    return TileRow("BTC", TO_MIN - minutes_ago, bucket_of(price_usd), long_usd, short_usd, events)


def busy_day(minutes: int = 1440, *, per_minute: int = 4, seed: int = 7) -> list[TileRow]:
    """A price that wanders around 96,000, with liquidations above and below it, in order."""
    draw = random.Random(seed)
    price = 96_000.0
    found: dict[tuple[int, int], TileRow] = {}
    for ago in range(minutes, 0, -1):
        price *= math.exp(draw.gauss(0, 0.001))
        for _ in range(draw.randint(0, per_minute)):
            is_long = draw.random() < 0.55
            at = price * (1 + draw.random() * (-0.01 if is_long else 0.01))
            usd = math.exp(draw.gauss(8.5, 1.8))
            new = tile(ago, at, usd if is_long else 0.0, 0.0 if is_long else usd)
            old = found.get((new.ts_min, new.bucket))
            found[new.ts_min, new.bucket] = (
                new
                if old is None
                else old._replace(
                    long_usd=old.long_usd + new.long_usd,
                    short_usd=old.short_usd + new.short_usd,
                    events=old.events + 1,
                )
            )
    return [found[place] for place in sorted(found)]


def mirrored(tiles: Sequence[TileRow]) -> list[TileRow]:
    """Longs and shorts exchanged."""
    return [item._replace(long_usd=item.short_usd, short_usd=item.long_usd) for item in tiles]


class FakeTiles:
    """A `TileStore` in memory. error: raised instead of any answer."""

    def __init__(self, tiles: Sequence[TileRow] = ()) -> None:
        self.kept = list(tiles)
        self.error: StorageUnavailable | None = None
        self.asked: list[tuple[str, int, int]] = []

    async def tiles(self, symbol: str, from_min: int, to_min: int) -> Sequence[TileRow]:
        self.asked.append((symbol, from_min, to_min))
        if self.error is not None:
            raise self.error
        return [t for t in self.kept if t.symbol == symbol and from_min <= t.ts_min < to_min]

    async def newest_minute(self, symbol: str, to_min: int) -> int | None:
        return max((t.ts_min for t in self.kept if t.symbol == symbol and t.ts_min < to_min), default=None)

    async def composite_tiles(self, symbol: str, from_min: int, to_min: int) -> Sequence[CompositeRow]:
        raise NotImplementedError

    async def rebuild(self, from_min: int, to_min: int) -> int:
        raise NotImplementedError


class FakePainter:
    """Remembers what it was asked to draw."""

    def __init__(self) -> None:
        self.painted: list[HeatmapAnswer] = []

    async def paint(self, answer: HeatmapAnswer) -> bytes:
        self.painted.append(answer)
        return b"\x89PNG fake"


class HeatmapRig:
    """The real service over a fake store, price and painter. known: empty lets every coin pass."""

    def __init__(
        self,
        tiles: Sequence[TileRow] = (),
        known: frozenset[str] = frozenset(),
        *,
        swings: SwingsNow = no_swings,
        interest: InterestNow | None = None,
        published: PublishedComposite | None = None,
        now_ms: int = NOW_MS,
    ) -> None:
        self.store = FakeTiles(tiles)
        self.painter = FakePainter()
        self.known = known
        self.price_usd: float | None = 96_200.5
        self.service = HeatmapService(
            store=self.store,
            resolve=lambda text: resolve_symbol(text, self.known),
            price=self.price,
            swings=swings,
            painter=self.painter,
            clock=ManualClock(now_ms),
            data_mode=DataMode.DEMO,
            interest=interest,
            published=published,
        )

    async def price(self, _symbol: Symbol) -> Reading[object] | Missing:
        if self.price_usd is None:
            return Missing(MissingReason.TIMEOUT, "okx: no answer within 2.0 s")
        value = Price(self.price_usd, PriceKind.LAST_TRADE, "OKX")
        return Reading(value, "okx", "ticker", NOW_MS - 1_500, NOW_MS - 1_000, CacheState.HIT)
