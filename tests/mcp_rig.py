"""The app of the API tests behind a loopback port, asked the way MCP clients ask."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx2

from app.api.mcp_options import McpOptions
from app.services.transport.connection import tls_context
from tests.api.conftest import Rig
from tests.live_rig import listening

SERVED = McpOptions.of("https://signals.example.com", local=True)
JSON = {"Content-Type": "application/json", "Accept": "application/json, text/event-stream"}
# A version of the handshake; later ones carry what it says in every message.
HANDSHAKE = "2025-06-18"
MODERN = "2026-07-28"
# What makes each tool answer, beside its defaults.
CALLS: dict[str, dict[str, Any]] = {
    "get_signal": {"symbol": "BTC"},
    "get_market": {"symbol": "BTC"},
    "get_liquidity_map": {"symbol": "BTC"},
    "get_opportunities": {"symbol": "BTC"},
    "get_liquidations": {"symbol": "BTC"},
    "get_whales": {},
    "get_dashboard": {"symbol": "BTC"},
    "get_track_record": {},
    "get_alerts": {},
    "search_symbols": {"query": "BT"},
}


@dataclass(slots=True)
class McpRig:
    """rig: the app with its fakes. url: where it listens. client: plain HTTP to it."""

    rig: Rig
    url: str
    client: httpx2.AsyncClient

    async def post(self, message: Any, **headers: str) -> httpx2.Response:
        """One message as it is; text and bytes are sent as they are."""
        body = message if isinstance(message, str | bytes) else json.dumps(message)
        sent = JSON | {name.replace("_", "-"): value for name, value in headers.items()}
        return await self.client.post("/mcp", content=body, headers=sent)

    async def ask(self, method: str, params: Any = None, version: str = HANDSHAKE) -> dict[str, Any]:
        """The JSON-RPC answer to one request, of whatever era `version` is."""
        answer = await self.post(request(method, params, version), **version_headers(method, params, version))
        assert answer.status_code < 500, answer.text
        found: dict[str, Any] = answer.json()
        return found

    async def call(self, tool: str, arguments: Any = None, version: str = HANDSHAKE) -> dict[str, Any]:
        """The result of one tool call."""
        answer = await self.ask("tools/call", {"name": tool, "arguments": arguments or {}}, version)
        found: dict[str, Any] = answer["result"]
        return found


def request(method: str, params: Any = None, version: str = HANDSHAKE) -> dict[str, Any]:
    """A JSON-RPC request; the modern era says version and client in each."""
    params = dict(params or {})
    if version == MODERN:
        named = {"protocolVersion": MODERN, "clientInfo": {"name": "raw", "version": "1"}}
        params["_meta"] = {
            f"io.modelcontextprotocol/{name}": value
            for name, value in {**named, "clientCapabilities": {}}.items()
        }
    return {"jsonrpc": "2.0", "id": 7, "method": method, "params": params}


def version_headers(method: str, params: Any, version: str) -> dict[str, str]:
    found = {"MCP-Protocol-Version": version}
    if version == MODERN:
        found["Mcp-Method"] = method
        if method == "tools/call":
            found["Mcp-Name"] = params["name"]
    return found


def hello(version: str) -> dict[str, Any]:
    """The parameters of `initialize`."""
    return {
        "protocolVersion": version,
        "capabilities": {},
        "clientInfo": {"name": "raw", "version": "1"},
    }


@asynccontextmanager
async def mcp_rig(headers: Mapping[str, str] | None = None, **options: Any) -> AsyncIterator[McpRig]:
    """headers: sent by `client` with every request. options: of `ApiOptions`."""
    rig = Rig(**{"mcp": SERVED, "rate_limit_per_minute": 1_000_000, **options})
    async with (
        rig.app.router.lifespan_context(rig.app),
        listening(rig.app) as url,
        httpx2.AsyncClient(base_url=url, verify=tls_context(), headers=headers, timeout=30) as client,
    ):
        yield McpRig(rig, url, client)
