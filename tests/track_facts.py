"""Track records for tests, with figures that fit each other, and their mirror image."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import Any

from app.core.domain.signal import Direction, FactorName
from app.core.domain.stored import ChainReport, Page
from app.core.domain.symbol import resolve_symbol
from app.core.domain.track_record import (
    Calibrated,
    ChainAnswer,
    DeflatedSharpe,
    Group,
    HorizonRecord,
    Mean,
    RecordAnswer,
    ReliabilityBin,
    Share,
    SignalCount,
    SignalStats,
    TrackRecord,
    TradeStats,
)
from app.core.domain.trades import FirstTouch, Trade, TradeQuery, TradesAnswer, TradeState
from app.core.errors import StorageUnavailable
from app.core.record.summary import summary_of

DAY_MS = 86_400_000
TO_MS = 1_772_000_000_000
HORIZONS = ("15m", "1h", "4h", "24h")
BASELINES = (
    "always long",
    "random at the engine's rate",
    "always short",
    "momentum only",
    *(f"{name.value} alone" for name in FactorName),
    "equal weights",
)
GROUPS = {
    "side": ("LONG", "SHORT"),
    "tier": ("1", "2", "3"),
    "volatility": ("low", "middle", "high", "unknown"),
    "trend": ("up", "none", "down", "unknown"),
    "confidence": ("low", "medium", "high"),
}
SIDES = {
    "LONG": "SHORT",
    "SHORT": "LONG",
    "up": "down",
    "down": "up",
    "always long": "always short",
    "always short": "always long",
}
NO_PROBABILITY = "107 outcomes, 500 are needed for a first fit"


def wilson(wins: float, n: float) -> Share:
    p, z2 = wins / n, 1.959964**2
    middle, half = p + z2 / (2 * n), 1.959964 * math.sqrt(p * (1 - p) / n + z2 / (4 * n * n))
    return Share(p, (middle - half) / (1 + z2 / n), (middle + half) / (1 + z2 / n), round(n))


def mean(at: float, *, half: float = 0.0008, n: int = 212, effective_n: float = 61.4) -> Mean:
    return Mean(at, at - half, at + half, n, effective_n)


def trades(
    name: str = "engine",
    *,
    scored: int = 212,
    wins: int = 100,
    effective_n: float = 61.4,
    is_open: int = 3,
    unscorable: int = 2,
    break_even: float = 0.58,
    net: float = -0.0006,
    minus: float | None = None,
) -> TradeStats:
    """Statistics of one rule; with nothing scored everything unknown is None."""
    known = scored > 0
    return TradeStats(
        name=name,
        emitted=scored + unscorable + is_open,
        scored=scored,
        unscorable=unscorable,
        open=is_open,
        wins=wins if known else 0,
        hit_rate=wilson(wins, scored) if known else None,
        hit_rate_apart=wilson(wins * effective_n / scored, effective_n) if known else None,
        effective_n=effective_n if known else None,
        break_even=break_even if known else None,
        mean_net=mean(net, n=scored, effective_n=effective_n) if known else None,
        total_net_frac=net * scored if known else None,
        max_drawdown_frac=0.1234567 if known else None,
        engine_minus=None if minus is None or not known else mean(minus),
    )


def calibrated(*, is_shown: bool = False) -> Calibrated:
    bins = tuple(
        ReliabilityBin(
            n / 10, (n + 1) / 10, *((53, n / 10 + 0.05, 0.4717) if n in (3, 4) else (0, None, None))
        )
        for n in range(10)
    )
    return Calibrated(
        method="logistic",
        n=106,
        fitted_n=500,
        brier=0.2512,
        base_brier=0.2491,
        skill=-0.0084,
        gain=mean(-0.0021),
        log_loss=0.6954,
        base_log_loss=0.6913,
        reliability=0.0041,
        resolution=0.002,
        uncertainty=0.2491,
        bins=bins,
        is_shown=is_shown,
        why_not="" if is_shown else "not better than the base rate on later data",
    )


def horizon(
    name: str = "4h", engine: TradeStats | None = None, *, fit: Calibrated | None = None
) -> HorizonRecord:
    engine = engine or trades()
    groups = [
        Group(
            trait,
            trades(
                value,
                scored=engine.scored // len(values) + n,
                wins=engine.wins // len(values),
                effective_n=max(1.0, (engine.effective_n or 1.0) / len(values)),
                net=-0.000412345 - n / 9_973,
            ),
        )
        for trait, values in GROUPS.items()
        for n, value in enumerate(values)
    ]
    return HorizonRecord(
        horizon=name,
        engine=engine,
        groups=tuple(groups),
        baselines=tuple(
            trades(rule, scored=700 + n, wins=331 + n, net=-0.000712345, minus=0.000112345 * n)
            for n, rule in enumerate(BASELINES)
        ),
        calibrated=fit,
        no_calibration="" if fit else "107 outcomes, 500 are needed for a first fit",
    )


def record(
    engine: TradeStats | None = None, *, days: float = 31, evaluations: int = 744, **more: Any
) -> TrackRecord:
    """By default a month of one coin's hours in which 217 signals were given and 212 scored at 4 h."""
    engine = engine or trades()
    plain: dict[str, Any] = {
        "symbol": None,
        "from_ms": int(TO_MS - days * DAY_MS),
        "to_ms": TO_MS,
        "engine_versions": ("1.1.0",),
        "evaluations": evaluations,
        "neutral": evaluations - engine.emitted,
        "long": engine.emitted - engine.emitted // 3,
        "short": engine.emitted // 3,
        "headline": "4h",
        "horizons": tuple(
            horizon(name, engine if name == "4h" else trades(scored=205, is_open=10)) for name in HORIZONS
        ),
        "variants": 12,
        "deflated": None,
        "enough_data": (engine.effective_n or 0.0) >= 400,
        "notes": ("Only scheduled hourly evaluations count.",),
    }
    return TrackRecord(**(plain | more))


def empty(symbol: str | None = None) -> TrackRecord:
    """What a service knows on its first day."""
    nothing = trades(scored=0, is_open=0, unscorable=0)
    horizons = tuple(HorizonRecord(name, nothing, (), (), None, "no outcome yet") for name in HORIZONS)
    return record(
        nothing,
        evaluations=0,
        symbol=symbol,
        from_ms=None,
        to_ms=None,
        engine_versions=(),
        horizons=horizons,
        notes=(),
    )


def sharpe(probability: float = 0.41) -> DeflatedSharpe:
    return DeflatedSharpe(sharpe=0.021, days=31, variants=12, benchmark=0.0312, probability=probability)


def mirrored(found: TrackRecord) -> TrackRecord:
    """The record of the same engine on a market turned upside down: sides and trends swap, figures stay."""

    def turned(stats: TradeStats) -> TradeStats:
        return replace(stats, name=SIDES.get(stats.name, stats.name))

    horizons = tuple(
        replace(
            one,
            groups=tuple(replace(group, stats=turned(group.stats)) for group in one.groups),
            baselines=tuple(turned(rule) for rule in one.baselines),
        )
        for one in found.horizons
    )
    return replace(found, long=found.short, short=found.long, horizons=horizons)


def answer(
    found: TrackRecord, *, computed_ms: int = TO_MS - 60_000, no_probability: str = NO_PROBABILITY
) -> RecordAnswer:
    return RecordAnswer(TO_MS, computed_ms, found, summary_of(found), no_probability)


@dataclass(slots=True)
class FakeTrack:
    """A use case that holds records; knows which coins there are."""

    known: frozenset[str]
    found: TrackRecord = field(default_factory=record)
    report: ChainReport = field(default_factory=lambda: ChainReport(2, 1_234, 9_872, ()))
    counts: tuple[SignalCount, ...] = ()
    trades_found: tuple[Trade, ...] = ()
    next_page: str | None = None
    no_probability: str = NO_PROBABILITY
    is_down: bool = False
    asked: list[object] = field(default_factory=list)

    async def record(self, symbol_text: str | None) -> RecordAnswer:
        symbol = None if symbol_text is None else resolve_symbol(symbol_text, self.known).base
        self._ask(symbol)
        return answer(replace(self.found, symbol=symbol), no_probability=self.no_probability)

    async def trades(
        self, symbol_text: str | None, *, horizon: str, limit: int, cursor: str | None
    ) -> TradesAnswer:
        symbol = None if symbol_text is None else resolve_symbol(symbol_text, self.known).base
        query = TradeQuery("1.1.0", horizon, symbol, limit, cursor)
        self._ask(query)
        return TradesAnswer(TO_MS - 1_000, query, Page(self.trades_found[:limit], self.next_page))

    async def verify(self) -> ChainAnswer:
        self._ask("verify")
        return ChainAnswer(TO_MS - 40_000, self.report)

    async def stats(self, hours: int) -> SignalStats:
        self._ask(hours)
        return SignalStats(TO_MS, TO_MS - hours * 3_600_000, self.counts)

    def _ask(self, what: object) -> None:
        if self.is_down:
            raise StorageUnavailable("the database does not answer")
        self.asked.append(what)


SCORED_TRADE = Trade(
    id="8d0f-17",
    symbol="BTC",
    direction=Direction.LONG,
    score=71.456,
    as_of_ms=TO_MS - 18_000_000,
    ends_ms=TO_MS - 3_480_000,
    state=TradeState.SCORED,
    why="",
    entered_ms=TO_MS - 17_880_000,
    entry_price=96_000.123456789,
    target_price=96_500.0,
    stop_price=95_500.0,
    touch=FirstTouch.TARGET,
    exit_ms=TO_MS - 9_000_000,
    exit_price=96_500.0,
    gross_frac=0.0052070486,
    cost_frac=0.0016,
    funding_frac=None,
    net_frac=0.0036070486,
    mfe_frac=0.0052070486,
    mae_frac=-0.0011,
    is_win=True,
)
OPEN_TRADE = Trade(
    id="8d0f-18",
    symbol="PEPE",
    direction=Direction.SHORT,
    score=31.0,
    as_of_ms=TO_MS - 75_000,
    ends_ms=TO_MS + 14_326_000,
    state=TradeState.OPEN,
    why="no entry is known yet: trades are followed once an hour, on closed candles",
)
