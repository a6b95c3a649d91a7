"""The bot by polling, against the simulated Bot API over loopback."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import pytest

from app.core.chat_ports import BotState, Reply
from app.core.clock import ManualClock
from app.core.stream_ports import Message
from tests.bot_rig import CHAT, CHAT_ID, TOKEN, BotRig, Echo, bot_rig
from tests.chat_rig import MemoryStore, make_book, make_chat
from tests.live_rig import fault

FAULTY = {"ok": False, "error_code": 500, "description": "Internal Server Error"}


async def no_pace(_chat: str) -> None:
    """Nobody keeps the rate, so that the server has to."""


def answer(code: int, description: str, endpoint: str, **more: Any) -> dict[str, Any]:
    body = {"ok": False, "error_code": code, "description": description}
    value = {"status": code, "body": body, "headers": {"content-type": "application/json"}}
    return fault("telegram", "status", value, endpoint, **more)


async def test_a_command_is_answered_and_then_confirmed() -> None:
    talk = Echo()
    async with bot_rig(talk) as rig:
        await rig.write("/signal BTC")
        assert await rig.sent(1) == ["/signal BTC"]
        await rig.until(lambda: len(rig.sim.calls("telegram", "getUpdates")) >= 2)
        assert await rig.pending() == []
        assert rig.bot.status().state is BotState.LISTENING
    assert talk.heard == [(CHAT, "/signal BTC", False)]


async def test_an_update_is_confirmed_only_after_it_was_handled() -> None:
    talk = Echo(gate=asyncio.Event())
    async with bot_rig(talk) as rig:
        await rig.write("/status")
        await rig.until(lambda: bool(talk.heard))
        assert len(await rig.pending()) == 1
        assert talk.gate is not None
        talk.gate.set()
        await rig.sent(1)
        await rig.until(lambda: len(rig.sim.calls("telegram", "getUpdates")) >= 3)
        assert await rig.pending() == []


async def test_foreign_chats_get_nothing_neither_to_commands_nor_to_buttons() -> None:
    chat = make_chat(make_book(MemoryStore()), ManualClock())
    async with bot_rig(chat) as rig:
        await rig.write("/start", 666)
        await rig.write("/mute BTC", 666, username="channel", type="private")
        await rig.press("mute:BTC:1", 666)
        await rig.push({"callback_query": {"id": "5", "data": "mute:BTC:1"}})
        await rig.write("/mute ETH")
        assert await rig.sent(1) == ["<b>ETH</b> is muted for 1 h."]
        assert (await rig.server())["notices"] == []
        assert rig.bot.status().foreign == 3
        listed = (await chat.answer(CHAT, "/list")).messages[0].plain
    assert "ETH muted" in listed
    assert "BTC muted" not in listed


async def test_a_pressed_button_is_acknowledged_and_answered() -> None:
    chat = make_chat(make_book(MemoryStore()), ManualClock())
    async with bot_rig(chat) as rig:
        await rig.press("mute:BTC:1")
        await rig.sent(1)
        (notice,) = (await rig.server())["notices"]
    assert (notice["callback_query_id"], notice["text"]) == ("77", "BTC is muted for 1 h.")


async def test_commands_for_another_bot_and_plain_talk_are_left_alone() -> None:
    talk = Echo()
    async with bot_rig(talk) as rig:
        for text in ("hello", "/signal@other_bot BTC", "/signal@Simulated_Bot BTC", "/last"):
            await rig.write(text)
        await rig.sent(2)
    assert [text for _, text, _ in talk.heard] == ["/signal BTC", "/last"]


async def test_a_channel_may_be_configured_by_its_name() -> None:
    talk = Echo()
    async with bot_rig(talk) as rig:
        chat = {"id": -100555, "username": "channel", "type": "channel"}
        await rig.push({"channel_post": {"chat": chat, "text": "/fear"}})
        await rig.sent(1)
    assert talk.heard == [("telegram:@channel", "/fear", False)]


UNREADABLE: list[dict[str, Any]] = [
    {},
    {"message": "x"},
    {"message": {"text": "/a"}},
    {"message": {"chat": {"id": "x"}, "text": "/a"}},
    {"message": {"chat": {"id": CHAT_ID}, "text": 5}},
    {"callback_query": {"id": 5, "message": {"chat": {"id": CHAT_ID}}, "data": "x"}},
    {"callback_query": []},
    {"poll": {"id": "1"}},
]


async def test_updates_that_cannot_be_read_are_stepped_over() -> None:
    talk = Echo()
    async with bot_rig(talk) as rig:
        for update in UNREADABLE:
            await rig.push(update)
        await rig.write("/after")
        assert await rig.sent(1) == ["/after"]


async def test_a_bug_in_one_answer_costs_that_answer_only(caplog: pytest.LogCaptureFixture) -> None:
    def say(text: str) -> Reply:
        if text == "/bug":
            raise ZeroDivisionError
        return Reply((Message(text, text),))

    async with bot_rig(Echo(say=say)) as rig:
        await rig.write("/bug", 42)
        await rig.write("/fine")
        await rig.sent(1)
        await rig.write("/next", 42)
        assert sorted(await rig.sent(2)) == ["/fine", "/next"]
        assert rig.bot.status().failed == 1
    assert "an update was not handled" in caplog.text


async def test_answers_keep_a_message_a_second_and_chat() -> None:
    async with bot_rig(Echo()) as rig:
        for number in range(4):
            await rig.write(f"/n{number}")
        assert await rig.sent(4) == ["/n0", "/n1", "/n2", "/n3"]
        sent = rig.sim.calls("telegram", "sendMessage")
        assert [call["status"] for call in sent] == [200] * 4


async def test_too_many_requests_waits_as_long_as_the_server_says() -> None:
    async with bot_rig(Echo(), pace=no_pace) as rig:
        await rig.write("/one")
        await rig.write("/two")
        assert await rig.sent(2) == ["/one", "/two"]
        assert 1.0 in rig.slept
        assert [call["status"] for call in rig.sim.calls("telegram", "sendMessage")] == [200, 429, 200]


async def test_markup_that_is_refused_is_sent_again_as_plain_text() -> None:
    async with bot_rig(Echo(say=lambda _: Reply((Message("<b>5 < 6", "5 < 6"),)))) as rig:
        await rig.write("/x")
        assert await rig.sent(1) == ["5 < 6"]


async def test_buttons_that_are_refused_do_not_cost_the_answer() -> None:
    made = Message("text", "text", ((("too long", "x" * 65),),))
    async with bot_rig(Echo(say=lambda _: Reply((made,)))) as rig:
        await rig.write("/x")
        assert await rig.sent(1) == ["text"]


async def test_a_picture_is_sent_with_its_caption_and_buttons() -> None:
    made = Message(
        "<b>map</b>", "map", ((("Why", "/why BTC"), ("Open", "https://x.example")),), b"\x89PNG\r\n"
    )
    async with bot_rig(Echo(say=lambda _: Reply((made,)))) as rig:
        await rig.write("/heatmap BTC")
        assert await rig.sent(1) == ["<b>map</b>"]
        (message,) = (await rig.client.get("/__sim__/telegram/messages")).json()["messages"]
    keyboard = message["reply_markup"]["inline_keyboard"]
    assert keyboard == [
        [{"text": "Why", "callback_data": "/why BTC"}, {"text": "Open", "url": "https://x.example"}]
    ]
    assert message["photo"]


async def test_a_chat_that_threw_the_bot_out_is_told_to_the_conversation() -> None:
    talk = Echo()
    async with bot_rig(talk) as rig:
        rig.sim.break_with(answer(403, "Forbidden: bot was blocked by the user", "sendMessage"))
        await rig.write("/x")
        await rig.until(lambda: bool(talk.gone))
    assert talk.gone == [CHAT]


async def test_a_chat_that_writes_too_fast_is_answered_twenty_times_a_minute() -> None:
    async with bot_rig(Echo()) as rig:
        for number in range(22):
            await rig.write(f"/n{number}", 42)
        await rig.until(lambda: rig.bot.status().answers + rig.bot.status().flooded == 22)
        assert rig.bot.status().flooded == 2
        before = rig.bot.status().answers
        rig.clock.advance(61_000)
        await rig.write("/later", 42)
        assert (await rig.sent(before + 1))[-1] == "/later"


async def test_the_menu_is_shown_in_both_languages() -> None:
    async with bot_rig(Echo()) as rig:
        await rig.until(lambda: rig.bot.status().state is BotState.LISTENING)
        shown = (await rig.server())["menus"]
    assert set(shown) == {"", "en", "id"}
    assert shown["id"][0] == {"command": "signal", "description": "Sinyal satu koin"}


async def test_a_menu_that_is_refused_does_not_stop_the_bot() -> None:
    async with bot_rig(Echo(), starts=False) as rig:
        rig.sim.break_with(answer(400, "Bad Request: BOT_COMMAND_INVALID", "setMyCommands"))
        rig.start()
        await rig.write("/x")
        assert await rig.sent(1) == ["/x"]


async def test_a_webhook_from_before_is_taken_away() -> None:
    async with bot_rig(Echo(), starts=False) as rig:
        await rig.method("setWebhook", url="https://old.example/hook")
        rig.start()
        await rig.write("/x")
        assert await rig.sent(1) == ["/x"]
        assert (await rig.server())["webhook"] is None


async def test_another_reader_is_a_state_with_a_growing_pause_and_passes() -> None:
    async with bot_rig(Echo()) as rig:
        await rig.until(lambda: rig.bot.status().state is BotState.LISTENING)
        await rig.method("setWebhook", url="https://other.example/hook")
        await rig.write("/wake")
        await rig.until(lambda: rig.bot.status().state is BotState.CONFLICT)
        assert "Conflict" in rig.bot.status().detail
        await rig.until(lambda: len(rig.slept) >= 3)
        assert min(rig.slept) >= 2.5
        await rig.method("deleteWebhook")
        await rig.until(lambda: rig.bot.status().state is BotState.LISTENING)
        assert rig.bot.status().detail == ""


async def test_a_server_that_is_ill_is_asked_again_until_it_is_well() -> None:
    async with bot_rig(Echo(), starts=False) as rig:
        rig.sim.break_with(
            answer(500, "Internal Server Error", "getMe", count=2),
            answer(502, "Bad Gateway", "getUpdates", count=2),
            fault("telegram", "garbage", 50, "getUpdates", count=1),
        )
        rig.start()
        await rig.write("/x")
        assert await rig.sent(1) == ["/x"]
        assert len(rig.slept) >= 4


async def test_a_refused_token_ends_the_bot_and_is_nowhere_to_be_read(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    async with bot_rig(Echo(), token="bad-key") as rig:
        assert rig.task is not None
        await asyncio.wait_for(rig.task, 30)
        assert rig.bot.status().state is BotState.REFUSED
        assert rig.slept == []
    ours = [record.getMessage() for record in caplog.records if record.name.startswith("app.")]
    assert "bad-key" not in " ".join(ours) + rig.bot.status().detail


async def test_the_token_is_in_no_log_of_ours_whatever_fails(caplog: pytest.LogCaptureFixture) -> None:
    async with bot_rig(Echo(), starts=False) as rig:
        rig.sim.break_with(fault("telegram", "drop", 0.5, "*"))
        rig.start()
        await rig.until(lambda: len(rig.slept) >= 2)
        assert rig.bot.status().state is BotState.DOWN
        assert TOKEN not in rig.bot.status().detail
    ours = [
        f"{record.getMessage()} {record.__dict__}"
        for record in caplog.records
        if record.name.startswith("app.")
    ]
    assert ours
    assert TOKEN not in " ".join(ours)


async def stopped(rig: BotRig) -> None:
    async with asyncio.timeout(30):
        await rig.stop()


async def test_a_stop_does_not_wait_for_the_long_poll() -> None:
    async with bot_rig(Echo(), poll_s=50) as rig:
        await rig.until(
            lambda: (
                rig.bot.status().state is BotState.LISTENING or bool(rig.sim.calls("telegram", "getUpdates"))
            )
        )
        await stopped(rig)
        assert rig.task is not None
        assert rig.task.cancelled()


async def test_a_stop_lets_an_answer_under_way_be_sent() -> None:
    talk = Echo(gate=asyncio.Event())
    async with bot_rig(talk) as rig:
        await rig.write("/x")
        await rig.until(lambda: bool(talk.heard))
        stopping = asyncio.create_task(stopped(rig))
        await asyncio.sleep(0)
        assert talk.gate is not None
        talk.gate.set()
        await stopping
        assert await rig.texts() == ["/x"]


async def test_a_bot_that_was_stopped_can_be_started_again() -> None:
    async with bot_rig(Echo()) as rig:
        await rig.write("/one")
        await rig.sent(1)
        await stopped(rig)
        rig.start()
        await rig.write("/two")
        assert await rig.sent(2) == ["/one", "/two"]
