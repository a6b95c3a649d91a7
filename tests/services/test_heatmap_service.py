"""The heatmap use case: what the store has and has not, closed minutes only, and the view of last resort."""

from __future__ import annotations

import pytest

from app.core.clock import ManualClock
from app.core.domain.derivatives import LiquidationHeatmap, PositionSide
from app.core.domain.heatmap import (
    MINUTE_MS,
    SETTLING_MS,
    CompositeScore,
    HeatmapPart,
    HeatmapQuery,
    HeatmapState,
)
from app.core.domain.quality import Missing, MissingReason, Reading
from app.core.domain.stored import CompositeRow, TileRow
from app.core.domain.symbol import Symbol
from app.core.domain.views import View, ViewQuery
from app.core.errors import (
    ProviderNoData,
    ProviderNotConfigured,
    ProviderPlanLimited,
    ProviderUnavailable,
    StorageUnavailable,
)
from app.core.heatmap.buckets import bucket_of
from app.core.heatmap.composite import InterestMinute, Swings
from app.core.ports import Fetched, ViewSource
from app.services.derivatives_service import DerivativesService
from app.services.heatmap_service import ANSWER_LIMITS, PICTURE_LIMITS
from tests.heatmap_facts import NOW_MS, TO_MIN, HeatmapRig, busy_day, tile

BTC = Symbol("BTC")
DAY = HeatmapQuery(minutes=1440)
HOUR = HeatmapQuery(minutes=60)
VIEW = ViewQuery(symbol=BTC)


async def test_a_filled_window_is_summed_by_side_and_says_so_in_a_sentence() -> None:
    rig = HeatmapRig([tile(1, 96_000.0, 2e6, 5e5), tile(700, 97_000.0, 1e6), tile(2880, 97_000.0, 9e9)])
    answer = await rig.service.heatmap(BTC, DAY)
    assert answer.state is HeatmapState.FILLED
    assert answer.began_ms is None
    assert answer.sentence == "BTC: $3.00M of longs and $500,000 of shorts were liquidated in the last 24 h"
    assert answer.grid is not None
    assert (answer.grid.long_usd, answer.grid.short_usd, answer.grid.events) == (3e6, 5e5, 2)


@pytest.mark.parametrize("before", [[], [tile(2881, 97_000.0, 9e9)]])
async def test_a_recording_that_began_inside_of_the_window_is_said_to(before: list[TileRow]) -> None:
    rig = HeatmapRig([tile(1, 96_000.0, 2e6, 5e5), tile(180, 97_000.0, 1e6), *before])
    answer = await rig.service.heatmap(BTC, DAY)
    assert answer.began_ms == answer.first_stored_ms == (TO_MIN - 180) * MINUTE_MS
    assert answer.sentence == (
        "BTC: $3.00M of longs and $500,000 of shorts were liquidated since 03:13 UTC; before that nothing "
        "of the last 24 h is stored"
    )
    begun = answer.missing[0]
    assert (begun.part, begun.detail) == (
        HeatmapPart.LIQUIDATIONS,
        "none are stored before 03:13 UTC: it was quiet, or not recorded",
    )
    view = (await rig.service.view_source().fetch(VIEW)).value
    assert isinstance(view, LiquidationHeatmap)
    assert view.model == "own: streamed liquidations that happened since 03:13 UTC, not estimated levels"
    assert await rig.service.picture(BTC, DAY)


async def test_only_closed_minutes_are_asked_for() -> None:
    rig = HeatmapRig([tile(0, 96_000.0, 9e9), tile(1, 96_000.0, 1.0)])
    answer = await rig.service.heatmap(BTC, DAY)
    assert rig.store.asked == [("BTC", TO_MIN - 1440, TO_MIN)]
    assert answer.grid is not None
    assert answer.grid.long_usd == 1.0
    assert answer.to_ms == TO_MIN * MINUTE_MS <= NOW_MS
    assert answer.newest_stored_ms == answer.to_ms


async def test_what_lies_before_a_short_window_is_not_shown_in_it() -> None:
    rig = HeatmapRig([tile(61, 96_000.0, 7.0), tile(60, 96_000.0, 1.0)])
    answer = await rig.service.heatmap(BTC, HOUR)
    assert answer.grid is not None
    assert answer.grid.long_usd == 1.0
    assert answer.first_stored_ms == answer.from_ms == (TO_MIN - 60) * MINUTE_MS


async def test_never_stored_is_said_with_what_would_change_it_and_has_no_figure() -> None:
    answer = await HeatmapRig().service.heatmap(BTC, DAY)
    assert answer.state is HeatmapState.NOTHING_STORED
    assert answer.sentence == (
        "no liquidations stored for BTC in the last 24 h, nor before; no stream is running yet; "
        "python -m app.backfill --from FOLDER loads recorded ones"
    )
    assert (answer.grid, answer.levels, answer.first_stored_ms, answer.newest_stored_ms) == (None,) * 4
    assert answer.missing[0].part is HeatmapPart.LIQUIDATIONS


async def test_an_empty_window_is_not_the_same_as_never_stored() -> None:
    answer = await HeatmapRig([tile(180, 96_000.0, 1.0)]).service.heatmap(BTC, HOUR)
    assert answer.state is HeatmapState.EMPTY_WINDOW
    assert answer.sentence == (
        "no liquidations stored for BTC in the last 1 h; the newest is 3.0 h old: since then the market "
        "was quiet or nothing was recorded"
    )
    assert answer.grid is None
    assert answer.newest_stored_ms == (TO_MIN - 179) * MINUTE_MS


async def test_another_coins_tiles_are_no_tiles_of_this_one() -> None:
    rig = HeatmapRig([tile(1, 96_000.0, 1.0)])
    assert (await rig.service.heatmap(Symbol("ETH"), DAY)).state is HeatmapState.NOTHING_STORED


async def test_missing_parts_of_the_composite_are_named_once_and_forbid_alerts() -> None:
    answer = await HeatmapRig([tile(1, 96_000.0, 5e5), tile(2880, 96_000.0, 5e5)]).service.heatmap(BTC, DAY)
    assert [part.part for part in answer.missing] == [
        HeatmapPart.OPEN_INTEREST_CHANGE,
        HeatmapPart.SWING_PROXIMITY,
    ]
    assert answer.composite.ts_min == TO_MIN - 1
    assert answer.composite.tiles[0].score == pytest.approx(0.6)
    assert not answer.composite.can_alert


async def test_the_composite_looks_at_24_hours_whatever_is_shown() -> None:
    tiles = [tile(ago, 96_000.0, 1e6) for ago in range(100, 1000)] + [tile(1, 96_000.0, 1e3)]
    answer = await HeatmapRig(tiles).service.heatmap(BTC, HOUR)
    assert answer.composite.tiles[0].liquidation_part == pytest.approx(0.001)


async def test_levels_stand_around_the_price_nearest_first() -> None:
    rig = HeatmapRig([tile(5, 90_000.0, 3e6), tile(6, 95_000.0, 1e6), tile(7, 99_000.0, 0.0, 2e6)])
    levels = (await rig.service.heatmap(BTC, DAY)).levels
    assert levels is not None
    assert [level.long_usd for level in levels.below] == [1e6, 3e6]
    assert [level.short_usd for level in levels.above] == [2e6]


async def test_without_a_price_the_grid_is_still_there_and_the_price_is_named() -> None:
    rig = HeatmapRig([tile(1, 96_000.0, 1.0), tile(2880, 96_000.0, 1.0)])
    rig.price_usd = None
    answer = await rig.service.heatmap(BTC, DAY)
    assert answer.grid is not None
    assert answer.levels is None
    assert (answer.missing[0].part, answer.missing[0].reason) == (HeatmapPart.PRICE, MissingReason.TIMEOUT)


async def test_the_picture_is_drawn_from_finer_cells_than_the_answer() -> None:
    rig = HeatmapRig(busy_day(per_minute=9))
    assert await rig.service.picture(BTC, DAY) == b"\x89PNG fake"
    drawn = rig.painter.painted[0].grid
    told = (await rig.service.heatmap(BTC, DAY)).grid
    assert drawn is not None
    assert told is not None
    assert len(told.cells) <= ANSWER_LIMITS.cells < len(drawn.cells) <= PICTURE_LIMITS.cells
    assert drawn.long_usd == told.long_usd


async def test_a_store_that_does_not_answer_is_an_error_of_its_own() -> None:
    rig = HeatmapRig()
    rig.store.error = StorageUnavailable("the database does not answer")
    with pytest.raises(StorageUnavailable):
        await rig.service.heatmap(BTC, DAY)


class TestView:
    """The same tiles as the last source of the provider's view."""

    async def test_it_says_that_it_happened_and_whose_it_is(self) -> None:
        source = HeatmapRig([tile(3, 96_000.0, 2e6, 5e5)]).service.view_source()
        assert (source.view, source.provider) == (View.LIQUIDATION_HEATMAP, "store")
        found = await source.fetch(VIEW)
        assert isinstance(found.value, LiquidationHeatmap)
        assert not found.value.is_estimate
        assert "not estimated levels" in found.value.model
        assert [(cell.liquidated_side, cell.size_usd) for cell in found.value.cells] == [
            (PositionSide.LONG, 2e6),
            (PositionSide.SHORT, 5e5),
        ]
        assert found.value.cells[0].price_usd == pytest.approx(96_000.0, rel=0.0025)
        assert found.ts_event_ms == (TO_MIN - 2) * MINUTE_MS

    async def test_nothing_stored_is_a_state_of_the_set_up(self) -> None:
        with pytest.raises(ProviderNotConfigured, match="nor before"):
            await HeatmapRig().service.view_source().fetch(VIEW)

    async def test_an_old_record_is_no_data(self) -> None:
        with pytest.raises(ProviderNoData, match="quiet or nothing was recorded"):
            await HeatmapRig([tile(3000, 96_000.0, 1.0)]).service.view_source().fetch(VIEW)

    async def test_a_store_that_is_down_fails_as_a_source_does(self) -> None:
        rig = HeatmapRig()
        rig.store.error = StorageUnavailable("the database does not answer")
        with pytest.raises(ProviderUnavailable, match="does not answer"):
            await rig.service.view_source().fetch(VIEW)

    @pytest.mark.parametrize(
        ("tiles", "provider", "told"),
        [
            ([], None, "coinglass: not in the standard plan; store: no liquidations stored for BTC"),
            ([tile(3, 96_000.0, 2e6)], "store", ""),
        ],
    )
    async def test_it_is_asked_after_the_provider_and_leaves_the_providers_reason_in_place(
        self, tiles: list[TileRow], provider: str | None, told: str
    ) -> None:
        async def refuse(_query: ViewQuery) -> Fetched[object]:
            raise ProviderPlanLimited("coinglass", "heatmap", "not in the standard plan")

        lacking = ViewSource(
            View.LIQUIDATION_HEATMAP, "coinglass", "heatmap", refuse, lambda _query: "professional"
        )
        part = (
            await DerivativesService(
                sources=[lacking, HeatmapRig(tiles).service.view_source()],
                resolve=Symbol,
                clock=ManualClock(NOW_MS),
                deadline_s=5.0,
            ).parts([View.LIQUIDATION_HEATMAP], VIEW)
        )[View.LIQUIDATION_HEATMAP]
        if provider is not None:
            assert isinstance(part.found, Reading)
            assert part.found.provider == provider
        else:
            assert isinstance(part.found, Missing)
            assert (part.found.reason, part.plan_needed) == (MissingReason.NOT_IN_PLAN, "professional")
            assert part.found.detail.startswith(told)

    def test_no_plan_would_give_it(self) -> None:
        assert HeatmapRig().service.view_source().plan_needed(VIEW) is None


class TestComposite:
    """With open interest by the minute and swings every part is there, and a strong tile may be told."""

    def rig(self, *, interest: bool = True, now_ms: int = NOW_MS) -> HeatmapRig:
        asked: list[int] = []

        async def minutes(_symbol: Symbol, ts_min: int) -> list[InterestMinute]:
            asked.append(ts_min)
            return [InterestMinute(ts_min - n, bucket_of(96_000.0), 1e6) for n in range(30)]

        async def swings(_symbol: Symbol) -> Swings:
            return Swings((96_000.0,), 100.0)

        quiet = [tile(n, 97_000.0, 1_000.0) for n in range(40, 1, -1)]
        made = HeatmapRig(
            [*quiet, tile(1, 96_000.0, 5e6)],
            swings=swings,
            interest=minutes if interest else None,
            now_ms=now_ms,
        )
        self.asked = asked
        return made

    async def test_every_part_present_makes_a_strong_tile_that_may_be_told(self) -> None:
        score, tiles = await self.rig().service.composite(BTC)
        assert (score.can_alert, score.missing, score.ts_min) == (True, (), TO_MIN - 1)
        assert score.tiles[0].score > 0.95
        assert [found.long_usd for found in tiles] == [5e6]
        assert self.asked == [TO_MIN - 1]

    async def test_the_answer_of_the_route_has_the_same_composite(self) -> None:
        rig = self.rig()
        assert (await rig.service.heatmap(BTC, HOUR)).composite == (await rig.service.composite(BTC))[0]

    async def test_without_open_interest_it_is_named_and_nothing_may_be_told(self) -> None:
        score, _ = await self.rig(interest=False).service.composite(BTC)
        assert (score.can_alert, [part.part for part in score.missing]) == (
            False,
            [HeatmapPart.OPEN_INTEREST_CHANGE],
        )

    async def test_a_minute_is_taken_once_its_liquidations_are_stored(self) -> None:
        edge_ms = TO_MIN * MINUTE_MS
        early, _ = await self.rig(now_ms=edge_ms + SETTLING_MS - 1).service.composite(BTC)
        late, _ = await self.rig(now_ms=edge_ms + SETTLING_MS).service.composite(BTC)
        assert (early.ts_min, late.ts_min) == (TO_MIN - 2, TO_MIN - 1)

    async def test_the_answer_of_the_route_waits_for_them_too(self) -> None:
        early = self.rig(now_ms=TO_MIN * MINUTE_MS + SETTLING_MS - 1).service
        assert (await early.heatmap(BTC, HOUR)).composite.ts_min == TO_MIN - 2


class TestPublished:
    """What a worker published of the settled minute is told, without asking for candles."""

    def rig(self, told: CompositeScore | None, *, now_ms: int = NOW_MS) -> HeatmapRig:
        self.asked: list[str] = []

        async def published(coin: str) -> CompositeScore | None:
            self.asked.append(coin)
            return told

        async def swings(_symbol: Symbol) -> Swings:
            self.asked.append("candles")
            return Swings((96_000.0,), 100.0)

        return HeatmapRig([tile(1, 96_000.0, 5e6)], swings=swings, published=published, now_ms=now_ms)

    def score(self, ts_min: int) -> CompositeScore:
        return CompositeScore(ts_min, (CompositeRow("BTC", ts_min, 7, 0.9, 0.9, 0.9, 0.9),), (), True, "")

    async def test_it_is_told_as_it_is(self) -> None:
        told = self.score(TO_MIN - 1)
        assert (await self.rig(told).service.heatmap(BTC, HOUR)).composite == told
        assert self.asked == ["BTC"]

    @pytest.mark.parametrize("ts_min", [None, TO_MIN - 2, TO_MIN])
    async def test_of_any_other_minute_it_is_computed_instead(self, ts_min: int | None) -> None:
        rig = self.rig(None if ts_min is None else self.score(ts_min))
        answer = await rig.service.heatmap(BTC, HOUR)
        assert (answer.composite.ts_min, self.asked) == (TO_MIN - 1, ["BTC", "candles"])
        assert answer.composite.tiles[0].liquidation_part == 1.0

    async def test_who_publishes_computes(self) -> None:
        score, _ = await self.rig(self.score(TO_MIN - 1)).service.composite(BTC)
        assert self.asked == ["candles"]
        assert score.tiles[0].bucket == bucket_of(96_000.0)
