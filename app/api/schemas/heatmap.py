"""Answer of `/heatmap/{symbol}`: liquidations that happened, as columns of time and rows of price.

Field names are public contract: added to, not renamed."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from app.api.schemas.base import REASON_CHARS, AgeS, ApiModel, Detail, IsoTime, Name, SymbolText
from app.core.domain.context import DataMode
from app.core.domain.heatmap import HeatmapPart, HeatmapState
from app.core.domain.market import PriceKind
from app.core.domain.quality import MissingReason

MAX_COLUMNS = 289
MAX_ROWS = 80
MAX_CELLS = 1_100
MAX_LEVELS = 5
MAX_COMPOSITE = 20

LongUsd = Annotated[float, Field(ge=0, description="Liquidated longs in USD; larger is more selling.")]
ShortUsd = Annotated[float, Field(ge=0, description="Liquidated shorts in USD; larger is more buying.")]
LowUsd = Annotated[float, Field(gt=0, description="Price in USD at the lower edge, inside.")]
HighUsd = Annotated[float, Field(gt=0, description="Price in USD at the upper edge, outside.")]
PartScore = Annotated[
    float | None,
    Field(
        ge=0,
        le=1,
        description="Part as a fraction of its own 95th percentile in 24 h, 1 at most; larger is stronger, "
        "null when it is missing.",
    ),
]


class HeatmapTotals(ApiModel):
    """All liquidations of the window."""

    long_usd: LongUsd
    short_usd: ShortUsd
    events: int = Field(ge=0, description="Number of liquidations.")


class HeatmapRow(ApiModel):
    """One row of the grid."""

    low_usd: LowUsd
    high_usd: HighUsd
    long_usd: LongUsd
    short_usd: ShortUsd


class HeatmapCellItem(ApiModel):
    """One cell with liquidations; a pair of column and row that is not listed had none stored."""

    column: int = Field(ge=0, description="Number of the column in `columns`, counted from 0.")
    row: int = Field(ge=0, description="Number of the row in `rows`, counted from 0.")
    long_usd: LongUsd
    short_usd: ShortUsd


class HeatmapGridItem(ApiModel):
    """The grid. Rows without liquidations are left out, so neighbours in `rows` need not touch."""

    column_minutes: int = Field(
        ge=1, description="Minutes in one column (60 seconds each); larger is coarser."
    )
    row_frac: float = Field(
        gt=0, description="Height of a row as a fraction of its lower edge; larger is coarser."
    )
    coarser: bool = Field(description="True when time or price was merged further than asked, to fit.")
    columns: list[IsoTime] = Field(max_length=MAX_COLUMNS, description="Start of each column, oldest first.")
    rows: list[HeatmapRow] = Field(max_length=MAX_ROWS, description="Lowest price first.")
    cells: list[HeatmapCellItem] = Field(max_length=MAX_CELLS, description="By column, then row.")
    cut_cells: int = Field(ge=0, description="Number of small cells left out because there are too many.")
    cut_usd: float = Field(ge=0, description="USD in the cells left out; larger is more.")


class StrongLevelItem(ApiModel):
    """A row where much was liquidated."""

    low_usd: LowUsd
    high_usd: HighUsd
    long_usd: LongUsd
    short_usd: ShortUsd
    distance_frac: float = Field(
        description="Middle of the row against the price as a fraction; negative is below it."
    )


class StrongLevelsItem(ApiModel):
    """The largest rows on both sides of the price, nearest first."""

    below: list[StrongLevelItem] = Field(max_length=MAX_LEVELS, description="Wholly below the price.")
    above: list[StrongLevelItem] = Field(max_length=MAX_LEVELS, description="Wholly above the price.")


class HeatmapPriceItem(ApiModel):
    """The price the levels are measured from."""

    price_usd: float = Field(gt=0, description="Price in USD.")
    kind: PriceKind = Field(description="Which price it is.")
    provider: Name = Field(description="Who said so.")
    age_s: AgeS


class CompositeTileItem(ApiModel):
    """One composite tile: 0.6 liquidations + 0.3 open-interest change + 0.1 swing proximity."""

    low_usd: LowUsd
    high_usd: HighUsd
    score: float = Field(
        ge=0, le=1, description="Sum of the weighted parts as a fraction; larger is stronger."
    )
    liquidation_part: PartScore
    open_interest_part: PartScore
    swing_part: PartScore


class CompositeItem(ApiModel):
    """Composite tiles of the last closed minute. A missing part counts nothing; the others are not raised."""

    minute: IsoTime = Field(description="Start of that minute, UTC.")
    tiles: list[CompositeTileItem] = Field(
        max_length=MAX_COMPOSITE, description="Strongest first; empty when nothing happened in it."
    )
    can_alert: bool = Field(description="True when all three parts are there, so that an alert may fire.")
    why_no_alert: Detail | None = Field(description="Why none can fire; null when one can.")


class HeatmapMissingItem(ApiModel):
    """A part that could not be had."""

    part: HeatmapPart = Field(description="Which part.")
    reason: MissingReason = Field(description="Why it is not there.")
    detail: str = Field(max_length=REASON_CHARS, description="The reason in words.")


class LiquidationTilesResponse(ApiModel):
    """Liquidations of one coin that happened, by time and price. Not a forecast of the next ones."""

    timestamp: IsoTime = Field(description="When this answer was made; market time, UTC.")
    data_mode: DataMode = Field(description="live, demo (simulated market) or replay (recorded past).")
    symbol: SymbolText
    model: Detail = Field(description="What is summed.")
    source: Name = Field(description="Where it comes from: `store`, this service's own record.")
    state: HeatmapState = Field(description="What the record has.")
    sentence: str = Field(max_length=REASON_CHARS, description="The answer in one sentence.")
    window_from: IsoTime = Field(description="Start of the window, UTC.")
    window_to: IsoTime = Field(description="End of the window, UTC: the last closed minute's end.")
    first_stored: IsoTime | None = Field(
        description="Start of the window's first minute with a liquidation; before it nothing may have been "
        "recorded. Null without any."
    )
    as_of: IsoTime | None = Field(
        description="End of the newest minute with a liquidation, in the window or before; null when there "
        "never was one."
    )
    age_s: AgeS | None
    totals: HeatmapTotals | None = Field(description="Null unless `state` is filled: unknown is not zero.")
    grid: HeatmapGridItem | None = Field(description="Null unless `state` is filled.")
    price: HeatmapPriceItem | None = Field(description="The current price; null when nobody has one.")
    levels: StrongLevelsItem | None = Field(description="Null without grid or price.")
    composite: CompositeItem
    missing: list[HeatmapMissingItem] = Field(
        max_length=8, description="Parts that are not there or incomplete, and why."
    )
