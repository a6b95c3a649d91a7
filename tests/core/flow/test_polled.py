"""Findings of polled data: thresholds, sides that mirror, episodes that are the same in every process."""

from __future__ import annotations

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.domain.derivatives import PositionSide, WhaleAction, WhaleAlert
from app.core.domain.flow import AlertKind
from app.core.domain.flow_config import FlowConfig
from app.core.domain.heatmap import CompositeScore
from app.core.domain.signal import Direction
from app.core.domain.stored import CompositeRow, LiquidatedSide, TileRow
from app.core.flow.polled import (
    FundingNow,
    InterestChange,
    InterestMove,
    classify_interest,
    detect_funding,
    detect_interest,
    detect_tile,
    detect_whales,
    tail_confidence,
    whale_id,
)
from app.core.heatmap.buckets import bucket_low, bucket_of

NOW_MS = 1_772_000_000_000
CONFIG = FlowConfig()


def whale(**changes: object) -> WhaleAlert:
    plain = WhaleAlert(
        wallet="0xabc",
        base="BTC",
        side=PositionSide.LONG,
        action=WhaleAction.OPENED,
        size_base=20.0,
        size_usd=2_000_000.0,
        entry_price_usd=96_000.0,
        liquidation_price_usd=80_000.0,
        ts_event_ms=NOW_MS - 60_000,
    )
    return dataclasses.replace(plain, **changes)  # type: ignore[arg-type]


def whales(*alerts: WhaleAlert, since_ms: int = NOW_MS - 600_000) -> list:  # type: ignore[type-arg]
    return detect_whales(alerts, CONFIG, {"BTC": 96_100.0}, since_ms=since_ms)


class TestWhales:
    def test_an_opened_long_of_two_million_is_told_with_its_numbers(self) -> None:
        (found,) = whales(whale())
        assert (found.kind, found.direction, found.usd) == (
            AlertKind.WHALE_POSITION,
            Direction.LONG,
            2_000_000.0,
        )
        assert (found.ratio, found.confidence, found.price) == (2.0, 85.0, 96_100.0)
        assert dict(found.evidence)["is_opened"] == 1.0
        assert dict(found.evidence)["liquidation_price_usd"] == 80_000.0

    def test_exactly_a_million_is_just_sure_enough(self) -> None:
        assert whales(whale(size_usd=1_000_000.0))[0].confidence == pytest.approx(70.0)

    @pytest.mark.parametrize("size_usd", [0.0, 999_999.99])
    def test_less_than_a_million_is_nothing(self, size_usd: float) -> None:
        assert whales(whale(size_usd=size_usd)) == []

    def test_a_short_mirrors_and_a_close_speaks_for_nobody(self) -> None:
        short = whales(whale(side=PositionSide.SHORT))[0]
        closed = whales(whale(action=WhaleAction.CLOSED))[0]
        assert (short.direction, dict(short.evidence)["is_long"]) == (Direction.SHORT, 0.0)
        assert (closed.direction, dict(closed.evidence)["is_opened"]) == (Direction.NEUTRAL, 0.0)

    def test_what_is_older_than_asked_for_is_no_news(self) -> None:
        assert whales(whale(), since_ms=NOW_MS - 60_000) == []
        assert len(whales(whale(), since_ms=NOW_MS - 60_001)) == 1

    def test_a_coin_without_a_price_has_none(self) -> None:
        assert whales(whale(base="PEPE"))[0].price is None

    def test_the_same_deed_is_the_same_episode_and_any_other_fact_is_another(self) -> None:
        others = [
            whale(wallet="0xabd"),
            whale(base="ETH"),
            whale(side=PositionSide.SHORT),
            whale(action=WhaleAction.CLOSED),
            whale(ts_event_ms=NOW_MS - 60_001),
        ]
        assert whale_id(whale()) == whale_id(whale(size_usd=9e9))
        assert len({whale_id(one) for one in [whale(), *others]}) == 6
        assert "0xabc" not in whales(whale())[0].episode

    def test_the_order_does_not_hang_on_the_order_of_the_list(self) -> None:
        rows = [whale(ts_event_ms=NOW_MS - n, wallet=f"w{n}") for n in range(1, 6)]
        assert whales(*rows) == whales(*reversed(rows))


def funding(percentile: float, **changes: object) -> FundingNow:
    plain = FundingNow("BTC", 0.0009, percentile, 30.0, NOW_MS - 1_800_000, NOW_MS, 96_000.0)
    return dataclasses.replace(plain, **changes)  # type: ignore[arg-type]


class TestFunding:
    @pytest.mark.parametrize("percentile", [0.99, 0.5, 0.01])
    def test_inside_its_own_tails_it_is_nothing(self, percentile: float) -> None:
        assert detect_funding(funding(percentile), CONFIG) is None

    def test_beyond_them_it_is_told_without_a_direction(self) -> None:
        high, low = detect_funding(funding(1.0), CONFIG), detect_funding(funding(0.001), CONFIG)
        assert high is not None
        assert low is not None
        assert {high.direction, low.direction} == {Direction.NEUTRAL}
        assert (high.confidence, high.percentile, high.usd) == (90.0, 1.0, 0.0)
        assert (high.episode.split(":")[1], low.episode.split(":")[1]) == ("high", "low")
        assert dict(high.evidence)["bar_age_s"] == 1_800.0

    def test_one_that_lasts_is_one_episode_in_each_period_of_eight_hours(self) -> None:
        def episode(bar_ms: int) -> str:
            found = detect_funding(funding(1.0, bar_ms=bar_ms), CONFIG)
            assert found is not None
            return found.episode

        start_ms = 1_771_977_600_000  # a settlement, 00:00 UTC
        assert episode(start_ms) == episode(start_ms + 8 * 3_600_000 - 1)
        assert episode(start_ms) != episode(start_ms + 8 * 3_600_000)


@pytest.mark.parametrize(
    ("percentile", "points"), [(0.99, 70.0), (0.995, 80.0), (1.0, 90.0), (0.01, 70.0), (0.0, 90.0)]
)
def test_the_confidence_of_a_tail_is_70_at_its_edge_and_90_at_its_end(
    percentile: float, points: float
) -> None:
    assert tail_confidence(percentile, 0.99) == pytest.approx(points)


def change(**changes: object) -> InterestChange:
    plain = InterestChange("BTC", 0.03, 0.01, 90e6, 0.999, 12.0, NOW_MS, 96_000.0)
    return dataclasses.replace(plain, **changes)  # type: ignore[arg-type]


class TestInterest:
    @pytest.mark.parametrize(
        ("interest", "price", "move"),
        [
            (0.03, 0.01, InterestMove.NEW_LONGS),
            (0.03, -0.01, InterestMove.NEW_SHORTS),
            (-0.03, -0.01, InterestMove.LONGS_CLOSING),
            (-0.03, 0.01, InterestMove.SHORTS_CLOSING),
            (0.03, 0.0, None),
            (0.0, 0.01, None),
        ],
    )
    def test_who_opens_and_who_closes(self, interest: float, price: float, move: InterestMove | None) -> None:
        assert classify_interest(interest, price) is move

    @pytest.mark.parametrize(
        ("interest", "price", "percentile", "direction"),
        [
            (0.03, 0.01, 0.999, Direction.LONG),
            (0.03, -0.01, 0.999, Direction.SHORT),
            (-0.03, -0.01, 0.001, Direction.NEUTRAL),
            (-0.03, 0.01, 0.001, Direction.NEUTRAL),
            (0.03, 0.0, 0.999, Direction.NEUTRAL),
        ],
    )
    def test_only_new_positions_speak_for_a_direction(
        self, interest: float, price: float, percentile: float, direction: Direction
    ) -> None:
        found = detect_interest(
            change(change_frac=interest, price_change_frac=price, percentile=percentile), CONFIG
        )
        assert found is not None
        assert found.direction is direction
        assert dict(found.evidence)["oi_change_5m_frac"] == interest

    def test_an_ordinary_change_is_nothing(self) -> None:
        assert detect_interest(change(percentile=0.99), CONFIG) is None
        assert detect_interest(change(percentile=0.01), CONFIG) is None

    def test_size_is_a_size_and_never_negative(self) -> None:
        found = detect_interest(change(usd=-90e6, change_frac=-0.03, percentile=0.0), CONFIG)
        assert found is not None
        assert (found.usd, found.window_s) == (90e6, 300)


PRICE = 96_000.0
HERE = bucket_of(PRICE)


def composite(*tiles: tuple[int, float], why: str = "") -> CompositeScore:
    rows = tuple(
        CompositeRow("BTC", 29_000_000, bucket, score, score, score, score) for bucket, score in tiles
    )
    return CompositeScore(29_000_000, rows, (), not why, why)


def tile(bucket: int, long_usd: float = 0.0, short_usd: float = 0.0) -> TileRow:
    return TileRow("BTC", 29_000_000, bucket, long_usd, short_usd, 3)


class TestTiles:
    def test_a_strong_tile_below_speaks_for_long_and_one_above_for_short(self) -> None:
        below = detect_tile(composite((HERE - 3, 0.8)), [tile(HERE - 3, 4e6)], PRICE, CONFIG)
        above = detect_tile(composite((HERE + 3, 0.8)), [tile(HERE + 3, 0.0, 4e6)], PRICE, CONFIG)
        assert below is not None
        assert above is not None
        assert (below.direction, below.side) == (Direction.LONG, LiquidatedSide.LONG)
        assert (above.direction, above.side) == (Direction.SHORT, LiquidatedSide.SHORT)
        assert below.usd == above.usd == 4e6
        assert below.confidence == above.confidence == pytest.approx(85.0)
        assert dict(below.evidence)["tile_high_usd"] <= PRICE < dict(above.evidence)["tile_low_usd"]

    def test_the_nearest_strong_one_is_taken_not_the_strongest(self) -> None:
        found = detect_tile(
            composite((HERE - 9, 0.99), (HERE - 2, 0.76), (HERE + 1, 0.74)), [], PRICE, CONFIG
        )
        assert found is not None
        assert dict(found.evidence)["composite_score"] == 0.76

    def test_the_threshold_is_reached_at_three_quarters(self) -> None:
        assert detect_tile(composite((HERE - 2, 0.75)), [], PRICE, CONFIG) is not None
        assert detect_tile(composite((HERE - 2, 0.7499)), [], PRICE, CONFIG) is None

    def test_the_tile_that_the_price_is_in_says_nothing(self) -> None:
        assert detect_tile(composite((HERE, 0.9)), [], PRICE, CONFIG) is None

    def test_a_price_on_the_upper_edge_has_the_tile_below_it(self) -> None:
        found = detect_tile(composite((HERE - 1, 0.9)), [], bucket_low(HERE), CONFIG)
        assert found is not None
        assert found.direction is Direction.LONG

    def test_a_missing_part_keeps_it_silent(self) -> None:
        assert detect_tile(composite((HERE - 2, 0.9), why="missing: swing"), [], PRICE, CONFIG) is None

    @given(st.lists(st.tuples(st.integers(-60, 60), st.floats(0, 1)), max_size=30), st.floats(0.5, 2.0))
    def test_a_direction_always_points_away_from_its_tile(
        self, tiles: list[tuple[int, float]], stretch: float
    ) -> None:
        price = PRICE * stretch
        found = detect_tile(composite(*((HERE + d, score) for d, score in tiles)), [], price, CONFIG)
        if found is None:
            return
        facts = dict(found.evidence)
        is_below = facts["tile_high_usd"] <= price
        assert is_below or facts["tile_low_usd"] > price
        assert (found.direction is Direction.LONG) == is_below
