"""Thresholds of the detectors, by tier of the coin. Defaults are the product's; `config/alerts.toml` changes
them.

Scores use the ratio to the tier's threshold, so $250K on a tier-3 coin weighs as $10M on BTC.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Tier:
    """USD thresholds of one class of coins. cascade: liquidated in 30 s; large: one order; absorption: taker
    volume against a cascade."""

    cascade_usd: float
    large_usd: float
    absorption_usd: float


@dataclass(frozen=True, slots=True)
class FlowConfig:
    """Everything the detectors compare with. Shares are fractions, times seconds."""

    tier_1: Tier = Tier(2_000_000.0, 10_000.0, 100_000.0)
    tier_2: Tier = Tier(200_000.0, 5_000.0, 20_000.0)
    tier_3: Tier = Tier(50_000.0, 2_000.0, 5_000.0)
    tier_1_coins: frozenset[str] = frozenset({"BTC", "ETH"})
    tier_2_coins: frozenset[str] = frozenset(
        {"SOL", "XRP", "BNB", "DOGE", "ADA", "AVAX", "LINK", "SUI", "LTC", "DOT", "TRX", "BCH", "HYPE"}
    )
    cascade_window_s: int = 30
    cascade_min_events: int = 3
    cascade_side_share: float = 0.65
    cascade_verdict_s: int = 900  # continuation when not reclaimed by then
    pre_cascade_range_s: int = 300
    stop_atr: float = 0.25
    flow_window_s: int = 300
    flow_min_trades: int = 10
    flow_share: float = 0.65
    flow_min_large: int = 3
    whale_min_trades: int = 20
    whale_min_large: int = 5
    whale_share: float = 0.6
    spike_ratio: float = 3.0
    zscore_min: float = 3.0
    zscore_minutes: int = 300
    whale_position_usd: float = 1_000_000.0
    extreme_percentile: float = 0.99
    heatmap_score: float = 0.75
    max_disorder_s: int = 5
    max_symbols: int = 5_000

    def tier_of(self, symbol: str) -> int:
        """1, 2 or 3; a coin nobody named is tier 3."""
        if symbol in self.tier_1_coins:
            return 1
        return 2 if symbol in self.tier_2_coins else 3

    def tier(self, symbol: str) -> Tier:
        return (self.tier_1, self.tier_2, self.tier_3)[self.tier_of(symbol) - 1]
