"""Outcomes of alerts by setup: the independent ones, and what they must beat."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import pytest

from app.core.clock import ManualClock
from app.core.domain.outcomes import RECORD_HORIZON, SetupCount, SetupTally
from app.services.outcome_counts import RecordedOutcomes
from tests.outcome_facts import T0_MS


class Store:
    def __init__(self, *found: SetupCount) -> None:
        self.found = found
        self.asked: list[str] = []

    async def counts(self, horizon: str, since_ms: int) -> Sequence[SetupCount]:
        assert since_ms < T0_MS
        self.asked.append(horizon)
        return self.found


async def test_the_most_often_scored_setup_comes_first_with_its_break_even() -> None:
    store = Store(
        SetupCount("STOP_HUNT:LONG:1", 50, 30, 1, 1, 10, 6, 0.01, 0.02, 9),
        SetupCount("OI_SPIKE:SHORT:3", 90, 40, 1, 1, 40, 25, 0.005, 0.005, 31),
        SetupCount("HEATMAP:SHORT:2", 0, 0, 5, 1, 0, 0, None, None, 0),
    )
    service = RecordedOutcomes(cast(Any, store), clock=ManualClock(T0_MS))
    first, second, third = await service.counts()
    assert first[:5] == ("OI_SPIKE", "SHORT", 3, 40, 25)
    assert second[:5] == ("STOP_HUNT", "LONG", 1, 10, 6)
    assert third == SetupTally("HEATMAP", "SHORT", 2, 0, 0, None, 0)
    # 0.28 % of costs outside tier 1, 0.16 % in it.
    assert first.break_even == pytest.approx(0.78)
    assert second.break_even == pytest.approx(0.0116 / 0.03)
    assert store.asked == [RECORD_HORIZON]
