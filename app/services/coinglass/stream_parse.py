"""CoinGlass frames to events: liquidations, trades, prices. Total: whatever arrives, it never raises.

A frame is decoded whole in one pass; only when that fails is each event looked at alone, so that one bad
event costs itself and not its neighbours. What is refused is counted by reason. Side codes are those of the
stream and never guessed; prices are per single coin (1000PEPE at 0.0118 is PEPE at 0.0000118). Called by
`stream`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from typing import NamedTuple, TypeAlias

import msgspec

from app.core.domain.flow import LiquidationEvent, PriceTick, StreamFrame, TradeEvent
from app.core.domain.market import HOUR_MS
from app.services.coinglass import stream_wire as wire
from app.services.coinglass.pairs import read_contract
from app.services.coinglass.parse import PROVIDER
from app.services.coinglass.spelling import usual_name

Rejects: TypeAlias = dict[str, int]

# Beyond these a number is a fault of the sender: 2010 to 2100, a price no coin has, a sum no market holds.
MIN_MS = 1_262_304_000_000
MAX_MS = 4_102_444_800_000
MIN_PRICE, MAX_PRICE = 1e-18, 1e12
MAX_USD = 1e12
# A ticker's date has no zone. Whole hours between it and the arrival are taken for the zone; more minutes
# than these are age.
_MAX_TICK_AGE_MS = 300_000

_EXCHANGE = re.compile(r"[A-Za-z0-9][A-Za-z0-9 ._-]{0,29}")
_PAIR = re.compile(r"[A-Za-z0-9][A-Za-z0-9:/._-]{0,39}")
_SYMBOL = re.compile(r"[A-Z0-9]{1,15}")
_REASON_OF_FIELD = {
    "price": "bad_number",
    "volUsd": "bad_number",
    "volume_usd": "bad_number",
    "side": "bad_side",
    "time": "bad_time",
    "update_time": "bad_time",
}
_FIELD = re.compile(r"\$\.(\w+)`")
# Some JSON writers put these; as null they cost their own event and not the frame.
_NOT_A_NUMBER = re.compile(rb"(?<=[:,\[])\s*-?(?:NaN|Infinity)\s*(?=[,\]}])")


class _Place(NamedTuple):
    """Where an event happened, checked and normalised. fault: why it is refused, "" when it is not."""

    symbol: str
    exchange: str
    pair: str
    multiplier: int
    fault: str = ""


def parse_frame(raw: bytes | str, ts_init_ms: int) -> StreamFrame:
    """Everything usable of one frame, in its order; the rest is counted in `rejects`.

    A notice without a channel (an acknowledgement) is an empty frame without rejects.
    """
    try:
        frame = wire.FRAME.decode(raw)
    except (ValueError, RecursionError):
        return _parse_with_care(raw, ts_init_ms)
    data = frame.data
    if not frame.channel or data is None:
        return _parse_with_care(raw, ts_init_ms)
    return _read(frame.channel, data if isinstance(data, list) else [data], ts_init_ms, {})


def read_refusal(raw: bytes | str) -> bool:
    """Whether a notice says that the key or its plan is refused (code 401 or 403)."""
    try:
        frame = wire.LOOSE_FRAME.decode(raw)
    except (ValueError, RecursionError):
        return False
    return frame.is_notice and bytes(frame.code).strip(b'" ') in (b"401", b"403")


def kind_of(raw: bytes | str) -> str:
    """`liquidations`, `trades` or `ticks`, "" when not even that can be told. For frames nothing came of."""
    try:
        channel = wire.LOOSE_FRAME.decode(raw).channel
    except (ValueError, RecursionError):
        return ""
    if channel in wire.LIQUIDATIONS:
        return "liquidations"
    if channel.startswith(wire.TRADES):
        return "trades"
    return "ticks" if channel.startswith(wire.TICKER) else ""


def _parse_with_care(raw: bytes | str, ts_init_ms: int) -> StreamFrame:
    """Each event of the frame alone."""
    try:
        encoded = raw.encode() if isinstance(raw, str) else raw
        frame = wire.LOOSE_FRAME.decode(_NOT_A_NUMBER.sub(b"null", encoded))
    except msgspec.ValidationError:
        return StreamFrame(PROVIDER, ts_init_ms, rejects={"unknown_shape": 1})
    except (ValueError, RecursionError):
        return StreamFrame(PROVIDER, ts_init_ms, rejects={"not_json": 1})
    if frame.is_notice:
        return StreamFrame(PROVIDER, ts_init_ms)
    rejects: Rejects = {}
    return _read(frame.channel, _events(frame.data, rejects), ts_init_ms, rejects)


def _events(data: msgspec.Raw, rejects: Rejects) -> list[wire.Event]:
    """The events of `data` that have the types of the contract."""
    events: list[wire.Event] = []
    for item in _items(data):
        try:
            events.append(wire.EVENT.decode(item))
        except msgspec.ValidationError as error:
            field = _FIELD.search(str(error))
            _count(rejects, _REASON_OF_FIELD.get(field.group(1) if field else "", "unknown_shape"))
        except (ValueError, RecursionError):
            _count(rejects, "unknown_shape")
    return events


def _items(data: msgspec.Raw) -> Sequence[msgspec.Raw]:
    try:
        return wire.ITEMS.decode(data)
    except (ValueError, RecursionError):
        return (data,)


def _read(channel: str, events: list[wire.Event], ts_init_ms: int, rejects: Rejects) -> StreamFrame:
    if channel in wire.LIQUIDATIONS:
        return StreamFrame(PROVIDER, ts_init_ms, liquidations=_liquidations(events, rejects), rejects=rejects)
    if channel.startswith(wire.TRADES):
        return StreamFrame(PROVIDER, ts_init_ms, trades=_trades(events, rejects), rejects=rejects)
    if channel.startswith(wire.TICKER):
        return StreamFrame(PROVIDER, ts_init_ms, ticks=_ticks(events, ts_init_ms, rejects), rejects=rejects)
    _count(rejects, "unknown_channel" if channel else "unknown_shape")
    return StreamFrame(PROVIDER, ts_init_ms, rejects=rejects)


def _liquidations(events: list[wire.Event], rejects: Rejects) -> tuple[LiquidationEvent, ...]:
    """base, coins: USD over price; the stream has no quantity."""
    found: list[LiquidationEvent] = []
    append, place_of, sides = found.append, _place, wire.LIQUIDATED
    # A named tuple made this way costs half of its own constructor, for every event of the market.
    make: Callable[..., LiquidationEvent] = tuple.__new__
    for event in events:
        symbol, exchange, pair, multiplier, _ = place_of(
            event.exchange_old or event.exchange_new, event.base_old or event.base_new, event.symbol
        )
        price = event.price / multiplier
        usd = event.usd_old or event.usd_new
        side = sides.get(event.side)
        ts_ms = event.time
        if (
            symbol
            and side
            and MIN_PRICE <= price <= MAX_PRICE
            and 0.0 < usd <= MAX_USD
            and MIN_MS <= ts_ms < MAX_MS
        ):
            append(make(LiquidationEvent, (symbol, exchange, pair, side, price, usd, usd / price, ts_ms)))
        else:
            _count(rejects, _fault(event, side is not None))
    return tuple(found)


def _trades(events: list[wire.Event], rejects: Rejects) -> tuple[TradeEvent, ...]:
    found: list[TradeEvent] = []
    make: Callable[..., TradeEvent] = tuple.__new__
    for event in events:
        symbol, exchange, pair, multiplier, _ = _place(
            event.exchange_old or event.exchange_new, event.base_old or event.base_new, event.symbol
        )
        price = event.price / multiplier
        usd = event.usd_old or event.usd_new
        is_buy = wire.TAKER_BUYS.get(event.side)
        if (
            symbol
            and is_buy is not None
            and MIN_PRICE <= price <= MAX_PRICE
            and 0.0 < usd <= MAX_USD
            and MIN_MS <= event.time < MAX_MS
        ):
            found.append(make(TradeEvent, (symbol, exchange, pair, is_buy, price, usd, event.time)))
        else:
            _count(rejects, _fault(event, is_buy is not None))
    return tuple(found)


def _ticks(events: list[wire.Event], ts_init_ms: int, rejects: Rejects) -> tuple[PriceTick, ...]:
    found: list[PriceTick] = []
    for event in events:
        place = _place(
            event.exchange_old or event.exchange_new, event.base_old or event.base_new, event.symbol
        )
        price = event.price / place.multiplier
        ts_ms = _tick_ms(event.update_time, ts_init_ms)
        if place.fault:
            _count(rejects, place.fault)
        elif not MIN_PRICE <= price <= MAX_PRICE:
            _count(rejects, "bad_price")
        elif ts_ms is None:
            _count(rejects, "bad_time")
        else:
            found.append(PriceTick(place.symbol, place.exchange, price, ts_ms))
    return tuple(found)


def _tick_ms(stated: int | str | None, ts_init_ms: int) -> int | None:
    """When a ticker was made, never after its arrival; None when that is not to be had or too long ago.

    Worked number: stated 16:20:00, arrived 08:20:03 UTC: eight hours are the zone, so 08:20:00.
    """
    if isinstance(stated, int):
        return stated if MIN_MS <= stated < MAX_MS else None
    try:
        made = datetime.strptime(stated or "", "%Y-%m-%d %H:%M:%S").replace(tzinfo=UTC)
    except ValueError:
        return None
    behind_ms = ts_init_ms - int(made.timestamp()) * 1000
    age_ms = behind_ms - round(behind_ms / HOUR_MS) * HOUR_MS
    return ts_init_ms - max(0, age_ms) if abs(age_ms) <= _MAX_TICK_AGE_MS else None


@lru_cache(maxsize=16_384)
def _place(exchange: str, base: str, pair: str) -> _Place:
    """Checked once per market and remembered: a hundred thousand events a second name a few thousand."""
    if not (exchange and base and pair):
        return _Place("", "", "", 1, "unknown_shape")
    if not (_EXCHANGE.fullmatch(exchange) and _PAIR.fullmatch(pair)):
        return _Place("", "", "", 1, "bad_text")
    # A small k is Hyperliquid's thousand (kPEPE); a capital one may be the first letter of a coin.
    coins = {base[1:]} if base[:1] == "k" and base[1:].isupper() else ()
    symbol, multiplier = read_contract(base[:40], coins, pair)
    if not _SYMBOL.fullmatch(symbol):
        return _Place("", "", "", 1, "bad_symbol")
    return _Place(symbol, usual_name(exchange), pair, multiplier)


def _fault(event: wire.Event, has_side: bool) -> str:
    """Why an event is refused."""
    place = _place(event.exchange_old or event.exchange_new, event.base_old or event.base_new, event.symbol)
    if place.fault:
        return place.fault
    if not has_side:
        return "bad_side"
    if not MIN_PRICE <= event.price / place.multiplier <= MAX_PRICE:
        return "bad_price"
    return "bad_usd" if MIN_MS <= event.time < MAX_MS else "bad_time"


def _count(rejects: Rejects, reason: str) -> None:
    rejects[reason] = rejects.get(reason, 0) + 1
