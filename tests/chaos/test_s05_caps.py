"""S05: bodies, pages, lists and requests at once are capped: 413, 400, 429 for one caller, 503 for all."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import fields
from typing import Any

import httpx2
import pytest

from app.api.openapi import operations
from app.api.options import ApiOptions, digest_of
from tests.api.conftest import Rig
from tests.guarded_process import OWNER, QUIET, READER, address_of, bearer, client_of, guarded
from tests.live_process import Service

LIMITS: Mapping[str, int] = {
    one.name: one.default for one in fields(ApiOptions) if one.name.startswith("max_")
}
MAX_BODY = LIMITS["max_body_bytes"]
PATH = "/symbols?query=btc"
# Every array of an answer is bounded; the figures themselves are in the document.
TOKEN = "a-token-of-the-dashboard"


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with guarded(tmp_path_factory.mktemp("caps")) as found:
        yield found


def pieces(size: int) -> Iterator[bytes]:
    """A body whose length nobody declares."""
    for _ in range(size // 1024):
        yield b" " * 1024
    yield b" " * (size % 1024)


@pytest.mark.parametrize("path", ["/api/coins/add", "/api/session", "/mcp", PATH])
def test_a_body_over_the_cap_is_refused_declared_or_not(service: Service, path: str) -> None:
    headers = bearer(OWNER) | {"Content-Type": "application/json", "Accept": "application/json"}
    method = "GET" if path == PATH else "POST"
    with client_of(service) as client:
        declared = client.request(method, path, content=b" " * (MAX_BODY + 1), headers=headers)
        assert declared.status_code == 413
        assert declared.headers["Content-Type"] == "application/problem+json"
        if method == "POST":
            assert client.post(path, content=pieces(MAX_BODY + 1), headers=headers).status_code == 413
            assert client.post(path, content=pieces(10 * MAX_BODY), headers=headers).status_code == 413
            assert client.post(path, content=b" " * MAX_BODY, headers=headers).status_code == 400
        assert client.get(PATH, headers=bearer(OWNER)).status_code == 200


def hold(service: Service, key: str) -> socket.socket:
    """A request that is under way until its body comes, which it does not."""
    held = socket.create_connection(address_of(service), timeout=30)
    head = (
        "POST /api/coins/add HTTP/1.1\r\nHost: signals.test\r\nContent-Type: application/json\r\n"
        f"Authorization: Bearer {key}\r\nContent-Length: 40\r\n\r\n{{"
    )
    held.sendall(head.encode())
    return held


def settled(client: httpx2.Client, key: str, status: int) -> httpx2.Response:
    """Ask until the answer is this; connections are noticed one after the other."""
    give_up_s = time.monotonic() + 30
    while True:
        answer = client.get(PATH, headers=bearer(key))
        if answer.status_code == status:
            return answer
        assert time.monotonic() < give_up_s, answer.status_code
        time.sleep(0.02)


def test_one_caller_cannot_use_up_the_process_and_all_of_them_get_a_503(service: Service) -> None:
    mine, all_of_us = LIMITS["max_in_flight_per_client"], LIMITS["max_in_flight"]
    with ExitStack() as held, client_of(service) as client:
        for _ in range(mine):
            held.enter_context(hold(service, READER))
        refused = settled(client, READER, 429)
        assert int(refused.headers["Retry-After"]) >= 1
        assert client.get(PATH, headers=bearer(OWNER)).status_code == 200  # nobody else is
        for number in range(all_of_us - mine):
            held.enter_context(hold(service, OWNER if number % 2 else QUIET))
        refused = settled(client, OWNER, 503)
        assert int(refused.headers["Retry-After"]) >= 1
        assert refused.json()["code"] == "overloaded"
        assert client.get("/health/live").status_code == 200  # it lives, and says so
    with client_of(service) as client:
        settled(client, READER, 200)


@pytest.fixture(scope="module")
def rig() -> Rig:
    options = {"rate_limit_per_minute": 1_000_000, "dashboard_token_digest": digest_of(TOKEN)}
    return Rig(**options)


def parameters(rig: Rig) -> Iterator[tuple[str, Mapping[str, Any], list[Mapping[str, Any]]]]:
    """Path, the parameter, and all parameters of each GET that can be asked with BTC."""
    for path, method, operation in operations(rig.app.openapi()):
        for parameter in operation.get("parameters", ()):
            if method == "get" and parameter["in"] == "query":
                yield path, parameter, operation["parameters"]


def test_every_number_and_text_that_can_be_asked_has_a_bound(rig: Rig) -> None:
    found = 0
    for path, parameter, _ in parameters(rig):
        schema, where = parameter["schema"], f"{path} {parameter['name']}"
        kinds = {schema.get("type")} | {one.get("type") for one in schema.get("anyOf", ())}
        if "integer" in kinds or "number" in kinds:
            assert "maximum" in schema, where
            found += 1
        elif "string" in kinds:
            assert "maxLength" in schema or "enum" in schema, where
            found += 1
    assert found > 40


async def test_a_page_larger_than_the_largest_is_refused_on_every_route(rig: Rig) -> None:
    tried = 0
    async with rig.client() as client:
        for path, parameter, beside in parameters(rig):
            schema = parameter["schema"]
            if schema.get("type") != "integer":
                continue
            url = path.replace("{symbol}", "BTC").replace("{series}", "candles").replace("{name}", "signals")
            needed = {one["name"]: "BTC" for one in beside if one.get("required") and one["in"] == "query"}
            query = needed | {parameter["name"]: str(schema["maximum"] + 1)}
            answer = await client.get(url, params=query, headers={"Cookie": rig.cookie_of(TOKEN)})
            assert answer.status_code == 400, (url, query, answer.text[:200])
            tried += 1
    assert tried > 10


def test_every_list_in_an_answer_has_a_bound(rig: Rig) -> None:
    def unbounded(node: Any, where: str) -> Iterator[str]:
        if isinstance(node, dict):
            if node.get("type") == "array" and "maxItems" not in node:
                yield where
            for name, child in node.items():
                yield from unbounded(child, f"{where}/{name}")
        elif isinstance(node, list):
            for child in node:
                yield from unbounded(child, where)

    document = rig.app.openapi()
    assert list(unbounded(document["components"]["schemas"], "")) == []


@pytest.mark.parametrize(
    "symbols", [",".join(["BTC"] * 500), ",".join(f"C{n}" for n in range(21)), "x" * 900]
)
async def test_a_list_of_coins_has_a_longest(rig: Rig, symbols: str) -> None:
    answer = await rig.get("/signals", params={"symbols": symbols}, headers={"Cookie": rig.cookie_of(TOKEN)})
    assert answer.status_code in {200, 400}
    assert answer.status_code == 400 or len(answer.json()["items"]) <= 20
