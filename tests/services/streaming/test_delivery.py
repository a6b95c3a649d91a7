"""The delivery over a real outbox: who gets what, in how many messages, and what every answer leads to."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import update

from app.core.domain.alerts import Delivery, DeliveryState, Language, Severity
from app.core.errors import (
    DeliveryAuthFailed,
    DeliveryForbidden,
    DeliveryMoved,
    DeliveryRateLimited,
    DeliveryRejected,
    DeliveryUnavailable,
    DeliveryUncertain,
    StorageUnavailable,
)
from app.core.stream_ports import Message
from app.services.storage.alerts import SqlAlerts
from app.services.storage.tables import outbox
from app.services.streaming.alert_context import alert_names
from app.services.streaming.courier import EXPIRED_MS, STALE_MS, pause_s
from app.services.streaming.delivery_status import Outcome
from tests.delivery_facts import an_alert
from tests.delivery_rig import CHAT, OTHER, DeliveryRig, delivery_rig, digest_size, turn

SENT, PENDING, FAILED = DeliveryState.SENT, DeliveryState.PENDING, DeliveryState.FAILED
REPEAT = "Repeat:"


@pytest.fixture
async def rig(tmp_path: Path) -> AsyncIterator[DeliveryRig]:
    async with delivery_rig(tmp_path) as made:
        yield made


class TestWhatGoesOut:
    async def test_an_alert_goes_to_each_of_its_chats_and_is_marked(self, rig: DeliveryRig) -> None:
        await rig.keep(an_alert(), chats=(CHAT, OTHER, "webhook"))
        await turn(rig.service())
        assert {call.chat for call in rig.telegram.calls} == {CHAT, OTHER}
        assert [call.chat for call in rig.webhook.calls] == ["webhook"]
        assert await rig.states() == [SENT, SENT, SENT]
        assert REPEAT not in "".join(rig.telegram.texts)
        assert ("Open dashboard", "https://dash.example/coin/BTC") in rig.telegram.calls[0].message.buttons[
            -1
        ]

    async def test_nothing_is_sent_twice(self, rig: DeliveryRig) -> None:
        await rig.keep(an_alert())
        service = rig.service()
        for _ in range(3):
            await turn(service)
            rig.clock.tick(100)
        assert len(rig.telegram.calls) == 1

    async def test_three_that_wait_are_three_messages_a_second_apart_urgent_first(
        self, rig: DeliveryRig
    ) -> None:
        await rig.keep(an_alert(1, severity=Severity.INFO), an_alert(2), an_alert(3, severity=Severity.WATCH))
        service = rig.service()
        for _ in range(3):
            await turn(service)
            await turn(service)
            rig.clock.tick(1.06)
        numbers = [int(call.delivery.alert_id, 16) for call in rig.telegram.calls]
        assert (numbers[0], sorted(numbers)) == (2, [1, 2, 3])
        assert [call.message.is_silent for call in rig.telegram.calls].count(True) == 1
        gaps = [b.at_s - a.at_s for a, b in zip(rig.telegram.calls, rig.telegram.calls[1:], strict=False)]
        assert all(gap > 1 for gap in gaps)

    async def test_a_storm_over_many_coins_is_one_digest_per_chat(self, rig: DeliveryRig) -> None:
        await rig.keep(*(an_alert(n, symbol=f"C{n}") for n in range(1, 101)), chats=(CHAT, OTHER))
        service = rig.service()
        for _ in range(3):
            await turn(service)
            rig.clock.tick(2)
        assert sorted(call.chat for call in rig.telegram.calls) == [CHAT, OTHER]
        assert [digest_size(text) for text in rig.telegram.texts] == [100, 100]
        rows = await rig.rows()
        assert {row.state for row in rows.values()} == {SENT}
        assert len({(row.chat, row.group, row.message_id) for row in rows.values()}) == 2
        assert service.status().digests == 2

    async def test_an_alert_that_grows_edits_its_message(self, rig: DeliveryRig) -> None:
        service = rig.service()
        await rig.keep(an_alert())
        await turn(service)
        await rig.keep(an_alert(revision=2, usd=1.8e7))
        rig.clock.tick(4)
        await turn(service)
        first, edit = rig.telegram.calls
        assert (edit.is_edit, edit.delivery.message_id) == (True, "1")
        assert "$18" in edit.message.plain
        assert (await rig.rows())[1, CHAT].sent_revision == 2
        assert first.message != edit.message

    async def test_edits_come_seconds_apart_and_show_the_newest_size(self, rig: DeliveryRig) -> None:
        service = rig.service()
        await rig.keep(an_alert())
        await turn(service)
        for revision in range(2, 12):
            await rig.keep(an_alert(revision=revision, usd=1e7 * revision))
            rig.clock.tick(1.1)
            await turn(service)
        rig.clock.tick(3.1)
        await turn(service)
        edits = [call for call in rig.telegram.calls if call.is_edit]
        assert len(edits) <= 5
        assert edits[-1].delivery.revision == 11
        assert (await rig.rows())[1, CHAT].attempts == 1 + len(edits)

    async def test_an_alert_of_a_digest_that_grows_edits_the_digest(self, rig: DeliveryRig) -> None:
        service = rig.service()
        await rig.keep(*(an_alert(n, symbol=f"C{n}") for n in range(1, 6)))
        await turn(service)
        rig.clock.tick(4)
        await rig.keep(an_alert(3, symbol="C3", revision=2, usd=3.3e7))
        await turn(service)
        digest, edit = rig.telegram.calls
        assert not digest.is_edit
        assert edit.is_edit
        assert "$33" in edit.message.plain
        assert all(f"C{n}:" in edit.message.plain for n in range(1, 6))

    async def test_new_alerts_go_before_edits_but_not_for_ever(self, rig: DeliveryRig) -> None:
        service = rig.service()
        await rig.keep(an_alert(1))
        await turn(service)
        rig.clock.tick(4)
        await rig.keep(an_alert(1, revision=2))
        for number in range(2, 14):
            await rig.keep(an_alert(number))
            await turn(service)
            rig.clock.tick(1.1)
        kinds = [call.is_edit for call in rig.telegram.calls]
        assert kinds[1] is False
        assert True in kinds

    async def test_what_is_hours_old_comes_as_a_digest(self, rig: DeliveryRig) -> None:
        await rig.keep(an_alert(1), an_alert(2))
        rig.clock.tick(STALE_MS / 1000)
        await rig.keep(an_alert(3, ts_init_ms=rig.clock.now_ms(), ts_event_ms=rig.clock.now_ms()))
        service = rig.service()
        await turn(service)
        rig.clock.tick(1.1)
        await turn(service)
        assert [digest_size(text) for text in rig.telegram.texts] == [2, 0]

    async def test_the_language_of_the_chat_is_spoken(self, rig: DeliveryRig) -> None:
        await rig.chats.change(CHAT, lambda settings: replace(settings, language=Language.ID))
        await rig.keep(an_alert())
        await turn(rig.service())
        assert "bukan nasihat" in rig.telegram.texts[0]

    async def test_other_systems_get_every_alert_alone_and_in_order(self, rig: DeliveryRig) -> None:
        await rig.keep(*(an_alert(number) for number in range(1, 31)), chats=("webhook",))
        await turn(rig.service())
        assert [int(call.delivery.alert_id, 16) for call in rig.webhook.calls] == list(range(1, 31))

    async def test_what_another_system_did_not_take_for_a_day_is_given_up(self, rig: DeliveryRig) -> None:
        await rig.keep(an_alert(1), chats=("webhook",))
        rig.clock.tick(EXPIRED_MS / 1000)
        await turn(rig.service())
        assert (rig.webhook.calls, await rig.states()) == ([], [FAILED])

    async def test_a_group_takes_twenty_a_minute(self, rig: DeliveryRig) -> None:
        service = rig.service()
        for number in range(1, 58):
            await rig.keep(an_alert(number))
            await turn(service)
            rig.clock.tick(1.06)
        assert len(rig.telegram.calls) == 20
        assert service.status().chats[CHAT].wait_s < 1
        rig.clock.tick(1)
        await turn(service)
        assert digest_size(rig.telegram.texts[-1]) == 37

    async def test_a_notice_goes_beside_the_outbox(self, rig: DeliveryRig) -> None:
        service = rig.service()
        rig.telegram.script = [DeliveryUnavailable(CHAT, "503")]
        service.notify(CHAT, Message(html="<b>back</b>", plain="back"))
        for _ in range(3):
            await turn(service)
            rig.clock.tick(2)
        assert rig.telegram.texts == ["back", "back"]


class TestWhatAnswersMean:
    async def test_a_flood_holds_the_whole_bot_for_as_long_as_it_says(self, rig: DeliveryRig) -> None:
        service = rig.service()
        rig.telegram.script = [DeliveryRateLimited(CHAT, "429", retry_after_s=35)]
        await rig.keep(an_alert(1))
        await turn(service)
        await rig.keep(an_alert(2), chats=(OTHER,))
        rig.clock.tick(34.9)
        await turn(service)
        assert len(rig.telegram.calls) == 1
        rig.clock.tick(0.2)
        await turn(service)
        assert await rig.states() == [SENT, SENT]
        assert REPEAT not in "".join(rig.telegram.texts)

    async def test_a_server_that_is_down_is_asked_ever_more_rarely_and_never_given_up(
        self, rig: DeliveryRig
    ) -> None:
        service = rig.service()
        rig.telegram.script = [DeliveryUnavailable(CHAT, "503") for _ in range(8)]
        await rig.keep(an_alert(ts_init_ms=rig.clock.now_ms()))
        for _ in range(300):
            await turn(service)
            if await rig.states() == [SENT]:
                break
            rig.clock.tick(1)
        # The first pause of one second ends within the second that a chat needs anyway.
        gaps = [b.at_s - a.at_s for a, b in zip(rig.telegram.calls, rig.telegram.calls[1:], strict=False)]
        assert [round(gap) for gap in gaps] == [2, 2, 4, 8, 16, 32, 60, 60]
        assert REPEAT not in "".join(rig.telegram.texts)
        assert service.status().tries[Outcome.LATER] == 8

    @pytest.mark.parametrize(("failures", "expected"), [(1, 1), (2, 2), (6, 32), (7, 60), (5_000, 60)])
    def test_pauses_double_up_to_a_minute(self, failures: int, expected: float) -> None:
        assert pause_s(failures) == expected

    async def test_no_answer_leads_to_one_repeat_that_says_so(self, rig: DeliveryRig) -> None:
        service = rig.service()
        rig.telegram.script = [DeliveryUncertain(CHAT, "no answer")] * 2
        await rig.keep(an_alert())
        for _ in range(5):
            await turn(service)
            rig.clock.tick(61)
        assert [REPEAT in text for text in rig.telegram.texts] == [False, True]
        assert await rig.states() == [DeliveryState.UNCERTAIN]
        status = service.status()
        assert (status.repeats, status.tries[Outcome.UNCERTAIN]) == (1, 2)
        assert status.depth is not None
        assert status.depth.uncertain == 1

    async def test_a_digest_that_may_have_arrived_is_repeated_as_the_same_digest(
        self, rig: DeliveryRig
    ) -> None:
        service = rig.service()
        rig.telegram.script = [DeliveryUncertain(CHAT, "no answer")]
        await rig.keep(*(an_alert(n, symbol=f"C{n}") for n in range(1, 6)))
        await turn(service)
        await rig.keep(an_alert(9))
        for _ in range(3):
            rig.clock.tick(2)
            await turn(service)
        assert [digest_size(text) for text in rig.telegram.texts] == [5, 0, 5]
        assert [REPEAT in text for text in rig.telegram.texts] == [False, False, True]

    async def test_what_is_refused_is_given_up_with_its_reason(self, rig: DeliveryRig) -> None:
        rig.telegram.script = [DeliveryRejected(CHAT, "chat not found")]
        await rig.keep(an_alert(1), an_alert(2))
        service = rig.service()
        await turn(service)
        rig.clock.tick(1.1)
        await turn(service)
        assert await rig.states() == [FAILED, SENT]
        assert (await rig.rows())[1, CHAT].last_error == "chat not found"
        assert service.status().last_error == f"{CHAT}: chat not found"

    async def test_lines_about_a_message_name_its_alert_and_those_after_it_none(
        self, rig: DeliveryRig, caplog: pytest.LogCaptureFixture
    ) -> None:
        named: list[dict[str, str]] = []

        async def look() -> None:
            named.append(dict(alert_names()))

        rig.telegram.script = [look, DeliveryRejected(CHAT, "chat not found")]
        first, second = an_alert(1), an_alert(2)
        service = rig.service()
        for alert in (first, second):
            await rig.keep(alert)
            rig.clock.tick(2)
            await turn(service)
        assert named == [{"alertId": first.id}]
        assert alert_names() == {}
        (line,) = [record for record in caplog.records if record.message == "a message was given up"]
        assert line.__dict__["alertId"] == second.id

    async def test_what_was_sent_is_a_line_with_its_id_and_its_wait_and_without_the_chat(
        self, rig: DeliveryRig, caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level("INFO", logger="app.services.streaming.courier")
        alert = an_alert()
        await rig.keep(alert)
        rig.clock.tick(2)
        await turn(rig.service())
        (line,) = [vars(record) for record in caplog.records if record.message == "an alert is sent"]
        assert (line["alertId"], line["alerts"], line["scheme"]) == (alert.id, 1, "telegram")
        assert (line["waitMs"], line["isEdit"]) == (rig.clock.now_ms() - alert.ts_init_ms, False)
        assert CHAT not in str(line)

    async def test_an_edit_that_is_refused_leaves_the_message_as_it_is(self, rig: DeliveryRig) -> None:
        service = rig.service()
        await rig.keep(an_alert())
        await turn(service)
        await rig.keep(an_alert(revision=2))
        rig.telegram.script = [DeliveryRejected(CHAT, "message to edit not found")]
        rig.clock.tick(4)
        await turn(service)
        row = (await rig.rows())[1, CHAT]
        assert (row.state, row.sent_revision, row.message_id) == (SENT, 2, "1")
        assert service.status().tries[Outcome.EDIT_REFUSED] == 1

    async def test_a_chat_that_throws_the_bot_out_is_closed_for_good(self, rig: DeliveryRig) -> None:
        service = rig.service()
        rig.telegram.script = [DeliveryForbidden(CHAT, "blocked by the user")]
        await rig.keep(an_alert(1), an_alert(2), chats=(CHAT, OTHER))
        await turn(service)
        rig.clock.tick(1.1)
        await turn(service)
        rows = await rig.rows()
        (closed,) = [settings.chat for settings in rig.chats.all() if settings.is_disabled]
        assert [rows[number, closed].state for number in (1, 2)] == [FAILED, FAILED]
        assert '"isDisabled":true' in str(await rig.store.state.chat_settings(closed))
        assert sum(row.state is SENT for row in rows.values()) == 2

    async def test_a_chat_that_moved_is_found_at_its_new_id_also_after_a_restart(
        self, rig: DeliveryRig
    ) -> None:
        rig.telegram.script = [DeliveryMoved(CHAT, "telegram:-100200")]
        await rig.keep(an_alert(1))
        service = rig.service()
        await turn(service)
        rig.clock.tick(1.1)
        await turn(service)
        await rig.keep(an_alert(2))
        rig.clock.tick(1.1)
        await turn(rig.service(owner="w2"))
        assert [call.chat for call in rig.telegram.calls] == [CHAT, "telegram:-100200", "telegram:-100200"]
        assert await rig.states() == [SENT, SENT]
        assert REPEAT not in "".join(rig.telegram.texts)

    async def test_refused_credentials_stop_the_bot_and_nothing_else(self, rig: DeliveryRig) -> None:
        service = rig.service()
        rig.telegram.script = [DeliveryAuthFailed(CHAT, "Unauthorized")]
        await rig.keep(an_alert(1), chats=(CHAT, "webhook"))
        for _ in range(3):
            await turn(service)
            rig.clock.tick(1_000)
        assert len(rig.telegram.calls) == len(rig.webhook.calls) == 1
        rows = await rig.rows()
        assert (rows[1, CHAT].state, rows[1, "webhook"].state) == (PENDING, SENT)
        assert service.status().stopped == {"telegram": "Unauthorized"}
        await turn(rig.service(owner="w2"))
        assert await rig.states() == [SENT, SENT]

    async def test_a_destination_that_is_not_configured_waits_in_the_outbox(self, rig: DeliveryRig) -> None:
        await rig.keep(an_alert(1), chats=(CHAT, "webhook"))
        service = rig.service(senders={"telegram": rig.telegram})
        for _ in range(3):
            await turn(service)
        rows = await rig.rows()
        assert (rows[1, CHAT].state, rows[1, "webhook"].state) == (SENT, PENDING)
        assert rows[1, "webhook"].attempts == 0

    async def test_a_webhook_that_fails_keeps_the_order_of_what_waits(self, rig: DeliveryRig) -> None:
        rig.webhook.script = [None, DeliveryUnavailable("webhook", "503")]
        await rig.keep(*(an_alert(number) for number in range(1, 5)), chats=("webhook",))
        service = rig.service()
        await turn(service)
        rig.clock.tick(1.1)
        await turn(service)
        assert sorted(int(call.delivery.alert_id, 16) for call in rig.webhook.calls) == [1, 2, 2, 3, 4]
        assert set(await rig.states()) == {SENT}

    async def test_what_cannot_be_read_is_given_up_and_the_rest_goes_out(self, rig: DeliveryRig) -> None:
        await rig.keep(*(an_alert(n) for n in range(1, 6)))
        async with rig.alerts._engine.begin() as connection:
            await connection.execute(
                update(outbox).where(outbox.c.alert_id == an_alert(2).id).values(body="{")
            )
        await turn(rig.service())
        states = {number: row.state for (number, _), row in (await rig.rows()).items()}
        assert states == {1: SENT, 2: FAILED, 3: SENT, 4: SENT, 5: SENT}
        assert digest_size(rig.telegram.texts[0]) == 4

    async def test_every_try_is_told_to_the_metrics(self, rig: DeliveryRig) -> None:
        rig.telegram.script = [DeliveryUnavailable(CHAT, "503")]
        await rig.keep(an_alert())
        service = rig.service()
        await turn(service)
        rig.clock.tick(1.1)
        await turn(service)
        told = [(record.scheme, record.outcome, record.alerts, record.is_repeat) for record in rig.records]
        assert told == [("telegram", Outcome.LATER, 1, False), ("telegram", Outcome.SENT, 1, False)]
        assert rig.records[1].wait_s == pytest.approx(1.9)


class _Flaky(SqlAlerts):
    """Marks fail `failures` times, as when the database goes away after a send."""

    failures = 0

    async def sent(self, deliveries: Sequence[Delivery], **more: Any) -> None:
        if self.failures:
            self.failures -= 1
            raise StorageUnavailable("no answer in time")
        await super().sent(deliveries, **more)


class TestLife:
    async def test_what_was_sent_is_marked_as_soon_as_the_database_is_back(self, rig: DeliveryRig) -> None:
        flaky = _Flaky(rig.alerts._engine, now_ms=rig.clock.now_ms)
        flaky.failures = 3
        await rig.keep(an_alert())
        service = rig.service(outbox=flaky)
        for _ in range(2):
            await turn(service)
        assert (len(rig.telegram.calls), await rig.states()) == (1, [SENT])

    async def test_an_outbox_that_cannot_be_read_is_said_so(self, rig: DeliveryRig) -> None:
        class Down(SqlAlerts):
            async def claim(self, **more: Any) -> Sequence[Delivery]:
                raise StorageUnavailable("its disk is full")

        down = Down(rig.alerts._engine, now_ms=rig.clock.now_ms)
        service = rig.service(outbox=down)
        await turn(service)
        assert service.status().trouble == "its disk is full"

    async def test_a_stop_finishes_what_is_being_sent(self, rig: DeliveryRig) -> None:
        started, may_end = asyncio.Event(), asyncio.Event()

        async def slow() -> None:
            started.set()
            await may_end.wait()

        rig.telegram.script = [slow]
        await rig.keep(an_alert())
        running = asyncio.create_task(rig.service().run())
        await started.wait()
        running.cancel()
        await asyncio.sleep(0)
        assert not running.done()
        may_end.set()
        with pytest.raises(asyncio.CancelledError):
            await running
        assert await rig.states() == [SENT]

    async def test_it_wakes_for_what_was_just_stored(self, rig: DeliveryRig) -> None:
        sent = asyncio.Event()

        async def note() -> None:
            sent.set()

        rig.telegram.script = [note]
        service = rig.service()
        running = asyncio.create_task(service.run())
        await asyncio.sleep(0)
        await rig.keep(an_alert())
        service.wake()
        async with asyncio.timeout(30):
            await sent.wait()
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        assert await rig.states() == [SENT]

    async def test_after_a_kill_the_next_process_repeats_at_once_and_says_so(self, rig: DeliveryRig) -> None:
        await killed_in_send(rig, rig.service)
        await turn(rig.service(owner="w2", takes_over=""))
        assert [REPEAT in text for text in rig.telegram.texts] == [False, True]
        assert await rig.states() == [SENT]

    async def test_a_bug_in_a_turn_is_loud(self, rig: DeliveryRig) -> None:
        async def bug() -> None:
            raise ZeroDivisionError

        rig.telegram.script = [bug]
        await rig.keep(an_alert())
        with pytest.raises(ZeroDivisionError):
            await rig.service().run()

    async def test_a_bug_is_told_once_and_the_next_run_sends_again(self, rig: DeliveryRig) -> None:
        async def bug() -> None:
            raise ZeroDivisionError

        sent = asyncio.Event()

        async def note() -> None:
            sent.set()

        rig.telegram.script = [bug, note]
        await rig.keep(an_alert())
        service = rig.service()
        with pytest.raises(ZeroDivisionError):
            await service.run()
        running = asyncio.create_task(service.run())
        for _ in range(100):
            await asyncio.sleep(0)
        assert not running.done()
        await rig.keep(an_alert(2), chats=(OTHER,))
        service.wake()
        async with asyncio.timeout(30):
            await sent.wait()
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)

    async def test_what_a_bug_fails_on_is_tried_twice_and_no_more(self, rig: DeliveryRig) -> None:
        async def bug() -> None:
            raise TypeError

        rig.telegram.script = [bug] * 5
        await rig.keep(an_alert())
        for _ in range(5):
            with suppress(TypeError):
                await turn(rig.service())
            rig.clock.tick(61)
        assert len(rig.telegram.calls) == 2
        assert await rig.states() == [DeliveryState.UNCERTAIN]

    async def test_an_edit_that_a_bug_fails_on_leaves_the_message_as_it_is(self, rig: DeliveryRig) -> None:
        async def bug() -> None:
            raise TypeError

        rig.telegram.script = [None, bug, bug]
        await rig.keep(an_alert())
        await turn(rig.service())
        await rig.keep(an_alert(revision=2, usd=1.8e7))
        for _ in range(3):
            rig.clock.tick(61)
            with suppress(TypeError):
                await turn(rig.service())
        assert len(rig.telegram.calls) == 2
        assert await rig.states() == [SENT]

    async def test_two_processes_share_an_outbox(self, rig: DeliveryRig) -> None:
        await rig.keep(*(an_alert(n) for n in range(1, 21)), chats=("webhook",))
        await asyncio.gather(turn(rig.service(owner="w1")), turn(rig.service(owner="w2")))
        numbers = [int(call.delivery.alert_id, 16) for call in rig.webhook.calls]
        assert sorted(numbers) == list(range(1, 21))


async def killed_in_send(rig: DeliveryRig, service: Callable[[], Any]) -> None:
    """The process dies while the message is on its way: nobody marks it."""
    hanging = asyncio.Event()

    async def hang() -> None:
        hanging.set()
        await asyncio.Event().wait()

    rig.telegram.script = [hang]
    await rig.keep(an_alert())
    dying = service()
    await dying._round()
    await hanging.wait()
    turns = list(dying._turns.values())
    for task in turns:
        task.cancel()
    await asyncio.gather(*turns, return_exceptions=True)


async def test_the_row_of_a_killed_send_stays_taken_until_somebody_takes_over(rig: DeliveryRig) -> None:
    await killed_in_send(rig, rig.service)
    await turn(rig.service(owner="w2"))
    assert len(rig.telegram.calls) == 1
    rig.clock.tick(30)
    await turn(rig.service(owner="w2"))
    assert len(rig.telegram.calls) == 2
    assert replace((await rig.rows())[1, CHAT], body="").repeats == 1
