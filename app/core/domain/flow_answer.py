"""What the flow use case answers, and what the worker tells other processes about itself and about whales.

Shapes only. An age is the reader's business: every figure carries the time it was taken, and
`MAX_SNAPSHOT_AGE_S` says from when on it is told as stale and not used.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from app.core.domain.alerts import OutboxDepth
from app.core.domain.derivatives import WhaleAlert, WhalePosition
from app.core.domain.flow import AlertKind, CascadeNow, FlowSnapshot, LinkStatus, PipelineStatus, StreamGap
from app.core.domain.flow_config import Tier
from app.core.domain.stored import LiquidatedSide
from app.core.domain.symbol import Symbol

# The worker publishes every live coin several times in this time, changed or not, so that a quiet coin does
# not look like a dead worker.
MAX_SNAPSHOT_AGE_S = 90.0


def is_snapshot_fresh(snapshot: FlowSnapshot, now_ms: int, *, speed: float = 1.0) -> bool:
    """Young enough to be told as now. A snapshot from the future (clocks differ) counts as fresh.

    speed: market seconds per second; a worker in a replay of 60 says all of its coins each 15 minutes of the
    market's.
    """
    return now_ms - snapshot.as_of_ms <= MAX_SNAPSHOT_AGE_S * 1000 * speed


class FlowState(StrEnum):
    """Whether there is something to tell of a coin."""

    LIVE = "live"
    STALE = "stale"  # the worker has not published for too long: shown with its age, not judged
    NO_EVENTS = "no_events"  # the worker runs; this coin had none within a day
    NO_WORKER = "no_worker"  # nobody publishes: the worker does not run, or cannot be read


@dataclass(frozen=True, slots=True)
class WindowShare:
    """One window of liquidations, judged.

    dominant: the side with more USD, None on a tie or without events; its share 0.5..1. is_whole: nothing is
    missing from the window.
    """

    window_s: int
    long_usd: float
    short_usd: float
    long_events: int
    short_events: int
    largest_usd: float
    low: float | None
    high: float | None
    dominant: LiquidatedSide | None
    dominant_frac: float | None
    is_whole: bool


@dataclass(frozen=True, slots=True)
class TradeShare:
    """One window of taker volume, judged.

    buy_frac: share of taker buys, None without volume. verdict: ACCUMULATION or DISTRIBUTION by the rule of
    the detector, None for neither; why_none says what was missing.
    """

    window_s: int
    buy_usd: float
    sell_usd: float
    buys: int
    sells: int
    large_buys: int
    large_sells: int
    buy_frac: float | None
    verdict: AlertKind | None
    why_none: str
    is_whole: bool


@dataclass(frozen=True, slots=True)
class OrderFlowAnswer:
    """Taker flow of one coin. windows: empty unless trades of the coin are streamed."""

    symbol: Symbol
    as_of_ms: int
    state: FlowState
    reason: str
    snapshot: FlowSnapshot | None
    windows: tuple[TradeShare, ...]


@dataclass(frozen=True, slots=True)
class FlowAnswer:
    """Liquidations of one coin in all windows. thresholds: of the coin's tier."""

    symbol: Symbol
    as_of_ms: int
    state: FlowState
    reason: str
    tier: int
    thresholds: Tier
    snapshot: FlowSnapshot | None
    windows: tuple[WindowShare, ...]


@dataclass(frozen=True, slots=True)
class Imbalance:
    """One coin of the ranking: its window, and what was known of its price."""

    symbol: str
    tier: int
    window: WindowShare
    ratio: float
    price: float | None
    as_of_ms: int

    @property
    def net_usd(self) -> float:
        """Longs less shorts liquidated: positive is selling pressure."""
        return self.window.long_usd - self.window.short_usd


@dataclass(frozen=True, slots=True)
class FlowTopAnswer:
    """The coins with the largest one-sided liquidations. coins: fresh ones looked at; stale: left out.

    cascades: under way now, largest first, with the coin each is of.
    """

    as_of_ms: int
    state: FlowState
    reason: str
    window_s: int
    items: tuple[Imbalance, ...]
    cascades: tuple[tuple[str, CascadeNow], ...]
    coins: int
    stale: int


@dataclass(frozen=True, slots=True)
class StreamReport:
    """How one worker process does, as it says itself. gaps: newest last, of the last day."""

    worker: str
    as_of_ms: int
    links: tuple[LinkStatus, ...]
    pipeline: PipelineStatus | None
    gaps: tuple[StreamGap, ...]
    outbox: OutboxDepth | None
    alarms: tuple[str, ...]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class StreamStatusAnswer:
    """Every worker that was heard of lately. reports: by name; reason: why there is none, or ""."""

    as_of_ms: int
    state: FlowState
    reason: str
    reports: tuple[StreamReport, ...]
    snapshots: int
    newest_event_ms: int | None


@dataclass(frozen=True, slots=True)
class WhaleBook:
    """Large positions as last polled. alerts: newest first; positions: largest first.

    *_ms: when the provider was asked for them, None where it did not answer; *_why: the reason then.
    """

    alerts: tuple[WhaleAlert, ...] = ()
    alerts_ms: int | None = None
    alerts_why: str = ""
    positions: tuple[WhalePosition, ...] = ()
    positions_ms: int | None = None
    positions_why: str = ""
    provider: str = ""
