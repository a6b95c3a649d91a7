"""Encoded answers, kept for a moment: computed once for everyone who asks in the same second.

Owns bytes, never domain values, and holds a bounded number of them. Time is monotonic and injected. Routes
decide what the key is and how to make the bytes.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Hashable
from dataclasses import dataclass

from fastapi import Request, Response


@dataclass(frozen=True, slots=True)
class Encoded:
    """A finished body and its entity tag (quotes included)."""

    body: bytes
    etag: str


def encode(body: bytes) -> Encoded:
    return Encoded(body, f'"{hashlib.blake2b(body, digest_size=8).hexdigest()}"')


def conditional_answer(
    request: Request, encoded: Encoded, *, media_type: str = "application/json"
) -> Response:
    """The body with its entity tag, or 304 when the caller has that very body already."""
    headers = {"ETag": encoded.etag, "Cache-Control": "private, max-age=1"}
    if matches_etag(request.headers.get("if-none-match"), encoded.etag):
        return Response(status_code=304, headers=headers)
    return Response(encoded.body, headers=headers, media_type=media_type)


def matches_etag(if_none_match: str | None, etag: str) -> bool:
    """Whether the header If-None-Match names `etag` (quotes included)."""
    if if_none_match is None:
        return False
    tags = [tag.strip().removeprefix("W/") for tag in if_none_match.split(",")]
    return etag in tags or "*" in tags


class AnswerCache:
    """Reuse for `reuse_s` seconds after completion, with single flight; 0 turns both off.

    Failures are shared by those who wait and never kept. A waiter that goes away does not stop the work the
    others wait for.
    """

    def __init__(self, *, reuse_s: float, monotonic: Callable[[], float], max_entries: int = 1024) -> None:
        self._reuse_s = reuse_s
        self._monotonic = monotonic
        self._max_entries = max_entries
        self._kept: OrderedDict[Hashable, tuple[float, Encoded]] = OrderedDict()
        self._flights: dict[Hashable, asyncio.Task[Encoded]] = {}

    async def get(self, key: Hashable, make: Callable[[], Awaitable[bytes]]) -> Encoded:
        """The kept answer for `key` if young enough, else that of `make`; raises what `make` raises."""
        if self._reuse_s <= 0:
            return encode(await make())
        kept = self._kept.get(key)
        if kept is not None and self._monotonic() - kept[0] < self._reuse_s:
            return kept[1]
        flight = self._flights.get(key)
        if flight is None:
            flight = self._flights[key] = asyncio.create_task(self._fly(key, make))
            flight.add_done_callback(_retrieve)
        return await asyncio.shield(flight)

    async def _fly(self, key: Hashable, make: Callable[[], Awaitable[bytes]]) -> Encoded:
        try:
            encoded = encode(await make())
            self._kept[key] = (self._monotonic(), encoded)
            self._kept.move_to_end(key)
            if len(self._kept) > self._max_entries:
                self._kept.popitem(last=False)
            return encoded
        finally:
            del self._flights[key]


def _retrieve(flight: asyncio.Task[Encoded]) -> None:
    """Mark a failure as seen even when every waiter has left."""
    if not flight.cancelled():
        flight.exception()
