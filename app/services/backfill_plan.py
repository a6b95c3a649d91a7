"""What a backfill has to fetch: stretches of time per series and coin that were not covered before.

Owns the arithmetic of covered and missing stretches, the text that remembers them, the cut into pages. Pure.
Stretches are half open, [from_ms, to_ms), by the close of bars. Called by `backfill_service`.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from app.core.domain.market import DAY_MS, INTERVAL_MS
from app.core.domain.stored import SeriesName
from app.core.domain.symbol import Symbol
from app.core.history_ports import HistorySource


class Span(NamedTuple):
    """[from_ms, to_ms) of bar closes."""

    from_ms: int
    to_ms: int


@dataclass(frozen=True, slots=True)
class BackfillRequest:
    """What was asked for. days: back from now; interval: bar size; series: which histories.

    kept_days: how long the store keeps a series, where it does not keep it for ever.
    """

    symbols: tuple[Symbol, ...]
    days: int
    interval: str
    series: frozenset[SeriesName]
    kept_days: Mapping[SeriesName, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Covered:
    """What earlier runs stored.

    exchange: whose bars they were, None when none came. spans: sorted, apart. first_ms: close of the first
    bar, by which rows that have aged out since are noticed.
    """

    exchange: str | None
    spans: tuple[Span, ...]
    first_ms: int | None = None


@dataclass(frozen=True, slots=True)
class Task:
    """One history of one coin. wanted: cut to what the source and the store keep; missing: of that,
    not covered yet. limit: who keeps less than was asked for, in words.
    """

    source: HistorySource
    symbol: Symbol
    interval: str
    wanted: Span
    covered: Covered
    missing: tuple[Span, ...]
    limit: str = ""

    @property
    def key(self) -> str:
        return state_key(self.source, self.symbol, self.interval)

    @property
    def intervals(self) -> tuple[str, ...]:
        """Bar sizes its rows are stored under."""
        return self.source.rhythm or (self.interval,)

    @property
    def pages(self) -> tuple[Span, ...]:
        """All pages to fetch, oldest first."""
        page_ms = self.source.page_ms(self.interval)
        return tuple(page for span in self.missing for page in cut(span, page_ms))


def state_key(source: HistorySource, symbol: Symbol, interval: str) -> str:
    """`backfill:okx:candles:BTC:1h`; histories with a rhythm of their own have no bar size."""
    return f"backfill:{source.provider}:{source.name}:{symbol}:{'own' if source.rhythm else interval}"


def wanted_span(source: HistorySource, request: BackfillRequest, now_ms: int) -> tuple[Span, str]:
    """Up to the newest bar that has closed, as far back as asked for and kept; and who keeps less, if anyone.

    Worked number: 1h bars at 12:34 -> up to and including the close at 12:00, so to_ms is 12:00:00.001.
    """
    bar_ms = INTERVAL_MS[request.interval]
    days, limit = float(request.days), ""
    for keeper, kept in (
        (source.provider, source.max_days(request.interval)),
        ("the store", request.kept_days.get(source.series)),
    ):
        if kept is not None and kept < days:
            days, limit = kept, f"{keeper} keeps {kept:g} days of it"
    closed_ms = now_ms // bar_ms * bar_ms
    from_ms = -(-(closed_ms - int(days * DAY_MS)) // bar_ms) * bar_ms
    return Span(from_ms + 1, closed_ms + 1), limit


def still_there(covered: Covered, earliest_ms: int | None) -> Covered:
    """Covered without what was removed since; earliest_ms: close of the first stored bar, None without any.

    Worked number: [0, 10) with its first bar at 2, of which those before 5 aged out -> [5, 10).
    """
    if covered.first_ms is None or (earliest_ms is not None and earliest_ms <= covered.first_ms):
        return covered
    if earliest_ms is None:
        return Covered(covered.exchange, ())
    cut_off = (Span(max(span.from_ms, earliest_ms), span.to_ms) for span in covered.spans)
    spans = tuple(span for span in cut_off if span.from_ms < span.to_ms)
    return Covered(covered.exchange, spans, earliest_ms)


def missing_spans(wanted: Span, covered: Sequence[Span]) -> tuple[Span, ...]:
    """What of `wanted` lies in no covered span; both sorted. [0, 10) without [3, 5) -> [0, 3), [5, 10)."""
    missing: list[Span] = []
    from_ms = wanted.from_ms
    for span in covered:
        if span.from_ms > from_ms:
            missing.append(Span(from_ms, min(span.from_ms, wanted.to_ms)))
        from_ms = max(from_ms, span.to_ms)
        if from_ms >= wanted.to_ms:
            break
    if from_ms < wanted.to_ms:
        missing.append(Span(from_ms, wanted.to_ms))
    return tuple(span for span in missing if span.from_ms < span.to_ms)


def joined(spans: Iterable[Span]) -> tuple[Span, ...]:
    """The same time in as few spans as possible, sorted."""
    found: list[Span] = []
    for span in sorted(spans):
        if found and span.from_ms <= found[-1].to_ms:
            found[-1] = Span(found[-1].from_ms, max(found[-1].to_ms, span.to_ms))
        elif span.from_ms < span.to_ms:
            found.append(span)
    return tuple(found)


def cut(span: Span, page_ms: int) -> tuple[Span, ...]:
    """Pages of `page_ms`, oldest first; the last may be shorter."""
    return tuple(
        Span(from_ms, min(from_ms + page_ms, span.to_ms))
        for from_ms in range(span.from_ms, span.to_ms, page_ms)
    )


def write_covered(covered: Covered) -> str:
    held = {"exchange": covered.exchange, "spans": covered.spans, "first": covered.first_ms}
    return json.dumps(held, separators=(",", ":"))


def read_covered(text: str | None) -> Covered:
    """What `write_covered` wrote; nothing for text that is not such: then everything is fetched again."""
    if text is None:
        return Covered(None, ())
    try:
        found = json.loads(text)
        spans = joined(Span(int(from_ms), int(to_ms)) for from_ms, to_ms in found["spans"])
        exchange, first_ms = found["exchange"], found["first"]
    except (ValueError, KeyError, TypeError):
        return Covered(None, ())
    return Covered(
        exchange if isinstance(exchange, str) else None,
        spans,
        first_ms if isinstance(first_ms, int) else None,
    )
