"""A scored signal as the JSON message that is published beside alerts (`{prefix}signals`).

The short form: what, how sure, on what data. The whole answer is `GET /signals/{symbol}`. Pure; called by
whoever publishes a signal. Same conventions as `codec`.
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from app.core.alerting.codec import VERSION, Moment, Points, Share, to_time
from app.core.domain.signal import ConfidenceLevel, Direction, Mode, Signal


class SignalMessage(msgspec.Struct, rename="camel", frozen=True):
    """One signal of one coin.

    score: 0 bearish, 50 neutral, 100 bullish. confidence: points, with its level; coverage: share of weight
    with fresh data; price: USD per coin; isPriceStale: then the direction is NEUTRAL. missing: inputs that
    did not count. probability: calibrated chance that a trade in the direction wins after costs, null with
    probabilityReason unless it beat the base rate out of sample.
    """

    v: Literal[1]
    symbol: str
    as_of: Moment
    direction: Direction
    mode: Mode
    score: Points
    confidence: Points
    confidence_level: ConfidenceLevel
    coverage: Share
    price: Annotated[float, msgspec.Meta(gt=0)]
    price_source: str
    is_price_stale: bool
    reason: str
    reasons: tuple[str, ...]
    missing: tuple[str, ...]
    engine_version: str
    data_mode: str
    probability: Share | None
    probability_reason: str | None


def encode_signal(signal: Signal) -> str:
    """The signal as one line of JSON, fields always in the same order."""
    message = SignalMessage(
        v=VERSION,
        symbol=signal.symbol.base,
        as_of=to_time(signal.as_of_ms),
        direction=signal.direction,
        mode=signal.mode,
        score=signal.score,
        confidence=signal.confidence.score,
        confidence_level=signal.confidence.level,
        coverage=signal.coverage,
        price=signal.price.value.price_usd,
        price_source=signal.price.provider,
        is_price_stale=signal.price_stale,
        reason=signal.reason,
        reasons=signal.reasons,
        missing=tuple(name for name, _ in signal.missing),
        engine_version=signal.engine_version,
        data_mode=signal.data_mode,
        probability=signal.probability,
        probability_reason=signal.no_probability or None,
    )
    return msgspec.json.encode(message).decode()
