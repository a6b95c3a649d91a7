"""What the use case of the rolling windows says of a worker's silence, in a market that runs faster too."""

from __future__ import annotations

import pytest

from app.core.clock import ManualClock
from app.core.domain.flow_answer import FlowState
from app.core.domain.flow_config import FlowConfig
from app.core.domain.symbol import Symbol
from app.services.flow_service import FlowService
from app.services.streaming.warm_cache import MemoryWarmCache
from tests.flow_facts import NOW_MS, snapshot


@pytest.mark.parametrize(
    ("speed", "silent_s", "state"),
    [
        (1.0, 90, FlowState.LIVE),
        (1.0, 91, FlowState.STALE),
        (60.0, 60 * 15, FlowState.LIVE),
        (60.0, 60 * 91, FlowState.STALE),
    ],
)
async def test_a_worker_is_stale_after_ninety_seconds_of_its_own_time(
    speed: float, silent_s: int, state: FlowState
) -> None:
    warm = MemoryWarmCache(now_ms=lambda: NOW_MS, monotonic=lambda: 0.0)
    service = FlowService(warm, resolve=Symbol, config=FlowConfig(), clock=ManualClock(NOW_MS), speed=speed)
    known = snapshot(as_of_ms=NOW_MS - 1_000 * silent_s)
    await warm.publish([known])
    assert (await service.flow(Symbol(known.symbol))).state is state
    assert (await service.top(300, 10)).state is state
