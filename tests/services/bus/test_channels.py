"""Alerts and signals on the channels of a real Redis."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from redis.asyncio import Redis

from app.core.domain.alerts import Delivery, DeliveryState
from app.core.errors import DeliveryUnavailable
from app.core.stream_ports import Message
from app.services.bus.channels import ALERTS, SIGNALS, ChannelSender, RedisChannels
from app.services.transport.redis_link import RedisLink
from tests.live_rig import closed_port
from tests.services.transport.conftest import RedisServer, redis_process

__all__ = ["redis_process"]

ROW = Delivery("a1", "redis", DeliveryState.SENDING, 1, 0, 1, 0, 0, None, '{"id":"a1"}')
TEXT = Message(html="x", plain="x")


@pytest.fixture
async def channels(redis_process: RedisServer) -> AsyncIterator[RedisChannels]:
    link = RedisLink(redis_process.url, timeout_s=5.0)
    yield RedisChannels(link, prefix="cfs:")
    await link.aclose()


async def test_listeners_hear_alerts_and_signals(redis_process: RedisServer, channels: RedisChannels) -> None:
    async with Redis.from_url(redis_process.url) as redis, redis.pubsub() as listener:
        await listener.subscribe(f"cfs:{ALERTS}", f"cfs:{SIGNALS}")
        sender = ChannelSender(channels)
        assert await sender.send("redis", ROW, TEXT) == ""
        await sender.edit("redis", ROW, TEXT)
        assert await channels.publish(SIGNALS, "{}") == 1
        heard = []
        async with asyncio.timeout(30):
            async for item in listener.listen():
                if item["type"] == "message":
                    heard.append((item["channel"], item["data"]))
                if len(heard) == 3:
                    break
    assert heard == [(b"cfs:alerts", b'{"id":"a1"}')] * 2 + [(b"cfs:signals", b"{}")]


async def test_nobody_listening_is_no_failure(channels: RedisChannels) -> None:
    assert await channels.publish(ALERTS, "{}") == 0


async def test_without_redis_it_is_tried_again_later() -> None:
    link = RedisLink(f"redis://127.0.0.1:{closed_port()}/0")
    channels = RedisChannels(link, prefix="")
    assert await channels.publish(SIGNALS, "{}") is None
    with pytest.raises(DeliveryUnavailable):
        await ChannelSender(channels).send("redis", ROW, TEXT)
    await link.aclose()
