"""Encoded answers, kept for a moment: computed once for everyone who asks in the same second.

Owns bytes, never domain values, and holds a bounded number of them. Time is monotonic and injected. Routes
decide what the key is and how to make the bytes. Also the place where questions that need a gather are told
from those that do not, so it bounds how many of the first there are.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections import OrderedDict
from collections.abc import AsyncIterator, Awaitable, Callable, Hashable
from contextlib import asynccontextmanager
from dataclasses import dataclass

from fastapi import Request, Response

from app.api.errors import Overloaded

# Gathers at once: each is some ten milliseconds of work and up to a dozen calls.
MAX_MAKES = 32
WAITING_PER_MAKE = 2
# A cold coin takes up to three seconds where OKX is the only source of its ratios.
TURN_WITHIN_S = 5.0
GRACE_S = 0.5


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
    others wait for. At most `max_makes` answers are made at once; a few more wait a moment for their turn and
    the rest are refused, so that slow new answers never hold all of the process. While it refuses questions
    anyway (`is_shedding`), an answer is served half a second longer than else, instead of making its callers
    wait for the next.
    """

    def __init__(
        self,
        *,
        reuse_s: float,
        monotonic: Callable[[], float],
        max_entries: int = 1024,
        max_makes: int = MAX_MAKES,
        is_shedding: Callable[[], bool] = lambda: False,
    ) -> None:
        self._reuse_s = reuse_s
        self._monotonic = monotonic
        self._max_entries = max_entries
        self._makes = asyncio.Semaphore(max_makes)
        self._max_flights = max_makes * (1 + WAITING_PER_MAKE)
        self._is_shedding = is_shedding
        self._kept: OrderedDict[Hashable, tuple[float, Encoded]] = OrderedDict()
        self._flights: dict[Hashable, asyncio.Task[Encoded]] = {}

    async def get(self, key: Hashable, make: Callable[[], Awaitable[bytes]]) -> Encoded:
        """The kept answer for `key` if young enough, else that of `make`; raises what `make` raises.

        Raises:
            Overloaded: too many others are being made.
        """
        if self._reuse_s <= 0:
            return encode(await make())
        kept = self._kept.get(key)
        age_s = self._monotonic() - kept[0] if kept is not None else 0.0
        if kept is not None and age_s < self._reuse_s:
            return kept[1]
        flight = self._flights.get(key)
        if flight is None:
            if len(self._flights) >= self._max_flights:
                raise Overloaded
            flight = self._flights[key] = asyncio.create_task(self._fly(key, make))
            flight.add_done_callback(_retrieve)
        if kept is not None and age_s < self._reuse_s + GRACE_S and self._is_shedding():
            return kept[1]
        return await asyncio.shield(flight)

    async def _fly(self, key: Hashable, make: Callable[[], Awaitable[bytes]]) -> Encoded:
        try:
            async with self._place():
                encoded = encode(await make())
            self._kept[key] = (self._monotonic(), encoded)
            self._kept.move_to_end(key)
            if len(self._kept) > self._max_entries:
                self._kept.popitem(last=False)
            return encoded
        finally:
            del self._flights[key]

    @asynccontextmanager
    async def _place(self) -> AsyncIterator[None]:
        """Raises: Overloaded, when nothing that is being made ends soon."""
        try:
            async with asyncio.timeout(TURN_WITHIN_S):
                await self._makes.acquire()
        except TimeoutError:
            raise Overloaded from None
        try:
            yield
        finally:
            self._makes.release()


def _retrieve(flight: asyncio.Task[Encoded]) -> None:
    """Mark a failure as seen even when every waiter has left."""
    if not flight.cancelled():
        flight.exception()
