"""One live client from its first message to its end, whatever it listens by.

Owns the order of things: seat, snapshot or what was missed, deltas and beats, and why it ended. A client that
takes nothing is ended, never waited for. How a message is framed is the caller's business.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from enum import StrEnum
from typing import Protocol, TypeAlias

from app.api.live_hub import Kind, LiveHub, Message, Position
from app.services.live_demand import Demand

Tell: TypeAlias = Callable[[Message], Awaitable[None]]


class Ending(StrEnum):
    """Why a client listens no more."""

    LEFT = "left"
    SLOW = "slow"  # took nothing for too long
    EXPIRED = "expired"  # has to come again, with a token that is still good
    TALKATIVE = "talkative"  # kept sending although nobody asked
    STOPPED = "stopped"  # the process ends


class Gathers(Protocol):
    """The parts of `services.live_service` that a client needs."""

    @property
    def demand(self) -> Demand: ...

    async def gathered(self, within_s: float) -> None: ...


async def serve(
    hub: LiveHub,
    gathers: Gathers,
    *,
    kind: Kind,
    tell: Tell,
    resume: Position | None,
    leaves: Callable[[], Coroutine[None, None, Ending]],
) -> Ending:
    """Tell one client what there is until it ends. leaves: returns when the client has gone."""
    gathers.demand.enter()
    try:
        await gathers.gathered(hub.limits.first_s)
        ending = await _first_ending(_follow(hub, kind, tell, resume), leaves(), _stopped(hub))
    finally:
        gathers.demand.leave()
    hub.observe.live_ended(kind.value, ending.value)
    return ending


async def _follow(hub: LiveHub, kind: Kind, tell: Tell, resume: Position | None) -> Ending:
    until_s = hub.monotonic() + hub.limits.lifetime_s
    first, cursor = hub.first(resume)
    message: Message | None = first
    while message is not None:
        try:
            async with asyncio.timeout(hub.limits.stall_s):
                await tell(message)
        except TimeoutError:
            return Ending.SLOW
        except OSError:
            return Ending.LEFT  # the connection broke while something was written
        hub.observe.live_sent(kind.value, message.told.value)
        if hub.monotonic() >= until_s:
            return Ending.EXPIRED
        message = await hub.next(cursor)
    return Ending.STOPPED


async def _stopped(hub: LiveHub) -> Ending:
    await hub.closing.wait()
    return Ending.STOPPED


async def _first_ending(*ways: Coroutine[None, None, Ending]) -> Ending:
    """What ended first; the others are over when this returns."""
    tasks = [asyncio.create_task(way) for way in ways]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        return next(task for task in tasks if task.done()).result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
