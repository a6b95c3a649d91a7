"""History of alerts, outbox and gaps, on both databases: stored once, sent by one, nothing forgotten."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import delete

from app.core.alerting.codec import decode_alert
from app.core.clock import ManualClock
from app.core.domain.alerts import (
    Alert,
    AlertQuery,
    Delivery,
    DeliveryState,
    DropReason,
    GateVerdict,
    OutboxDepth,
    Severity,
)
from app.core.domain.flow import AlertKind, StreamGap
from app.core.domain.stored import ExportName, ExportQuery
from app.core.errors import InvalidParameter
from app.services.storage.alerts import SqlAlerts
from app.services.storage.engine import open_engine
from app.services.storage.liquidation_tail import SqlLiquidationTail
from app.services.storage.store import SqlStore
from app.services.storage.tables import alert_history, liquidations, outbox, stream_gaps
from tests.delivery_facts import T0_MS, an_alert
from tests.services.storage.conftest import migrate
from tests.services.storage.rows import liquidation

CHAT, OTHER = "telegram:-100", "webhook"
NOW_MS = T0_MS + 1_000
LEASE_MS = 30_000


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(NOW_MS)


@pytest.fixture(scope="module", params=["sqlite", "postgres"])
def module_url(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> str:
    """One database for all tests of this module; each leaves it empty."""
    if request.param == "sqlite":
        url = f"sqlite:///{tmp_path_factory.mktemp('alerts') / 'store.db'}"
    else:
        url = str(request.getfixturevalue("postgres").create("alerts"))
    migrate(url)
    return url


@pytest.fixture
async def store(module_url: str, clock: ManualClock) -> AsyncIterator[SqlStore]:
    store = SqlStore(module_url, data_mode="live", now_ms=clock.now_ms, monotonic=time.monotonic)
    store.start()
    await store.opened()
    yield store
    await store.close()
    engine = open_engine(module_url)
    async with engine.begin() as connection:
        for table in (alert_history, outbox, stream_gaps, liquidations):
            await connection.execute(delete(table))
    await engine.dispose()


@pytest.fixture
def alerts(store: SqlStore) -> SqlAlerts:
    return store.alerts


async def keep(
    alerts: SqlAlerts, alert: Alert, *chats: str, reason: DropReason | None = None, **more: Any
) -> None:
    dropped = more.pop("dropped", {})
    await alerts.keep(
        alert, drop_reason=reason, dropped_chats=dropped, chats=chats, now_ms=more.pop("now_ms", NOW_MS)
    )


async def claim(
    alerts: SqlAlerts, owner: str = "a", now_ms: int = NOW_MS, hold: Sequence[str] = (), limit: int = 50
) -> Sequence[Delivery]:
    return await alerts.claim(owner=owner, now_ms=now_ms, lease_ms=LEASE_MS, limit=limit, hold=hold)


async def row(alerts: SqlAlerts, number: int = 1, chat: str = CHAT) -> Delivery:
    stored = await alerts.one(an_alert(number).id)
    assert stored is not None
    return next(delivery for delivery in stored.deliveries if delivery.chat == chat)


class TestHistory:
    async def test_an_alert_comes_back_as_it_was_with_its_fate_and_deliveries(
        self, alerts: SqlAlerts
    ) -> None:
        await keep(alerts, an_alert(), CHAT, dropped={OTHER: DropReason.MUTED})
        stored = await alerts.one(an_alert().id)
        assert stored is not None
        assert stored.alert == an_alert()
        assert (stored.drop_reason, stored.dropped_chats) == (None, {OTHER: DropReason.MUTED})
        assert [(item.chat, item.state) for item in stored.deliveries] == [(CHAT, DeliveryState.PENDING)]

    async def test_a_dropped_alert_keeps_its_reason_and_nothing_is_sent(self, alerts: SqlAlerts) -> None:
        await keep(alerts, an_alert(), reason=DropReason.LOW_CONFIDENCE)
        stored = await alerts.one(an_alert().id)
        assert stored is not None
        assert (stored.drop_reason, stored.deliveries) == (DropReason.LOW_CONFIDENCE, ())
        assert await claim(alerts) == []

    async def test_the_newest_revision_wins_and_an_older_one_changes_nothing(self, alerts: SqlAlerts) -> None:
        newest = an_alert(revision=3, usd=4e7)
        await keep(alerts, newest, CHAT)
        await keep(alerts, an_alert(revision=2, usd=2e7), CHAT, reason=DropReason.NO_CHANGE)
        stored = await alerts.one(newest.id)
        assert stored is not None
        assert (stored.alert, stored.drop_reason) == (newest, None)
        assert (await row(alerts)).revision == 3

    async def test_once_kept_stays_kept(self, alerts: SqlAlerts) -> None:
        await keep(alerts, an_alert(), CHAT)
        grown = an_alert(revision=2)
        await keep(alerts, grown, reason=DropReason.NO_CHANGE, dropped={CHAT: DropReason.NO_CHANGE})
        stored = await alerts.one(grown.id)
        assert stored is not None
        assert (stored.alert.revision, stored.drop_reason, stored.dropped_chats) == (2, None, {})

    async def test_what_was_dropped_can_be_kept_later(self, alerts: SqlAlerts) -> None:
        await keep(alerts, an_alert(), reason=DropReason.LOW_CONFIDENCE)
        await keep(alerts, an_alert(revision=2), CHAT)
        page = await alerts.page(AlertQuery(is_kept=True))
        assert [item.alert.revision for item in page.rows] == [2]

    async def test_pages_go_back_in_time_and_miss_none(self, alerts: SqlAlerts) -> None:
        for number in range(1, 8):
            await keep(alerts, an_alert(number, ts_event_ms=T0_MS + number // 3), CHAT)
        found, cursor = [], None
        while True:
            page = await alerts.page(AlertQuery(limit=3, cursor=cursor))
            found += [int(item.alert.id, 16) for item in page.rows]
            cursor = page.cursor
            if cursor is None:
                break
        assert found == [7, 6, 5, 4, 3, 2, 1]

    async def test_a_page_can_be_narrowed(self, alerts: SqlAlerts) -> None:
        await keep(alerts, an_alert(1), CHAT)
        await keep(alerts, an_alert(2, symbol="ETH", severity=Severity.INFO, kind=AlertKind.OI_SPIKE), CHAT)
        await keep(alerts, an_alert(3, ts_event_ms=T0_MS - 60_000), reason=DropReason.MUTED)

        async def numbers(**wanted: Any) -> list[int]:
            return [int(item.alert.id, 16) for item in (await alerts.page(AlertQuery(**wanted))).rows]

        assert await numbers(symbol="ETH") == await numbers(severity=Severity.INFO) == [2]
        assert await numbers(kind=AlertKind.OI_SPIKE) == [2]
        assert await numbers(is_kept=False) == await numbers(to_ms=T0_MS) == [3]
        assert await numbers(from_ms=T0_MS) == [2, 1]

    async def test_a_foreign_cursor_is_refused(self, alerts: SqlAlerts) -> None:
        with pytest.raises(InvalidParameter):
            await alerts.page(AlertQuery(cursor="nonsense"))

    async def test_recent_is_oldest_first_and_knows_nothing_of_the_future(
        self, alerts: SqlAlerts, clock: ManualClock
    ) -> None:
        for number, at_ms in enumerate((T0_MS, T0_MS - 10, NOW_MS + 1, T0_MS - 20), start=1):
            await keep(alerts, an_alert(number, ts_event_ms=at_ms, ts_init_ms=at_ms), CHAT)
        found = await alerts.recent(T0_MS - 10)
        assert [int(item.alert.id, 16) for item in found] == [2, 1]
        assert found[0].deliveries[0].chat == CHAT
        assert len((await alerts.page(AlertQuery())).rows) == 3
        clock.tick(0.001)
        assert len((await alerts.page(AlertQuery())).rows) == 4

    async def test_the_export_tells_the_fate(self, store: SqlStore) -> None:
        await keep(store.alerts, an_alert(), CHAT, dropped={OTHER: DropReason.MUTED})
        names, chunks = store.exports.export(ExportQuery(ExportName.ALERTS, None, 0, 10**15))
        exported = [dict(zip(names, item, strict=True)) async for chunk in chunks for item in chunk]
        assert [(item["symbol"], bool(item["is_kept"])) for item in exported] == [("BTC", True)]
        assert f'"{OTHER}":"muted"' in str(exported[0]["body"])

    async def test_a_storm_is_stored_at_once_and_like_one_after_the_other(self, alerts: SqlAlerts) -> None:
        await keep(alerts, an_alert(2), CHAT)
        storm = [
            GateVerdict(an_alert(3), None, (CHAT, OTHER), {}),
            GateVerdict(an_alert(2, revision=2), DropReason.NO_CHANGE, (), {OTHER: DropReason.MUTED}),
            GateVerdict(an_alert(1), DropReason.FLIP, (), {}),
            GateVerdict(an_alert(3, revision=2), None, (CHAT,), {}, is_edit=True),
        ]
        for _ in range(2):
            await alerts.keep_all(storm, now_ms=NOW_MS)
        await alerts.keep_all([], now_ms=NOW_MS)
        found = {int(item.alert.id, 16): item for item in (await alerts.page(AlertQuery())).rows}
        assert {number: (item.alert.revision, item.drop_reason) for number, item in found.items()} == {
            1: (1, DropReason.FLIP),
            2: (2, None),
            3: (2, None),
        }
        assert found[2].dropped_chats == {OTHER: DropReason.MUTED}
        claimed = {(int(item.alert_id, 16), item.chat, item.revision) for item in await claim(alerts)}
        assert claimed == {(2, CHAT, 1), (3, CHAT, 2), (3, OTHER, 1)}


class TestOutbox:
    async def test_a_claim_is_in_nobody_elses_hands(self, alerts: SqlAlerts) -> None:
        await keep(alerts, an_alert(), CHAT, OTHER)
        claimed = await claim(alerts)
        assert [(item.chat, item.state, item.attempts) for item in claimed] == [
            (CHAT, DeliveryState.SENDING, 1),
            (OTHER, DeliveryState.SENDING, 1),
        ]
        assert await claim(alerts, "b") == []

    async def test_claims_at_once_share_the_rows_and_miss_none(self, alerts: SqlAlerts) -> None:
        for number in range(1, 21):
            await keep(alerts, an_alert(number), CHAT)
        taken = await asyncio.gather(*(claim(alerts, f"w{n}", limit=4) for n in range(5)))
        taken += [await claim(alerts, "rest")]
        ids = [item.alert_id for some in taken for item in some]
        assert sorted(ids) == [an_alert(number).id for number in range(1, 21)]

    async def test_urgent_ones_come_first_then_the_longest_due(self, alerts: SqlAlerts) -> None:
        await keep(alerts, an_alert(1, severity=Severity.WATCH), CHAT, now_ms=NOW_MS - 20)
        await keep(alerts, an_alert(2, severity=Severity.INFO), CHAT, now_ms=NOW_MS - 30)
        await keep(alerts, an_alert(3), CHAT)
        assert [int(item.alert_id, 16) for item in await claim(alerts, limit=2)] == [3, 2]
        assert [int(item.alert_id, 16) for item in await claim(alerts, limit=2)] == [1]

    async def test_held_chats_and_schemes_are_left_alone(self, alerts: SqlAlerts) -> None:
        await keep(alerts, an_alert(), "telegram:1", "telegram:12", "webhook", "redis")

        async def chats(*hold: str) -> list[str]:
            found = await claim(alerts, hold=hold)
            await alerts.release(found)
            return [item.chat for item in found]

        assert await chats("telegram:1") == ["redis", "telegram:12", "webhook"]
        assert await chats("telegram", "redis") == ["webhook"]

    async def test_released_is_as_before_the_claim(self, alerts: SqlAlerts) -> None:
        await keep(alerts, an_alert(), CHAT)
        before = await row(alerts)
        await alerts.release(await claim(alerts))
        assert await row(alerts) == before
        await alerts.release(await claim(alerts), at_ms=NOW_MS + 9)
        assert await row(alerts) == replace(before, next_try_ms=NOW_MS + 9)

    async def test_what_arrived_is_not_sent_again(self, alerts: SqlAlerts) -> None:
        await keep(alerts, an_alert(), CHAT)
        await alerts.sent(await claim(alerts), message_id="17", now_ms=NOW_MS)
        found = await row(alerts)
        assert (found.state, found.sent_revision, found.message_id) == (DeliveryState.SENT, 1, "17")
        await keep(alerts, an_alert(), CHAT)
        assert await claim(alerts, now_ms=NOW_MS + 10 * LEASE_MS) == []

    async def test_a_newer_revision_makes_it_due_as_an_edit(self, alerts: SqlAlerts) -> None:
        await keep(alerts, an_alert(), CHAT)
        await alerts.sent(await claim(alerts), message_id="17", now_ms=NOW_MS)
        await keep(alerts, an_alert(revision=2, usd=2e7), CHAT)
        (edit,) = await claim(alerts)
        assert (edit.revision, edit.sent_revision, edit.message_id) == (2, 1, "17")
        assert decode_alert(edit.body).usd == 2e7

    async def test_a_revision_that_comes_during_the_send_is_due_after_it(self, alerts: SqlAlerts) -> None:
        await keep(alerts, an_alert(), CHAT)
        sending = await claim(alerts)
        await keep(alerts, an_alert(revision=2), CHAT)
        assert await claim(alerts, "b") == []
        await alerts.sent(sending, message_id="17", now_ms=NOW_MS)
        (edit,) = await claim(alerts)
        assert (edit.revision, edit.sent_revision, edit.message_id) == (2, 1, "17")

    async def test_a_retry_waits_for_its_time_even_when_the_alert_grows(self, alerts: SqlAlerts) -> None:
        await keep(alerts, an_alert(), CHAT)
        await alerts.retry(await claim(alerts), at_ms=NOW_MS + 500, error="429", is_uncertain=False)
        await keep(alerts, an_alert(revision=2), CHAT)
        assert await claim(alerts, now_ms=NOW_MS + 499) == []
        (again,) = await claim(alerts, now_ms=NOW_MS + 500)
        assert (again.revision, again.attempts, again.repeats, again.last_error) == (2, 2, 0, "429")

    async def test_a_send_that_may_have_arrived_is_repeated_once_and_no_more(self, alerts: SqlAlerts) -> None:
        await keep(alerts, an_alert(), CHAT)
        await alerts.retry(await claim(alerts), at_ms=NOW_MS, error="timeout", is_uncertain=True)
        (again,) = await claim(alerts)
        assert again.repeats == 1
        await alerts.retry([again], at_ms=NOW_MS, error="timeout", is_uncertain=True)
        assert (await row(alerts)).state is DeliveryState.UNCERTAIN
        await keep(alerts, an_alert(revision=2), CHAT)
        assert await claim(alerts, now_ms=NOW_MS + 10 * LEASE_MS) == []

    async def test_an_edit_may_time_out_as_often_as_it_likes(self, alerts: SqlAlerts) -> None:
        await keep(alerts, an_alert(), CHAT)
        await alerts.sent(await claim(alerts), message_id="17", now_ms=NOW_MS)
        await keep(alerts, an_alert(revision=2), CHAT)
        for _ in range(3):
            await alerts.retry(await claim(alerts), at_ms=NOW_MS, error="timeout", is_uncertain=True)
        found = await row(alerts)
        assert (found.state, found.repeats) == (DeliveryState.PENDING, 0)

    async def test_what_a_killed_owner_held_comes_again_marked(self, alerts: SqlAlerts) -> None:
        await keep(alerts, an_alert(), CHAT)
        await claim(alerts, "dead")
        assert await claim(alerts, "b", NOW_MS + LEASE_MS - 1) == []
        (again,) = await claim(alerts, "b", NOW_MS + LEASE_MS)
        assert (again.repeats, again.attempts) == (1, 2)

    async def test_a_new_process_takes_over_at_once_from_those_known_to_be_dead(
        self, alerts: SqlAlerts
    ) -> None:
        await keep(alerts, an_alert(1), CHAT)
        await claim(alerts, "host-1:7")
        await keep(alerts, an_alert(2), CHAT)
        await claim(alerts, "host-2:7")
        assert await alerts.expire_leases(owner_prefix="host-1:", now_ms=NOW_MS) == 1
        assert [int(item.alert_id, 16) for item in await claim(alerts, "host-1:8")] == [1]
        assert await alerts.expire_leases(owner_prefix="", now_ms=NOW_MS) == 2

    async def test_given_up_stays_given_up(self, alerts: SqlAlerts) -> None:
        await keep(alerts, an_alert(), CHAT)
        await alerts.give_up(await claim(alerts), error="chat not found", now_ms=NOW_MS)
        await keep(alerts, an_alert(revision=2), CHAT)
        found = await row(alerts)
        assert (found.state, found.last_error) == (DeliveryState.FAILED, "chat not found")
        assert await claim(alerts, now_ms=NOW_MS + LEASE_MS) == []

    async def test_a_chat_that_is_gone_takes_its_waiting_rows_along(self, alerts: SqlAlerts) -> None:
        await keep(alerts, an_alert(1), CHAT)
        await alerts.sent(await claim(alerts), message_id="1", now_ms=NOW_MS)
        await keep(alerts, an_alert(2), CHAT, OTHER)
        assert await alerts.give_up_chat(CHAT, error="blocked", now_ms=NOW_MS) == 1
        states = [(await row(alerts, number)).state for number in (1, 2)]
        assert states == [DeliveryState.SENT, DeliveryState.FAILED]
        assert [item.chat for item in await claim(alerts)] == [OTHER]

    async def test_a_digest_is_one_message_of_many_alerts(self, alerts: SqlAlerts) -> None:
        for number in range(1, 6):
            await keep(alerts, an_alert(number), CHAT)
        claimed = await claim(alerts)
        await alerts.group(claimed, group="d1")
        await alerts.sent(claimed, message_id="9", now_ms=NOW_MS)
        await keep(alerts, an_alert(3, revision=2), CHAT)
        (edit,) = await claim(alerts)
        assert (edit.group, edit.message_id) == ("d1", "9")
        members = await alerts.members(CHAT, "d1", now_ms=NOW_MS)
        assert [int(item.alert_id, 16) for item in members] == [1, 2, 3, 4, 5]

    async def test_a_digest_that_did_not_arrive_is_open_to_others_one_that_may_have_is_not(
        self, alerts: SqlAlerts
    ) -> None:
        await keep(alerts, an_alert(), CHAT)
        claimed = await claim(alerts)
        await alerts.group(claimed, group="d1")
        await alerts.retry(claimed, at_ms=NOW_MS, error="503", is_uncertain=False)
        (again,) = await claim(alerts)
        assert again.group == ""
        await alerts.group([again], group="d2")
        await alerts.retry([again], at_ms=NOW_MS, error="timeout", is_uncertain=True)
        (again,) = await claim(alerts)
        await alerts.retry([again], at_ms=NOW_MS, error="503", is_uncertain=False)
        assert (await row(alerts)).group == "d2"

    async def test_a_late_mark_of_failure_does_not_undo_that_it_arrived(self, alerts: SqlAlerts) -> None:
        await keep(alerts, an_alert(), CHAT)
        claimed = await claim(alerts)
        await alerts.sent(claimed, message_id="1", now_ms=NOW_MS)
        await alerts.retry(claimed, at_ms=NOW_MS, error="timeout", is_uncertain=True)
        await alerts.give_up(claimed, error="x", now_ms=NOW_MS)
        assert await row(alerts) == replace(
            claimed[0], state=DeliveryState.SENT, sent_revision=1, message_id="1"
        )

    async def test_the_depth_counts_what_waits(self, alerts: SqlAlerts) -> None:
        assert await alerts.depth(NOW_MS) == OutboxDepth(0, 0, 0, 0, None)
        for number in range(1, 5):
            await keep(alerts, an_alert(number), CHAT, now_ms=NOW_MS - number)
        first, second, third, _ = sorted(await claim(alerts), key=lambda item: item.alert_id)
        await alerts.retry([first], at_ms=NOW_MS + 1, error="429", is_uncertain=False)
        await alerts.give_up([second], error="no such chat", now_ms=NOW_MS)
        await alerts.sent([third], message_id="1", now_ms=NOW_MS)
        await keep(alerts, an_alert(5), CHAT, now_ms=NOW_MS - 7)
        assert await alerts.depth(NOW_MS) == OutboxDepth(2, 1, 1, 0, NOW_MS - 7)


class TestGaps:
    async def test_gaps_are_kept_once_with_their_later_end(self, alerts: SqlAlerts) -> None:
        await alerts.add_gap(StreamGap("okx", T0_MS, T0_MS + 5, "drop"))
        await alerts.add_gap(StreamGap("okx", T0_MS, T0_MS + 50, "stall"))
        await alerts.add_gap(StreamGap("okx", T0_MS, T0_MS + 9, "drop"))
        await alerts.add_gap(StreamGap("coinglass", T0_MS - 100, T0_MS - 90, "drop"))
        stall = StreamGap("okx", T0_MS, T0_MS + 50, "stall")
        assert await alerts.gaps(T0_MS - 89) == [stall]
        assert await alerts.gaps(0) == [StreamGap("coinglass", T0_MS - 100, T0_MS - 90, "drop"), stall]


class TestTail:
    async def test_all_coins_since_then_oldest_first(self, store: SqlStore) -> None:
        times = {"BTC": (T0_MS - 1, T0_MS, T0_MS + 40), "1000PEPE": (T0_MS + 10,), "ETH": (NOW_MS + 1,)}
        rows = [
            liquidation(symbol=symbol, ts_event_ms=at_ms)
            for symbol, all_ms in times.items()
            for at_ms in all_ms
        ]
        store.market.put(rows)
        await store.market.flush()
        assert await store.tail.since(T0_MS) == [rows[1], rows[3], rows[2]]

    async def test_the_newest_win(self, store: SqlStore, clock: ManualClock) -> None:
        rows = [
            liquidation(symbol="BTC" if n % 2 else "ETH", ts_event_ms=T0_MS + n, nth=n) for n in range(20)
        ]
        store.market.put(rows)
        await store.market.flush()
        tail = SqlLiquidationTail(store._gate, now_ms=clock.now_ms, max_rows=7)
        assert await tail.since(0) == rows[-7:]

    async def test_an_empty_store_has_no_tail(self, store: SqlStore) -> None:
        assert await store.tail.since(0) == []
