"""What became of alerts so far, by setup, for those who ask: the store's counts with what they must beat.

Implements `core.chat_ports.OutcomeCounts`. Counts only outcomes that are independent enough for a rate.
"""

from __future__ import annotations

from collections.abc import Sequence

from app.core.clock import Clock
from app.core.domain.outcomes import RECORD_HORIZON, SetupCount, SetupTally, setup_parts
from app.core.outcome_ports import OutcomeStore
from app.core.outcomes.costs import break_even_between, round_trip_frac
from app.services.streaming.outcome_tracker import RECORD_MS


class RecordedOutcomes:
    """Reads the store at every question; few ask."""

    def __init__(self, store: OutcomeStore, *, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    async def counts(self) -> Sequence[SetupTally]:
        """Largest number of outcomes first. Raises: StorageUnavailable."""
        found = await self._store.counts(RECORD_HORIZON, self._clock.now_ms() - RECORD_MS)
        return sorted(map(_tally, found), key=lambda tally: (-tally.scored, tally[:3]))


def _tally(count: SetupCount) -> SetupTally:
    kind, direction, tier = setup_parts(count.setup)
    stop_frac, target_frac, break_even = count.stop_frac, count.target_frac, None
    if stop_frac and target_frac:
        break_even = break_even_between(stop_frac, target_frac, round_trip_frac(tier))
    return SetupTally(
        kind, direction, tier, count.apart_scored, count.apart_wins, break_even, count.stretches
    )
