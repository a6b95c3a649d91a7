"""What is not known of live outcomes, beside the columns that all records share: funding, and why a trade has
no score.

Owns the order of sides, horizons and reasons in these columns, and counting them for the
engine's own trades.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

import numpy as np

from app.core.domain.outcomes import HORIZONS_MS, Unscorable
from app.core.record.columns import LONG, SHORT, Codes, Flags

NOT_FOLLOWED: Final = "not_followed"  # no row: nobody followed it while its prices were known
# By code; 0 where there is nothing to explain.
REASONS: Final = ("", *(reason.value for reason in Unscorable), NOT_FOLLOWED)
NEVER_FOLLOWED: Final = REASONS.index(NOT_FOLLOWED)


class Gaps(NamedTuple):
    """One row per evaluation; then the side (LONG, SHORT) and the horizon in the order of HORIZONS_MS.

    is_unpaid: scored, and what it paid for funding is not known. reason: code of REASONS, why it is
    unscorable.
    """

    is_unpaid: Flags
    reason: Codes

    def where(self, kept: Flags) -> Gaps:
        """The chosen rows."""
        return Gaps(self.is_unpaid[kept], self.reason[kept])

    def unpaid(self, direction: Codes, horizon: str) -> int:
        """Trades in these directions that were scored without their funding."""
        place = list(HORIZONS_MS).index(horizon)
        found = [self.is_unpaid[direction == way, side, place] for side, way in enumerate((LONG, SHORT))]
        return sum(int(one.sum()) for one in found)

    def reasons(self, direction: Codes, horizon: str) -> Mapping[str, int]:
        """How many trades in these directions are unscorable, by reason, the most frequent first."""
        place = list(HORIZONS_MS).index(horizon)
        found: Sequence[Codes] = [
            self.reason[direction == way, side, place] for side, way in enumerate((LONG, SHORT))
        ]
        counts = np.bincount(np.concatenate(found), minlength=len(REASONS))
        order = sorted(range(1, len(REASONS)), key=lambda code: -int(counts[code]))
        return {REASONS[code]: int(counts[code]) for code in order if counts[code]}
