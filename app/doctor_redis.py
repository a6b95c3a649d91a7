"""Probes of Redis: reachable, quick, writable, new enough, and kept so that it loses nothing it should keep.

Writes one key of its own, which expires by itself and is deleted at once. Only INFO is asked, because hosted
servers forbid CONFIG.
"""

from __future__ import annotations

import secrets
import statistics
import time
from typing import Any

from redis.exceptions import RedisError

from app.core.domain.partition import Partitioning
from app.doctor_deployment import Deployment
from app.doctor_run import Finding, Probe, fail, ok, skip, warn
from app.services.bus.link import BusLink
from app.services.bus.streams import RedisFrameLog

GROUP = "redis"
OLDEST = (6, 2)
_LOOKS = 5
_KEPT_S = 30
_FULL_FRAC = 0.9
_BEHIND_S = 60.0


async def redis(deployment: Deployment) -> Finding:
    try:
        await deployment.first_redis()
    except (RedisError, OSError) as error:
        mend = "start it, or correct REDIS_URL; meanwhile caches and quotas are in memory"
        return fail(f"Redis does not answer ({type(error).__name__})", mend)
    return ok("Redis answers")


async def redis_latency(deployment: Deployment) -> Finding:
    client = await deployment.redis()
    times_ms = []
    for _ in range(_LOOKS):
        started_s = time.monotonic()
        await client.ping()
        times_ms.append((time.monotonic() - started_s) * 1000)
    took_ms, most_ms = statistics.median(times_ms), deployment.settings.redis_timeout_seconds * 1000
    found = f"a ping takes {took_ms:.1f} ms, and {most_ms:.0f} ms are waited for"
    mend = "put Redis beside the service, or raise REDIS_TIMEOUT_SECONDS"
    if took_ms > most_ms:
        return fail(f"{found}: memory answers in its place", mend)
    return warn(found, mend) if took_ms > most_ms / 4 else ok(found)


async def redis_write(deployment: Deployment) -> Finding:
    client = await deployment.redis()
    # Nobody else's key: two doctors may look at once.
    key, value = f"signals:doctor:{secrets.token_hex(8)}", b"1"
    try:
        await client.set(key, value, ex=_KEPT_S)
        found = await client.get(key)
        await client.delete(key)
    except RedisError as error:
        mend = "use the primary and not a replica; see its memory and its disk"
        return fail(f"Redis takes no write ({type(error).__name__})", mend)
    if found != value:
        return fail("what was written could not be read", "use the primary and not a replica")
    return ok("a key was written, read and deleted")


async def redis_version(deployment: Deployment) -> Finding:
    version = str((await _info(deployment, "server")).get("redis_version", ""))
    numbers = tuple(int(part) for part in version.split(".")[:2] if part.isdigit())
    if numbers < OLDEST:
        wanted = ".".join(map(str, OLDEST))
        return warn(f"Redis {version or 'of an unknown version'} is old", f"use {wanted} or newer")
    return ok(f"Redis {version}")


async def redis_memory(deployment: Deployment) -> Finding:
    told = await _info(deployment, "memory")
    policy = str(told.get("maxmemory_policy", "noeviction"))
    used, most = int(told.get("used_memory", 0)), int(told.get("maxmemory", 0))
    if most and policy != "noeviction":
        return warn(
            f"maxmemory-policy {policy}: when Redis is full, leases or frames of workers go",
            "set maxmemory-policy noeviction: what is cached expires by itself",
        )
    if most and used > most * _FULL_FRAC:
        return warn(f"{used / most:.0%} of maxmemory is used", "give Redis more memory")
    limit = f"of {most / 1e6:,.0f} MB" if most else "without a limit"
    return ok(f"{used / 1e6:,.1f} MB used {limit}, {policy}")


async def redis_persistence(deployment: Deployment) -> Finding:
    told = await _info(deployment, "persistence")
    if str(told.get("rdb_last_bgsave_status", "ok")) != "ok":
        return fail("the last snapshot of Redis failed", "see its disk and its log")
    if told.get("aof_enabled"):
        return ok("Redis writes an append-only file")
    if await _has_frames(deployment):
        return warn(
            "roles share work over a Redis without an append-only file: a restart may lose frames",
            "set appendonly yes",
        )
    return ok("no append-only file: caches and quotas need none")


async def redis_streams(deployment: Deployment) -> Finding:
    """How far analysis is behind the stream, where they are two processes."""
    client, settings = await deployment.redis(), deployment.settings
    prefix = _bus(deployment)
    newest = {}
    for partition in Partitioning().all:
        if last := await client.xrevrange(f"{prefix}frames:{partition}", count=1):
            newest[partition] = _id_ms(last[0][0])
    if not newest or settings.redis_url is None:
        return skip("no frames: roles are not used")
    link = BusLink(settings.redis_url.get_secret_value())
    try:
        log = RedisFrameLog(link, prefix=prefix, now_ms=deployment.wall.now_ms)
        places = {partition: await log.cursor(partition) for partition in newest}
    finally:
        await link.aclose()
    behind_s = max(
        (newest[partition] - _id_ms(place.id)) / 1000 if place is not None else 0.0
        for partition, place in places.items()
    )
    if behind_s > _BEHIND_S:
        return warn(f"analysis is {behind_s:.0f} s behind the stream", "start another worker --role detect")
    return ok(f"{len(newest)} partitions, analysis at most {max(0.0, behind_s):.1f} s behind the stream")


def _id_ms(entry: bytes | str | None) -> int:
    """When Redis took an entry, by its id (`1780000000000-0`)."""
    text = entry.decode() if isinstance(entry, bytes) else entry or "0"
    return int(text.partition("-")[0])


async def _has_frames(deployment: Deployment) -> bool:
    """Whether worker roles have met in this Redis."""
    client = await deployment.redis()
    return bool(await client.exists(f"{_bus(deployment)}frames:newest"))


def _bus(deployment: Deployment) -> str:
    return f"signals:{deployment.settings.data_mode}:bus:"


async def _info(deployment: Deployment, section: str) -> dict[str, Any]:
    client = await deployment.redis()
    told: dict[str, Any] = await client.info(section)
    return told


PROBES = tuple(
    Probe(run.__name__, GROUP, run)
    for run in (
        redis,
        redis_latency,
        redis_write,
        redis_version,
        redis_memory,
        redis_persistence,
        redis_streams,
    )
)
