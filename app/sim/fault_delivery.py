"""Faults on a real HTTP answer, written as raw ASGI so that they happen on the socket itself.

Takes the answer the provider would have given and sends it wrong: late, never, cut, dripping, endless.
Called by the HTTP server for every call that a fault hits.
"""

from __future__ import annotations

import asyncio
import os
import re
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from typing import Any

from starlette.types import Receive, Send

from app.sim.faults import Fault
from app.sim.wire import JSON_TYPE, ProviderServer, Reply, dumps

_MIB = 1024 * 1024
_CHUNK = b'{"n":1},' * 8192
# Any JSON number that is not a time (10+ digits) or a one-digit code, quoted or not.
_NUMBER = re.compile(rb'(?<=[:\[,"])-?(?:\d{2,9}(?:\.\d+)?|\d\.\d+)(?:[eE][-+]?\d+)?(?=[,"\]}])')
_HTML = b"<!doctype html><html><head><title>Just a moment...</title></head><body>checking</body></html>"

Delivery = Callable[[Fault, Reply, Receive, Send], Awaitable[int]]


async def send_reply(reply: Reply, send: Send) -> int:
    """Send a whole answer; returns its status."""
    await send(_start(reply.status, reply.headers, reply.content_type, len(reply.body)))
    await send({"type": "http.response.body", "body": reply.body})
    return reply.status


async def send_faulty(
    fault: Fault, reply: Reply, *, server: ProviderServer, receive: Receive, send: Send
) -> int:
    """Send `reply` as `fault` says; returns the status the client saw, 0 when it saw none."""
    delivery = _DELIVERIES.get(fault.kind)
    if delivery is not None:
        return await delivery(fault, reply, receive, send)
    return await send_reply(_changed(fault, reply, server), send)


def _changed(fault: Fault, reply: Reply, server: ProviderServer) -> Reply:
    """The answer of the faults that are a different, but whole, answer."""
    if fault.kind == "status":
        return _status_reply(fault.value, server)
    if fault.kind == "envelope":
        code = str(fault.value if fault.value is not None else 500)
        return server.refuse(code, "Server Error")
    if fault.kind == "body":
        body = fault.value.encode() if isinstance(fault.value, str) else dumps(fault.value)
        return Reply(reply.status, body, reply.headers)
    if fault.kind == "nan":
        text = str(fault.value if fault.value is not None else "NaN").encode()
        return Reply(reply.status, _NUMBER.sub(text, reply.body), reply.headers)
    if fault.kind == "truncate":
        # A whole answer by its length, yet cut JSON: what a broken proxy delivers.
        return Reply(reply.status, reply.body[: _cut(fault, reply)], reply.headers)
    if fault.kind == "html":
        return Reply(int(fault.value or 200), _HTML, (), "text/html; charset=utf-8")
    if fault.kind == "garbage":
        return Reply(200, os.urandom(int(fault.value or 512)), reply.headers)
    return Reply(200, b"", reply.headers)  # empty


def _status_reply(value: Any, server: ProviderServer) -> Reply:
    if not isinstance(value, dict):
        refused = server.refuse(str(value), "Simulated failure")
        return Reply(int(value), refused.body)
    status = int(value["status"])
    headers = tuple((str(k), str(v)) for k, v in value.get("headers", {}).items())
    body = value.get("body")
    if body is None:
        return Reply(status, server.refuse(str(status), "Simulated failure").body, headers)
    return Reply(status, body.encode() if isinstance(body, str) else dumps(body), headers)


def _cut(fault: Fault, reply: Reply) -> int:
    value = fault.value if fault.value is not None else 0.5
    return int(len(reply.body) * value) if 0 <= value < 1 else int(value)


def _start(
    status: int, headers: Iterable[tuple[str, str]], content_type: str, length: int | None
) -> dict[str, Any]:
    raw = [(k.lower().encode(), v.encode()) for k, v in headers]
    raw.append((b"content-type", content_type.encode()))
    if length is not None:
        raw.append((b"content-length", str(length).encode()))
    return {"type": "http.response.start", "status": status, "headers": raw}


async def until_gone(receive: Receive) -> None:
    """Wait until the client has closed its side."""
    while (await receive())["type"] != "http.disconnect":
        pass


async def _hang(fault: Fault, reply: Reply, receive: Receive, send: Send) -> int:
    await until_gone(receive)
    return 0


async def _stall(fault: Fault, reply: Reply, receive: Receive, send: Send) -> int:
    await send(_start(reply.status, reply.headers, reply.content_type, len(reply.body)))
    await send({"type": "http.response.body", "body": reply.body[: _cut(fault, reply)], "more_body": True})
    await until_gone(receive)
    return reply.status


async def _drop(fault: Fault, reply: Reply, receive: Receive, send: Send) -> int:
    await send(_start(reply.status, reply.headers, reply.content_type, len(reply.body)))
    await send({"type": "http.response.body", "body": reply.body[: _cut(fault, reply)], "more_body": True})
    return reply.status  # returning with more_body pending makes the server close the connection


async def _drip(fault: Fault, reply: Reply, receive: Receive, send: Send) -> int:
    pause_s = float(fault.value if fault.value is not None else 1.0)

    async def bytes_slowly() -> AsyncIterator[bytes]:
        for at in range(len(reply.body)):
            yield reply.body[at : at + 1]
            await asyncio.sleep(pause_s)

    await send(_start(reply.status, reply.headers, reply.content_type, len(reply.body)))
    await _send_stream(bytes_slowly(), receive, send)
    return reply.status


async def _endless(fault: Fault, reply: Reply, receive: Receive, send: Send) -> int:
    async def chunks() -> AsyncIterator[bytes]:
        yield b'{"code":"0","data":['
        while True:
            yield _CHUNK
            await asyncio.sleep(0)

    await send(_start(200, reply.headers, JSON_TYPE, None))
    await _send_stream(chunks(), receive, send)
    return 200


async def _gzip_bomb(fault: Fault, reply: Reply, receive: Receive, send: Send) -> int:
    mebibytes = int(fault.value or 512)

    async def chunks() -> AsyncIterator[bytes]:
        # About a thousand to one: 512 MiB travel as half a megabyte.
        packer = zlib.compressobj(6, zlib.DEFLATED, 31)
        zeros = b"0" * _MIB
        for _ in range(mebibytes):
            yield packer.compress(zeros)
            await asyncio.sleep(0)
        yield packer.flush()

    await send(_start(200, (*reply.headers, ("content-encoding", "gzip")), JSON_TYPE, None))
    await _send_stream(chunks(), receive, send)
    return 200


async def _send_stream(chunks: AsyncIterator[bytes], receive: Receive, send: Send) -> None:
    """Send chunks until they end or the client has gone (sends to a closed socket return in silence)."""
    gone = asyncio.create_task(until_gone(receive))
    try:
        async for chunk in chunks:
            if gone.done():
                return
            await send({"type": "http.response.body", "body": chunk, "more_body": True})
        await send({"type": "http.response.body", "body": b""})
    finally:
        gone.cancel()


_DELIVERIES: dict[str, Delivery] = {
    "hang": _hang,
    "stall": _stall,
    "drop": _drop,
    "drip": _drip,
    "endless": _endless,
    "gzip_bomb": _gzip_bomb,
}
