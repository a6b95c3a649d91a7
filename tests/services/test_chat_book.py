"""Settings of chats: in force at once, kept over a restart, not lost to a database that is away."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest

from app.core.alerting.codec import encode_settings
from app.core.clock import ManualClock
from app.core.domain.alerts import ChatSettings, Language, Severity
from app.services.storage.store import SqlStore
from app.services.streaming.chat_addresses import ChatAddresses
from tests.chat_rig import CHAT, FOREIGN, OTHER, MemoryStore, make_book, make_chat

NOW_MS = 1_764_936_000_000


def cooldown(seconds: int) -> Callable[[ChatSettings], ChatSettings]:
    return lambda settings: replace(settings, cooldown_s=seconds)


def in_indonesian(settings: ChatSettings) -> ChatSettings:
    return replace(settings, language=Language.ID)


async def test_a_change_is_in_force_at_once_and_saved() -> None:
    store = MemoryStore()
    book = make_book(store)
    assert await book.change(CHAT, cooldown(600)) is True
    assert [settings.cooldown_s for settings in book.all()] == [600, 300]
    assert book.unsaved() == 0
    assert list(store.rows) == [CHAT]


async def test_settings_survive_a_restart_on_sqlite(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'store.db'}"

    async def opened() -> SqlStore:
        store = SqlStore(url, data_mode="demo", now_ms=lambda: NOW_MS, monotonic=lambda: 0.0)
        store.start()
        await store.opened()
        return store

    store = await opened()
    book = make_book(store.state)
    await book.change(CHAT, cooldown(600))
    await store.close()

    store = await opened()
    again = make_book(store.state)
    assert await again.load() is True
    await store.close()
    assert again.all() == book.all()


async def test_an_outage_keeps_the_change_in_memory_and_saves_it_later() -> None:
    store = MemoryStore(is_away=True)
    book = make_book(store)
    assert await book.change(CHAT, cooldown(600)) is False
    assert await book.watch("PEPE") is False
    assert await book.load() is False
    assert (book.all()[0].cooldown_s, book.symbols()[-1], book.unsaved()) == (600, "PEPE", 2)
    store.is_away = False
    assert await book.load() is True
    assert book.unsaved() == 1  # the coin is saved by the watchlist
    again = make_book(store)
    await again.load()
    assert again.all() == book.all()


async def test_a_change_during_an_outage_at_start_does_not_undo_what_was_stored_before() -> None:
    stored = ChatSettings(CHAT, thresholds={"BTC": 5e6}, cooldown_s=120)
    store = MemoryStore(rows={CHAT: encode_settings(stored)}, is_away=True)
    book = make_book(store)
    await book.change(CHAT, cooldown(600))
    store.is_away = False
    await book.load()
    assert book.get(CHAT) == replace(stored, cooldown_s=600)


async def test_what_another_process_changed_is_read_and_does_not_undo_our_own() -> None:
    store = MemoryStore()
    ours, theirs = make_book(store), make_book(store)
    await ours.load()
    await theirs.change(CHAT, cooldown(600))
    await ours.load()
    assert ours.all()[0].cooldown_s == 600


async def test_a_command_during_a_reload_wins_over_what_was_being_read() -> None:
    class SlowStore(MemoryStore):
        async def chat_settings(self, chat: str) -> str | None:
            text = await MemoryStore.chat_settings(self, chat)
            await asyncio.sleep(0)
            return text

    store = SlowStore(rows={CHAT: encode_settings(ChatSettings(CHAT, cooldown_s=120))})
    book = make_book(store)
    await book.load()
    reload = asyncio.create_task(book.load())
    await asyncio.sleep(0)
    await book.change(CHAT, cooldown(600))
    await reload
    assert book.all()[0].cooldown_s == 600


async def test_only_the_configuration_says_who_may_ask_and_which_severities_go_where() -> None:
    urgent = frozenset({Severity.URGENT})
    store = MemoryStore(
        rows={CHAT: encode_settings(ChatSettings(FOREIGN)), FOREIGN: encode_settings(ChatSettings(FOREIGN))}
    )
    book = make_book(store, ChatSettings(CHAT, severities=urgent))
    await book.load()
    assert [(settings.chat, settings.severities) for settings in book.all()] == [(CHAT, urgent)]
    assert book.get(FOREIGN) is None
    with pytest.raises(KeyError):
        await book.change(FOREIGN, cooldown(600))


@pytest.mark.parametrize("text", ["", "{", "[]", '{"cooldownS":"x"}', "null"])
async def test_unreadable_settings_leave_the_defaults(text: str, caplog: pytest.LogCaptureFixture) -> None:
    book = make_book(MemoryStore(rows={OTHER: text}))
    assert await book.load() is True
    assert book.get(OTHER) == ChatSettings(OTHER, language=Language.ID)
    assert "not readable" in caplog.text


async def test_a_chat_that_threw_the_bot_out_is_disabled_until_it_speaks_again() -> None:
    book = make_book(MemoryStore())
    await book.disable(CHAT)
    await book.disable(FOREIGN)
    assert [settings.is_disabled for settings in book.all()] == [True, False]
    await book.enable(CHAT)
    await book.enable(FOREIGN)
    assert [settings.is_disabled for settings in book.all()] == [False, False]


async def test_a_full_list_of_coins_is_left_as_it_is() -> None:
    book = make_book(MemoryStore())
    for number in range(250):
        assert await book.watch(f"C{number}") is True
    assert len(book.symbols()) == 200


async def test_the_book_runs_until_stopped_through_an_outage() -> None:
    store = MemoryStore(is_away=True)
    book = make_book(store)
    running = asyncio.create_task(book.run())
    await asyncio.sleep(0)
    assert not running.done()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    await book.change(OTHER, in_indonesian)
    assert book.unsaved() == 1


async def test_a_chat_that_moved_is_known_by_its_new_id_and_keeps_its_settings() -> None:
    store = MemoryStore()
    await ChatAddresses(cast(Any, store)).move(CHAT, "telegram:-100777")
    book = make_book(store)
    assert book.name_of("telegram:-100777") is None
    await book.load()
    assert book.name_of("telegram:-100777") == CHAT
    chat = make_chat(book, ManualClock(NOW_MS))
    await chat.answer("telegram:-100777", "/cooldown 10")
    assert book.all()[0].cooldown_s == 600


async def test_names_of_channels_are_known_in_any_case() -> None:
    book = make_book(MemoryStore(), ChatSettings("telegram:@MyChannel"))
    assert book.name_of("telegram:@mychannel") == "telegram:@MyChannel"
    assert book.name_of("telegram:@other") is None
