"""OKX liquidation orders: orders to hourly USD sums, and which hours a walk of pages really covers.

Owns the side table and the contracts-to-USD step. Pure; provider.py walks the pages. An hour without an
order is a true zero only inside the covered window; outside it is unknown and never filled in.
Source: GET /api/v5/public/liquidation-orders (optional upstream: absent from newer docs); checked 2026-11.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import msgspec

from app.core.domain.market import HOUR_MS, LiquidationHistory
from app.core.errors import ProviderNoData
from app.services.okx import wire
from app.services.okx.client import PROVIDER, decode
from app.services.okx.parse import PAGE_ROWS, positive, reject, require_at_most, stamp

ENDPOINT = "public_liquidation_orders"
# 24 closed hours are what the factor sums.
WINDOW_BARS = 24

_GROUPS = msgspec.json.Decoder(wire.Envelope[wire.LiquidationGroup], strict=False)


class Liquidated(StrEnum):
    """Whose position was closed by force."""

    LONG = "long"
    SHORT = "short"


# (posSide, side): a liquidated long is a forced SELL. With net mode the order side alone decides. Any other
# pair, a contradiction included, raises: a side is never guessed.
_LIQUIDATED = {
    ("long", "sell"): Liquidated.LONG,
    ("net", "sell"): Liquidated.LONG,
    ("short", "buy"): Liquidated.SHORT,
    ("net", "buy"): Liquidated.SHORT,
}


@dataclass(frozen=True, slots=True)
class Order:
    """One forced order: `contracts` of the instrument, not coins."""

    ts_ms: int
    liquidated: Liquidated
    contracts: float
    price_usd: float


def parse_liquidation_orders(body: bytes, inst_id: str) -> tuple[Order, ...]:
    """The orders of one page, newest first; empty when OKX has none.

    Raises:
        ProviderBadPayload: an unknown side code, an unusable number, or orders of another instrument.
    """
    orders: list[Order] = []
    groups = decode(_GROUPS, body, ENDPOINT).data
    require_at_most(sum(len(group.details) for group in groups), 2 * PAGE_ROWS, ENDPOINT)
    for group in groups:
        if group.inst_id != inst_id:
            reject(ENDPOINT, f"asked for {inst_id}, answered another instrument")
        orders.extend(_order(order) for order in group.details)
    return tuple(sorted(orders, key=lambda order: order.ts_ms, reverse=True))


def _order(order: wire.LiquidationOrder) -> Order:
    liquidated = _LIQUIDATED.get((order.pos_side, order.side))
    if liquidated is None:
        reject(ENDPOINT, "unknown side code")
    return Order(
        ts_ms=stamp(order.ts, ENDPOINT),
        liquidated=liquidated,
        contracts=positive(order.sz, ENDPOINT),
        price_usd=positive(order.bk_px, ENDPOINT),
    )


def window_start_ms(as_of_ms: int) -> int:
    """Open of the oldest of the 24 hours that are over at `as_of_ms`."""
    return as_of_ms // HOUR_MS * HOUR_MS - WINDOW_BARS * HOUR_MS


def next_cursor_ms(page: Sequence[Order], cursor_ms: int) -> int | None:
    """`after` of the page before this one, or None when a short page says there is none.

    Orders of `page` older than the returned cursor come again with the next page: the walk drops them here.

    Raises:
        ProviderNoData: a page full of one millisecond cannot be paged by time.
    """
    if len(page) < PAGE_ROWS:
        return None
    oldest_ms = page[-1].ts_ms
    hour_end_ms = oldest_ms // HOUR_MS * HOUR_MS + HOUR_MS
    # Whole hours keep the key (and cache entry) of older pages while new orders arrive; worth it only while
    # at most half of this page has to be read again.
    if hour_end_ms < cursor_ms and hour_end_ms <= page[PAGE_ROWS // 2 - 1].ts_ms:
        return hour_end_ms
    # `after` excludes its own stamp and orders share milliseconds, hence the plus one.
    if oldest_ms == page[0].ts_ms:
        raise ProviderNoData(PROVIDER, ENDPOINT, "more orders in one millisecond than a page holds")
    return oldest_ms + 1


@dataclass(frozen=True, slots=True)
class Walk:
    """What a walk back through the pages found, newest order first.

    as_of_ms: when the newest page was read. read_back_to_ms: every order since then is here. ended: the last
    page was short, so OKX has nothing older.
    """

    orders: tuple[Order, ...]
    as_of_ms: int
    read_back_to_ms: int
    ended: bool


def build_history(walk: Walk, *, contract_base: float) -> LiquidationHistory:
    """Hourly USD by liquidated side for the closed hours the walk covers.

    usd = contracts x coins per contract x price: 2 BTC contracts (0.01 BTC each) at 50,000 are 1,000 USD;
    2 DOGE contracts (1,000 DOGE each) at 0.1 are 200 USD.

    Raises:
        ProviderNoData: no order at all (an optional upstream that went quiet looks the same), or fewer than
            24 h are covered.
    """
    if not walk.orders:
        raise ProviderNoData(PROVIDER, ENDPOINT, "no liquidation orders")
    start_ms = window_start_ms(walk.as_of_ms)
    end_ms = start_ms + WINDOW_BARS * HOUR_MS
    _require_covered(walk, start_ms)
    sums = {Liquidated.LONG: [0.0] * WINDOW_BARS, Liquidated.SHORT: [0.0] * WINDOW_BARS}
    for order in walk.orders:
        if start_ms <= order.ts_ms < end_ms:
            usd = order.contracts * contract_base * order.price_usd
            sums[order.liquidated][(order.ts_ms - start_ms) // HOUR_MS] += usd
    return LiquidationHistory(
        interval_ms=HOUR_MS,
        close_ms=tuple(range(start_ms + HOUR_MS, end_ms + 1, HOUR_MS)),
        long_usd=tuple(sums[Liquidated.LONG]),
        short_usd=tuple(sums[Liquidated.SHORT]),
        scope="OKX",
    )


def _require_covered(walk: Walk, start_ms: int) -> None:
    if not covers(walk, start_ms):
        hours = (walk.as_of_ms - walk.orders[-1].ts_ms) // HOUR_MS
        raise ProviderNoData(PROVIDER, ENDPOINT, f"only {hours} h of liquidation orders available")


def covers(walk: Walk, start_ms: int, *, grace_ms: int = HOUR_MS) -> bool:
    """Whether every order since `start_ms` is in the walk; without any order nothing is covered.

    grace_ms: silence at the start of the window that is still taken for silence.
    """
    if not walk.orders:
        return False
    # A quiet coin fits one page: what is not on it did not happen (OKX keeps about a day). An active coin
    # whose orders simply end has met the end of what OKX keeps; some grace is normal silence.
    quiet = walk.ended and len(walk.orders) < PAGE_ROWS
    grace = walk.ended and walk.orders[-1].ts_ms < start_ms + grace_ms
    return quiet or grace or walk.read_back_to_ms <= start_ms
