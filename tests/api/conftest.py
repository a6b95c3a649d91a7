"""Fakes of the use cases, built from real domain objects, and a client that talks ASGI to the real app."""

from __future__ import annotations

import asyncio
import dataclasses
import time
from collections.abc import Callable, Mapping
from typing import Any

import httpx2
import pytest
from fastapi import FastAPI

from app.api.app import create_api
from app.api.deps import ApiServices, StoredKeys
from app.api.options import ApiOptions
from app.api.session import Sessions
from app.core.clock import ManualClock
from app.core.domain.answer import MarketAnswer, MarketExtra, ProbeResult, ProbeStatus, SignalAnswer
from app.core.domain.budget import BudgetReport, BudgetRow
from app.core.domain.catalog import CatalogAnswer, EndpointInfo
from app.core.domain.context import Capability, DataMode, EnhancedSignalContext
from app.core.domain.flow_config import FlowConfig
from app.core.domain.live import LiveCard
from app.core.domain.market import (
    HOUR_MS,
    Candles,
    LiquidationHistory,
    MarketReading,
    Price,
    PriceKind,
    Series,
    Unit,
)
from app.core.domain.quality import Attempt, CacheState, Missing, MissingReason, Reading
from app.core.domain.signal import (
    Basis,
    Confidence,
    ConfidenceLevel,
    Direction,
    FactorName,
    FactorScore,
    FactorStatus,
    Figure,
    Mode,
    Signal,
)
from app.core.domain.status import (
    DependencyState,
    DependencyStatus,
    ProviderState,
    ProviderStatus,
    ReadyReport,
    ReadyStatus,
)
from app.core.domain.symbol import Symbol, SymbolMatches, resolve_symbol, search_symbols
from app.core.errors import ProviderNotConfigured
from app.services.alert_service import AlertService
from app.services.audit_trail import AuditTrail
from app.services.coin_service import CoinService
from app.services.coinglass.explorer import Explorer
from app.services.export_service import ExportService
from app.services.flow_service import FlowService
from app.services.history_recorder import HistoryRecorder
from app.services.history_service import HistoryService
from app.services.live_demand import Demand
from app.services.live_service import LiveSink
from app.services.open_interest_replay import OpenInterestReplay
from app.services.record_service import RecordService
from app.services.stats_service import StatsService
from app.services.streaming.warm_cache import MemoryWarmCache
from tests.access_facts import MemoryAudit
from tests.derivatives_facts import FakeDerivatives
from tests.flow_facts import FakeAlerts
from tests.heatmap_facts import HeatmapRig
from tests.liquidity_rig import LiquidityRig
from tests.memory_store import MemoryStore
from tests.stored_facts import FakeStore
from tests.track_facts import FakeTrack
from tests.watch_facts import MemoryCoins, make_watchlist

NOW_MS = 1_772_000_000_000
KNOWN = frozenset({"BTC", "ETH", "SOL", "PEPE", "DOGE", "BTT", "FD", "FDUSD", *(f"C{n}" for n in range(30))})


def reading(value: object, provider: str = "okx", detail: str = "") -> Reading[Any]:
    attempts = (
        Attempt("coinglass", "some_history", "not_in_plan", 0.1, None, detail or "not in plan hobbyist"),
        Attempt(provider, "endpoint", "ok", 12.3456789, CacheState.MISS, ""),
    )
    return Reading(value, provider, "endpoint", NOW_MS - 5_000, NOW_MS - 1_000, CacheState.MISS, attempts)


def make_context(symbol: str = "BTC", *, detail: str = "no key") -> EnhancedSignalContext:
    closes = tuple(NOW_MS - HOUR_MS * n for n in (2, 1, 0))

    def series(unit: Unit, *values: float) -> Reading[Any]:
        return reading(Series(unit, HOUR_MS, closes, values, "OI-weighted, Binance,OKX"))

    column = (1.0, 2.0, 3.0)
    return EnhancedSignalContext(
        symbol=Symbol(symbol),
        as_of_ms=NOW_MS,
        data_mode=DataMode.DEMO,
        price=reading(Price(96_200.5, PriceKind.LAST_TRADE, "OKX")),
        candles=reading(Candles("OKX", HOUR_MS, closes, column, column, column, column)),
        liquidations=reading(LiquidationHistory(HOUR_MS, closes, column, column, "Binance,OKX")),
        open_interest_usd=series(Unit.USD, 9e9, 9.1e9, 9.2e9),
        open_interest_base=series(Unit.BASE, 9e4, 9.1e4, 9.2e4),
        funding=series(Unit.FRAC_PER_8H, 0.0001, 0.0001, 0.00012),
        account_ratio=series(Unit.FRAC, 0.5, 0.6, 0.716),
        top_position_ratio=series(Unit.FRAC, 0.5, 0.5, 0.52),
        social=Missing(MissingReason.NOT_CONFIGURED, detail),
        fear_greed=series(Unit.SCORE, 20.0, 21.0, 22.0),
    )


def make_factor(name: FactorName, *, text: str = "") -> FactorScore:
    return FactorScore(
        name=name,
        weight=12.5,
        v=-0.123456789,
        status=FactorStatus.OK,
        provider="okx",
        ts_event_ms=NOW_MS - 65_432,
        basis=Basis.RANK,
        evidence=0.000123456789123,
        evidence_unit="frac_per_8h",
        percentile=0.97,
        history_n=720,
        detail=text,
        sentence=text or "Funding is high: bearish",
        metrics=(("f8_frac", 0.000123),),
    )


def make_signal(symbol: str = "BTC", mode: Mode = Mode.BALANCED, *, text: str = "") -> Signal:
    return Signal(
        symbol=Symbol(symbol),
        as_of_ms=NOW_MS,
        data_mode=DataMode.DEMO,
        mode=mode,
        direction=Direction.SHORT,
        score=34.56789,
        confidence=Confidence(61.23456, ConfidenceLevel.HIGH, 0.9, 0.6, 0.9),
        coverage=0.9,
        price=reading(Price(0.00001182345678901, PriceKind.LAST_TRADE, "OKX")),
        price_stale=False,
        funding_8h_frac=0.00012,
        open_interest_usd=Figure(9.2e9, "coinglass", NOW_MS - 60_000),
        social_score=None,
        factors=tuple(make_factor(name, text=text) for name in FactorName),
        reasons=(text or "71.6 % of accounts long: crowded, bearish",) * 3,
        reason=text or "SHORT 35/100: crowded longs",
        missing=tuple((name.value, text or "no key") for name in FactorName)
        if text
        else (("social", "no key"),),
        engine_version="1",
    )


class FakeSignals:
    """Answers for known symbols; counts how often it computes. `gate` can hold answers back."""

    def __init__(self) -> None:
        self.known: frozenset[str] = KNOWN
        self.calls = 0
        self.started: asyncio.Queue[None] = asyncio.Queue()
        self.error: Exception | None = None
        self.text = ""
        self.change: dict[str, Any] = {}
        self.gate: Callable[[], Any] | None = None

    def resolve(self, text: str) -> Symbol:
        return resolve_symbol(text, self.known)

    async def signal(self, text: str, mode: Mode, timeframe: str = "1h") -> SignalAnswer:
        symbol = self.resolve(text)
        self.calls += 1
        self.started.put_nowait(None)
        if self.gate is not None:
            await self.gate()
        if self.error is not None:
            raise self.error
        signal = make_signal(symbol.base, mode, text=self.text)
        context = make_context(symbol.base, detail=self.text or "no key")
        return SignalAnswer(dataclasses.replace(signal, **self.change), context, 12.3456)


class FakeMarket:
    def __init__(self) -> None:
        self.readings = 2

    def resolve(self, text: str) -> Symbol:
        return resolve_symbol(text, KNOWN)

    async def market(self, text: str) -> MarketAnswer:
        symbol = self.resolve(text)
        figures = tuple(MarketReading(f"figure_{n}", n + 0.5, "usd") for n in range(self.readings))
        extras = tuple(
            MarketExtra("coinglass", f"group_{n}", figures, NOW_MS - 1000, NOW_MS, None, "") for n in range(3)
        )
        failed = MarketExtra("okx", "taker_volume", (), None, None, "timeout", "no answer in 8 s")
        return MarketAnswer(symbol, make_context(symbol.base), (*extras, failed))

    async def probe_premium(self, text: str) -> tuple[ProbeResult, ...]:
        self.resolve(text)
        return (
            ProbeResult(
                "heatmap",
                "coinglass",
                "heatmap",
                ProbeStatus.NOT_IN_PLAN,
                1.0,
                "not_in_plan: upgrade: x",
                (),
                None,
            ),
            ProbeResult(
                "whales",
                "coinglass",
                "whale_alerts",
                ProbeStatus.OK,
                20.0,
                None,
                (MarketReading("positions", 3.0, "count"),),
                NOW_MS,
            ),
        )


class FakeSymbols:
    """The coins that the other fakes know."""

    def search(self, text: str, limit: int) -> SymbolMatches:
        return search_symbols(text, KNOWN, limit)


class FakeCatalog:
    """The real catalogue; calls pass the real checks and answer two rows."""

    def __init__(self) -> None:
        self._real = Explorer(None, None)

    def endpoints(self) -> tuple[EndpointInfo, ...]:
        return self._real.endpoints()

    async def call(
        self, endpoint: str, params: Mapping[str, str], *, is_raw: bool, cursor: str
    ) -> CatalogAnswer:
        try:
            return await self._real.call(endpoint, params, is_raw=is_raw, cursor=cursor)
        except ProviderNotConfigured:
            rows = [{"priceUsd": 1.5}, {"priceUsd": None}]
            return CatalogAnswer(
                endpoint, "coinglass", "standard", NOW_MS - 2_000, CacheState.HIT, is_raw, rows, 2, None, None
            )


class FakeBudget:
    """A key with a plan and as many planned resources as the test wants."""

    def __init__(self) -> None:
        self.rows = 2

    def budget(self) -> BudgetReport:
        rows = tuple(
            BudgetRow(
                "futures_coins_markets", f"page={n}", 9.0 - n / 100, True, 4.25, 60.0, 61.5, 55.75, "ok"
            )
            for n in range(self.rows)
        )
        return BudgetReport(
            "coinglass", ProviderState.OK, "standard", 300, 12, 288, 60, 240.0, 0.9512, 0.25, rows
        )


class FakeHealth:
    def __init__(self) -> None:
        self.status = ReadyStatus.OK
        self.dependency = DependencyStatus("cache", DependencyState.OK, "")

    async def ready(self) -> ReadyReport:
        return ReadyReport(
            status=self.status,
            price_ok=self.status is not ReadyStatus.UNAVAILABLE,
            data_mode=DataMode.DEMO,
            providers=(
                ProviderStatus("okx", ProviderState.OK, NOW_MS, None, "closed", None, None, None),
                ProviderStatus(
                    "coinglass",
                    ProviderState.DOWN,
                    None,
                    "timeout",
                    "open",
                    "standard",
                    12,
                    300,
                    ("heatmap",),
                ),
            ),
            dependencies=(self.dependency,),
        )


class FakeLive:
    """A sink to push by hand, and cards as the test sets them."""

    def __init__(self) -> None:
        self.demand = Demand(monotonic=lambda: 0.0)
        self.shown: tuple[LiveCard, ...] = ()

    async def cards(self) -> tuple[LiveCard, ...]:
        return self.shown

    async def gathered(self, within_s: float) -> None:
        """At once."""

    async def run(self, sink: LiveSink) -> None:
        """Nothing by itself."""


class Counted:
    """Remembers what the edge tells of requests."""

    def __init__(self) -> None:
        self.begun_count = self.ended_count = 0
        self.answers: list[dict[str, Any]] = []
        self.refusals: list[str] = []

    def begun(self) -> None:
        self.begun_count += 1

    def ended(self) -> None:
        self.ended_count += 1

    def answered(self, **seen: Any) -> None:
        self.answers.append(seen)

    def refused(self, reason: str) -> None:
        self.refusals.append(reason)


class Rig:
    """One app with fakes, a hand-moved monotonic clock and a client."""

    def __init__(
        self, *, wall_ms: Callable[[], int] = lambda: NOW_MS, keys: StoredKeys | None = None, **options: Any
    ) -> None:
        self.now_s = 1_000_000.0
        self.wall_ms = wall_ms
        self.signals, self.market, self.health = FakeSignals(), FakeMarket(), FakeHealth()
        self.derivatives = FakeDerivatives(KNOWN)
        self.budget = FakeBudget()
        self.heatmap = HeatmapRig(known=KNOWN)
        self.liquidity = LiquidityRig(known=KNOWN, now_ms=NOW_MS)
        self.store = FakeStore()
        self.warm = MemoryWarmCache(now_ms=lambda: NOW_MS, monotonic=lambda: self.now_s)
        self.alerts = FakeAlerts()
        self.track = FakeTrack(KNOWN)
        self.live = FakeLive()
        self.coins = MemoryCoins()
        self.watchlist = make_watchlist(self.coins)
        self.observed: list[dict[str, Any]] = []
        self.audit_log = MemoryAudit()
        self.audit = AuditTrail(self.audit_log, wall_ms=wall_ms)
        self.counted = Counted()
        self.observed = self.counted.answers
        defaults = {"public_url": "https://signals.example.com", "data_mode": DataMode.DEMO, "version": "9.9"}
        self.options = ApiOptions(**{**defaults, **options})
        self.app: FastAPI = create_api(
            self.options,
            ApiServices(
                self.signals,
                self.market,
                self.derivatives,
                FakeCatalog(),
                self.budget,
                self.health,
                heatmap=self.heatmap.service,
                liquidity=self.liquidity.service,
                history=HistoryService(self.store, resolve=self.derivatives.resolve),
                replay=OpenInterestReplay(
                    bars=self.store,
                    upstream=self.derivatives,
                    recorder=HistoryRecorder(self.store),
                    clock=ManualClock(NOW_MS),
                ),
                record=RecordService(
                    log=self.store, recorder=HistoryRecorder(self.store), resolve=self.derivatives.resolve
                ),
                exports=ExportService(self.store, resolve=self.derivatives.resolve),
                flow=FlowService(
                    self.warm,
                    resolve=self.derivatives.resolve,
                    config=FlowConfig(),
                    clock=ManualClock(NOW_MS),
                ),
                alerts=AlertService(self.alerts, resolve=self.derivatives.resolve),
                track=self.track,
                symbols=FakeSymbols(),
                live=self.live,
                coins=CoinService(self.watchlist, resolve=self.derivatives.resolve),
                stats=StatsService(
                    watchlist=self.watchlist,
                    signals=self.track,
                    alerts=self.alerts,
                    store=MemoryStore(),
                    clock=ManualClock(NOW_MS),
                    live_clients=lambda: 3,
                ),
                candles=self.liquidity.service,
                audit=self.audit,
                keys=keys,
            ),
            metrics_text=lambda: b"signals_total 1\n",
            now_ms=lambda: NOW_MS,
            monotonic=lambda: self.now_s,
            wall_ms=wall_ms,
            observe=self.counted,
        )

    def cookie_of(self, token: str) -> str:
        """`name=value` of a session opened with `token`, as a browser sends it back."""
        opened = Sessions(self.options, wall_ms=lambda: time.time_ns() // 1_000_000).cookie_of_token(token)
        assert opened is not None
        return opened.partition(";")[0]

    def client(self, address: str = "127.0.0.1") -> httpx2.AsyncClient:
        transport = httpx2.ASGITransport(self.app, client=(address, 1))
        return httpx2.AsyncClient(transport=transport, base_url="http://testserver")

    async def get(self, path: str, *, address: str = "127.0.0.1", **kwargs: Any) -> httpx2.Response:
        async with self.client(address) as client:
            return await client.get(path, **kwargs)


@pytest.fixture
def make_rig() -> type[Rig]:
    return Rig


@pytest.fixture
def rig() -> Rig:
    return Rig()


@pytest.fixture(scope="module")
def module_rig() -> Rig:
    return Rig()


@pytest.fixture
def kept_rig(module_rig: Rig) -> Rig:
    """One app for the tests of a module that only ask, and change nothing of it or its fakes.

    Each of them asks an hour after the one before: no cached answer and no used up rate is left.
    """
    module_rig.now_s += 3_600.0
    return module_rig


@pytest.fixture
def capability_count() -> int:
    return len(Capability)
