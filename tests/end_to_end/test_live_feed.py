"""The live feed of the running demo: who is refused, what arrives, what a restart and a stop mean."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx2
import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Origin

from app.services.transport.connection import tls_context
from tests.live_process import Service, running
from tests.web_sockets_rig import WAIT_S, Deaf, greeted, hear, opened, socket_url

KEY = "n7Qw2Lk9Zx4Vb6Tr-read"
DEBUG_KEY = "p3Rt8Yc5Hm1Jd0Se-debug"
CANARY = "k2Wm6Nf0Qa4Xt8Zb-canary"
PARTS = {"coins", "quotes", "cards", "market", "top", "cascades", "alerts", "signals", "stream"}


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """The demo with keys asked for."""
    settings = {"API_KEYS": f"me:{KEY}:read,tools:{DEBUG_KEY}:debug", "LOG_LEVEL": "DEBUG"}
    folder = tmp_path_factory.mktemp("guarded")
    with running("--demo", folder=folder, settings=settings, path="/health/live") as service:
        yield service


def close_of(client: ClientConnection) -> tuple[int | None, dict[str, Any] | None]:
    """The close code, and the error told before it."""
    told = None
    try:
        while True:
            message = json.loads(client.recv(WAIT_S))
            if message["type"] == "error":
                told = message
    except ConnectionClosed:
        return client.close_code, told


def until(client: ClientConnection, part: str) -> Any:
    """The next message's `part`, once one has it."""
    deadline_s = time.monotonic() + WAIT_S
    while time.monotonic() < deadline_s:
        message = hear(client)
        if message.get(part):
            return message[part]
    raise AssertionError(f"no {part} within {WAIT_S} s")


class TestRefusals:
    """S04."""

    @pytest.mark.parametrize(
        "origin", ["https://evil.example", "null", None, "http://localhost.evil.example"]
    )
    def test_a_page_of_another_origin_gets_no_socket(self, demo: Service, origin: str | None) -> None:
        with pytest.raises(InvalidStatus) as refused, opened(demo.url, origin=origin):
            pass
        assert refused.value.response.status_code == 403

    @pytest.mark.parametrize("path", ["/", "/stream/status", "/mcp", "/events", "/no/such/path"])
    def test_no_other_path_is_a_socket(self, demo: Service, path: str) -> None:
        url = demo.url.replace("http://", "ws://") + path
        with pytest.raises(InvalidStatus) as refused, connect(url, origin=Origin("http://localhost")):
            pass
        assert refused.value.response.status_code == 403
        assert demo.get("/health/live").status_code == 200

    def test_a_token_in_the_address_is_refused_and_written_nowhere(self, guarded: Service) -> None:
        for query in (f"token={CANARY}", f"access_token={CANARY}", f"x={CANARY}"):
            with (
                pytest.raises(InvalidStatus) as refused,
                connect(f"{socket_url(guarded.url)}?{query}", origin=Origin("http://localhost")),
            ):
                pass
            assert refused.value.response.status_code == 403
        assert guarded.get("/events", params={"token": CANARY}).status_code == 401
        with opened(guarded.url) as client:
            client.send(json.dumps({"type": "hello", "token": CANARY, "resume": None}))
            assert close_of(client)[0] == 1008
        assert CANARY not in guarded.output.read_text()

    @pytest.mark.parametrize("token", [None, "", "wrong", KEY[:-1], DEBUG_KEY])
    def test_without_a_token_that_may_read_the_socket_is_closed(
        self, guarded: Service, token: str | None
    ) -> None:
        with opened(guarded.url) as client:
            client.send(json.dumps({"type": "hello", "token": token, "resume": None}))
            code, told = close_of(client)
        assert (code, told and told["code"]) == (1008, "unauthorized")

    def test_who_does_not_say_hello_in_time_is_closed(self, guarded: Service) -> None:
        begun_s = time.monotonic()
        with opened(guarded.url) as client:
            code, told = close_of(client)
        assert (code, told and told["code"]) == (1008, "hello_late")
        assert time.monotonic() - begun_s > 4

    def test_with_a_token_or_a_session_it_opens(self, guarded: Service) -> None:
        with opened(guarded.url) as client:
            assert greeted(client, token=KEY)["type"] == "snapshot"
        with httpx2.Client(base_url=guarded.url, verify=tls_context(), timeout=WAIT_S) as browser:
            answer = browser.post("/api/session", json={"token": KEY}, headers={"Origin": guarded.url})
            assert answer.status_code == 200, answer.text
        cookie = answer.headers["set-cookie"].partition(";")[0]
        with opened(guarded.url, additional_headers={"Cookie": cookie}) as client:
            assert greeted(client)["type"] == "snapshot"


class TestFeed:
    def test_a_snapshot_has_every_part_and_the_coins_are_told_as_they_change(self, demo: Service) -> None:
        with opened(demo.url) as client:
            first = greeted(client)
            assert first["type"] == "snapshot"
            assert first.keys() >= PARTS
            assert [coin["symbol"] for coin in first["coins"]] == ["BTC", "ETH", "SOL"]
            quotes = until(client, "quotes")
            assert quotes.keys() <= {"BTC", "ETH", "SOL"}

    def test_cards_are_those_of_the_route_and_nothing_of_them_is_stored(self, demo: Service) -> None:
        before = demo.get("/api/signals/history").json()["items"]
        body = demo.get("/api/signals").json()
        assert [item["symbol"] for item in body["items"]] == ["BTC", "ETH", "SOL"]
        assert all(item["error"] is None and item["coverage"] == 1 for item in body["items"])
        with opened(demo.url) as client:
            cards = greeted(client)["cards"] or until(client, "cards")
            for symbol, card in cards.items():
                assert card.keys() == body["items"][0].keys()
                assert card["symbol"] == symbol
        assert demo.get("/api/signals/history").json()["items"] == before

    def test_who_comes_back_gets_what_was_missed_and_another_hub_starts_anew(self, demo: Service) -> None:
        with opened(demo.url) as client:
            first = greeted(client)
        place = {"hub": first["hub"], "seq": first["seq"]}
        with opened(demo.url) as client:
            assert greeted(client, resume=place)["type"] == "delta"
        with opened(demo.url) as client:
            assert greeted(client, resume={**place, "hub": "0000"})["type"] == "snapshot"

    def test_after_a_restart_a_client_starts_anew_with_another_hub(self, tmp_path: Path) -> None:
        hubs = []
        place = None
        for number in range(2):
            folder = tmp_path / str(number)
            folder.mkdir()
            with running("--demo", folder=folder, path="/health/live") as service, opened(service.url) as one:
                first = greeted(one, resume=place)
                assert first["type"] == "snapshot"
                place = {"hub": first["hub"], "seq": first["seq"]}
                hubs.append(first["hub"])
        assert hubs[0] != hubs[1]

    def test_events_are_the_same_and_resume_by_last_event_id(self, demo: Service) -> None:
        first = next(events(demo, {}))
        assert first["event"] == "snapshot"
        body = json.loads(first["data"])
        assert body.keys() >= PARTS
        assert first["id"] == f"{body['hub']}:{body['seq']}"
        assert next(events(demo, {"Last-Event-ID": first["id"]}))["event"] == "delta"
        assert next(events(demo, {"Last-Event-ID": "0000:1"}))["event"] == "snapshot"
        assert demo.get("/events", params={"token": "x"}).status_code == 400

    def test_asking_for_the_head_of_the_events_ends(self, demo: Service) -> None:
        with httpx2.Client(base_url=demo.url, verify=tls_context(), timeout=WAIT_S) as client:
            answer = client.head("/events")
        assert (answer.status_code, answer.headers["content-type"]) == (
            200,
            "text/event-stream; charset=utf-8",
        )

    def test_a_client_that_leaves_is_counted_out(self, demo: Service) -> None:
        with opened(demo.url) as client:
            greeted(client)
        next(events(demo, {}))
        deadline_s = time.monotonic() + WAIT_S
        counts = None
        while time.monotonic() < deadline_s and counts != {"ws": 0.0, "sse": 0.0}:
            text = demo.get("/metrics").text
            counts = {kind: metric(text, f'live_clients{{kind="{kind}"}}') for kind in ("ws", "sse")}
        assert counts == {"ws": 0.0, "sse": 0.0}
        assert metric(text, 'live_messages_total{kind="ws",message="snapshot"}') >= 1


def test_a_stop_tells_everybody_at_once_and_ends_with_status_zero(tmp_path: Path) -> None:
    with running("--demo", folder=tmp_path, path="/health/live") as service, ExitStack() as stack:
        clients = [stack.enter_context(opened(service.url)) for _ in range(3)]
        for client in clients:
            assert greeted(client)["type"] == "snapshot"
        silent = stack.enter_context(opened(service.url))
        deaf = Deaf(service.url)
        stream = events(service, {})
        assert next(stream)["event"] == "snapshot"
        heard: list[str] = []
        listening = threading.Thread(target=lambda: heard.extend(event["event"] for event in stream))
        listening.start()
        begun_s = time.monotonic()
        assert service.terminate() == 0
        assert time.monotonic() - begun_s < 10
        listening.join(WAIT_S)
        assert not listening.is_alive()
        for client in (*clients, silent):
            assert close_of(client)[0] == 1012
        deaf.close()
    assert "Traceback" not in service.output.read_text()


def events(service: Service, headers: dict[str, str]) -> Iterator[dict[str, str]]:
    """Server-sent events, each as its fields."""
    with (
        httpx2.Client(base_url=service.url, verify=tls_context(), timeout=WAIT_S) as client,
        client.stream("GET", "/events", headers=headers) as answer,
    ):
        assert answer.status_code == 200
        assert answer.headers["content-type"].startswith("text/event-stream")
        fields: dict[str, str] = {}
        for line in answer.iter_lines():
            if line:
                name, _, value = line.partition(": ")
                fields[name] = value
            elif "data" in fields:
                yield fields
                fields = {}


def metric(text: str, name: str) -> float:
    found = [line for line in text.splitlines() if line.startswith(name)]
    return float(found[0].rpartition(" ")[2]) if found else -1.0
