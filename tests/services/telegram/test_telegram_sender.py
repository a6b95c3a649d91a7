"""The sender of Telegram against the simulated Bot API on loopback: what each answer means for a message."""

from __future__ import annotations

import io
import logging
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import httpx2
import pytest

from app.core.clock import SteppedClock
from app.core.domain.alerts import Delivery, DeliveryState
from app.core.errors import (
    DeliveryAuthFailed,
    DeliveryForbidden,
    DeliveryMoved,
    DeliveryRateLimited,
    DeliveryRejected,
    DeliveryUnavailable,
    DeliveryUncertain,
)
from app.core.stream_ports import Message
from app.services.telegram.sender import TelegramSender, cut
from app.services.transport.connection import tls_context
from app.sim.wire import BAD_KEY
from tests.live_rig import LiveSim, RigClock, closed_port, fault, live_simulator

TOKEN = "123456789:AAcanary-Zr8kLw3pQxVb6Nm2Ty5"
CHAT = "telegram:-100"
ROW = Delivery("a1", CHAT, DeliveryState.SENDING, 1, 0, 1, 0, 0, None, "{}")
TEXT = Message(html="<b>BTC</b> &lt;up&gt;", plain="BTC <up>")


@pytest.fixture
def clock() -> SteppedClock:
    return RigClock()


@pytest.fixture
async def sim(clock: SteppedClock) -> AsyncIterator[LiveSim]:
    async with live_simulator(clock) as running:
        running.state.reset()
        yield running


@pytest.fixture
async def sender(sim: LiveSim) -> AsyncIterator[TelegramSender]:
    made = TelegramSender(TOKEN, base_url=f"{sim.url}/telegram", read_s=0.2)
    yield made
    await made.aclose()


async def messages(sim: LiveSim) -> list[dict[str, Any]]:
    async with httpx2.AsyncClient(base_url=sim.url, verify=tls_context()) as client:
        listed: list[dict[str, Any]] = (await client.get("/__sim__/telegram/messages")).json()["messages"]
        return listed


async def chats(sim: LiveSim, **what: Any) -> None:
    async with httpx2.AsyncClient(base_url=sim.url, verify=tls_context()) as client:
        assert (await client.put("/__sim__/telegram/chats", json=what)).status_code == 200


def status(code: int, text: str = "x", count: int | None = 1, **parameters: int) -> dict[str, Any]:
    body = {"ok": False, "error_code": code, "description": text, "parameters": parameters}
    return fault("telegram", "status", {"status": code, "body": body}, count=count)


async def test_a_message_arrives_as_html_and_its_id_comes_back(sim: LiveSim, sender: TelegramSender) -> None:
    message_id = await sender.send(CHAT, ROW, TEXT)
    (sent,) = await messages(sim)
    assert (str(sent["message_id"]), sent["chat"]["id"], sent["text"]) == (message_id, -100, TEXT.html)


async def test_buttons_silence_and_pictures_go_along(sim: LiveSim, sender: TelegramSender) -> None:
    buttons = ((("Mute", "mute:BTC:1"), ("Details", "details:a1")), (("Open", "https://dash.example"),))
    await sender.send(
        "telegram:@signals", ROW, replace(TEXT, buttons=buttons, is_silent=True, png=b"\x89PNG")
    )
    (sent,) = await messages(sim)
    assert (sent["caption"], sent["chat"]["id"]) == (TEXT.html, "@signals")


async def test_an_edit_changes_the_message_and_the_same_again_is_no_failure(
    sim: LiveSim, sender: TelegramSender
) -> None:
    row = replace(ROW, message_id=await sender.send(CHAT, ROW, TEXT))
    for _ in range(2):
        await sender.edit(CHAT, row, replace(TEXT, html="<b>more</b>"))
    assert [message["text"] for message in await messages(sim)] == ["<b>more</b>"]


async def test_an_edit_of_a_picture_changes_its_caption(sim: LiveSim, sender: TelegramSender) -> None:
    picture = replace(TEXT, png=b"\x89PNG")
    row = replace(ROW, message_id=await sender.send(CHAT, ROW, picture))
    await sender.edit(CHAT, row, replace(picture, html="<b>more</b>"))
    assert [message["caption"] for message in await messages(sim)] == ["<b>more</b>"]


async def test_an_edit_of_a_message_that_is_gone_is_refused(sender: TelegramSender) -> None:
    with pytest.raises(DeliveryRejected, match="Message to edit not found"):
        await sender.edit(CHAT, replace(ROW, message_id="77"), TEXT)


async def test_markup_that_is_refused_goes_as_plain_text(sim: LiveSim, sender: TelegramSender) -> None:
    await sender.send(CHAT, ROW, replace(TEXT, html="<b>BTC < up"))
    assert [message["text"] for message in await messages(sim)] == ["BTC <up>"]


async def test_a_text_that_is_too_long_is_cut(
    sim: LiveSim, sender: TelegramSender, clock: SteppedClock
) -> None:
    await sender.send(CHAT, ROW, Message(html="x" * 4_097, plain="🙂" * 4_097))
    clock.advance(2_000)
    await sender.send(CHAT, ROW, Message(html="x" * 1_025, plain="y" * 1_025, png=b"\x89PNG"))
    text, picture = await messages(sim)
    assert text["text"] == "🙂" * 2_047 + "…"
    assert picture["caption"] == "y" * 1_023 + "…"


@pytest.mark.parametrize(
    ("text", "most", "expected"), [("abc", 3, "abc"), ("abcd", 3, "ab…"), ("🙂🙂", 3, "🙂…")]
)
def test_cut_counts_as_telegram_does(text: str, most: int, expected: str) -> None:
    assert cut(text, most) == expected


async def test_a_flood_says_how_long_to_wait(sender: TelegramSender, sim: LiveSim) -> None:
    sim.break_with(status(429, "Too Many Requests: retry after 35", retry_after=35))
    with pytest.raises(DeliveryRateLimited) as caught:
        await sender.send(CHAT, ROW, TEXT)
    assert caught.value.retry_after_s == 35


@pytest.mark.parametrize("body", ["", "[]", {"parameters": {"retry_after": "soon"}}, {"ok": False}])
async def test_a_flood_that_does_not_say_how_long(sim: LiveSim, sender: TelegramSender, body: object) -> None:
    sim.break_with(fault("telegram", "status", {"status": 429, "body": body}))
    with pytest.raises(DeliveryRateLimited) as caught:
        await sender.send(CHAT, ROW, TEXT)
    assert caught.value.retry_after_s == 5


async def test_a_second_message_within_a_second_is_a_flood(sender: TelegramSender) -> None:
    await sender.send(CHAT, ROW, TEXT)
    with pytest.raises(DeliveryRateLimited):
        await sender.send(CHAT, ROW, TEXT)


async def test_chats_that_are_closed_moved_or_not_there(sim: LiveSim, sender: TelegramSender) -> None:
    await chats(sim, blocked=["-100"], moved={"-7": -1007})
    with pytest.raises(DeliveryForbidden, match="blocked by the user"):
        await sender.send(CHAT, ROW, TEXT)
    with pytest.raises(DeliveryMoved) as caught:
        await sender.send("telegram:-7", ROW, TEXT)
    assert caught.value.new_chat == "telegram:-1007"
    sim.break_with(status(400, "Bad Request: chat not found"))
    with pytest.raises(DeliveryRejected, match="Chat not found"):
        await sender.send("telegram:9", ROW, TEXT)


@pytest.mark.parametrize("code", [500, 502, 503])
async def test_a_server_fault_is_not_delivered(sim: LiveSim, sender: TelegramSender, code: int) -> None:
    for kind in ("status", "html"):
        sim.break_with(fault("telegram", kind, code, count=1))
        with pytest.raises(DeliveryUnavailable):
            await sender.send(CHAT, ROW, TEXT)
    assert await messages(sim) == []


@pytest.mark.parametrize(
    ("kind", "value"), [("hang", None), ("hang", "before"), ("drop", 0.5), ("stall", 0.5), ("empty", None)]
)
async def test_no_answer_leaves_it_open(
    sim: LiveSim, sender: TelegramSender, kind: str, value: object
) -> None:
    sim.break_with(fault("telegram", kind, value, count=1))
    with pytest.raises(DeliveryUncertain):
        await sender.send(CHAT, ROW, TEXT)
    assert len(await messages(sim)) == (0 if value == "before" else 1)


async def test_nobody_there_is_not_delivered() -> None:
    sender = TelegramSender(TOKEN, base_url=f"http://127.0.0.1:{closed_port()}")
    with pytest.raises(DeliveryUnavailable, match="not connected"):
        await sender.send(CHAT, ROW, TEXT)
    await sender.aclose()


async def test_a_refused_token_is_said_so(sim: LiveSim) -> None:
    sender = TelegramSender(BAD_KEY, base_url=f"{sim.url}/telegram")
    with pytest.raises(DeliveryAuthFailed):
        await sender.send(CHAT, ROW, TEXT)
    await sender.aclose()


async def test_the_token_is_in_no_log_error_or_repr(sim: LiveSim, caplog: pytest.LogCaptureFixture) -> None:
    logging.getLogger("httpx").setLevel(logging.NOTSET)
    caplog.set_level(logging.INFO)
    seen = io.StringIO()
    sender = TelegramSender(TOKEN, base_url=f"{sim.url}/telegram", read_s=0.2)
    for broken in (
        status(403, f"Forbidden: https://api.telegram.org/bot{TOKEN}/x said no"),
        fault("telegram", "hang", count=1),
        fault("telegram", "garbage", count=1),
    ):
        sim.break_with(broken)
        with pytest.raises((DeliveryForbidden, DeliveryUncertain)) as caught:
            await sender.send(CHAT, ROW, TEXT)
        error: BaseException | None = caught.value
        while error is not None:
            seen.write(f"{error!r} {error} {vars(error)}")
            error = error.__cause__ or error.__context__
    await sender.aclose()
    seen.write(repr(sender) + caplog.text)
    assert "canary" not in seen.getvalue()
    assert "Forbidden" in seen.getvalue()
