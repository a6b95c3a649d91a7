"""Pages of a long catalogue answer: the newest rows first, cut to a size an assistant can read. Pure.

Where rows carry a time in order, page 1 is the newest part and a cursor says the time to go on from, so new
rows never push others out of the walk. Rows without a time are walked from the start by their number. Within
a page rows keep the provider's order. Called by `explorer`.
"""

from __future__ import annotations

import json
import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from app.core.errors import InvalidParameter

# Characters of one page: assistants cut answers off at 100,000, and the frame around the data needs some.
MAX_CHARS = 90_000
# Exchanges or parts of an answer, not rows.
_FEW = 3
_CURSOR = re.compile(r"(\d{1,13})(?:\.(\d{1,5}))?")


@dataclass(frozen=True, slots=True)
class Page:
    """One page. rows: length of the list that was cut. newest_ms: time of the newest row of all, if any."""

    data: Any
    rows: int
    following: str | None
    newest_ms: int | None


def page(data: Any, normal: Any, cursor: str) -> Page:
    """A page of `data`. normal: the same answer in our spelling, where times are known.

    Raises:
        InvalidParameter: a cursor this service did not give, or one beyond the end.
    """
    length = _longest(data)
    times = row_times(normal, length) if length and _longest(normal) == length else None
    if times is None:
        return _by_number(data, length, cursor)
    is_falling = times[0] > times[-1]
    return _by_time(data, times[::-1] if is_falling else times, cursor, is_falling=is_falling)


def row_times(normal: Any, length: int) -> list[int] | None:
    """Times of the rows of the longest list, when they rise or fall throughout; None without such."""
    for found in _times(normal, length):
        steps = list(pairwise(found))
        if all(a <= b for a, b in steps) or all(a >= b for a, b in steps):
            return found
    return None


def _times(node: Any, length: int) -> Iterator[list[int]]:
    if isinstance(node, list) and len(node) == length and node and isinstance(node[0], dict):
        for name in node[0]:
            if name.endswith("Ms"):
                found = [row.get(name) for row in node if isinstance(row, dict)]
                yield from _whole(found, length)
    elif isinstance(node, list) and len(node) <= _FEW:
        for item in node:
            yield from _times(item, length)
    elif isinstance(node, dict):
        for name, item in node.items():
            if name.endswith("Ms") and isinstance(item, list):
                yield from _whole(item, length)
            elif isinstance(item, dict | list):
                yield from _times(item, length)


def _whole(found: list[Any], length: int) -> Iterator[list[int]]:
    if len(found) == length and all(isinstance(at_ms, int) for at_ms in found):
        yield found


def _by_number(data: Any, length: int, cursor: str) -> Page:
    at, used = _read(cursor) if cursor else (0, None)
    if used is not None or (at and at >= length):
        raise InvalidParameter("cursor", "the value of `next` in the answer before")
    count, part = _fitting(data, length, length - at, lambda count: slice(at, at + count))
    return Page(part, length, str(at + count) if at + count < length else None, None)


def _by_time(data: Any, rising: Sequence[int], cursor: str, *, is_falling: bool) -> Page:
    """rising: times in order. Cursor `1760000000000.2`: up to this time, two rows of it were shown."""
    length = end = len(rising)
    if cursor:
        at_ms, shown = _read(cursor)
        if shown is None:
            raise InvalidParameter("cursor", "the value of `next` in the answer before")
        end = max(bisect_right(rising, at_ms) - shown, bisect_left(rising, at_ms))

    def place(count: int) -> slice:
        return slice(length - end, length - end + count) if is_falling else slice(end - count, end)

    count, part = _fitting(data, length, end, place)
    start = end - count
    following = None
    if start > 0:
        before_ms = rising[start - 1]
        following = f"{before_ms}.{bisect_right(rising, before_ms) - start}"
    return Page(part, length, following, rising[-1])


def _read(cursor: str) -> tuple[int, int | None]:
    found = _CURSOR.fullmatch(cursor) if cursor.isascii() else None
    if found is None:
        raise InvalidParameter("cursor", "the value of `next` in the answer before")
    return int(found[1]), None if found[2] is None else int(found[2])


def _fitting(data: Any, length: int, most: int, place: Any) -> tuple[int, Any]:
    """(rows, the part with them): as many of `most` rows as fit the size, one at least."""
    count = most
    while True:
        part = data if count == length else _window(data, length, place(count))
        size = len(json.dumps(part, separators=(",", ":"), default=str))
        if size <= MAX_CHARS or count <= 1:
            return count, part
        count = max(1, min(count - 1, int(count * MAX_CHARS / size * 0.95)))


def _longest(data: Any) -> int:
    if isinstance(data, list):
        # Rows count by themselves; a list of one or two may only hold the lists that matter.
        return len(data) if len(data) > _FEW else max(len(data), *map(_longest, data)) if data else 0
    if isinstance(data, dict):
        return max((_longest(item) for item in data.values()), default=0)
    return 0


def _window(data: Any, length: int, rows: slice) -> Any:
    if isinstance(data, list):
        return data[rows] if len(data) == length else [_window(item, length, rows) for item in data]
    if isinstance(data, dict):
        return {key: _window(item, length, rows) for key, item in data.items()}
    return data
