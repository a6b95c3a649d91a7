"""Reports of backtests for tests, by hand: with everything, with nothing, and their mirror image."""

from __future__ import annotations

import math
from dataclasses import replace

from app.core.backtest.odd_bars import OddBar, OddBars
from app.core.backtest.report import (
    Ambiguous,
    BacktestReport,
    CoinReport,
    Curve,
    FactorReport,
    ModeReport,
    VariantReport,
    Verdict,
)
from app.core.backtest.variants import Variant
from app.core.backtest.weights import ChosenFold, WeightsReport
from app.core.domain.engine_config import DEFAULT_WEIGHTS
from app.core.domain.signal import FactorName, Mode
from app.core.domain.track_record import (
    Calibrated,
    DeflatedSharpe,
    Group,
    HorizonRecord,
    Mean,
    ReliabilityBin,
    Share,
    TrackRecord,
    TradeStats,
)

DAY_MS = 86_400_000
FROM_MS = 1_764_892_800_000  # 2025-12-05 00:00 UTC
TO_MS = FROM_MS + 90 * DAY_MS
HOUR_MS = 3_600_000
ODD_BARS = (
    OddBars("hourly candles", 2881, 2, (OddBar(FROM_MS + 5 * DAY_MS, 100.0), OddBar(TO_MS, 0.93))),
    OddBars("price path of 1 min", 129_600, 0, ()),
)
SUMMARY = "In 90 days 212 signals were scored after 4 h: no edge is shown."
SIDES = {"LONG": "SHORT", "SHORT": "LONG", "always long": "always short", "always short": "always long"}


def share(part: float, n: int, half: float = 0.067) -> Share:
    return Share(part, part - half, part + half, n)


def mean(at: float, half: float = 0.0011, n: int = 212, effective_n: float = 61.4) -> Mean:
    return Mean(at, at - half, at + half, n, effective_n)


def trades(
    name: str = "engine",
    *,
    wins: int = 100,
    scored: int = 212,
    net: float = -0.00031,
    minus: float | None = None,
) -> TradeStats:
    """Statistics of a rule that won `wins` of `scored` and earned `net` a trade."""
    return TradeStats(
        name=name,
        emitted=scored + 5,
        scored=scored,
        unscorable=2,
        open=3,
        wins=wins,
        hit_rate=share(wins / scored, scored),
        hit_rate_apart=share(wins / scored, 61, 0.121),
        effective_n=61.4,
        break_even=0.5812,
        mean_net=mean(net, n=scored),
        total_net_frac=net * scored,
        max_drawdown_frac=0.1234,
        engine_minus=None if minus is None else mean(minus),
    )


def no_trades(name: str = "engine") -> TradeStats:
    """A rule that never traded."""
    return TradeStats(name, 0, 0, 0, 0, 0, None, None, None, None, None, None, None)


def calibrated(*, is_shown: bool = False) -> Calibrated:
    said = {3: (40, 0.352, 0.325), 4: (96, 0.451, 0.479), 5: (51, 0.533, 0.49), 6: (12, 0.62, 0.75)}
    bins = tuple(ReliabilityBin(k / 10, (k + 1) / 10, *said.get(k, (0, None, None))) for k in range(10))
    return Calibrated(
        method="logistic",
        n=199,
        fitted_n=640,
        brier=0.2512,
        base_brier=0.2491,
        skill=-0.0084,
        gain=mean(-0.0021, 0.0034),
        log_loss=0.6954,
        base_log_loss=0.6913,
        reliability=0.0041,
        resolution=0.002,
        uncertainty=0.2491,
        bins=bins,
        is_shown=is_shown,
        why_not="" if is_shown else "not better than the base rate on later data",
    )


def horizon(name: str, net: float = -0.00031) -> HorizonRecord:
    groups = [
        ("side", "LONG", 61), ("side", "SHORT", 39), ("tier", "1", 100), ("volatility", "low", 30),
        ("volatility", "high", 44), ("trend", "up", 40), ("trend", "none", 31), ("trend", "unknown", 4),
        ("confidence", "low", 90), ("confidence", "medium", 10),
    ]  # fmt: skip
    rules = [("always long", 0.0009), ("always short", -0.0031), ("momentum only", 0.0002)]
    rules += [(f"{factor.value} alone", 0.0004 * k - 0.0012) for k, factor in enumerate(FactorName)]
    rules += [("equal weights", 0.0001), ("random at the engine's rate", 0.0003)]
    return HorizonRecord(
        name,
        trades(net=net),
        tuple(Group(trait, trades(value, wins=wins, scored=2 * wins)) for trait, value, wins in groups),
        tuple(trades(rule, net=net - minus, minus=minus) for rule, minus in rules),
        calibrated(is_shown=name == "24h"),
        "",
    )


HORIZON_NETS = {"15m": -0.0014, "1h": -0.0009, "4h": -0.00031, "24h": 0.0006}
NOTES = (
    "Coins share their days: intervals take whole blocks of time.",
    "Funding was recorded for BTC alone.",
)


def record(symbol: str | None = None) -> TrackRecord:
    return TrackRecord(
        symbol=symbol,
        from_ms=FROM_MS,
        to_ms=TO_MS,
        engine_versions=("1.1.0",),
        evaluations=4322,
        neutral=4105,
        long=140,
        short=77,
        headline="4h",
        horizons=tuple(horizon(name, net) for name, net in HORIZON_NETS.items()),
        variants=239,
        deflated=DeflatedSharpe(0.043, 88, 239, 0.211, 0.1234),
        enough_data=False,
        notes=NOTES,
    )


def coin(base: str, *, lacks: tuple[str, ...] = ()) -> CoinReport:
    sources = {
        "candles": "Binance, 1h",
        "liquidations": "CoinGlass, 1h",
        "funding": "CoinGlass, weighted by open interest",
        "social": "none",
        "fear & greed": "alternative.me, daily",
        "price path": "Binance, 1 min",
        "funding paid": "Binance, at its stamps",
    }
    sources |= dict.fromkeys(lacks, "not recorded: not charged")
    return CoinReport(base, tuple(sources.items()), 60_000, ODD_BARS, 2161, 0.973, record(base))


def factor(name: FactorName, k: int) -> FactorReport:
    verdicts = list(Verdict)
    verdict = verdicts[k % len(verdicts)]
    added = {Verdict.HELPED: 0.0019, Verdict.HURT: -0.0021}.get(verdict, 0.0002)
    is_known = verdict is not Verdict.NOT_RECORDED
    return FactorReport(
        name,
        0.91 if is_known else 0.0,
        mean(0.012, 0.041, 2161, 310.0) if is_known else None,
        trades(f"without {name.value}", minus=added if is_known else None),
        verdict,
        f"{name.value}: {verdict.value}, on these 90 days.",
    )


def curve(name: str, slope: float, points: int = 400) -> Curve:
    step = (TO_MS - FROM_MS) // points
    totals = [slope * k / points + 0.02 * math.sin(k / 17 + slope * 40) for k in range(points)]
    return Curve(name, tuple((FROM_MS + k * step, total) for k, total in enumerate(totals)))


def full_report() -> BacktestReport:
    """Everything there is, as on three months of recorded hours of two coins."""
    names = ["engine", *(rule.name for rule in horizon("4h").baselines)]
    return BacktestReport(
        source="recorded hours, Binance and CoinGlass",
        data_mode="replay",
        from_ms=FROM_MS,
        to_ms=TO_MS,
        step_ms=3_600_000,
        asked=4529,
        engine_version="1.1.0",
        weights=tuple(DEFAULT_WEIGHTS.items()),
        record=record(),
        coins=(coin("BTC"), coin("ETH", lacks=("liquidations", "funding paid"))),
        percentiles=((1, 36.4), (5, 40.9), (25, 47.7), (50, 52.3), (75, 57.5), (95, 65.8), (99, 72.2)),
        modes=(
            ModeReport(Mode.CONSERVATIVE, 0.018, 0.001, trades("conservative", wins=20, scored=41)),
            ModeReport(Mode.BALANCED, 0.058, 0.006, trades("balanced")),
            ModeReport(Mode.AGGRESSIVE, 0.234, 0.068, trades("aggressive", wins=640, scored=1300)),
        ),
        correlations=(
            ("15m", mean(0.021, 0.016, 4322, 3800.0)),
            ("1h", mean(0.008, 0.034, 4322, 2100.0)),
            ("4h", mean(0.006, 0.051, 4322, 700.0)),
            ("24h", mean(-0.094, 0.071, 4322, 160.0)),
        ),
        factors=tuple(factor(name, k) for k, name in enumerate(FactorName)),
        sensitivity=tuple(
            VariantReport(name, 0.05, 0.007, trades(name, minus=0.0002 * k))
            for k, name in enumerate(f"{one.value} x {by:g}" for one in FactorName for by in (0.5, 1.5))
        ),
        dearer=trades("engine", net=-0.00191),
        ambiguous=tuple(
            Ambiguous(name, share, 0.18)
            for name, share in (("15m", 0.31), ("1h", 0.22), ("4h", 0.154), ("24h", 0.154))
        ),
        funding_unknown=12,
        curves=tuple(curve(name, 0.03 * (k - 7) / 3) for k, name in enumerate(names)),
    )


def empty_report() -> BacktestReport:
    """Nothing was scored, and nothing is known of anything."""
    none = no_trades()
    bare = HorizonRecord("4h", none, (), (no_trades("always long"),), None, "no outcomes to fit on")
    nothing = TrackRecord(None, None, None, (), 0, 0, 0, 0, "4h", (bare,), 239, None, False, ())
    coin = CoinReport(
        "BTC", (("candles", "none"),), HOUR_MS, (), 0, 0.0, replace(nothing, symbol="BTC", horizons=())
    )
    social = FactorReport(FactorName.SOCIAL, 0.0, None, none, Verdict.NOT_RECORDED, "social: not recorded.")
    return BacktestReport(
        source="simulated market, seed 7",
        data_mode="demo",
        from_ms=FROM_MS,
        to_ms=FROM_MS,
        step_ms=3_600_000,
        asked=0,
        engine_version="1.1.0",
        weights=(),
        record=nothing,
        coins=(coin,),
        percentiles=(),
        modes=(ModeReport(Mode.BALANCED, 0.0, 0.0, none),),
        correlations=(("4h", None),),
        factors=(social,),
        sensitivity=(),
        dearer=none,
        ambiguous=(Ambiguous("4h", None, None),),
        funding_unknown=0,
        curves=(Curve("engine", ()),),
    )


def without_horizons(report: BacktestReport) -> BacktestReport:
    """A record that has not even a headline."""
    return replace(report, record=replace(report.record, horizons=()), factors=(), modes=(), coins=())


def weights_report(difference: Mean | None = None, *, beats_default: bool = False) -> WeightsReport:
    chosen = Variant("without social", (22.2, 16.7, 16.7, 16.6, 11.1, 11.1, 0.0, 5.6))
    spans = [(FROM_MS + days * DAY_MS, FROM_MS + (days + 20) * DAY_MS) for days in (30, 50, 70)]
    folds = tuple(ChosenFold(*span, chosen, 2 * span[0] % 97, 41, 0.021, 33, -0.013) for span in spans)
    return WeightsReport("4h", 226, folds, 123, 0.063, 99, -0.039, difference, beats_default)


def mirrored(stats: TradeStats) -> TradeStats:
    return replace(stats, name=SIDES.get(stats.name, stats.name))


def mirrored_record(found: TrackRecord) -> TrackRecord:
    """LONG where SHORT was; what either came to goes with it."""
    horizons = tuple(
        replace(
            one,
            groups=tuple(replace(group, stats=mirrored(group.stats)) for group in one.groups),
            baselines=tuple(mirrored(rule) for rule in one.baselines),
        )
        for one in found.horizons
    )
    return replace(found, horizons=horizons, long=found.short, short=found.long)


def mirrored_report(report: BacktestReport) -> BacktestReport:
    """The same backtest in a market upside down."""
    return replace(
        report,
        record=mirrored_record(report.record),
        coins=tuple(replace(one, record=mirrored_record(one.record)) for one in report.coins),
        modes=tuple(replace(one, long_frac=one.short_frac, short_frac=one.long_frac) for one in report.modes),
        sensitivity=tuple(
            replace(one, long_frac=one.short_frac, short_frac=one.long_frac) for one in report.sensitivity
        ),
    )
