"""Answers of the typed derivatives routes. Every part may be null; `missing` then says why and which plan
would have it. Field names are public contract: added to, not renamed."""

from __future__ import annotations

from pydantic import Field

from app.api.schemas.base import ApiModel, Detail, IsoTime, Name, SymbolText
from app.api.schemas.derivatives import (
    Base,
    FallbackPart,
    FundingHistoryItem,
    FundingSpreadItem,
    IntervalText,
    LevelItem,
    LiquidationWindow,
    MarketItem,
    MissingPart,
    OpenInterestBar,
    OpenInterestChange,
    OrderItem,
    PairItem,
    PriceUsd,
    RatioItem,
    SourceItem,
    Usd,
    VenueFundingItem,
    VenueLiquidation,
    VenueOpenInterestItem,
    WhaleAlertItem,
    WhalePositionItem,
)
from app.core.domain.context import DataMode
from app.core.domain.quality import MissingReason

MAX_PAGE = 100
MAX_VENUES = 60
MAX_ORDERS = 50
MAX_LEVELS = 60
MAX_BARS = 500
MAX_WHALES = 200
MAX_NAMES = 2000


class DerivativesAnswer(ApiModel):
    """What every answer of these routes carries."""

    timestamp: IsoTime = Field(description="When this answer was made; market time, UTC.")
    data_mode: DataMode = Field(description="live, demo (simulated market) or replay (recorded past).")
    sources: list[SourceItem] = Field(max_length=20, description="Where each part came from, with its age.")
    missing: list[MissingPart] = Field(max_length=20, description="Parts that could not be had, and why.")
    fallbacks: list[FallbackPart] = Field(
        max_length=20, description="Parts a lesser source answered (one exchange, a reduced form), and why."
    )


class MarketsResponse(DerivativesAnswer):
    """One page of all coins, largest open interest first."""

    items: list[MarketItem] = Field(max_length=MAX_PAGE, description="The coins of this page.")
    total: int = Field(ge=0, description="Number of coins in all.")
    next: str | None = Field(max_length=12, description="Cursor of the next page; null on the last one.")


class CoinMarketResponse(DerivativesAnswer):
    """One coin on the derivatives market."""

    symbol: SymbolText
    market: MarketItem | None = Field(description="The coin; null when nobody knows it now.")


class PairMarketsResponse(DerivativesAnswer):
    """Every perpetual of one coin, largest open interest first."""

    symbol: SymbolText
    pairs: list[PairItem] = Field(max_length=MAX_VENUES, description="One per exchange and pair.")
    truncated: bool = Field(description="True when there are more pairs than shown.")


class LiquidationsResponse(DerivativesAnswer):
    """Positions of one coin closed by force, and where the next ones are estimated."""

    symbol: SymbolText
    scope: Detail | None = Field(description="Which exchanges the windows cover; null when there are none.")
    windows: list[LiquidationWindow] = Field(max_length=7, description="1h 4h 12h 24h, those known.")
    exchanges: list[VenueLiquidation] = Field(
        max_length=MAX_VENUES, description="The widest window by exchange; empty when not known."
    )
    orders: list[OrderItem] | None = Field(
        max_length=MAX_ORDERS, description="Newest forced orders; null unless asked for and known."
    )
    orders_min_usd: Usd | None = Field(
        description="Orders below this many USD are left out; higher leaves out more; null: none are."
    )
    orders_truncated: bool | None = Field(
        description="True when there are older orders than shown; null without `orders`."
    )
    map_model: Detail | None = Field(description="Whose estimate the levels are; null when there are none.")
    levels: list[LevelItem] | None = Field(
        max_length=MAX_LEVELS, description="Largest estimated levels; null unless asked for and known."
    )


class NotAvailable(ApiModel):
    """Why something is not offered, and what would change that."""

    reason: MissingReason = Field(description="Why it is not there.")
    detail: Detail = Field(description="The reason in words.")
    plan_needed: Name | None = Field(description="Cheapest CoinGlass plan that has it; null when none.")


class HeatmapItem(ApiModel):
    """Liquidation volume by price: estimated, or what happened."""

    model: Detail = Field(description="Whose figures they are.")
    is_estimate: bool = Field(
        description="True: estimated levels of liquidations to come. False: liquidations that happened, "
        "which says nothing about where the next ones are."
    )
    price_usd: PriceUsd | None
    cells: int = Field(ge=0, description="Number of cells (time and price) the levels were summed from.")
    levels: list[LevelItem] = Field(
        max_length=MAX_LEVELS, description="Largest levels by volume summed over time, lowest price first."
    )


class HeatmapResponse(DerivativesAnswer):
    """The liquidation heatmap of one coin, reduced to its largest levels."""

    symbol: SymbolText
    heatmap: HeatmapItem | None = Field(description="The heatmap; null when it is not available.")
    not_available: NotAvailable | None = Field(description="Why there is none; null when there is one.")


class LongShortResponse(DerivativesAnswer):
    """Who is long: all accounts, top-trader accounts, top-trader positions."""

    symbol: SymbolText
    interval: IntervalText | None = Field(description="Bar size that was used; null without any ratio.")
    accounts: RatioItem | None = Field(description="All accounts.")
    top_accounts: RatioItem | None = Field(description="Accounts of the top traders.")
    top_positions: RatioItem | None = Field(description="Positions of the top traders, by size.")


class FundingResponse(DerivativesAnswer):
    """Funding of one coin: weighted, per exchange, and the widest spread."""

    symbol: SymbolText
    weighted: FundingHistoryItem | None = Field(description="Over the source's exchanges.")
    exchanges: list[VenueFundingItem] = Field(max_length=MAX_VENUES, description="Highest 8 h rate first.")
    spread: FundingSpreadItem | None = Field(description="Null with fewer than two exchanges.")
    truncated: bool = Field(description="True when there are more exchanges than shown.")


class OpenInterestResponse(DerivativesAnswer):
    """Open interest of one coin: now, its changes, its bars, per exchange."""

    symbol: SymbolText
    interval: IntervalText | None = Field(description="Bar size of `bars`; null without bars.")
    open_interest_usd: Usd | None = Field(
        description="Newest open interest of `scope` in USD; higher is larger."
    )
    open_interest_base: Base | None
    scope: Detail | None = Field(description="Which exchanges the newest figure covers.")
    changes: list[OpenInterestChange] = Field(max_length=3, description="Over 1h, 4h and 24h, of `scope`.")
    bars_scope: Detail | None = Field(
        description="Which exchanges the bars cover; another than `scope` at times. Null without bars."
    )
    bars: list[OpenInterestBar] = Field(max_length=48, description="Closed bars, newest last.")
    exchanges: list[VenueOpenInterestItem] = Field(max_length=MAX_VENUES, description="Largest first.")
    truncated: bool = Field(description="True when there are more exchanges than shown.")


class CoinsResponse(DerivativesAnswer):
    """Coins with perpetual futures."""

    coins: list[Name] = Field(max_length=MAX_NAMES, description="Base assets in order.")
    total: int = Field(ge=0, description="Number of coins in all.")
    truncated: bool = Field(description="True when there are more coins than shown.")


class InstrumentItem(ApiModel):
    """One perpetual of one exchange."""

    instrument: Name = Field(description="The pair as the exchange spells it.")
    base: Name = Field(description="Base asset.")
    quote: Name = Field(description="Quote currency.")


class ExchangeItem(ApiModel):
    """One exchange."""

    exchange: Name = Field(description="Name of the exchange.")
    pairs: int = Field(ge=0, description="Number of perpetuals it lists.")


class ExchangesResponse(DerivativesAnswer):
    """Exchanges with perpetual futures, and the pairs of one of them."""

    exchanges: list[ExchangeItem] = Field(max_length=MAX_VENUES, description="Most pairs first.")
    instruments: list[InstrumentItem] | None = Field(
        max_length=MAX_PAGE, description="One page of the asked exchange's pairs; null unless asked for."
    )
    next: str | None = Field(max_length=12, description="Cursor of the next page of pairs; null at the end.")


class DashboardResponse(DerivativesAnswer):
    """Everything about one coin's derivatives in one call; each part may be missing alone."""

    symbol: SymbolText
    market: MarketItem | None = Field(description="Price, open interest, funding and changes.")
    liquidations: list[LiquidationWindow] = Field(max_length=7, description="1h 4h 12h 24h, those known.")
    liquidations_scope: Detail | None = Field(description="Which exchanges they cover.")
    accounts: RatioItem | None = Field(description="All accounts; history left out here.")
    top_accounts: RatioItem | None = Field(description="Accounts of the top traders; history left out here.")
    top_positions: RatioItem | None = Field(
        description="Positions of the top traders; history left out here."
    )
    funding: FundingHistoryItem | None = Field(description="Weighted funding; history left out here.")
    funding_exchanges: list[VenueFundingItem] = Field(max_length=6, description="Highest and lowest rates.")
    funding_spread: FundingSpreadItem | None = Field(description="Null with fewer than two exchanges.")
    open_interest_changes: list[OpenInterestChange] = Field(max_length=3, description="Over 1h, 4h and 24h.")
    open_interest_exchanges: list[VenueOpenInterestItem] = Field(max_length=6, description="Largest first.")


class WhaleSummary(ApiModel):
    """Both sides of what is shown, before the limit was applied."""

    long_usd: Usd
    short_usd: Usd
    long_count: int = Field(ge=0, description="Number of long positions.")
    short_count: int = Field(ge=0, description="Number of short positions.")


class WhaleAlertsResponse(DerivativesAnswer):
    """Positions above 1 M USD on Hyperliquid that were just opened or closed, newest first."""

    exchange: Name = Field(description="The only exchange with such data.")
    opened: WhaleSummary | None = Field(description="Sides of the opened ones; null without data.")
    alerts: list[WhaleAlertItem] = Field(max_length=MAX_WHALES, description="Newest first.")
    truncated: bool = Field(description="True when there are more than shown.")


class WhalePositionsResponse(DerivativesAnswer):
    """Open positions above 1 M USD on Hyperliquid, largest first."""

    exchange: Name = Field(description="The only exchange with such data.")
    summary: WhaleSummary | None = Field(description="Both sides; null without data.")
    positions: list[WhalePositionItem] = Field(max_length=MAX_WHALES, description="Largest first.")
    truncated: bool = Field(description="True when there are more than shown.")


class OpenInterestSeriesResponse(DerivativesAnswer):
    """Open interest bars of one coin, for replaying."""

    symbol: SymbolText
    interval: IntervalText | None = Field(description="Bar size that was used; null without bars.")
    label: Detail | None = Field(description="What was measured, and where.")
    bars: list[OpenInterestBar] = Field(max_length=MAX_BARS, description="Closed bars, newest last.")
    next: str | None = Field(
        max_length=16, description="Cursor of older bars; null when there are none in this source."
    )
    stored_bars: int = Field(
        ge=0, description="Number of these bars that came out of the store; the rest is from upstream."
    )
    stored_from: list[Name] = Field(
        max_length=5, description="Providers that answered the stored bars at the time."
    )
    store_fault: Detail | None = Field(
        description="Why the store could not be asked (then upstream answered alone), else null."
    )
