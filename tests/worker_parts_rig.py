"""The whole worker in the test's process: simulator, sockets, analysis, gate, SQLite, delivery, Telegram.

Market time stands still until a test moves it, and only scripted events happen. What is sent goes over real
loopback HTTP to the simulated Telegram, which takes what the real one takes.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
from fastapi import FastAPI

from app.api.app import create_api
from app.bootstrap import _api_options
from app.bootstrap_base import Base, build_base
from app.bootstrap_stream import StreamProcess, build_stream
from app.bootstrap_use_cases import UseCases, build_use_cases
from app.core.domain.alerts import StoredAlert
from app.services.streaming.pipeline import Pipeline
from app.services.transport.connection import tls_context
from app.settings import load_settings
from app.simulator_child import provider_settings
from tests.live_rig import LiveSim, RigClock, forget_logging, live_simulator
from tests.stream_rig import until

CHAT = "-1001234567890"
STEP_MS = 200
LEVEL = 60_000.0
Row = dict[str, Any]


def liquidation(
    base: str, side: str, usd: float, price: float, *, at_ms: int | None = None, exchange: str = "Binance"
) -> Row:
    """One scripted forced order; at_ms: its event time, None for the moment it arrives."""
    row: Row = {"base": base, "exchange": exchange, "liquidated": side, "price_usd": price, "usd": usd}
    return row if at_ms is None else row | {"ts_ms": at_ms}


def trade(base: str, taker: str, usd: float, price: float, *, exchange: str = "Binance") -> Row:
    return {"base": base, "exchange": exchange, "taker": taker, "price_usd": price, "usd": usd}


@dataclass(slots=True)
class WorkerRig:
    """One worker at work. scripted: liquidations played so far, repetitions included."""

    sim: LiveSim
    clock: RigClock
    base: Base
    use_cases: UseCases
    process: StreamProcess
    scripted: int = 0
    traded: int = 0

    @property
    def pipeline(self) -> Pipeline:
        (pipeline,) = self.process.worker._parts.pipelines.values()
        return pipeline

    @property
    def arrived(self) -> int:
        """Liquidations that reached the analysis, the repeated ones included."""
        status = self.pipeline.status()
        return status.events + status.duplicates

    async def play(
        self,
        *liquidations: Row,
        trades: Iterable[Row] = (),
        prices: Mapping[str, float] | None = None,
        arrive: int | None = None,
        step_ms: int = STEP_MS,
    ) -> None:
        """Let these happen now, in one frame, and return when they are analysed and what follows is stored.

        prices: last traded ones of the tickers from now on. arrive: how many liquidations come, None for each
        once.
        """
        sold = list(trades)
        body = {"alone": True, "liquidations": list(liquidations), "trades": sold, "prices": prices or {}}
        self.sim.state.script.add(body, self.clock.now_ms())
        self.scripted += len(liquidations) if arrive is None else arrive
        self.traded += len(sold)
        self.clock.advance(step_ms)
        await until(lambda: self.arrived >= self.scripted, within_s=20)
        await until(lambda: self.pipeline.status().trades >= self.traded, within_s=20)

    async def pass_s(self, seconds: float, *, step_s: float = 1.0) -> None:
        """Let market time pass in steps, the analysis noticing each."""
        left = seconds
        while left > 1e-9:
            self.clock.advance(int(1000 * min(step_s, left)))
            left -= step_s
            await self.pipeline.tick()
            await asyncio.sleep(0)

    async def subscribed(self, base: str) -> None:
        """Prices of this coin arrive."""

        async def is_priced() -> bool:
            self.clock.advance(1000)
            await asyncio.sleep(0.005)
            return any(shot.price is not None for shot in self.pipeline.snapshots([base]))

        async with asyncio.timeout(20):
            while not await is_priced():
                pass

    async def heard(self, base: str, price: float) -> None:
        """This is the price of the coin: of two exchanges only one is heard, and its frame may come last."""

        async def is_heard() -> bool:
            if any(shot.price == price for shot in self.pipeline.snapshots([base])):
                return True
            self.clock.advance(100)
            await asyncio.sleep(0.005)
            return False

        async with asyncio.timeout(20):
            while not await is_heard():
                pass

    async def stored(self) -> None:
        """Every alert that was judged is in the store."""
        await until(lambda: not self.process.worker._parts.keeper.waiting, within_s=20)

    async def delivered(self) -> None:
        """Nothing waits to be sent, market time moving on for the pace of chats; what was sent is marked."""
        async with asyncio.timeout(20):
            while True:
                await self.stored()  # first: what is stored while we look waits to be sent
                depth = await self.base.store.alerts.depth(self.clock.now_ms())
                if depth.pending + depth.sending == 0:
                    return
                self.clock.advance(STEP_MS)
                await asyncio.sleep(0.002)

    @property
    def telegram(self) -> list[Row]:
        """Calls that put or changed a message, oldest first."""
        return [
            call
            for call in self.sim.calls("telegram")
            if call["endpoint"] in ("sendMessage", "editMessageText") and call["status"] == 200
        ]

    @property
    def sends(self) -> int:
        return sum(call["endpoint"] == "sendMessage" for call in self.telegram)

    @property
    def edits(self) -> int:
        return sum(call["endpoint"] == "editMessageText" for call in self.telegram)

    async def messages(self) -> list[str]:
        """Texts of the chat as a reader sees them now."""
        async with httpx2.AsyncClient(base_url=self.sim.url, verify=tls_context()) as client:
            answer = (await client.get("/__sim__/telegram/messages")).json()
        return [message["text"] for message in answer["messages"]]

    async def stream_status(self) -> Row:
        """What `/stream/status` says once the worker has told how it does, as it does every few seconds."""
        worker, base = self.process.worker, self.base
        await worker._read_gaps()
        await worker._board.put(await worker.report())
        api = create_api(
            _api_options(base.settings, Path("no-dashboard")),
            self.use_cases.api,
            metrics_text=base.metrics.metrics_text,
            observe=base.metrics.http,
            lifespan=_nothing,
            now_ms=base.clock.now_ms,
            monotonic=base.clock.monotonic_s,
        )
        transport = httpx2.ASGITransport(app=api)
        async with httpx2.AsyncClient(transport=transport, base_url="http://service") as client:
            answer: Row = (await client.get("/stream/status")).json()
        return answer

    async def alerts(self, since_ms: int = 0) -> list[StoredAlert]:
        return list(await self.base.store.alerts.recent(since_ms))

    async def wait_live(self) -> None:
        """CoinGlass counts, and has taken the subscriptions: a price came."""
        async with asyncio.timeout(20):
            while not self.process.worker._parts.links()[0].frames:
                self.clock.advance(1_000)
                await asyncio.sleep(0.005)


@asynccontextmanager
async def _nothing(_: FastAPI) -> AsyncIterator[None]:
    yield


def settings_of(sim: LiveSim, folder: Path, settings: Mapping[str, str]) -> dict[str, str]:
    """Everything at the simulator; `settings` win, an empty value unsets one."""
    given = {"DATA_MODE": "demo", "LOG_LEVEL": "WARNING", "PLANNER": "off", "TELEGRAM_MODE": "off"}
    given |= {"HOURLY_EVALUATIONS": "off"}
    given |= {"SYMBOLS": "BTC", "DATABASE_URL": f"sqlite:///{folder / 'worker.db'}"}
    return given | provider_settings(sim.url) | dict(settings)


@asynccontextmanager
async def worker_rig(
    folder: Path,
    settings: Mapping[str, str] | None = None,
    *,
    sim: LiveSim | None = None,
    clock: RigClock | None = None,
    polls: bool = False,
) -> AsyncIterator[WorkerRig]:
    """A worker on a simulator of its own, or on the given one with its clock.

    polls: also ask providers for whales, funding and the like, which find things in a market of their own.
    """
    clock = clock or RigClock()
    async with AsyncExitStack() as stack:
        if sim is None:
            sim = await stack.enter_async_context(live_simulator(clock, plan="standard", ws_tick_s=0.002))
        sim.state.script.is_alone = True
        sim.state.script.prices["BTC"] = LEVEL  # the market's own would wander in and out of ranges
        stack.callback(forget_logging)
        base = build_base(load_settings(settings_of(sim, folder, settings or {})), clock=clock)
        use_cases = build_use_cases(base)
        process = build_stream(base, use_cases)
        if not polls:
            del process.worker._parts.loops["poll"]  # type: ignore[attr-defined]
        await stack.enter_async_context(base.running())
        await stack.enter_async_context(use_cases.running())
        await asyncio.wait_for(base.store.opened(), 20)
        await asyncio.wait_for(base.providers_started.wait(), 20)
        running = asyncio.create_task(process.run())
        rig = WorkerRig(sim, clock, base, use_cases, process)
        try:
            await asyncio.wait_for(process.worker.ready.wait(), 20)
            await rig.wait_live()
            yield rig
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)
