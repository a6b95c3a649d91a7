"""The market around a coin's alerts: funding and open interest within its own 30 days, ATR and clusters.

Shapes only. Made by `services.streaming.poller`, read by the alert gate and the flow engine.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class MarketFigures:
    """What funding and open interest of one coin are now, and where that lies in its own past (0..1).

    funding_8h_frac: positive, longs pay shorts. oi_change_1h_frac: of the last closed hour. None: not known,
    and `unknown` says why in words. funding_days, oi_days: length of the past they are ranked in.
    """

    symbol: str
    as_of_ms: int
    funding_8h_frac: float | None
    funding_percentile: float | None
    funding_days: float
    oi_change_1h_frac: float | None
    oi_change_percentile: float | None
    oi_days: float
    unknown: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class LevelFigures:
    """What levels of an alert are made of: ATR of 1 h in USD (None: not known) and cluster prices, USD,
    nearest first."""

    symbol: str
    as_of_ms: int
    atr_1h_usd: float | None
    below: tuple[float, ...]
    above: tuple[float, ...]
