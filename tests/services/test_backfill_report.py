"""Bars that lack between bars that came."""

from __future__ import annotations

from app.core.domain.market import HOUR_MS
from app.core.domain.stored import FundingRow, TakerRow
from app.services.backfill_report import HoleCounter


def hours(*closes: int) -> tuple[TakerRow, ...]:
    return tuple(TakerRow("OKX", "BTC", "1h", close * HOUR_MS, 1.0, 1.0, "okx", 0) for close in closes)


def test_hourly_closes_at_one_two_and_five_lack_two_bars() -> None:
    counter = HoleCounter()
    counter.see(hours(1, 2, 5))
    assert counter.missing_bars == 2


def test_pages_are_counted_across_their_border_and_stretches_are_not() -> None:
    counter = HoleCounter()
    counter.see(hours(1, 2))
    counter.see(hours(4))
    counter.restart()
    counter.see(hours(40, 41))
    assert counter.missing_bars == 1


def test_a_rhythm_that_changes_is_no_hole() -> None:
    counter = HoleCounter()
    settled = ((8, "8h"), (16, "8h"), (20, "4h"), (24, "4h"))
    counter.see(
        tuple(FundingRow("OKX", "BTC", name, at * HOUR_MS, 0.0, None, None, "okx", 0) for at, name in settled)
    )
    assert counter.missing_bars == 0
