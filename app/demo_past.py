"""Gives a demo a day behind it: the simulated market's liquidations of the last 24 h, in the store before the
worker starts.

A market that was there yesterday has a heatmap today; a demo of two minutes would show an empty one. Only the
coins of the settings, only simulated events, exactly as the stream would have carried them: the same ids, so
that nothing counts twice however often the demo starts. Called by `app.main` in demo mode.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Iterator, Sequence

from app.core.clock import Clock
from app.core.domain.market import DAY_MS
from app.core.domain.stored import LiquidatedSide, LiquidationRow
from app.core.errors import ServiceError
from app.core.flow.ids import liquidation_id
from app.core.heatmap.buckets import bucket_of
from app.services.storage.store import SqlStore
from app.settings import Settings
from app.sim.listings import find_coin, list_on
from app.sim.market import LiquidationEvent, MarketSource
from app.sim.world import SyntheticWorld

# Whose stream would have carried them.
_SOURCE = "coinglass"
# A database that is not there within this is left alone: the demo starts without its past.
OPEN_S = 5.0
_SIDES = {"long": LiquidatedSide.LONG, "short": LiquidatedSide.SHORT}
_log = logging.getLogger(__name__)


def fill_past_day(settings: Settings, clock: Clock) -> None:
    """Write the day before now; what cannot be written is said in the log and missing from the heatmap."""
    asyncio.run(_fill(settings, clock))


async def _fill(settings: Settings, clock: Clock) -> None:
    world = SyntheticWorld(settings.sim_seed, clock.now_ms)
    now_ms = clock.now_ms()
    rows = [row for base in settings.symbols for row in past_rows(world, base, now_ms - DAY_MS, now_ms)]
    store = SqlStore(
        settings.store_url(), data_mode=settings.data_mode, now_ms=clock.now_ms, monotonic=clock.monotonic_s
    )
    store.start()
    try:
        async with asyncio.timeout(OPEN_S):
            await store.opened()
            await store.market.put_all(rows)
            await store.market.flush()
    except (ServiceError, TimeoutError) as error:
        _log.warning("the demo starts without a past", extra={"why": str(error) or type(error).__name__})
    finally:
        await store.close()


def past_rows(market: MarketSource, base: str, from_ms: int, until_ms: int) -> Sequence[LiquidationRow]:
    """Liquidations of one coin in [from_ms, until_ms), oldest first; none of a coin the market lacks."""
    events = market.liquidation_events(from_ms, until_ms, base)
    return list(_rows(market, base, events, until_ms))


def _rows(
    market: MarketSource, base: str, events: Sequence[LiquidationEvent], learned_ms: int
) -> Iterator[LiquidationRow]:
    coin = find_coin(market, base)
    if coin is None:
        return
    twins: Counter[tuple[object, ...]] = Counter()
    for event in events:
        listing = list_on(event.exchange, coin)
        # As the stream spells them: prices of ten digits per listed unit, USD to four places.
        price = float(f"{event.price_usd * listing.multiplier:.10g}") / listing.multiplier
        usd, side = round(event.usd, 4), _SIDES[event.liquidated].value
        facts = (event.exchange, listing.pair, event.ts_ms, side, price, usd)
        row_id = liquidation_id(_SOURCE, *facts, twins[facts])
        twins[facts] += 1
        yield LiquidationRow(
            base,
            event.ts_ms,
            row_id,
            _SOURCE,
            event.exchange,
            listing.pair,
            side,
            price,
            usd,
            None,
            bucket_of(price),
            learned_ms,
        )
