"""Where a worker's events come from: the upstream streams and the bus between roles. A part of `bootstrap`.

Names the adapters of streams and bus; what is made of the events is `bootstrap_stream`'s.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass

from app.bootstrap_base import Base
from app.core.clock import SystemClock
from app.core.errors import ConfigurationError
from app.services.bus.leases import RedisLeases
from app.services.bus.link import BusLink, bus_prefix
from app.services.bus.streams import RedisFrameLog
from app.services.coinglass.stream import CoinGlassStream, keyed_socket
from app.services.okx.stream import OkxStream, public_socket
from app.services.streaming.sources import SourceSwitch

# A stop has ten seconds in all.
STOP_S = 6.0


@dataclass(frozen=True, slots=True)
class Bus:
    """The log of frames and its leases, over one link to Redis."""

    link: BusLink
    log: RedisFrameLog
    leases: RedisLeases


def build_switch(base: Base) -> SourceSwitch:
    """CoinGlass where there is a key, OKX beside it or alone."""
    settings = base.settings
    key = settings.coinglass_api_key
    pause_s = settings.ws_reconnect_seconds
    primary = CoinGlassStream(
        keyed_socket(settings.coinglass_ws_url, key.get_secret_value() if key else None, reconnect_s=pause_s),
        channel=settings.coinglass_liquidations_channel,
        exchanges=settings.exchanges,
        pairs=base.coinglass.stream_pairs,
        least_usd=lambda symbol: base.flow.tier(symbol).large_usd / 5,
        now_ms=base.clock.now_ms,
    )
    backup = OkxStream(
        public_socket(settings.okx_ws_url, reconnect_s=pause_s),
        contract_values=base.okx.contract_values,
        now_ms=base.clock.now_ms,
    )
    return SourceSwitch(primary if key else None, backup, monotonic=base.clock.monotonic_s)


def build_bus(base: Base, owner: str) -> Bus:
    """owner: the name of this process in leases.

    Raises:
        ConfigurationError: there is no Redis.
    """
    url = base.settings.redis_url
    if url is None:
        raise ConfigurationError("REDIS_URL: the bus needs it")
    link = BusLink(url.get_secret_value())
    prefix = bus_prefix(base.prefix)
    # Leases are of wall time whatever the market's clock says.
    log = RedisFrameLog(link, prefix=prefix, now_ms=SystemClock().now_ms)
    return Bus(link, log, RedisLeases(link, prefix=prefix, owner=owner))


def until_cancelled(
    run: Callable[[], Awaitable[None]], stop: Callable[[], None]
) -> Callable[[], Awaitable[None]]:
    """A loop that ends by itself after `stop`: being cancelled, it is given the time to do so."""

    async def loop() -> None:
        task = asyncio.ensure_future(run())
        try:
            await asyncio.shield(task)
        except asyncio.CancelledError:
            stop()
            # Not in time (Redis answers nothing): it is cut off, and what it held is free when leases end.
            with suppress(TimeoutError):
                async with asyncio.timeout(STOP_S):
                    await task
            raise

    return loop
