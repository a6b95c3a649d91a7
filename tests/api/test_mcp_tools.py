"""The tools of `/mcp` say what the REST routes say: same parameters, bodies, errors and limits."""

from __future__ import annotations

import asyncio
import dataclasses
import json
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from typing import Any

import httpx2
import pytest
import pytest_asyncio
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from app.api.mcp_server import INSTRUCTIONS
from app.api.openapi import operations
from app.core.errors import NoPriceAvailable, PlanTooLow, StorageUnavailable
from app.services.transport.connection import tls_context
from tests.derivatives_facts import facts
from tests.flow_facts import alert, delivery, stored
from tests.live_rig import NOW_MS, live_rig
from tests.mcp_rig import CALLS, HANDSHAKE, JSON, McpRig, mcp_rig, request

MAX_TOKENS = 25_000
CHARS_PER_TOKEN = 4
# Tool -> path of the route; {symbol} goes into the path, the rest into the query.
PATHS = {
    "get_signal": "/signals/{symbol}",
    "get_market": "/market/{symbol}",
    "get_liquidity_map": "/api/gpts/coinglass/liquidity-map",
    "get_opportunities": "/api/gpts/coinglass/trading-opportunities",
    "get_liquidations": "/coinglass/liquidations/{symbol}",
    "get_whales": "/advanced/whale/positions",
    "get_dashboard": "/coinglass/dashboard/{symbol}",
    "get_track_record": "/track-record",
    "get_alerts": "/api/alerts",
    "search_symbols": "/symbols",
}
# What this service keeps itself.
KEPT = {"get_track_record", "get_alerts", "search_symbols"}
# What is a part of the path there, of a second route.
BESIDE = {"get_track_record": {"symbol"}}
# Parameters of the route that a tool leaves at their default.
NOT_OFFERED = {"get_signal": {"debug"}, "get_whales": {"exchange"}}


def rest(tool: str, arguments: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    """Path and query of the same question."""
    query = {
        name: str(value).lower() if isinstance(value, bool) else value for name, value in arguments.items()
    }
    path = PATHS[tool]
    if "{symbol}" in path:
        path = path.replace("{symbol}", query.pop("symbol"))
    if tool in BESIDE and (symbol := query.pop("symbol", "")):
        path += f"/{symbol}"
    return path, query


# One loop for the servers of the module and those who ask them.
pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def server() -> AsyncIterator[McpRig]:
    """For the tests that change nothing of it or its fakes."""
    async with mcp_rig() as found:
        yield found


@pytest_asyncio.fixture(loop_scope="module")
async def mcp(server: McpRig) -> AsyncIterator[McpRig]:
    """The server, and connections of this test's own."""
    async with httpx2.AsyncClient(base_url=server.url, verify=tls_context(), timeout=30) as client:
        yield McpRig(server.rig, server.url, client)


async def listed(mcp: McpRig) -> dict[str, dict[str, Any]]:
    tools = (await mcp.ask("tools/list"))["result"]["tools"]
    return {tool["name"]: tool for tool in tools}


class TestList:
    async def test_every_tool_only_reads(self, mcp: McpRig) -> None:
        tools = await listed(mcp)
        assert set(tools) == set(CALLS) == set(PATHS)
        for name, tool in tools.items():
            hints = tool["annotations"]
            assert (hints["readOnlyHint"], hints["destructiveHint"]) == (True, False)
            assert hints["idempotentHint"] is True
            assert hints["openWorldHint"] is (
                name not in {"get_track_record", "get_alerts", "search_symbols"}
            )
            assert tool["title"] == hints["title"]
            assert 40 <= len(tool["description"]) <= 400

    async def test_arguments_are_the_parameters_of_the_route(self, mcp: McpRig) -> None:
        tools, document = await listed(mcp), mcp.rig.app.openapi()
        routes = {path: operation for path, _, operation in operations(document)}
        for name, tool in tools.items():
            parameters = {item["name"]: item for item in routes[PATHS[name]]["parameters"]}
            offered = tool["inputSchema"]
            assert offered["additionalProperties"] is False
            beside = BESIDE.get(name, set())
            assert set(offered["properties"]) == (set(parameters) - NOT_OFFERED.get(name, set())) | beside
            for argument in offered["properties"].keys() - beside:
                schema = offered["properties"][argument]
                documented = parameters[argument]
                schema = dict(schema)
                assert schema.pop("description") == documented["description"]
                schema.pop("examples", None)
                assert schema == {
                    key: value
                    for key, value in documented["schema"].items()
                    if key not in {"description", "examples"}
                }
                assert documented["required"] is (argument in offered.get("required", []))

    async def test_results_are_the_answers_of_the_route(self, mcp: McpRig) -> None:
        tools, document = await listed(mcp), mcp.rig.app.openapi()
        routes = {path: operation for path, _, operation in operations(document)}
        for name, tool in tools.items():
            content = routes[PATHS[name]]["responses"]["200"]["content"]["application/json"]
            model = document["components"]["schemas"][content["schema"]["$ref"].rpartition("/")[2]]
            Draft202012Validator.check_schema(tool["outputSchema"])
            assert tool["outputSchema"]["type"] == "object"
            assert tool["outputSchema"]["required"] == model["required"]
            assert set(tool["outputSchema"]["properties"]) == set(model["properties"])
            assert "maxLength" not in json.dumps(tool["outputSchema"])

    async def test_the_list_is_small_enough_to_be_carried_along(self, mcp: McpRig) -> None:
        answer = await mcp.post(request("tools/list"))
        assert len(answer.text) <= MAX_TOKENS * CHARS_PER_TOKEN
        unseen = [
            {k: v for k, v in tool.items() if k != "outputSchema"}
            for tool in answer.json()["result"]["tools"]
        ]
        assert len(json.dumps(unseen)) <= 16_000

    async def test_what_must_not_be_missed_is_said_in_the_first_512_characters(self) -> None:
        first = INSTRUCTIONS[:512]
        for said in (
            "data, not advice",
            "Freshness",
            "asOf",
            "ageS",
            "dataMode",
            "Units",
            "USD",
            "funding per 8 h",
        ):
            assert said in first
        assert all(name in INSTRUCTIONS for name in ("get_signal", "get_track_record", "search_symbols"))
        assert len(INSTRUCTIONS) <= 1_500


COINS = ["BTC", "eth", "SOLUSDT", "1000PEPE", "DOGE-USDT-SWAP"]
QUERY_COINS = [*COINS, "BTC/USDT:USDT"]
FRAMES = ["5m", "15m", "30m", "1h", "4h", "1d", "h4"]
QUESTIONS: dict[str, st.SearchStrategy[dict[str, Any]]] = {
    "get_signal": st.fixed_dictionaries(
        {"symbol": st.sampled_from(COINS)},
        optional={
            "mode": st.sampled_from(["conservative", "balanced", "aggressive"]),
            "timeframe": st.sampled_from(FRAMES),
        },
    ),
    "get_market": st.fixed_dictionaries({"symbol": st.sampled_from(COINS)}),
    "get_liquidity_map": st.fixed_dictionaries(
        {"symbol": st.sampled_from(QUERY_COINS)}, optional={"timeframe": st.sampled_from(FRAMES)}
    ),
    "get_opportunities": st.fixed_dictionaries(
        {"symbol": st.sampled_from(QUERY_COINS)}, optional={"timeframe": st.sampled_from(FRAMES)}
    ),
    "get_liquidations": st.fixed_dictionaries(
        {"symbol": st.sampled_from(COINS)},
        optional={"include_orders": st.booleans(), "include_map": st.booleans()},
    ),
    "get_whales": st.fixed_dictionaries(
        {}, optional={"symbol": st.sampled_from(["ALL", *QUERY_COINS]), "limit": st.integers(1, 200)}
    ),
    "get_dashboard": st.fixed_dictionaries({"symbol": st.sampled_from(COINS)}),
    "get_track_record": st.fixed_dictionaries(
        {},
        optional={"symbol": st.sampled_from(["", *COINS]), "detail": st.sampled_from(["compact", "full"])},
    ),
    "get_alerts": st.fixed_dictionaries(
        {},
        optional={
            "symbol": st.sampled_from(["", *QUERY_COINS]),
            "kind": st.sampled_from(["any", "STOP_HUNT", "OI_SPIKE"]),
            "severity": st.sampled_from(["any", "urgent"]),
            "kept": st.sampled_from(["any", "kept", "dropped"]),
            "from": st.sampled_from(["", "2025-06-11T00:00:00Z"]),
            "to": st.sampled_from(["", str(NOW_MS)]),
            "limit": st.integers(1, 50),
        },
    ),
    "search_symbols": st.fixed_dictionaries(
        {"query": st.sampled_from([*QUERY_COINS, "B", "pep", "ZZZZ"])}, optional={"limit": st.integers(1, 20)}
    ),
}


def drawn(questions: st.SearchStrategy[dict[str, Any]]) -> list[dict[str, Any]]:
    """A handful of questions that hypothesis chose, always the same: asking is the caller's, in its loop."""
    found: list[dict[str, Any]] = []

    @settings(max_examples=8, derandomize=True, suppress_health_check=list(HealthCheck))
    @given(questions)
    def collect(arguments: dict[str, Any]) -> None:
        found.append(arguments)

    collect()
    return found


async def both(post: Callable[..., Coroutine[Any, Any, Any]], get: Any, tool: str, arguments: Any) -> None:
    path, query = rest(tool, arguments)
    answer = await get(path, query)
    called = await post(request("tools/call", {"name": tool, "arguments": arguments}))
    assert answer.status_code == called.status_code == 200, answer.text
    result = called.json()["result"]
    assert result["structuredContent"] == answer.json()
    assert result["content"] == [{"type": "text", "text": answer.text}]


class TestEqualToRest:
    @pytest.mark.parametrize("tool", QUESTIONS)
    async def test_structured_content_is_the_body_of_the_route_for_whatever_is_asked(self, tool: str) -> None:
        """The running application on a simulated market, whose clock stands still."""
        async with live_rig() as rig:
            client = rig.app.client
            for _ in range(200):  # the database opens beside the start
                if (await client.get("/api/alerts")).status_code != 503:
                    break
                await asyncio.sleep(0.05)

            async def post(message: Any) -> Any:
                headers = {**JSON, "MCP-Protocol-Version": HANDSHAKE, "Host": "localhost"}
                return await client.post("/mcp", json=message, headers=headers)

            async def get(path: str, query: Any) -> Any:
                # Until it is out of the cache in all its parts, and says so, as the tool's will: a part that
                # was late comes into the cache after its answer.
                before = await client.get(path, params=query)
                for _ in range(20):
                    answer = await client.get(path, params=query)
                    if answer.text == before.text:
                        break
                    before = answer
                return answer

            for arguments in drawn(QUESTIONS[tool]):
                await both(post, get, tool, arguments)

    async def test_the_same_over_a_market_without_anything(self) -> None:
        async with mcp_rig() as mcp:
            mcp.rig.derivatives.found = {}
            for tool, arguments in CALLS.items():
                await both(mcp.post, lambda path, query: mcp.client.get(path, params=query), tool, arguments)

    @pytest.mark.parametrize(
        ("tool", "arguments"),
        [
            *((tool, {"symbol": "BTCC"}) for tool in PATHS if tool != "search_symbols"),
            ("search_symbols", {"query": "../x"}),
            ("get_signal", {"symbol": "BTC", "mode": "wild"}),
            ("get_opportunities", {"symbol": "BTC", "timeframe": "3h"}),
            ("get_whales", {"limit": 0}),
        ],
    )
    async def test_an_error_is_the_problem_of_the_route(
        self, mcp: McpRig, tool: str, arguments: dict[str, Any]
    ) -> None:
        path, query = rest(tool, arguments)
        answer = await mcp.client.get(path, params=query)
        result = await mcp.call(tool, arguments)
        assert answer.status_code in {400, 404}
        assert result["isError"] is True
        told, problem = json.loads(result["content"][0]["text"]), answer.json()
        assert told.keys() == problem.keys()
        own = {"requestId", "instance"}
        assert {k: told[k] for k in told if k not in own} == {k: problem[k] for k in problem if k not in own}

    async def test_an_unknown_coin_names_look_alikes_and_no_price_names_who_failed(self) -> None:
        async with mcp_rig() as mcp:
            told = json.loads((await mcp.call("get_signal", {"symbol": "BTCC"}))["content"][0]["text"])
            assert (told["code"], told["near"][0]) == ("unknown_symbol", "BTC")
            mcp.rig.signals.error = NoPriceAvailable("BTC", ("okx ticker: no answer within 2.0 s",))
            told = json.loads((await mcp.call("get_signal", {"symbol": "BTC"}))["content"][0]["text"])
        assert (told["status"], told["code"]) == (503, "no_price")
        assert told["detail"] == "no price for BTC; okx: no answer within 2.0 s"

    @pytest.mark.parametrize(
        ("error", "code", "plan"),
        [
            (PlanTooLow("the heatmap", "hobbyist", "standard"), "plan_too_low", "standard"),
            (StorageUnavailable("sqlite", "down"), "storage_unavailable", None),
        ],
    )
    async def test_other_refusals_keep_their_code(
        self, error: Exception, code: str, plan: str | None
    ) -> None:
        async with mcp_rig() as mcp:
            mcp.rig.signals.error = error
            told = json.loads((await mcp.call("get_signal", {"symbol": "BTC"}))["content"][0]["text"])
        assert (told["code"], told["planNeeded"]) == (code, plan)

    async def test_a_bug_is_told_without_its_traceback_and_logged_with_it(
        self, caplog: pytest.LogCaptureFixture
    ) -> None:
        async with mcp_rig() as mcp:
            mcp.rig.signals.error = RuntimeError("secret inside /srv/app")
            result = await mcp.call("get_signal", {"symbol": "BTC"})
            assert not (await mcp.call("get_market", {"symbol": "BTC"})).get("isError", False)
        assert result["isError"] is True
        told = json.loads(result["content"][0]["text"])
        assert (told["status"], told["code"]) == (500, "internal_error")
        assert "secret" not in json.dumps(result)
        (line,) = [line for line in caplog.records if line.name == "app.api.mcp_server"]
        assert line.exc_info is not None


class TestSize:
    @pytest.mark.parametrize(
        ("tool", "arguments"),
        [
            ("get_signal", {"symbol": "BTC"}),
            ("get_market", {"symbol": "BTC"}),
            ("get_liquidity_map", {"symbol": "BTC"}),
            ("get_opportunities", {"symbol": "BTC"}),
            ("get_liquidations", {"symbol": "BTC", "include_orders": True, "include_map": True}),
            ("get_whales", {"limit": 200}),
            ("get_dashboard", {"symbol": "BTC"}),
            ("get_track_record", {"detail": "full"}),
            ("get_alerts", {"limit": 50}),
            ("search_symbols", {"query": "C", "limit": 20}),
        ],
    )
    async def test_the_fattest_result_fits_an_assistant(self, tool: str, arguments: dict[str, Any]) -> None:
        evidence = tuple((f"some_long_name_of_evidence_{n}_usd", 1234567.891 * n) for n in range(60))
        async with mcp_rig() as mcp:
            mcp.rig.signals.text = "x" * 5_000
            mcp.rig.market.readings = 5_000
            mcp.rig.derivatives.found = facts(venues=80)
            fat = [dataclasses.replace(alert(n, evidence=evidence), id=f"{n:016x}") for n in range(1, 60)]
            mcp.rig.alerts.rows = [stored(item, deliveries=(delivery(),) * 3) for item in fat]
            result = await mcp.call(tool, arguments)
        assert not result.get("isError", False), result
        text = result["content"][0]["text"]
        assert len(text) <= MAX_TOKENS * CHARS_PER_TOKEN
        assert len(text) >= 100
