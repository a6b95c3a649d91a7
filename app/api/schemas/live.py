"""What the live feed and `/api/signals` show of each coin and of the market. Field names are public contract.

Ages are not told: a message of the feed says what time the market has, and the reader counts from there.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from app.api.schemas.base import (
    REASON_CHARS,
    ApiModel,
    Detail,
    IsoTime,
    Name,
    Sentence,
    SymbolText,
)
from app.api.schemas.flow import ImbalanceItem, LongUsd, Reason, ShortUsd, Usd, Whole
from app.core.domain.context import DataMode
from app.core.domain.flow import AlertKind, Phase
from app.core.domain.flow_answer import FlowState
from app.core.domain.market import PriceKind
from app.core.domain.signal import ConfidenceLevel, Direction, Mode
from app.core.domain.stored import LiquidatedSide, Trigger

MAX_CARDS = 500
MAX_MISSING = 20
MAX_ALARMS = 20

CoverageFrac = Annotated[
    float,
    Field(ge=0, le=1, description="Fraction of the total weight with fresh data; higher is more complete."),
]
Score = Annotated[
    float, Field(ge=0, le=100, description="Composite in points, 0 bearish, 50 neutral, 100 bullish.")
]
ConfidencePoints = Annotated[
    float,
    Field(
        ge=0,
        le=100,
        description="Confidence in points, 0 to 100; higher when factors agree, are strong and have data.",
    ),
]


class LiveCoin(ApiModel):
    """One coin of the watchlist."""

    symbol: SymbolText
    on: bool = Field(description="True while it is followed.")


class LiveWindow(ApiModel):
    """Liquidations of one coin in one window."""

    long_usd: LongUsd
    short_usd: ShortUsd
    whole: Whole


class LiveFlow(ApiModel):
    """Streamed taker volume of five minutes."""

    buy_usd: float = Field(ge=0, description="Taker buys in USD; larger is more buying.")
    sell_usd: float = Field(ge=0, description="Taker sells in USD; larger is more selling.")
    buy_share_frac: float | None = Field(
        ge=0, le=1, description="Taker buys as a fraction of both; higher is more buying."
    )
    trades: int = Field(ge=0, description="Number of streamed trades.")
    large_buys: int = Field(ge=0, description="Number of large taker buys.")
    large_sells: int = Field(ge=0, description="Number of large taker sells.")
    verdict: AlertKind | None = Field(description="ACCUMULATION, DISTRIBUTION or null for neither.")
    why_none: Detail | None = Field(description="What a verdict lacked, null when there is one.")


class LiveCascade(ApiModel):
    """A cascade of liquidations under way."""

    side: LiquidatedSide
    phase: Phase
    started: IsoTime = Field(description="Its first liquidation.")
    usd: Usd
    events: int = Field(ge=0, description="Number of liquidations.")


class LiveCascadeOfCoin(LiveCascade):
    """The same with its coin."""

    symbol: SymbolText
    price_usd: float | None = Field(gt=0, description="Price in USD of the last trade, null without trades.")


class LiveQuoteItem(ApiModel):
    """One coin as it is streamed."""

    symbol: SymbolText
    price_usd: float | None = Field(gt=0, description="Price in USD of the last trade, null without trades.")
    price_as_of: IsoTime | None = Field(description="When it was traded.")
    price_source: Name | None = Field(description="Upstream stream of the price.")
    exchange: Name | None = Field(description="Where it was traded, null when it was not said.")
    liq1h: LiveWindow | None = Field(description="Liquidations of the last hour.")
    liq24h: LiveWindow | None = Field(description="Liquidations of the last 24 hours.")
    flow5m: LiveFlow | None = Field(description="Null unless trades of the coin are streamed.")
    cascade: LiveCascade | None = Field(description="The cascade under way, null without one.")
    as_of: IsoTime | None = Field(description="When all this was taken.")


class LiveError(ApiModel):
    """Why something is not shown."""

    code: Name = Field(description="Stable error code, such as no_price.")
    detail: str = Field(max_length=REASON_CHARS, description="What is wrong, in words.")


class LiveCardItem(ApiModel):
    """The newest evaluation of one watched coin, in balanced mode. Market data, not advice."""

    symbol: SymbolText
    signal: Direction | None = Field(description="Direction; null when `error` says why.")
    score: Score | None
    confidence: ConfidenceLevel | None = Field(description="Level of confidence.")
    confidence_score: ConfidencePoints | None
    coverage: CoverageFrac | None
    reason: str | None = Field(max_length=REASON_CHARS, description="The answer in one line.")
    reasons: list[Sentence] = Field(max_length=3, description="Up to three sentences, strongest first.")
    missing: list[Name] = Field(max_length=MAX_MISSING, description="Inputs that did not count.")
    price_usd: float | None = Field(gt=0, description="Price in USD per coin; `priceKind` says which one.")
    price_kind: PriceKind | None = Field(description="Which price it is.")
    price_source: Name | None = Field(description="Provider of the price.")
    price_as_of: IsoTime | None = Field(description="When that was the price.")
    price_status: Name | None = Field(description="ok, or stale: too old, so the signal is NEUTRAL.")
    change24h_frac: float | None = Field(
        description="Price against the close 24 h before as a fraction; positive is up, null unknown."
    )
    funding_rate8h_frac: float | None = Field(
        description="Funding per 8 h as a fraction; positive: longs pay shorts. Null unknown."
    )
    funding_as_of: IsoTime | None = Field(description="When that was the funding.")
    open_interest_usd: float | None = Field(
        ge=0, description="Open interest in USD; higher is more open positions, null unknown."
    )
    open_interest_as_of: IsoTime | None = Field(description="When that was the open interest.")
    open_interest_source: Name | None = Field(description="Provider of the open interest.")
    probability: float | None = Field(
        ge=0,
        le=1,
        description="Calibrated chance as a fraction; higher is likelier, null until earned.",
    )
    as_of: IsoTime | None = Field(description="Market time the inputs were complete, UTC.")
    error: LiveError | None = Field(description="Why there is no signal, null when there is one.")


class LiveSums(ApiModel):
    """Liquidations of all coins in one window."""

    long_usd: LongUsd
    short_usd: ShortUsd
    coins: int = Field(ge=0, description="Number of coins with any.")
    whole: Whole


class LiveMarketItem(ApiModel):
    """The market strip."""

    fear_greed: float | None = Field(
        ge=0, le=100, description="Fear & greed in points, 0 fear to 100 greed; higher is greedier."
    )
    fear_greed_as_of: IsoTime | None = Field(description="When that was the index.")
    fear_greed_label: Name | None = Field(description="The index in one word, such as extreme_fear.")
    liq1h: LiveSums
    liq24h: LiveSums
    coins_seen: int = Field(ge=0, description="Number of coins that the stream tells of now.")
    state: FlowState
    reason: Reason
    as_of: IsoTime = Field(description="Newest figure in it.")


class LiveImbalance(ImbalanceItem):
    """One coin of the ranking, with the time its age counts from; the feed leaves the age out."""

    as_of: IsoTime = Field(description="When it was taken.")


class LiveSignalItem(ApiModel):
    """One stored signal, in short."""

    id: Name = Field(description="Id of the signal.")
    symbol: SymbolText
    direction: Direction
    mode: Mode
    trigger: Trigger
    score: Score
    confidence: ConfidencePoints
    coverage: CoverageFrac
    price_usd: float = Field(gt=0, description="Price in USD per coin at that time.")
    as_of: IsoTime = Field(description="Market time its inputs were complete, UTC.")
    reason: str = Field(max_length=REASON_CHARS, description="The answer in one line.")


class LiveStream(ApiModel):
    """How the stream does."""

    state: FlowState
    reason: Reason
    newest_event: IsoTime | None = Field(description="Newest event of any coin, null without one.")
    workers: int = Field(ge=0, description="Number of worker processes heard of lately.")
    alarms: list[Detail] = Field(max_length=MAX_ALARMS, description="What is wrong now.")


class LiveSignalsResponse(ApiModel):
    """The watchlist's cards."""

    timestamp: IsoTime = Field(description="When this answer was made; market time, UTC.")
    data_mode: DataMode = Field(description="live, demo (simulated market) or replay (recorded past).")
    items: list[LiveCardItem] = Field(max_length=MAX_CARDS, description="In the order of the watchlist.")
