"""Pieces of the derivatives answers: one market, pair, window, ratio, venue, level, whale; sources and gaps.

Unit and direction stand in each type once. Null is "not said", never zero.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from app.api.schemas.base import AgeS, ApiModel, Detail, IsoTime, Name, SymbolText
from app.core.domain.derivatives import Margin, PositionSide, WhaleAction
from app.core.domain.market import PriceKind
from app.core.domain.quality import CacheState, MissingReason
from app.core.domain.views import View

Usd = Annotated[float, Field(ge=0, description="Amount in USD; higher is larger.")]
Base = Annotated[float, Field(ge=0, description="Amount in coins; higher is larger.")]
PriceUsd = Annotated[float, Field(gt=0, description="Price in USD per single coin; higher is dearer.")]
SignedUsd = Annotated[
    float, Field(description="Amount in USD; positive is the wallet's gain, negative its loss.")
]
ChangeFrac = Annotated[
    float, Field(description="Change as a fraction (0.01 = 1 %); positive is a rise, negative a fall.")
]
ShareFrac = Annotated[float, Field(ge=0, le=1, description="Fraction, 0 to 1; higher is a larger share.")]
PlainFrac = Annotated[float, Field(ge=0, description="Fraction (0.01 = 1 %); higher is larger.")]
Ratio = Annotated[
    float, Field(ge=0, description="Longs divided by shorts, as a plain fraction; higher is more longs.")
]
RateFrac = Annotated[
    float,
    Field(description="Funding as a fraction of notional (0.0001 = 0.01 %); positive: longs pay shorts."),
]
PercentileFrac = Annotated[
    float,
    Field(
        ge=0,
        le=1,
        description="Fraction, 0 to 1, of earlier values below the newest; higher is nearer to the top.",
    ),
]
Window = Annotated[
    str, Field(max_length=4, pattern="^[0-9]+[mhd]$", description="Time window back from now.")
]
IntervalText = Annotated[
    str, Field(max_length=4, pattern="^[0-9]+[mhd]$", description="Bar size of the history.")
]
PlanName = Annotated[str, Field(max_length=20, description="Name of a CoinGlass plan in lower case.")]


class SourceItem(ApiModel):
    """Where one part of the answer came from."""

    part: View = Field(description="Which part.")
    provider: Name = Field(description="Who answered.")
    endpoint: Name = Field(description="Our name of the upstream resource.")
    as_of: IsoTime = Field(description="Close of the newest bar or time of the event, UTC.")
    age_s: AgeS
    cache: CacheState = Field(description="miss, hit or stale.")


class MissingPart(ApiModel):
    """One part that could not be had, and what would change that."""

    part: View = Field(description="Which part.")
    reason: MissingReason = Field(description="Why it is not there.")
    detail: Detail = Field(description="The reason in words, source by source.")
    plan_needed: PlanName | None = Field(
        description="Cheapest CoinGlass plan that has it; null when no plan is the reason."
    )


class FallbackPart(ApiModel):
    """One part that is there, but not from its best source: what it says less, and what would change that."""

    part: View = Field(description="Which part.")
    answered_by: Name = Field(description="Who answered instead.")
    reason: MissingReason = Field(description="Why the better source did not answer.")
    detail: Detail = Field(description="The reason in words, source by source.")
    plan_needed: PlanName | None = Field(
        description="Cheapest CoinGlass plan whose better source has it; null when no plan is the reason."
    )
    without: list[Name] = Field(
        max_length=20, description="Figures the better source has that are null or absent here, where known."
    )


class WindowItem(ApiModel):
    """How one coin moved over one window."""

    window: Window
    price_change_frac: ChangeFrac | None
    open_interest_change_frac: ChangeFrac | None
    volume_change_frac: ChangeFrac | None
    taker_long_short_ratio: Ratio | None


class LiquidationWindow(ApiModel):
    """Positions closed by force in one window. Liquidated longs are forced sells, shorts forced buys."""

    window: Window
    long_usd: Usd
    short_usd: Usd
    total_usd: Usd
    long_frac: ShareFrac | None


class VenueLiquidation(ApiModel):
    """Positions closed by force on one exchange in the widest window."""

    exchange: Name = Field(description="Name of the exchange.")
    long_usd: Usd
    short_usd: Usd
    total_usd: Usd


class MarketItem(ApiModel):
    """One coin on the derivatives market."""

    symbol: SymbolText
    scope: Detail = Field(description="Which exchanges the figures cover.")
    reduced: bool = Field(description="True when the source knows only a part; the rest is null.")
    price_usd: PriceUsd
    price_kind: PriceKind = Field(description="Which price it is.")
    market_cap_usd: Usd | None
    volume24h_usd: Usd | None
    open_interest_usd: Usd | None
    open_interest_base: Base | None
    open_interest_to_market_cap_frac: PlainFrac | None
    open_interest_to_volume_frac: PlainFrac | None
    funding_oi_weighted8h_frac: RateFrac | None
    funding_volume_weighted8h_frac: RateFrac | None
    windows: list[WindowItem] = Field(max_length=7, description="5m to 24h, those that are known.")
    liquidations: list[LiquidationWindow] = Field(max_length=7, description="By window, those known.")


class PairItem(ApiModel):
    """One perpetual on one exchange."""

    exchange: Name = Field(description="Name of the exchange.")
    instrument: Name = Field(description="The pair as the exchange spells it.")
    quote: Name = Field(description="Quote currency.")
    price_usd: PriceUsd
    index_price_usd: PriceUsd | None
    price_change24h_frac: ChangeFrac | None
    volume24h_usd: Usd | None
    taker_buy24h_usd: Usd | None
    taker_sell24h_usd: Usd | None
    open_interest_usd: Usd | None
    open_interest_base: Base | None
    open_interest_change24h_frac: ChangeFrac | None
    long_liquidations24h_usd: Usd | None
    short_liquidations24h_usd: Usd | None
    funding_frac: RateFrac | None = Field(
        description="Per the exchange's own period, as a fraction; positive: longs pay shorts."
    )
    next_funding: IsoTime | None = Field(description="Next settlement, UTC; null when not said.")


class OrderItem(ApiModel):
    """One forced order that happened."""

    time: IsoTime = Field(description="When it happened, UTC.")
    exchange: Name = Field(description="Name of the exchange.")
    instrument: Name = Field(description="The pair as the exchange spells it.")
    liquidated_side: PositionSide = Field(description="Side of the position that was closed.")
    price_usd: PriceUsd
    size_usd: Usd


class LevelItem(ApiModel):
    """A price at which positions would be closed by force, or where `isEstimate` is false, were."""

    price_usd: PriceUsd
    size_usd: Usd
    liquidated_side: PositionSide = Field(
        description="Of an estimate: longs below the price, shorts above it."
    )
    distance_frac: ChangeFrac = Field(
        description="Distance from the current price as a fraction; negative is below it, positive above."
    )


class Point(ApiModel):
    """One closed bar of a history."""

    time: IsoTime = Field(description="Close of the bar, UTC.")
    value: float = Field(description="The figure, in the unit of the history it belongs to.")


class RatioItem(ApiModel):
    """How many are long, and how unusual that is."""

    label: Detail = Field(description="What was counted, and where.")
    interval: IntervalText
    long_frac: ShareFrac
    short_frac: ShareFrac
    long_short_ratio: Ratio | None
    percentile_frac: PercentileFrac | None
    points: int = Field(ge=0, description="Number of bars the percentile ranks against.")
    change24h_frac: ChangeFrac | None = Field(
        description="Change of the long share over 24 h as a fraction; positive is more longs."
    )
    history: list[Point] = Field(max_length=48, description="Long share as a fraction, newest last.")


class FundingHistoryItem(ApiModel):
    """Funding of the coin over its exchanges, and how unusual it is."""

    label: Detail = Field(description="What was measured, and where.")
    interval: IntervalText
    rate8h_frac: RateFrac
    annualised_frac: RateFrac
    percentile_frac: PercentileFrac | None
    points: int = Field(ge=0, description="Number of bars the percentile ranks against.")
    history: list[Point] = Field(max_length=48, description="Fraction per 8 h, newest last.")


class VenueFundingItem(ApiModel):
    """Funding of one exchange."""

    exchange: Name = Field(description="Name of the exchange.")
    margin: Margin = Field(description="What the contract is margined in.")
    rate_frac: RateFrac = Field(
        description="Per the exchange's own period, as a fraction; positive: longs pay shorts."
    )
    interval_h: float = Field(
        gt=0, le=24, description="Length of that period in the unit hours; higher is longer, so larger."
    )
    rate8h_frac: RateFrac
    annualised_frac: RateFrac
    next_funding: IsoTime | None = Field(description="Next settlement, UTC; null when not said.")


class FundingSpreadItem(ApiModel):
    """The widest difference of funding between two exchanges, before fees and price risk."""

    long_exchange: Name = Field(description="Where funding is lowest: the leg held long.")
    short_exchange: Name = Field(description="Where funding is highest: the leg held short.")
    spread8h_frac: PlainFrac
    annualised_frac: ChangeFrac = Field(
        description="Difference of the two annual rates as a fraction; positive is earned by the two legs."
    )


class OpenInterestChange(ApiModel):
    """Change of open interest over one window."""

    window: Window
    change_frac: ChangeFrac | None


class VenueOpenInterestItem(ApiModel):
    """Open interest of one exchange."""

    exchange: Name = Field(description="Name of the exchange.")
    open_interest_usd: Usd
    open_interest_base: Base | None
    share_frac: ShareFrac | None = Field(
        description="Fraction of the whole market, 0 to 1; higher is a larger share; null without a total."
    )
    change24h_frac: ChangeFrac | None


class OpenInterestBar(ApiModel):
    """One closed bar of open interest."""

    time: IsoTime = Field(description="Close of the bar, UTC.")
    open_usd: Usd | None
    high_usd: Usd | None
    low_usd: Usd | None
    close_usd: Usd


class WhaleAlertItem(ApiModel):
    """A position above 1 M USD that was just opened or closed."""

    time: IsoTime = Field(description="When it happened, UTC.")
    wallet: Name = Field(description="Address of the wallet.")
    symbol: Name = Field(description="Base asset.")
    side: PositionSide = Field(description="Side of the position.")
    action: WhaleAction = Field(description="What was done with it.")
    size_base: Base
    size_usd: Usd
    entry_price_usd: PriceUsd
    liquidation_price_usd: PriceUsd | None


class WhalePositionItem(ApiModel):
    """An open position above 1 M USD."""

    wallet: Name = Field(description="Address of the wallet.")
    symbol: Name = Field(description="Base asset.")
    side: PositionSide = Field(description="Side of the position.")
    size_base: Base
    size_usd: Usd
    entry_price_usd: PriceUsd
    mark_price_usd: PriceUsd | None
    liquidation_price_usd: PriceUsd | None
    leverage: float | None = Field(
        ge=0,
        description="Size divided by margin, as a plain fraction (10 = tenfold); higher is riskier, larger.",
    )
    margin_usd: Usd | None
    unrealized_pnl_usd: SignedUsd | None
    funding_usd: SignedUsd | None
    opened: IsoTime | None = Field(description="When it was opened, UTC; null when not said.")
    updated: IsoTime = Field(description="When it last changed, UTC.")
