"""The honest record as plain values: what was said, what became of it, and how sure that is.

Made by `core.record` from live evaluations and from backtests alike, so that both carry the same honesty
fields; rendered by the API, Telegram, MCP and the HTML report. Returns and shares are fractions, of the
entry's notional and after costs; times are UTC epoch milliseconds.
"""

from __future__ import annotations

from dataclasses import dataclass

from app.core.domain.stored import ChainReport

# Under so many independent outcomes a record says so and nobody should trade on it.
ENOUGH_EFFECTIVE_N = 400.0


@dataclass(frozen=True, slots=True)
class Share:
    """A share of n with its 95 % interval (Wilson), all 0..1."""

    share: float
    low: float
    high: float
    n: int


@dataclass(frozen=True, slots=True)
class Mean:
    """A mean with its 95 % interval from whole blocks of time. effective_n: independent observations that
    would be as uncertain; at most n."""

    mean: float
    low: float
    high: float
    n: int
    effective_n: float

    @property
    def holds_zero(self) -> bool:
        return self.low <= 0.0 <= self.high


@dataclass(frozen=True, slots=True)
class TradeStats:
    """What the trades of one rule came to at one horizon.

    emitted = scored + unscorable + open. hit_rate: wins of the scored, interval as if they were independent;
    hit_rate_apart: the interval for the effective n, the one to read. break_even: share of wins at which
    these very trades, time-outs included, would have earned nothing; barrier_break_even: the same if all of
    them reached a barrier. mean_net, total_net_frac: one unit of stake each time, after costs.
    max_drawdown_frac: largest fall of the running total, 0 or more. All None without a scored trade; mean_net
    too where all trades fall into one block of time, which says nothing of how sure it is. engine_minus: mean
    net of the engine less that of this rule; None for the engine itself.
    """

    name: str
    emitted: int
    scored: int
    unscorable: int
    open: int
    wins: int
    hit_rate: Share | None
    hit_rate_apart: Share | None
    effective_n: float | None
    break_even: float | None
    mean_net: Mean | None
    total_net_frac: float | None
    max_drawdown_frac: float | None
    engine_minus: Mean | None = None
    barrier_break_even: float | None = None


@dataclass(frozen=True, slots=True)
class Group:
    """Trades of the engine by one trait. trait: side, tier, volatility, trend or confidence; stats.name: its
    value."""

    trait: str
    stats: TradeStats


@dataclass(frozen=True, slots=True)
class ReliabilityBin:
    """Probabilities in [low, high): how many, their mean, and how many came true."""

    low: float
    high: float
    n: int
    mean_probability: float | None
    hit_rate: float | None


@dataclass(frozen=True, slots=True)
class Calibrated:
    """A fit of score -> chance that the trade wins, judged on data after what it was fitted on.

    method: logistic or isotonic, whichever was better on the past. n: test outcomes; fitted_n: outcomes of
    the last fit. brier, base_brier: of the fit and of the base rate of the past, on the same outcomes;
    reliability - resolution + uncertainty = brier of the binned probabilities (Murphy). skill: 1 - brier /
    base_brier, positive is better than the base rate; gain: base rate's squared error less the fit's, with
    its interval. is_shown: the whole interval lies above 0; else `why_not` says in words why answers carry no
    probability.
    """

    method: str
    n: int
    fitted_n: int
    brier: float
    base_brier: float
    skill: float
    gain: Mean
    log_loss: float
    base_log_loss: float
    reliability: float
    resolution: float
    uncertainty: float
    bins: tuple[ReliabilityBin, ...]
    is_shown: bool
    why_not: str


@dataclass(frozen=True, slots=True)
class HorizonRecord:
    """One horizon (`15m`, `1h`, `4h`, `24h`). calibrated: None with its reason in `no_calibration`."""

    horizon: str
    engine: TradeStats
    groups: tuple[Group, ...]
    baselines: tuple[TradeStats, ...]
    calibrated: Calibrated | None
    no_calibration: str


@dataclass(frozen=True, slots=True)
class DeflatedSharpe:
    """Chance that the engine's Sharpe ratio is above 0 after choosing the best of `variants` tried ones.

    sharpe: per day, not annualised; days: of the record; benchmark: the Sharpe ratio that the best of so many
    worthless variants would show; probability: 0..1 (Bailey and Lopez de Prado 2014).
    """

    sharpe: float
    days: int
    variants: int
    benchmark: float
    probability: float


@dataclass(frozen=True, slots=True)
class TrackRecord:
    """One record.

    symbol: None for all coins together. evaluations: all scheduled ones; neutral: those without a direction,
    which are not scored. headline: the horizon that stands for the record. enough_data: effective n of the
    engine's trades there is 400 or more. deflated: None with fewer than 30 days of trades. notes: what a
    reader has to know, in sentences.
    """

    symbol: str | None
    from_ms: int | None
    to_ms: int | None
    engine_versions: tuple[str, ...]
    evaluations: int
    neutral: int
    long: int
    short: int
    headline: str
    horizons: tuple[HorizonRecord, ...]
    variants: int
    deflated: DeflatedSharpe | None
    enough_data: bool
    notes: tuple[str, ...]

    @property
    def at_headline(self) -> HorizonRecord | None:
        """The headline horizon; None in a record that has no horizon yet."""
        return next((one for one in self.horizons if one.horizon == self.headline), None)


@dataclass(frozen=True, slots=True)
class RecordAnswer:
    """A record with when it was computed. It may be some minutes old: `computed_ms` is market time.

    summary: what it says in one plain sentence (`core.record.summary`). no_probability: why signals carry
    none now, whichever rows this record has: their fit is one of all coins; empty where they carry one.
    """

    as_of_ms: int
    computed_ms: int
    record: TrackRecord
    summary: str
    no_probability: str


@dataclass(frozen=True, slots=True)
class ChainAnswer:
    """What a walk over the chains found, and the market time it began: up to a minute before now."""

    walked_ms: int
    report: ChainReport


@dataclass(frozen=True, slots=True)
class SignalCount:
    """Stored signals of one coin, trigger, mode and direction."""

    symbol: str
    trigger: str
    mode: str
    direction: str
    count: int
    mean_score: float
    mean_coverage: float


@dataclass(frozen=True, slots=True)
class SignalStats:
    """How many signals were stored since `since_ms`, and of what kind; counts are not outcomes."""

    as_of_ms: int
    since_ms: int
    counts: tuple[SignalCount, ...]
