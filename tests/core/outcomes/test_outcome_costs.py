"""Costs and break-even: the worked numbers of the rules."""

from __future__ import annotations

import pytest

from app.core.domain.signal import Direction
from app.core.outcomes.costs import break_even_between, break_even_rate, funding_frac, round_trip_frac


@pytest.mark.parametrize("tier, cost", [(1, 0.0016), (2, 0.0028), (3, 0.0028)])
def test_a_round_trip_pays_fee_half_spread_and_slippage_on_both_fills(tier: int, cost: float) -> None:
    assert round_trip_frac(tier) == pytest.approx(cost, abs=1e-12)


def test_symmetric_barriers_of_half_a_percent_need_sixty_percent_of_wins() -> None:
    assert break_even_rate(0.005, 0.001) == pytest.approx(0.60)


def test_levels_at_different_distances_need_fewer_wins_the_further_the_target() -> None:
    assert break_even_between(0.01, 0.02, 0.0016) == pytest.approx(0.3867, abs=5e-5)
    assert break_even_between(0.005, 0.005, 0.001) == pytest.approx(break_even_rate(0.005, 0.001))


def test_who_holds_at_the_stamp_pays_all_of_it() -> None:
    stamps = [(100, 0.0001), (200, 0.0002), (300, -0.0004)]
    assert funding_frac(Direction.LONG, stamps, from_ms=100, to_ms=200) == pytest.approx(0.0002)
    assert funding_frac(Direction.LONG, stamps, from_ms=99, to_ms=199) == pytest.approx(0.0001)
    assert funding_frac(Direction.LONG, stamps, from_ms=0, to_ms=300) == pytest.approx(-0.0001)
    assert funding_frac(Direction.SHORT, stamps, from_ms=0, to_ms=300) == pytest.approx(0.0001)
    assert funding_frac(Direction.SHORT, stamps, from_ms=300, to_ms=900) == 0.0
