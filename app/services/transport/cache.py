"""Cache of parsed upstream resources: one load per key at a time, old values instead of waiting or failing.

Owns memory entries (LRU) and the running loads; an optional `SharedStore` lets processes share bodies.
Does not know HTTP. Called by `resource.ResourceClient`. Time is market time, so replays refresh.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from typing import Any, Generic, Literal, TypeAlias, TypeVar, cast

from cachetools import LRUCache

from app.core.errors import ProviderBadPayload, ProviderError
from app.services.transport.shared import SharedStore, StoredBody

T = TypeVar("T")

State = Literal["miss", "hit", "stale"]
Load = Callable[[], Awaitable[bytes]]

# How long another process may hold a load: the client's total deadline plus the time to store it.
LOCK_MS = 8_000
_POLL_S = 0.05
_MAX_POLLS = int(LOCK_MS / 1000 / _POLL_S)


@dataclass(frozen=True, slots=True)
class Freshness:
    """How long a value is good, in ms of market time since it was fetched.

    fresh_ms: served as it is. revalidate_ms more: served while a refresh runs behind. error_ms (counted
    from the end of fresh_ms): served when the refresh failed or does not end.
    """

    fresh_ms: int
    revalidate_ms: int = 0
    error_ms: int = 0


@dataclass(frozen=True, slots=True)
class Cached(Generic[T]):
    """A value with the market time its bytes arrived, and how it was obtained."""

    value: T
    fetched_ms: int
    state: State


@dataclass(frozen=True, slots=True)
class _Entry(Generic[T]):
    value: T
    fetched_ms: int
    freshness: Freshness

    def is_fresh(self, now_ms: int) -> bool:
        # An entry from the future means the clock stepped back: do not trust its age.
        return 0 <= now_ms - self.fetched_ms < self.freshness.fresh_ms

    def may_revalidate(self, now_ms: int) -> bool:
        return 0 <= now_ms - self.fetched_ms < self.freshness.fresh_ms + self.freshness.revalidate_ms

    def may_replace_error(self, now_ms: int) -> bool:
        return abs(now_ms - self.fetched_ms) < self.freshness.fresh_ms + self.freshness.error_ms

    def cached(self, state: State) -> Cached[T]:
        return Cached(self.value, self.fetched_ms, state)


@dataclass(frozen=True, slots=True)
class _Recipe(Generic[T]):
    """How one key is loaded. The same key must always come with the same recipe."""

    key: str
    load: Load
    parse: Callable[[bytes], T]
    freshness: Callable[[T, int], Freshness]

    def entry(self, body: bytes, fetched_ms: int) -> _Entry[T]:
        value = self.parse(body)
        return _Entry(value, fetched_ms, self.freshness(value, fetched_ms))


# Looks for a shared body: the newest entry known, and the answer when it ends the search.
_Look: TypeAlias = Callable[
    ["_Entry[object] | None"], Awaitable["tuple[_Entry[object] | None, Cached[object] | None]"]
]


class ResourceCache:
    """One per process. Keys start with the provider's name and a colon.

    A load runs in its own task: a caller that gives up neither cancels it nor spoils it for the others.
    patience_s: how long a refresh is waited for when an old value may stand in for it; it runs on behind.
    `observe(provider, state)` counts hit, stale, miss, and `shared` (body came from another process).
    """

    def __init__(
        self,
        *,
        now_ms: Callable[[], int],
        shared: SharedStore | None = None,
        max_entries: int = 4096,
        observe: Callable[[str, str], None] | None = None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        patience_s: float = 1.5,
    ) -> None:
        self._now_ms = now_ms
        self._shared = shared
        self._observe = observe
        self._sleep = sleep
        self._patience_s = patience_s
        self._entries: LRUCache[str, _Entry[object]] = LRUCache(maxsize=max_entries)
        self._flights: dict[str, asyncio.Task[Cached[object]]] = {}
        self._running: set[asyncio.Task[Cached[object]]] = set()
        self._siblings: list[ResourceCache] = []

    async def fetch(
        self,
        key: str,
        *,
        load: Load,
        parse: Callable[[bytes], T],
        freshness: Callable[[T, int], Freshness],
    ) -> Cached[T]:
        """Return the value of `key`, loading it when needed.

        Raises: the `ProviderError` of `load` or `parse` when there is no old value young enough.
        """
        entry = cast("_Entry[T] | None", self._entries.get(key))
        now_ms = self._now_ms()
        if entry is not None and entry.is_fresh(now_ms):
            return self._count(key, entry.cached("hit"))
        flight = self._flight(_Recipe(key, load, parse, freshness))
        if entry is not None and entry.may_revalidate(now_ms):
            return self._count(key, entry.cached("stale"))
        if entry is not None and entry.may_replace_error(now_ms):
            await asyncio.wait((flight,), timeout=self._patience_s)
            if not flight.done():
                return self._count(key, entry.cached("stale"))
        try:
            found = await asyncio.shield(flight)
        except ProviderError:
            if entry is None or not entry.may_replace_error(self._now_ms()):
                raise
            return self._count(key, entry.cached("stale"))
        return self._count(key, cast("Cached[T]", found))

    async def renew(
        self,
        key: str,
        *,
        load: Load,
        parse: Callable[[bytes], T],
        freshness: Callable[[T, int], Freshness],
        max_age_ms: int,
    ) -> Cached[T]:
        """A newer value even while the kept one is fresh; joins a load that is under way.

        What another process fetched less than `max_age_ms` ago is new enough. Raises: `ProviderError`.
        """
        recipe = _Recipe(key, load, parse, freshness)
        flight = self._flights.get(key)
        if flight is None:
            renewal = self._renew(cast("_Recipe[object]", recipe), max_age_ms)
            flight = self._launch(key, renewal)
        return cast("Cached[T]", await asyncio.shield(flight))

    def age_ms(self, key: str) -> int | None:
        """Market time since the kept value was fetched; None when there is none."""
        entry = self._entries.get(key)
        return None if entry is None else max(0, self._now_ms() - entry.fetched_ms)

    def fresh_for_ms(self, key: str) -> int:
        """How long the kept value is still good; below 0 since it is not, 0 when there is none."""
        entry = self._entries.get(key)
        return 0 if entry is None else entry.fetched_ms + entry.freshness.fresh_ms - self._now_ms()

    def sibling(self, *, max_entries: int) -> ResourceCache:
        """Another cache of the same kind with entries of its own, cleared and closed with this one."""
        sibling = ResourceCache(
            now_ms=self._now_ms,
            shared=self._shared,
            max_entries=max_entries,
            observe=self._observe,
            sleep=self._sleep,
            patience_s=self._patience_s,
        )
        self._siblings.append(sibling)
        return sibling

    async def clear(self) -> None:
        """Forget every value held here; loads under way answer their callers but are not kept."""
        self._entries.clear()
        self._flights.clear()
        for sibling in self._siblings:
            await sibling.clear()

    async def aclose(self) -> None:
        """Stop all loads. Callers still waiting are cancelled."""
        await self.clear()
        running = self._loads()
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)

    async def settled(self) -> None:
        """Wait until no load is under way, those included that run on behind an answer."""
        while running := self._loads():
            await asyncio.gather(*running, return_exceptions=True)

    def _loads(self) -> tuple[asyncio.Task[Cached[object]], ...]:
        return (*self._running, *(task for sibling in self._siblings for task in sibling._running))

    def _flight(self, recipe: _Recipe[T]) -> asyncio.Task[Cached[object]]:
        flight = self._flights.get(recipe.key)
        if flight is None:
            flight = self._launch(recipe.key, self._refresh(cast("_Recipe[object]", recipe)))
        return flight

    def _launch(self, key: str, loading: Coroutine[Any, Any, Cached[object]]) -> asyncio.Task[Cached[object]]:
        flight = asyncio.create_task(loading)
        self._flights[key] = flight
        self._running.add(flight)
        flight.add_done_callback(lambda task: self._landed(key, task))
        return flight

    def _landed(self, key: str, task: asyncio.Task[Cached[object]]) -> None:
        self._running.discard(task)
        if self._flights.get(key) is task:
            del self._flights[key]
        if task.cancelled():
            return
        # Reading the exception marks it as seen: a background refresh has no waiter to see it.
        error = task.exception()
        if error is not None and not isinstance(error, ProviderError):
            asyncio.get_running_loop().call_exception_handler(
                {"message": f"loading {key} failed with a bug", "exception": error, "task": task}
            )

    async def _refresh(self, recipe: _Recipe[object]) -> Cached[object]:
        if self._shared is None:
            return await self._load(recipe)

        async def look(known: _Entry[object] | None) -> tuple[_Entry[object] | None, Cached[object] | None]:
            return await self._from_shared(recipe, known)

        return await self._load_once(recipe, look)

    async def _renew(self, recipe: _Recipe[object], max_age_ms: int) -> Cached[object]:
        """As `_refresh`, but only a body younger than `max_age_ms` ends the search."""
        if self._shared is None:
            return await self._load(recipe)
        own = self._entries.get(recipe.key)

        async def look(_: _Entry[object] | None) -> tuple[None, Cached[object] | None]:
            entry, _found = await self._from_shared(recipe, own)
            if entry is None or entry is own or self._now_ms() - entry.fetched_ms >= max_age_ms:
                return None, None
            self._keep(recipe.key, entry)
            return None, entry.cached("hit")

        return await self._load_once(recipe, look)

    async def _load_once(self, recipe: _Recipe[object], look: _Look) -> Cached[object]:
        """Load under the lock of all processes, unless one of them shares what is looked for."""
        entry: _Entry[object] | None = None
        token: str | None = None
        for _ in range(_MAX_POLLS):
            entry, found = await look(entry)
            if found is not None:
                return found
            token = await self._lock(recipe.key)
            if token is not None:
                break
            # Another process is fetching this very thing: wait for its body instead of a second call.
            await self._sleep(_POLL_S)
        try:
            # Between the look and the lock it may have arrived.
            entry, found = await look(entry)
            return found if found is not None else await self._load_or_old(recipe, entry)
        finally:
            if self._shared is not None and token is not None:
                await self._shared.unlock(recipe.key, token)

    async def _load_or_old(self, recipe: _Recipe[object], entry: _Entry[object] | None) -> Cached[object]:
        try:
            return await self._load(recipe)
        except ProviderError:
            if entry is None or not entry.may_replace_error(self._now_ms()):
                raise
            self._keep(recipe.key, entry)
            return entry.cached("stale")

    async def _lock(self, key: str) -> str | None:
        return None if self._shared is None else await self._shared.lock(key, LOCK_MS)

    async def _load(self, recipe: _Recipe[object]) -> Cached[object]:
        body = await recipe.load()
        entry = recipe.entry(body, self._now_ms())
        self._keep(recipe.key, entry)
        if self._shared is not None:
            kept_ms = entry.freshness.fresh_ms + max(entry.freshness.revalidate_ms, entry.freshness.error_ms)
            await self._shared.put(recipe.key, StoredBody(body, entry.fetched_ms), kept_ms)
        return entry.cached("miss")

    async def _from_shared(
        self, recipe: _Recipe[object], known: _Entry[object] | None
    ) -> tuple[_Entry[object] | None, Cached[object] | None]:
        """The newest shared entry, and the answer when it is fresh enough to end the search."""
        stored = None if self._shared is None else await self._shared.get(recipe.key)
        if stored is None or (known is not None and stored.fetched_ms == known.fetched_ms):
            return known, None
        try:
            entry = recipe.entry(stored.body, stored.fetched_ms)
        except ProviderBadPayload:
            return known, None  # written by another release: fetch our own
        if not entry.is_fresh(self._now_ms()):
            return entry, None
        self._keep(recipe.key, entry)
        if self._observe is not None:
            self._observe(recipe.key.partition(":")[0], "shared")
        return entry, entry.cached("hit")

    def _keep(self, key: str, entry: _Entry[object]) -> None:
        # After clear() the flight is no longer the current one: what it brings is not kept.
        if self._flights.get(key) is asyncio.current_task():
            self._entries[key] = entry

    def _count(self, key: str, cached: Cached[T]) -> Cached[T]:
        if self._observe is not None:
            self._observe(key.partition(":")[0], cached.state)
        return cached
