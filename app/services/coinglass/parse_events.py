"""CoinGlass events -> facts: whale alerts, whale positions, forced orders. Pure.

State-bearing codes have one table each and an unknown code raises: a side is never guessed. A row that lacks
what is only described (an entry price, a time) is left out alone. Called by `premium` and `views`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import msgspec

from app.core.domain.derivatives import (
    LiquidationOrder,
    PositionSide,
    WhaleAction,
    WhaleAlert,
    WhalePosition,
)
from app.services.coinglass import wire
from app.services.coinglass.pairs import read_contract
from app.services.coinglass.parse import bad_payload, decode
from app.services.coinglass.parse_market import amount, finite, moment_ms, price
from app.services.coinglass.spelling import usual_name

_WHALES = msgspec.json.Decoder(wire.Envelope[list[wire.WhaleRow]], strict=False)
_ORDERS = msgspec.json.Decoder(wire.Envelope[list[wire.LiquidationOrderRow]], strict=False)

# The page says 1 buy and 2 sell, the stream 1 long and 2 short liquidated; the page's own sample (side 2 in a
# rising market) fits the stream, and a forced close of a long is a sell.
LIQUIDATED_SIDE: Mapping[int, PositionSide] = {1: PositionSide.LONG, 2: PositionSide.SHORT}
WHALE_ACTION: Mapping[int, WhaleAction] = {1: WhaleAction.OPENED, 2: WhaleAction.CLOSED}


def parse_whale_alerts(body: bytes, *, endpoint: str) -> tuple[WhaleAlert, ...]:
    """Positions above 1 M USD that were opened or closed, newest first; sizes are per listed coin.

    Raises:
        ProviderBadPayload: a row without size or value (its side would be a guess), or an unknown action.
    """
    alerts = []
    for row in decode(_WHALES, body, endpoint) or []:
        side = _whale_side(row, endpoint)
        action = WHALE_ACTION.get(row.position_action) if row.position_action is not None else None
        if action is None:
            raise bad_payload(endpoint, f"unknown position action {row.position_action}")
        entry, at_ms = price(row.entry_price), moment_ms(row.create_time)
        if side is None or entry is None or at_ms is None:
            continue
        alerts.append(
            WhaleAlert(
                wallet=row.user or "",
                base=row.symbol,
                side=side,
                action=action,
                size_base=abs(row.position_size),
                size_usd=abs(row.position_value_usd),
                entry_price_usd=entry,
                liquidation_price_usd=price(row.liq_price),
                ts_event_ms=at_ms,
            )
        )
    return tuple(sorted(alerts, key=lambda alert: -alert.ts_event_ms))


def parse_whale_positions(body: bytes, *, endpoint: str) -> tuple[WhalePosition, ...]:
    """Open positions above 1 M USD, largest first.

    Raises:
        ProviderBadPayload: a row without size or value.
    """
    positions = []
    for row in decode(_WHALES, body, endpoint) or []:
        side, entry = _whale_side(row, endpoint), price(row.entry_price)
        updated_ms = moment_ms(row.update_time) or moment_ms(row.create_time)
        if side is None or entry is None or updated_ms is None:
            continue
        positions.append(
            WhalePosition(
                wallet=row.user or "",
                base=row.symbol,
                side=side,
                size_base=abs(row.position_size),
                size_usd=abs(row.position_value_usd),
                entry_price_usd=entry,
                mark_price_usd=price(row.mark_price),
                liquidation_price_usd=price(row.liq_price),
                leverage=amount(row.leverage),
                margin_usd=amount(row.margin_balance),
                unrealized_pnl_usd=finite(row.unrealized_pnl),
                funding_usd=finite(row.funding_fee),
                opened_ms=moment_ms(row.create_time),
                updated_ms=updated_ms,
            )
        )
    return tuple(sorted(positions, key=lambda position: -position.size_usd))


def _whale_side(row: wire.WhaleRow, endpoint: str) -> PositionSide | None:
    """Long above zero, short below; None for a position of nothing."""
    if not (math.isfinite(row.position_size) and math.isfinite(row.position_value_usd)):
        raise bad_payload(endpoint, "a whale position is not finite")
    if row.position_size == 0:
        return None
    return PositionSide.LONG if row.position_size > 0 else PositionSide.SHORT


def parse_liquidation_orders(body: bytes, *, endpoint: str) -> tuple[LiquidationOrder, ...]:
    """Forced orders, newest first; prices per single coin. Worked number: side 1 -> a LONG was liquidated.

    Raises:
        ProviderBadPayload: a side code that is in no table.
    """
    orders = []
    for row in decode(_ORDERS, body, endpoint) or []:
        side = LIQUIDATED_SIDE.get(row.side)
        if side is None:
            raise bad_payload(endpoint, f"unknown side code {row.side}")
        _, multiplier = read_contract(row.base_asset or row.symbol, (), row.symbol)
        at_price, size_usd = price(row.price, multiplier), amount(row.usd_value)
        at_ms = moment_ms(row.time)
        if at_price is not None and size_usd is not None and at_ms is not None:
            name = usual_name(row.exchange_name)
            orders.append(LiquidationOrder(name, row.symbol, side, at_price, size_usd, at_ms))
    return tuple(sorted(orders, key=lambda order: -order.ts_event_ms))
