"""A real Redis in cluster mode takes every script of ours: the keys of each lie in one slot.

One node with all slots refuses keys of different slots (CROSSSLOT) as a cluster of many does, and never sends
a client elsewhere.
"""

from __future__ import annotations

import asyncio
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import cast

import pytest
from redis import Redis
from redis.asyncio import Redis as AsyncRedis
from redis.exceptions import RedisError, ResponseError

from app.core.bus_ports import Ack
from app.services.bus.leases import RedisLeases
from app.services.bus.link import BusLink, bus_prefix
from app.services.bus.streams import RedisFrameLog
from app.services.transport.limits import EndpointLimit
from app.services.transport.redis_link import RedisLink
from app.services.transport.shared_limits import SharedQuota
from tests.bus_rig import frame, now_ms
from tests.live_rig import closed_port

PREFIX = "signals:live:"


@pytest.fixture(scope="module")
def cluster_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    binary = shutil.which("redis-server")
    if binary is None:
        pytest.skip("no redis-server")
    folder, port = tmp_path_factory.mktemp("cluster"), closed_port()
    command = [binary, "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", str(folder)]
    command += ["--cluster-enabled", "yes", "--cluster-port", str(closed_port()), "--logfile", "redis.log"]
    with subprocess.Popen(command) as server:
        try:
            url = f"redis://127.0.0.1:{port}/0"
            _own_every_slot(url, folder)
            yield url
        finally:
            server.kill()


def _own_every_slot(url: str, folder: Path) -> None:
    give_up_s = time.monotonic() + 10
    with Redis.from_url(url) as redis:
        while time.monotonic() < give_up_s:
            with suppress(RedisError):
                if not int(cast(dict[str, str], redis.cluster("INFO"))["cluster_slots_assigned"]):
                    redis.cluster("ADDSLOTSRANGE", 0, 16_383)
                if cast(dict[str, str], redis.cluster("INFO"))["cluster_state"] == "ok":
                    return
            time.sleep(0.02)
    pytest.fail((folder / "redis.log").read_text())


async def test_keys_of_different_slots_are_refused_there(cluster_url: str) -> None:
    async with AsyncRedis.from_url(cluster_url) as redis:
        with pytest.raises(ResponseError, match="same slot"):
            await redis.eval("return #KEYS", 2, "a", "b")


async def test_a_budget_with_several_windows_is_counted(cluster_url: str) -> None:
    faults: list[str] = []
    link = RedisLink(cluster_url, timeout_s=5, observe=faults.append)
    classes = (EndpointLimit(2, 60.0, frozenset({"slow"})),)
    one, two = (SharedQuota("p", link, calls=3, classes=classes, prefix=PREFIX) for _ in range(2))
    for quota in (one, two):
        slot = await quota.acquire("slow", 0)
        quota.release(slot, sent=True)
        quota.observe_usage(1, 3)
    one.pause(0.001)
    await asyncio.gather(one.settled(), two.settled())
    await link.aclose()
    assert faults == []


async def test_a_frame_is_published_read_and_acknowledged_under_a_lease(cluster_url: str) -> None:
    link, prefix = BusLink(cluster_url), bus_prefix(PREFIX)
    log = RedisFrameLog(link, prefix=prefix, now_ms=now_ms)
    leases = RedisLeases(link, prefix=prefix, owner="me")
    ingest, first, second = [await leases.take(name) for name in ("ingest", "partition-0", "partition-1")]
    assert ingest is not None
    assert first is not None
    assert second is not None
    assert await leases.attend() == 1
    assert await leases.renew([ingest, first, second]) == {"ingest", "partition-0", "partition-1"}
    assert await log.publish(ingest, 1, [(0, frame(1)), (1, frame(1)), (16, frame(1))])
    (entry,) = await log.read(0, None, 10, 0.1)
    assert await log.acknowledge(first, 0, None, entry.place) is Ack.STORED
    assert await log.history(0, entry.place, None, 10) == [entry]
    for lease in (ingest, first, second):
        await leases.give_back(lease)
    await leases.leave()
    await link.aclose()
