"""Monotone, without scale, and the same upside down: clusters, scores, odds and plans on random markets."""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import pairwise, product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.core.confluence.clustering import MAX_WIDTH_ATR, build_clusters, magnet_bias
from app.core.confluence.measured_rates import MEASURED
from app.core.confluence.scoring import enhance_zones, score_confluence
from app.core.confluence.setups import MAX_RISK_ATR, MIN_REWARD_RISK, MIN_RISK_ATR, build_setup
from app.core.confluence.sweep import first_ever, first_within, touch_probability
from app.core.domain.derivatives import PositionSide
from app.core.domain.liquidity import LiquidationZone, ProbabilitySource, Setup, ZoneKind, ZoneState
from tests.liquidity_facts import (
    ATR,
    BLOCK,
    GAP,
    PRICE,
    SIGMA,
    example_clusters,
    example_levels,
    level,
    market,
    mirrored_levels,
    mirrored_zone,
    random_levels,
    zone,
)

seeds = st.integers(0, 10**6)


@given(seeds)
@settings(max_examples=50)
def test_clusters_keep_every_level_and_their_limits(seed: int) -> None:
    levels = random_levels(seed)
    clusters = build_clusters(levels, PRICE, ATR)
    assert math.fsum(one.magnet for one in clusters) == pytest.approx(100)
    assert max(one.strength for one in clusters) == 100
    held = math.fsum(one.volume_usd for one in clusters)
    assert (
        0.6 * math.fsum(one.usd for one in levels)
        <= held
        <= math.fsum(one.usd for one in levels) * (1 + 1e-12)
    )
    for one in clusters:
        assert one.high_usd - one.low_usd <= MAX_WIDTH_ATR * ATR
        assert one.low_usd <= one.price_usd <= one.high_usd
        assert (one.near_usd < PRICE) == (one.side is PositionSide.LONG)
        assert one.near_usd == (one.high_usd if one.side is PositionSide.LONG else one.low_usd)
    for side in PositionSide:
        mine = [one for one in clusters if one.side is side]
        assert all(a.high_usd < b.low_usd for a, b in pairwise(mine))


@given(seeds, st.sampled_from((0.001, 7.0, 1e6)), st.sampled_from((1e-3, 1e4)))
@settings(max_examples=30)
def test_nothing_has_a_scale(seed: int, price_factor: float, usd_factor: float) -> None:
    levels = random_levels(seed)
    scaled = [
        level(one.price_usd * price_factor, one.usd * usd_factor, PRICE * price_factor) for one in levels
    ]
    plain, other = (
        build_clusters(levels, PRICE, ATR),
        build_clusters(scaled, PRICE * price_factor, ATR * price_factor),
    )
    for name in ("strength", "magnet", "distance_atr"):
        np.testing.assert_allclose(
            [getattr(one, name) for one in plain], [getattr(one, name) for one in other], rtol=1e-6, atol=1e-9
        )
    big = replace(BLOCK, top_usd=BLOCK.top_usd * price_factor, bottom_usd=BLOCK.bottom_usd * price_factor)
    (mine,), (theirs,) = (
        enhance_zones([BLOCK], plain, PRICE, ATR),
        enhance_zones([big], other, PRICE * price_factor, ATR * price_factor),
    )
    assert mine.confluence_score == pytest.approx(theirs.confluence_score)


@given(seeds)
@settings(max_examples=40)
def test_upside_down_is_the_other_side(seed: int) -> None:
    levels = random_levels(seed)
    clusters = build_clusters(levels, PRICE, ATR)
    turned = build_clusters(mirrored_levels(levels), PRICE, ATR)
    assert magnet_bias(clusters) == pytest.approx(-(magnet_bias(turned) or 0.0))
    for plain in (BLOCK, GAP):
        (mine,), (theirs,) = (
            enhance_zones([plain], clusters, PRICE, ATR),
            enhance_zones([mirrored_zone(plain)], turned, PRICE, ATR),
        )
        assert mine.confluence_score == pytest.approx(theirs.confluence_score)
        one, other = (
            build_setup(found, near, market()) for found, near in ((mine, clusters), (theirs, turned))
        )
        assert isinstance(one, Setup) == isinstance(other, Setup)
        if isinstance(one, Setup) and isinstance(other, Setup):
            assert one.is_long != other.is_long
            assert one.entry_usd - PRICE == pytest.approx(PRICE - other.entry_usd)
            assert one.stop_usd - PRICE == pytest.approx(PRICE - other.stop_usd)
            assert one.targets[0].reward_risk == pytest.approx(other.targets[0].reward_risk)


def scored(
    cluster: LiquidationZone, plain: object = BLOCK, price: float = PRICE, total: float = 130e6
) -> float:
    return score_confluence(plain, cluster, total, price, ATR)[0]  # type: ignore[arg-type]


def test_a_score_rises_with_volume_and_freshness_and_falls_with_gap_and_distance() -> None:
    cluster = example_clusters()[1]
    by_volume = [scored(replace(cluster, volume_usd=usd)) for usd in (1e6, 1e7, 3e7, 1e8)]
    assert by_volume == sorted(by_volume)
    by_state = [scored(cluster, replace(BLOCK, state=state)) for state in ZoneState]
    assert by_state == sorted(by_state, reverse=True)
    assert by_state[-1] == 0  # ended
    shifts = [0, 100, 300, 700]
    by_gap = [scored(replace(cluster, low_usd=59_150 + x, high_usd=59_250 + x)) for x in shifts]
    assert by_gap == sorted(by_gap, reverse=True)
    by_distance = [scored(cluster, price=PRICE + x) for x in shifts]
    assert by_distance == sorted(by_distance, reverse=True)
    assert scored(cluster) == pytest.approx(2 * scored(replace(cluster, side=PositionSide.SHORT)))


@given(seeds, st.integers(1, 300))
@settings(max_examples=60)
def test_a_zone_stands_with_the_best_of_all_clusters_and_of_equals_with_the_first(
    seed: int, size: int
) -> None:
    clusters = build_clusters(random_levels(seed, size=size), PRICE, ATR)
    rng = np.random.default_rng(seed)
    zones = []
    for kind, state in product(ZoneKind, ZoneState):
        bottom = PRICE + rng.uniform(-10, 10) * ATR
        if rng.random() < 0.3:
            bottom = clusters[rng.integers(len(clusters))].low_usd
        height = rng.uniform(0, 2) * ATR
        zones.append(
            zone(bottom, bottom + height, is_bullish=bool(rng.random() < 0.5), kind=kind, state=state)
        )
    zones.append(zone(PRICE + 40 * ATR, PRICE + 41 * ATR, is_bullish=False))  # too far to score at all
    total = math.fsum(one.volume_usd for one in clusters)
    for found in enhance_zones(zones, clusters, PRICE, ATR):
        scores = [score_confluence(found.zone, one, total, PRICE, ATR) for one in clusters]
        first = max(range(len(clusters)), key=lambda at: scores[at][0])
        assert (found.confluence_score, found.parts) == scores[first]
        assert found.cluster is clusters[first]
    every = enhance_zones(zones, clusters, PRICE, ATR)
    enough = enhance_zones(zones, clusters, PRICE, ATR, at_least=40.0)
    assert enough == every[: len(enough)]
    assert all((one.confluence_score or 0.0) < 40.0 for one in every[len(enough) :])


def test_no_levels_are_nothing_and_not_zero() -> None:
    assert build_clusters([], PRICE, ATR) == ()
    assert magnet_bias(()) is None
    assert build_clusters(example_levels(), PRICE, float("nan")) == ()
    (alone,) = enhance_zones([BLOCK], (), PRICE, ATR)
    assert (alone.confluence_score, alone.parts, alone.liquidation_volume_usd) == (None, None, None)
    assert alone.liquidation_confluence is False
    assert isinstance(build_setup(alone, (), market()), str)


def test_levels_far_away_and_crumbs_are_left_out() -> None:
    near, far, crumb = level(59_500, 1e8), level(PRICE + 11 * ATR, 1e9), level(60_300, 1e5)
    (kept,) = build_clusters([near, far, crumb], PRICE, ATR)
    assert kept.price_usd == 59_500


distances = st.floats(1e-4, 0.5)
sigmas = st.floats(1e-4, 0.2)
drifts = st.floats(-0.01, 0.01)


@given(distances, distances, sigmas, st.floats(0.1, 72), drifts)
@settings(max_examples=100)
def test_chances_are_chances(above: float, below: float, s: float, hours: float, drift: float) -> None:
    up, down = first_within(above, below, s, hours, drift), first_within(below, above, s, hours, -drift)
    assert -1e-9 <= up + down <= 1 + 1e-6
    assert up <= touch_probability(above, s, hours, drift) + 1e-6
    assert up <= first_ever(above, below, s, drift) + 1e-6
    assert first_ever(above, below, s, drift) + first_ever(below, above, s, -drift) == pytest.approx(
        1, abs=1e-6
    )
    assert touch_probability(above, s, hours, drift) <= touch_probability(above / 2, s, hours, drift) + 1e-9


def test_a_simulated_walk_agrees_with_the_closed_forms() -> None:
    rng = np.random.default_rng(11)
    steps = 2_400
    walk = np.cumsum(rng.normal(0.0, SIGMA * math.sqrt(24 / steps), (4_000, steps)), axis=1)
    above, below = 0.0149, 0.0151
    up, down = (
        np.where(hit.any(axis=1), hit.argmax(axis=1), steps) for hit in (walk >= above, walk <= -below)
    )
    assert np.mean(up < steps) == pytest.approx(touch_probability(above, SIGMA, 24), abs=0.03)
    assert np.mean(up < down) == pytest.approx(first_within(above, below, SIGMA, 24), abs=0.03)


def test_barriers_as_narrow_as_a_tick_are_split_like_a_fair_game() -> None:
    """The series of images needs thousands of terms there: cut off, it said 0.01 for a half."""
    for above, below in ((1e-6, 1e-6), (1e-5, 3e-5), (4e-4, 4e-4), (2e-3, 1e-3)):
        one, other = first_within(above, below, SIGMA, 24), first_within(below, above, SIGMA, 24)
        assert one == pytest.approx(below / (above + below), abs=1e-6)
        assert one + other == pytest.approx(1.0, abs=1e-6)


@given(seeds)
@settings(max_examples=60)
def test_plans_lie_in_order_and_within_their_limits(seed: int) -> None:
    clusters = build_clusters(random_levels(seed, size=25), PRICE, ATR)
    rng = np.random.default_rng(seed)
    zones = []
    for cluster in clusters:
        is_bullish = cluster.side is PositionSide.LONG
        bottom = cluster.price_usd + rng.uniform(-0.6, 0.4) * ATR
        zones.append(zone(bottom, bottom + rng.uniform(0.05, 0.8) * ATR, is_bullish=is_bullish))
    for found in enhance_zones(zones, clusters, PRICE, ATR):
        setup = build_setup(found, clusters, market())
        if isinstance(setup, str):
            assert setup
            continue
        side = 1 if setup.is_long else -1
        chain = [setup.stop_usd, setup.entry_usd, *(one.price_usd for one in setup.targets)]
        assert all((b - a) * side > 0 for a, b in pairwise(chain))
        assert MIN_RISK_ATR <= setup.risk_atr <= MAX_RISK_ATR
        assert setup.targets[0].reward_risk >= MIN_REWARD_RISK
        assert setup.p_target + setup.p_stop <= 1 + 1e-9
        assert (PRICE - setup.entry_usd) * side >= 0


def test_a_sweep_that_is_reclaimed_enters_at_the_close() -> None:
    clusters = example_clusters()
    swept = market(59_300.0, last_low_usd=58_800.0, last_close_usd=59_300.0)
    (found,) = enhance_zones([BLOCK], clusters, 59_300.0, ATR)
    setup = build_setup(found, clusters, swept)
    assert isinstance(setup, Setup)
    assert (setup.entry_kind.value, setup.entry_usd, setup.p_fill) == ("reclaim", 59_300.0, 1.0)
    assert setup.fill_source is None


@pytest.mark.parametrize(("away", "is_there"), [(0.24, True), (-0.24, True), (0.26, False), (-0.26, False)])
def test_a_reclaim_is_a_plan_only_while_price_is_at_the_close(away: float, is_there: bool) -> None:
    clusters = example_clusters()
    price = 59_300.0 + away * ATR
    swept = market(price, last_low_usd=58_800.0, last_close_usd=59_300.0)
    (found,) = enhance_zones([BLOCK], clusters, price, ATR)
    setup = build_setup(found, clusters, swept)
    if is_there:
        assert isinstance(setup, Setup)
        assert setup.entry_usd == 59_300.0
    else:
        assert setup == "price has left the close that took the zone back"


def test_volume_counts_candles_that_closed_where_they_opened_on_no_side() -> None:
    clusters = example_clusters()
    (found,) = enhance_zones([BLOCK], clusters, PRICE, ATR)
    for volume, share in (((60.0, 30.0, 100.0, 20), 0.6), ((40.0, 30.0, 100.0, 7), 0.4)):
        setup = build_setup(found, clusters, market(volume=volume))
        assert isinstance(setup, Setup)
        assert setup.volume is not None
        assert (setup.volume.usd_frac, setup.volume.is_confirmed, setup.volume.bars) == (
            share,
            share > 0.5,
            volume[3],
        )
    silent = build_setup(found, clusters, market(volume=(0.0, 0.0, 0.0, 20)))
    assert isinstance(silent, Setup)
    assert silent.volume is None


def test_inside_of_the_zone_the_entry_is_the_price() -> None:
    clusters = example_clusters()
    (found,) = enhance_zones([BLOCK], clusters, 59_150.0, ATR)
    setup = build_setup(found, clusters, market(59_150.0))
    assert isinstance(setup, Setup)
    assert (setup.entry_usd, setup.p_fill, setup.fill_source) == (59_150.0, 1.0, None)


def test_a_fill_is_measured_as_far_as_the_table_goes_and_says_so_beyond() -> None:
    clusters = example_clusters()
    (found,) = enhance_zones([BLOCK], clusters, PRICE, ATR)
    away = PRICE - BLOCK.top_usd
    walk = build_setup(found, clusters, market())
    near = build_setup(found, clusters, market(atr_1h_usd=away / 9.9, rates=MEASURED[-1]))
    far = build_setup(found, clusters, market(atr_1h_usd=away / 10.1, rates=MEASURED[-1]))
    assert isinstance(walk, Setup)
    assert isinstance(near, Setup)
    assert isinstance(far, Setup)
    assert (walk.fill_source, far.fill_source) == (ProbabilitySource.CLOSED_FORM,) * 2
    assert near.fill_source is ProbabilitySource.HIT_RATE_TABLE
    assert near.p_fill == pytest.approx(0.0396 + 0.1 / 2 * (0.0713 - 0.0396))
    assert far.p_fill == walk.p_fill > 0.5


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"state": ZoneState.HALF_FILLED, "kind": ZoneKind.FAIR_VALUE_GAP}, "60 needed"),
        ({"is_bullish": False}, "right side"),
        ({"bottom_usd": 57_500.0}, "2.5 ATR"),
    ],
)
def test_a_zone_without_a_plan_says_why(changed: dict[str, object], why: str) -> None:
    clusters = example_clusters()
    (found,) = enhance_zones([replace(BLOCK, **changed)], clusters, PRICE, ATR)  # type: ignore[arg-type]
    assert why in str(build_setup(found, clusters, market()))
