"""The log of frames over Redis Streams: one stream per partition, with holes that show and fenced writes.

A reader owns its partition by lease and keeps its cursor in a hash beside the streams. Why not XREADGROUP:
entries would be handed out to a reader that has been stopped for longer than its lease, and nobody else would
see them. Plain reads take nothing from anybody, and the cursor moves only under the lease and from where
its owner thinks that it stands.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, TypeAlias, cast

from redis.asyncio import Redis

from app.core.bus_ports import Ack, Lease, LogEntry, LogPlace
from app.core.domain.flow import StreamFrame
from app.services.bus.frame_codec import decode_frame, encode_frame
from app.services.bus.leases import lease_key
from app.services.bus.link import BusLink

_Raw: TypeAlias = tuple[bytes, Mapping[bytes, bytes]]

# Within a script Redis does nothing else: a batch is in the log whole or not at all, numbered without holes.
_PUBLISH = """
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
if redis.call('GET', KEYS[2]) == ARGV[2] then return 1 end
local epoch = redis.call('GET', KEYS[3])
if not epoch then
  epoch = ARGV[3]
  redis.call('SET', KEYS[3], epoch)
end
for i = 6, #KEYS do
  local n = redis.call('HINCRBY', KEYS[4], KEYS[i], 1)
  redis.call('XADD', KEYS[i], 'MAXLEN', '~', ARGV[4], '*',
             'e', epoch, 'n', n, 't', ARGV[2 * i - 6], 'f', ARGV[2 * i - 5])
end
redis.call('SET', KEYS[5], ARGV[5])
redis.call('SET', KEYS[2], ARGV[2])
return 1
"""

_ACKNOWLEDGE = """
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 'fenced' end
local stored = redis.call('HGET', KEYS[2], ARGV[2]) or ''
if stored == ARGV[4] then return 'stored' end
if stored ~= ARGV[3] then return 'moved' end
redis.call('HSET', KEYS[2], ARGV[2], ARGV[4])
redis.call('XTRIM', KEYS[3], 'MINID', '~', ARGV[5])
return 'stored'
"""


class RedisFrameLog:
    """`core.bus_ports.FrameLog` over Redis.

    Kept: everything that is not acknowledged, and `tail_ms` before the cursor, so that the next owner can
    fill its windows again; never more than about `max_entries` of a partition, whatever is acknowledged (what
    is cut off then shows as a hole).
    """

    def __init__(
        self,
        link: BusLink,
        *,
        prefix: str,
        now_ms: Callable[[], int],
        tail_ms: int = 1_500_000,
        max_entries: int = 20_000,
    ) -> None:
        """prefix: keeps live, demo and replay of one Redis apart."""
        self._link = link
        self._prefix = prefix
        self._now_ms = now_ms
        self._tail_ms = tail_ms
        self._max_entries = max_entries

    async def publish(self, lease: Lease, number: int, parts: Sequence[tuple[int, StreamFrame]]) -> bool:
        if not parts:
            return True
        keys = [lease_key(self._prefix, lease.name), *map(self._key, ("batch", "epoch", "counts", "newest"))]
        args: list[str | bytes | int] = [lease.token, f"{lease.token}/{number}", str(self._now_ms())]
        args += [self._max_entries, max(frame.ts_init_ms for _, frame in parts)]
        for partition, frame in parts:
            keys.append(self._stream(partition))
            args += [frame.ts_init_ms, encode_frame(frame)]
        return bool(await self._link.ask(lambda redis: _run(redis, _PUBLISH, keys, args)))

    async def newest_ms(self) -> int | None:
        found = await self._link.ask(lambda redis: redis.get(self._key("newest")))
        return None if found is None else int(found)

    async def cursor(self, partition: int) -> LogPlace | None:
        found = await self._link.ask(
            lambda redis: cast(Awaitable[Any], redis.hget(self._key("cursors"), str(partition)))
        )
        return None if found is None else _place(found)

    async def read(self, partition: int, after: LogPlace | None, limit: int, wait_s: float) -> list[LogEntry]:
        start = "0-0" if after is None else after.id
        block_ms = max(1, int(1000 * min(wait_s, self._link.max_wait_s)))
        found = await self._link.wait(
            lambda redis: cast(
                Awaitable[Any], redis.xread({self._stream(partition): start}, count=limit, block=block_ms)
            )
        )
        return [_entry(raw) for raw in found[0][1]] if found else []

    async def history(
        self, partition: int, until: LogPlace, after: LogPlace | None, limit: int
    ) -> list[LogEntry]:
        first = self._tail_start(until) if after is None else f"({after.id}"
        found = await self._link.ask(
            lambda redis: cast(
                Awaitable[list[_Raw]],
                redis.xrange(self._stream(partition), first, until.id, count=limit),
            )
        )
        return [_entry(raw) for raw in found]

    async def waiting(self) -> int:
        """Frames of all partitions behind their cursors: what nobody has acknowledged.

        Raises:
            BusUnavailable: Redis does not answer.
        """
        epoch = await self._link.ask(
            lambda redis: cast(Awaitable[bytes | None], redis.get(self._key("epoch")))
        )
        counts = await self._link.ask(
            lambda redis: cast(Awaitable[dict[bytes, bytes]], redis.hgetall(self._key("counts")))
        )
        cursors = await self._link.ask(
            lambda redis: cast(Awaitable[dict[bytes, bytes]], redis.hgetall(self._key("cursors")))
        )
        done = {self._stream(int(partition)): _place(text) for partition, text in cursors.items()}
        found = [_behind(int(n), done.get(stream.decode()), epoch) for stream, n in counts.items()]
        return sum(min(frames, self._max_entries) for frames in found)

    async def acknowledge(self, lease: Lease, partition: int, old: LogPlace | None, new: LogPlace) -> Ack:
        keys = [lease_key(self._prefix, lease.name), self._key("cursors"), self._stream(partition)]
        args: list[str | bytes | int] = [
            lease.token,
            partition,
            _text(old),
            _text(new),
            self._tail_start(new),
        ]
        answer = await self._link.ask(lambda redis: _run(redis, _ACKNOWLEDGE, keys, args))
        return Ack(answer.decode())

    def _tail_start(self, place: LogPlace) -> str:
        """Ids begin with Redis's own milliseconds, so the age of an entry is the difference of two ids."""
        return f"{max(0, int(place.id.partition('-')[0]) - self._tail_ms)}-0"

    def _key(self, name: str) -> str:
        return f"{self._prefix}frames:{name}"

    def _stream(self, partition: int) -> str:
        return f"{self._prefix}frames:{partition}"


async def _run(redis: Redis, script: str, keys: Sequence[str], args: Sequence[str | bytes | int]) -> Any:
    # The driver sends the hash, and the text only to a Redis that does not know it.
    return await redis.register_script(script)(keys=keys, args=args)


def _behind(newest_n: int, done: LogPlace | None, epoch: bytes | None) -> int:
    """A cursor of another epoch is one into a log that is gone."""
    if done is None or epoch is None or done.epoch != epoch.decode():
        return newest_n
    return max(0, newest_n - done.n)


def _entry(raw: _Raw) -> LogEntry:
    entry_id, fields = raw
    place = LogPlace(entry_id.decode(), fields[b"e"].decode(), int(fields[b"n"]), int(fields[b"t"]))
    return LogEntry(place, decode_frame(fields[b"f"]))


def _text(place: LogPlace | None) -> str:
    return "" if place is None else "|".join(map(str, place))


def _place(text: bytes) -> LogPlace:
    entry_id, epoch, n, ts_init_ms = text.decode().split("|")
    return LogPlace(entry_id, epoch, int(n), int(ts_init_ms))
