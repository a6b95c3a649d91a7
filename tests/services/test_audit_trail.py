"""The audit log as it is written: what is folded, what waits, what is lost and counted."""

from __future__ import annotations

from app.core.domain.access import AuditAction, AuditOutcome
from app.services.audit_trail import MANY, MAX_FOLDS, MAX_WAITING, AuditTrail, Occurrence
from tests.access_facts import NOW_MS, MemoryAudit

MINUTE_MS = 60_000
START_MS = NOW_MS - NOW_MS % MINUTE_MS


class Rig:
    def __init__(self) -> None:
        self.now_ms = START_MS
        self.log = MemoryAudit()
        self.seen: list[tuple[str, str]] = []
        self.trail = AuditTrail(
            self.log,
            wall_ms=lambda: self.now_ms,
            observe=lambda *, action, outcome: self.seen.append((action, outcome)),
        )

    def guess(self, address: str, times: int = 1) -> None:
        refused = AuditOutcome.REFUSED
        for _ in range(times):
            self.trail.note(Occurrence("stranger", AuditAction.LOGIN, refused, address=address))

    def add(self, coin: str = "BTC") -> None:
        self.trail.note(Occurrence("key:ops", AuditAction.COIN_ADDED, target=coin, request_id="r-1"))


async def test_what_was_done_is_written_at_once_with_who_what_and_when() -> None:
    rig = Rig()
    rig.add()
    await rig.trail.write()
    (row,) = rig.log.rows
    assert (row.ts_ms, row.actor, row.action, row.outcome) == (START_MS, "key:ops", "coin.added", "done")
    assert (row.target, row.request_id, row.times) == ("BTC", "r-1", 1)
    await rig.trail.write()
    assert len(rig.log.rows) == 1


async def test_a_million_wrong_guesses_of_one_address_are_one_row_a_minute() -> None:
    rig = Rig()
    rig.guess("192.0.2.1", 5_000)
    rig.guess("192.0.2.2")
    await rig.trail.write()
    assert rig.log.rows == []  # their minute is not over
    rig.now_ms += MINUTE_MS
    rig.guess("192.0.2.1", 7)
    await rig.trail.settle()
    told = [(row.ts_ms, row.address, row.times) for row in rig.log.rows]
    assert told == [
        (START_MS, "192.0.2.1", 5_000),
        (START_MS, "192.0.2.2", 1),
        (rig.now_ms, "192.0.2.1", 7),
    ]
    assert rig.seen == [("login", "refused")] * 5_008


async def test_guesses_of_more_addresses_than_are_told_apart_are_counted_together() -> None:
    rig = Rig()
    for number in range(MAX_FOLDS + 500):
        rig.guess(f"2001:db8:{number:x}::/64")
    await rig.trail.settle()
    assert len(rig.log.rows) == MAX_FOLDS + 1
    (rest,) = [row for row in rig.log.rows if row.address == MANY]
    assert (rest.actor, rest.target, rest.times) == ("stranger", "", 500)
    assert sum(row.times for row in rig.log.rows) == MAX_FOLDS + 500


async def test_an_attack_hides_no_admin() -> None:
    rig = Rig()
    for number in range(MAX_FOLDS + 5):
        rig.guess(f"192.0.2.{number}")
    for _ in range(3):
        rig.trail.note(Occurrence("key:ops", AuditAction.ADMIN_READ, target="/api/admin/keys", address="a"))
    await rig.trail.settle()
    (read,) = [row for row in rig.log.rows if row.action is AuditAction.ADMIN_READ]
    assert (read.actor, read.times) == ("key:ops", 3)


async def test_an_attack_hides_no_refusal_of_a_key() -> None:
    rig = Rig()
    for number in range(MAX_FOLDS + 5):
        rig.guess(f"192.0.2.{number}")
    refused = AuditOutcome.REFUSED
    rig.trail.note(
        Occurrence("key:bot", AuditAction.SCOPE_REFUSED, refused, "GET /metrics (admin)", "id", "a")
    )
    await rig.trail.settle()
    (probe,) = [row for row in rig.log.rows if row.action is AuditAction.SCOPE_REFUSED]
    assert (probe.actor, probe.target, probe.address) == ("key:bot", "GET /metrics (admin)", "a")


async def test_rows_wait_for_the_database_and_are_written_once() -> None:
    rig = Rig()
    rig.log.is_away = True
    rig.add("BTC")
    assert not await rig.trail.write()
    rig.add("ETH")
    rig.log.is_away = False
    assert await rig.trail.write()
    assert [row.target for row in rig.log.rows] == ["BTC", "ETH"]
    assert rig.trail.lost == 0


async def test_beyond_the_bound_the_oldest_go_and_are_counted() -> None:
    rig = Rig()
    for number in range(MAX_WAITING + 3):
        rig.add(f"C{number}")
    await rig.trail.settle()
    assert (rig.trail.lost, len(rig.log.rows)) == (3, MAX_WAITING)
    assert rig.log.rows[0].target == "C3"


async def test_texts_from_outside_are_short_and_printable() -> None:
    rig = Rig()
    rig.trail.note(Occurrence("chat:\x1b[31m\r\nx" + "y" * 500, AuditAction.CHAT_CHANGED))
    await rig.trail.settle()
    (row,) = rig.log.rows
    assert row.actor.startswith("chat:?[31m??x")
    assert len(row.actor) == 100
