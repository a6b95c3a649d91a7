"""Signals on a channel of a real Redis: in order, behind the answer, bounded, and nobody waits for them."""

from __future__ import annotations

import asyncio

from redis.asyncio import Redis

from app.services.bus.channels import SIGNALS, RedisChannels
from app.services.bus.signals import SignalChannel
from app.services.transport.redis_link import RedisLink
from tests.live_rig import closed_port
from tests.services.transport.conftest import RedisServer, redis_process
from tests.stream_rig import running, until

__all__ = ["redis_process"]


async def test_listeners_hear_signals_in_order(redis_process: RedisServer) -> None:
    link = RedisLink(redis_process.url, timeout_s=5.0)
    channel = SignalChannel(RedisChannels(link, prefix="sig:"))
    async with Redis.from_url(redis_process.url) as redis, redis.pubsub() as listener:
        await listener.subscribe(f"sig:{SIGNALS}")
        async with running(channel.run()), asyncio.timeout(30):
            for number in range(5):
                channel.tell(f'{{"n":{number}}}')
            heard = [item["data"] async for item in _first(listener, 5)]
    await link.aclose()
    assert heard == [b'{"n":%d}' % number for number in range(5)]
    assert (channel.published, channel.lost) == (5, 0)


async def test_without_redis_telling_costs_nothing_and_the_loss_is_counted() -> None:
    link = RedisLink(f"redis://127.0.0.1:{closed_port()}/0")
    channel = SignalChannel(RedisChannels(link, prefix=""), max_waiting=10)
    for number in range(25):
        channel.tell(str(number))
    assert channel.lost == 15
    async with running(channel.run()):
        await until(lambda: channel.lost == 25)
    await link.aclose()
    assert channel.published == 0


async def _first(listener, count):  # type: ignore[no-untyped-def]
    async for item in listener.listen():
        if item["type"] == "message":
            yield item
            count -= 1
        if not count:
            return
