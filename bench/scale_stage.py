"""The stage of the scale demo: how its acts ask the processes, read their databases and remember the truth.

Owns no judgement and prints only tables. Made by `scale_demo`, used by `scale_acts`.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

import httpx2
from redis import Redis

from bench.scale_stack import DemoFailed, Member, Stack
from bench.scale_verdicts import Call, holders

PATIENCE_S = 40.0


@dataclass(slots=True)
class Stage:
    """What every act needs: the processes, one client, what was streamed, and where to say it."""

    stack: Stack
    client: httpx2.AsyncClient
    say: Callable[[str], None]
    wave: int
    coins: tuple[str, ...] = ()
    sent: int = 0
    usd: Counter[str] = field(default_factory=Counter)

    @property
    def streamed(self) -> tuple[str, ...]:
        """Coins of the waves: listed ones, because others have no page of their own."""
        return self.coins[:40]

    async def get(self, member: Member, path: str, **params: str) -> httpx2.Response:
        return await self.client.get(f"{member.url}{path}", params=params)

    async def simulator(self, path: str) -> dict[str, Any]:
        answer: dict[str, Any] = (await self.client.get(f"{self.stack.simulator}/__sim__/{path}")).json()
        return answer

    async def calls(self, after: int = 0) -> list[Call]:
        """Upstream calls that the simulator counted, but for the first `after`."""
        return list((await self.simulator("calls"))["calls"][after:])

    async def stream(self, rows: Sequence[dict[str, Any]]) -> None:
        """Put these liquidations into the upstream stream, which has no others."""
        body = {"alone": True, "liquidations": rows}
        (await self.client.post(f"{self.stack.simulator}/__sim__/events", json=body)).raise_for_status()
        self.sent += len(rows)
        for row in rows:
            self.usd[row["base"]] += row["usd"]

    def table(self, title: str, rows: Iterable[tuple[str, object]]) -> None:
        self.say(f"\n{title}")
        for what, value in rows:
            self.say(f"  {what:<46} {value}")

    def leases(self) -> dict[str, list[int]]:
        """Partitions by detect process, as Redis has it now."""
        with Redis.from_url(self.stack.redis_url) as redis:
            keys = list(redis.scan_iter("*lease:partition-*", count=500))
            tokens = cast(list[bytes | None], redis.mget(keys)) if keys else []
        leases = {key.decode(): token.decode() for key, token in zip(keys, tokens, strict=True) if token}
        names = {
            member.pid: name
            for name, member in self.stack.members.items()
            if name.startswith("detect") and member.is_running
        }
        return holders(leases, names)

    def rows_of(self, select: str) -> list[list[str]]:
        """Rows of the database, read past the service."""
        if self.stack.postgres is None:
            raise DemoFailed("PostgreSQL does not run")
        return [line.split("|") for line in self.stack.postgres.psql(select).splitlines() if line]


async def until(is_so: Callable[[], Awaitable[object]], within_s: float = PATIENCE_S) -> float | None:
    """Seconds until it is so; None when it was not within them."""
    begun_s = time.monotonic()
    while not await is_so():
        if time.monotonic() - begun_s > within_s:
            return None
        await asyncio.sleep(0.1)
    return time.monotonic() - begun_s
