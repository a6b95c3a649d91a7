"""The signal answer and its batch form. Field names are public contract: added to, not renamed."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from app.api.schemas.base import (
    REASON_CHARS,
    SENTENCE_CHARS,
    AgeS,
    ApiModel,
    Detail,
    IsoTime,
    Name,
    Near,
    Sentence,
    SymbolText,
)
from app.api.schemas.liquidity import PlanProbability, Timeframe
from app.api.schemas.signal_debug import SignalDebug
from app.core.domain.context import DataMode
from app.core.domain.liquidity import LevelSource, ProbabilitySource
from app.core.domain.market import PriceKind
from app.core.domain.signal import ConfidenceLevel, Direction, FactorName, FactorStatus, Mode

MAX_BATCH = 20


class FactorItem(ApiModel):
    """One of the eight factors."""

    name: FactorName = Field(description="Which factor; the list says how each is read.")
    weight: float = Field(
        ge=0, le=100, description="Share of the score in points of 100; higher counts more."
    )
    score: float = Field(
        ge=0, le=100, description="Points, 0 bearish, 50 neutral, 100 bullish; exactly 50 when not ok."
    )
    status: FactorStatus = Field(description="ok, stale (too old to count) or missing.")
    source: Name | None = Field(description="Provider that answered; null when nobody did.")
    age_s: AgeS | None


class MissingItem(ApiModel):
    """One input that did not count, and why."""

    input: Name = Field(description="Name of the input.")
    reason: Detail = Field(description="Why it did not count.")


class SignalSetup(ApiModel):
    """The plan around the zone. Market data, not advice."""

    entry: float = Field(gt=0, description="Price in USD per coin to enter at.")
    stop: float = Field(gt=0, description="Price in USD per coin to give up at.")
    target: float = Field(gt=0, description="Price in USD per coin of the first target.")
    reward_risk: float = Field(
        description="Reward at that target in multiples of the risk; higher is better."
    )
    fill_probability: float = Field(
        ge=0, le=1, description="Chance that the entry trades in 24 hours as a fraction; higher is likelier."
    )
    fill_source: ProbabilitySource | None = Field(
        description="Where that chance comes from; null when the entry is to be had now."
    )
    risk_score: float = Field(
        ge=0,
        le=100,
        description="Driftless walk's chance in percent that the stop comes first, unverified; higher is "
        "riskier.",
    )
    probability: PlanProbability
    probability_reason: Detail | None = Field(description="Why `probability` is null; null when it is not.")


class SignalConfluence(ApiModel):
    """A Smart Money zone over a liquidation cluster. One against the signal lowers its confidence by a
    level."""

    timeframe: Timeframe = Field(description="Size of the candles the zone is on.")
    direction: Direction = Field(description="LONG for a bullish zone, SHORT for a bearish one.")
    score: float = Field(ge=0, le=100, description="Points from 0 to 100; higher is more confluence.")
    sentence: str = Field(max_length=SENTENCE_CHARS, description="The zone in words.")
    top: float = Field(gt=0, description="Price in USD per coin of the upper edge.")
    bottom: float = Field(gt=0, description="Price in USD per coin of the lower edge.")
    source: LevelSource = Field(description="Where the liquidation levels come from.")
    age_s: AgeS
    setup: SignalSetup | None = Field(description="The plan; null when there is none.")
    setup_reason: Detail | None = Field(description="Why there is no plan; null when there is one.")


class SignalResponse(ApiModel):
    """A scored, explained signal of one coin. Market data, not advice."""

    symbol: SymbolText
    timestamp: IsoTime = Field(description="When this answer was made; market time, UTC.")
    price: float = Field(gt=0, description="Price in USD per coin; `priceKind` says which price it is.")
    price_kind: PriceKind = Field(description="Which price it is.")
    price_source: Name = Field(description="Provider of the price.")
    price_age_s: AgeS
    price_status: Literal["ok", "stale"] = Field(description="stale: too old, so the signal is NEUTRAL.")
    funding_rate: float | None = Field(
        description="Fraction of notional per 8 hours (0.0001 = 0.01 %); positive = longs pay shorts."
    )
    open_interest: float | None = Field(
        ge=0, description="Open interest in USD, each contract counted once; higher is more open positions."
    )
    open_interest_source: Name | None = Field(description="Provider of `openInterest`; null when it is null.")
    open_interest_age_s: AgeS | None
    social_score: float | None = Field(
        ge=0, le=100, description="Social score in points, 0 to 100; higher is more and friendlier attention."
    )
    signal: Direction = Field(description="Direction under the thresholds of `mode`.")
    mode: Mode = Field(description="Threshold set that was applied.")
    score: float = Field(ge=0, le=100, description="Composite in points, 0 bearish, 50 neutral, 100 bullish.")
    confidence: ConfidenceLevel = Field(description="Level of confidence.")
    confidence_score: float = Field(
        ge=0,
        le=100,
        description="Confidence in points, 0 to 100; higher when factors agree, are strong and have data.",
    )
    coverage: float = Field(
        ge=0, le=1, description="Fraction of the total weight that had fresh data; higher is more complete."
    )
    probability: float | None = Field(
        ge=0,
        le=1,
        description="Calibrated chance as a fraction that a trade in this direction wins: +1 ATR(1h) before "
        "-1 ATR, or a time-out after 4 h, and more earned than the costs; higher is likelier, null unless it "
        "beat the base rate out of sample.",
    )
    probability_reason: Detail | None = Field(description="Why `probability` is null; null when it is not.")
    reason: str = Field(max_length=REASON_CHARS, description="The answer in one line.")
    reasons: list[Sentence] = Field(max_length=3, description="Up to three sentences, strongest first.")
    factors: list[FactorItem] = Field(min_length=8, max_length=8, description="All eight factors.")
    confluence: SignalConfluence | None = Field(
        description="The best Smart Money zone with liquidations beside it; it never moves the score."
    )
    confluence_reason: Detail | None = Field(description="Why there is no confluence; null when there is.")
    data_mode: DataMode = Field(description="live, demo (simulated market) or replay (recorded past).")
    as_of: IsoTime = Field(description="Market time the inputs were complete, UTC; ages count back from it.")
    missing: list[MissingItem] = Field(max_length=20, description="Inputs that did not count, with reasons.")
    engine_version: Name = Field(description="Version of the scoring rules.")
    debug: SignalDebug | None = Field(description="Every sub-computation when debug=true, else null.")


class BatchError(ApiModel):
    """Why one symbol of a batch has no signal."""

    code: Name = Field(description="Stable error code, such as unknown_symbol.")
    status: int = Field(ge=400, le=599, description="HTTP status code this coin gets when asked for alone.")
    detail: str = Field(max_length=REASON_CHARS, description="What was wrong, in words.")
    near: list[Near] = Field(max_length=5, description="Known symbols that look like the unknown one.")


class BatchItem(ApiModel):
    """One symbol of a batch: exactly one of `signal` and `error` is set."""

    requested: str = Field(max_length=40, description="The symbol as asked for.")
    signal: SignalResponse | None = Field(description="The signal, null on error.")
    error: BatchError | None = Field(description="The error, null on success.")


class BatchResponse(ApiModel):
    """Signals of several coins, in the order asked for."""

    items: list[BatchItem] = Field(max_length=MAX_BATCH, description="One per symbol.")
    truncated: bool = Field(description="True when the answer would be too long and its tail was cut.")
    next: str | None = Field(
        max_length=MAX_BATCH * 41, description="The cut symbols, as a `symbols` value for the next call."
    )
