"""One coin as the stream shows it: windows, traded prices, and what others know about it.

State without judgement; detectors read it. Also holds which findings belong to one burst. Made by
`core.flow.engine`.
"""

from __future__ import annotations

import math
from typing import Final, NamedTuple

from app.core.domain.flow_config import FlowConfig
from app.core.flow.coverage import Coverage
from app.core.flow.price_path import PricePath
from app.core.flow.trade_windows import TradeWindows
from app.core.flow.windows import LiquidationWindows

MARKET: Final = "MARKET"  # all coins together; measured with the thresholds of the largest
# Liquidations of one coin that lie closer together than this are one burst: the longest window of a detector.
BURST_MS: Final = 300_000
# A minute below this share of the tier's cascade threshold ($200K, $20K, $5K) is small, whatever its z-score.
LOUD_SHARE: Final = 0.1
# An ATR and clusters that were measured longer ago are those of another market: no levels from them.
MAX_FIGURES_AGE_MS: Final = 1_800_000


class Figures(NamedTuple):
    """What levels are built from: ATR of 1 h in USD (None unknown), prices of clusters, nearest first, and
    when they were measured (None: they never get too old)."""

    atr_usd: float | None = None
    below: tuple[float, ...] = ()
    above: tuple[float, ...] = ()
    as_of_ms: int | None = None

    def as_of(self, now_ms: int) -> Figures:
        """These, or none at all where they are too old by now."""
        is_old = self.as_of_ms is not None and now_ms - self.as_of_ms > MAX_FIGURES_AGE_MS
        return UNKNOWN if is_old else self


UNKNOWN: Final = Figures()


class CoinMarket:
    """Everything the detectors of one coin read.

    source: stream of the newest liquidation. trades: None until a trade came. figures: what levels are built
    from, as of when they were measured.
    """

    __slots__ = (
        "_burst_end_ms",
        "_burst_start_ms",
        "config",
        "coverage",
        "figures",
        "path",
        "source",
        "symbol",
        "tier",
        "tier_number",
        "trades",
        "windows",
    )

    def __init__(self, symbol: str, config: FlowConfig, coverage: Coverage) -> None:
        self.symbol, self.config, self.coverage = symbol, config, coverage
        self.tier_number = 1 if symbol == MARKET else config.tier_of(symbol)
        self.tier = (config.tier_1, config.tier_2, config.tier_3)[self.tier_number - 1]
        self.windows = LiquidationWindows(
            hot_s=config.cascade_window_s,
            alarm_usd=self.tier.cascade_usd,
            floor_usd=LOUD_SHARE * self.tier.cascade_usd,
            disorder_s=config.max_disorder_s,
        )
        self.trades: TradeWindows | None = None
        self.path = PricePath()
        self.source = ""
        self.figures = UNKNOWN
        self._burst_start_ms = self._burst_end_ms = 0

    @property
    def newest_ms(self) -> int:
        """Of the newest event of any kind, 0 before the first."""
        trade_ms = 0 if self.trades is None else self.trades.second * 1000
        return max(self.windows.newest_ms, self.path.last_ms, trade_ms)

    def burst(self, started_ms: int, ts_ms: int) -> str:
        """Name of the stretch in which this finding lies; a new one after five quiet minutes."""
        if not self._burst_end_ms or ts_ms - self._burst_end_ms > BURST_MS:
            self._burst_start_ms = started_ms
        self._burst_end_ms = max(self._burst_end_ms, ts_ms)
        return f"{self.symbol}:{self._burst_start_ms}"

    def percentile(self, usd: float, minute: int) -> float | None:
        """Share of the minutes of the last 24 h (those seen whole, at least 60) with less USD liquidated.

        Compare only what a minute held with it.
        """
        whole = self.coverage.whole_minutes(minute, 1_440)
        if whole < 60:
            return None
        past = self.windows.minutes_before(minute, self.coverage.reach(minute, 1_440))
        not_less = sum(value >= usd for value in past.values())
        return max(0.0, 1.0 - not_less / whole)


def confidence(ratio: float, share: float) -> float:
    """clip(50 + 15 log2(ratio) + 20 (share - 0.65) / 0.35, 0, 100).

    ratio: USD over the tier's cascade threshold; share: of the dominant side, 0..1. Worked number: four times
    the threshold with 0.93 on one side: 50 + 30 + 16 = 96.
    """
    if ratio <= 0:
        return 0.0
    return min(100.0, max(0.0, 50.0 + 15.0 * math.log2(ratio) + 20.0 * (share - 0.65) / 0.35))
