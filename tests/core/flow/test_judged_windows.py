"""What a window says: dominant side, share, verdict and whether it is whole; mirrored markets mirror."""

from __future__ import annotations

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.domain.flow import AlertKind, LiquidationWindow, TradeWindow
from app.core.domain.flow_config import FlowConfig
from app.core.domain.stored import LiquidatedSide
from app.core.flow.judged import is_whole, judge_liquidations, judge_trades
from tests.flow_facts import snapshot

CONFIG = FlowConfig()


def window(long_usd: float, short_usd: float) -> LiquidationWindow:
    return LiquidationWindow(30, long_usd, short_usd, 3, 2, 1e5, 95.0, 97.0)


def trades(buy_usd: float, sell_usd: float, *, large: tuple[int, int] = (3, 3), n: int = 12) -> TradeWindow:
    return TradeWindow(300, buy_usd, sell_usd, n - n // 2, n // 2, *large)


def test_worked_numbers_of_the_dominant_side() -> None:
    found = judge_liquidations(window(3e6, 1e6), whole=True)
    assert (found.dominant, found.dominant_frac, found.is_whole) == (LiquidatedSide.LONG, 0.75, True)


@pytest.mark.parametrize("usd", [0.0, 5e5])
def test_a_tie_has_no_dominant_side(usd: float) -> None:
    found = judge_liquidations(window(usd, usd), whole=False)
    assert (found.dominant, found.dominant_frac) == (None, None)


@given(st.floats(0, 1e9), st.floats(0, 1e9))
def test_sides_mirror(long_usd: float, short_usd: float) -> None:
    one, other = (
        judge_liquidations(window(*sides), whole=True)
        for sides in ((long_usd, short_usd), (short_usd, long_usd))
    )
    assert one.dominant_frac == other.dominant_frac
    assert (one.dominant is None) == (other.dominant is None)
    assert one.dominant is None or one.dominant is not other.dominant


@pytest.mark.parametrize(
    ("found", "verdict", "why"),
    [
        (trades(65.0, 35.0), AlertKind.ACCUMULATION, ""),
        (trades(35.0, 65.0), AlertKind.DISTRIBUTION, ""),
        (trades(64.9, 35.1), None, "neither side has 65% of the volume"),
        (trades(65.0, 35.0, large=(2, 9)), None, "2 large buys, 3 are needed"),
        (trades(35.0, 65.0, large=(9, 2)), None, "2 large sells, 3 are needed"),
        (trades(65.0, 35.0, n=9), None, "9 trades, 10 are needed"),
        (trades(0.0, 0.0, n=0), None, "0 trades, 10 are needed"),
    ],
)
def test_the_verdict_is_the_detectors_rule(found: TradeWindow, verdict: AlertKind | None, why: str) -> None:
    judged = judge_trades(found, CONFIG, whole=True)
    assert (judged.verdict, judged.why_none) == (verdict, why)


def test_no_volume_has_no_share() -> None:
    assert judge_trades(trades(0.0, 0.0, n=0), CONFIG, whole=True).buy_frac is None


def test_a_window_is_whole_when_it_begins_after_the_coverage() -> None:
    found = dataclasses.replace(snapshot(), as_of_ms=100_000)
    assert is_whole(found, 40_000, 60)
    assert not is_whole(found, 40_000, 61)
    assert not is_whole(found, None, 10)
