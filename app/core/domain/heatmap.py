"""The liquidation heatmap as values: what was stored, laid out in columns of time and rows of price.

Owns the shapes and their words. Computed by `core.heatmap`, put together by `services.heatmap_service`,
rendered by the API and by `services.charts`. Liquidations here HAPPENED; none of this is an estimate of
future ones. Minutes are counted since the epoch (ts_ms // 60,000), money is USD.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from app.core.domain.context import DataMode
from app.core.domain.market import Price
from app.core.domain.quality import Missing, MissingReason, Reading
from app.core.domain.stored import CompositeRow
from app.core.domain.symbol import Symbol

MINUTE_MS = 60_000
SETTLING_MS = 5_000  # liquidations of a minute are stored within this time of its end
BUCKET_GROWTH = 1.0025  # of the stored price buckets: each is 0.25 % above the one below it
# Rows are exact multiples of the stored 0.25 % buckets; the name says the width in percent, rounded:
# four buckets are 1.0025 ** 4 = 1.00 %, twenty are 5.12 %.
BUCKETS_BY_WIDTH: Mapping[str, int] = {"0.25": 1, "0.5": 2, "1": 4, "2": 8, "5": 20}


def settled_minute(now_ms: int) -> int:
    """The newest minute of which everything is stored. At 12:03:04 it is 12:01, at 12:03:05 12:02."""
    return (now_ms - SETTLING_MS) // MINUTE_MS - 1


class HeatmapState(StrEnum):
    """What the store has. Quiet and never recorded are two things, and neither is zero USD."""

    FILLED = "filled"  # liquidations in the window
    EMPTY_WINDOW = "empty_window"  # some of this coin, none in the window
    NOTHING_STORED = "nothing_stored"  # never one of this coin


class HeatmapPart(StrEnum):
    """What a heatmap answer is made of and can lack."""

    LIQUIDATIONS = "liquidations"
    OPEN_INTEREST_CHANGE = "open_interest_change"
    SWING_PROXIMITY = "swing_proximity"
    PRICE = "price"


@dataclass(frozen=True, slots=True)
class AbsentPart:
    """A part that could not be had, and why in words."""

    part: HeatmapPart
    reason: MissingReason
    detail: str


@dataclass(frozen=True, slots=True)
class HeatmapQuery:
    """minutes: length of the window. buckets_per_row: 0.25 % buckets in one row, None: as fine as fits."""

    minutes: int
    buckets_per_row: int | None = None


@dataclass(frozen=True, slots=True)
class GridLimits:
    """How large a grid may become before it is made coarser."""

    columns: int
    rows: int
    cells: int


class GridCell(NamedTuple):
    """USD liquidated in one column of time and one row of price; indexes into the grid's columns and rows."""

    column: int
    row: int
    long_usd: float
    short_usd: float
    events: int


class GridRow(NamedTuple):
    """One row: prices from low (inside) to high (outside), and the sums of its cells."""

    low_usd: float
    high_usd: float
    long_usd: float
    short_usd: float
    events: int


@dataclass(frozen=True, slots=True)
class HeatmapGrid:
    """Tiles of a window, summed into cells.

    from_min, to_min: the window, the end outside. column_minutes, buckets_per_row: the size of a cell.
    column_starts: first minute of each column; columns stand on whole multiples of their size, so the first
    one may begin inside. rows: lowest price first, only those with liquidations. cells: by (column, row).
    long_usd, short_usd, events: of ALL tiles of the window; the cells sum to them less what was cut.
    is_coarser: time or price had to be merged beyond what was asked to stay inside the limits.
    """

    from_min: int
    to_min: int
    column_minutes: int
    buckets_per_row: int
    column_starts: tuple[int, ...]
    rows: tuple[GridRow, ...]
    cells: tuple[GridCell, ...]
    long_usd: float
    short_usd: float
    events: int
    is_coarser: bool
    cut_cells: int
    cut_long_usd: float
    cut_short_usd: float


@dataclass(frozen=True, slots=True)
class StrongLevel:
    """A row where much was liquidated. distance_frac: its middle against the price, negative below."""

    low_usd: float
    high_usd: float
    long_usd: float
    short_usd: float
    distance_frac: float


@dataclass(frozen=True, slots=True)
class StrongLevels:
    """The largest rows wholly below and wholly above the price, the nearest first."""

    below: tuple[StrongLevel, ...]
    above: tuple[StrongLevel, ...]


@dataclass(frozen=True, slots=True)
class CompositeScore:
    """Composite tiles of one closed minute.

    tiles: strongest first. missing: parts that are not there; the weights of the others are not raised.
    why_no_alert: "" exactly when `can_alert`.
    """

    ts_min: int
    tiles: tuple[CompositeRow, ...]
    missing: tuple[AbsentPart, ...]
    can_alert: bool
    why_no_alert: str


@dataclass(frozen=True, slots=True)
class HeatmapAnswer:
    """The heatmap of one coin.

    as_of_ms: when it was asked; ages count back from here. from_ms, to_ms: the window, whole closed minutes.
    first_stored_ms: start of the first minute of the window with a liquidation, None without one.
    newest_stored_ms: end of the newest closed minute with one, in the window or before it.
    began_ms: `first_stored_ms` when nothing is stored of as long a time before the window: then the recording
    may have begun there, and the figures are not those of the whole window. None otherwise.
    grid: None unless `state` is FILLED. levels: None without grid or price.
    """

    symbol: Symbol
    as_of_ms: int
    data_mode: DataMode
    model: str
    state: HeatmapState
    sentence: str
    from_ms: int
    to_ms: int
    first_stored_ms: int | None
    newest_stored_ms: int | None
    began_ms: int | None
    grid: HeatmapGrid | None
    levels: StrongLevels | None
    price: Reading[Price] | Missing
    composite: CompositeScore
    missing: tuple[AbsentPart, ...]
