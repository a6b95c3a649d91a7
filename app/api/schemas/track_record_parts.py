"""Pieces of the honest record: outcomes of trades, splits, baselines, calibration. Field names are public
contract: added to, not renamed. Shares are fractions; returns are fractions of the stake, after costs."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from app.api.schemas.base import ApiModel, Detail

LABEL_CHARS = 30
MAX_GROUPS = 18
MAX_RULES = 14
MAX_BINS = 10

Label = Annotated[str, Field(max_length=LABEL_CHARS)]
ShareFrac = Annotated[
    float | None,
    Field(ge=0, le=1, description="Fraction of scored trades; higher is more, null when unknown."),
]
NetFrac = Annotated[
    float | None,
    Field(description="Net fraction of the stake; positive is a gain, null when unknown."),
]


class TradesItem(ApiModel):
    """What trades came to. emitted = scored + unscorable + open. wilson: 95 % interval as if trades were
    independent; apart: the same for the effective n, the one to read."""

    emitted: int = Field(ge=0, description="Number of trades that were called for.")
    scored: int = Field(ge=0, description="Number of those whose outcome is known.")
    unscorable: int = Field(ge=0, description="Number of those that no data can judge: counted, not guessed.")
    open: int = Field(ge=0, description="Number of those that are not over.")
    wins: int = Field(ge=0, description="Number of scored trades that won after costs.")
    hit_rate: ShareFrac
    wilson_low: ShareFrac
    wilson_high: ShareFrac
    effective_n: float | None = Field(
        ge=0, description="Number of independent outcomes worth as much; trades that overlap count less."
    )
    apart_low: ShareFrac
    apart_high: ShareFrac
    break_even: float | None = Field(
        description="Fraction of wins at which these trades as they ended earn nothing; higher is harder,"
        " above 1 impossible."
    )
    barrier_break_even: float | None = Field(
        description="The same fraction if all had reached a barrier; higher is harder, above 1 impossible.",
    )
    mean_net_frac: NetFrac
    mean_net_low_frac: NetFrac
    mean_net_high_frac: NetFrac
    total_net_frac: float | None = Field(
        description="Net sum as a fraction of one stake; positive is a gain, null when unknown."
    )
    max_drawdown_frac: float | None = Field(
        ge=0, description="Largest fall of that sum as a fraction of one stake; higher is worse."
    )


class HorizonItem(ApiModel):
    """The engine's LONG/SHORT signals at one horizon."""

    horizon: Label = Field(description="Time a trade has: 15m, 1h, 4h or 24h.")
    trades: TradesItem


class SplitItem(ApiModel):
    """The engine's trades of one kind at the headline horizon."""

    trait: Label = Field(description="side, tier, volatility, trend or confidence.")
    name: Label = Field(description="Value of the trait.")
    scored: int = Field(ge=0, description="Number of scored trades.")
    hit_rate: ShareFrac
    apart_low: ShareFrac
    apart_high: ShareFrac
    mean_net_frac: NetFrac


class BaselineItem(ApiModel):
    """A rule anybody could follow, at the headline horizon, and the engine's mean return less its."""

    name: Label = Field(description="The rule.")
    scored: int = Field(ge=0, description="Number of scored trades.")
    hit_rate: ShareFrac
    mean_net_frac: NetFrac
    engine_minus_frac: NetFrac
    engine_minus_low_frac: NetFrac
    engine_minus_high_frac: NetFrac


class ReliabilityItem(ApiModel):
    """Probabilities of one range and how many came true."""

    low: float = Field(ge=0, le=1, description="Least probability as a fraction; higher is likelier.")
    high: float = Field(ge=0, le=1, description="End of the range as a fraction; higher is likelier.")
    n: int = Field(ge=0, description="Number of outcomes in it.")
    probability: ShareFrac
    hit_rate: ShareFrac


class CalibrationItem(ApiModel):
    """A fit of score to the chance of winning, judged on data after what it was fitted on."""

    method: Label = Field(description="logistic or isotonic.")
    n: int = Field(ge=0, description="Number of outcomes it was judged on.")
    fitted_n: int = Field(ge=0, description="Number of outcomes behind the last fit.")
    brier: float = Field(description="Brier score in points from 0 to 1, an error; positive, less is better.")
    base_brier: float = Field(description="That of the past's base rate in points; positive, an error.")
    skill: float = Field(description="Fraction of the base rate's error saved; positive is better than it.")
    gain: float = Field(description="Brier points saved against the base rate; positive is better than it.")
    gain_low: float = Field(description="Lower end of its 95 % interval in points; positive is better.")
    gain_high: float = Field(description="Upper end of its 95 % interval in points; positive is better.")
    log_loss: float = Field(description="Log loss in points; higher is worse.")
    base_log_loss: float = Field(description="Log loss of the base rate in points; higher is worse.")
    reliability: float = Field(description="Murphy's reliability in points; higher is worse.")
    resolution: float = Field(description="Murphy's resolution in points; higher is better.")
    uncertainty: float = Field(description="Murphy's uncertainty in points; higher is less certain.")
    bins: list[ReliabilityItem] = Field(
        max_length=MAX_BINS,
        description="Reliability table with detail=full; ranges without an outcome are left out.",
    )


class DeflatedSharpeItem(ApiModel):
    """Sharpe ratio after the choice among the variants that were tried."""

    sharpe_per_day: float = Field(
        description="Mean over deviation of daily net returns, in multiples; higher is better."
    )
    days: int = Field(ge=0, description="Number of days in it.")
    benchmark: float = Field(
        description="What the best of so many worthless variants shows, in multiples; higher is more."
    )
    probability: float = Field(
        ge=0, le=1, description="Chance as a fraction that it is above 0 all the same; higher is likelier."
    )


class FullItem(ApiModel):
    """The engine's trades of one kind, or a rule anybody could follow and the engine against it."""

    trait: Label = Field(description="side, tier, volatility, trend, confidence; baseline for a rule.")
    name: Label = Field(description="Value of the trait, or the rule.")
    trades: TradesItem
    engine_minus_frac: NetFrac
    engine_minus_low_frac: NetFrac
    engine_minus_high_frac: NetFrac


class FullHorizonItem(ApiModel):
    """Everything at one horizon."""

    horizon: Label = Field(description="Time a trade has: 15m, 1h, 4h or 24h.")
    groups: list[FullItem] = Field(max_length=MAX_GROUPS, description="The engine's trades by trait.")
    baselines: list[FullItem] = Field(max_length=MAX_RULES, description="Rules anybody could follow.")
    calibration: CalibrationItem | None = Field(description="The fit there; null when there is none.")
    calibration_reason: Detail | None = Field(description="Why there is no fit; null when there is one.")
