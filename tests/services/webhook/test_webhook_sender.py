"""Signed calls to another system over loopback: what it gets, and what its answers mean."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import cast

import pytest

from app.core.alerting.codec import decode_alert, encode_alert
from app.core.domain.alerts import Delivery, DeliveryState
from app.core.errors import DeliveryError, DeliveryRateLimited, DeliveryRejected, DeliveryUnavailable
from app.core.stream_ports import Message
from app.services.transport.connection import Waits
from app.services.transport.post import PostClient
from app.services.webhook.sender import WebhookSender
from tests.delivery_facts import an_alert
from tests.live_rig import closed_port

SECRET = "canary-Zr8kLw3pQxVb6Nm2"
ROW = Delivery(
    "00000000000000a1", "webhook", DeliveryState.SENDING, 3, 0, 1, 0, 0, None, encode_alert(an_alert())
)
TEXT = Message(html="x", plain="x")


@dataclass
class Receiver:
    """One loopback server that answers every POST with `head`; None hangs."""

    head: str | None = "HTTP/1.1 204 No Content"
    url: str = ""
    calls: list[tuple[dict[str, str], bytes]] = field(default_factory=list)
    tasks: set[asyncio.Task[None]] = field(default_factory=set)

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.tasks.add(cast("asyncio.Task[None]", asyncio.current_task()))
        head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        headers = dict(line.lower().split(": ", 1) for line in head[1:] if line)
        self.calls.append((headers, await reader.readexactly(int(headers["content-length"]))))
        if self.head is None:
            await reader.read()  # until the caller hangs up
        else:
            writer.write(f"{self.head}\r\nconnection: close\r\ncontent-length: 0\r\n\r\n".encode())
            await writer.drain()
        writer.close()
        await writer.wait_closed()


@asynccontextmanager
async def receiving(
    head: str | None = "HTTP/1.1 204 No Content", *, secret: str | None = SECRET
) -> AsyncIterator[tuple[Receiver, WebhookSender]]:
    receiver = Receiver(head)
    server = await asyncio.start_server(receiver.handle, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/hook?key=canary-in-the-address"
    sender = WebhookSender(PostClient("webhook", url, waits=Waits(read_s=0.2)), secret=secret)
    try:
        yield receiver, sender
    finally:
        await sender.aclose()
        server.close()
        await server.wait_closed()
        await asyncio.gather(*receiver.tasks)


async def test_the_alert_arrives_whole_and_signed() -> None:
    async with receiving() as (receiver, sender):
        assert await sender.send("webhook", ROW, TEXT) == ""
        await sender.edit("webhook", ROW, TEXT)
    headers, body = receiver.calls[0]
    assert receiver.calls[1][1] == body
    assert decode_alert(body.decode()) == an_alert()
    assert (headers["x-alert-id"], headers["x-alert-revision"]) == (ROW.alert_id, "3")
    expected = hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()
    assert hmac.compare_digest(headers["x-signature"], f"sha256={expected}")


async def test_without_a_secret_there_is_no_signature() -> None:
    async with receiving(secret=None) as (receiver, sender):
        await sender.send("webhook", ROW, TEXT)
    assert "x-signature" not in receiver.calls[0][0]


@pytest.mark.parametrize(
    ("head", "kind", "wait_s"),
    [
        ("HTTP/1.1 400 Bad", DeliveryRejected, None),
        ("HTTP/1.1 302 Found\r\nlocation: https://elsewhere.example/", DeliveryRejected, None),
        ("HTTP/1.1 429 Slow\r\nretry-after: 7", DeliveryRateLimited, 7.0),
        ("HTTP/1.1 408 Late", DeliveryUnavailable, None),
        ("HTTP/1.1 503 Down\r\nretry-after: 9", DeliveryUnavailable, 9.0),
        (None, DeliveryUnavailable, None),
    ],
)
async def test_what_an_answer_means(
    head: str | None, kind: type[DeliveryError], wait_s: float | None
) -> None:
    async with receiving(head) as (_, sender):
        with pytest.raises(kind) as caught:
            await sender.send("webhook", ROW, TEXT)
    assert caught.value.retry_after_s == wait_s


def _told(error: BaseException | None) -> str:
    text = ""
    while error is not None:
        text += f"{error!r} {error} {vars(error)}"
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    return text


async def test_neither_secret_nor_address_is_told(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    url = f"http://127.0.0.1:{closed_port()}/hook?key=canary-in-the-address"
    sender = WebhookSender(PostClient("webhook", url), secret=SECRET)
    with pytest.raises(DeliveryUnavailable, match="connection refused") as caught:
        await sender.send("webhook", ROW, TEXT)
    await sender.aclose()
    assert "canary" not in _told(caught.value) + repr(sender) + repr(sender._client) + caplog.text
