"""Fixtures of the simulator's tests: in-process calls, and a real server on loopback for sockets."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, replace
from typing import Any

import httpx2
import pytest
import uvicorn

from app.services.transport.connection import tls_context
from app.sim.app import SimConfig, create_simulator
from app.sim.clocks import SimClock
from app.sim.world import SyntheticWorld

# 2025-06-11 10:20:30 UTC: inside an hour, a day and a funding period, well after the world's start.
NOW_MS = 1_749_637_230_000


@dataclass(slots=True)
class Ticker:
    """A process clock that tests move by hand."""

    now_s: float = 1_000_020.0

    def __call__(self) -> float:
        return self.now_s


@dataclass(slots=True)
class Sim:
    """One simulator and a client below it."""

    client: httpx2.AsyncClient
    clock: SimClock
    ticker: Ticker
    app: Any

    async def get(self, path: str, headers: dict[str, str] | None = None, **params: Any) -> Any:
        return await self.client.get(path, params=params, headers=headers)

    async def coinglass(self, path: str, key: str = "test-key", **params: Any) -> Any:
        return await self.get(f"/coinglass{path}", {"CG-API-KEY": key}, **params)

    async def okx(self, path: str, **params: Any) -> Any:
        return (await self.get(f"/okx/api/v5/{path}", **params)).json()

    async def faults(self, *items: dict[str, Any]) -> None:
        answer = await self.client.put("/__sim__/faults", json=list(items))
        assert answer.status_code == 200, answer.text


# One world for all tests: its coins are made once. Tests run one after the other, each sets the clock anew.
CLOCK = SimClock()
WORLD = SyntheticWorld(7, CLOCK.now_ms)


def build(config: SimConfig) -> tuple[Any, SimClock, Ticker]:
    CLOCK.set(NOW_MS)
    ticker = Ticker()
    return create_simulator(replace(config, monotonic_s=ticker), WORLD, CLOCK), CLOCK, ticker


@pytest.fixture
def make_sim() -> Callable[..., contextlib.AbstractAsyncContextManager[Sim]]:
    """Open a simulator in this process: `async with make_sim(plan="startup") as sim`."""

    @contextlib.asynccontextmanager
    async def opened(**options: Any) -> AsyncIterator[Sim]:
        app, clock, ticker = build(SimConfig(**options))
        transport = httpx2.ASGITransport(app=app)
        async with httpx2.AsyncClient(transport=transport, base_url="http://sim") as client:
            yield Sim(client, clock, ticker, app)

    return opened


@pytest.fixture
async def sim(make_sim: Any) -> AsyncIterator[Sim]:
    async with make_sim(plan="professional") as opened:
        yield opened


@pytest.fixture
def ask(sim: Any) -> Any:
    """`data` of a CoinGlass endpoint."""

    async def asked(path: str, **params: Any) -> Any:
        body = (await sim.coinglass(path, **params)).json()
        assert body["code"] == "0", body
        return body["data"]

    return asked


@dataclass(slots=True)
class Served(Sim):
    port: int = 0


@pytest.fixture
async def served() -> AsyncIterator[Served]:
    """A simulator behind a real socket; its streams look for events every 5 ms."""
    app, clock, ticker = build(SimConfig(plan="professional", ws_tick_s=0.005))
    listener = socket.create_server(("127.0.0.1", 0))
    port = listener.getsockname()[1]
    config = uvicorn.Config(
        app, log_level="critical", access_log=False, lifespan="off", ws_ping_interval=None
    )
    server = uvicorn.Server(config)
    task = asyncio.create_task(server.serve(sockets=[listener]))
    base_url = f"http://127.0.0.1:{port}"
    async with httpx2.AsyncClient(base_url=base_url, verify=tls_context(), timeout=30.0) as client:
        yield Served(client, clock, ticker, app, port)
    server.should_exit = server.force_exit = True
    await task
