"""Answers keep the same limits as alerts: they wait on the pacer of the delivery and count in it.

Used where the bot runs in the process that delivers; elsewhere it keeps a message a second by itself and the
server's word decides. Called by the bot before every message.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from app.services.streaming.pacing import Pacer

# A hold for good (bad token) or a long one: the server may say it to the answer itself.
LONGEST_WAIT_S = 60.0


class SharedPace:
    """Waits until a chat may be written to, and takes its place."""

    def __init__(self, pacer: Pacer, *, sleep: Callable[[float], Awaitable[None]] = asyncio.sleep) -> None:
        self._pacer = pacer
        self._sleep = sleep

    async def __call__(self, chat: str) -> None:
        waited_s = 0.0
        while waited_s < LONGEST_WAIT_S:
            wait_s = min(self._pacer.held_for_s(chat), LONGEST_WAIT_S - waited_s)
            if wait_s <= 0:
                break
            await self._sleep(wait_s)
            waited_s += wait_s
        self._pacer.took(chat, is_edit=False)
