"""Publishes every scored signal on the channel `{prefix}signals`, behind the answer and never before it.

Owns the bounded queue between an answer and Redis: telling costs an append, and of too many the oldest are
dropped, counted. Whoever is not listening hears nothing. Put together by bootstrap where `ALERT_CHANNELS=on`.
"""

from __future__ import annotations

import asyncio
from collections import deque

from app.services.bus.channels import SIGNALS, RedisChannels

# Signals that wait for Redis; at a hundred answers a second ten seconds of them.
MAX_WAITING = 1_000


class SignalChannel:
    """`tell()` from the answers, `run()` as a task. published, lost: since the start."""

    def __init__(self, channels: RedisChannels, *, max_waiting: int = MAX_WAITING) -> None:
        self._channels = channels
        self._waiting: deque[str] = deque(maxlen=max_waiting)
        self._awake = asyncio.Event()
        self.published = 0
        self.lost = 0

    def tell(self, text: str) -> None:
        """Publish this signal soon (`core.alerting.signal_message`); returns at once."""
        self.lost += len(self._waiting) == self._waiting.maxlen
        self._waiting.append(text)
        self._awake.set()

    async def run(self) -> None:
        """Publish in order until cancelled. What Redis does not take is lost: a late signal is none."""
        while True:
            await self._awake.wait()
            self._awake.clear()
            while self._waiting:
                heard = await self._channels.publish(SIGNALS, self._waiting.popleft())
                self.published += heard is not None
                self.lost += heard is None
