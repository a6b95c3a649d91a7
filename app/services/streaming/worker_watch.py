"""Whether the worker beside a web process still speaks, for the readiness of that web process.

Owns how long silence is allowed. Reads the board of reports every few seconds, so that a check waits for
nothing. Run by a web process that does not stream itself.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence

from app.core.domain.flow_answer import StreamReport
from app.core.domain.status import DependencyState, DependencyStatus

EVERY_S = 5.0
# A worker reports every five seconds; a restart takes less than this.
SILENT_S = 30.0
# After a start of everything the worker restores its past before it speaks.
START_S = 60.0
_HOW = "python -m app.worker"
_UNSEEN = f"none has reported: is `{_HOW}` running, with the same REDIS_URL or DATABASE_URL?"
_UNNEEDED = f"none has reported: streams and alerts need `{_HOW}` beside this process"


class WorkerWatch:
    """`run()` until cancelled; `status()` at any time.

    How long a worker has been silent is measured here: clocks of hosts differ, and that of a replay runs at
    another speed. Only of the first report of a worker there is nothing but its own time to go by.
    """

    def __init__(
        self,
        read: Callable[[], Awaitable[Sequence[StreamReport]]],
        *,
        is_expected: bool,
        now_ms: Callable[[], int],
        monotonic: Callable[[], float],
        speed: float = 1.0,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        """read: reports of all workers. is_expected: whether one has to be there although none ever spoke.

        now_ms: market time, which passes `speed` times as fast as `monotonic`.
        """
        self._read = read
        self._is_expected = is_expected
        self._now_ms = now_ms
        self._monotonic = monotonic
        self._speed = speed
        self._sleep = sleep
        self._began_s = monotonic()
        self._spoke: dict[str, int] = {}
        self._heard_s: float | None = None

    async def run(self) -> None:
        """Read again and again."""
        while True:
            await self.refresh()
            await self._sleep(EVERY_S)

    async def refresh(self) -> None:
        """Read once."""
        now_s = self._monotonic()
        spoke: dict[str, int] = {}
        for report in await self._read():
            spoke[report.worker] = report.as_of_ms
            before_ms = self._spoke.get(report.worker)
            if before_ms != report.as_of_ms:
                self._hear(now_s - (self._age_s(report) if before_ms is None else 0.0))
        self._spoke = spoke

    def _hear(self, at_s: float) -> None:
        self._heard_s = at_s if self._heard_s is None else max(self._heard_s, at_s)

    def _age_s(self, report: StreamReport) -> float:
        return max(0.0, (self._now_ms() - report.as_of_ms) / 1000 / self._speed)

    def status(self) -> DependencyStatus:
        """Down when it was heard and is silent now, or was never heard and should have been."""
        now_s = self._monotonic()
        silent_s = None if self._heard_s is None else now_s - self._heard_s
        if silent_s is not None and silent_s <= SILENT_S:
            return _told(DependencyState.OK, "")
        detail = _UNSEEN if self._is_expected else _UNNEEDED
        if silent_s is not None:
            detail = f"the last report is {silent_s:.0f} s old"
        is_fault = silent_s is not None or self._is_expected
        is_young = now_s - self._began_s < START_S
        return _told(DependencyState.DOWN if is_fault and not is_young else DependencyState.STARTING, detail)


def _told(state: DependencyState, detail: str) -> DependencyStatus:
    return DependencyStatus("worker", state, detail)
