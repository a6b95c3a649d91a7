"""The simulator's one mutable state: configuration, faults, call log, latency, plan, delivered messages.

Created by `create_simulator`, changed by the control routes, read by the servers. No HTTP here.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

from app.sim.faults import Fault, FaultPlan
from app.sim.frozen import FrozenMarket
from app.sim.market import MarketSource
from app.sim.scripted import Script

_LOG_ROWS = 100_000


class MarketClock(Protocol):
    """Market time that can be set (`PUT /__sim__/clock`)."""

    def now_ms(self) -> int: ...

    def set(self, now_ms: int) -> None: ...


@dataclass(frozen=True, slots=True)
class SimConfig:
    """How the simulator starts.

    source: "synthetic" or a folder of recorded data; start_ms: market time at start (None: wall time, at
    which a recorded folder has nothing to show); anchor_s: monotonic second that start_ms belongs to (None:
    now); latency_ms: added to every provider call; ws_tick_s: how often streams look for new events;
    ws_text_numbers: CoinGlass streams send prices and volumes as text; monotonic_s: clock of quotas.
    """

    source: str = "synthetic"
    plan: str = "standard"
    seed: int = 7
    speed: float = 1.0
    start_ms: int | None = None
    anchor_s: float | None = None
    latency_ms: float = 0.0
    faults: tuple[Fault, ...] = ()
    lunarcrush_per_minute: int = 10
    ws_tick_s: float = 0.1
    ws_text_numbers: bool = False
    monotonic_s: Callable[[], float] = time.monotonic


@dataclass(slots=True)
class SimState:
    """Everything that changes while the simulator runs. `resets` are called by `reset`."""

    config: SimConfig
    market: MarketSource
    clock: MarketClock | None
    plan: str
    latency_ms: float
    faults: FaultPlan
    calls: deque[dict[str, Any]] = field(default_factory=lambda: deque(maxlen=_LOG_ROWS))
    total_calls: int = 0
    resets: list[Callable[[], None]] = field(default_factory=list)
    script: Script = field(default_factory=Script)
    _frozen: dict[int, FrozenMarket] = field(default_factory=dict)

    def install_faults(self, faults: list[Fault]) -> None:
        """Replace every fault in force."""
        self.faults = FaultPlan(faults, self.config.seed)
        self._frozen.clear()

    def reset(self) -> None:
        """Forget calls, faults, scripted events and used quota."""
        self.install_faults([])
        self.script.clear()
        self.calls.clear()
        self.total_calls = 0
        for forget in self.resets:
            forget()

    def market_of(self, provider: str, endpoint: str) -> MarketSource:
        """The market this endpoint sees: the live one, or a still one while a freeze fault holds."""
        fault = self.faults.take(provider, endpoint, frozenset({"freeze"}))
        if fault is None:
            return self.market
        return self._frozen.setdefault(fault.since_ms, FrozenMarket(self.market, fault.since_ms))

    def log_call(self, **row: Any) -> dict[str, Any]:
        """Append one row to the call log; the caller sets its status when it is known."""
        entry = {"atS": self.config.monotonic_s(), **row, "status": 0}
        self.calls.append(entry)
        self.total_calls += 1
        return entry
