"""Writes that may be sent twice: the header `Idempotency-Key`, and what was answered under it.

The first request with a key does the work; the same request again, also at the same time, gets the same
answer and has no effect. Kept in the memory of this process, for a while, for each caller apart. Called by
routes after they have checked the caller's scope.
"""

from __future__ import annotations

import asyncio
import hashlib
import re
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Annotated

from fastapi import Header, Request, Response

from app.api.errors import IdempotencyMismatch
from app.api.problems import problem_response
from app.core.errors import InvalidParameter, ServiceError

HEADER = "Idempotency-Key"
KEEP_S = 600.0
MAX_KEYS = 1_000
# A UUID, a ULID, a hash or a quoted string of a structured header.
_KEY = re.compile(r"[\x21-\x7e]{1,128}")

IdempotencyKeyHeader = Annotated[
    str,
    Header(
        alias=HEADER,
        description="A name of the caller's own for this write, such as a UUID. Sent again under the same "
        "name within 10 minutes it has no further effect and the same answer; empty for none.",
        json_schema_extra={"pattern": r"^[\x21-\x7e]{0,128}$", "maxLength": 128},
    ),
]


@dataclass(frozen=True, slots=True)
class _Kept:
    """An answer as it was sent."""

    status: int
    body: bytes
    headers: dict[str, str]

    def response(self) -> Response:
        return Response(self.body, self.status, headers=self.headers)


@dataclass(frozen=True, slots=True)
class _Entry:
    """fingerprint: of route and body; begun_s: monotonic."""

    fingerprint: bytes
    begun_s: float
    work: asyncio.Task[_Kept]


class IdempotentWrites:
    """What was answered under which key, at most `max_keys` of the last `keep_s` seconds."""

    def __init__(
        self, *, monotonic: Callable[[], float], keep_s: float = KEEP_S, max_keys: int = MAX_KEYS
    ) -> None:
        self._monotonic = monotonic
        self._keep_s = keep_s
        self._max_keys = max_keys
        self._entries: OrderedDict[tuple[str, str], _Entry] = OrderedDict()

    async def answer(self, request: Request, write: Callable[[], Awaitable[Response]]) -> Response:
        """The answer of `write`, or what was answered under the request's key before.

        A refusal that asking again will not change is kept like a success; a failure that may pass is not.

        Raises:
            InvalidParameter: a key that is none.
            IdempotencyMismatch: the key was used for another route or body.
            Whatever `write` raises.
        """
        key = _read_key(request.headers.getlist(HEADER))
        if key is None:
            return await write()
        name = (request.scope["caller"].identity, key)
        fingerprint = _fingerprint(request, await request.body())
        self._forget_old()
        entry = self._entries.get(name)
        if entry is None:
            self._make_room()
            # A task of its own: a caller that goes away meanwhile does not undo half of it.
            work = asyncio.create_task(_made(request, write))
            entry = self._entries[name] = _Entry(fingerprint, self._monotonic(), work)
            work.add_done_callback(lambda done: self._landed(name, done))
        elif entry.fingerprint != fingerprint:
            raise IdempotencyMismatch
        return (await asyncio.shield(entry.work)).response()

    def _landed(self, name: tuple[str, str], work: asyncio.Task[_Kept]) -> None:
        """A failure is told to those who wait for it, and not kept."""
        if work.cancelled() or work.exception() is not None:
            known = self._entries.get(name)
            if known is not None and known.work is work:
                del self._entries[name]

    def _forget_old(self) -> None:
        """Those past their time; they are in the order in which they began."""
        oldest_s = self._monotonic() - self._keep_s
        while self._entries and next(iter(self._entries.values())).begun_s <= oldest_s:
            self._entries.popitem(last=False)

    def _make_room(self) -> None:
        """The oldest goes. What is still at work stays: requests in progress are far fewer than keys."""
        if len(self._entries) >= self._max_keys:
            done = (name for name, entry in self._entries.items() if entry.work.done())
            if (oldest := next(done, None)) is not None:
                del self._entries[oldest]


async def _made(request: Request, write: Callable[[], Awaitable[Response]]) -> _Kept:
    try:
        response = await write()
    except ServiceError as error:
        if error.retryable or error.http_status >= 500:
            raise
        response = problem_response(request.scope, error)
    return _Kept(response.status_code, bytes(response.body), dict(response.headers))


def _read_key(given: Sequence[str]) -> str | None:
    """None: no header, or an empty one. Raises: InvalidParameter."""
    if not any(given):
        return None
    if len(given) != 1 or not _KEY.fullmatch(given[0]):
        raise InvalidParameter(HEADER, "once, with 1 to 128 visible ASCII characters")
    return given[0]


def _fingerprint(request: Request, body: bytes) -> bytes:
    where = f"{request.method} {request.url.path}?{request.url.query}\n".encode()
    return hashlib.sha256(where + body).digest()
