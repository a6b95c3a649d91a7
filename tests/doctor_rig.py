"""What the tests of the deployment check share: a deployment out of plain settings, and its rows by name.

Whoever tests a probe names it, so that nothing else is asked.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

from app.core.clock import Clock
from app.doctor import PROBES, examine
from app.doctor_deployment import Deployment
from app.doctor_run import Finding, Row
from app.settings import load_settings
from app.simulator_child import provider_settings
from tests.live_rig import LiveSim, RigClock, forget_logging, live_simulator

# As the settings of production want them.
KEY = "kq83hf7smQ2_xT9LwPz4"
PROD = {
    "ENV": "prod",
    "API_KEYS": f"ops:{KEY}:read+admin",
    "PUBLIC_URL": "https://signals.example.com",
    "TRUSTED_PROXY_HOPS": "1",
}
# Quick to give up: nobody in these tests is slow.
_WAITS = {"CONNECT_TIMEOUT_SECONDS": "6", "READ_TIMEOUT_SECONDS": "6", "REDIS_TIMEOUT_SECONDS": "5"}


def deployment(settings: Mapping[str, str] | None = None, **found: Any) -> Deployment:
    """One whose settings are these and no others. found: more of `Deployment`."""
    return Deployment(load_settings(_WAITS | dict(settings or {})), **found)


async def rows(given: Deployment, *names: str) -> list[Row]:
    """The rows of these probes, of all without a name."""
    try:
        return await examine(given, [probe for probe in PROBES if not names or probe.name in names])
    finally:
        forget_logging()


async def finding(name: str, settings: Mapping[str, str] | None = None, **found: Any) -> Finding:
    """What one probe finds."""
    (row,) = await rows(deployment(settings, **found), name)
    return row.finding


@asynccontextmanager
async def market(*, plan: str = "standard") -> AsyncIterator[tuple[LiveSim, Clock]]:
    """A simulator with the clock of its market."""
    clock = RigClock()
    async with live_simulator(clock, plan=plan) as sim:
        yield sim, clock


def at(sim: LiveSim, **more: str) -> dict[str, str]:
    """Settings of a demo at this simulator, which `more` may change."""
    return {"DATA_MODE": "demo"} | provider_settings(sim.url) | more
