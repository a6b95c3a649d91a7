"""Answers of the flow routes: rolling windows of liquidations and trades, and how the worker does.

Field names are public contract: added to, not renamed. Times are ISO-8601 UTC, ages seconds, shares
fractions.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from app.api.schemas.base import REASON_CHARS, ApiModel, Detail, IsoTime, Name, SymbolText
from app.core.domain.context import DataMode
from app.core.domain.flow import AlertKind, LinkState, Phase
from app.core.domain.flow_answer import FlowState
from app.core.domain.stored import LiquidatedSide

MAX_ITEMS = 50
MAX_WINDOWS = 6
MAX_WORKERS = 16
MAX_LINKS = 8
MAX_REASONS = 20
MAX_GAPS = 20
MAX_NOTES = 20

Age = Annotated[float | None, Field(ge=0, description="Seconds since then; higher is older.")]
Reason = Annotated[
    str | None, Field(max_length=REASON_CHARS, description="Why there is less than there could be.")
]
WindowS = Annotated[
    int, Field(ge=1, description="Length of the window in seconds; larger looks further back.")
]
LongUsd = Annotated[float, Field(ge=0, description="Longs closed by force in USD; larger is more selling.")]
ShortUsd = Annotated[float, Field(ge=0, description="Shorts closed by force in USD; larger is more buying.")]
Whole = Annotated[bool, Field(description="True when no stretch of the window went unseen.")]
Usd = Annotated[float, Field(ge=0, description="Sum in USD; larger is more.")]
Tier = Annotated[
    int, Field(ge=1, le=3, description="Number of the coin's class: 1 BTC and ETH, 2 named, 3 rest.")
]


class FlowPrice(ApiModel):
    """The last trade that was streamed."""

    price_usd: float = Field(gt=0, description="Price in USD per coin.")
    exchange: Name | None = Field(description="Where it was traded, null when it was not said.")
    as_of: IsoTime = Field(description="When it was traded.")
    age_s: Age


class TradeWindowItem(ApiModel):
    """Taker volume of one window, of the trades that are streamed: CoinGlass's from a fifth of `largeUsd`
    on, OKX's all."""

    window_s: WindowS
    buy_usd: float = Field(ge=0, description="Streamed taker buys in USD; larger is more buying.")
    sell_usd: float = Field(ge=0, description="Streamed taker sells in USD; larger is more selling.")
    buy_share_frac: float | None = Field(
        ge=0,
        le=1,
        description="Taker buys as a fraction of both; higher is more buying, null without volume.",
    )
    trades: int = Field(ge=0, description="Number of streamed trades.")
    large_buys: int = Field(ge=0, description="Number of taker buys of `largeUsd` or more.")
    large_sells: int = Field(ge=0, description="Number of taker sells of `largeUsd` or more.")
    verdict: AlertKind | None = Field(description="ACCUMULATION, DISTRIBUTION or null for neither.")
    why_none: Detail | None = Field(description="What a verdict lacked, null when there is one.")
    whole: Whole


class OrderFlowResponse(ApiModel):
    """Taker flow of one coin."""

    timestamp: IsoTime = Field(description="When this answer was made; market time, UTC.")
    data_mode: DataMode = Field(description="live, demo (simulated market) or replay (recorded past).")
    symbol: SymbolText
    state: FlowState
    reason: Reason
    source: Name | None = Field(description="Upstream stream, null without data.")
    as_of: IsoTime | None = Field(description="When the windows were taken, null without data.")
    age_s: Age
    large_usd: float | None = Field(ge=0, description="A large order of this coin in USD; larger is rarer.")
    windows: list[TradeWindowItem] = Field(max_length=MAX_WINDOWS, description="Shortest first.")
    price: FlowPrice | None = Field(description="The last trade, null when trades are not streamed.")


class LiquidationWindowItem(ApiModel):
    """Liquidations of one window."""

    window_s: WindowS
    long_usd: LongUsd
    short_usd: ShortUsd
    long_events: int = Field(ge=0, description="Number of longs closed by force.")
    short_events: int = Field(ge=0, description="Number of shorts closed by force.")
    largest_usd: float = Field(ge=0, description="Largest single one in USD; larger is more.")
    low_usd: float | None = Field(gt=0, description="Price in USD, lowest of the venues' statements.")
    high_usd: float | None = Field(gt=0, description="Price in USD, highest of the venues' statements.")
    dominant_side: LiquidatedSide | None = Field(
        description="Side with more USD, null on a tie or without any."
    )
    dominant_share_frac: float | None = Field(
        ge=0.5, le=1, description="Its fraction of both sides; higher is more one-sided."
    )
    whole: Whole


class TierItem(ApiModel):
    """Thresholds of the coin's class."""

    tier: Tier
    cascade_usd: float = Field(
        ge=0, description="USD liquidated in 30 seconds that make a cascade; larger is rarer."
    )
    large_usd: float = Field(ge=0, description="USD of a large order; larger is rarer.")
    absorption_usd: float = Field(
        ge=0, description="USD of opposite taker volume that absorbs a cascade; larger is rarer."
    )


class CascadeItem(ApiModel):
    """A cascade of liquidations under way."""

    symbol: SymbolText
    side: LiquidatedSide
    phase: Phase
    started: IsoTime = Field(description="Its first liquidation.")
    age_s: Age
    usd: Usd
    events: int = Field(ge=0, description="Number of liquidations.")
    price_usd: float | None = Field(gt=0, description="Price in USD of the last trade, null without trades.")


class LiquidationFlowResponse(ApiModel):
    """Rolling liquidations of one coin."""

    timestamp: IsoTime = Field(description="When this answer was made; market time, UTC.")
    data_mode: DataMode = Field(description="live, demo (simulated market) or replay (recorded past).")
    symbol: SymbolText
    state: FlowState
    reason: Reason
    source: Name | None = Field(description="Upstream stream, null without data.")
    as_of: IsoTime | None = Field(description="When the windows were taken, null without data.")
    age_s: Age
    newest_event: IsoTime | None = Field(description="Newest event of the coin, null without one.")
    covered_since: IsoTime | None = Field(description="From when on nothing is missing, null without data.")
    thresholds: TierItem
    windows: list[LiquidationWindowItem] = Field(max_length=MAX_WINDOWS, description="Shortest first.")
    cascade: CascadeItem | None = Field(description="The cascade under way, null without one.")
    price: FlowPrice | None = Field(description="The last trade, null when trades are not streamed.")


class ImbalanceItem(ApiModel):
    """One coin of the ranking."""

    symbol: SymbolText
    tier: Tier
    long_usd: LongUsd
    short_usd: ShortUsd
    net_usd: float = Field(description="Longs less shorts in USD; positive is selling pressure.")
    dominant_side: LiquidatedSide | None = Field(description="Side with more USD, null on a tie.")
    dominant_share_frac: float | None = Field(
        ge=0.5, le=1, description="Its fraction of both sides; higher is more one-sided."
    )
    ratio: float = Field(
        ge=0, description="Both sides in multiples of the class's cascade threshold; larger is more."
    )
    price_usd: float | None = Field(gt=0, description="Price in USD of the last trade, null without trades.")
    age_s: Age
    whole: Whole


class FlowTopResponse(ApiModel):
    """Coins with the most one-sided liquidations now."""

    timestamp: IsoTime = Field(description="When this answer was made; market time, UTC.")
    data_mode: DataMode = Field(description="live, demo (simulated market) or replay (recorded past).")
    state: FlowState
    reason: Reason
    window_s: WindowS
    coins: int = Field(ge=0, description="Number of coins looked at.")
    stale_coins: int = Field(ge=0, description="Number of coins left out because their figures are old.")
    items: list[ImbalanceItem] = Field(max_length=MAX_ITEMS, description="Largest imbalance first.")
    cascades: list[CascadeItem] = Field(max_length=MAX_ITEMS, description="Under way now, largest first.")


class CountItem(ApiModel):
    """How often something happened since the worker's start."""

    name: Name = Field(description="What happened.")
    count: int = Field(ge=0, description="Number of times.")


class LinkItem(ApiModel):
    """One upstream stream of a worker."""

    source: Name = Field(description="Upstream stream.")
    state: LinkState
    detail: Detail | None = Field(description="More about the state, null when there is nothing to add.")
    last_data_age_s: Age
    frames: int = Field(ge=0, description="Number of frames since the start.")
    events: int = Field(ge=0, description="Number of events since the start.")
    rejects: list[CountItem] = Field(
        max_length=MAX_REASONS, description="Refused events by reason, most first."
    )
    reconnects: int = Field(ge=0, description="Number of connections made again.")
    gaps: int = Field(ge=0, description="Number of gaps.")


class StreamGapItem(ApiModel):
    """A stretch of time of which events may be missing."""

    source: Name = Field(description="Upstream stream.")
    since: IsoTime = Field(description="Last data before it.")
    until: IsoTime = Field(description="First data after it.")
    reason: Name = Field(description="What happened.")


class PipelineItem(ApiModel):
    """What a worker made of the events since its start."""

    started: IsoTime = Field(description="When the worker started.")
    events: int = Field(ge=0, description="Number of liquidations taken.")
    trades: int = Field(ge=0, description="Number of trades taken.")
    duplicates: int = Field(ge=0, description="Number of events that came twice and counted once.")
    late_events: int = Field(ge=0, description="Number of events later than the windows allow.")
    skewed_events: int = Field(ge=0, description="Number of events with a time that cannot be.")
    symbols: int = Field(ge=0, description="Number of coins with windows.")
    findings: int = Field(ge=0, description="Number of findings of all detectors.")
    lag_s: float | None = Field(description="Seconds from the newest event to its arrival; higher is slower.")
    alerts: list[CountItem] = Field(
        max_length=MAX_REASONS, description="Alerts by what became of them, most first."
    )


class OutboxItem(ApiModel):
    """What waits to be sent."""

    pending: int = Field(ge=0, description="Number of messages that wait.")
    sending: int = Field(ge=0, description="Number of messages on their way.")
    failed: int = Field(ge=0, description="Number of messages refused for good.")
    uncertain: int = Field(ge=0, description="Number of messages that may or may not have arrived.")
    oldest_age_s: Age


class WorkerItem(ApiModel):
    """One worker process, as it said itself."""

    worker: Name = Field(description="Name of the process.")
    as_of: IsoTime = Field(description="When it said so.")
    age_s: Age
    links: list[LinkItem] = Field(max_length=MAX_LINKS, description="Its upstream streams.")
    pipeline: PipelineItem | None = Field(description="Null for a process that judges nothing.")
    gaps: list[StreamGapItem] = Field(max_length=MAX_GAPS, description="Gaps of the last day, newest first.")
    outbox: OutboxItem | None = Field(description="Null where the store did not answer or is not asked.")
    alarms: list[Detail] = Field(
        max_length=MAX_NOTES, description="What is wrong now; empty when nothing is."
    )
    notes: list[Detail] = Field(max_length=MAX_NOTES, description="What is not watched for now, and why.")


class StreamStatusResponse(ApiModel):
    """How the streams and the alerts do."""

    timestamp: IsoTime = Field(description="When this answer was made; market time, UTC.")
    data_mode: DataMode = Field(description="live, demo (simulated market) or replay (recorded past).")
    state: FlowState
    reason: Reason
    coins: int = Field(ge=0, description="Number of coins with an event within a day.")
    newest_event: IsoTime | None = Field(description="Newest event of any coin, null without one.")
    newest_event_age_s: Age
    workers: list[WorkerItem] = Field(max_length=MAX_WORKERS, description="By name.")
