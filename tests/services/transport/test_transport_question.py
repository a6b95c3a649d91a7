"""A single question: what it tells of an answer, and that its errors hold no address."""

from __future__ import annotations

from collections.abc import AsyncIterator

import httpx2
import pytest

from app.core.errors import ProviderBadPayload, ProviderTimeout, ProviderUnavailable
from app.services.transport.connection import Waits
from app.services.transport.question import QuestionClient
from tests.live_rig import closed_port

SECRET = "kq83hfsm2-canary"


class _Body(httpx2.AsyncByteStream):
    def __init__(self, *chunks: bytes) -> None:
        self._chunks = chunks

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for chunk in self._chunks:
            yield chunk


def client(status: int = 200, *chunks: bytes, **headers: str) -> QuestionClient:
    def answer(_: httpx2.Request) -> httpx2.Response:
        return httpx2.Response(status, headers=headers, stream=_Body(*chunks))

    return QuestionClient(transport=httpx2.MockTransport(answer))


@pytest.mark.parametrize("status", [200, 302, 401, 503])
async def test_any_status_is_an_answer(status: int) -> None:
    told = await client(status, b"a", b"b", Date="now").ask("site", "https://site.example/")
    assert (told.status, told.body, told.headers["date"]) == (status, b"ab", "now")


async def test_a_body_without_an_end_is_cut_at_the_cap() -> None:
    with pytest.raises(ProviderBadPayload):
        await client(200, *[b"x" * 65_536] * 5).ask("site", "https://site.example/")


async def test_nobody_there_is_an_error_without_the_address() -> None:
    asking = QuestionClient()
    with pytest.raises(ProviderUnavailable) as caught:
        await asking.ask("site", f"http://127.0.0.1:{closed_port()}/{SECRET}", params={"key": SECRET})
    await asking.aclose()
    assert str(caught.value) == "site GET: connection refused"
    assert caught.value.__context__ is None


async def test_waiting_too_long_is_a_timeout() -> None:
    def silent(_: httpx2.Request) -> httpx2.Response:
        raise httpx2.ReadTimeout(SECRET)

    asking = QuestionClient(waits=Waits(), transport=httpx2.MockTransport(silent))
    with pytest.raises(ProviderTimeout) as caught:
        await asking.ask("site", "https://site.example/")
    assert SECRET not in str(caught.value)
