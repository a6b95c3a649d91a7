"""OKX v5 wire shapes, as msgspec structs; nothing past parse.py knows these keys.

Every number is a string on the wire; `strict=False` lets the decoder turn "1.5" into 1.5. The empty string
means absent: fields where it occurs are typed `str` and read by parse.py; elsewhere it fails the decode.
Array rows accept extra trailing columns, objects accept extra keys (OKX adds both without notice).
Source: https://www.okx.com/docs-v5 public data, market data and trading statistics; checked 2026-11.
"""

from __future__ import annotations

from typing import Generic, TypeVar

import msgspec

T = TypeVar("T")


class Status(msgspec.Struct):
    """The part of the envelope that says whether there is an answer."""

    code: str


class Envelope(msgspec.Struct, Generic[T]):
    data: list[T]


class CandleRow(msgspec.Struct, array_like=True):
    """Stamped at bar open. vol is CONTRACTS for swaps; volCcy is coins. confirm "0" is still forming."""

    ts: int
    open: float
    high: float
    low: float
    close: float
    vol_contracts: float
    vol_base: float
    vol_quote: float
    confirm: str


class OpenInterestRow(msgspec.Struct, array_like=True):
    """Stamped at bucket open: contracts, coins, USD."""

    ts: int
    contracts: float | str | None
    base: float
    usd: float


class RatioRow(msgspec.Struct, array_like=True):
    """Stamped at bucket open: long / short."""

    ts: int
    ratio: float


class TakerRow(msgspec.Struct, array_like=True):
    """Stamped at bucket open. SELL comes first."""

    ts: int
    sell: float
    buy: float


class Ticker(msgspec.Struct, rename="camel"):
    inst_id: str
    last: float
    ts: int
    ask_px: str | None = None
    bid_px: str | None = None
    open24h: str | None = None
    # Spelled out: the renaming rule would write volCcy24H.
    vol_ccy24h: str | None = msgspec.field(name="volCcy24h", default=None)


class MarkPrice(msgspec.Struct, rename="camel"):
    inst_id: str
    mark_px: float
    ts: int


class OpenInterest(msgspec.Struct, rename="camel"):
    """Snapshot. `oi` (contracts) is not read; older answers have no oiUsd."""

    inst_id: str
    oi_ccy: float
    ts: int
    oi_usd: str | None = None


class FundingRate(msgspec.Struct, rename="camel"):
    """The running period: fundingTime is when it settles, prevFundingTime when it began."""

    inst_id: str
    funding_rate: float
    funding_time: int
    prev_funding_time: int
    ts: int


class FundingSettled(msgspec.Struct, rename="camel"):
    """One settlement; fundingRate (the prediction) is not read."""

    funding_time: int
    realized_rate: str | None = None


class Instrument(msgspec.Struct, rename="camel"):
    """ctVal coins per contract for linear swaps; "" while a contract is in pre-open."""

    inst_id: str
    state: str = ""
    ct_type: str = ""
    settle_ccy: str = ""
    ct_val: str = ""
    ct_mult: str = ""
    ct_val_ccy: str = ""


class LiquidationOrder(msgspec.Struct, rename="camel"):
    """sz is CONTRACTS; bkPx is the take-over price, not a market fill."""

    side: str
    pos_side: str
    bk_px: float
    sz: float
    ts: int


class LiquidationGroup(msgspec.Struct, rename="camel"):
    """instId lives here, not on the orders."""

    inst_id: str
    details: list[LiquidationOrder]
