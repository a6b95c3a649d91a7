"""The market context filter: crowded sides, fuel, unknowns, and the mirror of all that."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.domain.alerts import AlertContext, ContextVerdict
from app.core.domain.signal import Direction
from app.core.flow.market_filter import context_shift, judge_market

LONG, SHORT = Direction.LONG, Direction.SHORT
GOOD, PLAIN, BAD = ContextVerdict.FAVORABLE, ContextVerdict.NEUTRAL, ContextVerdict.UNFAVORABLE


def judge(direction: Direction, funding: float | None, oi: float | None) -> AlertContext:
    """The ranks as given; the figures behind them are present when the rank is."""
    return judge_market(
        direction,
        funding_8h_frac=None if funding is None else 0.0002,
        oi_change_1h_frac=None if oi is None else 0.01,
        funding_percentile=lambda _value: funding,
        oi_percentile=lambda _value: oi,
    )


@pytest.mark.parametrize(
    ("direction", "funding", "oi", "verdict"),
    [
        (LONG, 0.95, 0.50, BAD),  # crowded longs
        (LONG, 0.95, 0.90, BAD),
        (LONG, 0.90, 0.50, PLAIN),  # beyond, not at
        (LONG, 0.05, 0.61, GOOD),  # crowded shorts and growing: fuel
        (LONG, 0.05, 0.60, PLAIN),
        (LONG, 0.10, 0.90, PLAIN),
        (LONG, 0.50, 0.99, PLAIN),
        (SHORT, 0.05, 0.50, BAD),
        (SHORT, 0.10, 0.50, PLAIN),
        (SHORT, 0.95, 0.61, GOOD),
        (SHORT, 0.95, 0.60, PLAIN),
        (SHORT, 0.50, 0.99, PLAIN),
        (Direction.NEUTRAL, 0.99, 0.99, PLAIN),
    ],
)
def test_the_verdict(direction: Direction, funding: float, oi: float, verdict: ContextVerdict) -> None:
    assert judge(direction, funding, oi).verdict is verdict


def test_the_points_of_each_verdict() -> None:
    assert [context_shift(judge(LONG, funding, 0.7)) for funding in (0.05, 0.5, 0.95)] == [5, 0, -10]
    assert context_shift(None) == 0


class TestUnknown:
    def test_unknown_funding_is_neutral_and_named(self) -> None:
        context = judge(LONG, None, 0.9)
        assert (context.verdict, context.unknown) == (PLAIN, ("funding",))
        assert context.funding_8h_frac is None

    def test_funding_without_enough_past_is_shown_and_named(self) -> None:
        context = judge_market(
            LONG,
            funding_8h_frac=0.0009,
            oi_change_1h_frac=0.01,
            funding_percentile=lambda _value: None,
            oi_percentile=lambda _value: 0.9,
        )
        assert (context.verdict, context.unknown) == (PLAIN, ("funding",))
        assert (context.funding_8h_frac, context.funding_percentile) == (0.0009, None)

    def test_unknown_open_interest_matters_only_where_the_verdict_hangs_on_it(self) -> None:
        assert judge(LONG, 0.05, None).unknown == ("open_interest",)
        assert judge(LONG, 0.05, None).verdict is PLAIN
        assert judge(LONG, 0.95, None).verdict is BAD
        assert judge(LONG, 0.95, None).unknown == ()

    def test_both_unknown_are_both_named(self) -> None:
        assert judge(SHORT, None, None).unknown == ("funding", "open_interest")


RANKS = st.integers(0, 100)


@given(RANKS, st.none() | RANKS)
def test_a_short_is_judged_as_a_long_in_the_mirrored_market(funding: int, oi: int | None) -> None:
    growth = None if oi is None else oi / 100
    there = judge(LONG, funding / 100, growth)
    here = judge(SHORT, (100 - funding) / 100, growth)
    assert (here.verdict, here.unknown) == (there.verdict, there.unknown)
