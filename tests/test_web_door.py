"""The door over real sockets: what is refused before the application, what is not, who may be connected.

Bounds of single connections are a worker's as well (`app.http_connection`).
"""

from __future__ import annotations

import asyncio
import json
import re
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from functools import partial
from typing import Any

import pytest

from app.api.admission import Admission, Guest
from app.api.edge import standing_headers
from app.api.options import ApiKey
from app.api.page_policies import policy_headers
from app.api.refusals import Refusals
from app.api.schemas.problem import Problem
from app.http_connection import MAX_QUEUED, Limits
from app.web_door import MAX_TOLD
from app.web_server import web_server
from tests.api.conftest import Rig, make_rig

__all__ = ["make_rig"]

READER = b"Authorization: Bearer key-of-a-test\r\n"
ASK = b"GET %b HTTP/1.1\r\nHost: localhost\r\n%b\r\n"


class Full(Admission):
    """Refuses everyone but probes, until told otherwise."""

    def __init__(self) -> None:
        self.told: list[int] = []
        super().__init__(observe=self.told.append)
        self.is_full, self.has_probes = True, True
        self.asked: list[Guest] = []

    def would_refuse(self, guest: Guest) -> bool:
        return self.is_full and not (self.has_probes and guest >= Guest.PROBE_AGAIN)

    def admit(self, guest: Guest) -> bool:
        self.asked.append(guest)
        return super().admit(guest)


class Site:
    def __init__(self, rig: Rig, port: int, admission: Full, unreadable: list[str]) -> None:
        self.rig, self.port, self.admission, self.unreadable = rig, port, admission, unreadable
        self.lines: list[Line] = []

    async def open(self, source: str = "127.0.0.1") -> Line:
        line = Line(*await asyncio.open_connection("127.0.0.1", self.port, local_addr=(source, 0)))
        self.lines.append(line)
        return line

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
    async def served(
        *,
        max_connections: int = 100,
        keep_alive_s: float = 75,
        is_behind_proxy: bool = True,
        limits: dict[str, float] | None = None,
        **options: Any,
    ) -> AsyncIterator[Site]:
        monkeypatch.setattr("app.web_server.MAX_CONNECTIONS", max_connections)
        monkeypatch.setattr("app.web_server.KEEP_ALIVE_S", keep_alive_s)
        monkeypatch.setattr("app.web_door.Limits", partial(Limits, **(limits or {})))
        rig, admission = make_rig(rate_limit_per_minute=10_000, **options), Full()
        unreadable: list[str] = []
        listener = socket.socket()
        listener.bind(("127.0.0.1", 0))
        server = web_server(
            rig.app,
            close_listeners=rig.app.state.live.close,
            admission=admission,
            refusals=Refusals(rig.options, observe=unreadable.append),
            is_behind_proxy=is_behind_proxy,
        )
        running = asyncio.create_task(server.serve(sockets=[listener]))
        while not server.started:  # noqa: ASYNC110 - uvicorn offers no event to wait for
            await asyncio.sleep(0.01)
        site = Site(rig, listener.getsockname()[1], admission, unreadable)
        try:
            yield site
        finally:
            for line in site.lines:
                line.close()
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


class TestProbes:
    @pytest.mark.parametrize("path", [b"/metricsXYZ", b"/metrics/", b"/healthy", b"/health/live/x"])
    async def test_what_only_begins_like_one_is_none(self, serving: Any, path: bytes) -> None:
        async with serving() as site:
            assert (await site.ask(path)).is_refusal

    async def test_one_too_many_is_refused_at_the_door_while_questions_are_answered(
        self, serving: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        async with serving() as site:
            monkeypatch.setattr(site.admission, "would_refuse", lambda guest: guest >= Guest.PROBE_AGAIN)
            line = await site.open()
            # The parser would end this connection.
            line.writer.write(b"GET /health/live HTTP/1.1\r\nno header\r\n\r\n")
            assert (await line.hear()).is_refusal
            assert (await line.ask()).status == 200

    async def test_one_after_the_other_on_a_connection_of_a_stranger_counts_for_less(
        self, serving: Any
    ) -> None:
        async with serving() as site:
            line = await site.open()
            for _ in range(3):
                await line.ask(b"/health/live")
            line.close()
        assert site.admission.asked == [Guest.PROBE, Guest.PROBE_AGAIN, Guest.PROBE_AGAIN]

    @pytest.mark.parametrize("method", [b"GET", b"HEAD"])
    async def test_one_too_many_is_refused_whatever_its_method(self, serving: Any, method: bytes) -> None:
        async with serving() as site:
            site.admission.has_probes = False
            line = await site.open()
            line.writer.write(method + b" /health/live HTTP/1.1\r\nHost: x\r\n\r\n")
            head = await line.reader.readuntil(b"\r\n\r\n")
            assert head.startswith(b"HTTP/1.1 503 ")
            line.close()
            await asyncio.sleep(0.05)
            assert sum(site.admission.told) == 1


UPGRADE = (
    b"%b /ws HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    b"Origin: http://localhost\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n%b\r\n"
)


class TestSockets:
    async def test_one_too_many_is_refused_and_counted(self, serving: Any) -> None:
        async with serving() as site:
            line = await site.open()
            line.writer.write(UPGRADE % (b"GET", b""))
            assert (await line.hear()).is_refusal
            assert await line.is_over()
            assert sum(site.admission.told) == 1

    async def test_one_that_is_no_get_is_refused(self, serving: Any) -> None:
        async with serving() as site:
            site.admission.is_full = False
            line = await site.open()
            line.writer.write(UPGRADE % (b"POST", b"Content-Length: 3\r\n") + b"abc")
            assert (await line.hear()).status == 400
            assert await line.is_over()


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

    async def test_a_length_behind_a_bare_line_end_is_left_to_the_parser(self, serving: Any) -> None:
        async with serving() as site:
            told = await site.ask(more=b"X: y\nContent-Length: 5\r\n")
        assert told.status == 400

    @pytest.mark.parametrize("name", [b"Content-Length: 60", b"content-length:60"])
    async def test_a_body_in_the_next_packet_is_no_question(self, serving: Any, name: bytes) -> None:
        async with serving() as site:
            line = await site.open()
            line.writer.write(ASK % (b"/signals/BTC", name + b"\r\n"))
            assert (await line.hear()).is_refusal
            await asyncio.sleep(0.05)
            line.writer.write((ASK % (b"/signals/ETH", b"")).ljust(60))
            site.admission.is_full = False
            assert (await line.ask(b"/market/BTC")).status == 200
            assert site.rig.signals.calls == 0
            line.close()

    async def test_a_question_inside_a_body_is_none(self, serving: Any) -> None:
        async with serving() as site:
            inner = ASK % (b"/signals/ETH", b"")
            line = await site.open()
            line.writer.write(
                b"POST /api/session HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(inner)
            )
            assert (await line.hear()).is_refusal
            await asyncio.sleep(0.05)
            line.writer.write(inner)
            await asyncio.sleep(0.05)
            assert len(site.admission.asked) == 1
            assert json.loads((await line.ask(b"/market/BTC")).body)["instance"] == "/market/BTC"
            line.close()

    async def test_every_refusal_is_counted_once(self, serving: Any) -> None:
        async with serving() as site:
            line = await site.open()
            for more in (b"", b"", b"Origin: http://localhost\r\n"):
                assert (await line.ask(more=more)).is_refusal
            line.close()
            await asyncio.sleep(0.05)
            assert sum(site.admission.told) == site.admission.refused == 3

    @pytest.mark.parametrize("given", [b'aaaaaaaa","x":"', b"aaaa aaaa", b"short", 70 * b"a", b"\xff" * 9])
    async def test_a_request_id_of_other_letters_is_not_repeated(self, serving: Any, given: bytes) -> None:
        async with serving() as site:
            told = await site.ask(more=b"X-Request-ID: %b\r\n" % given)
        made = json.loads(told.body)["requestId"]
        assert re.fullmatch("[0-9a-f]{16}", made)
        assert told.headers[b"x-request-id"] == made.encode()

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
            assert sum(site.admission.told) == MAX_TOLD + 1
            for line in [*lines, more]:
                line.close()

    async def test_one_address_cannot_have_all_places_where_addresses_tell_clients_apart(
        self, serving: Any
    ) -> None:
        async with serving(max_connections=64, is_behind_proxy=False) as site:
            site.admission.is_full = False
            lines = [await site.open("127.0.0.2") for _ in range(16)]
            more = await site.open("127.0.0.2")
            assert (await more.ask()).is_refusal
            assert await more.is_over()
            assert (await site.ask()).status == 200  # from another address
            assert (await lines.pop().ask()).status == 200
            lines[0].close()
            await asyncio.sleep(0.05)
            again = await site.open("127.0.0.2")
            lines.append(await site.open("127.0.0.2"))
            assert (await again.ask()).status == 200
            for line in [*lines, more, again]:
                line.close()

    async def test_one_that_never_asks_is_closed(self, serving: Any) -> None:
        async with serving(keep_alive_s=0.1) as site:
            assert await (await site.open()).is_over()

    async def test_refusals_keep_a_connection_alive_as_answers_do(self, serving: Any) -> None:
        async with serving(keep_alive_s=0.5) as site:
            site.admission.is_full = False
            line = await site.open()
            assert (await line.ask()).status == 200
            site.admission.is_full = True
            for _ in range(8):
                await asyncio.sleep(0.1)
                assert (await line.ask()).is_refusal
            assert await line.is_over()


class TestHeadsAndBodies:
    """What comes before a question is whole is bounded in bytes and time."""

    @pytest.mark.parametrize("piece", [b"X: " + 70_000 * b"a", 10_000 * b"X-A: b\r\n"])
    async def test_a_head_that_does_not_end_is_refused(self, serving: Any, piece: bytes) -> None:
        async with serving() as site:
            line = await site.open()
            line.writer.write(b"GET /health/live HTTP/1.1\r\nHost: x\r\n" + piece)
            told = await line.hear()
            assert (told.status, json.loads(told.body)["code"]) == (431, "head_too_large")
            assert await line.is_over()
            assert site.unreadable == ["malformed"]

    async def test_so_is_a_message_without_a_beginning(self, serving: Any) -> None:
        async with serving() as site:
            line = await site.open()
            line.writer.write(40_000 * b"\r\n")
            assert (await line.hear()).status == 431

    async def test_and_what_follows_a_body_without_an_end(self, serving: Any) -> None:
        async with serving() as site:
            line = await site.open()
            line.writer.write(b"POST /x HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n")
            assert (await line.hear()).status == 503
            line.writer.write(b"X: " + 70_000 * b"a")
            assert (await line.hear()).status == 431
            assert await line.is_over()

    async def test_a_body_is_no_part_of_a_head(self, serving: Any) -> None:
        async with serving() as site:
            site.admission.is_full = False
            line = await site.open()
            head = b"POST /api/session HTTP/1.1\r\nHost: x\r\nContent-Length: 400000\r\n\r\n"
            line.writer.write(head + 400_000 * b"a")
            assert (await line.hear()).status == 413
            assert (await line.ask()).status == 200
            line.close()

    async def test_a_head_that_does_not_come_ends_the_connection(self, serving: Any) -> None:
        async with serving(limits={"head_s": 0.2}) as site:
            line = await site.open()
            line.writer.write(b"GET /health/live HTTP/1.1\r\nHost: x\r\n")
            for _ in range(3):
                await asyncio.sleep(0.05)
                line.writer.write(b"X: y\r\n")
            told = await line.hear()
            assert (told.status, json.loads(told.body)["code"]) == (408, "head_too_slow")
            assert await line.is_over()

    async def test_so_does_one_behind_a_whole_question(self, serving: Any) -> None:
        async with serving(limits={"head_s": 0.2}) as site:
            site.admission.is_full = False
            line = await site.open()
            line.writer.write(ASK % (b"/signals/BTC", b"") + b"GET /x HTTP/1.1\r\n")
            assert (await line.hear()).status == 200
            assert (await line.hear()).status == 408

    @pytest.mark.parametrize("start", [b"\r\n", b"\n"])
    async def test_lone_line_ends_are_no_life(self, serving: Any, start: bytes) -> None:
        async with serving(limits={"head_s": 0.2}) as site:
            line = await site.open()
            line.writer.write(start)
            assert await line.is_over()
            assert site.unreadable == []

    async def test_a_body_whose_next_piece_does_not_come_ends_it(self, serving: Any) -> None:
        async with serving(limits={"head_s": 0.1, "body_s": 0.4}) as site:
            site.admission.is_full = False
            line = await site.open()
            line.writer.write(b"POST /api/session HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n")
            for _ in range(3):
                await asyncio.sleep(0.2)
                line.writer.write(b"{")
            begun_s = asyncio.get_running_loop().time()
            assert await line.is_over()
            assert asyncio.get_running_loop().time() - begun_s > 0.2

    async def test_a_whole_question_has_all_the_time_its_answer_needs(self, serving: Any) -> None:
        async with serving(limits={"head_s": 0.1, "body_s": 0.1}) as site:
            site.admission.is_full = False
            release = asyncio.Event()
            site.rig.signals.gate = release.wait
            line = await site.open()
            line.writer.write(b"GET /signals/BTC HTTP/1.1\r\n")
            await asyncio.sleep(0.02)
            line.writer.write(b"Host: x\r\n\r\n")
            await site.rig.signals.started.get()
            line.writer.write(b"GET /signals/ETH HTTP/1.1\r\nHo")
            await asyncio.sleep(0.4)
            release.set()
            told = await line.hear()
            assert (told.status, told.headers.get(b"connection")) == (200, None)
            line.close()


class TestWhatCannotBeRead:
    @pytest.mark.parametrize("text", [b"\x16\x03\x01\x02\x00\r\n\r\n", b"GET / HTTP/1.1\r\nA b\r\n\r\n"])
    async def test_it_is_a_problem_with_all_headers(self, serving: Any, text: bytes) -> None:
        async with serving() as site:
            site.admission.is_full = False
            line = await site.open()
            line.writer.write(text)
            told = await line.hear()
            assert await line.is_over()
            assert site.unreadable == ["malformed"]
        problem = Problem.model_validate_json(told.body, by_name=False)
        assert (told.status, problem.status, problem.code) == (400, 400, "invalid_request")
        assert told.headers[b"x-request-id"].decode() == problem.request_id
        for name, value in (*standing_headers(site.rig.options), *policy_headers("/")):
            assert told.headers[name] == value

    async def test_the_log_has_one_line_for_many(
        self, serving: Any, caplog: pytest.LogCaptureFixture
    ) -> None:
        async with serving() as site:
            for _ in range(5):
                line = await site.open()
                line.writer.write(b"nonsense\r\n\r\n")
                assert (await line.hear()).status == 400
        assert len([one for one in caplog.records if one.levelname == "WARNING"]) == 1

    async def test_a_question_before_it_is_answered_first(self, serving: Any) -> None:
        async with serving() as site:
            site.admission.is_full = False
            line = await site.open()
            line.writer.write(ASK % (b"/signals/BTC", b"") + b"nonsense\r\n\r\n")
            told = await line.hear()
            assert (told.status, told.headers[b"connection"]) == (200, b"close")
            assert await line.is_over()


class TestPipelines:
    async def test_each_question_is_one_of_the_round_in_which_its_turn_comes(self, serving: Any) -> None:
        async with serving() as site:
            site.admission.is_full = False
            release = asyncio.Event()
            site.rig.signals.gate = release.wait
            line = await site.open()
            line.writer.write(40 * (ASK % (b"/signals/BTC", b"")))
            await site.rig.signals.started.get()
            assert len(site.admission.asked) == 1
            release.set()
            assert [(await line.hear()).status for _ in range(10)] == 10 * [200]
            site.admission.is_full = True
            rest = [(await line.hear()).status for _ in range(30)]
            assert len(site.admission.asked) == 40
            assert rest[-1] == 503
            site.admission.is_full = False
            assert (await line.ask()).status == 200
            line.close()

    async def test_what_nobody_would_wait_for_is_not_kept(self, serving: Any) -> None:
        async with serving() as site:
            site.admission.is_full = False
            line = await site.open()
            line.writer.write(1000 * (ASK % (b"/signals/BTC", b"")))
            told = [await line.hear() for _ in range(MAX_QUEUED + 1)]
            assert {one.status for one in told} == {200}
            assert told[-1].headers[b"connection"] == b"close"
            assert await line.is_over()
