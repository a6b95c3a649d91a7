"""The CoinGlass stream as it stands on the wire: one frame, one event, both spellings of the field names.

One event type serves liquidations, trades and tickers, so that a whole frame is decoded in one pass. Nothing
here has a meaning yet: `stream_parse` gives it one. Source: web-socket-api (2026-01) and later pages.
"""

from __future__ import annotations

import msgspec

LIQUIDATIONS = frozenset({"liquidationOrders", "liquidation_orders"})
TRADES = "futures_trades@"
TICKER = "futures_ticker@"
# Codes of `side`. The REST page of liquidation orders says the opposite; never copy a table from there.
LIQUIDATED = {1: "LONG", 2: "SHORT"}
TAKER_BUYS = {1: False, 2: True}

_NOTHING = msgspec.Raw(b"")


class Event(msgspec.Struct, gc=False):
    """A liquidation, trade or ticker row. Numbers may come as text (lax decoding).

    Old spelling: baseAsset, exName, volUsd. New: base_asset, exchange, volume_usd. update_time: tickers only,
    a date text without zone.
    """

    price: float = 0.0
    symbol: str = ""
    side: int = 0
    time: int = 0
    base_old: str = msgspec.field(name="baseAsset", default="")
    base_new: str = msgspec.field(name="base_asset", default="")
    exchange_old: str = msgspec.field(name="exName", default="")
    exchange_new: str = msgspec.field(name="exchange", default="")
    usd_old: float = msgspec.field(name="volUsd", default=0.0)
    usd_new: float = msgspec.field(name="volume_usd", default=0.0)
    update_time: int | str | None = None


class Frame(msgspec.Struct):
    """One whole frame; `data` is documented as a list, and a single object is accepted."""

    channel: str = ""
    data: list[Event] | Event | None = None


class LooseFrame(msgspec.Struct):
    """The same without a look inside `data`. code, msg, event: of a notice, which has no channel."""

    channel: str = ""
    data: msgspec.Raw = _NOTHING
    event: msgspec.Raw = _NOTHING
    code: msgspec.Raw = _NOTHING
    msg: msgspec.Raw = _NOTHING

    @property
    def is_notice(self) -> bool:
        """An acknowledgement or a word about the connection, which is no event."""
        return not self.channel and not self.data and bool(self.event or self.code or self.msg)


FRAME = msgspec.json.Decoder(Frame, strict=False)
LOOSE_FRAME = msgspec.json.Decoder(LooseFrame, strict=False)
ITEMS = msgspec.json.Decoder(list[msgspec.Raw])
EVENT = msgspec.json.Decoder(Event, strict=False)
