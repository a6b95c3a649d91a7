"""The six-sigma rule: what is flagged, that it never looks ahead, and that pages do not change it."""

from __future__ import annotations

import math
import random
import statistics
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.core.domain.market import HOUR_MS, bar_length_ms
from app.core.domain.outliers import (
    MEMORY_BARS,
    MIN_BARS,
    PRICE,
    OutlierJudge,
    outlier_flags,
    robust_limit,
)
from app.core.domain.stored import (
    BarRow,
    CandleRow,
    FundingRow,
    OpenInterestRow,
    RatioRow,
    TakerRow,
)

T = 1_760_000_400_000


def interest(closes: Sequence[float], *, hours: Sequence[int] | None = None) -> list[BarRow]:
    """Open interest in USD, one bar an hour: one figure, so one reason to be flagged."""
    none = (None,) * 3
    stamps = range(len(closes)) if hours is None else hours
    return [
        OpenInterestRow("OKX", "BTC", "1h", T + hour * HOUR_MS, *none, close, *none, None, "okx", T, False)
        for hour, close in zip(stamps, closes, strict=True)
    ]


def flags(rows: Sequence[BarRow]) -> list[bool]:
    return [row.is_outlier for row in OutlierJudge().judge(rows)]


def walk(seed: int, bars: int, sigma: float = 0.01, start: float = 1000.0) -> list[float]:
    rng = random.Random(seed)
    values = [start]
    for _ in range(bars - 1):
        values.append(values[-1] * math.exp(rng.gauss(0, sigma)))
    return values


def see_saw(last_move: float) -> list[float]:
    """Forty moves of a hundredth up and down in turn, then one of `last_move`."""
    values = [1000.0]
    for index in range(40):
        values.append(values[-1] * math.exp(0.01 if index % 2 == 0 else -0.01))
    return [*values, values[-1] * math.exp(last_move)]


class TestLimit:
    def test_forty_moves_of_a_hundredth_allow_almost_nine(self) -> None:
        assert robust_limit([0.01] * 40, 1e-4) == pytest.approx(0.088956)

    @pytest.mark.parametrize(("move", "is_flagged"), [(0.088, False), (0.09, True), (-0.09, True)])
    def test_a_move_beyond_the_limit_is_flagged(self, move: float, is_flagged: bool) -> None:
        assert flags(interest(see_saw(move)))[-1] is is_flagged

    def test_a_fat_tail_widens_the_limit_and_one_bad_print_hardly(self) -> None:
        assert robust_limit([0.01] * 40 + [0.05] * 10, 1e-4) == pytest.approx(0.1445, rel=1e-4)
        assert robust_limit([0.01] * 40 + [5.0], 1e-4) == pytest.approx(0.10227, rel=1e-4)

    @given(st.lists(st.floats(0, 10), min_size=1, max_size=80))
    def test_the_limit_is_that_of_the_median_size_or_of_the_cut_deviation(self, sizes: list[float]) -> None:
        middle = 6 * 1.4826 * statistics.median(sizes)
        cut = [min(size, middle) for size in sizes]
        deviation = statistics.pstdev([*cut, *(-size for size in cut)])
        assert robust_limit(sorted(sizes), 0.0) == pytest.approx(max(middle, 6 * deviation))

    @given(st.integers(MIN_BARS, 240), st.floats(1e-3, 1), st.floats(1e-4, 1e6))
    def test_no_single_move_hides_itself_or_the_next(self, count: int, size: float, factor: float) -> None:
        spike = size * 15 * (1 + factor)
        assert robust_limit([*[size] * (count - 1), spike], 0.0) < size * 14

    def test_a_series_that_stood_still_does_not_flag_its_first_twitch(self) -> None:
        still = [1000.0] * 50
        assert not any(flags(interest([*still, 1000.5])))  # 5 basis points, under six of the floor
        assert flags(interest([*still, 1000.7]))[-1]


class TestWhatIsFlagged:
    @settings(max_examples=25)
    @given(seed=st.integers(0, 10_000))
    def test_a_clean_walk_flags_almost_nothing(self, seed: int) -> None:
        assert sum(flags(interest(walk(seed, 600)))) <= 1

    @settings(max_examples=25)
    @given(seed=st.integers(0, 10_000), at=st.integers(MIN_BARS + 70, 550), up=st.booleans())
    def test_a_planted_twenty_sigma_bar_is_flagged_there_and_not_before(
        self, seed: int, at: int, up: bool
    ) -> None:
        values = walk(seed, 600)
        before = flags(interest(values))
        values[at] *= math.exp(0.2 if up else -0.2)
        found = flags(interest(values))
        assert found[at]
        assert found[:at] == before[:at]

    def test_the_bar_that_comes_back_is_not_flagged_for_it(self) -> None:
        values = walk(3, 300)
        values[200] *= 2
        assert [index for index, is_outlier in enumerate(flags(interest(values))) if is_outlier] == [200]

    def test_of_a_jump_that_stays_only_the_first_bar_is_flagged(self) -> None:
        values = walk(3, 300)
        values[200:] = [value * 2 for value in values[200:]]
        assert [index for index, is_outlier in enumerate(flags(interest(values))) if is_outlier] == [200]

    def test_with_too_little_past_nothing_is_flagged(self) -> None:
        values = walk(1, MIN_BARS)
        assert not any(flags(interest([*values, values[-1] * 5])))
        assert flags(interest([*walk(1, MIN_BARS + 1), values[-1] * 5]))[-1]

    def test_over_a_hole_a_move_may_be_larger_by_the_root_of_its_bars(self) -> None:
        values = see_saw(0.15)
        hours = [*range(41), 40 + 4]
        assert not flags(interest(values, hours=hours))[-1]  # 0.15 / sqrt(4) is under 0.089
        assert flags(interest(values))[-1]

    def test_the_value_is_kept(self) -> None:
        values = see_saw(3.0)
        judged = OutlierJudge().judge(interest(values))[-1]
        assert isinstance(judged, OpenInterestRow)
        assert judged.close_usd == values[-1]

    def test_a_flag_that_is_set_stays(self) -> None:
        row = interest([1000.0])[0]._replace(is_outlier=True)
        assert OutlierJudge().judge([row])[0].is_outlier


class TestFigures:
    """Every kind of bar, each with one figure that jumps at the end."""

    @staticmethod
    def rows(kind: str, last: float) -> list[BarRow]:
        rng = random.Random(5)
        made: list[BarRow] = []
        for hour in range(100):
            at, jump = T + hour * HOUR_MS, last if hour == 99 else 0.0
            noise = rng.gauss(0, 1)
            key = ("OKX", "BTC", "1h", at)
            if kind == "wick":
                close = 1000 * math.exp(0.001 * noise)
                made.append(CandleRow(*key, close, close * math.exp(jump), close, close, 5.0, "okx", T))
            elif kind == "volume":
                made.append(CandleRow(*key, 9, 9, 9, 9, math.exp(0.3 * noise + jump), "okx", T))
            elif kind == "funding":
                made.append(FundingRow(*key, 1e-4 + 1e-5 * noise + jump, None, None, "okx", T))
            elif kind == "share":
                share = 0.5 + 0.002 * noise + jump
                made.append(RatioRow("top_account", *key, share, "okx", T))
            else:
                made.append(TakerRow(*key, math.exp(0.3 * noise), math.exp(jump), "okx", T))
        return made

    @pytest.mark.parametrize(
        ("kind", "ordinary", "extreme"),
        [
            ("wick", 0.001, 0.5),
            ("volume", 0.5, 9.0),
            ("funding", 2e-5, 2e-3),
            ("share", 0.004, 0.2),
            ("taker", 0.2, 3.0),
        ],
    )
    def test_each_is_judged_by_its_own_scale(self, kind: str, ordinary: float, extreme: float) -> None:
        assert not any(flags(self.rows(kind, ordinary)))
        found = flags(self.rows(kind, extreme))
        assert found[-1]
        assert not any(found[:-1])

    def test_a_volume_of_zero_is_not_judged(self) -> None:
        rows = [
            TakerRow("OKX", "BTC", "1h", T + hour * HOUR_MS, 0.0 if hour % 7 == 0 else 5.0, 5.0, "okx", T)
            for hour in range(200)
        ]
        assert not any(flags(rows))


class TestNoLookAhead:
    @settings(max_examples=20)
    @given(seed=st.integers(0, 10_000), cut=st.integers(1, 399), scale=st.sampled_from([0.25, 8, 1024]))
    def test_the_future_and_the_unit_change_no_flag(self, seed: int, cut: int, scale: float) -> None:
        rng = random.Random(seed)
        values = [value * (3 if rng.random() < 0.02 else 1) for value in walk(seed, 400)]
        found = flags(interest(values))
        assert flags(interest(values[:cut])) == found[:cut]
        assert flags(interest([value * scale for value in values])) == found

    @settings(max_examples=20)
    @given(seed=st.integers(0, 10_000), cut=st.integers(1, 799))
    def test_the_bars_of_its_memory_are_all_a_judge_needs(self, seed: int, cut: int) -> None:
        rng = random.Random(seed)
        values = [value * (3 if rng.random() < 0.03 else 1) for value in walk(seed, 800)]
        whole = OutlierJudge().judge(interest(values))
        resumed = OutlierJudge()
        resumed.learn(whole[max(0, cut - MEMORY_BARS) : cut])
        assert resumed.judge(interest(values)[cut:]) == whole[cut:]


def test_one_figure_alone_is_judged_by_the_same_rule() -> None:
    values = walk(3, 300)
    values[200] *= 2
    assert list(outlier_flags(PRICE, values)) == flags(interest(values))


def test_bar_lengths_are_read_from_their_names() -> None:
    assert [bar_length_ms(name) for name in ("5m", "2h", "1d", "1w")] == [
        300_000,
        7_200_000,
        86_400_000,
        604_800_000,
    ]
