"""S04: the WebSocket takes pages of our origin, and a token in the first message, soon, never in the URL.

Over the real server; what each refusal looks like inside is in `tests/api/test_live_socket.py`.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Origin

from tests.guarded_process import ORIGIN, OWNER, READER, client_of, guarded
from tests.live_process import Service
from tests.web_sockets_rig import WAIT_S, greeted, opened, socket_url

FOREIGN = {
    "evil": "https://evil.example",
    "null": "null",
    "missing": None,
    "empty": "",
    "plain http": "http://signals.test",
    "another port": "https://signals.test:8443",
    "longer": "https://signals.test.evil.example",
    "with a user": "https://signals.test@evil.example",
}


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with guarded(tmp_path_factory.mktemp("socket")) as found:
        yield found


def refused(service: Service, origin: str | None, *, query: str = "", **more: Any) -> int:
    """The status of a handshake that fails."""
    with pytest.raises(InvalidStatus) as caught:
        connect(
            socket_url(service.url) + query,
            origin=None if origin is None else Origin(origin),
            open_timeout=WAIT_S,
            compression=None,
            **more,
        )
    return caught.value.response.status_code


def end_of(client: ClientConnection) -> tuple[int, list[dict[str, Any]]]:
    """The close code, and what was said before it."""
    said = [json.loads(text) for text in heard_of(client)]
    assert client.close_code is not None
    return client.close_code, said


def heard_of(client: ClientConnection) -> Iterator[str | bytes]:
    with suppress(ConnectionClosed):
        while True:
            yield client.recv(WAIT_S)


@pytest.mark.parametrize("origin", FOREIGN.values(), ids=FOREIGN)
def test_a_page_of_another_origin_gets_no_connection(service: Service, origin: str | None) -> None:
    assert refused(service, origin) == 403


def test_a_cookie_of_ours_does_not_help_another_origin(service: Service) -> None:
    with client_of(service) as client:
        login = client.post("/api/session", json={"token": OWNER}, headers={"Origin": ORIGIN})
    assert login.status_code == 200
    cookie = {"Cookie": login.headers["Set-Cookie"].partition(";")[0]}
    assert refused(service, FOREIGN["evil"], additional_headers=cookie) == 403
    with opened(service.url, origin=ORIGIN, additional_headers=cookie) as socket:
        assert greeted(socket)["type"] == "snapshot"


def test_a_token_counts_in_the_first_message_and_nowhere_else(service: Service) -> None:
    for query in (f"?token={READER}", f"?access_token={READER}", "?x"):
        assert refused(service, ORIGIN, query=query) == 403
    with opened(
        service.url, origin=ORIGIN, additional_headers={"Authorization": f"Bearer {READER}"}
    ) as socket:
        assert greeted(socket)["code"] == "unauthorized"
    for token in (None, "", "guess", READER[:-1], f"sha256${'0' * 64}"):
        with opened(service.url, origin=ORIGIN) as socket:
            assert greeted(socket, token=token)["code"] == "unauthorized"
            assert end_of(socket)[0] == 1008
    with opened(service.url, origin=ORIGIN) as socket:
        assert greeted(socket, token=READER)["type"] == "snapshot"
    assert READER not in service.output.read_text()


def test_who_says_nothing_for_five_seconds_is_closed(service: Service) -> None:
    with opened(service.url, origin=ORIGIN) as socket:
        begun_s = time.monotonic()
        code, said = end_of(socket)
        # A busy machine may be late, never early.
        assert time.monotonic() - begun_s > 4.5
    assert (code, [one["code"] for one in said]) == (1008, ["hello_late"])
