"""Parts of the bus on a real Redis: each test has a prefix of its own."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack

import pytest

from tests.bus_rig import Bus, Running
from tests.services.transport.conftest import RedisServer, own_redis, redis_process

__all__ = ["own_redis", "redis_process"]


@pytest.fixture
def prefix() -> str:
    return f"{uuid.uuid4().hex}:"


@pytest.fixture
async def opened() -> AsyncIterator[AsyncExitStack]:
    async with AsyncExitStack() as stack:
        yield stack


@pytest.fixture
def bus(opened: AsyncExitStack, redis_process: RedisServer, prefix: str) -> Callable[..., Bus]:
    """The parts of one more process."""

    def make(owner: str, *, server: RedisServer | None = None, **options: float) -> Bus:
        made = Bus(server or redis_process, owner, prefix=prefix, **options)
        opened.push_async_callback(made.link.aclose)
        return made

    return make


@pytest.fixture
def running(opened: AsyncExitStack, bus: Callable[..., Bus]) -> Running:
    return Running(opened)
