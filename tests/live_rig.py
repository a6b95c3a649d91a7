"""The whole service on a simulated market, for the chaos and end-to-end tests.

Application and simulator run in the test's loop with one stepped clock between them: market time stands
still until a test moves it. Upstream calls go over real loopback sockets; the application is asked in
process.
"""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Hashable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from tempfile import TemporaryDirectory
from typing import Any, TypeVar

import httpx2
import structlog
import uvicorn

from app.bootstrap import Application, build
from app.core.clock import Clock, SteppedClock
from app.services.transport.records import CallRecord
from app.settings import load_settings
from app.sim.app import SimConfig, create_simulator
from app.sim.faults import parse_faults
from app.sim.market import CandleColumns, LiquidationColumns, ValueColumns
from app.sim.state import SimState
from app.sim.world import SyntheticWorld
from app.simulator_child import provider_settings

# 2025-06-11 10:20:30 UTC: inside an hour, a day and a funding period, well after the world's start.
NOW_MS = 1_749_637_230_000
HOUR_MS = 3_600_000
KEYS = ("COINGLASS_API_KEY", "LUNARCRUSH_API_KEY", "COINAPI_KEY")
BASE_URLS = {
    "coinglass": "COINGLASS_BASE_URL",
    "okx": "OKX_BASE_URL",
    "lunarcrush": "LUNARCRUSH_BASE_URL",
    "coinapi": "COINAPI_BASE_URL",
    "alternative.me": "ALTERNATIVE_ME_BASE_URL",
}
K = TypeVar("K")
V = TypeVar("V")


class RigClock(SteppedClock):
    """A stepped clock that starts where the rig's world stands."""

    def __init__(self, start_ms: int = NOW_MS) -> None:
        super().__init__(start_ms)


class _SharedClock:
    """The clock of the test that runs: one world serves all tests, because making its coins takes time."""

    current: Clock = SteppedClock(NOW_MS)

    def now_ms(self) -> int:
        return self.current.now_ms()


class _KnownWorld(SyntheticWorld):
    """Remembers what it was asked at the moment every rig starts at: one list of markets is a thousand
    questions, and each test asks for it. Nobody can change what is handed out twice."""

    def __init__(self, seed: int, now_ms: Callable[[], int]) -> None:
        super().__init__(seed, now_ms)
        self._told: dict[Hashable, Any] = {}

    def _once(self, question: Hashable, answer: Callable[[], V]) -> V:
        if self.now_ms() != NOW_MS:
            return answer()
        if question not in self._told:
            self._told[question] = _frozen(answer())
        told: V = self._told[question]
        return told

    def candles(
        self, base: str, exchange: str, interval_ms: int, start_ms: int, end_ms: int
    ) -> CandleColumns:
        asked = base, exchange, interval_ms, start_ms, end_ms
        return self._once(("candles", *asked), lambda: SyntheticWorld.candles(self, *asked))

    def taker_volume(
        self, base: str, exchange: str, interval_ms: int, start_ms: int, end_ms: int
    ) -> tuple[ValueColumns, ValueColumns]:
        asked = base, exchange, interval_ms, start_ms, end_ms
        return self._once(("taker", *asked), lambda: SyntheticWorld.taker_volume(self, *asked))

    def liquidations(
        self, base: str, exchanges: tuple[str, ...], interval_ms: int, start_ms: int, end_ms: int
    ) -> LiquidationColumns:
        asked = base, exchanges, interval_ms, start_ms, end_ms
        return self._once(("liquidations", *asked), lambda: SyntheticWorld.liquidations(self, *asked))


def _frozen(columns: V) -> V:
    for one in columns if isinstance(columns, tuple) else (columns,):
        for name in one.__dataclass_fields__:
            getattr(one, name).setflags(write=False)
    return columns


_TIME = _SharedClock()
WORLD = _KnownWorld(7, _TIME.now_ms)


@dataclass(slots=True)
class LiveSim:
    """A simulator that listens on loopback."""

    url: str
    state: SimState

    def break_with(self, *items: dict[str, Any]) -> None:
        """Put these faults in force instead of those before; none heals everything."""
        self.state.install_faults(parse_faults(list(items), self.state.market.now_ms()))

    def calls(self, provider: str = "", endpoint: str = "") -> list[dict[str, Any]]:
        """The calls that arrived, oldest first."""
        return [
            call
            for call in self.state.calls
            if provider in ("", call["provider"]) and endpoint in ("", call["endpoint"])
        ]

    def forget_calls(self) -> None:
        self.state.calls.clear()


@dataclass(slots=True)
class LiveApp:
    """One application and a client that asks it. `records`: its upstream calls as the metrics see them."""

    application: Application
    client: httpx2.AsyncClient
    records: list[CallRecord]

    async def get(self, path: str, **params: Any) -> Any:
        return await self.client.get(path, params=params)

    async def signal(self, symbol: str = "BTC", **params: Any) -> dict[str, Any]:
        """The debug answer, which must be a 200."""
        answer = await self.get(f"/signals/{symbol}", debug="true", **params)
        assert answer.status_code == 200, answer.text
        body: dict[str, Any] = answer.json()
        return body


@dataclass(slots=True)
class Rig:
    """A simulator, one application on it, and the clock of both."""

    clock: RigClock
    sim: LiveSim
    app: LiveApp

    async def signal(self, symbol: str = "BTC", **params: Any) -> dict[str, Any]:
        """The debug answer, when nothing that was asked for it runs on behind it: the next step of the clock
        would end its deadline."""
        body = await self.app.signal(symbol, **params)
        await self.app.application.settled()
        return body

    def advance(self, seconds: float) -> None:
        self.clock.advance(int(seconds * 1000))


class _Server(uvicorn.Server):
    """Ends at once: uvicorn's own end takes two tenths of a second, which a hundred tests add up."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.stop = asyncio.Event()

    async def main_loop(self) -> None:
        await self.stop.wait()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        for listener in self.servers:
            listener.close()
        for open_socket in sockets or ():
            open_socket.close()
        for connection in list(self.server_state.connections):
            connection.transport.close()


@asynccontextmanager
async def listening(app: Any, **options: Any) -> AsyncIterator[str]:
    """Serve an ASGI app on a free loopback port; yields its URL."""
    listener = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(app, log_config=None, access_log=False, lifespan="off", **options)
    server = _Server(config)
    task = asyncio.create_task(server.serve(sockets=[listener]))
    scheme = "https" if config.is_ssl else "http"
    try:
        yield f"{scheme}://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.stop.set()
        await task


@asynccontextmanager
async def live_simulator(
    clock: SteppedClock, *, plan: str = "professional", **options: Any
) -> AsyncIterator[LiveSim]:
    """A simulator of the shared world at the time of `clock`; options: more of `SimConfig`."""
    _TIME.current = clock
    config = SimConfig(plan=plan, lunarcrush_per_minute=100, monotonic_s=clock.monotonic_s, **options)
    app = create_simulator(config, WORLD)
    async with listening(app, log_level="critical") as url:
        sim = LiveSim(url, app.state.simulator)
        yield sim


@asynccontextmanager
async def live_app(
    sim: LiveSim, clock: Clock, settings: Mapping[str, str] | None = None, **composed: Any
) -> AsyncIterator[LiveApp]:
    """An application whose providers are at `sim`; `settings` win, an empty value unsets one. composed: more
    of `build`."""
    given = {"DATA_MODE": "demo", "LOG_LEVEL": "WARNING", "RATE_LIMIT_PER_MINUTE": "1000000"}
    given |= {"PLANNER": "off", "WORKER": "off", "HOURLY_EVALUATIONS": "off"}  # tests count calls
    # A busy machine is neither a slow provider nor a sick Redis: whoever tests a deadline sets it.
    given |= {"REQUEST_DEADLINE_SECONDS": "40", "REDIS_TIMEOUT_SECONDS": "5"}
    given |= {"CONNECT_TIMEOUT_SECONDS": "6", "READ_TIMEOUT_SECONDS": "6"}
    records: list[CallRecord] = []
    async with AsyncExitStack() as stack:
        folder = stack.enter_context(TemporaryDirectory(prefix="store-"))
        given |= {"DATABASE_URL": f"sqlite:///{folder}/signals.db"}
        given |= provider_settings(sim.url) | dict(settings or {})
        application = build(load_settings(given), clock=clock, observe_call=records.append, **composed)
        stack.callback(forget_logging)
        await stack.enter_async_context(application.api.router.lifespan_context(application.api))
        transport = httpx2.ASGITransport(app=application.api)
        client = httpx2.AsyncClient(transport=transport, base_url="http://service", timeout=60)
        await stack.enter_async_context(client)
        async with asyncio.timeout(20):
            await application.providers_started.wait()
        yield LiveApp(application, client, records)


@asynccontextmanager
async def live_rig(
    settings: Mapping[str, str] | None = None,
    *,
    plan: str = "professional",
    faults: tuple[dict[str, Any], ...] = (),
    start_ms: int = NOW_MS,
) -> AsyncIterator[Rig]:
    """Both together. `faults` are in force before the application starts."""
    clock = RigClock(start_ms)
    async with live_simulator(clock, plan=plan) as sim:
        sim.break_with(*faults)
        async with live_app(sim, clock, settings) as app:
            yield Rig(clock, sim, app)


async def run_cases(cases: Mapping[K, Callable[[], Awaitable[V]]], *, at_once: int = 3) -> dict[K, V]:
    """The result of every case, a few at a time: more would only slow each other down to their deadlines."""
    slots = asyncio.Semaphore(at_once)
    found: dict[K, V] = {}

    async def run(name: K, case: Callable[[], Awaitable[V]]) -> None:
        async with slots:
            found[name] = await case()

    await asyncio.gather(*(run(name, case) for name, case in cases.items()))
    return found


def forget_logging() -> None:
    """Take the application's log handler and level off: both belong to the test that ends."""
    root = logging.getLogger()
    root.setLevel(logging.WARNING)
    for handler in [item for item in root.handlers if item.get_name() == "crypto-futures-signals"]:
        root.removeHandler(handler)
    structlog.reset_defaults()


def fault(provider: str, kind: str, value: Any = None, endpoint: str = "*", **more: Any) -> dict[str, Any]:
    """A fault item of the simulator."""
    return {"provider": provider, "endpoint": endpoint, "kind": kind, "value": value, **more}


def factors(body: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    return {item["name"]: item for item in body["factors"]}


def inputs(body: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    return {item["input"]: item for item in body["debug"]["inputs"]}


def closed_port() -> int:
    """A loopback port on which nothing listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port
