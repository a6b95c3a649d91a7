"""The fixed logarithmic price grid of the heatmap: 0.25 % per bucket, the same for every coin and for ever.

Buckets do not move when the price moves, so a tile written once stays true.
"""

from __future__ import annotations

import math

from app.core.domain.heatmap import BUCKET_GROWTH

GROWTH = BUCKET_GROWTH
_LOG_GROWTH = math.log(GROWTH)


def bucket_of(price: float) -> int:
    """floor(ln(price) / ln(1.0025)) for price > 0; negative under 1 USD.

    Worked numbers: 100,000 -> 4610, 1 -> 0, 0.5 -> -278.
    """
    return math.floor(math.log(price) / _LOG_GROWTH)


def bucket_low(bucket: int) -> float:
    """Lower edge in USD, inside the bucket; its upper edge is `bucket_low(bucket + 1)`, outside."""
    return math.exp(bucket * _LOG_GROWTH)


def bucket_mid(bucket: int) -> float:
    """Geometric middle in USD."""
    return math.exp((bucket + 0.5) * _LOG_GROWTH)
