"""Single scheduled signals and what became of them as answers. Field names are public contract: added to, not
renamed. Returns are fractions of the entry's notional; null is not known, and `reason` says why."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from app.api.schemas.base import ApiModel, Detail, IsoTime, Name, SymbolText
from app.api.schemas.history import CURSOR_CHARS
from app.core.domain.context import DataMode

MAX_OUTCOMES = 100

HorizonWord = Literal["15m", "1h", "4h", "24h"]
LevelUsd = Annotated[float | None, Field(gt=0, description="Price in USD per coin; null when unknown.")]


class TradeOutcomeItem(ApiModel):
    """One signal of the schedule with a direction, and what taking it came to."""

    id: Name = Field(description="Id of the stored signal.")
    symbol: SymbolText
    direction: Literal["LONG", "SHORT"] = Field(description="Side of the trade.")
    score: float = Field(ge=0, le=100, description="Composite in points, 0 bearish, 50 neutral, 100 bullish.")
    evaluated: IsoTime = Field(description="Market time of the evaluation, UTC.")
    ends: IsoTime = Field(description="End of its horizon, UTC: from the entry, before it from the signal.")
    state: Literal["open", "scored", "unscorable"] = Field(
        description="open: not over; scored: counted; unscorable: no data can judge it, counted as that."
    )
    reason: Detail | None = Field(description="Why there is no score; null when it is scored.")
    entered: IsoTime | None = Field(description="When it was entered, UTC; null when unknown.")
    entry: LevelUsd
    target: LevelUsd
    stop: LevelUsd
    touched: Literal["target", "stop", "both", "none"] | None = Field(
        description="What came first; both: within one candle, counts as the stop. null unless scored."
    )
    exited: IsoTime | None = Field(description="When it ended, UTC; null unless scored.")
    exit: LevelUsd
    gross_frac: float | None = Field(
        description="Move from entry to exit as a fraction, signed to the side; positive is a gain."
    )
    cost_frac: float | None = Field(
        ge=0, description="Fees, spread and slippage as a fraction; higher costs more, null unless scored."
    )
    funding_frac: float | None = Field(
        description="Funding as a fraction; positive was paid, null when not known and so not charged."
    )
    net_frac: float | None = Field(
        description="What was earned after all costs as a fraction; positive is a gain, null unless scored."
    )
    mfe_frac: float | None = Field(
        ge=0, description="Best excursion on the way as a fraction; higher is better, null unless scored."
    )
    mae_frac: float | None = Field(
        le=0, description="Worst excursion on the way as a negative fraction; null unless scored."
    )
    win: bool | None = Field(
        description="True: the target came first, or time ran out, and more than the costs was earned."
    )


class TradeOutcomesResponse(ApiModel):
    """One page of single outcomes, newest evaluation first: the rows behind the record's rates."""

    timestamp: IsoTime = Field(description="When this answer was made; market time, UTC.")
    data_mode: DataMode = Field(description="live, demo (simulated market) or replay (recorded past).")
    as_of: IsoTime = Field(description="Market time at which outcomes were known, UTC.")
    symbol: SymbolText | None = Field(description="The coin asked for; null for every coin.")
    horizon: HorizonWord = Field(description="Time each trade has.")
    engine_version: Name = Field(description="Version of the scoring rules whose signals are listed.")
    items: list[TradeOutcomeItem] = Field(max_length=MAX_OUTCOMES, description="Newest first.")
    next: str | None = Field(
        max_length=CURSOR_CHARS, description="Cursor of the next page; null on the last one."
    )
