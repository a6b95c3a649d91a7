"""Which of two sources an event belongs to while they take turns, so that none counts twice. Pure.

Both sources report the events of one exchange. Event time is divided between them: a claim is a stretch
`(after, until]` that the backup counts, everything else is the primary's. Where a stated time cannot be true,
the arrival decides, to the second. Called by `sources`.
"""

from __future__ import annotations

from collections import deque
from math import inf
from typing import NamedTuple

# A stated time this far from the arrival is a clock that is wrong. Events come fresh as a rule, but the
# primary may send a whole minute again after a reconnect.
FRESH_MS = 10_000
REPLAYED_MS = 120_000
_AHEAD_MS = 1_000
# How much later than the primary the backup may bring the same event, where only arrivals can be compared.
_SLOWER_MS = 1_000
_MAX_CLAIMS = 64


class _Claim(NamedTuple):
    """Epoch ms. after_arrived: when the primary's newest event arrived; until: inf while it goes on."""

    after: float
    after_arrived: float
    until: float


def is_plausible(ts_event_ms: int, arrived_ms: int, back_ms: int) -> bool:
    """Whether an event that arrived then can have happened then.

    Worked numbers: arrived at 100,000 with back_ms 10,000: 95,000 can be, 50,000 and 400,000 cannot.
    """
    return arrived_ms - back_ms <= ts_event_ms <= arrived_ms + _AHEAD_MS


class Handover:
    """The division of event time for one kind of event (liquidations or trades)."""

    def __init__(self) -> None:
        # Bounded: what was long ago is not sent again.
        self._claims: deque[_Claim] = deque(maxlen=_MAX_CLAIMS)
        self._newest: float = -inf
        self._newest_arrived: float = -inf

    def begin(self) -> None:
        """The primary is gone: from its newest event on, the backup counts."""
        last = self._claims[-1] if self._claims else None
        if last is not None and self._newest <= last.until:
            # Nothing of the primary has counted since the last claim: it goes on.
            self._claims[-1] = last._replace(until=inf)
        else:
            self._claims.append(_Claim(self._newest, self._newest_arrived, inf))

    def end(self, until_ms: int) -> None:
        """The primary is back: what happens after `until_ms` is its own."""
        last = self._claims[-1]
        self._claims[-1] = last._replace(until=max(last.after, until_ms))

    def backup_counts(self, ts_event_ms: int, arrived_ms: int) -> bool:
        return self._is_claimed(ts_event_ms, arrived_ms, FRESH_MS)

    def primary_counts(self, ts_event_ms: int, arrived_ms: int) -> bool:
        """Whether an event of the shared exchange counts; if so, it is remembered as the newest."""
        if self._is_claimed(ts_event_ms, arrived_ms, REPLAYED_MS):
            return False
        at_ms = ts_event_ms if is_plausible(ts_event_ms, arrived_ms, FRESH_MS) else arrived_ms
        self._newest = max(self._newest, at_ms)
        self._newest_arrived = max(self._newest_arrived, arrived_ms)
        return True

    def step_back(self, now_ms: int) -> None:
        """The wall clock was set back: nothing known may lie in the future, or it would hide what comes."""
        self._newest = min(self._newest, now_ms)
        self._newest_arrived = min(self._newest_arrived, now_ms)
        for at, claim in enumerate(self._claims):
            after, arrived = min(claim.after, now_ms), min(claim.after_arrived, now_ms)
            until = claim.until if claim.until == inf else min(claim.until, now_ms)
            self._claims[at] = _Claim(after, arrived, until)

    def _is_claimed(self, ts_event_ms: int, arrived_ms: int, back_ms: int) -> bool:
        if is_plausible(ts_event_ms, arrived_ms, back_ms):
            return any(claim.after < ts_event_ms <= claim.until for claim in self._claims)
        return any(claim.after_arrived + _SLOWER_MS < arrived_ms <= claim.until for claim in self._claims)
