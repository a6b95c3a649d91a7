"""`/mcp` of a process as an operator starts it: the SDK's client on it, and how it starts and stops."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from mcp import Client

from tests.live_process import Service, running
from tests.live_rig import closed_port
from tests.mcp_rig import CALLS, HANDSHAKE, JSON, MODERN, request

STOP_S = 10.0
KEY = "mcp-0123456789-abcdefghij"


@pytest.fixture(scope="module")
def tools(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A demo of its own: the shared one counts the requests of all tests against one limit."""
    settings = {"RATE_LIMIT_PER_MINUTE": "100000"}
    with running("--demo", folder=tmp_path_factory.mktemp("mcp"), settings=settings) as service:
        yield service


def post(service: Service, message: Any, **headers: str) -> httpx2.Response:
    sent = JSON | {name.replace("_", "-"): value for name, value in headers.items()}
    return httpx2.post(f"{service.url}/mcp", json=message, headers=sent, timeout=30)


@pytest.mark.parametrize("mode", ["auto", "legacy", MODERN])
async def test_the_sdk_calls_every_tool_of_the_demo(tools: Service, mode: str) -> None:
    async with Client(f"{tools.url}/mcp", mode=mode) as client:
        assert [tool.name for tool in (await client.list_tools()).tools] == list(CALLS)
        for name, arguments in CALLS.items():
            result = await client.call_tool(name, arguments)  # the SDK checks it against the output schema
            assert not result.is_error, (name, result)
            assert result.structured_content["dataMode"] == "demo"


async def test_an_assistant_finds_its_way_from_a_misspelt_coin(tools: Service) -> None:
    async with Client(f"{tools.url}/mcp") as client:
        refused = await client.call_tool("get_signal", {"symbol": "PEPPE"})
        problem = json.loads(refused.content[0].text)  # type: ignore[union-attr]
        assert refused.is_error
        assert problem["near"] == ["PEPE"]
        found = await client.call_tool("get_signal", {"symbol": problem["near"][0]})
        assert found.structured_content["symbol"] == "PEPE"


def test_production_wants_a_key_and_the_public_name(tmp_path: Path) -> None:
    settings = {
        "ENV": "prod",
        "DATA_MODE": "demo",
        "ALLOW_DEMO_IN_PROD": "true",
        "API_KEYS": f"assistant:{KEY}:read",
        "PUBLIC_URL": "https://signals.example.com",
        "LOG_LEVEL": "DEBUG",
        "WORKER": "off",
        "PORT": str(closed_port()),
    }
    bearer = {"Authorization": f"Bearer {KEY}"}
    with running("--demo", folder=tmp_path, settings=settings, path="/health/live") as service:
        assert post(service, request("tools/list")).status_code == 401
        assert post(service, request("tools/list"), Authorization="Bearer x").status_code == 401
        assert post(service, request("tools/list"), Host="evil.example", **bearer).status_code == 421
        assert (
            post(service, request("tools/list"), Origin="https://evil.example", **bearer).status_code == 403
        )
        named = post(service, request("tools/list"), Host="signals.example.com", **bearer)
        assert named.status_code == 200
        assert named.headers["strict-transport-security"]
        call = request("tools/call", {"name": "search_symbols", "arguments": {"query": "BTC"}})
        assert post(service, call, **bearer).status_code == 200
        assert service.terminate() == 0
        assert KEY not in service.output.read_text()


def test_a_process_with_open_mcp_connections_stops_in_time(tmp_path: Path) -> None:
    with running("--demo", folder=tmp_path, settings={"WORKER": "off"}) as service:
        host, _, port = service.url.removeprefix("http://").partition(":")
        kept = httpx2.Client(base_url=service.url)  # keeps its connection alive
        answer = kept.post(
            "/mcp", json=request("tools/list"), headers={**JSON, "MCP-Protocol-Version": HANDSHAKE}
        )
        assert answer.status_code == 200
        half = socket.create_connection((host, int(port)))  # the rest of this request never comes
        half.sendall(b"POST /mcp HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n{")
        begun = time.monotonic()
        assert service.terminate() == 0
        took_s = time.monotonic() - begun
        half.close()
        kept.close()
        log = service.output.read_text()
    assert took_s <= STOP_S
    assert "Traceback" not in log


def test_it_can_be_switched_off(tmp_path: Path) -> None:
    with running("--demo", folder=tmp_path, settings={"MCP": "off", "WORKER": "off"}) as service:
        assert post(service, request("tools/list")).status_code == 404
