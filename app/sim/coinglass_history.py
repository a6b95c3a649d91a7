"""CoinGlass histories: price, open interest, funding, liquidations, account ratios.

Rows are oldest first and end with the forming bar; numbers are text where the provider sends text; funding is
in percent; pairs that count coins by the thousand are priced per thousand. Source: API v4 pages of each path.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from app.sim.coinglass_wire import (
    EMPTY,
    CoinglassEndpoint,
    Span,
    coin_history,
    data_reply,
    fill_open,
    listed_history,
    pair_history,
    pair_of,
    read_span,
    trim,
)
from app.sim.listings import find_coin
from app.sim.market import MarketSource, ValueColumns
from app.sim.wire import Call, Reply, decimals_of, format_rows

_OHLC_TEXT = '{"time":%%d,"open":"%%.%df","high":"%%.%df","low":"%%.%df","close":"%%.%df"}'
_DAY_MS = 86_400_000


def ohlc_reply(span: Span, columns: ValueColumns, places: int, scale: float = 1.0) -> Reply:
    """Rows {time, open, high, low, close} as text from one value per bar."""
    close = columns.values * scale
    open_ms, opens, closes = trim(span, columns.open_ms, fill_open(close), close)
    template = _OHLC_TEXT % ((places,) * 4)
    highs, lows = np.maximum(opens, closes), np.minimum(opens, closes)
    return data_reply(format_rows(template, open_ms, opens, highs, lows, closes))


def _price(call: Call) -> Reply:
    listing = pair_of(call)
    if listing is None:
        return EMPTY
    span = read_span(call)
    bars = call.market.candles(
        listing.coin.base, listing.exchange, span.interval_ms, span.start_ms, span.end_ms
    )
    places = decimals_of(listing.coin.tick * listing.multiplier)
    prices = [column * listing.multiplier for column in (bars.open, bars.high, bars.low, bars.close)]
    volume_usd = bars.volume_base * bars.close
    columns = trim(span, bars.open_ms, *prices, volume_usd)
    template = _OHLC_TEXT[:-1] % ((places,) * 4) + ',"volume_usd":"%.4f"}'
    return data_reply(format_rows(template, *columns))


def _open_interest(call: Call) -> Reply:
    listing = pair_of(call)
    if listing is None:
        return EMPTY
    # Quantities of a multiplied pair are in its own unit: 1000PEPE, not PEPE.
    scale = 1 / listing.multiplier if call.params.get("unit") == "coin" else 1.0
    return _open_interest_of(call, listing.coin.base, listing.exchange, scale)


def _open_interest_total(call: Call) -> Reply:
    coin = find_coin(call.market, call.params["symbol"])
    return EMPTY if coin is None else _open_interest_of(call, coin.base, "All", 1.0)


def _open_interest_of(call: Call, base: str, exchange: str, scale: float) -> Reply:
    span = read_span(call)
    unit = "base" if call.params.get("unit") == "coin" else "usd"
    columns = call.market.open_interest(base, exchange, unit, span.interval_ms, span.lead_ms, span.end_ms)
    return ohlc_reply(span, columns, 4, scale)


def _funding_weighted(call: Call) -> Reply:
    coin = find_coin(call.market, call.params["symbol"])
    if coin is None:
        return EMPTY
    span = read_span(call)
    columns = call.market.funding_weighted(coin.base, span.interval_ms, span.lead_ms, span.end_ms)
    return ohlc_reply(span, columns, 6, 100.0)


def _funding(call: Call) -> Reply:
    """Settled rates of one exchange, held until the next settlement, one row per bar."""
    listing = pair_of(call)
    if listing is None:
        return EMPTY
    span = read_span(call)
    # A rate holds for up to a day, so look that far back for the first bar's.
    settled = call.market.funding_settled(
        listing.coin.base, listing.exchange, span.lead_ms - _DAY_MS, span.end_ms
    )
    if not settled.open_ms.size:
        return EMPTY
    first = max(span.lead_ms, int(settled.open_ms[0]))
    first = -(-first // span.interval_ms) * span.interval_ms
    open_ms = np.arange(first, span.end_ms, span.interval_ms, dtype=np.int64)
    last = np.searchsorted(settled.open_ms, open_ms + span.interval_ms, side="left") - 1
    held = ValueColumns(open_ms, settled.values[last], np.ones(open_ms.size, dtype=np.bool_))
    return ohlc_reply(span, held, 6, 100.0)


def _liquidations(call: Call) -> Reply:
    listing = pair_of(call)
    if listing is None:
        return EMPTY
    template = '{"time":%d,"long_liquidation_usd":"%.5f","short_liquidation_usd":"%.5f"}'
    return _liquidation_rows(call, listing.coin.base, (listing.exchange,), template)


def _liquidations_total(call: Call) -> Reply:
    coin = find_coin(call.market, call.params["symbol"])
    if coin is None:
        return EMPTY
    template = '{"time":%d,"aggregated_long_liquidation_usd":%.5f,"aggregated_short_liquidation_usd":%.5f}'
    return _liquidation_rows(call, coin.base, _exchange_list(call), template)


def _liquidation_rows(call: Call, base: str, exchanges: tuple[str, ...], template: str) -> Reply:
    span = read_span(call)
    bars = call.market.liquidations(base, exchanges, span.interval_ms, span.start_ms, span.end_ms)
    return data_reply(format_rows(template, *trim(span, bars.open_ms, bars.long_usd, bars.short_usd)))


def _exchange_list(call: Call) -> tuple[str, ...]:
    return tuple(name.strip() for name in call.params["exchange_list"].split(",") if name.strip())


_Shares = Callable[[MarketSource, str, str, int, int, int], ValueColumns]


def _ratio(prefix: str, read: _Shares) -> Callable[[Call], Reply]:
    """A long/short ratio history; percent shares and long divided by short."""
    template = (
        '{"time":%%d,"%s_long_percent":%%.2f,"%s_short_percent":%%.2f,"%s_long_short_ratio":%%.2f}'
    ) % ((prefix,) * 3)

    def handler(call: Call) -> Reply:
        listing = pair_of(call)
        if listing is None:
            return EMPTY
        span = read_span(call)
        shares = read(
            call.market,
            listing.coin.base,
            listing.exchange,
            span.interval_ms,
            span.start_ms,
            span.end_ms,
        )
        open_ms, share = trim(span, shares.open_ms, shares.values)
        return data_reply(format_rows(template, open_ms, share * 100, (1 - share) * 100, share / (1 - share)))

    return handler


_FUTURES = "/api/futures/"
_UNIT = {"unit": ("usd", "coin")}

HISTORY_ENDPOINTS: tuple[CoinglassEndpoint, ...] = (
    pair_history("futures_price_history", _FUTURES + "price/history", _price, also=("limit",)),
    coin_history(
        "futures_open_interest_aggregated_history",
        _FUTURES + "open-interest/aggregated-history",
        _open_interest_total,
        choices=_UNIT,
    ),
    pair_history(
        "futures_open_interest_history",
        _FUTURES + "open-interest/history",
        _open_interest,
        choices=_UNIT,
    ),
    coin_history(
        "futures_funding_rate_oi_weight_history",
        _FUTURES + "funding-rate/oi-weight-history",
        _funding_weighted,
    ),
    pair_history("futures_funding_rate_history", _FUTURES + "funding-rate/history", _funding),
    listed_history(
        "futures_liquidation_aggregated_history",
        _FUTURES + "liquidation/aggregated-history",
        _liquidations_total,
    ),
    pair_history("futures_liquidation_history", _FUTURES + "liquidation/history", _liquidations),
    pair_history(
        "futures_global_long_short_account_ratio_history",
        _FUTURES + "global-long-short-account-ratio/history",
        _ratio("global_account", lambda m, *a: m.account_long_share(*a)),
    ),
    pair_history(
        "futures_top_long_short_account_ratio_history",
        _FUTURES + "top-long-short-account-ratio/history",
        _ratio("top_account", lambda m, *a: m.top_account_long_share(*a)),
    ),
    pair_history(
        "futures_top_long_short_position_ratio_history",
        _FUTURES + "top-long-short-position-ratio/history",
        _ratio("top_position", lambda m, *a: m.top_position_long_share(*a)),
    ),
)
