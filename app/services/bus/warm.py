"""The warm cache of all processes: rolling aggregates and small texts in Redis, beside the own memory.

One hash of all coins (field: coin, value: msgpack), so that one call publishes many or reads one; texts are
keys that expire. While Redis is out everything comes from this process's own memory and nothing raises; the
link counts the faults.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, TypeAlias, TypeVar

import msgspec

from app.core.domain.flow import FlowSnapshot
from app.core.domain.market import DAY_MS
from app.core.stream_ports import WarmCache

if TYPE_CHECKING:
    # The library is loaded by the link, and that only where there is a Redis.
    from redis.asyncio import Redis

    from app.services.transport.redis_link import RedisLink

# All coins are forgotten together when nobody has published for a day; a single one is swept out.
KEEP_S = 86_400
SWEEP_EVERY_S = 600.0
MAX_SYMBOLS = 5_000
MAX_TEXT_CHARS = 2_000_000
# One round trip carries this many coins: some hundred kB, well within the link's deadline.
_BATCH = 500

T = TypeVar("T")
_Field: TypeAlias = "bytes | bytearray | memoryview[int] | str | int | float"

_ENCODER = msgspec.msgpack.Encoder()
_DECODER = msgspec.msgpack.Decoder(FlowSnapshot)


class RedisWarmCache:
    """`core.stream_ports.WarmCache` over Redis. Values that cannot be read (another version wrote them) count
    in `unreadable` and are not told."""

    def __init__(
        self,
        link: RedisLink,
        *,
        prefix: str,
        memory: WarmCache,
        now_ms: Callable[[], int],
        monotonic: Callable[[], float],
    ) -> None:
        """prefix: keeps live, demo and replay of one Redis apart. memory: of this process alone."""
        self._link = link
        self._coins = f"{prefix}warm:coins"
        self._text = f"{prefix}warm:text:"
        self._memory = memory
        self._now_ms = now_ms
        self._monotonic = monotonic
        self._next_sweep_s = monotonic() + SWEEP_EVERY_S
        self.unreadable = 0

    async def publish(self, snapshots: Sequence[FlowSnapshot]) -> None:
        await self._memory.publish(snapshots)
        for chunk in _chunks(snapshots):
            mapping: dict[_Field, _Field] = {one.symbol: _ENCODER.encode(one) for one in chunk}
            if not await self._link.run(partial(self._write, mapping), False):
                return  # it rests now: more would only be counted as faults
        if self._monotonic() >= self._next_sweep_s:
            self._next_sweep_s = self._monotonic() + SWEEP_EVERY_S
            await self._sweep()

    async def read(self, symbol: str) -> FlowSnapshot | None:
        """The newer of what Redis and what this process knows."""

        async def get(redis: Redis) -> bytes | None:
            found = await redis.hget(self._coins, symbol)
            return found if isinstance(found, bytes) else None

        own = await self._memory.read(symbol)
        raw = await self._link.run(get, None)
        shared = None if raw is None else self._decode(raw)
        return max((one for one in (own, shared) if one is not None), key=_taken, default=None)

    async def read_all(self) -> Sequence[FlowSnapshot]:
        newest = {one.symbol: one for one in await self._memory.read_all()}
        for raw in (await self._scan()).values():
            shared = self._decode(raw)
            if shared is None:
                continue
            own = newest.get(shared.symbol)
            if own is None or shared.as_of_ms > own.as_of_ms:
                newest[shared.symbol] = shared
        return sorted(newest.values(), key=lambda one: one.symbol)[:MAX_SYMBOLS]

    async def put_text(self, key: str, value: str, *, keep_s: float) -> None:
        await self._memory.put_text(key, value, keep_s=keep_s)
        if len(value) > MAX_TEXT_CHARS or keep_s <= 0:
            return

        async def put(redis: Redis) -> None:
            await redis.set(self._text + key, value, px=max(1, round(keep_s * 1000)))

        await self._link.run(put, None)

    async def get_text(self, key: str) -> str | None:
        """As Redis has it; while it is out, as this process put it."""

        async def get(redis: Redis) -> tuple[str | None]:
            found = await redis.get(self._text + key)
            return (found.decode(errors="replace") if isinstance(found, bytes) else None,)

        answered = await self._link.run(get, None)
        if answered is not None and answered[0] is not None:
            return answered[0]
        return await self._memory.get_text(key)

    async def _write(self, mapping: Mapping[_Field, _Field], redis: Redis) -> bool:
        async with redis.pipeline(transaction=False) as pipe:
            pipe.hset(self._coins, mapping=mapping)
            pipe.expire(self._coins, KEEP_S)
            await pipe.execute()
        return True

    async def _scan(self) -> Mapping[bytes, bytes]:
        """Every field of the hash, in bounded steps; as far as it came when Redis stops answering."""
        found: dict[bytes, bytes] = {}
        cursor = 0
        while len(found) < 2 * MAX_SYMBOLS:
            nothing: tuple[int, Mapping[bytes, bytes]] = (0, {})
            cursor, part = await self._link.run(partial(self._step, cursor), nothing)
            found.update(part)
            if not cursor:
                break
        return found

    async def _step(self, cursor: int, redis: Redis) -> tuple[int, Mapping[bytes, bytes]]:
        following, part = await redis.hscan(self._coins, cursor=cursor, count=_BATCH)
        pairs = part.items() if isinstance(part, dict) else ()
        return int(following), {_raw(name): _raw(value) for name, value in pairs}

    async def _sweep(self) -> None:
        """Take out coins that nobody published for a day, and what cannot be read."""
        gone = [name for name, raw in (await self._scan()).items() if self._decode(raw) is None]
        for names in _chunks(gone):
            await self._link.run(partial(self._drop, names), None)

    async def _drop(self, names: Sequence[bytes], redis: Redis) -> None:
        await redis.hdel(self._coins, *(name.decode(errors="replace") for name in names))

    def _decode(self, raw: bytes) -> FlowSnapshot | None:
        """None for what is older than a day or not ours."""
        try:
            found = _DECODER.decode(raw)
        except (msgspec.DecodeError, UnicodeDecodeError):
            self.unreadable += 1
            return None
        return found if self._now_ms() - found.as_of_ms <= DAY_MS else None


def _taken(snapshot: FlowSnapshot) -> int:
    return snapshot.as_of_ms


def _raw(value: bytes | str) -> bytes:
    return value if isinstance(value, bytes) else value.encode()


def _chunks(items: Sequence[T]) -> Iterator[Sequence[T]]:
    for start in range(0, len(items), _BATCH):
        yield items[start : start + _BATCH]
