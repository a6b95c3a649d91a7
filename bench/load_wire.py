"""One keep-alive HTTP/1.1 connection of the load generator, and what it reads of an answer.

Knows enough of HTTP to frame answers (length, chunks, none) and nothing of schedules.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import cast

_HEAD_END = b"\r\n\r\n"
_LAST_CHUNK = b"\r\n0\r\n\r\n"
_BODILESS = frozenset({204, 304})


@dataclass(frozen=True, slots=True)
class Answer:
    """What counts of an answer. retry_after_s: None without that header, or with one that is no number."""

    status: int
    retry_after_s: int | None
    is_problem: bool


def request_bytes(path: str, host: str, *, key: str | None = None) -> bytes:
    """A GET of `path` that keeps the connection."""
    authorization = f"Authorization: Bearer {key}\r\n" if key else ""
    return f"GET {path} HTTP/1.1\r\nHost: {host}\r\n{authorization}\r\n".encode()


class Connection(asyncio.Protocol):
    """Asks one question at a time. `answered` is told of each answer, with None when there will be none."""

    def __init__(self, answered: Callable[[Connection, Answer | None], None]) -> None:
        self._answered = answered
        self._transport: asyncio.Transport | None = None
        self._buffer = bytearray()
        self._answer: Answer | None = None
        self._left = 0
        self._is_chunked = self._closes = self._is_open = False
        self.asked: object = None

    @property
    def is_open(self) -> bool:
        return self._is_open

    def ask(self, request: bytes, asked: object) -> None:
        """Send `request`; `asked` is kept for whoever is told of the answer."""
        if self._transport is None:
            raise RuntimeError("not connected")
        self.asked = asked
        self._transport.write(request)

    def close(self) -> None:
        if self._transport is not None:
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports are transports in all but name.
        self._transport, self._is_open = cast(asyncio.Transport, transport), True

    def connection_lost(self, _error: Exception | None) -> None:
        self._is_open = False
        if self.asked is not None:
            self._end(None)

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        if self._answer is None and not self._read_head():
            return
        if self._is_chunked:
            # The blank line before the first chunk stays in the buffer for an answer of no chunk at all.
            if self._buffer.endswith(_LAST_CHUNK):
                self._done()
        elif len(self._buffer) >= self._left:
            self._done()

    def _read_head(self) -> bool:
        end = self._buffer.find(_HEAD_END)
        if end < 0:
            return False
        head = bytes(self._buffer[: end + 2]).lower()
        status = int(head[9:12])
        wait = _header(head, b"retry-after")
        kind = _header(head, b"content-type") or b""
        self._answer = Answer(
            status, int(wait) if wait and wait.isdigit() else None, kind == b"application/problem+json"
        )
        self._closes = _header(head, b"connection") == b"close"
        self._is_chunked = _header(head, b"transfer-encoding") == b"chunked"
        length = _header(head, b"content-length")
        self._left = 0 if status in _BODILESS or length is None else int(length)
        del self._buffer[: end + (2 if self._is_chunked else 4)]
        return True

    def _done(self) -> None:
        answer, self._answer = self._answer, None
        self._buffer.clear()
        if self._closes:
            self._is_open = False
            self.close()
        self._end(answer)

    def _end(self, answer: Answer | None) -> None:
        self._answered(self, answer)


def _header(head: bytes, name: bytes) -> bytes | None:
    """The value of a header in a lower-case head."""
    begin = head.find(b"\r\n" + name + b":")
    if begin < 0:
        return None
    begin += len(name) + 3
    return head[begin : head.find(b"\r\n", begin)].strip()
