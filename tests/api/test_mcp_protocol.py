"""`/mcp` over loopback: every protocol version, by the SDK's own client and by plain JSON-RPC; refusals."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator
from typing import Any

import httpx2
import pytest
import pytest_asyncio
from mcp import Client
from mcp.client.streamable_http import streamable_http_client
from mcp_types.version import HANDSHAKE_PROTOCOL_VERSIONS, KNOWN_PROTOCOL_VERSIONS

from app import telemetry
from app.api.mcp_options import McpOptions
from app.api.mcp_server import INSTRUCTIONS, NAME
from app.api.options import ApiKey
from app.services.transport.connection import tls_context
from tests.live_rig import forget_logging
from tests.mcp_rig import CALLS, HANDSHAKE, MODERN, McpRig, hello, mcp_rig, request, version_headers

READ, DEBUG_ONLY = "read-key-0123456789", "debug-only-key-0123456789"
KEYS = (
    ApiKey.from_plain("reader", READ, ["read"]),
    ApiKey.from_plain("debugger", DEBUG_ONLY, ["debug"]),
)


# One server for all that only asks it, in one loop with those who ask.
pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def server() -> AsyncIterator[McpRig]:
    async with mcp_rig() as found:
        yield found


@pytest_asyncio.fixture(loop_scope="module")
async def mcp(server: McpRig) -> AsyncIterator[McpRig]:
    """The server, and connections of this test's own."""
    async with httpx2.AsyncClient(base_url=server.url, verify=tls_context(), timeout=30) as client:
        yield McpRig(server.rig, server.url, client)


class TestEveryVersion:
    @pytest.mark.parametrize("version", HANDSHAKE_PROTOCOL_VERSIONS)
    async def test_the_sdk_lists_and_calls_every_tool_in_the_versions_of_the_handshake(
        self, mcp: McpRig, version: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("mcp.client.session.LATEST_HANDSHAKE_VERSION", version)
        async with Client(f"{mcp.url}/mcp", mode="legacy") as client:
            assert client.protocol_version == version
            await self.every_tool_answers(client)

    @pytest.mark.parametrize("mode", ["auto", MODERN])
    async def test_the_sdk_lists_and_calls_every_tool_in_the_newest_version(
        self, mcp: McpRig, mode: str
    ) -> None:
        async with Client(f"{mcp.url}/mcp", mode=mode) as client:
            assert client.protocol_version == KNOWN_PROTOCOL_VERSIONS[-1] == MODERN
            await self.every_tool_answers(client)

    @staticmethod
    async def every_tool_answers(client: Client) -> None:
        listed = (await client.list_tools()).tools
        assert [tool.name for tool in listed] == list(CALLS)
        for name, arguments in CALLS.items():
            result = await client.call_tool(name, arguments)
            assert not result.is_error, result
            (block,) = result.content
            assert block.type == "text"
            assert json.loads(block.text) == result.structured_content

    @pytest.mark.parametrize("version", KNOWN_PROTOCOL_VERSIONS)
    async def test_plain_json_rpc_lists_and_calls_every_tool(self, mcp: McpRig, version: str) -> None:
        if version in HANDSHAKE_PROTOCOL_VERSIONS:
            greeted = (await mcp.ask("initialize", hello(version), version))["result"]
            assert greeted["protocolVersion"] == version
            assert greeted["serverInfo"]["name"] == NAME
            assert greeted["instructions"] == INSTRUCTIONS
        tools = (await mcp.ask("tools/list", {}, version))["result"]["tools"]
        assert [tool["name"] for tool in tools] == list(CALLS)
        for name, arguments in CALLS.items():
            result = await mcp.call(name, arguments, version)
            assert result.get("isError", False) is False
            assert json.loads(result["content"][0]["text"])

    async def test_the_newest_version_greets_without_a_handshake(self, mcp: McpRig) -> None:
        found = (await mcp.ask("server/discover", {}, MODERN))["result"]
        assert found["instructions"] == INSTRUCTIONS
        assert MODERN in found["supportedVersions"]

    async def test_a_version_that_does_not_exist_is_answered_with_one_that_does(self, mcp: McpRig) -> None:
        found = (await mcp.ask("initialize", hello("1999-01-01")))["result"]
        assert found["protocolVersion"] in HANDSHAKE_PROTOCOL_VERSIONS
        refused = await mcp.post(request("tools/list"), MCP_Protocol_Version="1999-01-01")
        assert refused.status_code == 400

    async def test_no_session_is_kept(self, mcp: McpRig) -> None:
        greeted = await mcp.post(request("initialize", hello(HANDSHAKE)))
        assert "mcp-session-id" not in greeted.headers
        assert (await mcp.call("search_symbols", {"query": "BTC"}))["structuredContent"]["exact"] == "BTC"


class TestErrors:
    @pytest.mark.parametrize("version", [HANDSHAKE, MODERN])
    async def test_an_unknown_tool_is_a_protocol_error_that_repeats_nothing(
        self, mcp: McpRig, version: str
    ) -> None:
        error = (await mcp.ask("tools/call", {"name": "no_such<b>", "arguments": {}}, version))["error"]
        assert error["code"] == -32602
        assert error["message"] == "no such tool; tools/list names them all"

    @pytest.mark.parametrize("version", [HANDSHAKE, MODERN])
    async def test_an_unknown_method_is_a_protocol_error(self, mcp: McpRig, version: str) -> None:
        assert (await mcp.ask("prompts/list", {}, version))["error"]["code"] == -32601

    @pytest.mark.parametrize(
        ("tool", "arguments", "says"),
        [
            ("get_signal", {}, "symbol: Field required"),
            ("get_signal", {"symbol": "BTC", "mod": "balanced"}, "mod: Extra inputs are not permitted"),
            ("get_signal", {"symbol": "BTC", "mode": "wild"}, "mode: Input should be"),
            ("get_signal", {"symbol": "../x"}, "parameter 'symbol'"),
            ("get_signal", {"symbol": ["BTC"]}, "symbol: Input should be a valid string"),
            ("get_liquidity_map", {"symbol": "BTC", "timeframe": "3h"}, "parameter 'timeframe'"),
            ("search_symbols", {"query": "x" * 41}, "parameter 'query': at most 40 characters"),
            ("get_whales", {"limit": 201}, "limit: Input should be less than or equal to 200"),
            ("get_alerts", {"from": "yesterday"}, "parameter 'from'"),
        ],
    )
    async def test_bad_arguments_are_an_error_the_assistant_can_read(
        self, mcp: McpRig, tool: str, arguments: Any, says: str
    ) -> None:
        result = await mcp.call(tool, arguments)
        problem = json.loads(result["content"][0]["text"])
        assert result["isError"] is True
        assert "structuredContent" not in result
        assert (problem["status"], problem["code"]) == (400, "invalid_parameter")
        assert says in problem["detail"]

    @pytest.mark.parametrize(
        "body",
        [
            b"",
            b"{",
            b"null",
            b"[]",
            b'"x"',
            b"7",
            b"\xff\xfe\x00",
            b"[" * 20_000,
            b'{"a":' * 10_000,
            b'{"jsonrpc":"2.0","id":1}',
            b'{"jsonrpc":"1.0","id":1,"method":"tools/list"}',
            b'{"jsonrpc":"2.0","id":{},"method":"tools/list"}',
            b'{"jsonrpc":"2.0","id":1,"method":"tools/list","params":[1]}',
            b'{"jsonrpc":"2.0","id":1,"method":"tools/call"}',
            b'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":5}}',
            b'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"get_signal","arguments":[]}}',
            b'{"jsonrpc":"2.0","id":1' + b"0" * 5_000 + b',"method":"tools/list"}',
            json.dumps([request("tools/list"), request("tools/list")]).encode(),
        ],
    )
    @pytest.mark.parametrize("version", ["", HANDSHAKE, MODERN])
    async def test_garbage_is_refused_and_never_breaks_anything(
        self, mcp: McpRig, body: bytes, version: str
    ) -> None:
        sent = {"MCP-Protocol-Version": version, "Mcp-Method": "tools/list"} if version else {}
        answer = await mcp.post(body, **sent)
        assert 200 <= answer.status_code < 500
        assert "Traceback" not in answer.text
        if answer.status_code != 202:  # taken for a notification
            assert "error" in answer.json()

    @pytest.mark.parametrize("version", [HANDSHAKE, MODERN])
    @pytest.mark.parametrize("name", ["null", "NaN", "Infinity", "1.5", "1.0", "true", "{}", "[1]", "1e400"])
    async def test_a_request_whose_id_cannot_be_answered_to_is_told_so(
        self, mcp: McpRig, version: str, name: str
    ) -> None:
        body = json.dumps(request("tools/list", version=version)).replace('"id": 7', f'"id": {name}')
        answer = await mcp.post(body, **version_headers("tools/list", None, version))
        assert answer.status_code == 400
        assert (answer.json()["id"], answer.json()["error"]["code"]) == (None, -32600)

    @pytest.mark.parametrize("version", [HANDSHAKE, MODERN])
    @pytest.mark.parametrize("name", ['""', '"a"', "0", "-3", "123456789012345678901234567890"])
    async def test_texts_and_whole_numbers_are_ids(self, mcp: McpRig, version: str, name: str) -> None:
        body = json.dumps(request("tools/list", version=version)).replace('"id": 7', f'"id": {name}')
        answer = await mcp.post(body, **version_headers("tools/list", None, version))
        assert answer.json()["id"] == json.loads(name)
        assert answer.json()["result"]["tools"]

    async def test_batches_of_the_one_version_that_had_them_are_refused(self, mcp: McpRig) -> None:
        batch = [request("tools/list", version="2025-03-26")] * 2
        answer = await mcp.post(batch, MCP_Protocol_Version="2025-03-26")
        assert answer.status_code == 400
        assert "error" in answer.json()

    async def test_a_notification_is_taken_without_an_answer(self, mcp: McpRig) -> None:
        note = {"jsonrpc": "2.0", "method": "notifications/initialized"}
        answer = await mcp.post(note, MCP_Protocol_Version=HANDSHAKE)
        assert (answer.status_code, answer.content) == (202, b"")

    async def test_another_content_type_or_accept_is_refused(self, mcp: McpRig) -> None:
        for sent in ({"Content-Type": "text/plain"}, {"Content-Type": "application/jsonp"}, {}):
            form = await mcp.client.post("/mcp", content=b"x=1", headers=sent)
            assert (form.status_code, form.json()["code"]) == (415, "wrong_media_type")
            assert form.headers["content-type"] == "application/problem+json"
        named = await mcp.post(request("tools/list"), Content_Type="application/json; charset=utf-8")
        assert named.status_code == 200
        picky = await mcp.post(request("tools/list"), Accept="text/html")
        assert picky.status_code == 406

    @pytest.mark.parametrize("method", ["GET", "HEAD", "DELETE", "PUT", "PATCH"])
    async def test_nothing_but_post_is_answered_because_there_is_no_session_to_listen_to(
        self, mcp: McpRig, method: str
    ) -> None:
        answer = await mcp.client.request(method, "/mcp", headers={"Accept": "text/event-stream"})
        assert (answer.status_code, answer.headers["allow"]) == (405, "POST")
        if method != "HEAD":
            assert answer.json()["code"] == "method_not_allowed"

    @pytest.mark.parametrize("chunked", [False, True])
    async def test_a_body_over_the_cap_is_413(self, mcp: McpRig, chunked: bool) -> None:
        large = b'{"jsonrpc":"2.0","id":1,"method":"' + b"x" * 70_000 + b'"}'

        async def pieces() -> AsyncIterator[bytes]:
            for start in range(0, len(large), 10_000):
                yield large[start : start + 10_000]

        sent = {"Content-Type": "application/json", "Accept": "application/json"}
        answer = await mcp.client.post("/mcp", content=pieces() if chunked else large, headers=sent)
        assert (answer.status_code, answer.json()["code"]) == (413, "body_too_large")

    async def test_half_a_body_is_given_up_on(self, mcp: McpRig, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("app.api.mcp_server.BODY_S", 0.05)
        host, _, port = mcp.url.removeprefix("http://").partition(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        named = b"Host: localhost\r\nContent-Type: application/json\r\nContent-Length: 100"
        writer.write(b"POST /mcp HTTP/1.1\r\n" + named + b"\r\n\r\n{")
        assert (await reader.readline()).startswith(b"HTTP/1.1 408 ")
        writer.close()
        assert (await mcp.post(request("tools/list"))).status_code == 200


class TestNames:
    @pytest.mark.parametrize(
        "host", ["evil.example", "signals.example.com.evil.example", "localhost.evil", ""]
    )
    async def test_another_host_is_misdirected(self, mcp: McpRig, host: str) -> None:
        answer = await mcp.post(request("tools/list"), Host=host)
        assert (answer.status_code, answer.json()["code"]) == (421, "wrong_host")
        assert "MCP_ALLOWED_HOSTS" in answer.json()["detail"]
        assert not host or host not in answer.text

    @pytest.mark.parametrize("host", ["signals.example.com", "signals.example.com:443", "localhost:1"])
    async def test_the_hosts_of_the_list_are_served(self, mcp: McpRig, host: str) -> None:
        assert (await mcp.post(request("tools/list"), Host=host)).status_code == 200

    @pytest.mark.parametrize("origin", ["https://evil.example", "null", "https://signals.example.com.evil"])
    async def test_a_page_of_another_origin_is_refused(self, mcp: McpRig, origin: str) -> None:
        answer = await mcp.post(request("tools/list"), Origin=origin)
        assert (answer.status_code, answer.json()["code"]) == (403, "wrong_origin")

    @pytest.mark.parametrize("origin", ["https://signals.example.com", "http://localhost:6274"])
    async def test_pages_of_the_list_are_served(self, mcp: McpRig, origin: str) -> None:
        assert (await mcp.post(request("tools/list"), Origin=origin)).status_code == 200

    async def test_a_page_that_both_lists_name_may_ask_and_read(self) -> None:
        page = "https://desk.example"
        served = McpOptions.of("https://signals.example.com", more_origins=[page], local=True)
        async with mcp_rig(mcp=served, cors_origins=(page,)) as mcp:
            before = await mcp.client.options(
                "/mcp",
                headers={
                    "Origin": page,
                    "Access-Control-Request-Method": "POST",
                    "Access-Control-Request-Headers": "authorization,content-type,mcp-protocol-version",
                },
            )
            answer = await mcp.post(request("tools/list"), Origin=page)
        assert before.status_code == 200
        assert "POST" in before.headers["access-control-allow-methods"]
        assert answer.status_code == 200
        assert answer.headers["access-control-allow-origin"] == page

    async def test_names_do_not_matter_to_the_rest_of_the_service(self, mcp: McpRig) -> None:
        answer = await mcp.client.get("/signals/BTC", headers={"Host": "evil.example"})
        assert answer.status_code == 200


class TestKeys:
    @pytest.mark.parametrize(
        ("authorization", "status"),
        [(None, 401), ("Bearer wrong", 401), (f"Basic {READ}", 401), (f"Bearer {DEBUG_ONLY}", 403)],
    )
    async def test_production_serves_nobody_without_a_key_that_may_read(
        self, authorization: str | None, status: int
    ) -> None:
        async with mcp_rig(env="prod", api_keys=KEYS) as mcp:
            sent = {"Authorization": authorization} if authorization else {}
            for method in ("initialize", "tools/list"):
                answer = await mcp.post(request(method, hello(HANDSHAKE)), **sent)
                assert answer.status_code == status
                assert status != 403 or answer.json()["detail"] == "this key lacks the scope 'read'"
                assert READ not in answer.text + str(answer.headers)

    async def test_the_key_opens_every_tool_to_the_sdk(self) -> None:
        async with mcp_rig(env="prod", api_keys=KEYS) as mcp:
            http = httpx2.AsyncClient(headers={"Authorization": f"Bearer {READ}"})
            async with http, Client(streamable_http_client(f"{mcp.url}/mcp", http_client=http)) as client:
                result = await client.call_tool("get_signal", {"symbol": "BTC"})
            assert not result.is_error
            assert READ not in result.model_dump_json()

    async def test_the_key_is_in_no_log_and_logging_stays_as_it_was(
        self, caplog: pytest.LogCaptureFixture
    ) -> None:
        telemetry.configure_logging(level="DEBUG", json=True, redact=lambda text: text, data_mode="demo")
        before, level = list(logging.getLogger().handlers), logging.getLogger().level
        try:
            async with mcp_rig({"Authorization": f"Bearer {READ}"}, env="prod", api_keys=KEYS) as mcp:
                for name, arguments in CALLS.items():
                    await mcp.call(name, arguments)
                await mcp.post(request("tools/list"), Host="evil.example")
                await mcp.post(b"{")
            assert list(logging.getLogger().handlers) == before
            assert logging.getLogger().level == level
        finally:
            forget_logging()
        ours = [line for line in caplog.records if line.name.startswith(("mcp", "app", "sse"))]
        assert READ not in caplog.text
        assert all(line.levelno >= logging.WARNING for line in ours if line.name.startswith(("mcp", "sse")))

    async def test_the_rate_limit_counts_and_refuses_as_everywhere(self) -> None:
        async with mcp_rig(rate_limit_per_minute=2) as mcp:
            for left in ("1", "0"):
                answer = await mcp.post(request("tools/list"))
                assert (answer.status_code, answer.headers["ratelimit-remaining"]) == (200, left)
            refused = await mcp.post(request("tools/list"))
            assert (refused.status_code, refused.json()["code"]) == (429, "rate_limited")
            assert int(refused.headers["retry-after"]) >= 1


class TestEdge:
    async def test_every_answer_carries_request_id_and_data_mode_and_is_counted_as_one_route(
        self,
    ) -> None:
        async with mcp_rig() as mcp:
            answer = await mcp.post(request("tools/list"), X_Request_ID="abcdefgh-1")
            assert answer.headers["x-request-id"] == "abcdefgh-1"
            assert answer.headers["x-data-mode"] == "demo"
            assert answer.headers["content-type"].startswith("application/json")
            seen = mcp.rig.observed[-1]
        assert (seen["method"], seen["route"], seen["status"]) == ("POST", "/mcp", 200)

    async def test_an_error_of_a_tool_quotes_the_request_id(self, mcp: McpRig) -> None:
        params = {"name": "get_signal", "arguments": {"symbol": "BTCC"}}
        answer = await mcp.post(request("tools/call", params), X_Request_ID="abcdefgh-2")
        problem = json.loads(answer.json()["result"]["content"][0]["text"])
        assert problem["requestId"] == "abcdefgh-2"

    async def test_twenty_calls_at_once_are_each_answered_with_their_own(self, mcp: McpRig) -> None:
        coins = [f"C{n}" for n in range(20)]
        async with Client(f"{mcp.url}/mcp") as client:
            results = await asyncio.gather(
                *(client.call_tool("get_signal", {"symbol": coin}) for coin in coins)
            )
        assert [result.structured_content["symbol"] for result in results] == coins

    async def test_twenty_clients_at_once_open_the_door_once(self) -> None:
        async def visit(url: str) -> int:
            async with Client(f"{url}/mcp") as client:
                return len((await client.list_tools()).tools)

        async with mcp_rig() as mcp:
            assert await asyncio.gather(*(visit(mcp.url) for _ in range(20))) == [len(CALLS)] * 20

    async def test_no_document_names_it(self, mcp: McpRig) -> None:
        for path in ("/openapi.json", "/gpt/action-schema"):
            assert "/mcp" not in (await mcp.client.get(path)).text

    async def test_without_the_setting_there_is_no_such_route(self) -> None:
        async with mcp_rig(mcp=None) as mcp:
            assert (await mcp.post(request("tools/list"))).status_code == 404

    async def test_before_the_process_has_started_it_says_when_to_come_back(self) -> None:
        async with mcp_rig() as mcp:
            rig = mcp.rig
        async with rig.client() as client:
            answer = await client.post("/mcp", json=request("tools/list"))
        assert (answer.status_code, answer.json()["code"]) == (503, "mcp_unavailable")
        assert answer.headers["retry-after"] == "5"


async def test_the_headers_of_the_rig_are_those_of_the_newest_version() -> None:
    found = version_headers("tools/call", {"name": "get_signal"}, MODERN)
    assert found == {"MCP-Protocol-Version": MODERN, "Mcp-Method": "tools/call", "Mcp-Name": "get_signal"}
