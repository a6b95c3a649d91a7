"""What every answer of the typed routes carries, and how its parts are read: sources, gaps, fallbacks, pages.

Pure. Figures themselves are in `render_derivatives`; whole answers in `render_derivatives_answers`.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, TypeVar

from app.api.numbers import age_s, iso_utc
from app.api.render_derivatives import WINDOWS, market, name, words
from app.api.schemas.base import to_camel
from app.api.schemas.derivatives import FallbackPart, MissingPart, SourceItem
from app.core.domain.context import DataMode
from app.core.domain.derivatives import CoinMarket
from app.core.domain.quality import Missing, Reading
from app.core.domain.views import Part, Parts, View
from app.core.errors import InvalidParameter

T = TypeVar("T")
# Windows of liquidations the whole market has.
_FLUSHED = ("1h", "4h", "12h", "24h")


def value(parts: Parts, view: View, kind: type[T]) -> T | None:
    """The value of a part, None when it is missing or was not asked for."""
    part = parts.get(view)
    found = part.found.value if part is not None and isinstance(part.found, Reading) else None
    return found if isinstance(found, kind) else None


def rows(parts: Parts, view: View, kind: type[T]) -> tuple[T, ...]:
    """The rows of a part that is a tuple."""
    return tuple(row for row in value(parts, view, tuple) or () if isinstance(row, kind))


def common(parts: Parts, *, now_ms: int, data_mode: DataMode) -> dict[str, Any]:
    """The fields of every answer."""
    return {
        "timestamp": iso_utc(now_ms),
        "data_mode": data_mode,
        "sources": _sources(parts.values(), now_ms=now_ms),
        "missing": _missing(parts.values()),
        "fallbacks": _fallbacks(parts.values()),
    }


def provider(parts: Parts, view: View) -> str | None:
    part = parts.get(view)
    return part.found.provider if part is not None and isinstance(part.found, Reading) else None


def page(cursor: str | None, limit: int, total: int) -> tuple[slice, str | None]:
    """The rows of one page and the cursor of the next. Raises: InvalidParameter for a foreign cursor."""
    if cursor is not None and not (cursor.isascii() and cursor.isdigit() and len(cursor) <= 9):
        raise InvalidParameter("cursor", "the value of `next` in the answer before")
    start = int(cursor or 0)
    stop = start + limit
    return slice(start, stop), str(stop) if stop < total else None


def _sources(parts: Iterable[Part], *, now_ms: int) -> list[SourceItem]:
    """The parts that were found."""
    return [
        SourceItem(
            part=part.view,
            provider=name(part.found.provider),
            endpoint=name(part.found.endpoint),
            as_of=iso_utc(part.found.ts_event_ms),
            age_s=age_s(now_ms, part.found.ts_event_ms),
            cache=part.found.cache,
        )
        for part in parts
        if isinstance(part.found, Reading)
    ]


def _missing(parts: Iterable[Part]) -> list[MissingPart]:
    """The parts that were not."""
    return [
        MissingPart(
            part=part.view,
            reason=part.found.reason,
            detail=words(part.found.detail),
            plan_needed=part.plan_needed,
        )
        for part in parts
        if isinstance(part.found, Missing)
    ]


def _fallbacks(parts: Iterable[Part]) -> list[FallbackPart]:
    """The parts that were found, though not where they were looked for first."""
    return [
        FallbackPart(
            part=part.view,
            answered_by=name(part.found.provider),
            reason=part.fell_back.reason,
            detail=words(part.fell_back.detail),
            plan_needed=part.plan_needed,
            without=_lacking(part.found.value),
        )
        for part in parts
        if isinstance(part.found, Reading) and part.fell_back is not None
    ]


def _lacking(found: object) -> list[str]:
    """Names of the figures a reduced market does not have, its windows in one entry each."""
    if isinstance(found, tuple) and found:
        return (
            ["coins outside the watchlist", *_lacking(found[0])] if isinstance(found[0], CoinMarket) else []
        )
    if not isinstance(found, CoinMarket):
        return []
    shown = market(found)
    lacking = [to_camel(field) for field, figure in shown if figure is None]
    there = {window.window for window in shown.windows}
    flushed = {window.window for window in shown.liquidations}
    lacking += _absent("windows", [window for window in WINDOWS if window not in there])
    return lacking + _absent("liquidations", [window for window in _FLUSHED if window not in flushed])


def _absent(what: str, windows: list[str]) -> list[str]:
    return [f"{what} {' '.join(windows)}"] if windows else []
