"""OKX call limits per two seconds, and the budget that counts them the way OKX does.

Some limits hold per IP, others per IP and instrument. The transport's quota knows endpoints only, so calls
of the second kind enter it under "endpoint@slot", where the slot stands for the instrument.
Source: docs copy of 2025-07 and public clients; liquidation-orders and the rubik ratios are not re-verified.
"""

from __future__ import annotations

import zlib
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

from app.services.okx.client import PROVIDER
from app.services.transport.limits import EndpointLimit, Quota, Slot

RATE_WINDOW_S = 2.0

_PER_IP = {
    40: frozenset({"market_candles", "public_liquidation_orders"}),
    20: frozenset({"market_ticker", "public_instruments", "public_open_interest", "market_history_candles"}),
}
_PER_INSTRUMENT = {
    10: frozenset(
        {
            "public_funding_rate",
            "public_funding_rate_history",
            "public_mark_price",
            "rubik_open_interest_history",
        }
    ),
    5: frozenset(
        {
            "rubik_account_ratio_contract",
            "rubik_top_trader_account_ratio",
            "rubik_top_trader_position_ratio",
            "rubik_taker_volume_contract",
        }
    ),
}
_INSTRUMENT_ENDPOINTS = frozenset().union(*_PER_INSTRUMENT.values())

# Bounds memory whatever is asked for; two instruments in one slot share a budget, which is only stricter.
_SLOTS = 1024

# The cache loads in a task of its own, which inherits this from the caller.
_instrument: ContextVar[str] = ContextVar("okx_instrument", default="")


@contextmanager
def spending_for(instrument: str) -> Iterator[None]:
    """Calls made inside count against the budget of `instrument`."""
    token = _instrument.set(instrument)
    try:
        yield
    finally:
        _instrument.reset(token)


@dataclass(frozen=True, slots=True)
class _InstrumentLimit(EndpointLimit):
    def covers(self, endpoint: str) -> bool:
        return endpoint.partition("@")[0] in self.endpoints


class OkxQuota(Quota):
    """The budget of one process. OKX states no overall limit, so none is kept."""

    def __init__(self, *, monotonic: Callable[[], float], sleep: Callable[[float], Awaitable[None]]) -> None:
        limits = [EndpointLimit(calls, RATE_WINDOW_S, names) for calls, names in _PER_IP.items()]
        limits += [_InstrumentLimit(calls, RATE_WINDOW_S, names) for calls, names in _PER_INSTRUMENT.items()]
        super().__init__(PROVIDER, classes=limits, monotonic=monotonic, sleep=sleep)

    async def acquire(self, endpoint: str, max_wait_s: float, *, background: bool = False) -> Slot:
        """A slot for the running instrument. Raises: `ProviderRateLimited` when the wait is too long."""
        if endpoint in _INSTRUMENT_ENDPOINTS:
            endpoint = f"{endpoint}@{zlib.crc32(_instrument.get().encode()) % _SLOTS}"
        return await super().acquire(endpoint, max_wait_s, background=background)
