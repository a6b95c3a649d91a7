"""What a backtest found, as plain values: the record with its honesty fields, and what only history can tell.

Built by `study`, rendered as HTML, JSON and Markdown by the command.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from app.core.backtest.odd_bars import OddBars
from app.core.domain.signal import FactorName, Mode
from app.core.domain.track_record import Mean, TrackRecord, TradeStats


class Verdict(StrEnum):
    """Did a factor help, on this history? CANNOT_TELL is the usual answer of three months."""

    HELPED = "helped"
    HURT = "hurt"
    CANNOT_TELL = "cannot tell"
    NOT_RECORDED = "not recorded"


@dataclass(frozen=True, slots=True)
class FactorReport:
    """One factor.

    counted_frac: share of evaluations in which it counted. correlation: rank correlation of its v with what
    a LONG earned before costs at the headline horizon, over the evaluations in which it counted. without:
    the engine without it; `engine_minus` there is what the factor added to the mean net return of a trade.
    sentence: all of it in one plain sentence.
    """

    name: FactorName
    counted_frac: float
    correlation: Mean | None
    without: TradeStats
    verdict: Verdict
    sentence: str


@dataclass(frozen=True, slots=True)
class VariantReport:
    """Other weights. Shares of all evaluations."""

    name: str
    long_frac: float
    short_frac: float
    stats: TradeStats


@dataclass(frozen=True, slots=True)
class ModeReport:
    """One set of thresholds. Shares of all evaluations."""

    mode: Mode
    long_frac: float
    short_frac: float
    stats: TradeStats


@dataclass(frozen=True, slots=True)
class Curve:
    """Running total of net returns (one unit of stake a trade): (UTC epoch ms, total), at most 400 points."""

    name: str
    points: tuple[tuple[int, float], ...]


@dataclass(frozen=True, slots=True)
class CoinReport:
    """One coin. inputs: (what, where from); path_ms: length of the bars that trades were followed on;
    odd_bars: of candles and path, those that moved further than their past explains; evaluations: how many,
    and the share of them that had enough coverage for a direction."""

    base: str
    inputs: tuple[tuple[str, str], ...]
    path_ms: int
    odd_bars: tuple[OddBars, ...]
    evaluations: int
    covered_frac: float
    record: TrackRecord


@dataclass(frozen=True, slots=True)
class Ambiguous:
    """Share of scored trades that a bar with both barriers in it decided; both sides count it as lost.

    engine_frac: of the engine's trades; all_frac: of all that could have been taken. None without a scored
    one.
    """

    horizon: str
    engine_frac: float | None
    all_frac: float | None


@dataclass(frozen=True, slots=True)
class BacktestReport:
    """One run. source: the data in words; record: all coins together; asked: moments asked for, of all coins
    together, of which `record.evaluations` had a closed candle of the last hour.

    percentiles: score at 1, 5, 25, 50, 75, 95 and 99 %. correlations: per horizon, rank correlation of the
    score with what a LONG earned before costs. dearer: the engine's trades at the headline horizon with every
    cost doubled. ambiguous: one per horizon. funding_unknown: of the engine's scored trades at the headline
    horizon, how many ended where no settlement is known of their coin; no funding was charged there.
    """

    source: str
    data_mode: str
    from_ms: int
    to_ms: int
    step_ms: int
    asked: int
    engine_version: str
    weights: tuple[tuple[FactorName, float], ...]
    record: TrackRecord
    coins: tuple[CoinReport, ...]
    percentiles: tuple[tuple[int, float], ...]
    modes: tuple[ModeReport, ...]
    correlations: tuple[tuple[str, Mean | None], ...]
    factors: tuple[FactorReport, ...]
    sensitivity: tuple[VariantReport, ...]
    dearer: TradeStats
    ambiguous: tuple[Ambiguous, ...]
    funding_unknown: int
    curves: tuple[Curve, ...]
