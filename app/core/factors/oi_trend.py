"""Open-interest trend: do positions grow with the price move or against it? Followed, in its direction.

x = o tanh(r / (sigma sqrt(24))), halved when o <= 0; o = OI / OI(24 h ago) - 1 in coins (USD only when there
is no coin series: USD interest moves with price alone), r the 24 h log return at the very same moment.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from app.core.domain.context import Capability, EnhancedSignalContext
from app.core.domain.engine_config import AbsoluteScales, EngineConfig
from app.core.domain.formatting import format_signed_percent
from app.core.domain.market import DAY_MS
from app.core.domain.quality import Missing
from app.core.domain.signal import FactorName
from app.core.factors.base import (
    Evidence,
    Factor,
    Input,
    build_evidence,
    clip_unit,
    hourly_sigma,
    in_sigmas,
    index_at,
    known_columns,
    log_return,
    missing_input,
    take,
)
from app.core.factors.ranking import Floats, Ranking

# Falling interest means positions are being closed: weaker evidence than new money coming in.
CLOSING_FACTOR = 0.5
_PART = {
    Capability.OPEN_INTEREST_BASE: "oi_base_change_24h_frac",
    Capability.OPEN_INTEREST_USD: "oi_usd_change_24h_frac",
}


def evidence(context: EnhancedSignalContext, config: EngineConfig) -> Evidence | Missing:
    """x per open-interest bar that has bars 24 h earlier and candles at both moments."""
    interest, capability = context.open_interest_base, Capability.OPEN_INTEREST_BASE
    if isinstance(interest, Missing):
        base_missing = missing_input(capability, interest)
        interest, capability = context.open_interest_usd, Capability.OPEN_INTEREST_USD
        if isinstance(interest, Missing):
            return base_missing
    if isinstance(context.candles, Missing):
        return missing_input(Capability.CANDLES, context.candles)
    series, candles = interest.value, context.candles.value
    close_ms, (oi,) = known_columns(series, context.as_of_ms, series.values)
    candle_ms, (close,) = known_columns(candles, context.as_of_ms, candles.close)
    log_price = np.log(close)
    at = index_at(candle_ms, close_ms)
    oi_change = oi / take(oi, index_at(close_ms, close_ms - DAY_MS)) - 1.0
    move = take(log_return(candle_ms, log_price, DAY_MS), at)
    sigma = take(hourly_sigma(candle_ms, log_price, candles.interval_ms, config.ewma_halflife_h), at)
    price_sigmas = in_sigmas(move, sigma, 24)
    limit = config.max_age.limit_ms
    return build_evidence(
        interest.provider,
        close_ms,
        oi_change * np.tanh(price_sigmas) * np.where(oi_change > 0, 1.0, CLOSING_FACTOR),
        (
            Input(capability, close_ms, limit(capability, series.interval_ms)),
            # The candle at the close of an OI bar ages with that bar: 4 h bars make it 4 h old by design.
            Input(
                Capability.CANDLES,
                close_ms,
                max(limit(Capability.CANDLES, candles.interval_ms), limit(capability, series.interval_ms)),
            ),
        ),
        {
            _PART[capability]: oi_change,
            "log_return_24h_frac": move,
            "sigma_1h_frac": sigma,
            "price_24h_sigmas": price_sigmas,
        },
        need="open interest and candles at the same two moments 24 h apart",
    )


def absolute(x: Floats, scales: AbsoluteScales) -> Floats:
    """clip(x / 0.05). Worked number: +5 % interest on a strong rise, x 0.05 -> v 1."""
    return clip_unit(x / scales.oi_trend)


def words(_x: float, sign: int, parts: Mapping[str, float]) -> tuple[str, str]:
    unit = "" if _PART[Capability.OPEN_INTEREST_BASE] in parts else " (in USD)"
    change = parts[_PART[Capability.OPEN_INTEREST_USD if unit else Capability.OPEN_INTEREST_BASE]]
    move = float(np.expm1(parts["log_return_24h_frac"]))
    fact = (
        f"open interest{unit} {format_signed_percent(change)} "
        f"while price {format_signed_percent(move)} in 24 h"
    )
    if sign == 0:
        return fact, "no trend"
    if change > 0:
        return fact, "new longs" if sign > 0 else "new shorts"
    return fact, "longs closed out in a fall" if sign > 0 else "a rise on closing shorts"


OI_TREND = Factor(
    name=FactorName.OI_TREND,
    unit="signed fraction of open interest",
    ranking=Ranking(signed=True),
    evidence=evidence,
    absolute=absolute,
    words=words,
)
