"""What the setup pages for assistants tell people to type exists, parses, and fits where it goes."""

from __future__ import annotations

import ast
import json
import re
from pathlib import Path

from app.api.errors import BodyTooLarge, BodyTooSlow, McpUnavailable, WrongHost, WrongOrigin
from app.api.openapi import ACTION_OPERATIONS
from tests.mcp_rig import CALLS, mcp_rig

DOCS = Path(__file__).resolve().parents[2] / "docs"
MCP_PAGE = (DOCS / "mcp-setup.md").read_text("utf-8")
GPT_PAGE = (DOCS / "gpt-setup.md").read_text("utf-8")


def blocks(page: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", page, re.M | re.S)


def test_every_configuration_parses() -> None:
    found = [json.loads(block) for block in blocks(MCP_PAGE, "json")]
    assert len(found) == 7
    assert all("signals" in item.get("mcpServers", item.get("servers")) for item in found)


def test_the_python_client_compiles() -> None:
    (code,) = blocks(MCP_PAGE, "python")
    ast.parse(code)


async def test_the_table_of_tools_is_the_list_with_its_arguments() -> None:
    rows = re.findall(r"^\| `(\w+)` \| (.*?) \| `GET ", MCP_PAGE, re.M)
    async with mcp_rig() as mcp:
        tools = (await mcp.ask("tools/list"))["result"]["tools"]
    told = {name: re.findall(r"`(\w+)`", arguments) for name, arguments in rows}
    assert told == {tool["name"]: list(tool["inputSchema"]["properties"]) for tool in tools}


async def test_the_request_to_try_by_hand_is_answered() -> None:
    (body,) = re.findall(r"-d '(\{.*\})'", MCP_PAGE)
    async with mcp_rig() as mcp:
        result = (await mcp.post(body)).json()["result"]
    assert result["structuredContent"]["symbol"] == "BTC"


def test_every_refusal_of_the_door_is_in_the_table() -> None:
    for error in (WrongHost, WrongOrigin, BodyTooSlow, BodyTooLarge, McpUnavailable):
        assert f"{error.http_status} `{error.code}`" in MCP_PAGE


def test_the_instructions_fit_the_field_and_name_only_operations_that_exist() -> None:
    (text,) = blocks(GPT_PAGE, "text")
    assert 2_000 <= len(text) <= 8_000
    named = set(re.findall(r"\b(?:get|list)[A-Z]\w+", text))
    assert named <= set(ACTION_OPERATIONS)
    for said in ("data, not advice", "dataMode", "Ages", "missing", "track record", "interval"):
        assert said in text


def test_the_readme_names_every_tool() -> None:
    readme = (DOCS.parent / "README.md").read_text("utf-8")
    assert [name for name in CALLS if f"`{name}`" not in readme] == []
