"""Means of one call are drawn together: their differences are paired, and as uncertain as they should be."""

from __future__ import annotations

import numpy as np
import pytest

from app.core.calibration.blocks import Drawn, difference, draw_means, interval_of
from app.core.errors import InvariantViolation

HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS


def drawn(*columns: tuple[np.ndarray, np.ndarray], at_ms: np.ndarray, draws: int = 1_000) -> list[Drawn]:
    found = draw_means(columns, at_ms, DAY_MS, draws=draws)
    assert None not in found
    return [one for one in found if one is not None]


def test_a_loop_over_drawn_days_gives_the_same_means() -> None:
    rng = np.random.default_rng(1)
    at_ms = np.sort(rng.integers(0, 30 * DAY_MS, 500))
    value, weight = rng.normal(size=500), rng.integers(0, 2, 500).astype(float)
    (found,) = drawn((value, weight), at_ms=at_ms, draws=50)
    picks = np.random.default_rng(20_261_126).integers(0, 30, (50, 30))
    for mean, days in zip(found.draws, picks, strict=True):
        rows = np.concatenate([np.flatnonzero(at_ms // DAY_MS == day) for day in days])
        assert mean == pytest.approx((value * weight)[rows].sum() / weight[rows].sum())
    assert found.mean == pytest.approx(value[weight > 0].mean())
    assert found.variance == pytest.approx(value[weight > 0].var())
    assert (found.n, found.blocks) == (int(weight.sum()), 30)


def test_what_moves_both_rules_alike_does_not_blur_their_difference() -> None:
    rng = np.random.default_rng(2)
    at_ms = np.arange(200 * 24) * HOUR_MS
    market = np.repeat(rng.normal(0.0, 0.01, 200), 24)
    edge = market + 0.001 + rng.normal(0.0, 0.001, at_ms.size)
    ours, other = drawn(
        (edge, (np.arange(at_ms.size) % 2 == 0).astype(float)),
        (market, (np.arange(at_ms.size) % 3 == 0).astype(float)),
        at_ms=at_ms,
    )
    assert ours.to_mean().holds_zero
    gain = difference(ours, other)
    assert gain.low < 0.001 < gain.high
    assert gain.low > 0.0005
    assert gain.n == at_ms.size // 3
    back = difference(other, ours)
    assert (back.mean, back.low, back.high) == (
        -gain.mean,
        pytest.approx(-gain.high),
        pytest.approx(-gain.low),
    )


def test_unrelated_rules_are_as_uncertain_as_two_samples() -> None:
    rng = np.random.default_rng(3)
    at_ms = np.arange(400 * 24) * HOUR_MS
    first = (np.arange(at_ms.size) // 24 % 2 == 0).astype(float)  # on other days than the second
    ours, other = drawn(
        (rng.normal(size=at_ms.size), first), (rng.normal(size=at_ms.size), 1 - first), at_ms=at_ms
    )
    found = difference(ours, other)
    assert found.high - found.low == pytest.approx(2 * 1.96 * np.sqrt(2 / 4_800), rel=0.15)
    assert found.effective_n == pytest.approx(4_800, rel=0.25)
    assert found.holds_zero


def test_a_few_blocks_count_as_one_outcome_each() -> None:
    at_ms = np.arange(10 * 24) * HOUR_MS
    value = np.tile([1.0, 0.0], 120)  # every day alike: no spread at all between blocks
    (found,) = drawn((value, np.ones(240)), at_ms=at_ms)
    assert found.to_mean().effective_n == 10.0
    (longer,) = drawn((np.tile(value, 3), np.ones(720)), at_ms=np.arange(30 * 24) * HOUR_MS)
    assert longer.to_mean().effective_n == 30.0


def test_what_a_weight_of_zero_hides_may_be_anything() -> None:
    at_ms = np.arange(48) * HOUR_MS
    value = np.where(np.arange(48) % 2 == 0, 1.0, np.nan)
    (found,) = drawn((value, (np.arange(48) % 2 == 0).astype(float)), at_ms=at_ms)
    assert found.mean == 1.0
    assert np.isfinite(found.draws).all()


def test_no_weight_means_no_mean() -> None:
    at_ms = np.arange(48) * HOUR_MS
    assert draw_means([(np.ones(48), np.zeros(48))], at_ms, DAY_MS) == [None]
    assert draw_means([(np.empty(0), np.empty(0))], np.empty(0, dtype=np.int64), DAY_MS) == [None]


def test_means_of_different_draws_have_no_difference() -> None:
    at_ms = np.arange(48) * HOUR_MS
    (few,), (many,) = (drawn((np.ones(48), np.ones(48)), at_ms=at_ms, draws=n) for n in (100, 200))
    with pytest.raises(InvariantViolation):
        difference(few, many)


def test_the_interval_of_few_blocks_is_stretched_as_students_t_is() -> None:
    draws = np.linspace(-1.0, 1.0, 2_001) / 0.95
    assert interval_of(0.0, draws, 2) == pytest.approx((-9.17, 9.17), abs=0.02)
    assert interval_of(0.0, draws, 20) == pytest.approx((-1.095, 1.095), abs=0.005)
    assert interval_of(0.0, draws, 10_000) == pytest.approx((-1.0, 1.0), abs=0.001)
    # Of eight tests 0.3125 % lie beyond each end: 1.046 of these draws, times 3.07 / 2.73, times 1.026.
    assert interval_of(0.0, draws, 20, tests=8) == pytest.approx((-1.206, 1.206), abs=0.005)
    with pytest.raises(InvariantViolation):
        interval_of(0.0, draws, 1)


@pytest.mark.parametrize(("blocks", "most"), [(2, 0.16), (3, 0.12), (5, 0.10), (10, 0.08), (30, 0.075)])
def test_intervals_of_pure_noise_miss_about_as_seldom_as_they_say(blocks: int, most: float) -> None:
    """Without the stretch those of two blocks missed every other time."""
    missed = 0
    at_ms = np.repeat(np.arange(blocks), 6) * 8 * 3_600_000
    for seed in range(400):
        values = np.random.default_rng(seed).normal(size=at_ms.size)
        (drawn,) = draw_means([(values, np.ones(at_ms.size))], at_ms, 8 * 3_600_000, draws=400)
        assert drawn is not None
        found = drawn.to_mean()
        missed += not found.low <= 0.0 <= found.high
    assert missed / 400 <= most
