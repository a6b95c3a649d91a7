"""Alerts on their way into the store: in order, bounded, and none lost while the database is away."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence

import pytest

from app.core.clock import ManualClock
from app.core.domain.alerts import DropReason, GateVerdict
from app.core.errors import StorageUnavailable
from app.services.streaming.keeper import AlertKeeper
from tests.alert_facts import CHAT, alert


class Store:
    """Takes batches while `is_up`."""

    def __init__(self) -> None:
        self.is_up = True
        self.batches: list[list[GateVerdict]] = []

    async def keep_all(self, verdicts: Sequence[GateVerdict], *, now_ms: int) -> None:
        await asyncio.sleep(0)
        if not self.is_up:
            raise StorageUnavailable("away")
        self.batches.append(list(verdicts))


class Rig:
    def __init__(self, max_waiting: int = 100) -> None:
        self.store = Store()
        self.woken = 0
        self.all_stored = asyncio.Event()
        self.pauses = 0
        self.keeper = AlertKeeper(
            self.store,  # type: ignore[arg-type]
            on_stored=self._wake,
            clock=ManualClock(),
            sleep=self._sleep,
            max_waiting=max_waiting,
        )

    def _wake(self) -> None:
        self.woken += 1
        self.all_stored.set()

    async def _sleep(self, seconds: float) -> None:
        self.pauses += 1
        await asyncio.sleep(0)
        if self.pauses == 3:
            self.store.is_up = True

    def stored(self) -> list[tuple[str, int]]:
        return [(one.alert.id, one.alert.revision) for batch in self.store.batches for one in batch]


def verdict(
    number: int, revision: int = 1, *, chats: tuple[str, ...] = (CHAT,), reason: DropReason | None = None
) -> GateVerdict:
    return GateVerdict(alert(id=f"{number:016x}", revision=revision), reason, chats, {})


async def test_a_storm_is_one_visit_and_wakes_the_delivery_once() -> None:
    rig = Rig()
    await rig.keeper.keep([verdict(number) for number in range(100)])
    assert [len(batch) for batch in rig.store.batches] == [100]
    assert (rig.woken, rig.keeper.stored, rig.keeper.waiting) == (1, 100, 0)


async def test_what_the_database_does_not_take_waits_in_order_and_is_stored_when_it_is_back() -> None:
    logging.disable(logging.ERROR)
    try:
        rig = Rig()
        rig.store.is_up = False
        await rig.keeper.keep([verdict(1), verdict(2)])
        await rig.keeper.keep([verdict(3)])
        assert (rig.keeper.waiting, rig.woken, rig.keeper.trouble) == (3, 0, "away")
        running = asyncio.create_task(rig.keeper.run())
        async with asyncio.timeout(30):
            await rig.all_stored.wait()
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
    finally:
        logging.disable(logging.NOTSET)
    assert [number for number, _ in rig.stored()] == [f"{number:016x}" for number in (1, 2, 3)]
    assert (rig.keeper.trouble, rig.keeper.lost, rig.pauses) == (None, 0, 3)


async def test_of_an_alert_that_grows_meanwhile_only_the_newest_revision_waits_for_everybody() -> None:
    rig = Rig()
    rig.store.is_up = False
    await rig.keeper.keep([verdict(1, 1, chats=("telegram:1",))])
    await rig.keeper.keep([verdict(1, 2, chats=("telegram:2",), reason=DropReason.MUTED)])
    rig.store.is_up = True
    await rig.keeper.settle()
    (only,) = rig.store.batches[0]
    assert only.alert.revision == 2
    assert only.chats == ("telegram:1", "telegram:2")
    assert only.reason is None  # the first revision was told, and that is not taken back


async def test_what_somebody_is_told_of_is_a_line_with_its_id_when_it_is_stored(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level("INFO", logger="app.services.streaming.keeper")
    rig = Rig()
    await rig.keeper.keep([verdict(1), verdict(2, reason=DropReason.MUTED)])
    (line,) = [vars(record) for record in caplog.records]
    found = alert(id=f"{1:016x}")
    assert (line["message"], line["alertId"], line["revision"]) == ("an alert is stored", found.id, 1)
    assert (line["kind"], line["symbol"]) == (found.kind, found.symbol)
    assert (line["direction"], line["severity"]) == (found.direction, found.severity)


async def test_beyond_the_bound_the_oldest_is_lost_counted_and_named(
    caplog: pytest.LogCaptureFixture,
) -> None:
    rig = Rig(max_waiting=2)
    rig.store.is_up = False
    await rig.keeper.keep([verdict(1), verdict(2), verdict(3)])
    assert (rig.keeper.waiting, rig.keeper.lost) == (2, 1)
    (line,) = [vars(record) for record in caplog.records if "lost" in record.message]
    assert (line["levelname"], line["alertId"]) == ("ERROR", f"{1:016x}")
    rig.store.is_up = True
    await rig.keeper.settle()
    assert [number for number, _ in rig.stored()] == [f"{number:016x}" for number in (2, 3)]


@pytest.mark.parametrize("grows", [False, True])
async def test_a_revision_that_comes_while_it_is_written_is_written_too(grows: bool) -> None:
    rig = Rig()
    first = asyncio.create_task(rig.keeper.keep([verdict(1, 1)]))
    await asyncio.sleep(0)
    if grows:
        await rig.keeper.keep([verdict(1, 2)])
    await first
    assert [revision for _, revision in rig.stored()] == ([1, 2] if grows else [1])
