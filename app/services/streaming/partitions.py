"""The detect worker: takes a fair share of the partitions by lease and has each read by a seat of its own.

Any number of these processes share the work. Who joins gets partitions from the others within some beats;
those of one that was killed are free when their leases end. Wired by the worker process.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from contextlib import suppress

from app.core.bus_ports import FrameLog, Lease, PartitionLease, WorkerStatus
from app.core.errors import BusUnavailable
from app.services.streaming.seat import MakeHandler, Seat, SeatParts

_log = logging.getLogger(__name__)

# Beats after an outage in which nothing new is taken: who held a lease before takes it again first.
_PATIENCE = 2


class PartitionWorker:
    """Runs seats. `stop()`, or cancelling `run()`, ends it in order: entries under way are finished and
    acknowledged, leases given back."""

    def __init__(
        self,
        log: FrameLog,
        leases: PartitionLease,
        make_handler: MakeHandler,
        *,
        partitions: Sequence[int],
        now_ms: Callable[[], int],
        monotonic: Callable[[], float],
        limit: int = 32,
        wait_s: float = 0.5,
        tick_s: float = 1.0,
        rest_s: float = 1.0,
    ) -> None:
        """partitions: all there are, of all workers. limit: entries per read and acknowledgement; wait_s:
        longest wait for news; tick_s: how often a handler without news is told the time; rest_s: pause after
        a fault."""
        self._parts = SeatParts(
            log,
            leases,
            make_handler,
            now_ms,
            monotonic,
            limit=limit,
            wait_s=wait_s,
            tick_s=tick_s,
            rest_s=rest_s,
        )
        self._leases = leases
        self._partitions = tuple(partitions)
        self._beat_s = leases.lease_s / 4
        self._seats: dict[int, Seat] = {}
        self._tasks: dict[int, asyncio.Task[None]] = {}
        self._is_stopping = False
        self._wake = asyncio.Event()
        self._workers = 1
        self._patience = 0
        self._is_bus_up = True

    async def run(self) -> None:
        """Work until `stop()`. An error that nobody foresaw ends it, with every lease given back."""
        try:
            while not self._is_stopping:
                await self._beat()
                with suppress(TimeoutError):
                    async with asyncio.timeout(self._beat_s):
                        await self._wake.wait()
                self._wake.clear()
                self._collect()
        finally:
            await self._end()

    def stop(self) -> None:
        self._is_stopping = True
        self._wake.set()

    def status(self) -> WorkerStatus:
        counts = self._parts.counts
        now_ms = self._parts.now_ms()
        return WorkerStatus(
            partitions=tuple(seat.status(now_ms) for _, seat in sorted(self._seats.items())),
            workers=self._workers,
            entries=counts.entries,
            lost_entries=counts.lost_entries,
            refused=counts.refused,
            skipped=counts.skipped,
            opened=counts.opened,
            bus_faults=counts.bus_faults,
            is_bus_up=self._is_bus_up,
            last_fault=counts.last_fault,
        )

    async def _beat(self) -> None:
        try:
            await self._renew()
            self._workers = await self._leases.attend()
            if not self._is_bus_up:
                _log.info("the bus answers again")
            self._is_bus_up = True
            if self._patience:
                self._patience -= 1
            else:
                await self._balance()
        except BusUnavailable as fault:
            if self._is_bus_up:  # one line per outage, and one at its end
                _log.error("the bus does not answer", extra={"why": str(fault)})
            self._is_bus_up = False
            self._patience = _PATIENCE
            self._parts.counts.bus_faults += 1
            self._parts.counts.last_fault = str(fault)

    async def _renew(self) -> None:
        asked_s = self._parts.monotonic()
        seats = list(self._seats.values())
        held = await self._leases.renew([seat.lease for seat in seats])
        for seat in seats:
            if seat.lease.name in held:
                seat.sure_until_s = asked_s + self._leases.lease_s
            else:
                seat.lose()

    async def _balance(self) -> None:
        """Not more than the fair share, and up to it of what is free."""
        share = -(-len(self._partitions) // self._workers)
        going = [seat for seat in self._seats.values() if seat.is_going]
        for seat in going[share:]:
            seat.stop()
        missing = share - len(going)
        for partition in self._partitions:
            if missing <= 0:
                return
            if partition not in self._seats:
                missing -= await self._sit(partition)

    async def _sit(self, partition: int) -> bool:
        asked_s = self._parts.monotonic()
        lease = await self._leases.take(f"partition-{partition}")
        if lease is None:
            return False
        self._start(partition, lease, asked_s + self._leases.lease_s)
        return True

    def _start(self, partition: int, lease: Lease, sure_until_s: float) -> None:
        seat = Seat(partition, lease, sure_until_s, self._parts)
        task = asyncio.create_task(seat.run(), name=f"partition {partition}")
        task.add_done_callback(lambda _: self._wake.set())
        self._seats[partition] = seat
        self._tasks[partition] = task

    def _collect(self) -> None:
        """Forget the seats that have ended; one that ended by an error ends the worker."""
        for partition in [number for number, task in self._tasks.items() if task.done()]:
            del self._seats[partition]
            self._tasks.pop(partition).result()

    async def _end(self) -> None:
        for seat in self._seats.values():
            seat.stop()
        if self._tasks:
            await asyncio.wait(self._tasks.values())
        with suppress(BusUnavailable):
            await self._leases.leave()
        self._collect()
