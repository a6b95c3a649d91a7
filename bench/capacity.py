"""BENCH capacity: what one process of each kind takes, as processor time, for the plans of docs/scaling.md.

Time of the processor, not of the clock: a busy machine makes answers late, and work little dearer. From it
follows what one core does, which is what a plan counts in. Web: one process at a simulator without latency.
Bus: the ingest's own buffer and log into a real Redis, one detect process that drains a full one, and what
cannot be shared out: a single coin, and the market as a whole.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import islice
from typing import NamedTuple

import httpx2
import numpy as np
from redis import Redis

from app.core.domain.flow import StreamFrame, TradeEvent
from app.core.domain.flow_config import FlowConfig
from app.core.domain.partition import MAX_PART_EVENTS, Partitioning
from app.core.flow.engine import FlowEngine, Scope
from app.core.flow.identify import Identifier
from app.services.bus.frame_codec import decode_frame, encode_frame
from app.services.bus.leases import RedisLeases
from app.services.bus.link import BusLink, bus_prefix
from app.services.bus.streams import RedisFrameLog
from app.services.streaming.frame_buffer import FrameBuffer
from bench import scale
from bench.children import child, cores, cpu_s, free_port, provider_env, simulator, wait_until_answers
from bench.report import Figure

BENCH = "capacity"
WARM_CLIENTS, WARM_S = 50, 6.0
COLD_COINS = 30
FRAMES = 400
DENSE_MS = 10  # one full frame of a storm after the other
DRAINS = 3


def run() -> list[Figure]:
    """About a minute."""
    server_core, other_core = cores()
    os.sched_setaffinity(0, {other_core})
    try:
        with simulator("--plan", "professional", "--lunarcrush-per-minute", "1000", core=other_core) as base:
            figures = asyncio.run(_web(base, server_core))
    finally:
        os.sched_setaffinity(0, {server_core, other_core})
    return [*figures, *_bus(), _detect(), *_unshared()]


# --- web --------------------------------------------------------------------------------------------------


async def _web(base: str, core: int) -> list[Figure]:
    port = free_port()
    env = provider_env(base) | {"PORT": str(port)}
    with child("app.main", env=env, core=core) as process:
        url = f"http://127.0.0.1:{port}"
        await asyncio.to_thread(wait_until_answers, f"{url}/health/ready")
        async with httpx2.AsyncClient(base_url=url, timeout=60) as client:
            coins = (await client.get(f"{base}/__sim__/state")).json()["coins"][:COLD_COINS]
            cold = await _cold(client, coins, process.pid)
        warm = await _warm(port, process.pid)
        rss_mb = _rss_mb(process.pid)
    return [
        Figure(
            BENCH,
            "web_warm_us",
            1e6 * warm.cpu_s / warm.answers,
            "us",
            f"of the processor for a warm {warm.how}",
        ),
        Figure(
            BENCH,
            "web_cold_ms",
            1e3 * cold.cpu_s / cold.answers,
            "ms",
            f"of the processor for a cold {cold.how}",
        ),
        Figure(BENCH, "web_rss_mb", rss_mb, "MB", f"of that process after both, {COLD_COINS} coins cached"),
    ]


class Work(NamedTuple):
    """Processor time of so many answers."""

    cpu_s: float
    answers: int
    how: str


async def _cold(client: httpx2.AsyncClient, coins: Sequence[str], pid: int) -> Work:
    """Each coin once, four at a time: every input is fetched, parsed and scored."""
    used_s = cpu_s(pid)
    for start in range(0, len(coins), 4):
        asked = (client.get(f"/signals/{coin}") for coin in coins[start : start + 4])
        for answer in await asyncio.gather(*asked):
            answer.raise_for_status()
    return Work(cpu_s(pid) - used_s, len(coins), f"signal, each of {len(coins)} coins once, 0 ms upstreams")


async def _warm(port: int, pid: int) -> Work:
    used_s, until_s = cpu_s(pid), time.perf_counter() + WARM_S
    counts = await asyncio.gather(*(_one_client(port, until_s) for _ in range(WARM_CLIENTS)))
    how = f"signal, {WARM_CLIENTS} keep-alive clients; {sum(counts) / WARM_S:,.0f} req/s by the clock"
    return Work(cpu_s(pid) - used_s, sum(counts), how)


async def _one_client(port: int, until_s: float) -> int:
    """Ask again as soon as it was answered; how many answers came."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    request = f"GET /signals/BTC HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n".encode()
    count = 0
    try:
        while time.perf_counter() < until_s:
            writer.write(request)
            head = await reader.readuntil(b"\r\n\r\n")
            if b" 200 " not in head.split(b"\r\n", 1)[0]:
                raise RuntimeError(f"a warm answer failed: {head[:80]!r}")
            await reader.readexactly(int(head.lower().split(b"content-length:")[1].split(b"\r\n")[0]))
            count += 1
    finally:
        writer.close()
    return count


def _rss_mb(pid: int) -> float:
    with open(f"/proc/{pid}/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6


# --- bus --------------------------------------------------------------------------------------------------


def _bus() -> list[Figure]:
    frames = list(islice(_mixed_frames(), FRAMES))
    events = FRAMES * MAX_PART_EVENTS
    with scale.redis_server() as url, Redis.from_url(url) as redis:
        before = _redis_state(redis)
        used_s = time.process_time()
        asyncio.run(_publish(url, frames))
        used_s = time.process_time() - used_s
        after = _redis_state(redis)
    grew, worked_s = after.memory - before.memory, after.cpu_s - before.cpu_s
    how = f"{events:,} events of {scale.COINS} coins in {FRAMES} frames, each split over 17 partitions"
    return [
        Figure(
            BENCH, "ingest_us", 1e6 * used_s / events, "us", f"an event split, encoded and published; {how}"
        ),
        Figure(
            BENCH,
            "redis_bytes",
            grew / events,
            "B",
            f"of Redis memory per event, the market's copy in; {how}",
        ),
        Figure(
            BENCH, "redis_us", 1e6 * worked_s / events, "us", f"of Redis' processor per event written; {how}"
        ),
        Figure(
            BENCH, "redis_calls", (after.calls - before.calls) / events, "calls", f"per event written; {how}"
        ),
    ]


async def _publish(url: str, frames: Sequence[StreamFrame]) -> None:
    """As `FrameIngest` does, the socket left out."""
    link, prefix = BusLink(url, timeout_s=10.0), bus_prefix("bench:")
    log = RedisFrameLog(link, prefix=prefix, now_ms=lambda: scale.START_MS)
    lease = await RedisLeases(link, prefix=prefix, owner="capacity", lease_s=600.0).take("ingest")
    if lease is None:
        raise RuntimeError("a new Redis has leases")
    buffer = FrameBuffer(Partitioning(), max_events=10**9, batch_parts=64)
    for number, frame in enumerate(frames):
        buffer.add(frame)
        await log.publish(lease, number, buffer.batch())
        buffer.confirm()
    await link.aclose()


class RedisState(NamedTuple):
    """Bytes used, processor seconds and commands so far."""

    memory: int
    cpu_s: float
    calls: int


def _redis_state(redis: Redis) -> RedisState:
    info = redis.info()
    worked_s = float(info["used_cpu_sys"]) + float(info["used_cpu_user"])
    return RedisState(int(info["used_memory"]), worked_s, int(info["total_commands_processed"]))


def _mixed_frames(coins: int = scale.COINS) -> Iterator[StreamFrame]:
    """Full frames as they come from a socket: every coin in each."""
    draw = np.random.default_rng(12)
    names = [f"C{number}" for number in range(coins)]
    number = 0
    while True:
        yield scale.frame_of(draw, names, number, is_wild=False)
        number += 1


def _detect() -> Figure:
    """One process alone drains what the scale benchmark fills."""
    with scale.redis_server() as url:
        asyncio.run(scale.fill(url))
        drains = sorted(scale.drain(url, 1).cpu_s for _ in range(DRAINS))
    context = f"an event read, analysed and acknowledged; {scale.EVENTS:,} in entries of {MAX_PART_EVENTS}"
    context += f", median of {DRAINS}; without a database"
    return Figure(BENCH, "detect_us", 1e6 * drains[DRAINS // 2] / scale.EVENTS, "us", context)


def _unshared() -> list[Figure]:
    """What one partition holds whole, analysed by one process at a time."""
    how = f"an event decoded and analysed; {FRAMES * MAX_PART_EVENTS:,} in entries of {MAX_PART_EVENTS}"
    how += f", {1000 * MAX_PART_EVENTS // DENSE_MS:,} a second"
    market = _analysis_us(Scope.MARKET, map(_dense, _mixed_frames()))
    one = _analysis_us(Scope.COINS, map(_dense, _mixed_frames(1)))
    trades = _analysis_us(Scope.COINS, (_as_trades(_dense(frame)) for frame in _mixed_frames()))
    return [
        Figure(BENCH, "market_us", market, "us", f"{how}, in the partition that sums the whole market"),
        Figure(BENCH, "one_coin_us", one, "us", f"{how}, all of one coin"),
        Figure(BENCH, "trade_us", trades, "us", f"{how}, trades of {scale.COINS} coins"),
    ]


def _dense(frame: StreamFrame) -> StreamFrame:
    """The frame as it comes in a storm: hundreds of times as many events a second."""
    faster = scale.FRAME_MS // DENSE_MS

    def at(ts_ms: int) -> int:
        return scale.START_MS + (ts_ms - scale.START_MS) // faster

    rows = tuple(row._replace(ts_event_ms=at(row.ts_event_ms)) for row in frame.liquidations)
    return replace(frame, ts_init_ms=at(frame.ts_init_ms), liquidations=rows)


def _as_trades(frame: StreamFrame) -> StreamFrame:
    """The same moments, coins and amounts as trades of takers."""
    trades = tuple(
        TradeEvent(coin, exchange, pair, side == "SHORT", price, usd, at_ms)
        for coin, exchange, pair, side, price, usd, _, at_ms in frame.liquidations
    )
    return replace(frame, liquidations=(), trades=trades)


def _analysis_us(scope: Scope, frames: Iterator[StreamFrame]) -> float:
    entries = [(frame.ts_init_ms, encode_frame(frame)) for frame in islice(frames, FRAMES)]
    identifier, engine = Identifier(), FlowEngine(FlowConfig(), scope=scope)
    used_s = time.process_time()
    for now_ms, entry in entries:
        frame = decode_frame(entry)
        if frame is None:
            raise RuntimeError("an entry of our own cannot be read")
        engine.on_liquidations(identifier.identify(frame), now_ms)
        engine.on_trades(frame.trades, now_ms)
    return 1e6 * (time.process_time() - used_s) / (FRAMES * MAX_PART_EVENTS)
