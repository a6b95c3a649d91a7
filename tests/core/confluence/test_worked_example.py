"""Section 9 of the confluence model, to its printed digits."""

from __future__ import annotations

import math

import numpy as np
import pytest

from app.core.calibration.logistic import Calibration
from app.core.confluence.clustering import magnet_bias
from app.core.confluence.levels import liquidation_price
from app.core.confluence.scoring import enhance_zones, score_confluence
from app.core.confluence.setups import build_setup
from app.core.confluence.sweep import first_ever, first_within, touch_probability, watched_on_closes
from app.core.domain.liquidity import EntryKind, Setup
from tests.liquidity_facts import ATR, BLOCK, GAP, PRICE, SIGMA, USD, example_clusters, market

UP, DOWN = math.log(60_900 / PRICE), math.log(PRICE / 59_100)
NU = 0.0005


def touch(price: float, hours: float) -> float:
    return touch_probability(abs(math.log(price / PRICE)), SIGMA, hours)


def test_clusters_magnets_and_single_barriers() -> None:
    rows = [
        (
            one.side.value,
            round(one.volume_usd / USD),
            round(one.price_usd),
            one.near_usd,
            f"{one.distance_atr:.6f}",
            f"{one.magnet:.6f}",
            f"{touch(one.near_usd, 24):.6f}",
            f"{touch(one.near_usd, 4):.6f}",
        )
        for one in example_clusters()
    ]
    assert rows == [
        ("LONG", 20, 58_200, 58_200, "-4.000000", "12.161105", "0.309960", "0.012883"),
        ("LONG", 30, 59_044, 59_100, "-2.000000", "35.529897", "0.614410", "0.217194"),
        ("SHORT", 25, 60_924, 60_900, "2.000000", "29.608247", "0.619692", "0.224118"),
        ("SHORT", 25, 61_800, 61_800, "4.000000", "15.201381", "0.324480", "0.015802"),
        ("SHORT", 30, 63_000, 63_000, "6.666667", "7.499370", "0.103878", "0.000068"),
    ]
    assert magnet_bias(example_clusters()) == pytest.approx(0.046180, abs=5e-7)


def test_zone_scores() -> None:
    clusters = example_clusters()
    total = math.fsum(one.volume_usd for one in clusters)
    score, parts = score_confluence(BLOCK, clusters[1], total, PRICE, ATR)
    assert f"{score:.6f}" == "82.128121"
    assert (parts.overlap, f"{parts.volume:.6f}", parts.quality, f"{parts.proximity:.6f}") == (
        1.0,
        "0.697674",
        1.0,
        "0.552892",
    )
    score, parts = score_confluence(GAP, clusters[2], total, PRICE, ATR)
    assert f"{score:.6f}" == "65.984179"
    assert [
        f"{x:.6f}" for x in (parts.gap_atr, parts.overlap, parts.volume, parts.quality, parts.proximity)
    ] == [
        "0.088889",
        "0.984322",
        "0.657895",
        "0.420000",
        "0.476761",
    ]


def test_two_barriers() -> None:
    assert (f"{UP:.10f}", f"{DOWN:.10f}") == ("0.0148886125", "0.0151136378")
    assert f"{first_ever(UP, DOWN, SIGMA):.6f}" == "0.503750"
    assert f"{first_within(UP, DOWN, SIGMA, 24):.6f}" == "0.499169"
    assert f"{first_within(DOWN, UP, SIGMA, 24):.6f}" == "0.491668"


def test_drift() -> None:
    found = (
        touch_probability(UP, SIGMA, 24, NU),
        touch_probability(DOWN, SIGMA, 24, -NU),
        first_ever(UP, DOWN, SIGMA, NU),
        first_within(UP, DOWN, SIGMA, 24, NU),
        first_within(DOWN, UP, SIGMA, 24, -NU),
    )
    assert [f"{one:.6f}" for one in found] == ["0.736889", "0.489579", "0.602341", "0.597266", "0.394256"]


def test_the_plan() -> None:
    clusters = example_clusters()
    (zone,) = enhance_zones([BLOCK], clusters, PRICE, ATR)
    setup = build_setup(zone, clusters, market())
    assert isinstance(setup, Setup)
    assert (setup.is_long, setup.entry_kind, setup.entry_usd, setup.stop_usd) == (
        True,
        EntryKind.LIMIT,
        59_200,
        58_787.5,
    )
    assert f"{setup.risk_atr:.6f}" == "0.916667"
    assert [(one.price_usd, f"{one.reward_risk:.6f}") for one in setup.targets[:2]] == [
        (60_877.5, "4.066667"),
        (61_777.5, "6.248485"),
    ]
    assert f"{setup.p_fill:.6f}" == "0.654562"
    assert f"{setup.p_target:.6f}" == "0.190317"
    assert f"{setup.p_stop:.6f}" == "0.790007"
    assert f"{setup.expectancy_r:.6f}" == "-0.016050"
    assert setup.risk_score == pytest.approx(79.0007, abs=1e-4)


def test_watched_on_closes_and_calibrated() -> None:
    away = watched_on_closes(DOWN, SIGMA, 5 / 60)
    assert f"{touch_probability(away, SIGMA, 24):.6f}" == "0.590496"
    calibration = Calibration(-0.15, 1.03, (), 1_000)
    assert f"{calibration.apply(np.array([touch(59_100, 24)]))[0]:.6f}" == "0.581727"


@pytest.mark.parametrize(
    ("leverage", "long", "short"),
    [
        (10, "54216.867470", "65737.051793"),
        (25, "57831.325301", "62151.394422"),
        (100, "59638.554217", "60358.565737"),
    ],
)
def test_liquidation_prices(leverage: float, long: str, short: str) -> None:
    found = [liquidation_price(60_000, leverage, 0.004, is_long=is_long) for is_long in (True, False)]
    assert [f"{one:.6f}" for one in found] == [long, short]
