"""The heatmap in words: its sentence and the parts that are missing. Pure."""

from __future__ import annotations

from app.core.domain.formatting import format_age, format_minutes, format_moment, format_usd_compact
from app.core.domain.heatmap import AbsentPart, CompositeScore, HeatmapGrid, HeatmapPart, HeatmapState
from app.core.domain.market import Price
from app.core.domain.quality import Missing, MissingReason, Reading
from app.core.domain.symbol import Symbol

_HOW_TO_FILL = "no stream is running yet; python -m app.backfill --from FOLDER loads recorded ones"


def heatmap_sentence(
    symbol: Symbol,
    state: HeatmapState,
    minutes: int,
    grid: HeatmapGrid | None,
    newest_ms: int | None,
    began_ms: int | None,
    now_ms: int,
) -> str:
    """What the answer shows, in one sentence: figures when there are some, else what is known instead.

    newest_ms, began_ms: as in `HeatmapAnswer`.
    """
    span = format_minutes(minutes)
    if grid is not None:
        longs, shorts = format_usd_compact(grid.long_usd), format_usd_compact(grid.short_usd)
        when = f"in the last {span}"
        if began_ms is not None:
            when = (
                f"since {format_moment(began_ms, now_ms)}; before that nothing of the last {span} is stored"
            )
        return f"{symbol}: {longs} of longs and {shorts} of shorts were liquidated {when}"
    if state is HeatmapState.NOTHING_STORED or newest_ms is None:
        return f"no liquidations stored for {symbol} in the last {span}, nor before; {_HOW_TO_FILL}"
    age = format_age(max(0.0, (now_ms - newest_ms) / 1000))
    return (
        f"no liquidations stored for {symbol} in the last {span}; the newest is {age} old: since then the "
        "market was quiet or nothing was recorded"
    )


def missing_parts(
    state: HeatmapState,
    sentence: str,
    began_ms: int | None,
    now_ms: int,
    price: Reading[Price] | Missing,
    composite: CompositeScore,
) -> tuple[AbsentPart, ...]:
    """Every part once: those of what is shown, then those of the composite."""
    found: list[AbsentPart] = []
    if state is not HeatmapState.FILLED:
        found.append(AbsentPart(HeatmapPart.LIQUIDATIONS, MissingReason.NO_DATA, sentence))
    elif began_ms is not None:
        begun = f"none are stored before {format_moment(began_ms, now_ms)}: it was quiet, or not recorded"
        found.append(AbsentPart(HeatmapPart.LIQUIDATIONS, MissingReason.NO_DATA, begun))
    if isinstance(price, Missing):
        found.append(AbsentPart(HeatmapPart.PRICE, price.reason, price.detail))
    named = {part.part for part in found}
    return (*found, *(part for part in composite.missing if part.part not in named))
