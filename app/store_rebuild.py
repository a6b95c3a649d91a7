"""Which minutes `python -m app.store rebuild-heatmap` works through, in pieces that one transaction can hold.

Reads where liquidations are; the sums themselves are made by the tile store.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncEngine

from app.services.storage.faults import storage_errors
from app.services.storage.tables import liquidations

_MINUTE_MS = 60_000
_DAY_MS = 86_400_000
_DAY_MIN = 1_440


@dataclass(frozen=True, slots=True)
class StoredMinutes:
    """Where liquidations are: first and last minute, and every day (since the epoch) that has one."""

    first_min: int
    last_min: int
    days: tuple[int, ...]


async def stored_minutes(engine: AsyncEngine) -> StoredMinutes | None:
    """None when no liquidation is stored. Reads the whole table once.

    Raises:
        StorageUnavailable: the database does not answer.
    """
    time = liquidations.c.ts_event_ms
    day = time // _DAY_MS
    question = select(day, func.min(time), func.max(time)).group_by(day).order_by(day)
    with storage_errors("looking for liquidations"):
        async with engine.connect() as connection:
            rows = (await connection.execute(question)).all()
    if not rows:
        return None
    return StoredMinutes(
        rows[0][1] // _MINUTE_MS, rows[-1][2] // _MINUTE_MS, tuple(int(row[0]) for row in rows)
    )


def slices(from_min: int, to_min: int, days: Sequence[int]) -> Iterator[tuple[int, int]]:
    """Cut [from_min, to_min) at the edges of `days` (ascending): one piece per day, one per gap between.

    Gaps are worked through as well, for a tile there is one that no event stands behind.
    Worked numbers: [100, 6000) with events on days 0 and 3 is [100, 1440), [1440, 4320), [4320, 5760) and
    [5760, 6000).
    """
    edges = {edge for day in days for edge in (day * _DAY_MIN, (day + 1) * _DAY_MIN)}
    inside = sorted(edge for edge in edges if from_min < edge < to_min)
    starts = [from_min, *inside]
    yield from zip(starts, [*inside, to_min], strict=True)
