"""The bot by webhook: updates pushed over real HTTP to our route, behind the agreed secret."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from functools import cache
from typing import Any, cast

import httpx2
import pytest
from fastapi import FastAPI

from app.api.app import create_api
from app.api.deps import ApiServices, TelegramWebhook
from app.api.options import ApiKey, ApiOptions, digest_of
from app.core.chat_ports import BotState
from app.core.clock import ManualClock
from app.core.domain.context import DataMode
from app.core.errors import ConfigurationError
from app.services.telegram.bot import MAX_QUEUED, BotConfig, TelegramBot
from tests.bot_rig import CHAT_ID, SECRET, TOKEN, Echo, bot_rig
from tests.chat_rig import MemoryStore, make_book, make_chat
from tests.live_rig import listening

URL = "https://signals.example.com/telegram/webhook"
PATH = "/telegram/webhook"
HEADER = "X-Telegram-Bot-Api-Secret-Token"


@dataclass(slots=True)
class Intake:
    """Where the route hands updates: one application serves all tests, because making one takes time."""

    take: Callable[[Any], bool] = lambda _: True

    def accept(self, update: Any) -> bool:
        return self.take(update)


INTAKE = Intake()


@cache
def made_api(*, has_webhook: bool) -> FastAPI:
    """The HTTP application with nothing behind it but the bot; keys are asked for as in production."""
    keys = (ApiKey.from_plain("me", "a-long-enough-key", ["read"]),)
    options = ApiOptions("https://signals.example.com", DataMode.DEMO, "1", env="prod", api_keys=keys)
    webhook = TelegramWebhook(digest_of(SECRET), INTAKE.accept) if has_webhook else None
    nothing = {field.name: cast(Any, None) for field in fields(ApiServices)}
    services = ApiServices(**(nothing | {"telegram": webhook}))
    return create_api(options, services, metrics_text=lambda: b"", now_ms=lambda: 0)


def api(take: Callable[[Any], bool], *, has_webhook: bool = True) -> FastAPI:
    INTAKE.take = take
    return made_api(has_webhook=has_webhook)


def update(number: int, text: str = "/test", chat_id: int = CHAT_ID) -> dict[str, Any]:
    return {"update_id": number, "message": {"message_id": 1, "chat": {"id": chat_id}, "text": text}}


async def post(url: str, body: Any, secret: str | None = SECRET, **more: Any) -> httpx2.Response:
    headers = {HEADER: secret} if secret is not None else {}
    async with httpx2.AsyncClient(base_url=url) as client:
        given = {"content": body} if isinstance(body, bytes) else {"json": body}
        return await client.post(PATH, headers=headers, **given, **more)


async def test_a_pushed_command_is_answered_at_once_and_handled_once() -> None:
    chat = make_chat(make_book(MemoryStore()), ManualClock())
    async with bot_rig(chat, webhook_url=URL) as rig, listening(api(rig.bot.accept)) as url:
        await rig.until(lambda: rig.bot.status().state is BotState.LISTENING)
        answers = [await post(url, update(5, "/mute BTC")) for _ in range(3)]
        assert [(one.status_code, one.json()) for one in answers] == [(200, {})] * 3
        await post(url, update(6, "/mute ETH"))
        assert await rig.sent(2) == ["<b>BTC</b> is muted for 1 h.", "<b>ETH</b> is muted for 1 h."]
        assert rig.bot.status().updates == 4


async def test_the_server_is_told_address_and_secret() -> None:
    async with bot_rig(Echo(), webhook_url=URL) as rig:
        await rig.until(lambda: rig.bot.status().state is BotState.LISTENING)
        webhook = (await rig.server())["webhook"]
    assert (webhook["url"], webhook["secret_token"]) == (URL, SECRET)


@pytest.mark.parametrize("secret", [None, "", "wrong", SECRET + "x", SECRET[:-1], SECRET.upper()])
async def test_a_forged_or_missing_secret_is_refused_and_nothing_is_taken(
    secret: str | None, caplog: pytest.LogCaptureFixture
) -> None:
    taken: list[object] = []
    async with listening(api(lambda one: bool(taken.append(one)) or True)) as url:
        answer = await post(url, update(1), secret)
        key = {"Authorization": "Bearer a-long-enough-key"}
        async with httpx2.AsyncClient(base_url=url) as client:
            with_key = await client.post(PATH, json=update(1), headers=key)
    assert (answer.status_code, with_key.status_code) == (401, 401)
    assert answer.headers["content-type"].startswith("application/problem+json")
    assert SECRET not in answer.text + caplog.text
    assert taken == []


@pytest.mark.parametrize("body", [b"", b"[]", b"null", b"{", b"\xff", b"[" * 50_000, b'"x"'])
async def test_a_body_that_is_no_object_is_refused(body: bytes) -> None:
    async with listening(api(lambda _: True)) as url:
        assert (await post(url, body)).status_code == 400


async def test_a_body_over_64_kb_is_refused() -> None:
    async with listening(api(lambda _: True)) as url:
        assert (await post(url, b"{" + b" " * 65_536 + b"}")).status_code == 413


async def test_a_full_queue_asks_for_the_update_again() -> None:
    async with bot_rig(Echo(), webhook_url=URL, starts=False) as rig, listening(api(rig.bot.accept)) as url:
        for number in range(MAX_QUEUED):
            assert rig.bot.accept(update(number))
        assert (await post(url, update(MAX_QUEUED))).status_code == 503
        assert rig.bot.status().waiting == MAX_QUEUED


async def test_without_webhook_mode_there_is_no_such_route() -> None:
    async with listening(api(lambda _: True, has_webhook=False)) as url:
        assert (await post(url, update(1))).status_code == 404


async def test_other_methods_and_other_routes_gain_nothing() -> None:
    async with listening(api(lambda _: True)) as url, httpx2.AsyncClient(base_url=url) as client:
        wrong = await client.get(PATH)
        elsewhere = await client.post("/signals/BTC", headers={HEADER: SECRET})
    assert (wrong.status_code, elsewhere.status_code) == (405, 401)
    assert wrong.json()["detail"] == "this route answers POST"


def test_the_route_is_in_no_document() -> None:
    app = api(lambda _: True)
    assert PATH not in app.openapi()["paths"]


async def test_foreign_chats_are_not_answered_by_webhook_either() -> None:
    async with bot_rig(Echo(), webhook_url=URL) as rig:
        rig.bot.accept(update(1, "/start", 666))
        rig.bot.accept(update(2, "/start"))
        assert await rig.sent(1) == ["/start"]
        assert rig.bot.status().foreign == 1


def made(webhook_url: str | None, secret: str | None) -> TelegramBot:
    config = BotConfig("webhook", "http://127.0.0.1:9", {}, webhook_url)
    clock = ManualClock()
    return TelegramBot(
        config,
        token=TOKEN,
        conversation=Echo(),
        now_ms=clock.now_ms,
        monotonic=clock.monotonic_s,
        webhook_secret=secret,
    )


@pytest.mark.parametrize(
    ("url", "secret"), [(None, SECRET), (URL, None), (URL, ""), (URL, "spaces are bad"), (URL, "x" * 257)]
)
def test_a_webhook_without_address_or_usable_secret_is_refused_at_start(
    url: str | None, secret: str | None
) -> None:
    with pytest.raises(ConfigurationError) as caught:
        made(url, secret)
    assert not secret or secret not in str(caught.value)


def test_neither_token_nor_secret_is_in_the_texts_of_the_parts() -> None:
    bot = made(URL, SECRET)
    webhook = TelegramWebhook(digest_of(SECRET), bot.accept)
    assert TOKEN not in repr(bot) + repr(bot.status()) + repr(webhook)
    assert SECRET not in repr(bot) + repr(webhook)
