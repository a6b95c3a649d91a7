"""Parts for tests of streams: time that moves by hand on a real socket, the simulator, and a sink that keeps.

Back-offs, pings and stalls cost no wall time: the stream sleeps until a test lets seconds pass.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from contextlib import asynccontextmanager
from typing import Any

from app.core.clock import ManualClock, SteppedClock
from app.core.domain.flow import LiquidationEvent, StreamFrame, StreamGap, TradeEvent
from app.services.coinglass.stream import CoinGlassStream, keyed_socket
from app.services.okx.stream import OkxStream, public_socket
from app.services.transport.socket import Timing
from tests.live_rig import LiveSim, RigClock, live_simulator

_TURN_S = 0.001


async def until(is_so: Callable[[], object], *, within_s: float = 30.0) -> None:
    """Wait in real time, a moment at a time, until something on a socket has happened."""
    async with asyncio.timeout(within_s):
        while not is_so():  # noqa: ASYNC110 - what is awaited is at the other end of a socket
            await asyncio.sleep(_TURN_S)


class StreamTime:
    """Sleepers wait for `pass_s`, which moves the market's clock too. draw: what the random source gives."""

    def __init__(self, clock: ManualClock | SteppedClock | None = None, *, draw: float = 1.0) -> None:
        self.clock = clock or ManualClock()
        self.draw = draw
        self.sleeps: list[float] = []
        self._now_s = 1000.0
        self._set_back_ms = 0
        self._sleepers: list[tuple[float, asyncio.Future[None]]] = []

    @property
    def timing(self) -> Timing:
        return Timing(self.sleep, lambda: self._now_s, lambda: self.draw)

    def now_ms(self) -> int:
        """Wall time of the service; the market's own differs after `set_back`."""
        return self.clock.now_ms() - self._set_back_ms

    def set_back(self, step_ms: int) -> None:
        """Let the wall clock of the service jump back."""
        self._set_back_ms += step_ms

    async def sleep(self, seconds: float) -> None:
        self.sleeps.append(seconds)
        woken: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._sleepers.append((self._now_s + seconds, woken))
        await woken

    def _move(self, seconds: float) -> None:
        if isinstance(self.clock, SteppedClock):
            self.clock.advance(int(seconds * 1000))
        else:
            self.clock.tick(seconds)

    async def pass_s(self, seconds: float, *, step_s: float = 1.0, turns: int = 3) -> None:
        """Let time pass in steps, and after each let sockets have a few real moments."""
        left = seconds
        while left > 1e-9:
            step = min(step_s, left)
            left -= step
            self._now_s += step
            self._move(step)
            due = [woken for at_s, woken in self._sleepers if at_s <= self._now_s + 1e-9]
            self._sleepers = [item for item in self._sleepers if item[1] not in due]
            for woken in due:
                if not woken.done():
                    woken.set_result(None)
            for _ in range(turns):
                await asyncio.sleep(_TURN_S)


class Kept:
    """A sink that keeps every frame."""

    def __init__(self) -> None:
        self.frames: list[StreamFrame] = []

    async def __call__(self, frame: StreamFrame) -> None:
        self.frames.append(frame)

    @property
    def liquidations(self) -> list[LiquidationEvent]:
        return [event for frame in self.frames for event in frame.liquidations]

    @property
    def trades(self) -> list[TradeEvent]:
        return [event for frame in self.frames for event in frame.trades]

    @property
    def gaps(self) -> list[StreamGap]:
        return [frame.gap for frame in self.frames if frame.gap is not None]


@asynccontextmanager
async def running(work: Coroutine[Any, Any, None]) -> AsyncIterator[asyncio.Task[None]]:
    """Run a coroutine beside the test and end it with it; what it raised is raised."""
    task = asyncio.create_task(work)
    try:
        yield task
    finally:
        task.cancel()
        await asyncio.wait((task,))
        if not task.cancelled():
            task.result()


class StreamRig:
    """Both streams on a simulator, over loopback."""

    def __init__(self, sim: LiveSim, time: StreamTime, *, key: str, reconnect_s: float = 1.0) -> None:
        self.sim = sim
        self.time = time
        sockets = sim.url.replace("http://", "ws://", 1)
        self.kept = Kept()
        self.coinglass = CoinGlassStream(
            keyed_socket(f"{sockets}/coinglass/ws-api", key, reconnect_s=reconnect_s),
            channel="liquidationOrders",
            exchanges=("Binance", "OKX"),
            pairs=lambda coin: {"Binance": f"{coin}USDT", "OKX": f"{coin}-USDT-SWAP"},
            least_usd=lambda coin: 2000.0 if coin in ("BTC", "ETH") else 1000.0,
            now_ms=time.now_ms,
            timing=time.timing,
        )
        self.okx = OkxStream(
            public_socket(f"{sockets}/okx/ws/v5/public", reconnect_s=reconnect_s),
            contract_values=self._contract_values,
            now_ms=time.now_ms,
            timing=time.timing,
        )

    async def _contract_values(self) -> Mapping[str, float]:
        market = self.sim.state.market
        return {coin.base: coin.contract_base for coin in market.coins()}

    async def flow(self, is_so: Callable[[], object], *, step_s: float = 1.0, most_s: float = 200) -> None:
        """Let market time pass, with real moments between, until something has arrived."""
        passed_s = 0.0
        while not is_so():
            assert passed_s < most_s, "market time is over and it has not happened"
            await self.time.pass_s(step_s, step_s=step_s, turns=4)
            passed_s += step_s


@asynccontextmanager
async def stream_rig(*, key: str = "a-key-of-the-test", plan: str = "standard") -> AsyncIterator[StreamRig]:
    clock = RigClock()
    async with live_simulator(clock, plan=plan, ws_tick_s=0.002) as sim:
        yield StreamRig(sim, StreamTime(clock), key=key)
