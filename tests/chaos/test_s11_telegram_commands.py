"""S11: commands are taken from allow-listed chats alone, and pushed updates with the agreed secret alone.

Fake updates of every kind go through the simulated Bot API to a real bot, and into the webhook route.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import httpx2
import pytest

from app.api import routes_telegram
from app.api.routes_telegram import SECRET_HEADER
from tests.bot_rig import CHAT_ID, SECRET, Echo, bot_rig
from tests.services.telegram.test_bot_webhook import api

STRANGER = 666
MESSAGE: dict[str, Any] = {"message_id": 1, "text": "/mute BTC"}


def said_in(chat: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"message": {**MESSAGE, "chat": chat, **more}}


OURS = {"id": CHAT_ID, "type": "supergroup"}
THEIRS = {"id": STRANGER, "type": "private"}
# Nothing of these may be answered, or even reach the commands.
FAKES: dict[str, dict[str, Any]] = {
    "a stranger": said_in(THEIRS),
    "a stranger with our name": said_in({**THEIRS, "username": "channel", "title": str(CHAT_ID)}),
    "the same number without its sign": said_in({"id": abs(CHAT_ID), "type": "supergroup"}),
    "our id as a text": said_in({"id": str(CHAT_ID), "type": "supergroup"}),
    "our id as a fraction": said_in({"id": CHAT_ID + 0.5, "type": "supergroup"}),
    "our id in a list": said_in({"id": [CHAT_ID], "type": "supergroup"}),
    "no id": said_in({"type": "supergroup"}),
    "forwarded from our chat": said_in(
        THEIRS, forward_from_chat=OURS, forward_origin={"type": "chat", "sender_chat": OURS}
    ),
    "sent in the name of our chat": said_in(THEIRS, sender_chat=OURS),
    "a reply to a message of ours": said_in(THEIRS, reply_to_message={**MESSAGE, "chat": OURS}),
    "an edited message of a stranger": {"edited_message": {**MESSAGE, "chat": THEIRS}},
    "an edited message of ours": {"edited_message": {**MESSAGE, "chat": OURS}},
    "a channel of theirs": {"channel_post": {**MESSAGE, "chat": {"id": -100666, "type": "channel"}}},
    "an edited post": {"edited_channel_post": {**MESSAGE, "chat": OURS}},
    "a business message": {"business_message": {**MESSAGE, "chat": OURS}},
    "a button of a stranger": {
        "callback_query": {"id": "7", "data": "mute:BTC:1", "message": {**MESSAGE, "chat": THEIRS}}
    },
    "a button without its message": {"callback_query": {"id": "7", "data": "mute:BTC:1"}},
    "a button of an inline message": {
        "callback_query": {"id": "7", "data": "mute:BTC:1", "inline_message_id": "x", "chat_instance": "1"}
    },
    "an inline question": {"inline_query": {"id": "7", "query": "/mute BTC", "from": {"id": CHAT_ID}}},
    "the bot made a member": {"my_chat_member": {"chat": OURS, "from": {"id": STRANGER}}},
    "another bot's command": said_in(OURS, text="/mute@their_bot BTC"),
    "words": said_in(OURS, text="please /mute BTC"),
    "a caption": {"message": {"message_id": 1, "chat": OURS, "caption": "/mute BTC"}},
}


async def test_nothing_but_commands_of_our_chats_is_heard_or_answered() -> None:
    echo = Echo()
    async with bot_rig(echo) as rig:
        for update in FAKES.values():
            await rig.push(update)
        # Whatever came before, what comes from our chats is answered: one bad update stops nobody.
        for chat in (OURS, {"id": -77, "type": "channel", "username": "channel"}):
            await rig.push(said_in(chat, text="/status"))
        await rig.sent(2)
        state = await rig.server()
        assert await rig.pending() == []
    assert [(chat, text) for chat, text, _ in echo.heard] == [
        (f"telegram:{CHAT_ID}", "/status"),
        ("telegram:@channel", "/status"),
    ]
    assert state["notices"] == []


async def push(headers: dict[str, str | bytes]) -> tuple[int, int]:
    """The status of a pushed update, and how many were taken."""
    taken: list[object] = []
    transport = httpx2.ASGITransport(app=api(lambda update: bool(taken.append(update)) or True))
    async with httpx2.AsyncClient(transport=transport, base_url="http://testserver") as client:
        answer = await client.post("/telegram/webhook", json={"update_id": 1}, headers=headers)
    return answer.status_code, len(taken)


@pytest.mark.parametrize(
    "secret",
    [None, b"", b"wrong", b"\xe9", b"x" * 10_000, SECRET[:-1].encode(), SECRET.upper().encode()],
    ids=["none", "empty", "wrong", "not ASCII", "endless", "cut", "in capitals"],
)
async def test_an_update_that_is_pushed_without_the_secret_is_not_read(secret: bytes | None) -> None:
    assert await push({} if secret is None else {SECRET_HEADER: secret}) == (401, 0)
    assert await push({SECRET_HEADER: SECRET}) == (200, 1)


async def test_the_secret_is_compared_by_digest_in_constant_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """The AST rule of the house allows no ==; this sees that what stands there instead is used."""
    compared: list[tuple[int, int]] = []
    real: Callable[[bytes, bytes], bool] = routes_telegram.hmac.compare_digest

    def watched(given: bytes, expected: bytes) -> bool:
        compared.append((len(given), len(expected)))
        return real(given, expected)

    monkeypatch.setattr(routes_telegram.hmac, "compare_digest", watched)
    assert await push({SECRET_HEADER: b"short"}) == (401, 0)
    assert compared == [(32, 32)]
