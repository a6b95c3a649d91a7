"""Runs the loops of the worker side by side and keeps them running.

A loop that ends by a bug is logged, counted, shown as an alarm and started again after a pause; one earlier
system swallowed such an error and sent no alert for six days. The named boundary of the worker: nothing else
in it catches everything. Knows nothing of what the loops do.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

_log = logging.getLogger(__name__)

_FIRST_PAUSE_S = 0.5
_LONGEST_PAUSE_S = 30.0
# A fault is worth an alarm for this long after it last happened.
ALARM_S = 600.0
# A stage ends by itself within ten seconds: its sends under way are over by then.
_END_S = 11.0

Loop = Callable[[], Awaitable[None]]


@dataclass(slots=True)
class _Fault:
    times: int
    last_s: float
    what: str


class Stages:
    """The worker's loops by name. `run()` ends only when it is cancelled."""

    def __init__(
        self,
        *,
        monotonic: Callable[[], float],
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._monotonic = monotonic
        self._sleep = sleep
        self._loops: dict[str, Loop] = {}
        self._faults: dict[str, _Fault] = {}

    def add(self, name: str, loop: Loop) -> None:
        """One more loop, before `run()`. A loop that returns is over; one that raises is started again."""
        self._loops[name] = loop

    async def run(self) -> None:
        tasks = [
            asyncio.create_task(self._keep_running(name, loop), name=name)
            for name, loop in self._loops.items()
        ]
        try:
            ended, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_EXCEPTION)
        finally:
            await _end(tasks)  # once: a second cancellation would cut off what it is finishing
        for task in ended:
            task.result()

    async def attempt(self, name: str, work: Callable[[], Awaitable[None]]) -> bool:
        """Do one piece of work of a loop that must go on whatever becomes of it; False when it failed."""
        try:
            await work()
        except Exception as error:  # noqa: BLE001 - named boundary
            self._note(name, error)
            return False
        return True

    def alarms(self) -> tuple[str, ...]:
        """What failed by a bug lately, one sentence each."""
        now_s = self._monotonic()
        return tuple(
            f"{name}: failed {fault.times} times since the start, last by {fault.what}"
            for name, fault in self._faults.items()
            if now_s - fault.last_s < ALARM_S
        )

    def faults(self) -> dict[str, int]:
        """How often each loop failed since the start, also those that never did."""
        never = dict.fromkeys(self._loops, 0)
        return never | {name: fault.times for name, fault in self._faults.items()}

    async def _keep_running(self, name: str, loop: Loop) -> None:
        pause_s = _FIRST_PAUSE_S
        while True:
            begun_s = self._monotonic()
            if await self.attempt(name, loop):
                return
            if self._monotonic() - begun_s > ALARM_S:
                pause_s = _FIRST_PAUSE_S
            await self._sleep(pause_s)
            pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)

    def _note(self, name: str, error: Exception) -> None:
        fault = self._faults.setdefault(name, _Fault(0, 0.0, ""))
        fault.times += 1
        fault.last_s, fault.what = self._monotonic(), type(error).__name__
        _log.error("a stage failed", extra={"stage": name, "times": fault.times}, exc_info=error)


async def _end(tasks: Sequence[asyncio.Task[None]]) -> None:
    """Cancel them all, and once more whom a library kept from hearing it: a stop must not hang on that."""
    late = {task for task in tasks if not task.done()}
    for task in late:
        task.cancel()
    while late:
        _, late = await asyncio.wait(late, timeout=_END_S)
        for task in late:
            _log.error("a stage did not end and is cancelled again", extra={"stage": task.get_name()})
            task.cancel()
