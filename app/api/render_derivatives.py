"""Derivatives facts as schema items: one function per item, shared by all typed routes.

Pure: domain values in, models out. Rounds through `app.api.numbers` only. Answers are put together in
`render_derivatives_answers`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from app.api.numbers import clip, iso_utc, significant
from app.api.schemas.base import DETAIL_CHARS, NAME_CHARS
from app.api.schemas.derivatives import (
    FundingHistoryItem,
    FundingSpreadItem,
    LevelItem,
    LiquidationWindow,
    MarketItem,
    OpenInterestBar,
    OrderItem,
    PairItem,
    Point,
    RatioItem,
    VenueFundingItem,
    VenueLiquidation,
    VenueOpenInterestItem,
    WhaleAlertItem,
    WhalePositionItem,
    WindowItem,
)
from app.core.domain.derivatives import (
    CoinMarket,
    LiquidatedUsd,
    LiquidationLevel,
    LiquidationOrder,
    OpenInterestHistory,
    PairMarket,
    VenueFunding,
    VenueOpenInterest,
    WhaleAlert,
    WhalePosition,
)
from app.core.domain.derivatives_figures import (
    FundingSpread,
    long_short_ratio,
    percentile_frac,
    share_change_24h,
)
from app.core.domain.market import INTERVAL_MS, Series

WINDOWS = ("5m", "15m", "30m", "1h", "4h", "12h", "24h")
_INTERVAL_NAMES = {ms: name for name, ms in INTERVAL_MS.items()}
# Funding of 8 h, 1,095 times in a year of 365 days.
_PERIODS_8H = 365 * 3


def number(value: float | None) -> float | None:
    return None if value is None else significant(value)


def moment(epoch_ms: int | None) -> str | None:
    return None if epoch_ms is None else iso_utc(epoch_ms)


def name(text: str) -> str:
    return clip(text, NAME_CHARS)


def words(text: str) -> str:
    return clip(text, DETAIL_CHARS)


def interval_name(interval_ms: int) -> str:
    """3,600,000 -> "1h"; a size without a name is given in minutes."""
    return _INTERVAL_NAMES.get(interval_ms, f"{interval_ms // 60_000}m")


def market(item: CoinMarket) -> MarketItem:
    return MarketItem(
        symbol=item.base,
        scope=words(item.scope),
        reduced=item.is_reduced,
        price_usd=significant(item.price.price_usd),
        price_kind=item.price.kind,
        market_cap_usd=number(item.market_cap_usd),
        volume24h_usd=number(item.volume_24h_usd),
        open_interest_usd=number(item.open_interest_usd),
        open_interest_base=number(item.open_interest_base),
        open_interest_to_market_cap_frac=number(item.open_interest_to_market_cap_frac),
        open_interest_to_volume_frac=number(item.open_interest_to_volume_frac),
        funding_oi_weighted8h_frac=number(item.funding_oi_weighted_8h_frac),
        funding_volume_weighted8h_frac=number(item.funding_volume_weighted_8h_frac),
        windows=[found for window in WINDOWS if (found := _window(item, window)) is not None],
        liquidations=liquidation_windows(item.liquidations),
    )


def _window(item: CoinMarket, window: str) -> WindowItem | None:
    figures = (
        item.price_change_frac.get(window),
        item.open_interest_change_frac.get(window),
        item.volume_change_frac.get(window),
        item.taker_long_short_ratio.get(window),
    )
    if all(figure is None for figure in figures):
        return None
    price, interest, volume, taker = map(number, figures)
    return WindowItem(
        window=window,
        price_change_frac=price,
        open_interest_change_frac=interest,
        volume_change_frac=volume,
        taker_long_short_ratio=taker,
    )


def liquidation_windows(by_window: Mapping[str, LiquidatedUsd]) -> list[LiquidationWindow]:
    return [
        LiquidationWindow(
            window=window,
            long_usd=significant(found.long_usd),
            short_usd=significant(found.short_usd),
            total_usd=significant(found.total_usd),
            long_frac=number(found.long_usd / found.total_usd) if found.total_usd > 0 else None,
        )
        for window in WINDOWS
        if (found := by_window.get(window)) is not None
    ]


def venue_liquidations(by_exchange: Mapping[str, LiquidatedUsd]) -> list[VenueLiquidation]:
    return [
        VenueLiquidation(
            exchange=name(exchange),
            long_usd=significant(found.long_usd),
            short_usd=significant(found.short_usd),
            total_usd=significant(found.total_usd),
        )
        for exchange, found in by_exchange.items()
    ]


def pair(item: PairMarket) -> PairItem:
    flushed = item.liquidations_24h
    return PairItem(
        exchange=name(item.exchange),
        instrument=name(item.instrument),
        quote=name(item.quote),
        price_usd=significant(item.price_usd),
        index_price_usd=number(item.index_price_usd),
        price_change24h_frac=number(item.price_change_24h_frac),
        volume24h_usd=number(item.volume_24h_usd),
        taker_buy24h_usd=number(item.taker_buy_24h_usd),
        taker_sell24h_usd=number(item.taker_sell_24h_usd),
        open_interest_usd=number(item.open_interest_usd),
        open_interest_base=number(item.open_interest_base),
        open_interest_change24h_frac=number(item.open_interest_change_24h_frac),
        long_liquidations24h_usd=None if flushed is None else significant(flushed.long_usd),
        short_liquidations24h_usd=None if flushed is None else significant(flushed.short_usd),
        funding_frac=number(item.funding_frac),
        next_funding=moment(item.next_funding_ms),
    )


def order(item: LiquidationOrder) -> OrderItem:
    return OrderItem(
        time=iso_utc(item.ts_event_ms),
        exchange=name(item.exchange),
        instrument=name(item.instrument),
        liquidated_side=item.liquidated_side,
        price_usd=significant(item.price_usd),
        size_usd=significant(item.size_usd),
    )


def level(item: LiquidationLevel, price_usd: float) -> LevelItem:
    return LevelItem(
        price_usd=significant(item.price_usd),
        size_usd=significant(item.size_usd),
        liquidated_side=item.liquidated_side,
        distance_frac=significant(item.price_usd / price_usd - 1),
    )


def _history(series: Series, points: int) -> list[Point]:
    columns = zip(series.close_ms[-points:], series.values[-points:], strict=True)
    return [Point(time=iso_utc(at_ms), value=significant(value)) for at_ms, value in columns if points]


def ratio(series: Series, *, points: int) -> RatioItem:
    """A long share with its place in its own history; `points`: bars of history shown."""
    long_frac = series.values[-1]
    return RatioItem(
        label=words(series.label),
        interval=interval_name(series.interval_ms),
        long_frac=significant(long_frac),
        short_frac=significant(1 - long_frac),
        long_short_ratio=number(long_short_ratio(long_frac)),
        percentile_frac=number(percentile_frac(series.values)),
        points=len(series.values) - 1,
        change24h_frac=number(share_change_24h(series)),
        history=_history(series, points),
    )


def funding_history(series: Series, *, points: int) -> FundingHistoryItem:
    """Funding per 8 h with its place in its own history."""
    rate = series.values[-1]
    return FundingHistoryItem(
        label=words(series.label),
        interval=interval_name(series.interval_ms),
        rate8h_frac=significant(rate),
        annualised_frac=significant(rate * _PERIODS_8H),
        percentile_frac=number(percentile_frac(series.values)),
        points=len(series.values) - 1,
        history=_history(series, points),
    )


def venue_funding(item: VenueFunding) -> VenueFundingItem:
    return VenueFundingItem(
        exchange=name(item.exchange),
        margin=item.margin,
        rate_frac=significant(item.rate_frac),
        interval_h=significant(item.interval_h),
        rate8h_frac=significant(item.rate_8h_frac),
        annualised_frac=significant(item.annualised_frac),
        next_funding=moment(item.next_funding_ms),
    )


def spread(item: FundingSpread | None) -> FundingSpreadItem | None:
    if item is None:
        return None
    return FundingSpreadItem(
        long_exchange=name(item.long_exchange),
        short_exchange=name(item.short_exchange),
        spread8h_frac=significant(item.spread_8h_frac),
        annualised_frac=significant(item.annualised_frac),
    )


def venue_open_interest(item: VenueOpenInterest, total_usd: float | None) -> VenueOpenInterestItem:
    return VenueOpenInterestItem(
        exchange=name(item.exchange),
        open_interest_usd=significant(item.open_interest_usd),
        open_interest_base=number(item.open_interest_base),
        # The total comes from another moment than the rows at times: a share never exceeds the whole.
        share_frac=significant(min(1.0, item.open_interest_usd / total_usd)) if total_usd else None,
        change24h_frac=number(item.change_frac.get("24h")),
    )


def bars(history: OpenInterestHistory, start: int, stop: int) -> list[OpenInterestBar]:
    """Bars `start` to `stop` of the history."""

    def at(column: Sequence[float] | None, index: int) -> float | None:
        return None if column is None else significant(column[index])

    return [
        OpenInterestBar(
            time=iso_utc(history.close_ms[index]),
            open_usd=at(history.open, index),
            high_usd=at(history.high, index),
            low_usd=at(history.low, index),
            close_usd=significant(history.close[index]),
        )
        for index in range(start, stop)
    ]


def whale_alert(item: WhaleAlert) -> WhaleAlertItem:
    return WhaleAlertItem(
        time=iso_utc(item.ts_event_ms),
        wallet=name(item.wallet),
        symbol=name(item.base),
        side=item.side,
        action=item.action,
        size_base=significant(item.size_base),
        size_usd=significant(item.size_usd),
        entry_price_usd=significant(item.entry_price_usd),
        liquidation_price_usd=number(item.liquidation_price_usd),
    )


def whale_position(item: WhalePosition) -> WhalePositionItem:
    return WhalePositionItem(
        wallet=name(item.wallet),
        symbol=name(item.base),
        side=item.side,
        size_base=significant(item.size_base),
        size_usd=significant(item.size_usd),
        entry_price_usd=significant(item.entry_price_usd),
        mark_price_usd=number(item.mark_price_usd),
        liquidation_price_usd=number(item.liquidation_price_usd),
        leverage=number(item.leverage),
        margin_usd=number(item.margin_usd),
        unrealized_pnl_usd=number(item.unrealized_pnl_usd),
        funding_usd=number(item.funding_usd),
        opened=moment(item.opened_ms),
        updated=iso_utc(item.updated_ms),
    )
