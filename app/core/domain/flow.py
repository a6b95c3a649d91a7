"""What the stream carries and what detectors find: frames, events, windows, findings.

Events are named tuples: a hundred thousand a second leave no time to copy each one. Times are UTC epoch
milliseconds, money USD, shares fractions; `ts_event_ms` is when it happened at the venue, `ts_init_ms` when
this service learned it. Made by the stream adapters and `core.flow`, read by `services.streaming` and the
API.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple

from app.core.domain.signal import Direction
from app.core.domain.stored import LiquidatedSide


class LiquidationEvent(NamedTuple):
    """One forced order, normalised, before it has an id (`core.flow.identify` turns it into a row).

    liquidated_side: "LONG" (a forced SELL) or "SHORT". price: as the venue states it, per single coin; often
    the bankruptcy price, so never a price path. base: coins, None where unknown.
    """

    symbol: str
    exchange: str
    pair: str
    liquidated_side: str
    price: float
    usd: float
    base: float | None
    ts_event_ms: int


class TradeEvent(NamedTuple):
    """One trade of a perpetual; is_buy: the TAKER bought. Price per single coin."""

    symbol: str
    exchange: str
    pair: str
    is_buy: bool
    price: float
    usd: float
    ts_event_ms: int


class PriceTick(NamedTuple):
    """A last traded price, per single coin."""

    symbol: str
    exchange: str
    price: float
    ts_event_ms: int


class StreamGap(NamedTuple):
    """Time of which events may be missing. to_ms: first data after it; reason: `drop`, `stall`, `start`..."""

    source: str
    from_ms: int
    to_ms: int
    reason: str


@dataclass(frozen=True, slots=True)
class StreamFrame:
    """Everything usable of one frame of one source, in the order of the frame.

    source: `coinglass` or `okx`. rejects: events of the frame that were refused, by reason. gap: set on the
    first data frame after a connection was lost; events of the last 60 s before `gap.from_ms` may then come
    again.
    """

    source: str
    ts_init_ms: int
    liquidations: tuple[LiquidationEvent, ...] = ()
    trades: tuple[TradeEvent, ...] = ()
    ticks: tuple[PriceTick, ...] = ()
    rejects: Mapping[str, int] = field(default_factory=dict)
    gap: StreamGap | None = None


class LinkState(StrEnum):
    """How one upstream stream does."""

    OFF = "off"  # not configured, or not wanted now (stand-by)
    STANDBY = "standby"
    CONNECTING = "connecting"
    LIVE = "live"  # data arrives
    SILENT = "silent"  # connected and subscribed, no data yet or for too long
    REFUSED = "refused"  # key or plan: not tried again soon
    ALARM = "alarm"  # data arrives and none of it can be read


@dataclass(frozen=True, slots=True)
class LinkStatus:
    """One upstream stream. Counters since the start; rejects by reason; never a URL."""

    source: str
    state: LinkState
    detail: str
    connected_ms: int | None
    last_data_ms: int | None
    frames: int
    events: int
    rejects: Mapping[str, int]
    reconnects: int
    gaps: int


class AlertKind(StrEnum):
    """What a finding is about."""

    STOP_HUNT = "STOP_HUNT"  # a cascade of liquidations, through all its phases
    ACCUMULATION = "ACCUMULATION"
    DISTRIBUTION = "DISTRIBUTION"
    WHALE_ACCUMULATION = "WHALE_ACCUMULATION"
    WHALE_DISTRIBUTION = "WHALE_DISTRIBUTION"
    VOLUME_SPIKE = "VOLUME_SPIKE"
    WHALE_POSITION = "WHALE_POSITION"
    FUNDING_EXTREME = "FUNDING_EXTREME"
    OI_SPIKE = "OI_SPIKE"
    LIQUIDATION_ZSCORE = "LIQUIDATION_ZSCORE"
    HEATMAP = "HEATMAP"


class Phase(StrEnum):
    """Where a cascade stands. Only `reclaim` has a direction."""

    BUILDING = "building"
    PEAK = "peak"
    RECLAIM = "reclaim"
    CONTINUATION = "continuation"
    ENDED = "ended"  # over without a verdict: no price path


@dataclass(frozen=True, slots=True)
class TradeLevels:
    """Where to enter, where the idea is wrong, where to take profit (nearest first), USD.

    LONG: stop < entry < every target; SHORT mirrored. Never built otherwise.
    """

    entry: float
    stop: float
    targets: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Finding:
    """What one detector saw in one coin, now.

    episode: names the burst; two findings of one episode are one alert that grows. is_final: the episode is
    over. direction: of the trade it speaks for, NEUTRAL where it speaks for none. side: whose positions were
    closed (liquidation kinds). usd: size; ratio: over the tier's threshold; window_s: what it was summed
    over.
    price: last TRADED price known, None without a price path. confidence: the detector's own, 0-100.
    percentile: of this figure within the coin's own past, 0..1, or None. evidence: numbers by name, units in
    the names. burst: names the stretch of time and coin; findings of one burst are one source.
    """

    kind: AlertKind
    symbol: str
    direction: Direction
    episode: str
    burst: str
    started_ms: int
    ts_event_ms: int
    usd: float
    ratio: float
    window_s: int
    price: float | None
    confidence: float
    side: LiquidatedSide | None = None
    phase: Phase | None = None
    levels: TradeLevels | None = None
    percentile: float | None = None
    is_final: bool = False
    evidence: tuple[tuple[str, float], ...] = ()


@dataclass(frozen=True, slots=True)
class LiquidationWindow:
    """Liquidated USD of one coin in the last `window_s` seconds of event time (edges on whole seconds: it
    covers window_s to window_s + 1 seconds, never less; 1 h and 24 h of a busy coin up to a minute more).

    largest_usd: largest single event; low, high: range of the prices as stated by the venues, None without
    events.
    """

    window_s: int
    long_usd: float
    short_usd: float
    long_events: int
    short_events: int
    largest_usd: float
    low: float | None
    high: float | None


@dataclass(frozen=True, slots=True)
class TradeWindow:
    """Taker volume of one coin in the last `window_s` seconds of event time. large: at or above the tier's
    large-order threshold."""

    window_s: int
    buy_usd: float
    sell_usd: float
    buys: int
    sells: int
    large_buys: int
    large_sells: int


@dataclass(frozen=True, slots=True)
class CascadeNow:
    """A cascade under way. peak_usd: largest sum within its window so far."""

    side: LiquidatedSide
    phase: Phase
    started_ms: int
    usd: float
    events: int
    price: float | None


@dataclass(frozen=True, slots=True)
class FlowSnapshot:
    """Rolling aggregates of one coin: what the warm cache holds.

    as_of_ms: when it was taken; newest_event_ms: the newest event in it; covered_since_ms: from when on
    nothing is missing (start or last gap): a window that reaches further back is not whole.
    large_usd: threshold of a large order of this coin's tier. price_exchange: where `price` was traded, None
    where nobody said (then it is no price to sign with).
    """

    symbol: str
    tier: int
    as_of_ms: int
    newest_event_ms: int | None
    covered_since_ms: int
    source: str
    price: float | None
    price_ms: int | None
    large_usd: float
    liquidations: tuple[LiquidationWindow, ...]
    trades: tuple[TradeWindow, ...]
    trades_covered_since_ms: int | None
    cascade: CascadeNow | None
    price_exchange: str | None = None


@dataclass(frozen=True, slots=True)
class PipelineStatus:
    """What the pipeline did since the start. events: liquidations; trades, ticks: those that came; lag_ms:
    arrival minus event time of the newest liquidation.

    alerts: by fate, `kept`, `edited` or the reason why nobody was told.
    """

    started_ms: int
    events: int
    duplicates: int
    late_events: int
    skewed_events: int
    trades: int
    symbols: int
    findings: int
    alerts: Mapping[str, int]
    lag_ms: int | None
    ticks: int = 0
