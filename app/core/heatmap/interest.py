"""Open interest by the minute out of stored one-minute bars: the second part of the composite tile.

Pure. A minute counts only beside the minute before it on the same exchange; the change is in coins, at the
price now, so that a move of the price alone is none.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from app.core.domain.heatmap import MINUTE_MS
from app.core.domain.stored import OpenInterestRow
from app.core.heatmap.buckets import bucket_of
from app.core.heatmap.composite import InterestMinute


def interest_minutes(rows: Sequence[OpenInterestRow]) -> list[InterestMinute]:
    """Minutes of the exchange that told the newest bar, oldest first.

    Worked number: 100 coins, then 103 at a price of 50 USD -> +150 USD in the bucket of 50.
    """
    known = [row for row in rows if row.close_base and row.close_usd and row.close_usd > 0]
    if not known:
        return []
    exchange = max(known, key=lambda row: (row.close_ms, row.exchange)).exchange
    own = sorted((row for row in known if row.exchange == exchange), key=lambda row: row.close_ms)
    found = []
    for before, row in pairwise(own):
        if row.close_ms - before.close_ms != MINUTE_MS or not (row.close_base and before.close_base):
            continue
        price = (row.close_usd or 0.0) / row.close_base
        change_usd = (row.close_base - before.close_base) * price
        found.append(InterestMinute(row.close_ms // MINUTE_MS - 1, bucket_of(price), change_usd))
    return found
