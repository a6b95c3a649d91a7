"""Recorded liquidation events as stored rows. Rows without a side are left out, never guessed.

Owns which price and quantity count and the ids that make loading twice harmless. Called by `recorded_rows`.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from app.core.domain.stored import LiquidatedSide, LiquidationRow
from app.core.flow.ids import liquidation_id
from app.core.heatmap.buckets import bucket_of
from app.recorded_cells import (
    SOURCE,
    BadRow,
    Cells,
    Reading,
    read_base,
    read_not_negative,
    read_positive,
    read_time,
    rows_with,
)
from app.sim.recorded_files import DataFile

_COLUMNS = ("time_ms", "symbol", "liquidated", "price", "avg_price", "filled_qty", "usd")
_SIDES = {"long": LiquidatedSide.LONG, "short": LiquidatedSide.SHORT}


def read_liquidations(reading: Reading) -> Iterator[LiquidationRow]:
    """Single forced orders. Rows without a side say nothing about a direction and are left out."""
    last_ms = 0
    twins: Counter[tuple[object, ...]] = Counter()
    for cells in rows_with(reading, _COLUMNS):
        try:
            event = _event(reading.file, cells)
            if event.at_ms < last_ms:
                raise BadRow("not later than the row before")
        except BadRow as bad:
            reading.skipped[str(bad)] += 1
            continue
        if event.at_ms > last_ms:
            twins.clear()
            last_ms = event.at_ms
        facts = (event.exchange, event.pair, event.at_ms, event.side.value, event.price, event.usd)
        nth = twins[facts]
        twins[facts] += 1
        if reading.is_wanted(event.base):
            yield LiquidationRow(
                event.base,
                event.at_ms,
                liquidation_id(SOURCE, *facts, nth),
                SOURCE,
                event.exchange,
                event.pair,
                event.side.value,
                event.price,
                event.usd,
                event.quantity,
                bucket_of(event.price),
                reading.ts_init_ms,
                event.extras,
            )


@dataclass(frozen=True, slots=True)
class _Event:
    """One row of an events file. price: per coin; quantity: coins, None where the file has none."""

    at_ms: int
    exchange: str
    pair: str
    base: str
    side: LiquidatedSide
    price: float
    usd: float
    quantity: float | None
    extras: str | None


def _event(file: DataFile, cells: Cells) -> _Event:
    """The fill price where it was recorded, else the order's (a bankruptcy price), which extras name."""
    side = _SIDES.get(cells["liquidated"])
    if side is None:
        raise BadRow("no side: whose position was closed is not known")
    base, multiplier = read_base(cells["symbol"])
    has_fill = bool(cells["avg_price"])
    price = read_positive(cells, "avg_price" if has_fill else "price") / multiplier
    quantity = read_not_negative(cells, "filled_qty") * multiplier if cells["filled_qty"] else 0.0
    order_price = {"order_price": read_positive(cells, "price") / multiplier} if has_fill else None
    return _Event(
        at_ms=read_time(cells["time_ms"]),
        exchange=file.exchange,
        pair=cells["symbol"],
        base=base,
        side=side,
        price=price,
        usd=read_positive(cells, "usd"),
        quantity=quantity or None,
        extras=None if order_price is None else json.dumps(order_price),
    )
