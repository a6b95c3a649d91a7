"""Tells other processes of alerts and signals through Redis channels, as JSON text.

`{prefix}alerts` carries what a webhook gets, `{prefix}signals` whatever the caller publishes. A channel keeps
nothing: who is not listening hears nothing. Called by the delivery and by whoever makes signals.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from app.core.domain.alerts import Delivery
from app.core.errors import DeliveryUnavailable
from app.core.stream_ports import Message

if TYPE_CHECKING:
    # The library is loaded by the link, and that only where there is a Redis.
    from redis.asyncio import Redis

    from app.services.transport.redis_link import RedisLink

ALERTS, SIGNALS = "alerts", "signals"


class RedisChannels:
    """Channels below one prefix."""

    def __init__(self, link: RedisLink, *, prefix: str) -> None:
        self._link = link
        self._prefix = prefix

    async def publish(self, name: str, text: str) -> int | None:
        """How many heard it; None when Redis could not be asked."""

        async def command(redis: Redis) -> int | None:
            return int(await redis.publish(f"{self._prefix}{name}", text))

        return await self._link.run(command, None)


class ChannelSender:
    """`core.stream_ports.Sender` for the destination `redis`."""

    scheme = "redis"

    def __init__(self, channels: RedisChannels) -> None:
        self._channels = channels

    async def send(self, chat: str, delivery: Delivery, message: Message) -> str:
        """Listeners tell repeats by id and revision. Raises: DeliveryUnavailable."""
        if await self._channels.publish(ALERTS, delivery.body) is None:
            raise DeliveryUnavailable(chat, "Redis does not answer")
        return ""

    async def edit(self, chat: str, delivery: Delivery, message: Message) -> None:
        """The newer revision, by the same way."""
        await self.send(chat, delivery, message)
