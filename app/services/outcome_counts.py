"""What became of alerts so far, by setup, for those who ask: the store's counts with the shift they cause.

Implements `core.chat_ports.OutcomeCounts`. Counts only outcomes that are independent enough for a rate.
"""

from __future__ import annotations

from collections.abc import Sequence

from app.core.alerting.record import record_shift
from app.core.clock import Clock
from app.core.domain.alerts import SetupRecord
from app.core.domain.outcomes import RECORD_HORIZON
from app.core.outcome_ports import OutcomeStore
from app.services.streaming.outcome_tracker import RECORD_MS


class RecordedOutcomes:
    """Reads the store at every question; few ask."""

    def __init__(self, store: OutcomeStore, *, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    async def counts(self) -> Sequence[SetupRecord]:
        """Largest number of outcomes first. Raises: StorageUnavailable."""
        found = await self._store.counts(RECORD_HORIZON, self._clock.now_ms() - RECORD_MS)
        records = [
            SetupRecord(
                setup=count.setup,
                scored=count.apart_scored,
                wins=count.apart_wins,
                shift=record_shift(scored=count.apart_scored, wins=count.apart_wins),
            )
            for count in found
        ]
        return sorted(records, key=lambda record: (-record.scored, record.setup))
