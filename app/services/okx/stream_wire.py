"""The OKX public WebSocket as it stands on the wire: pushes and control frames.

One row type serves liquidation-orders, trades and tickers, so that a whole frame is decoded in one pass.
Nothing here has a meaning yet: `stream_parse` gives it one. Source: docs-v5 websocket, checked 2026-11.
"""

from __future__ import annotations

import msgspec

LIQUIDATIONS = "liquidation-orders"
TRADES = "trades"
TICKERS = "tickers"
# Whose position a forced order closed, by (posSide, side): a liquidated long is a forced SELL. In net mode
# the order side alone decides; any other pair, a contradiction included, is refused.
LIQUIDATED = {
    ("long", "sell"): "LONG",
    ("net", "sell"): "LONG",
    ("short", "buy"): "SHORT",
    ("net", "buy"): "SHORT",
}
TAKER_BUYS = {"sell": False, "buy": True}

_NOTHING = msgspec.Raw(b"")


class Detail(msgspec.Struct, rename="camel", gc=False):
    """One forced order. sz is CONTRACTS; bkPx is the take-over price, not a market fill."""

    bk_px: float = 0.0
    pos_side: str = ""
    side: str = ""
    sz: float = 0.0
    ts: int = 0


class Row(msgspec.Struct, rename="camel"):
    """A group of forced orders (details), a trade (px, sz in CONTRACTS, taker side) or a ticker (last)."""

    inst_id: str = ""
    details: list[Detail] | None = None
    px: float = 0.0
    sz: float = 0.0
    side: str = ""
    last: float = 0.0
    ts: int = 0


class LooseRow(msgspec.Struct, rename="camel"):
    """A group without a look at its orders."""

    inst_id: str = ""
    details: list[msgspec.Raw] | None = None


class Arg(msgspec.Struct):
    channel: str = ""


class Frame(msgspec.Struct):
    """One whole push."""

    arg: Arg | None = None
    data: list[Row] | None = None


class LooseFrame(msgspec.Struct):
    """The same without a look inside `data`; event, code, msg: of a control frame."""

    arg: Arg | None = None
    data: msgspec.Raw = _NOTHING
    event: str = ""
    code: int | str = ""
    msg: str = ""


FRAME = msgspec.json.Decoder(Frame, strict=False)
LOOSE_FRAME = msgspec.json.Decoder(LooseFrame, strict=False)
ITEMS = msgspec.json.Decoder(list[msgspec.Raw])
ROW = msgspec.json.Decoder(Row, strict=False)
LOOSE_ROW = msgspec.json.Decoder(LooseRow, strict=False)
DETAIL = msgspec.json.Decoder(Detail, strict=False)
