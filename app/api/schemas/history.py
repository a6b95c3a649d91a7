"""Stored bars of one coin by page: one row type per series, and how complete the store is.

Exactly one of the five lists is set, the one of the series asked for. Field names are public contract.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from app.api.schemas.base import REASON_CHARS, ApiModel, IsoTime, Name, SymbolText
from app.api.schemas.derivatives import Base, IntervalText, PriceUsd, RateFrac, ShareFrac, Usd
from app.core.domain.context import DataMode
from app.core.domain.stored import RatioScope, SeriesName

MAX_ROWS = 1000
MAX_GAPS = 5
CURSOR_CHARS = 400

_CLOSE = "Close of the bar, UTC."
_EXCHANGE = "Exchange, or ALL for the sum or mean over the exchanges of the source."
_SOURCE = "Provider that said so."
_OUTLIER = "True when the move into this bar lies beyond six sigma of its own history; shown, not replaced."

Exchange = Annotated[str, Field(max_length=60, description=_EXCHANGE)]
Source = Annotated[Name, Field(description=_SOURCE)]
IsOutlier = Annotated[bool, Field(description=_OUTLIER)]


class CandleItem(ApiModel):
    """One closed candle of a perpetual."""

    time: IsoTime = Field(description=_CLOSE)
    exchange: Exchange
    open: PriceUsd
    high: PriceUsd
    low: PriceUsd
    close: PriceUsd
    volume_base: Base | None
    source: Source
    is_outlier: IsOutlier


class InterestItem(ApiModel):
    """Open interest of one bar in USD and in coins; null where not known."""

    time: IsoTime = Field(description=_CLOSE)
    exchange: Exchange
    open_usd: Usd | None
    high_usd: Usd | None
    low_usd: Usd | None
    close_usd: Usd | None
    open_base: Base | None
    high_base: Base | None
    low_base: Base | None
    close_base: Base | None
    source: Source
    is_outlier: IsOutlier


class FundingBarItem(ApiModel):
    """Funding at the close of one bar, each a fraction per 8 h; null where not known."""

    time: IsoTime = Field(description=_CLOSE)
    exchange: Exchange
    rate8h_frac: RateFrac | None
    oi_weighted8h_frac: RateFrac | None
    volume_weighted8h_frac: RateFrac | None
    source: Source
    is_outlier: IsOutlier


class LongShortItem(ApiModel):
    """Share of longs at the close of one bar."""

    time: IsoTime = Field(description=_CLOSE)
    exchange: Exchange
    long_share_frac: ShareFrac
    source: Source
    is_outlier: IsOutlier


class TakerItem(ApiModel):
    """Taker volume of one bar; the side is the aggressor's."""

    time: IsoTime = Field(description=_CLOSE)
    exchange: Exchange
    buy_usd: Usd
    sell_usd: Usd
    source: Source
    is_outlier: IsOutlier


class GapItem(ApiModel):
    """Bars that are not stored between two rows of this page."""

    exchange: Exchange
    after: IsoTime = Field(description="Close of the bar before the gap, UTC.")
    before: IsoTime = Field(description="Close of the bar after the gap, UTC.")
    bars: int = Field(ge=1, description="Number of bars that are not stored in between.")


class HistoryResponse(ApiModel):
    """One page of stored bars of one coin. Nothing is asked upstream for it."""

    timestamp: IsoTime = Field(description="When this answer was made; market time, UTC.")
    data_mode: DataMode = Field(description="live, demo (simulated market) or replay (recorded past).")
    symbol: SymbolText
    series: SeriesName = Field(description="Which history; its list below is set, the other four are null.")
    interval: IntervalText
    exchange: str | None = Field(
        max_length=60, description="The exchange asked for; null for every exchange."
    )
    scope: RatioScope | None = Field(description="Whose longs; null for other series than long-short.")
    order: Literal["desc", "asc"] = Field(description="desc: newest first; asc: oldest first.")
    as_of: IsoTime | None = Field(description="Close of the newest bar of this page; null without rows.")
    candles: list[CandleItem] | None = Field(max_length=MAX_ROWS, description="Rows of candles.")
    open_interest: list[InterestItem] | None = Field(
        max_length=MAX_ROWS, description="Rows of open-interest."
    )
    funding: list[FundingBarItem] | None = Field(max_length=MAX_ROWS, description="Rows of funding.")
    long_short: list[LongShortItem] | None = Field(max_length=MAX_ROWS, description="Rows of long-short.")
    taker_volume: list[TakerItem] | None = Field(max_length=MAX_ROWS, description="Rows of taker-volume.")
    oldest_stored: IsoTime | None = Field(
        description="Close of the oldest stored bar of this history; null when nothing is stored."
    )
    newest_stored: IsoTime | None = Field(
        description="Close of the newest stored bar of this history; null when nothing is stored."
    )
    missing_bars: int = Field(ge=0, description="Number of bars not stored between the rows of this page.")
    gaps: list[GapItem] = Field(max_length=MAX_GAPS, description="The first gaps of this page, oldest first.")
    truncated: bool = Field(description="True when fewer rows than `limit` fit into one answer.")
    next: str | None = Field(
        max_length=CURSOR_CHARS, description="Cursor of the next page; null on the last one."
    )
    note: str | None = Field(
        max_length=REASON_CHARS,
        description="What an empty page means and how the store is filled, else null.",
    )
