"""OKX pushes to events: liquidations, trades, prices of USDT swaps. Total: whatever arrives, it never raises.

Sizes are CONTRACTS on the wire: coins = sz x coins per contract, USD = coins x price. An instrument whose
contract is not known is refused and never guessed. A frame is decoded whole in one pass; only when that fails
is each row looked at alone. Called by `stream`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple, TypeAlias

import msgspec

from app.core.domain.flow import LiquidationEvent, PriceTick, StreamFrame, TradeEvent
from app.services.okx import stream_wire as wire
from app.services.okx.client import PROVIDER

Rejects: TypeAlias = dict[str, int]
# Coins per contract by base asset, of USDT swaps.
Contracts: TypeAlias = Mapping[str, float]

EXCHANGE = "OKX"
SUFFIX = "-USDT-SWAP"
# Beyond these a number is a fault of the sender: 2010 to 2100, a price no coin has, a sum no market holds.
MIN_MS = 1_262_304_000_000
MAX_MS = 4_102_444_800_000
MIN_PRICE, MAX_PRICE = 1e-18, 1e12
MAX_USD = 1e12

_KINDS = {wire.LIQUIDATIONS: "liquidations", wire.TRADES: "trades", wire.TICKERS: "ticks"}
_INSTRUMENT = re.compile(r"[A-Z0-9]{1,15}(?:-[A-Z0-9_]{1,10}){1,3}")
_REASON_OF_FIELD = {
    "bkPx": "bad_number",
    "px": "bad_number",
    "last": "bad_number",
    "sz": "bad_number",
    "side": "bad_side",
    "posSide": "bad_side",
    "ts": "bad_time",
}
_FIELD = re.compile(r"\$\.(?:\w+\[\.\.\.\]\.)?(\w+)`")


class Notice(NamedTuple):
    """A control frame. event: `subscribe`, `unsubscribe`, `error`, `notice`...; code: "" without one."""

    event: str
    code: str


def read_notice(raw: bytes | str) -> Notice | None:
    """The control frame, or None for a push and for anything else. Its text is data and not passed on."""
    try:
        frame = wire.LOOSE_FRAME.decode(raw)
    except (ValueError, RecursionError):
        return None
    return Notice(frame.event[:20], str(frame.code)[:10]) if frame.event else None


def parse_frame(raw: bytes | str, ts_init_ms: int, contract_values: Contracts) -> StreamFrame:
    """Everything usable of one push, in its order; the rest is counted in `rejects`.

    contract_values: coins per contract by base asset. A control frame is an empty frame without rejects.
    """
    try:
        frame = wire.FRAME.decode(raw)
    except (ValueError, RecursionError):
        return _parse_with_care(raw, ts_init_ms, contract_values)
    if frame.arg is None or frame.data is None:
        return _parse_with_care(raw, ts_init_ms, contract_values)
    return _read(frame.arg.channel, frame.data, ts_init_ms, contract_values, {})


def kind_of(raw: bytes | str) -> str:
    """`liquidations`, `trades` or `ticks`, "" when not even that can be told. For frames nothing came of."""
    try:
        arg = wire.LOOSE_FRAME.decode(raw).arg
    except (ValueError, RecursionError):
        return ""
    return _KINDS.get(arg.channel if arg is not None else "", "")


def _parse_with_care(raw: bytes | str, ts_init_ms: int, contracts: Contracts) -> StreamFrame:
    """Each row, and each order of a group, alone."""
    try:
        frame = wire.LOOSE_FRAME.decode(raw)
    except msgspec.ValidationError:
        return StreamFrame(PROVIDER, ts_init_ms, rejects={"unknown_shape": 1})
    except (ValueError, RecursionError):
        return StreamFrame(PROVIDER, ts_init_ms, rejects={"not_json": 1})
    if frame.event:
        return StreamFrame(PROVIDER, ts_init_ms)
    rejects: Rejects = {}
    rows: list[wire.Row] = []
    for item in _items(frame.data):
        row = _row(item, rejects)
        if row is not None:
            rows.append(row)
    return _read(frame.arg.channel if frame.arg else "", rows, ts_init_ms, contracts, rejects)


def _items(data: msgspec.Raw) -> Sequence[msgspec.Raw]:
    try:
        return wire.ITEMS.decode(data)
    except (ValueError, RecursionError):
        return (data,)


def _row(item: msgspec.Raw, rejects: Rejects) -> wire.Row | None:
    try:
        return wire.ROW.decode(item)
    except (ValueError, RecursionError) as error:
        reason = _reason(error)
    try:
        group = wire.LOOSE_ROW.decode(item)
    except (ValueError, RecursionError):
        group = None
    if group is None or group.details is None:
        _count(rejects, reason)
        return None
    return wire.Row(inst_id=group.inst_id, details=_details(group.details, rejects))


def _details(items: Sequence[msgspec.Raw], rejects: Rejects) -> list[wire.Detail]:
    details: list[wire.Detail] = []
    for item in items:
        try:
            details.append(wire.DETAIL.decode(item))
        except (ValueError, RecursionError) as error:
            _count(rejects, _reason(error))
    return details


def _reason(error: Exception) -> str:
    field = _FIELD.search(str(error)) if isinstance(error, msgspec.ValidationError) else None
    return _REASON_OF_FIELD.get(field.group(1) if field else "", "unknown_shape")


def _read(
    channel: str, rows: Sequence[wire.Row], ts_init_ms: int, contracts: Contracts, rejects: Rejects
) -> StreamFrame:
    if channel == wire.LIQUIDATIONS:
        found = _liquidations(rows, contracts, rejects)
        return StreamFrame(PROVIDER, ts_init_ms, liquidations=found, rejects=rejects)
    if channel == wire.TRADES:
        return StreamFrame(PROVIDER, ts_init_ms, trades=_trades(rows, contracts, rejects), rejects=rejects)
    if channel == wire.TICKERS:
        return StreamFrame(PROVIDER, ts_init_ms, ticks=_ticks(rows, rejects), rejects=rejects)
    _count(rejects, "unknown_channel" if channel else "unknown_shape")
    return StreamFrame(PROVIDER, ts_init_ms, rejects=rejects)


def _liquidations(
    rows: Sequence[wire.Row], contracts: Contracts, rejects: Rejects
) -> tuple[LiquidationEvent, ...]:
    """Worked number: 2 BTC contracts (0.01 BTC each) at 50,000 are 0.02 BTC and 1,000 USD."""
    found: list[LiquidationEvent] = []
    for row in rows:
        details = row.details
        if details is None:
            _count(rejects, "unknown_shape")
            continue
        size = contracts.get(row.inst_id.removesuffix(SUFFIX))
        if size is None or not row.inst_id.endswith(SUFFIX):
            _count(rejects, _contract_fault(row.inst_id), len(details))
            continue
        symbol = row.inst_id.removesuffix(SUFFIX)
        for detail in details:
            side = wire.LIQUIDATED.get((detail.pos_side, detail.side))
            coins = detail.sz * size
            usd = coins * detail.bk_px
            fault = "bad_side" if side is None else _fault(detail.bk_px, usd, detail.ts)
            if side is None or fault:
                _count(rejects, fault)
                continue
            found.append(
                LiquidationEvent(symbol, EXCHANGE, row.inst_id, side, detail.bk_px, usd, coins, detail.ts)
            )
    return tuple(found)


def _trades(rows: Sequence[wire.Row], contracts: Contracts, rejects: Rejects) -> tuple[TradeEvent, ...]:
    found: list[TradeEvent] = []
    for row in rows:
        symbol = row.inst_id.removesuffix(SUFFIX)
        size = contracts.get(symbol)
        if size is None or symbol == row.inst_id:
            _count(rejects, _contract_fault(row.inst_id))
            continue
        is_buy = wire.TAKER_BUYS.get(row.side)
        usd = row.sz * size * row.px
        fault = "bad_side" if is_buy is None else _fault(row.px, usd, row.ts)
        if is_buy is None or fault:
            _count(rejects, fault)
        else:
            found.append(TradeEvent(symbol, EXCHANGE, row.inst_id, is_buy, row.px, usd, row.ts))
    return tuple(found)


def _ticks(rows: Sequence[wire.Row], rejects: Rejects) -> tuple[PriceTick, ...]:
    found: list[PriceTick] = []
    for row in rows:
        symbol = row.inst_id.removesuffix(SUFFIX)
        fault = _fault(row.last, 1.0, row.ts)
        if symbol == row.inst_id or not _INSTRUMENT.fullmatch(row.inst_id):
            _count(rejects, _contract_fault(row.inst_id))
        elif fault:
            _count(rejects, fault)
        else:
            found.append(PriceTick(symbol, EXCHANGE, row.last, row.ts))
    return tuple(found)


def _contract_fault(inst_id: str) -> str:
    """Why an instrument cannot be used; coin- and USDC-margined swaps are readable, and not ours."""
    if not _INSTRUMENT.fullmatch(inst_id):
        return "bad_text" if inst_id else "unknown_shape"
    return "unknown_contract" if inst_id.endswith(SUFFIX) else "other_contract"


def _fault(price: float, usd: float, ts_ms: int) -> str:
    """Why the numbers of a row are refused, "" when they are not."""
    if not MIN_PRICE <= price <= MAX_PRICE:
        return "bad_price"
    if not 0.0 < usd <= MAX_USD:
        return "bad_usd"
    return "" if MIN_MS <= ts_ms < MAX_MS else "bad_time"


def _count(rejects: Rejects, reason: str, count: int = 1) -> None:
    rejects[reason] = rejects.get(reason, 0) + count
