"""The simulator as one ASGI app: every provider server, the streams and the control routes around one market.

The only place that knows all servers. `python -m app.sim` and the tests build it; the app never imports it.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from fastapi import FastAPI

from app.sim.alternative_me import AlternativeMeServer
from app.sim.clocks import SimClock
from app.sim.coinapi import CoinapiServer
from app.sim.coinglass import CoinglassServer
from app.sim.coinglass_plans import PLANS
from app.sim.control import control_router
from app.sim.faults import FaultPlan
from app.sim.lunarcrush import LunarcrushServer
from app.sim.market import MarketSource
from app.sim.okx import OkxServer
from app.sim.okx_wire import EventIndex
from app.sim.quotas import FixedWindows
from app.sim.recorded import RecordedSource
from app.sim.server import ProviderFront
from app.sim.state import MarketClock, SimConfig, SimState
from app.sim.streams import StreamServer
from app.sim.streams_coinglass import CoinglassStream
from app.sim.streams_okx import OkxStream
from app.sim.telegram import TelegramServer
from app.sim.wire import ProviderServer
from app.sim.world import SyntheticWorld

__all__ = ["SimConfig", "create_simulator"]

_DAY_S = 86_400.0


def create_simulator(
    config: SimConfig, source: MarketSource | None = None, clock: MarketClock | None = None
) -> FastAPI:
    """Build the simulator.

    Args:
        config: see `SimConfig`.
        source: a market to serve instead of the configured one.
        clock: what `PUT /__sim__/clock` sets when `source` is given (None: it answers 409).

    Raises:
        ValueError: an unknown plan, a speed or a folder that makes no sense.
    """
    if config.plan not in PLANS:
        raise ValueError(f"plan: expected one of {PLANS}, got {config.plan!r}")
    if source is None:
        own = SimClock(start_ms=config.start_ms, speed=config.speed, anchor_s=config.anchor_s)
        clock, source = own, _open_market(config, own)
    state = SimState(
        config=config,
        market=source,
        clock=clock,
        plan=config.plan,
        latency_ms=config.latency_ms,
        faults=FaultPlan([replace(f, since_ms=source.now_ms()) for f in config.faults], config.seed),
    )
    telegram = TelegramServer(config.monotonic_s)
    app = FastAPI(title="Market simulator", docs_url=None, redoc_url=None, openapi_url=None)
    app.include_router(control_router(state, telegram))
    app.state.simulator = state
    streams: dict[str, StreamServer] = {
        "/coinglass/ws-api": CoinglassStream(state),
        "/okx/ws/v5/public": OkxStream(state, kind="public"),
        "/okx/ws/v5/business": OkxStream(state, kind="business"),
    }
    servers = _servers(state) | {"telegram": telegram}
    state.resets.append(telegram.reset)
    app.add_middleware(ProviderFront, state=state, servers=servers, streams=streams)
    return app


def _open_market(config: SimConfig, clock: SimClock) -> MarketSource:
    if config.source == "synthetic":
        return SyntheticWorld(config.seed, clock.now_ms)
    return RecordedSource(Path(config.source), clock.now_ms)


def _servers(state: SimState) -> dict[str, ProviderServer]:
    """One server per URL prefix, each with a request budget of its own."""

    def budget(window_s: float) -> FixedWindows:
        windows = FixedWindows(window_s, state.config.monotonic_s)
        state.resets.append(windows.reset)
        return windows

    return {
        "coinglass": CoinglassServer(budget(60.0)),
        "okx": OkxServer(budget(2.0), EventIndex()),
        "lunarcrush": LunarcrushServer(budget(60.0), state.config.lunarcrush_per_minute),
        "coinapi": CoinapiServer(budget(_DAY_S)),
        "alternative-me": AlternativeMeServer(budget(60.0)),
    }
