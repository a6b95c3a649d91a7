"""The own record by the hour: quiet hours are zeros, hours not wholly recorded are no hours at all."""

from __future__ import annotations

from app.core.domain.flow import StreamGap
from app.core.domain.market import HOUR_MS
from app.core.domain.stored import HourSum
from app.core.flow.hourly import build_hours

T0_MS = 1_771_999_200_000 // HOUR_MS * HOUR_MS


def close(hour: int) -> int:
    return T0_MS + hour * HOUR_MS


def total(hour: int, long_usd: float = 1.0, short_usd: float = 2.0, source: str = "coinglass") -> HourSum:
    return HourSum(close(hour), source, long_usd, short_usd, 1)


def build(sums: list[HourSum], until: int, *gaps: StreamGap, source: str = "coinglass"):  # type: ignore[no-untyped-def]
    return build_hours(sums, gaps, source=source, until_ms=close(until), scope="own record")


def test_worked_example_quiet_hours_count_as_zero() -> None:
    found = build([total(1), total(3, 5.0, 7.0)], 4)
    assert found.close_ms == (close(2), close(3), close(4))
    assert found.long_usd == (0.0, 5.0, 0.0)
    assert found.short_usd == (0.0, 7.0, 0.0)
    assert (found.interval_ms, found.scope) == (HOUR_MS, "own record")


def test_the_hour_in_which_the_recording_may_have_begun_is_left_out() -> None:
    assert build([total(1)], 1).close_ms == ()
    assert build([], 5).close_ms == ()


def test_an_hour_with_a_gap_is_no_hour() -> None:
    gap = StreamGap("coinglass", close(2) + 10_000, close(2) + 20_000, "drop")
    assert build([total(1)], 5, gap).close_ms == (close(2), close(4), close(5))


def test_a_gap_over_an_edge_breaks_both_hours() -> None:
    gap = StreamGap("coinglass", close(2) - 1, close(2) + 1, "stall")
    assert build([total(1)], 5, gap).close_ms == (close(4), close(5))


def test_a_gap_that_ends_on_the_hour_leaves_the_next_one_whole() -> None:
    gap = StreamGap("coinglass", close(1) + 5, close(2), "drop")
    assert build([total(1)], 4, gap).close_ms == (close(3), close(4))


def test_a_gap_of_another_stream_breaks_nothing() -> None:
    gap = StreamGap("okx", close(2), close(3), "drop")
    assert build([total(1)], 4, gap).close_ms == (close(2), close(3), close(4))


def test_an_hour_that_another_stream_filled_is_no_hour_of_this_one() -> None:
    sums = [total(1), total(3), total(3, source="okx"), total(4)]
    assert build(sums, 4).close_ms == (close(2), close(4))
    assert build(sums, 4, source="okx").close_ms == ()


def test_a_gap_between_the_processes_is_one_of_every_stream() -> None:
    gap = StreamGap("bus", close(2) + 10_000, close(2) + 20_000, "ingest_start")
    assert build([total(1)], 5, gap).close_ms == (close(2), close(4), close(5))
