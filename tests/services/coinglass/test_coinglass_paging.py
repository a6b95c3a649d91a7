"""Pages of long answers: newest first, every row once, also while new rows arrive."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.core.errors import InvalidParameter
from app.services.coinglass.paging import MAX_CHARS, page

START_MS = 1_760_000_400_000


def bars(times: list[int], width: int = 300) -> list[dict[str, Any]]:
    return [{"timeMs": at_ms, "text": "x" * width} for at_ms in times]


def walk(data: list[Any], cursor: str = "") -> list[list[Any]]:
    pages = []
    while True:
        shown = page(data, data, cursor)
        assert shown.rows == len(data)
        pages.append(shown.data)
        if shown.following is None:
            return pages
        cursor = shown.following


@settings(max_examples=60)
@given(rows=st.integers(0, 3_000), width=st.integers(1, 400))
def test_rows_without_a_time_are_walked_from_the_start_and_seen_once(rows: int, width: int) -> None:
    data = [{"n": n, "text": "x" * width} for n in range(rows)]
    pages = walk(data)
    assert [row["n"] for part in pages for row in part] == list(range(rows))
    assert all(len(json.dumps(part)) <= MAX_CHARS * 1.2 for part in pages)


@settings(max_examples=60)
@given(steps=st.lists(st.integers(0, 2), min_size=4, max_size=1_500), is_falling=st.booleans())
def test_rows_with_a_time_are_walked_from_the_newest_and_seen_once(
    steps: list[int], is_falling: bool
) -> None:
    times = [START_MS + sum(steps[: n + 1]) for n in range(len(steps))]
    data = bars(times[::-1] if is_falling else times)
    for n, row in enumerate(data):
        row["n"] = n
    pages = walk(data)
    assert max(row["timeMs"] for row in pages[0]) == max(times)
    whole = pages if is_falling and times[0] != times[-1] else pages[::-1]
    assert [row["n"] for part in whole for row in part] == list(range(len(data)))


def test_a_page_keeps_the_order_of_the_provider() -> None:
    data = bars(list(range(START_MS, START_MS + 1_000)))
    first = page(data, data, "")
    assert [row["timeMs"] for row in first.data] == sorted(row["timeMs"] for row in first.data)
    assert first.newest_ms == START_MS + 999
    assert first.data[-1]["timeMs"] == first.newest_ms


def test_bars_that_arrive_during_a_walk_push_no_other_bar_out() -> None:
    before = list(range(START_MS, START_MS + 1_000))
    first = page(bars(before), bars(before), "")
    moved = bars([at_ms + 40 for at_ms in before])  # 40 bars later the window has moved on
    assert first.following is not None
    seen = [row["timeMs"] for part in walk(moved, first.following) for row in part]
    shown = {row["timeMs"] for row in first.data}
    assert sorted({*seen, *shown}) == list(range(START_MS + 40, START_MS + 1_000))
    assert not shown & set(seen)


def test_rows_of_one_moment_are_split_between_pages_without_loss() -> None:
    data = [row | {"n": n} for n, row in enumerate(bars([START_MS] * 1_000))]
    assert [row["n"] for part in walk(data)[::-1] for row in part] == list(range(1_000))


def test_parallel_lists_are_cut_together_at_the_newest_end() -> None:
    count = 20_000
    data = {
        "timeListMs": list(range(START_MS, START_MS + count)),
        "map": [{"exchange": "A", "values": list(range(count))}],
        "few": [1, 2],
    }
    shown = page([data], [data], "")
    (part,) = shown.data
    assert shown.rows == count
    assert len(part["timeListMs"]) == len(part["map"][0]["values"]) < count
    assert (part["timeListMs"][-1], part["map"][0]["values"][-1]) == (START_MS + count - 1, count - 1)
    assert part["few"] == [1, 2]


def test_raw_rows_are_cut_by_the_times_of_ours() -> None:
    normal = bars(list(range(START_MS, START_MS + 1_000)))
    raw = [{"time": row["timeMs"], "text": row["text"]} for row in normal]
    shown = page(raw, normal, "")
    assert shown.data[-1]["time"] == START_MS + 999


def test_rows_sorted_by_something_else_have_no_newest_page() -> None:
    data = [{"updateTimeMs": START_MS + (n * 7) % 1_000, "n": n, "text": "x" * 300} for n in range(1_000)]
    assert page(data, data, "").data[0]["n"] == 0


@pytest.mark.parametrize("cursor", ["x", "1.x", "-1", "1.", "٣", "9" * 14, "5"])
def test_a_foreign_cursor_is_refused(cursor: str) -> None:
    data = bars(list(range(START_MS, START_MS + 1_000)))
    with pytest.raises(InvalidParameter, match="the answer before"):
        page(data, data, cursor)


def test_a_cursor_into_rows_that_are_gone_is_an_empty_last_page() -> None:
    data = bars(list(range(START_MS, START_MS + 10)))
    shown = page(data, data, f"{START_MS - 5}.1")
    assert (shown.data, shown.following) == ([], None)
