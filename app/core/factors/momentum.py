"""Momentum: the price move over 1, 4 and 24 h in units of the coin's own volatility. Followed.

x = mean over w in 1, 4, 24 h of ln(C / C_w) / (sigma sqrt(w)), sigma the hourly EWMA volatility. Candles
longer than an hour use the legs that are whole bars (4h candles: 4 and 24 h); a leg whose earlier bar is
absent leaves the whole point out, so spans are always equal.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from app.core.domain.context import Capability, EnhancedSignalContext
from app.core.domain.engine_config import AbsoluteScales, EngineConfig
from app.core.domain.formatting import format_signed_percent
from app.core.domain.market import HOUR_MS
from app.core.domain.quality import Missing
from app.core.domain.signal import FactorName
from app.core.factors.base import (
    Evidence,
    Factor,
    Input,
    build_evidence,
    hourly_sigma,
    in_sigmas,
    known_columns,
    log_return,
    missing_input,
)
from app.core.factors.ranking import Floats, Ranking

LEGS_H = (1, 4, 24)


def legs_of(interval_ms: int) -> tuple[int, ...]:
    """The legs in hours that are a whole number of bars: 1h -> 1, 4, 24; 4h -> 4, 24; 1d -> 24."""
    return tuple(hours for hours in LEGS_H if hours * HOUR_MS % interval_ms == 0)


def evidence(context: EnhancedSignalContext, config: EngineConfig) -> Evidence | Missing:
    """x per closed candle from 24 h after the first one."""
    if isinstance(context.candles, Missing):
        return missing_input(Capability.CANDLES, context.candles)
    candles = context.candles.value
    close_ms, (close,) = known_columns(candles, context.as_of_ms, candles.close)
    log_price = np.log(close)
    sigma = hourly_sigma(close_ms, log_price, candles.interval_ms, config.ewma_halflife_h)
    parts: dict[str, Floats] = {"sigma_1h_frac": sigma}
    total = np.zeros_like(log_price)
    legs = legs_of(candles.interval_ms)
    for hours in legs:
        move = log_return(close_ms, log_price, hours * HOUR_MS)
        parts[f"log_return_{hours}h_frac"] = move
        parts[f"leg_{hours}h_sigmas"] = in_sigmas(move, sigma, hours)
        total = total + parts[f"leg_{hours}h_sigmas"]
    limit = config.max_age.limit_ms(Capability.CANDLES, candles.interval_ms)
    return build_evidence(
        context.candles.provider,
        close_ms,
        total / len(legs) if legs else np.full(close_ms.shape, np.nan),
        (Input(Capability.CANDLES, close_ms, limit),),
        parts,
        need="closed candles 1, 4 and 24 h apart",
    )


def absolute(x: Floats, scales: AbsoluteScales) -> Floats:
    """tanh(x / 1.5). Worked number: 1.5 sigmas -> v 0.7616."""
    return np.tanh(x / scales.momentum_sigma)


def words(x: float, sign: int, parts: Mapping[str, float]) -> tuple[str, str]:
    moves = ", ".join(
        f"{format_signed_percent(float(np.expm1(parts[f'log_return_{hours}h_frac'])))} in {hours} h"
        for hours in LEGS_H
        if f"log_return_{hours}h_frac" in parts
    )
    meaning = {1: "rising on balance", 0: "flat", -1: "falling on balance"}[sign]
    return f"price {x:+.2f} sigma on average ({moves})", meaning


MOMENTUM = Factor(
    name=FactorName.MOMENTUM,
    unit="standard deviations",
    ranking=Ranking(signed=True),
    evidence=evidence,
    absolute=absolute,
    words=words,
)
