"""What the HTTP layer needs from the inside, as protocols, bundled in `ApiServices`.

The composition root passes the real use cases, tests pass fakes. Nothing here knows a provider.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from app.core.domain.access import AuditEvent, AuditQuery, StoredKey
from app.core.domain.alerts import AlertQuery, StoredAlert
from app.core.domain.answer import MarketAnswer, ProbeResult, SignalAnswer
from app.core.domain.budget import BudgetReport
from app.core.domain.catalog import CatalogAnswer, EndpointInfo
from app.core.domain.flow_answer import (
    FlowAnswer,
    FlowTopAnswer,
    OrderFlowAnswer,
    StreamStatusAnswer,
)
from app.core.domain.heatmap import HeatmapAnswer, HeatmapQuery
from app.core.domain.history import HistoryAnswer, HistoryRequest, ReplayedInterest
from app.core.domain.liquidity_answer import LiquidityAnswer
from app.core.domain.live import LiveCard
from app.core.domain.market import Candles
from app.core.domain.quality import Missing, Reading
from app.core.domain.sentiment import SentimentAnswer
from app.core.domain.service_stats import ServiceStats
from app.core.domain.signal import Mode
from app.core.domain.status import ReadyReport
from app.core.domain.stored import ExportQuery, Page, SignalQuery, StoredSignal
from app.core.domain.symbol import Symbol, SymbolMatches
from app.core.domain.track_record import ChainAnswer, RecordAnswer, SignalStats
from app.core.domain.trades import TradesAnswer
from app.core.domain.views import Parts, View, ViewQuery
from app.core.domain.watchlist import WatchChange, WatchedCoin
from app.services.audit_trail import Occurrence
from app.services.live_demand import Demand
from app.services.live_service import LiveSink


class SignalUseCase(Protocol):
    """Text in, signal out."""

    def resolve(self, text: str) -> Symbol:
        """Raises: InvalidParameter, UnknownSymbol."""
        ...

    async def signal(self, text: str, mode: Mode, timeframe: str) -> SignalAnswer:
        """Raises: InvalidParameter, UnknownSymbol, NoPriceAvailable."""
        ...


class MarketUseCase(Protocol):
    """Raw readings of one coin."""

    def resolve(self, text: str) -> Symbol:
        """Raises: InvalidParameter, UnknownSymbol."""
        ...

    async def market(self, text: str) -> MarketAnswer:
        """Raises: InvalidParameter, UnknownSymbol."""
        ...

    async def probe_premium(self, text: str) -> tuple[ProbeResult, ...]:
        """Try every premium capability alone. Raises: InvalidParameter, UnknownSymbol."""
        ...


class DerivativesUseCase(Protocol):
    """Parts of the derivatives market; what cannot be had is a part that says why."""

    def resolve(self, text: str) -> Symbol:
        """Raises: InvalidParameter, UnknownSymbol."""
        ...

    async def parts(self, views: Sequence[View], query: ViewQuery) -> Parts:
        """Every view of `views` under one deadline; never raises a provider error."""
        ...


class HeatmapUseCase(Protocol):
    """Stored liquidations of one coin by time and price."""

    def resolve(self, text: str) -> Symbol:
        """Raises: InvalidParameter, UnknownSymbol."""
        ...

    async def heatmap(self, symbol: Symbol, query: HeatmapQuery) -> HeatmapAnswer:
        """Raises: StorageUnavailable."""
        ...

    async def picture(self, symbol: Symbol, query: HeatmapQuery) -> bytes:
        """The same as PNG. Raises: StorageUnavailable."""
        ...


class LiquidityUseCase(Protocol):
    """Structure, zones and liquidations of one coin and timeframe."""

    def resolve(self, text: str) -> Symbol:
        """Raises: InvalidParameter, UnknownSymbol."""
        ...

    async def analyse(self, symbol: Symbol, timeframe: str) -> LiquidityAnswer:
        """Raises: InvalidParameter, NoPriceAvailable."""
        ...

    async def sentiment(self, symbol: Symbol, timeframe: str) -> SentimentAnswer:
        """Raises: InvalidParameter, NoPriceAvailable."""
        ...

    async def picture(self, symbol: Symbol, timeframe: str) -> bytes:
        """As PNG. Raises: InvalidParameter, NoPriceAvailable."""
        ...


class CatalogUseCase(Protocol):
    """Every endpoint of a provider, described and callable by its id."""

    def endpoints(self) -> tuple[EndpointInfo, ...]: ...

    async def call(
        self, endpoint: str, params: Mapping[str, str], *, is_raw: bool, cursor: str
    ) -> CatalogAnswer:
        """Raises: UnknownEndpoint, InvalidParameter, PlanTooLow, ProviderError."""
        ...


class BudgetUseCase(Protocol):
    """How the calls of a provider's key are spent; reads states, calls nobody."""

    def budget(self) -> BudgetReport: ...


class HealthUseCase(Protocol):
    """Readiness of the process and of what it depends on; reads states, calls nobody."""

    async def ready(self) -> ReadyReport: ...


class HistoryUseCase(Protocol):
    """Stored bars; asks nobody upstream."""

    def resolve(self, text: str) -> Symbol:
        """Raises: InvalidParameter, UnknownSymbol."""
        ...

    async def history(self, request: HistoryRequest) -> HistoryAnswer:
        """Raises: InvalidParameter, StorageUnavailable."""
        ...


class ReplayUseCase(Protocol):
    """Open interest bars out of the store, from upstream, or both."""

    async def replay(
        self, symbol: Symbol, interval: str | None, *, limit: int, before_ms: int | None
    ) -> ReplayedInterest:
        """Never raises a provider or a storage error."""
        ...


class RecordUseCase(Protocol):
    """The signals that were kept."""

    def resolve(self, text: str) -> Symbol:
        """Raises: InvalidParameter, UnknownSymbol."""
        ...

    async def page(self, query: SignalQuery) -> Page[StoredSignal]:
        """Raises: InvalidParameter, StorageUnavailable."""
        ...


class SymbolUseCase(Protocol):
    """Which coins can be asked for; reads lists, calls nobody."""

    def search(self, text: str, limit: int) -> SymbolMatches:
        """Raises: InvalidParameter."""
        ...


class ExportUseCase(Protocol):
    """Whole tables in pieces."""

    def resolve(self, text: str) -> Symbol:
        """Raises: InvalidParameter, UnknownSymbol."""
        ...

    def export(
        self, query: ExportQuery
    ) -> tuple[tuple[str, ...], AsyncIterator[Sequence[tuple[object, ...]]]]:
        """Raises: InvalidParameter; iterating raises StorageUnavailable."""
        ...


class FlowUseCase(Protocol):
    """Rolling windows of the worker, out of the warm cache; never waits for a provider or the store."""

    def resolve(self, text: str) -> Symbol:
        """Raises: InvalidParameter, UnknownSymbol."""
        ...

    async def order_flow(self, symbol: Symbol) -> OrderFlowAnswer: ...

    async def flow(self, symbol: Symbol) -> FlowAnswer: ...

    async def top(self, window_s: int, limit: int) -> FlowTopAnswer:
        """Raises: InvalidParameter."""
        ...

    async def status(self) -> StreamStatusAnswer: ...


class AlertUseCase(Protocol):
    """The alerts that were kept."""

    def resolve(self, text: str) -> Symbol:
        """Raises: InvalidParameter, UnknownSymbol."""
        ...

    async def page(self, query: AlertQuery) -> Page[StoredAlert]:
        """Raises: InvalidParameter, StorageUnavailable."""
        ...

    async def one(self, alert_id: str) -> StoredAlert | None:
        """Raises: StorageUnavailable."""
        ...


class TrackUseCase(Protocol):
    """What the signals were worth, and whether they are as they were written."""

    async def record(self, symbol_text: str | None) -> RecordAnswer:
        """None: all coins together. Raises: InvalidParameter, UnknownSymbol, StorageUnavailable."""
        ...

    async def trades(
        self, symbol_text: str | None, *, horizon: str, limit: int, cursor: str | None
    ) -> TradesAnswer:
        """What became of single signals. Raises: InvalidParameter, UnknownSymbol, StorageUnavailable."""
        ...

    async def verify(self) -> ChainAnswer:
        """What the newest walk over every chain found. Raises: StorageUnavailable."""
        ...

    async def stats(self, hours: int) -> SignalStats:
        """Counts of the last `hours`, 1 or more. Raises: StorageUnavailable."""
        ...


class LiveUseCase(Protocol):
    """What the dashboard shows, gathered while somebody listens."""

    @property
    def demand(self) -> Demand:
        """Who listens."""
        ...

    async def gathered(self, within_s: float) -> None:
        """Return when the feed shows what is there now, or after that time."""
        ...

    async def cards(self) -> Sequence[LiveCard]:
        """One of every watched coin; what cannot be had is a card that says why."""
        ...

    async def run(self, sink: LiveSink) -> None:
        """Gather until cancelled."""
        ...


class CoinUseCase(Protocol):
    """The coins that are followed."""

    def coins(self) -> tuple[WatchedCoin, ...]: ...

    async def add(self, text: str) -> WatchChange:
        """Raises: InvalidParameter, UnknownSymbol, WatchlistFull."""
        ...

    async def remove(self, text: str) -> WatchChange:
        """Raises: InvalidParameter, UnknownSymbol, NotWatched."""
        ...

    async def toggle(self, text: str, *, is_on: bool | None) -> WatchChange:
        """None: to what it is not. Raises: InvalidParameter, UnknownSymbol, NotWatched."""
        ...


class StatsUseCase(Protocol):
    """How much there is."""

    async def stats(self) -> ServiceStats:
        """Never raises."""
        ...


class CandlesUseCase(Protocol):
    """Closed candles of one coin."""

    def resolve(self, text: str) -> Symbol:
        """Raises: InvalidParameter, UnknownSymbol."""
        ...

    async def closed_candles(self, symbol: Symbol, interval: str) -> Reading[Candles] | Missing: ...


class AuditUseCase(Protocol):
    """Who did what."""

    def note(self, what: Occurrence) -> None:
        """Take one event; never waits and never fails."""
        ...

    async def page(self, query: AuditQuery) -> Page[AuditEvent]:
        """Newest first. Raises: InvalidParameter, StorageUnavailable."""
        ...


class StoredKeys(Protocol):
    """The keys of the table, as the process knows them; asked synchronously for every request."""

    def active(self) -> tuple[StoredKey, ...]:
        """Those in force; the same object until something changes."""
        ...

    def all(self) -> Sequence[StoredKey]:
        """Every one, for the list."""
        ...

    def use(self, name: str) -> None:
        """A request came with this one."""
        ...


@dataclass(frozen=True, slots=True)
class TelegramWebhook:
    """Where pushed updates go.

    secret_digest: SHA-256 of the agreed secret (`options.digest_of`). accept: takes one update without
    waiting; False when too many wait, so that it is pushed again later.
    """

    secret_digest: bytes
    accept: Callable[[Mapping[str, object]], bool]


@dataclass(frozen=True, slots=True)
class ApiServices:
    """The use cases behind the routes. telegram: None unless the bot works by webhook. keys: None where those
    of the environment are all there are."""

    signals: SignalUseCase
    market: MarketUseCase
    derivatives: DerivativesUseCase
    catalog: CatalogUseCase
    budget: BudgetUseCase
    health: HealthUseCase
    heatmap: HeatmapUseCase
    liquidity: LiquidityUseCase
    history: HistoryUseCase
    replay: ReplayUseCase
    record: RecordUseCase
    exports: ExportUseCase
    flow: FlowUseCase
    alerts: AlertUseCase
    track: TrackUseCase
    symbols: SymbolUseCase
    live: LiveUseCase
    coins: CoinUseCase
    stats: StatsUseCase
    candles: CandlesUseCase
    audit: AuditUseCase
    keys: StoredKeys | None = None
    telegram: TelegramWebhook | None = None
