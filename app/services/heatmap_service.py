"""The use case behind `/heatmap`: stored liquidation tiles of one coin as a grid or a picture.

Liquidations that happened, summed by this service; no estimate of future ones. Says what the store has
(liquidations in the window, only older ones, none ever) and which parts are missing. Also the last source of
the view LIQUIDATION_HEATMAP, for plans on which nobody else has one. No HTTP, no SQL, no drawing.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeGuard

from app.core.chart_ports import HeatmapPainter
from app.core.clock import Clock
from app.core.domain.context import DataMode
from app.core.domain.derivatives import HeatmapCell, LiquidationHeatmap, PositionSide
from app.core.domain.formatting import format_minutes, format_moment
from app.core.domain.heatmap import (
    MINUTE_MS,
    AbsentPart,
    CompositeScore,
    GridLimits,
    HeatmapAnswer,
    HeatmapGrid,
    HeatmapPart,
    HeatmapQuery,
    HeatmapState,
    settled_minute,
)
from app.core.domain.market import Price
from app.core.domain.quality import CacheState, Missing, MissingReason, Reading
from app.core.domain.stored import TileRow
from app.core.domain.symbol import Symbol
from app.core.domain.views import View, ViewQuery
from app.core.errors import (
    InvariantViolation,
    ProviderNoData,
    ProviderNotConfigured,
    ProviderUnavailable,
    StorageUnavailable,
)
from app.core.heatmap.composite import WINDOW_MIN, InterestMinute, Swings, score_composite
from app.core.heatmap.grid import build_grid, find_levels
from app.core.ports import Fetched, ViewSource
from app.core.store_ports import TileStore
from app.services.heatmap_text import heatmap_sentence, missing_parts

MODEL = "streamed liquidations (own), 0.25 % price buckets"
SOURCE = "store"
_ENDPOINT = "liquidation_heatmap"
# In the answer of another route the model has to say by itself what it is.
_VIEW_MODEL = "own: streamed liquidations that happened {}, not estimated levels"
_VIEW_QUERY = HeatmapQuery(minutes=WINDOW_MIN)
# 289 columns: a day in steps of 5 minutes of which the first and the last may be begun. The answer stays
# under 100 kB, the picture has no more cells than its pixels can show.
ANSWER_LIMITS = GridLimits(columns=289, rows=80, cells=1_100)
PICTURE_LIMITS = GridLimits(columns=289, rows=160, cells=20_000)
_LEVELS_PER_SIDE = 5

_NO_MINUTES = AbsentPart(
    HeatmapPart.OPEN_INTEREST_CHANGE,
    MissingReason.NOT_CONFIGURED,
    "open interest by the minute and the bucket where the price traded need the worker",
)
_NO_LIQUIDATIONS = AbsentPart(
    HeatmapPart.LIQUIDATIONS, MissingReason.NO_DATA, "composite: no liquidations stored in 24 h"
)
_NOTHING_TO_MEASURE = AbsentPart(
    HeatmapPart.SWING_PROXIMITY, MissingReason.NO_DATA, "no stored liquidation to measure swing levels from"
)

# Swing levels of 15m candles within a deadline of its own; never raises a provider error.
SwingsNow = Callable[[Symbol], Awaitable[Swings | AbsentPart]]
PriceNow = Callable[[Symbol], Awaitable[Reading[object] | Missing]]
# Open interest by the minute up to a closed one; raises StorageUnavailable.
InterestNow = Callable[[Symbol, int], Awaitable[Sequence[InterestMinute] | AbsentPart]]
# The composite that a worker published of a coin last.
PublishedComposite = Callable[[str], Awaitable[CompositeScore | None]]


class HeatmapService:
    """Answers with what the store holds; keeps nothing."""

    def __init__(
        self,
        *,
        store: TileStore,
        resolve: Callable[[str], Symbol],
        price: PriceNow,
        swings: SwingsNow,
        painter: HeatmapPainter,
        clock: Clock,
        data_mode: DataMode,
        interest: InterestNow | None = None,
        published: PublishedComposite | None = None,
    ) -> None:
        """price: the price of a coin within a deadline of its own; never raises a provider error.

        interest: open interest by the minute; None where nobody keeps it. published: read before a
        composite is computed; None where no worker publishes.
        """
        self._interest = interest
        self._published = published
        self._store = store
        self._resolve = resolve
        self._price = price
        self._swings = swings
        self._painter = painter
        self._clock = clock
        self._data_mode = data_mode

    def resolve(self, text: str) -> Symbol:
        """Any usual spelling to a known coin. Raises: InvalidParameter, UnknownSymbol."""
        return self._resolve(text)

    async def heatmap(self, symbol: Symbol, query: HeatmapQuery) -> HeatmapAnswer:
        """The grid, small enough for an answer. Raises: StorageUnavailable."""
        return await self._answer(symbol, query, ANSWER_LIMITS)

    async def picture(self, symbol: Symbol, query: HeatmapQuery) -> bytes:
        """The same as PNG, in as fine cells as can be seen. Raises: StorageUnavailable."""
        return await self._painter.paint(await self._answer(symbol, query, PICTURE_LIMITS))

    async def composite(self, symbol: Symbol) -> tuple[CompositeScore, Sequence[TileRow]]:
        """Composite tiles of the newest settled minute, computed, and the tiles of that minute.

        Raises: StorageUnavailable.
        """
        ts_min = settled_minute(self._clock.now_ms())
        tiles = await self._store.tiles(symbol.base, ts_min + 1 - WINDOW_MIN, ts_min + 1)
        now = [tile for tile in tiles if tile.ts_min == ts_min]
        return await self._score(symbol, tiles, ts_min), now

    def view_source(self) -> ViewSource:
        """This heatmap as a view, to be asked after every provider's."""
        return ViewSource(
            view=View.LIQUIDATION_HEATMAP,
            provider=SOURCE,
            endpoint=_ENDPOINT,
            fetch=self._fetch_view,
            plan_needed=lambda _query: None,
        )

    async def _answer(self, symbol: Symbol, query: HeatmapQuery, limits: GridLimits) -> HeatmapAnswer:
        now_ms = self._clock.now_ms()
        to_min = now_ms // MINUTE_MS  # the minute that is still open is not in it
        from_min = to_min - query.minutes
        # The composite always looks at 24 h, whatever is shown.
        ts_min = settled_minute(now_ms)
        tiles = await self._store.tiles(symbol.base, min(from_min, ts_min + 1 - WINDOW_MIN), to_min)
        shown = [tile for tile in tiles if tile.ts_min >= from_min]
        newest_min = max((tile.ts_min for tile in shown), default=None)
        if newest_min is None:
            newest_min = await self._store.newest_minute(symbol.base, to_min)
        state = _state(shown, newest_min)
        began_ms = await self._began_ms(symbol, shown, from_min, query.minutes)
        # Thousands of tiles take milliseconds: not on the event loop.
        grid = await asyncio.to_thread(_grid, shown, from_min, to_min, query.buckets_per_row, limits)
        composite = await self._published_of(symbol, ts_min)
        if composite is None:
            composite = await self._score(symbol, tiles, ts_min)
        price = await self._price_of(symbol)
        levels = None
        if grid is not None and isinstance(price, Reading):
            levels = find_levels(grid.rows, price.value.price_usd, per_side=_LEVELS_PER_SIDE)
        newest_ms = None if newest_min is None else (newest_min + 1) * MINUTE_MS
        sentence = heatmap_sentence(symbol, state, query.minutes, grid, newest_ms, began_ms, now_ms)
        return HeatmapAnswer(
            symbol=symbol,
            as_of_ms=now_ms,
            data_mode=self._data_mode,
            model=MODEL,
            state=state,
            sentence=sentence,
            from_ms=from_min * MINUTE_MS,
            to_ms=to_min * MINUTE_MS,
            first_stored_ms=min((tile.ts_min for tile in shown), default=0) * MINUTE_MS if shown else None,
            newest_stored_ms=newest_ms,
            began_ms=began_ms,
            grid=grid,
            levels=levels,
            price=price,
            composite=composite,
            missing=missing_parts(state, sentence, began_ms, now_ms, price, composite),
        )

    async def _published_of(self, symbol: Symbol, ts_min: int) -> CompositeScore | None:
        """What a worker published, if it is of that very minute: an older one is no answer of now."""
        found = None if self._published is None else await self._published(symbol.base)
        return found if found is not None and found.ts_min == ts_min else None

    async def _score(self, symbol: Symbol, tiles: Sequence[TileRow], ts_min: int) -> CompositeScore:
        # Candles are asked for only where there is something to lay swings beside.
        swings = await self._swings(symbol) if tiles else _NOTHING_TO_MEASURE
        interest = await self._minutes(symbol, ts_min)
        stored: Sequence[TileRow] | AbsentPart = tiles or _NO_LIQUIDATIONS
        return await asyncio.to_thread(score_composite, symbol.base, ts_min, stored, interest, swings)

    async def _minutes(self, symbol: Symbol, ts_min: int) -> Sequence[InterestMinute] | AbsentPart:
        return _NO_MINUTES if self._interest is None else await self._interest(symbol, ts_min)

    async def _began_ms(
        self, symbol: Symbol, shown: Sequence[TileRow], from_min: int, minutes: int
    ) -> int | None:
        """See `HeatmapAnswer.began_ms`: a quiet coin and a recording that has just begun look alike inside of
        the window, and only what lies before it tells them apart."""
        if not shown:
            return None
        before_min = await self._store.newest_minute(symbol.base, from_min)
        if before_min is not None and before_min >= from_min - minutes:
            return None
        return min(tile.ts_min for tile in shown) * MINUTE_MS

    async def _price_of(self, symbol: Symbol) -> Reading[Price] | Missing:
        found = await self._price(symbol)
        if isinstance(found, Missing) or _is_price(found):
            return found
        raise InvariantViolation("the source of the price answered something else")

    async def _fetch_view(self, query: ViewQuery) -> Fetched[object]:
        """The newest 24 h as a view. Raises: ProviderError, which is how sources of views fail."""
        if query.symbol is None:
            raise InvariantViolation("the heatmap is a view of one coin")
        try:
            answer = await self.heatmap(query.symbol, _VIEW_QUERY)
        except StorageUnavailable as error:
            raise ProviderUnavailable(SOURCE, _ENDPOINT, str(error)) from error
        if answer.state is HeatmapState.NOTHING_STORED:
            # A state of this set-up, like a key that is not set, and not a fault of the moment.
            raise ProviderNotConfigured(SOURCE, _ENDPOINT, answer.sentence)
        if answer.grid is None or answer.newest_stored_ms is None:
            raise ProviderNoData(SOURCE, _ENDPOINT, answer.sentence)
        price_usd = answer.price.value.price_usd if isinstance(answer.price, Reading) else None
        since = f"in {format_minutes(WINDOW_MIN)}"
        if answer.began_ms is not None:
            since = f"since {format_moment(answer.began_ms, answer.as_of_ms)}"
        value = LiquidationHeatmap(
            _VIEW_MODEL.format(since), price_usd, _view_cells(answer.grid), is_estimate=False
        )
        return Fetched(value, _ENDPOINT, answer.newest_stored_ms, answer.as_of_ms, CacheState.MISS)


def _grid(
    shown: Sequence[TileRow], from_min: int, to_min: int, buckets_per_row: int | None, limits: GridLimits
) -> HeatmapGrid | None:
    if not shown:
        return None
    return build_grid(shown, from_min=from_min, to_min=to_min, buckets_per_row=buckets_per_row, limits=limits)


def _is_price(found: Reading[object]) -> TypeGuard[Reading[Price]]:
    return isinstance(found.value, Price)


def _state(shown: Sequence[TileRow], newest_min: int | None) -> HeatmapState:
    if shown:
        return HeatmapState.FILLED
    return HeatmapState.NOTHING_STORED if newest_min is None else HeatmapState.EMPTY_WINDOW


def _view_cells(grid: HeatmapGrid) -> tuple[HeatmapCell, ...]:
    """One cell for the longs and one for the shorts, each at the geometric middle of its row."""
    cells: list[HeatmapCell] = []
    for cell in grid.cells:
        row = grid.rows[cell.row]
        at_ms = grid.column_starts[cell.column] * MINUTE_MS
        middle = math.sqrt(row.low_usd) * math.sqrt(row.high_usd)
        for side, usd in ((PositionSide.LONG, cell.long_usd), (PositionSide.SHORT, cell.short_usd)):
            if usd > 0:
                cells.append(HeatmapCell(at_ms, middle, usd, side))
    return tuple(cells)
