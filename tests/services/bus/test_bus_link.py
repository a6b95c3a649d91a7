"""The bus's connections: every fault is one error, and its text tells nothing of where Redis is."""

from __future__ import annotations

import asyncio

import pytest

from app.core.errors import BusUnavailable
from app.services.bus.leases import RedisLeases
from app.services.bus.link import BusLink
from tests.live_rig import closed_port
from tests.services.transport.conftest import RedisServer, redis_process

__all__ = ["redis_process"]


async def test_a_redis_that_is_not_there_is_named_without_its_address() -> None:
    link = BusLink(f"redis://user:canary-secret@127.0.0.1:{closed_port()}/0", timeout_s=0.5)
    leases = RedisLeases(link, prefix="x:", owner="one")
    with pytest.raises(BusUnavailable) as caught:
        await leases.attend()
    assert str(caught.value) == "Redis: ConnectionError"
    assert "canary" not in repr(link) + repr(leases)
    await link.aclose()


async def test_a_refused_command_is_the_same_error(redis_process: RedisServer) -> None:
    link = BusLink(redis_process.url)
    with pytest.raises(BusUnavailable, match=r"^Redis: \w+$"):
        await link.ask(lambda redis: redis.execute_command("NO-SUCH-COMMAND"))
    assert await link.ask(lambda redis: redis.ping())
    await link.aclose()


async def test_a_read_may_wait_longer_than_a_command(redis_process: RedisServer) -> None:
    link = BusLink(redis_process.url, timeout_s=0.1, max_wait_s=5.0)
    wait_ms = 250
    assert not await link.wait(lambda redis: redis.xread({"nothing": "0-0"}, block=wait_ms))
    with pytest.raises(BusUnavailable):
        await link.ask(lambda redis: redis.xread({"nothing": "0-0"}, block=wait_ms))
    await link.aclose()


async def test_a_cancellation_at_any_moment_of_a_command_is_heeded(redis_process: RedisServer) -> None:
    """The driver loses those that come while it sends: the command then returned as if nothing had been."""
    link = BusLink(redis_process.url)
    leases = RedisLeases(link, prefix="cancelled:", owner="one")
    await leases.attend()
    cancelled = 0
    for ticks in range(1, 15):
        asking = asyncio.create_task(leases.attend())
        for _ in range(ticks):
            await asyncio.sleep(0)
        was_over = asking.done()
        asking.cancel()
        await asyncio.wait([asking], timeout=30)
        assert asking.cancelled() is not was_over
        cancelled += asking.cancelled()
    assert cancelled >= 2
    await link.aclose()
