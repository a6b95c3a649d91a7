"""The warm cache of two processes that share a database and no Redis: a web process beside a worker.

Rolling aggregates and small texts as rows of `worker_state`, written every few seconds, read at most once a
second. While the database is away everything comes from this process's own memory; nothing raises.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec

from app.core.domain.flow import FlowSnapshot
from app.core.domain.market import DAY_MS
from app.core.errors import StorageUnavailable
from app.core.stream_ports import WarmCache
from app.services.storage.state import SqlState

WRITE_EVERY_S = 2.0
READ_EVERY_S = 1.0
# After a fault the database is left alone for so long: an answer must not wait for it again and again.
REST_S = 3.0
MAX_SYMBOLS = 5_000
MAX_REMEMBERED = 1_000
# Every start of a worker leaves a report under a name of its own, and coins go.
SWEEP_EVERY_S = 600.0
_ALL, _COIN, _TEXT = "warm:", "warm:coin:", "warm:text:"

_encode = msgspec.json.Encoder().encode
_DECODER = msgspec.json.Decoder(FlowSnapshot)


class StoreWarmCache:
    """`core.stream_ports.WarmCache` over the database. What cannot be read (another version wrote it) counts
    in `unreadable` and is not told; `faults`: visits that failed."""

    def __init__(
        self,
        state: SqlState,
        *,
        memory: WarmCache,
        now_ms: Callable[[], int],
        monotonic: Callable[[], float],
    ) -> None:
        """memory: of this process alone."""
        self._state = state
        self._memory = memory
        self._now_ms = now_ms
        self._monotonic = monotonic
        self._pending: dict[str, FlowSnapshot] = {}
        self._written_s = self._swept_s = float("-inf")
        self._rests_until_s = float("-inf")
        self._read: dict[str, tuple[float, str | None]] = {}
        self._all: tuple[float, Sequence[FlowSnapshot]] = (float("-inf"), ())
        self.unreadable = 0
        self.faults = 0

    async def publish(self, snapshots: Sequence[FlowSnapshot]) -> None:
        await self._memory.publish(snapshots)
        self._pending |= {one.symbol: one for one in snapshots}
        while len(self._pending) > MAX_SYMBOLS:
            self._pending.pop(next(iter(self._pending)))
        if self._pending and self._monotonic() - self._written_s >= WRITE_EVERY_S and self._is_rested():
            self._written_s = self._monotonic()
            rows, self._pending = self._pending, {}
            texts = {f"{_COIN}{symbol}": _encode(one).decode() for symbol, one in rows.items()}
            if not await self._put(texts):
                self._pending = rows | self._pending
            elif self._monotonic() - self._swept_s >= SWEEP_EVERY_S:
                self._swept_s = self._monotonic()
                await self._sweep()

    async def read(self, symbol: str) -> FlowSnapshot | None:
        """The newer of what the database and what this process knows."""
        own = await self._memory.read(symbol)
        text = None if self._is_young(own) else await self._get(f"{_COIN}{symbol}")
        shared = None if text is None else self._decode(text)
        return max((one for one in (own, shared) if one is not None), key=_taken, default=None)

    async def read_all(self) -> Sequence[FlowSnapshot]:
        newest = {one.symbol: one for one in await self._memory.read_all()}
        for shared in await self._shared():
            own = newest.get(shared.symbol)
            if own is None or shared.as_of_ms > own.as_of_ms:
                newest[shared.symbol] = shared
        return sorted(newest.values(), key=lambda one: one.symbol)[:MAX_SYMBOLS]

    async def put_text(self, key: str, value: str, *, keep_s: float) -> None:
        await self._memory.put_text(key, value, keep_s=keep_s)
        until_ms = self._now_ms() + round(keep_s * 1000)
        if self._is_rested():
            await self._put({f"{_TEXT}{key}": f"{until_ms}:{value}"})

    async def get_text(self, key: str) -> str | None:
        """As the database has it, else as this process put it."""
        until_text, _, value = (await self._get(f"{_TEXT}{key}") or "").partition(":")
        if until_text.isdecimal() and self._now_ms() < int(until_text):
            return value
        return await self._memory.get_text(key)

    async def _shared(self) -> Sequence[FlowSnapshot]:
        """Every coin in the database, read again after a second."""
        at_s, known = self._all
        if self._monotonic() - at_s < READ_EVERY_S or not self._is_rested():
            return known
        try:
            texts = await self._state.newest(_COIN, self._now_ms() - DAY_MS, MAX_SYMBOLS)
        except StorageUnavailable:
            self._note_fault()
            return known
        found = [one for one in map(self._decode, texts) if one is not None]
        self._all = (self._monotonic(), found)
        return found

    async def _get(self, key: str) -> str | None:
        at_s, known = self._read.get(key, (float("-inf"), None))
        if self._monotonic() - at_s < READ_EVERY_S or not self._is_rested():
            return known
        try:
            text = await self._state.get_state(key)
        except StorageUnavailable:
            self._note_fault()
            return known
        while len(self._read) >= MAX_REMEMBERED:
            self._read.pop(next(iter(self._read)))
        self._read[key] = (self._monotonic(), text)
        return text

    async def _put(self, texts: dict[str, str]) -> bool:
        try:
            await self._state.put_many(texts)
        except StorageUnavailable:
            self._note_fault()
            return False
        return True

    async def _sweep(self) -> None:
        """What nobody has written for a day is not told any more."""
        try:
            await self._state.forget(_ALL, self._now_ms() - DAY_MS)
        except StorageUnavailable:
            self._note_fault()

    def _decode(self, text: str) -> FlowSnapshot | None:
        try:
            found = _DECODER.decode(text)
        except msgspec.DecodeError:
            self.unreadable += 1
            return None
        return found if self._now_ms() - found.as_of_ms <= DAY_MS else None

    def _is_young(self, own: FlowSnapshot | None) -> bool:
        """This process publishes it itself: nobody knows better."""
        return own is not None and self._now_ms() - own.as_of_ms < 1000 * READ_EVERY_S

    def _is_rested(self) -> bool:
        return self._monotonic() >= self._rests_until_s

    def _note_fault(self) -> None:
        self.faults += 1
        self._rests_until_s = self._monotonic() + REST_S


def _taken(snapshot: FlowSnapshot) -> int:
    return snapshot.as_of_ms
