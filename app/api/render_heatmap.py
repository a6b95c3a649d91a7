"""The heatmap as an answer: rounding, ISO times and the size of its lists. Pure."""

from __future__ import annotations

from app.api.numbers import age_s, clip, iso_utc, places, significant
from app.api.schemas import heatmap as schema
from app.api.schemas.base import DETAIL_CHARS, NAME_CHARS, REASON_CHARS
from app.core.domain.heatmap import (
    BUCKET_GROWTH,
    MINUTE_MS,
    CompositeScore,
    HeatmapAnswer,
    HeatmapGrid,
    StrongLevel,
    StrongLevels,
)
from app.core.domain.market import Price
from app.core.domain.quality import Missing, Reading
from app.core.domain.stored import CompositeRow

_SOURCE = "store"
# Six digits of a sum of money are more than the eye needs, and a third of the answer's size less.
_USD_DIGITS = 6


def render_heatmap(answer: HeatmapAnswer) -> schema.LiquidationTilesResponse:
    newest_ms = answer.newest_stored_ms
    grid = answer.grid
    return schema.LiquidationTilesResponse(
        timestamp=iso_utc(answer.as_of_ms),
        data_mode=answer.data_mode,
        symbol=answer.symbol.base,
        model=clip(answer.model, DETAIL_CHARS),
        source=_SOURCE,
        state=answer.state,
        sentence=clip(answer.sentence, REASON_CHARS),
        window_from=iso_utc(answer.from_ms),
        window_to=iso_utc(answer.to_ms),
        first_stored=None if answer.first_stored_ms is None else iso_utc(answer.first_stored_ms),
        as_of=None if newest_ms is None else iso_utc(newest_ms),
        age_s=None if newest_ms is None else age_s(answer.as_of_ms, newest_ms),
        totals=None
        if grid is None
        else schema.HeatmapTotals(
            long_usd=significant(grid.long_usd), short_usd=significant(grid.short_usd), events=grid.events
        ),
        grid=None if grid is None else _grid(grid),
        price=_price(answer.price, answer.as_of_ms),
        levels=None if answer.levels is None else _levels(answer.levels),
        composite=_composite(answer.composite),
        missing=[
            schema.HeatmapMissingItem(
                part=part.part, reason=part.reason, detail=clip(part.detail, REASON_CHARS)
            )
            for part in answer.missing
        ],
    )


def _grid(grid: HeatmapGrid) -> schema.HeatmapGridItem:
    return schema.HeatmapGridItem(
        column_minutes=grid.column_minutes,
        row_frac=places(BUCKET_GROWTH**grid.buckets_per_row - 1, 6),
        coarser=grid.is_coarser,
        columns=[iso_utc(minute * MINUTE_MS) for minute in grid.column_starts],
        rows=[
            schema.HeatmapRow(
                low_usd=significant(row.low_usd),
                high_usd=significant(row.high_usd),
                long_usd=_usd(row.long_usd),
                short_usd=_usd(row.short_usd),
            )
            for row in grid.rows
        ],
        cells=[
            schema.HeatmapCellItem(
                column=cell.column,
                row=cell.row,
                long_usd=_usd(cell.long_usd),
                short_usd=_usd(cell.short_usd),
            )
            for cell in grid.cells
        ],
        cut_cells=grid.cut_cells,
        cut_usd=_usd(grid.cut_long_usd + grid.cut_short_usd),
    )


def _usd(value_usd: float) -> float:
    return significant(value_usd, _USD_DIGITS)


def _price(found: Reading[Price] | Missing, now_ms: int) -> schema.HeatmapPriceItem | None:
    if isinstance(found, Missing):
        return None
    return schema.HeatmapPriceItem(
        price_usd=significant(found.value.price_usd),
        kind=found.value.kind,
        provider=clip(found.provider, NAME_CHARS),
        age_s=age_s(now_ms, found.ts_event_ms),
    )


def _levels(levels: StrongLevels) -> schema.StrongLevelsItem:
    return schema.StrongLevelsItem(
        below=[_level(level) for level in levels.below], above=[_level(level) for level in levels.above]
    )


def _level(level: StrongLevel) -> schema.StrongLevelItem:
    return schema.StrongLevelItem(
        low_usd=significant(level.low_usd),
        high_usd=significant(level.high_usd),
        long_usd=_usd(level.long_usd),
        short_usd=_usd(level.short_usd),
        distance_frac=places(level.distance_frac, 6),
    )


def _composite(score: CompositeScore) -> schema.CompositeItem:
    return schema.CompositeItem(
        minute=iso_utc(score.ts_min * MINUTE_MS),
        tiles=[_composite_tile(tile) for tile in score.tiles[: schema.MAX_COMPOSITE]],
        can_alert=score.can_alert,
        why_no_alert=clip(score.why_no_alert, DETAIL_CHARS) or None,
    )


def _composite_tile(tile: CompositeRow) -> schema.CompositeTileItem:
    return schema.CompositeTileItem(
        low_usd=significant(BUCKET_GROWTH**tile.bucket),
        high_usd=significant(BUCKET_GROWTH ** (tile.bucket + 1)),
        score=places(tile.score, 6),
        liquidation_part=_part(tile.liquidation_part),
        open_interest_part=_part(tile.open_interest_part),
        swing_part=_part(tile.swing_part),
    )


def _part(value: float | None) -> float | None:
    return None if value is None else places(value, 6)
