"""Rows as the store keeps them: bars, liquidations, heatmap tiles, signals, alerts.

Bars and events are named tuples and not dataclasses: database drivers take a tuple as it is, and a hundred
thousand events a second leave no time to copy each one. Field order is column order. A bar is stamped by its
CLOSE (`close_ms`), the first moment at which it was knowable; `ts_init_ms` is when this service learned it.
Times are UTC epoch milliseconds, rates and shares fractions, money USD.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Generic, NamedTuple, TypeAlias, TypeVar

T_co = TypeVar("T_co", covariant=True)

ALL_EXCHANGES = "ALL"  # a bar that sums or weights several exchanges


class LiquidatedSide(StrEnum):
    """Whose positions were closed by force. LONG: a forced SELL, pressure down."""

    LONG = "LONG"
    SHORT = "SHORT"


class RatioScope(StrEnum):
    """Whose longs are counted: three different series, never interchangeable."""

    GLOBAL_ACCOUNT = "global_account"
    TOP_ACCOUNT = "top_account"
    TOP_POSITION = "top_position"


class SeriesName(StrEnum):
    """The histories that are kept as bars."""

    CANDLES = "candles"  # CandleRow
    OPEN_INTEREST = "open-interest"  # OpenInterestRow
    FUNDING = "funding"  # FundingRow
    LONG_SHORT = "long-short"  # RatioRow
    TAKER_VOLUME = "taker-volume"  # TakerRow


class CandleRow(NamedTuple):
    """One closed candle of a perpetual. Prices in USD, volume in coins (None where only USD is known).

    source: provider that said so. is_outlier: the move into this bar lies beyond six sigma of its own
    history; shown, never replaced.
    """

    exchange: str
    symbol: str
    interval: str
    close_ms: int
    open: float
    high: float
    low: float
    close: float
    volume_base: float | None
    source: str
    ts_init_ms: int
    is_outlier: bool = False


class OpenInterestRow(NamedTuple):
    """Open interest of one bar: OHLC in USD and in coins, each None where unknown; one close is known.

    exchange: a venue, or ALL for the sum over the venues of the provider.
    """

    exchange: str
    symbol: str
    interval: str
    close_ms: int
    open_usd: float | None
    high_usd: float | None
    low_usd: float | None
    close_usd: float | None
    open_base: float | None
    high_base: float | None
    low_base: float | None
    close_base: float | None
    source: str
    ts_init_ms: int
    is_outlier: bool = False


class FundingRow(NamedTuple):
    """Funding at the close of one bar, each a fraction per 8 h (positive: longs pay shorts), None if unknown.

    rate_8h_frac: of one venue. oi_weighted_8h_frac / volume_weighted_8h_frac: over venues, exchange ALL.
    """

    exchange: str
    symbol: str
    interval: str
    close_ms: int
    rate_8h_frac: float | None
    oi_weighted_8h_frac: float | None
    volume_weighted_8h_frac: float | None
    source: str
    ts_init_ms: int
    is_outlier: bool = False


class RatioRow(NamedTuple):
    """Share of longs at the close of one bar, 0..1 (0.7388, not 2.83); scope says whose."""

    scope: str
    exchange: str
    symbol: str
    interval: str
    close_ms: int
    long_share_frac: float
    source: str
    ts_init_ms: int
    is_outlier: bool = False


class TakerRow(NamedTuple):
    """Taker volume of one bar in USD; the side is the aggressor's."""

    exchange: str
    symbol: str
    interval: str
    close_ms: int
    buy_usd: float
    sell_usd: float
    source: str
    ts_init_ms: int
    is_outlier: bool = False


class LiquidationRow(NamedTuple):
    """One liquidation.

    id: signed 64 bit of the idempotency key (`core.heatmap` and the stream say of what). bucket: of the
    price on the fixed log grid. price: as the venue states it, often the bankruptcy price. base: coins, None
    where unknown. extras: further wire facts as JSON text, None when there are none.
    """

    symbol: str
    ts_event_ms: int
    id: int
    source: str
    exchange: str
    pair: str
    liquidated_side: str
    price: float
    usd: float
    base: float | None
    bucket: int
    ts_init_ms: int
    extras: str | None = None


class TileRow(NamedTuple):
    """USD liquidated in one minute at one price bucket. ts_min: minutes since the epoch (ts_ms // 60,000)."""

    symbol: str
    ts_min: int
    bucket: int
    long_usd: float
    short_usd: float
    events: int


class CompositeRow(NamedTuple):
    """Composite score of one tile, 0..1, and its three parts, each 0..1 or None when it is missing."""

    symbol: str
    ts_min: int
    bucket: int
    score: float
    liquidation_part: float | None
    open_interest_part: float | None
    swing_part: float | None


class AlertRow(NamedTuple):
    """One alert, kept or dropped. drop_reason: None when it was kept. body: all of it, JSON text."""

    id: str
    ts_event_ms: int
    symbol: str
    kind: str
    direction: str
    severity: str
    confidence: float
    usd: float | None
    is_kept: bool
    drop_reason: str | None
    ts_init_ms: int
    body: str


class BaselineRow(NamedTuple):
    """Liquidated USD of one coin in one hour. hour_ms: the hour's CLOSE."""

    symbol: str
    hour_ms: int
    long_usd: float
    short_usd: float
    events: int


class HourSum(NamedTuple):
    """Stored liquidations of one coin in one hour that one stream told. hour_ms: the hour's CLOSE."""

    hour_ms: int
    source: str
    long_usd: float
    short_usd: float
    events: int


class ProbabilityRow(NamedTuple):
    """One published chance that price trades at a level, with its features; later also what happened.

    id: coin, quarter of an hour, level and horizon: said twice in a quarter it is one row. probability: as
    shown, from `source`; closed_form: the driftless walk's. distance_atr: in ATR of 1 h. magnet: 0-100 of the
    cluster; fuel: ln(1 + cluster USD / USD traded in the last hour); funding_z: standard scores of the newest
    funding, towards the level. None: not known. outcome: 1 traded, 0 not, None open, or unscorable once
    `resolved_ms` is set.
    """

    id: str
    symbol: str
    at_ms: int
    due_ms: int
    horizon_h: float
    price_usd: float
    level_usd: float
    side: str
    probability: float
    probability_source: str
    closed_form: float | None
    distance_atr: float | None
    magnet: float | None
    fuel: float | None
    funding_z: float | None
    outcome: float | None
    resolved_ms: int | None
    ts_init_ms: int


MarketRow: TypeAlias = (
    CandleRow
    | OpenInterestRow
    | FundingRow
    | RatioRow
    | TakerRow
    | LiquidationRow
    | CompositeRow
    | AlertRow
    | BaselineRow
    | ProbabilityRow
)
BarRow: TypeAlias = CandleRow | OpenInterestRow | FundingRow | RatioRow | TakerRow


class Trigger(StrEnum):
    """Why a signal was computed. Only scheduled ones count in the record: requests choose their moments."""

    REQUEST = "request"
    SCHEDULE = "schedule"


@dataclass(frozen=True, slots=True)
class StoredSignal:
    """A signal as it was answered, with its place in the chain.

    chain: id of the process's chain; seq: 0, 1, 2 within it; hash: SHA-256 of prev_hash and the row (hex).
    context_digest: SHA-256 of the whole context it was computed from. body: the whole signal as JSON text.
    """

    id: str
    symbol: str
    as_of_ms: int
    trigger: Trigger
    data_mode: str
    mode: str
    direction: str
    score: float
    confidence: float
    coverage: float
    price_usd: float
    reason: str
    engine_version: str
    context_digest: str
    chain: str
    seq: int
    prev_hash: str
    hash: str
    ts_init_ms: int
    body: str


@dataclass(frozen=True, slots=True)
class Page(Generic[T_co]):
    """Some rows and where to go on. cursor: None on the last page, opaque text otherwise."""

    rows: tuple[T_co, ...]
    cursor: str | None


@dataclass(frozen=True, slots=True)
class BarQuery:
    """Which bars. from_ms inclusive, to_ms exclusive, by close; scope only for LONG_SHORT; limit 1..5,000.

    exchange None: every exchange (rows come in order of close_ms, then exchange).
    newest_first: pages go back in time from to_ms.
    """

    series: SeriesName
    symbol: str
    interval: str
    from_ms: int
    to_ms: int
    exchange: str | None = None
    scope: RatioScope | None = None
    limit: int = 500
    cursor: str | None = None
    newest_first: bool = True


@dataclass(frozen=True, slots=True)
class SignalQuery:
    """Which signals, newest first. symbol None: all coins; trigger None: both."""

    symbol: str | None = None
    trigger: Trigger | None = None
    limit: int = 100
    cursor: str | None = None


class ExportName(StrEnum):
    """Tables that can be downloaded whole."""

    SIGNALS = "signals"
    BASELINES = "baselines"
    LIQUIDATIONS = "liquidations"
    ALERTS = "alerts"


@dataclass(frozen=True, slots=True)
class ExportQuery:
    """What to download, oldest first. from_ms inclusive, to_ms exclusive, by the time of the event."""

    name: ExportName
    symbol: str | None
    from_ms: int
    to_ms: int


@dataclass(frozen=True, slots=True)
class ChainReport:
    """What verifying the record found. chains: of signals and of outcomes. broken: (chain, seq, why), at most
    100, chain `-` for what is in none; empty when all hold."""

    chains: int
    signals: int
    outcomes: int
    broken: tuple[tuple[str, int, str], ...]


class StoreState(StrEnum):
    """starting: not open yet. ok. full: no space. down: not answering. refused: opened and not usable."""

    STARTING = "starting"
    OK = "ok"
    FULL = "full"
    DOWN = "down"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class StoreStatus:
    """How the store does.

    buffered_rows: accepted and not yet written; a kill now loses them, and at most `max_buffered_rows` or
    `max_age_s` worth of them. lost_rows: turned away because the buffer was full; rejected_rows: refused by
    the database as unusable; batches: bulk writes that were made. All since the start.
    """

    state: StoreState
    detail: str
    backend: str
    buffered_rows: int
    oldest_buffered_s: float
    max_buffered_rows: int
    max_age_s: float
    written_rows: int
    duplicate_rows: int
    lost_rows: int
    rejected_rows: int
    failed_batches: int
    batches: int = 0
