"""Covered and missing stretches of time: nothing twice, nothing left out."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.domain.market import DAY_MS, HOUR_MS
from app.core.domain.stored import BarRow, RatioScope, SeriesName
from app.core.domain.symbol import Symbol
from app.core.history_ports import HistorySource
from app.services.backfill_plan import (
    BackfillRequest,
    Covered,
    Span,
    cut,
    joined,
    missing_spans,
    read_covered,
    state_key,
    still_there,
    wanted_span,
    write_covered,
)

BTC = Symbol("BTC")
NOON = 1_760_011_200_000  # 2025-10-09T12:00Z


async def nothing(_symbol: Symbol, _interval: str, _from_ms: int, _to_ms: int) -> tuple[BarRow, ...]:
    return ()


def source(*, max_days: int | None = None, rhythm: tuple[str, ...] = ()) -> HistorySource:
    return HistorySource(
        SeriesName.LONG_SHORT,
        "okx",
        "OKX",
        RatioScope.TOP_ACCOUNT,
        frozenset({"1h"}),
        rhythm,
        100,
        lambda _interval: max_days,
        nothing,
    )


def request(days: int, interval: str = "1h") -> BackfillRequest:
    return BackfillRequest((BTC,), days, interval, frozenset(SeriesName))


def millis(spans: Sequence[Span]) -> set[int]:
    return {ms for span in spans for ms in range(*span)}


ends_of_spans = st.tuples(st.integers(0, 60), st.integers(0, 60))
spans = st.lists(ends_of_spans.map(lambda ends: Span(*sorted(ends))), max_size=6)


class TestSpans:
    def test_what_lies_around_a_covered_span_is_missing(self) -> None:
        assert missing_spans(Span(0, 10), [Span(3, 5)]) == (Span(0, 3), Span(5, 10))

    @given(covered=spans, ends=ends_of_spans)
    def test_missing_and_covered_make_up_what_is_wanted(
        self, covered: list[Span], ends: tuple[int, int]
    ) -> None:
        wanted = Span(*sorted(ends))
        known = joined(covered)
        assert millis(missing_spans(wanted, known)) == millis([wanted]) - millis(covered)

    @given(spans)
    def test_joining_keeps_the_time_and_leaves_gaps_between(self, given_spans: list[Span]) -> None:
        found = joined(given_spans)
        assert millis(found) == millis(given_spans)
        assert all(one.to_ms < two.from_ms for one, two in pairwise(found))

    @given(st.integers(0, 1000), st.integers(1, 1000), st.integers(1, 300))
    def test_pages_cover_a_span_once_in_order(self, from_ms: int, length: int, page_ms: int) -> None:
        span = Span(from_ms, from_ms + length)
        pages = cut(span, page_ms)
        assert [ms for page in pages for ms in range(*page)] == list(range(*span))
        assert all(page.to_ms - page.from_ms <= page_ms for page in pages)


class TestWanted:
    def test_it_ends_with_the_newest_closed_bar(self) -> None:
        found = wanted_span(source(), request(2), NOON + 34 * 60_000)
        assert found == ((NOON - 2 * DAY_MS + 1, NOON + 1), "")

    def test_a_bar_that_closes_now_counts(self) -> None:
        assert wanted_span(source(), request(1), NOON)[0].to_ms == NOON + 1

    def test_a_source_is_not_asked_for_more_than_it_keeps(self) -> None:
        found, limit = wanted_span(source(max_days=60), request(400), NOON)
        assert found.to_ms - found.from_ms == 60 * DAY_MS
        assert limit == "okx keeps 60 days of it"

    def test_what_the_store_would_age_out_is_not_asked_for(self) -> None:
        asked = BackfillRequest(
            (BTC,), 400, "1h", frozenset(SeriesName), {SeriesName.LONG_SHORT: 30, SeriesName.CANDLES: 1}
        )
        found, limit = wanted_span(source(max_days=60), asked, NOON)
        assert found.to_ms - found.from_ms == 30 * DAY_MS
        assert limit == "the store keeps 30 days of it"


class TestState:
    def test_it_survives_as_text(self) -> None:
        covered = Covered("Binance", (Span(1, 5), Span(9, 12)), 3)
        assert read_covered(write_covered(covered)) == covered

    @pytest.mark.parametrize("text", [None, "", "{}", "[]", '{"exchange":1,"spans":[[1]]}', "null", "x"])
    def test_text_that_says_nothing_means_nothing_is_covered(self, text: str | None) -> None:
        assert read_covered(text) == Covered(None, ())

    def test_what_aged_out_is_covered_no_more(self) -> None:
        covered = Covered("OKX", (Span(0, 10),), 2)
        assert still_there(covered, 2) is covered
        assert still_there(covered, 5) == Covered("OKX", (Span(5, 10),), 5)
        assert still_there(covered, None) == Covered("OKX", ())

    def test_the_key_names_source_series_scope_coin_and_bar(self) -> None:
        assert state_key(source(), BTC, "1h") == "backfill:okx:long-short.top_account:BTC:1h"
        assert state_key(source(rhythm=("4h", "8h")), BTC, "1h").endswith(":BTC:own")


def test_pages_of_a_rhythm_are_as_wide_as_its_longest_bars() -> None:
    assert source(rhythm=("1h", "8h")).page_ms("1h") == 800 * HOUR_MS
    assert source().page_ms("1h") == 100 * HOUR_MS
