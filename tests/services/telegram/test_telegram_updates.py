"""What is read out of an update: commands and buttons of chats; anything else is nothing, never an error."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.services.telegram.updates import MAX_TEXT, Incoming, read_update, update_id_of

NAMES = [
    "update_id",
    "message",
    "channel_post",
    "callback_query",
    "chat",
    "id",
    "text",
    "data",
    "username",
    "type",
]
VALUES = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20)
JSON = st.recursive(
    VALUES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(NAMES), inner),
    max_leaves=12,
)


@given(st.dictionaries(st.sampled_from(NAMES), JSON))
def test_no_update_raises_and_what_is_read_has_a_chat_and_a_text(update: dict[str, Any]) -> None:
    update_id_of(update)
    found = read_update(update, "bot")
    if found is not None:
        assert found.names[0] == f"telegram:{found.chat_id}"
        assert len(found.text) <= MAX_TEXT
        assert found.callback_id is not None or found.text.startswith("/")


@given(JSON)
def test_the_id_of_anything_is_a_number_or_none(update: object) -> None:
    assert isinstance(update_id_of(update), int | None)


def message(text: object, **chat: Any) -> dict[str, Any]:
    return {"update_id": 7, "message": {"chat": {"id": -5, **chat}, "text": text}}


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("/signal BTC", "/signal BTC"),
        ("/signal@our_bot BTC", "/signal BTC"),
        ("/SIGNAL@OUR_BOT", "/SIGNAL"),
        ("/signal@their_bot BTC", None),
        ("/mute a@b", "/mute a@b"),
        ("hello /signal", None),
        ("", None),
    ],
)
def test_commands_are_read_without_the_name_of_this_bot(text: str, read: str | None) -> None:
    found = read_update(message(text), "our_bot")
    assert (found.text if found else None) == read


def test_a_forum_is_answered_in_its_topic() -> None:
    update = message("/help")
    update["message"] |= {"message_thread_id": 9, "is_topic_message": True}
    assert read_update(update, "b") == Incoming(7, -5, ("telegram:-5",), "/help", 9)
    update["message"]["is_topic_message"] = False
    assert read_update(update, "b") == Incoming(7, -5, ("telegram:-5",), "/help")


@pytest.mark.parametrize("kind", ["channel", "supergroup", "group"])
def test_public_places_are_known_by_name_too_and_people_are_not(kind: str) -> None:
    public = read_update(message("/help", username="Place", type=kind), "b")
    person = read_update(message("/help", username="place", type="private"), "b")
    assert public is not None
    assert person is not None
    assert public.names == ("telegram:-5", "telegram:@Place")
    assert person.names == ("telegram:-5",)
