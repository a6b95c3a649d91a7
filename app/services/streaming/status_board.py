"""Where worker processes say how they do, for every process to read: one report each in the warm cache.

Owns the keys and how long a report counts. Written by the pipeline every few seconds, read by the flow use
case and the bot. A worker that is gone drops off by itself.
"""

from __future__ import annotations

from collections.abc import Callable

from app.core.domain.flow_answer import MAX_SNAPSHOT_AGE_S, StreamReport
from app.core.flow.reports import decode_names, decode_report, encode_names, encode_report
from app.core.stream_ports import WarmCache

KEEP_S = 600.0
MAX_WORKERS = 64
MAX_GAPS = 50
_NAMES = "status"


class StatusBoard:
    """Reports by worker name."""

    def __init__(self, warm: WarmCache, *, now_ms: Callable[[], int], speed: float = 1.0) -> None:
        """now_ms: market time, which passes `speed` times as fast as workers speak."""
        self._warm = warm
        self._now_ms = now_ms
        self._speed = speed

    async def put(self, report: StreamReport) -> None:
        """Say how `report.worker` does. Two workers that write at once may miss each other for one turn."""
        await self._warm.put_text(_key(report.worker), encode_report(report), keep_s=KEEP_S)
        names = await self._names()
        names[report.worker] = report.as_of_ms
        newest = sorted(names, key=lambda name: -names[name])[:MAX_WORKERS]
        text = encode_names({name: names[name] for name in newest})
        await self._warm.put_text(_NAMES, text, keep_s=KEEP_S)

    async def read(self) -> tuple[StreamReport, ...]:
        """Reports of the last ten minutes, by worker name; how old each is, it says itself."""
        found = []
        for name in sorted(await self._names()):
            text = await self._warm.get_text(_key(name))
            report = None if text is None else decode_report(text)
            if report is not None:
                found.append(report)
        return tuple(found)

    async def is_alive(self) -> bool:
        """Whether some worker spoke lately enough for its figures to count."""
        oldest_ms = self._now_ms() - MAX_SNAPSHOT_AGE_S * 1000 * self._speed
        return any(at_ms >= oldest_ms for at_ms in (await self._names()).values())

    async def _names(self) -> dict[str, int]:
        text = await self._warm.get_text(_NAMES)
        names = {} if text is None else decode_names(text)
        oldest_ms = self._now_ms() - KEEP_S * 1000 * self._speed
        return {name: at_ms for name, at_ms in names.items() if at_ms >= oldest_ms}


def _key(worker: str) -> str:
    return f"status:{worker}"
