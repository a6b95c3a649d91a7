"""The MCP server behind `/mcp`: official SDK, streamable HTTP, stateless, JSON answers.

Loaded by the first visitor (`app.api.mcp_door`), because the SDK is heavy. Owns the protocol: which names are
served, which tools are listed, and how an answer or an error of the REST side is told here. The SDK's
lower server is used and not its wrapper: that one sets up logging of its own and can say nothing that we
could not say shorter.
"""

from __future__ import annotations

import json
import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any, cast

from mcp import MCPError
from mcp.server.context import ServerRequestContext
from mcp.server.lowlevel import Server
from mcp.server.streamable_http_manager import StreamableHTTPSessionManager
from mcp.server.transport_security import TransportSecurityMiddleware, TransportSecuritySettings
from mcp_types import (
    INVALID_PARAMS,
    CallToolRequestParams,
    CallToolResult,
    ListToolsResult,
    PaginatedRequestParams,
    TextContent,
    ToolAnnotations,
)
from mcp_types import Tool as ListedTool
from pydantic import ValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.types import Receive, Scope, Send

from app.api.auth import require_scope
from app.api.errors import WrongHost, WrongOrigin
from app.api.mcp_messages import check_media_type, read_body, refusal_of, told_again
from app.api.mcp_options import McpOptions
from app.api.mcp_schemas import input_schema, output_schema
from app.api.mcp_tools import Tool
from app.api.openapi import TITLE
from app.api.options import ApiOptions
from app.api.options import Scope as KeyScope
from app.api.problems import internal, invalid_input, problem_of
from app.api.schemas.problem import Problem
from app.core.errors import ServiceError

NAME = "crypto-futures-signals"
# A message is a few hundred bytes. Well under the ten seconds in which the process has to stop.
BODY_S = 5.0
# Clients may show or read no more than the first 512 characters: what must not be missed is said there.
INSTRUCTIONS = (
    "Market data and arithmetic on crypto perpetual futures: data, not advice. "
    "Freshness: every answer has asOf or timestamp, ages in seconds (ageS) and dataMode; demo and replay "
    "are not the market of now, so say so first. State ages and every missing input; never fill a gap "
    "from memory. Units: money USD, fractions (0.01 = 1 %), funding per 8 h (positive: longs pay shorts), "
    "score 0 bearish, 50 neutral, 100 bullish, times UTC.\n"
    "Start with get_signal for a view on one coin, get_market for raw figures, get_dashboard for all of "
    "its derivatives, get_liquidity_map for levels, get_opportunities for plans with entry and stop, "
    "get_track_record for what the signals were worth: say its summary whenever somebody asks whether they "
    "work. Where "
    "a symbol is not known, search_symbols finds its look-alikes. Liquidation levels are estimates unless "
    "their source says otherwise; chances are shares measured in the past. coverage below 0.5 means that "
    "no direction is given. An error names its cause in `code` and `detail`."
)
_log = logging.getLogger(__name__)


class McpServer:
    """Answers requests of MCP clients while `running` is entered. Entered once."""

    def __init__(self, options: ApiOptions, served: McpOptions, tools: Sequence[Tool]) -> None:
        self._options = options
        self._tools = {tool.name: tool for tool in tools}
        self._listed = ListToolsResult(tools=[_listed(tool) for tool in tools])
        security = TransportSecuritySettings(
            allowed_hosts=list(served.hosts), allowed_origins=list(served.origins)
        )
        self._names = TransportSecurityMiddleware(security)
        server: Server[Any] = Server(
            NAME,
            version=options.version,
            title=TITLE,
            instructions=INSTRUCTIONS,
            on_list_tools=self._list,
            on_call_tool=self._call,
        )
        server.middleware.clear()  # a span per message, for an exporter that nobody sets up
        self._manager = StreamableHTTPSessionManager(
            server,
            json_response=True,  # nothing is streamed: an answer is one body, and no connection stays open
            stateless=True,
            security_settings=security,
            max_request_body_size=options.max_body_bytes,
        )

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """To be left by the task that entered it."""
        async with self._manager.run():
            yield

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request.

        Raises: MissingScope, WrongHost, WrongOrigin, WrongMediaType, BodyTooSlow, BodyTooLarge; HTTPException
        (405) for all but POST.
        """
        request = Request(scope, receive)
        require_scope(request, self._options, KeyScope.READ)
        # Asked here too, before the SDK does: its own refusals are plain text that says nothing of the cure.
        refusal = await self._names.validate_request(request)
        if refusal is not None:
            raise WrongHost if refusal.status_code == 421 else WrongOrigin
        if request.method != "POST":
            raise HTTPException(405, headers={"Allow": "POST"})
        check_media_type(request)
        body = await read_body(receive, BODY_S)
        if body is None:
            return
        unanswerable = refusal_of(body)
        if unanswerable is not None:
            await unanswerable(scope, receive, send)
            return
        await self._manager.handle_request(scope, told_again(body, receive), send)

    async def _list(
        self, _context: ServerRequestContext[Any], _params: PaginatedRequestParams | None
    ) -> ListToolsResult:
        return self._listed

    async def _call(
        self, context: ServerRequestContext[Any], params: CallToolRequestParams
    ) -> CallToolResult:
        tool = self._tools.get(params.name)
        if tool is None:
            raise MCPError(INVALID_PARAMS, "no such tool; tools/list names them all")
        request = cast(Request, context.request)  # every message came by HTTP
        try:
            arguments = tool.arguments.model_validate(params.arguments or {})
        except ValidationError as error:
            return _failed(invalid_input(request.scope, error.errors()))
        try:
            return _answered(await tool.ask(request, arguments))
        except Exception as error:  # noqa: BLE001 - the last resort of a tool, named in test_house_rules
            if isinstance(error, ServiceError) and error.http_status != 500:
                return _failed(problem_of(request.scope, error))
            # A bug of ours: logged with its traceback, told without.
            seen = {"tool": tool.name, "requestId": request.scope.get("request_id", "")}
            _log.exception("unhandled error in a tool", extra=seen)
            return _failed(internal(request.scope))


def _listed(tool: Tool) -> ListedTool:
    return ListedTool(
        name=tool.name,
        title=tool.title,
        description=tool.description,
        input_schema=input_schema(tool.arguments),
        output_schema=output_schema(tool.answer),
        annotations=ToolAnnotations(
            title=tool.title,
            read_only_hint=True,
            destructive_hint=False,
            idempotent_hint=True,
            open_world_hint=tool.is_open,
        ),
    )


def _answered(body: bytes) -> CallToolResult:
    """The body of the REST route as structured content, and as text for clients from before that existed."""
    return CallToolResult(
        content=[TextContent(type="text", text=body.decode())], structured_content=json.loads(body)
    )


def _failed(problem: Problem) -> CallToolResult:
    """The body of the REST error, marked as one: the assistant reads it and can ask better."""
    text = problem.model_dump_json(by_alias=True)
    return CallToolResult(content=[TextContent(type="text", text=text)], is_error=True)
