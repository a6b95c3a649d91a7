"""The door over real sockets: what is refused before the application, what is not, who may be connected."""

from __future__ import annotations

import asyncio
import json
import re
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any

import pytest

from app.api.admission import Admission, Guest
from app.api.edge import standing_headers
from app.api.options import ApiKey
from app.api.page_policies import policy_headers
from app.api.refusals import Refusals
from app.api.schemas.problem import Problem
from app.web_door import MAX_TOLD
from app.web_server import web_server
from tests.api.conftest import Rig, make_rig

__all__ = ["make_rig"]

READER = b"Authorization: Bearer key-of-a-test\r\n"
ASK = b"GET %b HTTP/1.1\r\nHost: localhost\r\n%b\r\n"


class Full(Admission):
    """Refuses everyone but probes, until told otherwise."""

    def __init__(self) -> None:
        super().__init__()
        self.is_full = True
        self.asked: list[Guest] = []

    def would_refuse(self, guest: Guest) -> bool:
        return self.is_full and guest is not Guest.PROBE

    def admit(self, guest: Guest) -> bool:
        self.asked.append(guest)
        return super().admit(guest)


class Site:
    def __init__(self, rig: Rig, port: int, admission: Full) -> None:
        self.rig, self.port, self.admission = rig, port, admission

    async def open(self) -> Line:
        return Line(*await asyncio.open_connection("127.0.0.1", self.port))

    async def ask(self, path: bytes = b"/signals/BTC", more: bytes = b"") -> Told:
        line = await self.open()
        try:
            return await line.ask(path, more)
        finally:
            line.close()


class Told:
    def __init__(self, head: bytes, body: bytes) -> None:
        self.status = int(head[9:12])
        lines = [line.partition(b": ") for line in head.split(b"\r\n")[1:] if line]
        self.headers = {name.lower(): value for name, _, value in lines}
        self.body = body

    @property
    def is_refusal(self) -> bool:
        return self.status == 503 and self.headers[b"content-type"] == b"application/problem+json"


class Line:
    """One connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    async def ask(self, path: bytes = b"/signals/BTC", more: bytes = b"") -> Told:
        self.writer.write(ASK % (path, more))
        return await self.hear()

    async def hear(self) -> Told:
        async with asyncio.timeout(20):
            head = await self.reader.readuntil(b"\r\n\r\n")
            length = re.search(rb"content-length: (\d+)", head, re.IGNORECASE)
            return Told(head, await self.reader.readexactly(int(length[1]) if length else 0))

    async def is_over(self) -> bool:
        async with asyncio.timeout(20):
            with suppress(ConnectionError):
                return await self.reader.read() == b""
        return True

    def close(self) -> None:
        self.writer.close()


@pytest.fixture
def serving(make_rig: Any, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    @asynccontextmanager
    async def served(*, max_connections: int = 100, **options: Any) -> AsyncIterator[Site]:
        monkeypatch.setattr("app.web_server.MAX_CONNECTIONS", max_connections)
        rig, admission = make_rig(rate_limit_per_minute=10_000, **options), Full()
        listener = socket.socket()
        listener.bind(("127.0.0.1", 0))
        server = web_server(
            rig.app,
            close_listeners=rig.app.state.live.close,
            admission=admission,
            refusals=Refusals(rig.options),
        )
        running = asyncio.create_task(server.serve(sockets=[listener]))
        try:
            while not server.started:  # noqa: ASYNC110 - uvicorn offers no event to wait for
                await asyncio.sleep(0.01)
            yield Site(rig, listener.getsockname()[1], admission)
        finally:
            server.should_exit = True
            await running

    return served


class TestRefusals:
    async def test_a_refusal_is_what_the_application_itself_would_say(self, serving: Any) -> None:
        async with serving() as site:
            here = await site.ask(more=b"X-Request-ID: abcdefgh-1\r\n")
            there = await site.ask(more=b"X-Request-ID: abcdefgh-1\r\nOrigin: http://localhost\r\n")
            assert site.rig.signals.calls == 0
        assert here.is_refusal
        assert there.is_refusal
        assert json.loads(here.body) == json.loads(there.body)
        assert json.loads(here.body)["instance"] == "/signals/BTC"
        assert Problem.model_validate_json(here.body, by_name=False).request_id == "abcdefgh-1"
        assert set(here.headers) == set(there.headers)
        for name, value in (*standing_headers(site.rig.options), *policy_headers("/")):
            assert here.headers[name] == value
        assert here.headers[b"x-request-id"] == b"abcdefgh-1"

    async def test_waits_differ_and_are_short(self, serving: Any) -> None:
        async with serving() as site:
            line = await site.open()
            waits = {(await line.ask()).headers[b"retry-after"] for _ in range(60)}
            line.close()
        assert waits == {b"1", b"2", b"3"}

    async def test_a_path_of_other_letters_is_not_repeated(self, serving: Any) -> None:
        async with serving() as site:
            told = await site.ask(b"/signals/%22%3E<x>")
        assert json.loads(told.body)["instance"] == "/"

    async def test_the_connection_stays_and_is_answered_once_there_is_room(self, serving: Any) -> None:
        async with serving() as site:
            line = await site.open()
            assert (await line.ask()).is_refusal
            site.admission.is_full = False
            assert (await line.ask()).status == 200
            site.admission.is_full = True
            assert (await line.ask()).is_refusal
            line.close()


class TestWhatIsNotRefused:
    @pytest.mark.parametrize("path", [b"/health/live", b"/health", b"/health/ready", b"/metrics"])
    async def test_probes_are_answered(self, serving: Any, path: bytes) -> None:
        async with serving() as site:
            assert (await site.ask(path)).status == 200

    async def test_an_answer_that_is_being_made_is_finished(self, serving: Any) -> None:
        async with serving() as site:
            release = asyncio.Event()
            site.rig.signals.gate = release.wait
            site.admission.is_full = False
            line = await site.open()
            line.writer.write(ASK % (b"/signals/BTC", b""))
            await site.rig.signals.started.get()
            site.admission.is_full = True
            assert (await site.ask()).is_refusal
            release.set()
            assert (await line.hear()).status == 200
            line.close()


class TestWhatTheParserHasToSee:
    @pytest.mark.parametrize(
        "question",
        [
            b"POST /api/coins/add HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
            b"Content-Length: 2\r\n\r\n{}",
            b"GET /signals/BTC HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}",
            b"GET /signals/BTC HTTP/1.0\r\nHost: x\r\n\r\n",
            b"GET /signals/BTC HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
        ],
    )
    async def test_it_is_refused_as_well(self, serving: Any, question: bytes) -> None:
        async with serving() as site:
            line = await site.open()
            line.writer.write(question)
            assert (await line.hear()).is_refusal
            line.close()

    async def test_a_question_in_pieces(self, serving: Any) -> None:
        async with serving() as site:
            line = await site.open()
            line.writer.write(b"GET /signals/BTC HTTP/1.1\r\nHo")
            await asyncio.sleep(0.05)
            line.writer.write(b"st: x\r\n\r\n")
            assert (await line.hear()).is_refusal
            line.writer.write(b"GET /signals/BTC HTTP/1.1\r\nX-Trick: ")
            await asyncio.sleep(0.05)
            # What looks like a whole question is the end of a header here.
            line.writer.write(ASK % (b"/signals/ETH", b""))
            assert (await line.hear()).is_refusal
            site.admission.is_full = False
            assert (await line.ask()).status == 200
            line.close()

    async def test_two_questions_at_once_get_two_answers(self, serving: Any) -> None:
        async with serving() as site:
            line = await site.open()
            line.writer.write(2 * (ASK % (b"/signals/BTC", b"")))
            assert [(await line.hear()).is_refusal for _ in range(2)] == [True, True]
            line.close()


class TestWhoIsKnown:
    async def test_a_connection_is_known_while_it_shows_a_key(self, serving: Any) -> None:
        async with serving(api_keys=(ApiKey.from_plain("reader", "key-of-a-test", ["read"]),)) as site:
            site.admission.is_full = False
            line = await site.open()
            for more in (b"", READER, b"", b""):
                await line.ask(b"/signals/BTC", more)
            line.close()
        assert site.admission.asked == [Guest.STRANGER, Guest.STRANGER, Guest.KNOWN, Guest.STRANGER]


class TestConnections:
    async def test_one_too_many_is_told_to_come_again(self, serving: Any) -> None:
        async with serving(max_connections=64) as site:
            site.admission.is_full = False
            lines = [await site.open() for _ in range(64)]
            assert (await lines[-1].ask()).status == 200
            more = await site.open()
            told = await more.ask()
            assert told.is_refusal
            assert told.headers[b"connection"] == b"close"
            assert await more.is_over()
            more.close()
            lines.pop().close()
            await asyncio.sleep(0.05)
            assert (await site.ask()).status == 200
            for line in lines:
                line.close()

    async def test_a_crowd_beyond_that_is_not_even_told(self, serving: Any) -> None:
        async with serving(max_connections=64) as site:
            lines = [await site.open() for _ in range(64 + MAX_TOLD)]
            more = await site.open()
            assert await more.is_over()
            for line in [*lines, more]:
                line.close()
