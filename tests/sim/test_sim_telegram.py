"""The simulated Telegram Bot API: what it keeps, what it refuses, how fast it may be written to."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx2
import pytest

from app.sim.telegram_text import entity_error, visible_length

BOT = "/telegram/bot1:secret"


async def send(sim: Any, chat: int = 5, text: str = "hello", **fields: Any) -> Any:
    return await sim.client.post(f"{BOT}/sendMessage", json={"chat_id": chat, "text": text, **fields})


async def test_messages_are_kept_and_listed(sim: Any) -> None:
    sent = (await send(sim, text="long <b>BTC</b>", parse_mode="HTML")).json()["result"]
    listed = (await sim.get("/__sim__/telegram/messages")).json()
    assert listed == {"messages": [sent], "total": 1}
    assert sent["chat"] == {"id": 5, "first_name": "simulated", "type": "private"}


async def test_form_bodies_are_accepted_too(sim: Any) -> None:
    answer = await sim.client.post(f"{BOT}/sendMessage", data={"chat_id": "-100", "text": "x"})
    assert answer.json()["result"]["chat"]["type"] == "supergroup"


async def test_second_message_to_a_chat_within_a_second_is_429_with_retry_after(sim: Any) -> None:
    await send(sim)
    over = await send(sim)
    other_chat = await send(sim, chat=6)
    sim.ticker.now_s += 1
    later = await send(sim)
    assert over.status_code == 429
    assert over.json()["parameters"] == {"retry_after": 1}
    assert (other_chat.status_code, later.status_code) == (200, 200)


async def test_thirty_a_second_overall(sim: Any) -> None:
    statuses = [(await send(sim, chat=chat)).status_code for chat in range(1, 32)]
    assert statuses == [200] * 30 + [429]


async def test_a_group_takes_twenty_a_minute(sim: Any) -> None:
    for _ in range(20):
        assert (await send(sim, chat=-100)).status_code == 200
        sim.ticker.now_s += 1
    over = await send(sim, chat=-100)
    assert over.status_code == 429
    assert over.json()["parameters"]["retry_after"] == 40


async def test_4097_characters_are_too_long(sim: Any) -> None:
    assert (await send(sim, text="x" * 4096)).status_code == 200
    answer = await send(sim, chat=6, text="x" * 4097)
    assert answer.json()["description"] == "Bad Request: message is too long"


@pytest.mark.parametrize(
    ("text", "mode", "part"),
    [
        ("price < 5", "HTML", "Unsupported start tag"),
        ("<script>x</script>", "HTML", "Unsupported start tag"),
        ("<b>open", "HTML", "Can't find end tag"),
        ("<b><i>x</b></i>", "HTML", "Unexpected end tag"),
        ("-1.5 %", "MarkdownV2", "Character '-' is reserved"),
    ],
)
def test_broken_markup_is_named(text: str, mode: str, part: str) -> None:
    assert part in str(entity_error(text, mode))


@pytest.mark.parametrize(
    ("text", "mode"),
    [
        ('<b>BTC</b> <a href="https://example.invalid">5 &lt; 6</a>', "HTML"),
        ("1\\.5 `a-b`", "MarkdownV2"),
        ("a < b", ""),
    ],
)
def test_sound_markup_passes(text: str, mode: str) -> None:
    assert entity_error(text, mode) is None


def test_markup_does_not_count_against_the_limit() -> None:
    assert visible_length("<b>a &lt; b</b>", "HTML") == 5


async def test_broken_html_is_a_400(sim: Any) -> None:
    answer = await send(sim, text="a < b", parse_mode="HTML")
    assert answer.status_code == 400
    assert answer.json()["description"].startswith("Bad Request: can't parse entities")


async def test_edits_change_the_kept_message(sim: Any) -> None:
    sent = (await send(sim)).json()["result"]
    edit = {"chat_id": 5, "message_id": sent["message_id"], "text": "changed"}
    assert (await sim.client.post(f"{BOT}/editMessageText", json=edit)).status_code == 200
    again = await sim.client.post(f"{BOT}/editMessageText", json=edit)
    assert again.json()["description"] == "Bad Request: message is not modified"


async def test_a_caption_is_edited_as_a_caption(sim: Any) -> None:
    photo = {"files": {"photo": ("c.png", b"\x89PNG\r\n", "image/png")}}
    sent = await sim.client.post(f"{BOT}/sendPhoto", data={"chat_id": "5", "caption": "chart"}, **photo)
    edit = {"chat_id": 5, "message_id": sent.json()["result"]["message_id"], "caption": "later"}
    assert (await sim.client.post(f"{BOT}/editMessageCaption", json=edit)).status_code == 200
    text = await sim.client.post(f"{BOT}/editMessageText", json=edit | {"text": "x"})
    assert text.json()["description"] == "Bad Request: there is no text in the message to edit"


async def test_a_chat_that_threw_the_bot_out_and_one_that_moved(sim: Any) -> None:
    chats = {"blocked": ["5"], "moved": {"-7": -1007}}
    assert (await sim.client.put("/__sim__/telegram/chats", json=chats)).json() == chats
    assert (await send(sim)).status_code == 403
    moved = (await send(sim, chat=-7)).json()
    assert moved["parameters"] == {"migrate_to_chat_id": -1007}
    assert (await send(sim, chat=-1007)).status_code == 200
    refused = await sim.client.put("/__sim__/telegram/chats", json={"moved": {"-7": "x"}})
    assert refused.status_code == 400


@pytest.mark.parametrize(
    ("kind", "value"),
    [("status", 503), ("status", {"status": 429, "body": {"ok": False}}), ("html", 502)],
)
async def test_a_refused_call_leaves_no_message_behind(sim: Any, kind: str, value: Any) -> None:
    await sim.faults({"provider": "telegram", "kind": kind, "value": value, "count": 1})
    assert (await send(sim)).status_code in (429, 502, 503)
    assert (await sim.get("/__sim__/telegram/messages")).json()["total"] == 0
    assert (await send(sim)).status_code == 200


async def test_a_lost_answer_leaves_its_message_behind_unless_it_was_lost_on_the_way(served: Any) -> None:
    hang = {"provider": "telegram", "kind": "hang", "count": 1}
    for value, messages in ((None, 1), ("before", 1)):
        await served.faults(hang | {"value": value})
        with pytest.raises(httpx2.ReadTimeout):
            await served.client.post(f"{BOT}/sendMessage", json={"chat_id": 5, "text": "x"}, timeout=0.2)
        assert (await served.get("/__sim__/telegram/messages")).json()["total"] == messages


async def test_photos_come_as_multipart(sim: Any) -> None:
    answer = await sim.client.post(
        f"{BOT}/sendPhoto",
        data={"chat_id": "5", "caption": "chart"},
        files={"photo": ("c.png", b"\x89PNG\r\n", "image/png")},
    )
    assert answer.json()["result"]["caption"] == "chart"


async def test_updates_are_polled_and_confirmed_by_offset(sim: Any) -> None:
    poll = asyncio.create_task(sim.get(f"{BOT}/getUpdates", timeout=30))
    pushed = (await sim.client.post("/__sim__/telegram/updates", json={"message": {"text": "/s"}})).json()
    assert (await poll).json()["result"] == [pushed]
    confirmed = await sim.get(f"{BOT}/getUpdates", offset=pushed["update_id"] + 1)
    assert confirmed.json()["result"] == []


async def test_a_poll_whose_client_hung_up_ends_without_an_answer(sim: Any) -> None:
    arriving = iter([{"type": "http.request", "body": b"", "more_body": False}, {"type": "http.disconnect"}])
    sent: list[Any] = []

    async def receive() -> Any:
        return next(arriving)

    async def reply(message: Any) -> None:
        sent.append(message)

    scope = {"type": "http", "method": "GET", "path": f"{BOT}/getUpdates", "query_string": b"timeout=50"}
    async with asyncio.timeout(30):
        await sim.app(scope | {"headers": []}, receive, reply)
    assert sent == []


async def test_polling_with_a_webhook_set_is_a_conflict(sim: Any) -> None:
    await sim.client.post(f"{BOT}/setWebhook", json={"url": "https://example.invalid/hook"})
    assert (await sim.get(f"{BOT}/getUpdates")).status_code == 409


async def test_bad_token_is_unauthorized_and_tokens_stay_out_of_the_call_log(sim: Any) -> None:
    assert (await sim.get("/telegram/botbad-key/getMe")).status_code == 401
    assert (await sim.get(f"{BOT}/getMe")).json()["result"]["is_bot"] is True
    assert (await sim.get(f"{BOT}/noSuchMethod")).status_code == 404
    assert "secret" not in (await sim.get("/__sim__/calls")).text


async def test_menus_are_kept_by_language_and_bad_names_refused(sim: Any) -> None:
    menu = [{"command": "signal", "description": "Signal of a coin"}]
    await sim.client.post(f"{BOT}/setMyCommands", json={"commands": menu})
    await sim.client.post(f"{BOT}/setMyCommands", json={"commands": menu, "language_code": "id"})
    bad = [{"command": "Not A Name", "description": "x"}]
    answer = await sim.client.post(f"{BOT}/setMyCommands", json={"commands": bad})
    assert answer.json()["description"] == "Bad Request: BOT_COMMAND_INVALID"
    assert (await sim.get("/__sim__/telegram/bot")).json()["menus"] == {"": menu, "id": menu}


async def test_pressed_buttons_are_answered_with_at_most_200_characters(sim: Any) -> None:
    ok = await sim.client.post(
        f"{BOT}/answerCallbackQuery", json={"callback_query_id": "1", "text": "x" * 200}
    )
    long = await sim.client.post(
        f"{BOT}/answerCallbackQuery", json={"callback_query_id": "1", "text": "x" * 201}
    )
    assert (ok.status_code, long.status_code) == (200, 400)
    assert len((await sim.get("/__sim__/telegram/bot")).json()["notices"]) == 1


@pytest.mark.parametrize(("data", "status"), [("x" * 64, 200), ("x" * 65, 400), ("é" * 33, 400), ("", 400)])
async def test_a_button_holds_1_to_64_bytes(sim: Any, data: str, status: int) -> None:
    keyboard = {"inline_keyboard": [[{"text": "press", "callback_data": data}]]}
    answer = await send(sim, reply_markup=keyboard)
    assert answer.status_code == status
    if status == 200:
        assert answer.json()["result"]["reply_markup"] == keyboard


async def test_a_chat_is_told_until_it_throws_the_bot_out(sim: Any) -> None:
    there = await sim.get(f"{BOT}/getChat", chat_id="-100")
    await sim.client.put("/__sim__/telegram/chats", json={"blocked": ["-100"], "unknown": ["7"]})
    gone, never = (
        await sim.get(f"{BOT}/getChat", chat_id="-100"),
        await sim.get(f"{BOT}/getChat", chat_id="7"),
    )
    assert there.json()["result"] == {"id": -100, "title": "simulated", "type": "supergroup"}
    assert (gone.status_code, never.status_code) == (403, 400)


async def test_the_webhook_is_told_with_what_waits_for_it(sim: Any) -> None:
    before = (await sim.get(f"{BOT}/getWebhookInfo")).json()["result"]
    await sim.client.post(f"{BOT}/setWebhook", json={"url": "https://example.invalid/hook"})
    await sim.client.post("/__sim__/telegram/updates", json={})
    after = (await sim.get(f"{BOT}/getWebhookInfo")).json()["result"]
    assert (before["url"], before["pending_update_count"]) == ("", 0)
    assert (after["url"], after["pending_update_count"]) == ("https://example.invalid/hook", 1)
