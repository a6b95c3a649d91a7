"""The HTTP front of all simulated providers: raw ASGI in front of the control app.

Routes `/coinglass/...`, `/okx/...` and the rest by prefix, writes the call log, applies latency and faults,
and repeats encoded bodies within a provider's refresh period. Everything else goes to the inner app.
"""

from __future__ import annotations

import asyncio
import re
from collections import OrderedDict
from collections.abc import Awaitable, Mapping
from urllib.parse import parse_qsl

from starlette.types import ASGIApp, Receive, Scope, Send

from app.sim.fault_delivery import send_faulty, send_reply, until_gone
from app.sim.faults import HTTP_KINDS, Fault
from app.sim.state import SimState
from app.sim.streams import StreamServer
from app.sim.wire import Call, Endpoint, ProviderServer, Reply, Router

_LATENCY = frozenset({"latency"})
# Credentials that providers accept in the query or the path: never kept in the log.
_SECRET_PARAMS = frozenset({"apikey", "cg-api-key", "token"})
_BOT_TOKEN = re.compile(r"/bot[^/]*")
_MAX_BODIES = 1024
# Faults that stand for a refusal; the others spoil the answer to a call that was carried out.
_REFUSALS = frozenset({"status", "envelope", "html"})
_NO_REPLY = Reply(200, b"")
_MAX_REQUEST_BYTES = 12 * 1024 * 1024  # Telegram photos are at most 10 MB


class ProviderFront:
    """ASGI middleware that answers for the providers."""

    def __init__(
        self,
        app: ASGIApp,
        *,
        state: SimState,
        servers: Mapping[str, ProviderServer],
        streams: Mapping[str, StreamServer],
    ) -> None:
        self._app = app
        self._state = state
        self._servers = {f"/{prefix}": server for prefix, server in servers.items()}
        self._routers = {prefix: Router(server.endpoints) for prefix, server in self._servers.items()}
        self._streams = streams
        self._bodies: OrderedDict[tuple[object, ...], Reply] = OrderedDict()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = scope.get("path", "")
        if scope["type"] == "websocket" and path in self._streams:
            await self._streams[path].serve(scope, receive, send)
            return
        cut = path.find("/", 1)
        prefix = path[:cut] if cut > 0 else path
        if scope["type"] == "http" and prefix in self._servers:
            await self._serve(prefix, scope, receive, send)
            return
        await self._app(scope, receive, send)

    async def _serve(self, prefix: str, scope: Scope, receive: Receive, send: Send) -> None:
        loop = asyncio.get_running_loop()
        started_s = loop.time()
        server = self._servers[prefix]
        found = self._routers[prefix].match(scope["path"][len(prefix) :])
        endpoint, args = found if found else (None, {})
        name = endpoint.id if endpoint else "unknown"
        call = await self._read_call(prefix, name, args, scope, receive)
        entry = self._state.log_call(
            provider=server.name,
            endpoint=name,
            path=endpoint.path if endpoint else _BOT_TOKEN.sub("/bot***", call.path),
            params={k: v for k, v in call.params.items() if k not in _SECRET_PARAMS},
        )
        wait = None if endpoint is None else endpoint.wait
        if wait is not None and not await _waited(wait(call), receive):
            return
        if endpoint is not None and endpoint.has_effect and server.admit(call, endpoint) is None:
            fault = self._state.faults.take(server.name, name, HTTP_KINDS)
            is_lost = fault is not None and _has_no_effect(fault)
            reply = _NO_REPLY if is_lost else self._answer(server, endpoint, call)[0]
        else:
            reply, is_refused = self._answer(server, endpoint, call)
            fault = None if is_refused else self._state.faults.take(server.name, name, HTTP_KINDS)
        late = self._state.faults.take(server.name, name, _LATENCY)
        delay_ms = self._state.latency_ms + (float(late.value or 0) if late else 0.0)
        # The provider's own work is part of its latency, so only the rest is waited for.
        remaining_s = delay_ms / 1000 - (loop.time() - started_s)
        if remaining_s > 0:
            await asyncio.sleep(remaining_s)
        if fault is None:
            entry["status"] = await send_reply(reply, send)
            return
        entry["status"] = await send_faulty(fault, reply, server=server, receive=receive, send=send)

    async def _read_call(
        self, prefix: str, endpoint: str, args: Mapping[str, str], scope: Scope, receive: Receive
    ) -> Call:
        state = self._state
        market = state.market_of(self._servers[prefix].name, endpoint)
        query = scope.get("query_string", b"").decode("latin-1")
        client = scope.get("client")
        return Call(
            method=scope["method"],
            path=scope["path"][len(prefix) :],
            args=args,
            params=dict(parse_qsl(query, keep_blank_values=True)) if query else {},
            headers={k.decode("latin-1").lower(): v.decode("latin-1") for k, v in scope["headers"]},
            body=await _read_body(receive) if scope["method"] != "GET" else b"",
            client=client[0] if client else "",
            market=market,
            now_ms=market.now_ms(),
            plan=state.plan,
            is_invented=state.config.source == "synthetic",
        )

    def _answer(self, server: ProviderServer, endpoint: Endpoint | None, call: Call) -> tuple[Reply, bool]:
        """(the answer, whether it is a refusal of the provider's own)."""
        if endpoint is None:
            return server.unknown(call), True
        refusal = server.admit(call, endpoint)
        if refusal is not None:
            return _with_headers(refusal, server.headers(call)), True
        reply = endpoint.handler(call) if endpoint.cache_ms == 0 else self._repeat(server, endpoint, call)
        return _with_headers(reply, server.headers(call)), False

    def _repeat(self, server: ProviderServer, endpoint: Endpoint, call: Call) -> Reply:
        key = (
            server.name,
            endpoint.id,
            call.plan,
            id(call.market),
            call.now_ms // endpoint.cache_ms,
            *call.args.values(),
            *sorted((k, v) for k, v in call.params.items() if k not in _SECRET_PARAMS),
        )
        known = self._bodies.get(key)
        if known is not None:
            return known
        reply = self._bodies[key] = endpoint.handler(call)
        if len(self._bodies) > _MAX_BODIES:
            self._bodies.popitem(last=False)
        return reply


def _has_no_effect(fault: Fault) -> bool:
    return fault.kind in _REFUSALS or (fault.kind == "hang" and fault.value == "before")


def _with_headers(reply: Reply, headers: tuple[tuple[str, str], ...]) -> Reply:
    if not headers:
        return reply
    return Reply(reply.status, reply.body, (*reply.headers, *headers), reply.content_type)


async def _read_body(receive: Receive) -> bytes:
    body = bytearray()
    while True:
        message = await receive()
        body += message.get("body", b"")
        if not message.get("more_body") or len(body) > _MAX_REQUEST_BYTES:
            return bytes(body)


async def _waited(wait: Awaitable[None], receive: Receive) -> bool:
    """Wait as long as the client does; False: it hung up first. A server that stops waits for nobody else."""
    waiting = asyncio.ensure_future(wait)
    gone = asyncio.ensure_future(until_gone(receive))
    try:
        await asyncio.wait((waiting, gone), return_when=asyncio.FIRST_COMPLETED)
        return waiting.done()
    finally:
        for task in (waiting, gone):
            task.cancel()
        await asyncio.gather(waiting, gone, return_exceptions=True)
