"""BENCH scale: how much faster two detect workers drain the bus than one.

Redis Streams are filled beforehand with frames of 500 liquidations, 16 partitions of coins of equal weight;
the market's own partition, which cannot be shared out, is left out. Workers are processes of their own; Redis
has its share of the same cores. Rounds of one and of two workers take turns.
"""

from __future__ import annotations

import asyncio
import shutil
import statistics
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from typing import NamedTuple, cast

import numpy as np
from redis import Redis
from redis.exceptions import ConnectionError as RedisConnectionError

from app.core.domain.flow import LiquidationEvent, StreamFrame
from app.core.domain.partition import MAX_PART_EVENTS, Partitioning
from app.services.bus.leases import RedisLeases
from app.services.bus.link import BusLink
from app.services.bus.streams import RedisFrameLog
from bench.children import child, cpu_s, free_port
from bench.report import Figure

PREFIX = "bench:"
PARTITIONS = 16
COINS = 480
FRAMES = 100  # of each partition
FRAME_MS = 8_000
ROUNDS = 5
START_MS = 1_764_000_000_000
EVENTS = PARTITIONS * FRAMES * MAX_PART_EVENTS


def run() -> list[Figure]:
    """About a minute."""
    with redis_server() as url:
        asyncio.run(fill(url))
        drains: dict[int, list[Drain]] = {1: [], 2: []}
        for _ in range(ROUNDS):
            for workers, found in drains.items():
                found.append(drain(url, workers))
    ratios = [one.wall_s / two.wall_s for one, two in zip(drains[1], drains[2], strict=True)]
    one, two = (EVENTS / statistics.median(drain.wall_s for drain in found) for found in drains.values())
    cpu_s = [statistics.median(drain.cpu_s for drain in found) for found in drains.values()]
    context = (
        f"{EVENTS:,} liquidations of {COINS} coins in frames of {MAX_PART_EVENTS}, {PARTITIONS} partitions; "
        f"{one:,.0f}/s with one worker, {two:,.0f}/s with two; median of {ROUNDS} rounds "
        f"({min(ratios):.2f} to {max(ratios):.2f}); {cpu_s[0]:.1f} s of CPU with one, {cpu_s[1]:.1f} s with "
        f"two: needs both cores to itself; aim >= 1.7"
    )
    return [Figure("scale", "two_worker_ratio", statistics.median(ratios), "x", context)]


@contextmanager
def redis_server() -> Iterator[str]:
    binary = shutil.which("redis-server")
    if binary is None:
        raise RuntimeError("this benchmark needs redis-server (make deps)")
    port = free_port()
    with tempfile.TemporaryDirectory(prefix="bench-scale-") as folder:
        command = [binary, "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", folder]
        server = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        try:
            yield _until_it_answers(f"redis://127.0.0.1:{port}/0")
        finally:
            server.kill()
            server.wait()


def _until_it_answers(url: str) -> str:
    give_up_s = time.monotonic() + 10
    with Redis.from_url(url) as redis:
        while time.monotonic() < give_up_s:
            with suppress(RedisConnectionError):
                redis.ping()
                return url
            time.sleep(0.02)
    raise TimeoutError("redis-server did not start within 10 s")


async def fill(url: str) -> None:
    link = BusLink(url, timeout_s=10.0)
    log = RedisFrameLog(link, prefix=PREFIX, now_ms=lambda: START_MS)
    leases = RedisLeases(link, prefix=PREFIX, owner="fill", lease_s=600.0)
    lease = await leases.take("ingest")
    if lease is None:
        raise RuntimeError("a new Redis has leases")
    for number, parts in enumerate(_frames()):
        await log.publish(lease, number, parts)
    await link.aclose()


def _frames() -> Iterator[list[tuple[int, StreamFrame]]]:
    """One frame of every partition, again and again; in every twentieth one coin is hit on one side."""
    draw = np.random.default_rng(11)
    partitioning = Partitioning(PARTITIONS)
    coins: list[list[str]] = [[] for _ in range(PARTITIONS)]
    for name in (f"C{number}" for number in range(COINS)):
        coins[partitioning.of(name)].append(name)
    for number in range(FRAMES):
        yield [
            (partition, frame_of(draw, names, number, is_wild=(number + partition) % 20 == 0))
            for partition, names in enumerate(coins)
        ]


def frame_of(draw: np.random.Generator, names: list[str], number: int, *, is_wild: bool) -> StreamFrame:
    count = MAX_PART_EVENTS
    coin = draw.integers(0, len(names), count)
    usd = draw.lognormal(4.0, 1.0, count)
    side = draw.integers(0, 2, count)
    if is_wild:
        usd[coin == 0] *= 200
        side[coin == 0] = 1
    price = 10.0 + coin + draw.normal(0.0, 0.01, count)
    at = START_MS + number * FRAME_MS + np.sort(draw.integers(0, FRAME_MS, count))
    columns = (column.tolist() for column in (coin, side, price, usd, at))
    events = tuple(
        LiquidationEvent(names[k], "Binance", f"{names[k]}USDT", "LONG" if s else "SHORT", p, u, u / p, ts)
        for k, s, p, u, ts in zip(*columns, strict=True)
    )
    return StreamFrame("coinglass", START_MS + (number + 1) * FRAME_MS, events)


class Drain(NamedTuple):
    """Seconds from the starting shot to the last acknowledgement, and CPU seconds of the workers in them."""

    wall_s: float
    cpu_s: float


def drain(url: str, workers: int) -> Drain:
    with Redis.from_url(url) as redis, ExitStack() as processes:
        _forget_readers(redis)
        started = [
            processes.enter_context(child("bench.scale_worker", url, f"{time.monotonic_ns()}-{number}"))
            for number in range(workers)
        ]
        for process in started:
            if process.stdout is None or process.stdout.readline().strip() != b"ready":
                raise RuntimeError("a worker did not start")
        ends = {str(number).encode(): _newest(redis, number) for number in range(PARTITIONS)}
        used_s = sum(cpu_s(process.pid) for process in started)
        begun = time.perf_counter()
        for process in started:
            if process.stdin is not None:
                process.stdin.write(b"go\n")
                process.stdin.flush()
        while not _is_drained(redis, ends):
            time.sleep(0.02)
            if any(process.poll() is not None for process in started):
                raise RuntimeError("a worker ended before its work did")
        wall_s = time.perf_counter() - begun
        return Drain(wall_s, sum(cpu_s(process.pid) for process in started) - used_s)


def _newest(redis: Redis, partition: int) -> bytes:
    entries = cast(list[tuple[bytes, object]], redis.xrevrange(f"{PREFIX}frames:{partition}", count=1))
    return entries[0][0]


def _is_drained(redis: Redis, ends: dict[bytes, bytes]) -> bool:
    cursors = cast(dict[bytes, bytes], redis.hgetall(f"{PREFIX}frames:cursors"))
    return all(cursors.get(partition, b"").startswith(end + b"|") for partition, end in ends.items())


def _forget_readers(redis: Redis) -> None:
    """As if nothing had been read yet."""
    keys = [*redis.keys(f"{PREFIX}lease:*"), f"{PREFIX}frames:cursors", f"{PREFIX}workers"]
    redis.delete(*keys)
