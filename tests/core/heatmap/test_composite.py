"""Composite tiles: weights, scales, missing parts that are named and never made up for, no NaN anywhere."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.domain.heatmap import AbsentPart, HeatmapPart
from app.core.domain.quality import MissingReason
from app.core.domain.stored import TileRow
from app.core.errors import InvariantViolation
from app.core.heatmap.buckets import bucket_mid
from app.core.heatmap.composite import (
    InterestMinute,
    Swings,
    scale_by_percentile,
    score_composite,
    swing_nearness,
    weigh,
)

NOW = 30_000_000
BUCKET = 4_600
ON_IT = Swings((bucket_mid(BUCKET),), 100.0)


def absent(part: HeatmapPart) -> AbsentPart:
    return AbsentPart(part, MissingReason.NOT_CONFIGURED, "not yet")


NO_TILES, NO_INTEREST, NO_SWINGS = map(
    absent, (HeatmapPart.LIQUIDATIONS, HeatmapPart.OPEN_INTEREST_CHANGE, HeatmapPart.SWING_PROXIMITY)
)


def tile(ago: int, usd: float, bucket: int = BUCKET) -> TileRow:
    return TileRow("BTC", NOW - ago, bucket, usd, 0.0, 1)


def moved(ago: int, usd: float, bucket: int = BUCKET) -> InterestMinute:
    return InterestMinute(NOW - ago, bucket, usd)


DAY = [tile(ago, 500.0) for ago in range(1, 40)]
DAY_INTEREST = [moved(ago, -1e6) for ago in range(1, 40)]


class TestWeigh:
    def test_worked_numbers(self) -> None:
        assert weigh(1.0, 1.0, 1.0) == pytest.approx(1.0)
        assert weigh(0.5, None, 1.0) == pytest.approx(0.4)
        assert weigh(None, None, None) == 0.0

    @given(st.tuples(*[st.floats(0, 1)] * 3), st.integers(0, 2), st.floats(0, 1))
    def test_a_larger_part_never_lowers_the_score(
        self, parts: tuple[float, ...], which: int, other: float
    ) -> None:
        low, high = sorted((parts[which], other))
        before, after = list(parts), list(parts)
        before[which], after[which] = low, high
        assert 0.0 <= weigh(*before) <= weigh(*after) <= 1.0

    @given(st.floats(0, 1), st.floats(0, 1))
    def test_a_missing_part_is_not_made_up_for_by_the_others(self, one: float, other: float) -> None:
        assert weigh(one, other, None) == weigh(one, other, 0.0)


class TestScale:
    def test_worked_numbers(self) -> None:
        assert scale_by_percentile([47.525, 100.0], range(1, 101)) == pytest.approx([0.5, 1.0])

    @pytest.mark.parametrize(
        ("among", "value", "scaled"),
        [
            ([], 0.0, 0.0),
            ([5.0], 5.0, 1.0),
            ([5.0] * 50, 5.0, 1.0),
            ([0.0] * 99 + [7.0], 7.0, 1.0),
            ([0.0] * 99 + [7.0], 0.0, 0.0),
            ([0.0] * 10, 0.0, 0.0),
            ([5e-324], 5e-324, 1.0),
        ],
    )
    def test_degenerate_windows_stay_finite(self, among: list[float], value: float, scaled: float) -> None:
        assert scale_by_percentile([value], among) == [scaled]

    @given(st.lists(st.floats(0, 1e12), min_size=1, max_size=50), st.data())
    def test_a_larger_value_never_scales_lower_even_though_it_moves_the_percentile(
        self, among: list[float], data: st.DataObject
    ) -> None:
        which = data.draw(st.integers(0, len(among) - 1))
        larger = among[which] + data.draw(st.floats(0, 1e12))
        after = [*among[:which], larger, *among[which + 1 :]]
        before = scale_by_percentile([among[which]], among)[0]
        assert 0.0 <= before <= scale_by_percentile([larger], after)[0] + 1e-9 <= 1.0 + 1e-9


class TestSwingNearness:
    def test_worked_numbers(self) -> None:
        swings = Swings((100.0, 200.0), 10.0)
        assert swing_nearness(110.0, swings) == pytest.approx(0.367879, abs=1e-6)
        assert swing_nearness(200.0, swings) == 1.0

    @given(st.floats(1, 1e6), st.floats(1, 1e6))
    def test_nearer_is_never_weaker(self, one: float, other: float) -> None:
        near, far = sorted((one, other), key=lambda price: abs(price - 500.0))
        swings = Swings((500.0,), 30.0)
        assert swing_nearness(far, swings) <= swing_nearness(near, swings)


class TestScore:
    def test_all_three_parts_at_their_percentile_make_one_and_may_alert(self) -> None:
        found = score_composite("BTC", NOW, [*DAY, tile(0, 500.0)], [*DAY_INTEREST, moved(0, 1e6)], ON_IT)
        assert [(row.bucket, row.score) for row in found.tiles] == [(BUCKET, pytest.approx(1.0))]
        assert (found.can_alert, found.why_no_alert, found.missing) == (True, "", ())

    def test_without_swings_the_rest_is_not_raised_and_nothing_can_alert(self) -> None:
        found = score_composite("BTC", NOW, [*DAY, tile(0, 500.0)], [*DAY_INTEREST, moved(0, 1e6)], NO_SWINGS)
        assert found.tiles[0].score == pytest.approx(0.9)
        assert found.tiles[0].swing_part is None
        assert found.missing == (NO_SWINGS,)
        assert (found.can_alert, found.why_no_alert) == (False, "missing: swing_proximity")

    def test_liquidations_alone_make_sixty_percent_at_most(self) -> None:
        found = score_composite("BTC", NOW, [*DAY, tile(0, 9e9)], NO_INTEREST, NO_SWINGS)
        row = found.tiles[0]
        assert (row.score, row.liquidation_part, row.open_interest_part) == (pytest.approx(0.6), 1.0, None)
        assert not found.can_alert

    def test_no_part_at_all_is_no_tile_and_three_names(self) -> None:
        found = score_composite("BTC", NOW, NO_TILES, NO_INTEREST, NO_SWINGS)
        assert found.tiles == ()
        assert found.missing == (NO_TILES, NO_INTEREST, NO_SWINGS)

    def test_a_part_that_is_there_but_not_at_this_price_is_zero_not_missing(self) -> None:
        found = score_composite(
            "BTC", NOW, [*DAY, tile(0, 500.0)], [*DAY_INTEREST, moved(0, 1e6, BUCKET + 3)], ON_IT
        )
        parts = {row.bucket: (row.liquidation_part, row.open_interest_part) for row in found.tiles}
        assert parts == {BUCKET: (1.0, 0.0), BUCKET + 3: (0.0, 1.0)}

    def test_the_sign_of_the_open_interest_change_is_irrelevant(self) -> None:
        up = score_composite("BTC", NOW, DAY, [*DAY_INTEREST, moved(0, 3e5)], ON_IT)
        down = score_composite("BTC", NOW, DAY, [*DAY_INTEREST, moved(0, -3e5)], ON_IT)
        assert up == down
        assert up.tiles[0].open_interest_part == pytest.approx(0.3)

    def test_only_the_24_hours_that_end_with_the_minute_count(self) -> None:
        edge = [tile(1439, 1000.0), *DAY, tile(0, 500.0)]
        around = [tile(1440, 9e9), *edge, tile(-1, 9e9)]
        assert score_composite("BTC", NOW, around, NO_INTEREST, NO_SWINGS) == score_composite(
            "BTC", NOW, edge, NO_INTEREST, NO_SWINGS
        )

    def test_a_handful_of_tiles_is_no_scale_to_alert_on(self) -> None:
        found = score_composite("BTC", NOW, [tile(0, 0.01)], [moved(0, 1e6)], ON_IT)
        assert found.tiles[0].score == pytest.approx(1.0)
        assert not found.can_alert
        assert found.why_no_alert == "only 1 tiles in 24 h, 20 are needed to scale them"

    @pytest.mark.parametrize(
        ("swings", "why"),
        [
            (Swings((), 100.0), "no confirmed swing level"),
            (Swings((96_000.0,), 0.0), "ATR(15m) is not above zero"),
            (Swings((96_000.0,), math.nan), "ATR(15m) is not above zero"),
        ],
    )
    def test_swings_that_cannot_be_used_are_missing_with_their_reason(self, swings: Swings, why: str) -> None:
        found = score_composite("BTC", NOW, [*DAY, tile(0, 500.0)], [moved(0, 1e6)], swings)
        assert [part.detail for part in found.missing] == [why]
        assert not found.can_alert

    @pytest.mark.parametrize("usd", [math.nan, math.inf, -1.0])
    def test_a_figure_that_cannot_be_is_a_bug_and_loud(self, usd: float) -> None:
        with pytest.raises(InvariantViolation):
            score_composite("BTC", NOW, [tile(0, usd)], NO_INTEREST, NO_SWINGS)

    def test_a_swing_level_that_is_not_finite_is_a_bug_and_loud(self) -> None:
        with pytest.raises(InvariantViolation):
            score_composite("BTC", NOW, DAY, NO_INTEREST, Swings((math.inf,), 1.0))

    @given(
        st.lists(st.tuples(st.integers(0, 1500), st.floats(0, 1e12), st.integers(-8000, 6000)), max_size=40),
        st.lists(st.tuples(st.integers(0, 1500), st.floats(-1e12, 1e12)), max_size=40),
        st.one_of(
            st.just(NO_SWINGS),
            st.builds(
                Swings,
                st.lists(st.floats(1e-8, 1e7), max_size=4).map(tuple),
                st.floats(0, 1e6),
            ),
        ),
    )
    def test_scores_are_finite_and_between_zero_and_one(
        self,
        tiles: list[tuple[int, float, int]],
        interest: list[tuple[int, float]],
        swings: Swings | AbsentPart,
    ) -> None:
        found = score_composite(
            "BTC", NOW, [tile(*item) for item in tiles], [moved(*item) for item in interest], swings
        )
        for row in found.tiles:
            parts = (row.liquidation_part, row.open_interest_part, row.swing_part)
            assert all(0.0 <= part <= 1.0 for part in parts if part is not None)
            assert 0.0 <= row.score <= 1.0
        scores = [row.score for row in found.tiles]
        assert scores == sorted(scores, reverse=True)
        assert found.can_alert == (not found.missing and found.why_no_alert == "")
