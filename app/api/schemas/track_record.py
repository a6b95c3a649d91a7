"""The honest record as answers: outcomes of signals, the state of the chains, counts of what was stored.

Field names are public contract: added to, not renamed. Its pieces are in `track_record_parts`.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from app.api.schemas.base import ApiModel, Detail, IsoTime, Name, Sentence, SymbolText
from app.api.schemas.track_record_parts import (
    MAX_GROUPS,
    MAX_RULES,
    BaselineItem,
    CalibrationItem,
    DeflatedSharpeItem,
    FullHorizonItem,
    HorizonItem,
    Label,
    SplitItem,
)
from app.core.domain.context import DataMode
from app.core.domain.signal import Direction, Mode
from app.core.domain.stored import Trigger

SUMMARY_CHARS = 500
MAX_HORIZONS = 4
MAX_VERSIONS = 12
MAX_NOTES = 20
MAX_BROKEN = 100
MAX_COUNTS = 400

DetailWord = Literal["compact", "full"]


class TrackRecordResponse(ApiModel):
    """What the signals were worth, of scheduled evaluations alone."""

    timestamp: IsoTime = Field(description="When this answer was made; market time, UTC.")
    data_mode: DataMode = Field(description="live, demo (simulated market) or replay (recorded past).")
    symbol: SymbolText | None = Field(description="The coin asked for; null for all together.")
    detail: DetailWord = Field(description="compact or full, as asked for.")
    summary: str = Field(max_length=SUMMARY_CHARS, description="The record in one sentence, to be read out.")
    enough_data: bool = Field(description="False: too few independent outcomes to claim anything.")
    needed_effective_n: float = Field(description="Number of independent outcomes needed for a claim.")
    as_of: IsoTime = Field(description="Market time of the answer, UTC.")
    computed: IsoTime = Field(description="Market time the figures were computed, UTC.")
    age_s: float = Field(ge=0, description="Seconds from `computed` to now; higher is older.")
    since: IsoTime | None = Field(description="First evaluation, UTC; null without one.")
    until: IsoTime | None = Field(description="Last evaluation, UTC; null without one.")
    engine_versions: list[Name] = Field(max_length=MAX_VERSIONS, description="Versions of the scoring rules.")
    evaluations: int = Field(ge=0, description="Number of scheduled evaluations; long + short + neutral.")
    neutral: int = Field(ge=0, description="Number of those without a direction, which are not scored.")
    long: int = Field(ge=0, description="Number of LONG signals.")
    short: int = Field(ge=0, description="Number of SHORT signals.")
    headline: Label = Field(description="Horizon that stands for the record.")
    horizons: list[HorizonItem] = Field(max_length=MAX_HORIZONS, description="The engine at every horizon.")
    groups: list[SplitItem] = Field(
        max_length=MAX_GROUPS, description="Its trades by trait at the headline horizon."
    )
    baselines: list[BaselineItem] = Field(
        max_length=MAX_RULES, description="Simple rules at the headline, and the engine against each."
    )
    probability_shown: bool = Field(
        description="True: signals carry one; the fit of all coins beat the base rate."
    )
    probability_reason: Detail | None = Field(description="Why signals carry none; null when they do.")
    calibration: CalibrationItem | None = Field(
        description="A fit of these rows alone at the headline; null when there is none."
    )
    variants: int = Field(ge=0, description="Number of variants of the engine that were ever tried.")
    deflated_sharpe: DeflatedSharpeItem | None = Field(
        description="null with fewer than 30 days of trades, or where none was computed."
    )
    full: list[FullHorizonItem] | None = Field(
        max_length=MAX_HORIZONS, description="Everything at every horizon with detail=full; null otherwise."
    )
    truncated: bool = Field(description="True when rows were left out for length.")
    notes: list[Sentence] = Field(max_length=MAX_NOTES, description="What a reader has to know.")


class BrokenLinkItem(ApiModel):
    """A place at which the record does not hold."""

    chain: Name = Field(description="Chain of the process that wrote it; `-` for what is in none.")
    seq: int = Field(ge=0, description="Number of rows before it in its chain.")
    reason: Detail = Field(description="What does not fit.")


class ChainReportResponse(ApiModel):
    """Whether signals and outcomes are as they were written. A break is an answer, not an error."""

    timestamp: IsoTime = Field(description="When this answer was made; market time, UTC.")
    data_mode: DataMode = Field(description="live, demo (simulated market) or replay (recorded past).")
    walked: IsoTime = Field(description="Market time the walk began, UTC: what is newer was not walked.")
    age_s: float = Field(ge=0, description="Seconds from `walked` to now; a walk is shown for a minute.")
    ok: bool = Field(description="True: every hash fits. False: something was changed, removed or inserted.")
    chains: int = Field(ge=0, description="Number of chains of signals and outcomes, per process that wrote.")
    signals: int = Field(ge=0, description="Number of signals that were walked: all that were stored then.")
    outcomes: int = Field(ge=0, description="Number of ended outcomes that were compared with their entries.")
    broken: list[BrokenLinkItem] = Field(
        max_length=MAX_BROKEN, description="The first places that do not hold; empty when all do."
    )


class SignalCountItem(ApiModel):
    """Stored signals of one coin, trigger, mode and direction."""

    symbol: SymbolText
    trigger: Trigger = Field(description="Why they were computed: request or schedule.")
    mode: Mode = Field(description="Threshold set that was applied.")
    direction: Direction = Field(description="Direction under those thresholds.")
    count: int = Field(ge=0, description="Number of signals.")
    mean_score: float = Field(
        ge=0, le=100, description="Mean composite in points, 0 bearish, 50 neutral, 100 bullish."
    )
    mean_coverage: float = Field(
        ge=0, le=1, description="Mean fraction of the weight with fresh data; higher is more complete."
    )


class SignalTotalItem(ApiModel):
    """Signals of every coin and mode."""

    trigger: Trigger = Field(description="Why they were computed: request or schedule.")
    direction: Direction = Field(description="Their direction.")
    count: int = Field(ge=0, description="Number of signals.")


class SignalStatsResponse(ApiModel):
    """How many signals were stored and of what kind. Counts are not outcomes."""

    timestamp: IsoTime = Field(description="When this answer was made; market time, UTC.")
    data_mode: DataMode = Field(description="live, demo (simulated market) or replay (recorded past).")
    as_of: IsoTime = Field(description="Market time up to which was counted, UTC.")
    since: IsoTime = Field(description="Market time from which on was counted, UTC.")
    total: int = Field(ge=0, description="Number of signals.")
    totals: list[SignalTotalItem] = Field(
        max_length=len(Trigger) * len(Direction), description="By trigger and direction; adds up to `total`."
    )
    items: list[SignalCountItem] = Field(max_length=MAX_COUNTS, description="Largest count first.")
    truncated: bool = Field(description="True when small counts were left out; `totals` has them all.")
