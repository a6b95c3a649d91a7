"""CoinGlass answers as they come over the wire: one struct per row, nothing converted.

Decoders are lax (`strict=False`), so numbers sent as text decode in C. Required fields reject null and
absence by themselves; optional ones are those seen missing or in two spellings. Only the parse modules and
the envelope check read these. Source: CoinGlass API v4 endpoint pages and observed answers, March 2026.
"""

from __future__ import annotations

from typing import Any, Generic, TypeVar

import msgspec

T = TypeVar("T")


class Envelope(msgspec.Struct, Generic[T]):
    """`data` of a successful answer; null means "nothing", like an empty list."""

    data: T | None = None


class Outcome(msgspec.Struct):
    """The success part of the envelope; ETF pages say `message` instead of `msg`."""

    code: str | int
    msg: str | None = None
    message: str | None = None
    details: Any = None


class Subscription(msgspec.Struct):
    level: str
    expired: bool = False
    expire_time: Any = None


class Pair(msgspec.Struct):
    instrument_id: str | None = None
    base_asset: str | None = None
    quote_asset: str | None = None


class OhlcRow(msgspec.Struct):
    """Open interest and funding bars: text or number, also mixed in one row."""

    time: float
    close: float
    open: float | None = None
    high: float | None = None
    low: float | None = None


class CandleRow(msgspec.Struct):
    time: float
    open: float
    high: float
    low: float
    close: float
    volume_usd: float | None = None


class LiquidationRow(msgspec.Struct):
    time: float
    aggregated_long_liquidation_usd: float
    aggregated_short_liquidation_usd: float


class TakerRow(msgspec.Struct):
    time: float
    aggregated_buy_volume_usd: float
    aggregated_sell_volume_usd: float


class PairTakerRow(msgspec.Struct):
    """Of one pair; text on the wire, and other keys than the sum over exchanges."""

    time: float
    taker_buy_volume_usd: float
    taker_sell_volume_usd: float


class RatioRow(msgspec.Struct):
    """All three long/short histories; each answer fills one pair of keys."""

    time: float
    global_account_long_percent: float | None = None
    global_account_long_short_ratio: float | None = None
    top_account_long_percent: float | None = None
    top_account_long_short_ratio: float | None = None
    top_position_long_percent: float | None = None
    top_position_long_short_ratio: float | None = None


class FearGreedLists(msgspec.Struct):
    data_list: list[float]
    time_list: list[float]


LIQUIDATION_WINDOWS = ("1h", "4h", "12h", "24h")


class CoinMarketRow(msgspec.Struct):
    """One coin of the all-coins list. Percent but for the two open-interest ratios, which are fractions."""

    symbol: str
    current_price: float | None = None
    avg_funding_rate_by_oi: float | None = None
    avg_funding_rate_by_vol: float | None = None
    market_cap_usd: float | None = None
    open_interest_usd: float | None = None
    open_interest_quantity: float | None = None
    open_interest_market_cap_ratio: float | None = None
    open_interest_volume_ratio: float | None = None
    price_change_percent_5m: float | None = None
    price_change_percent_15m: float | None = None
    price_change_percent_30m: float | None = None
    price_change_percent_1h: float | None = None
    price_change_percent_4h: float | None = None
    price_change_percent_12h: float | None = None
    price_change_percent_24h: float | None = None
    open_interest_change_percent_5m: float | None = None
    open_interest_change_percent_15m: float | None = None
    open_interest_change_percent_30m: float | None = None
    open_interest_change_percent_1h: float | None = None
    open_interest_change_percent_4h: float | None = None
    open_interest_change_percent_24h: float | None = None
    volume_change_percent_5m: float | None = None
    volume_change_percent_15m: float | None = None
    volume_change_percent_30m: float | None = None
    volume_change_percent_1h: float | None = None
    volume_change_percent_4h: float | None = None
    volume_change_percent_24h: float | None = None
    long_short_ratio_5m: float | None = None
    long_short_ratio_15m: float | None = None
    long_short_ratio_30m: float | None = None
    long_short_ratio_1h: float | None = None
    long_short_ratio_4h: float | None = None
    long_short_ratio_12h: float | None = None
    long_short_ratio_24h: float | None = None
    long_liquidation_usd_1h: float | None = None
    long_liquidation_usd_4h: float | None = None
    long_liquidation_usd_12h: float | None = None
    long_liquidation_usd_24h: float | None = None
    short_liquidation_usd_1h: float | None = None
    short_liquidation_usd_4h: float | None = None
    short_liquidation_usd_12h: float | None = None
    short_liquidation_usd_24h: float | None = None


class PairMarketRow(msgspec.Struct):
    """One pair. Percent; quantities in the contract's own unit (1000PEPE, not PEPE)."""

    exchange_name: str
    symbol: str
    instrument_id: str | None = None
    current_price: float | None = None
    index_price: float | None = None
    price_change_percent_24h: float | None = None
    volume_usd: float | None = None
    long_volume_usd: float | None = None
    short_volume_usd: float | None = None
    open_interest_quantity: float | None = None
    open_interest_usd: float | None = None
    open_interest_change_percent_24h: float | None = None
    long_liquidation_usd_24h: float | None = None
    short_liquidation_usd_24h: float | None = None
    funding_rate: float | None = None
    next_funding_time: float | None = None


class LiquidationExchangeRow(msgspec.Struct):
    """Documented snake case and the mixed case seen live."""

    exchange: str
    liquidation_usd: float | None = None
    long_liquidation_usd: float | None = None
    short_liquidation_usd: float | None = None
    long_live_usd: float | None = msgspec.field(default=None, name="longLiquidation_usd")
    short_live_usd: float | None = msgspec.field(default=None, name="shortLiquidation_usd")


class FundingVenue(msgspec.Struct):
    exchange: str
    funding_rate: float | None = None
    funding_rate_interval: float | None = None
    next_funding_time: float | None = None


class FundingCoinRow(msgspec.Struct):
    symbol: str
    stablecoin_margin_list: list[FundingVenue] | None = None
    token_margin_list: list[FundingVenue] | None = None


class OpenInterestExchangeRow(msgspec.Struct):
    exchange: str
    open_interest_usd: float | None = None
    open_interest_quantity: float | None = None
    open_interest_change_percent_5m: float | None = None
    open_interest_change_percent_15m: float | None = None
    open_interest_change_percent_30m: float | None = None
    open_interest_change_percent_1h: float | None = None
    open_interest_change_percent_4h: float | None = None
    open_interest_change_percent_24h: float | None = None


class Heatmap(msgspec.Struct):
    """Triples are [time index, price index into y_axis, USD]; samples are cut, so check the bounds."""

    y_axis: list[float]
    liquidation_leverage_data: list[list[float]]
    # [time in seconds, open, high, low, close, volume in USD]
    price_candlesticks: list[list[float | None]] | None = None


MapLevels = dict[str, list[list[float | None]]]


class MapPart(msgspec.Struct):
    """One exchange of the map shape seen live."""

    levels: MapLevels = msgspec.field(name="liqMapV2")


class LiquidationMap(msgspec.Struct):
    data: MapLevels | list[MapPart] | None = None
    last_price: float | None = None


class MaxPainRow(msgspec.Struct):
    symbol: str
    price: float | None = None
    long_max_pain_liq_level: float | None = None
    long_max_pain_liq_price: float | None = None
    short_max_pain_liq_level: float | None = None
    short_max_pain_liq_price: float | None = None


class WhaleRow(msgspec.Struct):
    """Alert and position rows; the sign of `position_size` is the side (+ long, - short)."""

    symbol: str
    position_size: float
    position_value_usd: float
    user: str | None = None
    entry_price: float | None = None
    mark_price: float | None = None
    liq_price: float | None = None
    position_action: int | None = None
    leverage: float | None = None
    margin_balance: float | None = None
    unrealized_pnl: float | None = None
    funding_fee: float | None = None
    create_time: float | None = None
    update_time: float | None = None


class LiquidationOrderRow(msgspec.Struct):
    """One forced order; `symbol` is the pair although the request takes a coin."""

    exchange_name: str
    symbol: str
    side: int
    base_asset: str | None = None
    price: float | None = None
    usd_value: float | None = None
    time: float | None = None
