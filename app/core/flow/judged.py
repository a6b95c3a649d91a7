"""What a window of liquidations or trades says, in the words of the answers: dominant side, share, verdict.

Pure. The verdict is the order-flow detector's own rule on any window, so that an answer and an alert never
disagree about the same trades. Called by `services.flow_service`.
"""

from __future__ import annotations

from app.core.domain.flow import AlertKind, FlowSnapshot, LiquidationWindow, TradeWindow
from app.core.domain.flow_answer import TradeShare, WindowShare
from app.core.domain.flow_config import FlowConfig
from app.core.domain.stored import LiquidatedSide


def is_whole(snapshot: FlowSnapshot, since_ms: int | None, window_s: int) -> bool:
    """Whether nothing is missing from the window that ends when the snapshot was taken.

    Worked number: taken at 100,000, covered since 40,000: 60 s are whole, 61 s are not.
    """
    return since_ms is not None and since_ms <= snapshot.as_of_ms - window_s * 1000


def judge_liquidations(window: LiquidationWindow, *, whole: bool) -> WindowShare:
    """Which side was forced out more. Worked numbers: $3M longs, $1M shorts -> LONG, 0.75."""
    total = window.long_usd + window.short_usd
    dominant = None
    if window.long_usd != window.short_usd:
        dominant = LiquidatedSide.LONG if window.long_usd > window.short_usd else LiquidatedSide.SHORT
    return WindowShare(
        window_s=window.window_s,
        long_usd=window.long_usd,
        short_usd=window.short_usd,
        long_events=window.long_events,
        short_events=window.short_events,
        largest_usd=window.largest_usd,
        low=window.low,
        high=window.high,
        dominant=dominant,
        dominant_frac=max(window.long_usd, window.short_usd) / total if dominant else None,
        is_whole=whole,
    )


def judge_trades(window: TradeWindow, config: FlowConfig, *, whole: bool) -> TradeShare:
    """Accumulation, distribution or neither.

    Worked numbers: $70 bought, $30 sold in 12 trades with 3 large buys -> share 0.7, ACCUMULATION.
    """
    total = window.buy_usd + window.sell_usd
    share = window.buy_usd / total if total > 0 else None
    verdict, why = _verdict(window, share, config)
    return TradeShare(
        window_s=window.window_s,
        buy_usd=window.buy_usd,
        sell_usd=window.sell_usd,
        buys=window.buys,
        sells=window.sells,
        large_buys=window.large_buys,
        large_sells=window.large_sells,
        buy_frac=share,
        verdict=verdict,
        why_none=why,
        is_whole=whole,
    )


def _verdict(window: TradeWindow, share: float | None, config: FlowConfig) -> tuple[AlertKind | None, str]:
    trades = window.buys + window.sells
    if share is None or trades < config.flow_min_trades:
        return None, f"{trades} trades, {config.flow_min_trades} are needed"
    if share >= config.flow_share:
        return _with_large(AlertKind.ACCUMULATION, window.large_buys, "buys", config)
    if window.sell_usd / (window.buy_usd + window.sell_usd) >= config.flow_share:
        return _with_large(AlertKind.DISTRIBUTION, window.large_sells, "sells", config)
    return None, f"neither side has {config.flow_share:.0%} of the volume"


def _with_large(kind: AlertKind, large: int, name: str, config: FlowConfig) -> tuple[AlertKind | None, str]:
    if large >= config.flow_min_large:
        return kind, ""
    return None, f"{large} large {name}, {config.flow_min_large} are needed"
