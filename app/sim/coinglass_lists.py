"""CoinGlass lists and snapshots: coins, exchanges, pairs, per-exchange figures, market tables, account level.

Most take no symbol filter and answer every coin. Percent and fraction as the provider mixes them: changes and
funding in percent, the two open-interest ratios as fractions. Source: API v4 pages and observed answers.
"""

from __future__ import annotations

from typing import Any

from app.sim.coin_view import DAY_MS, HOUR_MS, MINUTE_MS, CoinView, change_pct, rounded, view_coin
from app.sim.coinglass_plans import Gate
from app.sim.coinglass_positions import STABLE_SHARE
from app.sim.coinglass_wire import CoinglassEndpoint, listed
from app.sim.listings import find_coin, list_on, listed_on
from app.sim.market import Coin
from app.sim.wire import Call

_WINDOWS: dict[str, int] = {
    "5m": 5 * MINUTE_MS,
    "15m": 15 * MINUTE_MS,
    "30m": 30 * MINUTE_MS,
    "1h": HOUR_MS,
    "4h": 4 * HOUR_MS,
    "12h": 12 * HOUR_MS,
    "24h": DAY_MS,
}
_OI_WINDOWS = ("5m", "15m", "30m", "1h", "4h", "24h")
_LIQUIDATION_WINDOWS = ("1h", "4h", "12h", "24h")
_EXPIRY_MS = 365 * DAY_MS


def _subscription(call: Call) -> object:
    day_ms = call.now_ms // DAY_MS * DAY_MS
    return {"level": call.plan.upper(), "expire_time": day_ms + _EXPIRY_MS, "expired": False}


def _coins(call: Call) -> object:
    return [coin.base for coin in call.market.coins()]


def _exchanges(call: Call) -> object:
    return list(call.market.exchanges())


def _pairs(call: Call) -> object:
    wanted = call.params.get("exchange")
    names = [name for name in call.market.exchanges() if wanted in (None, "", name)]
    return {name: [_pair(name, coin) for coin in listed_on(call.market, name)] for name in names}


def _pair(exchange: str, coin: Coin) -> dict[str, Any]:
    listing = list_on(exchange, coin)
    return {
        "instrument_id": listing.pair,
        "base_asset": listing.base_asset,
        "quote_asset": "USDT",
        "settlement_currency": "USDT",
        "max_leverage": 100,
        "funding_interval": coin.funding_interval_h,
        "price_tick_size": float(f"{coin.tick * listing.multiplier:.10g}"),
    }


def _open_interest_by_exchange(call: Call) -> object:
    coin = find_coin(call.market, call.params["symbol"])
    if coin is None:
        return []
    view = view_coin(call.market, coin, call.now_ms)
    rows = [_open_interest_row(view, name) for name in ("All", *call.market.exchanges())]
    return [row for row in rows if row is not None]


def _open_interest_row(view: CoinView, exchange: str) -> dict[str, Any] | None:
    times, usd = view.open_interest(exchange, "usd")
    quantity = view.open_interest(exchange, "base")[1]
    if not usd.size or not quantity.size:
        return None
    coins = float(quantity[-1])
    return {
        "exchange": exchange,
        "symbol": view.coin.base,
        "open_interest_usd": round(float(usd[-1]), 4),
        "open_interest_quantity": round(coins, 4),
        "open_interest_by_coin_margin": round(float(usd[-1]) * (1 - STABLE_SHARE), 4),
        "open_interest_by_stable_coin_margin": round(float(usd[-1]) * STABLE_SHARE, 4),
        "open_interest_quantity_by_coin_margin": round(coins * (1 - STABLE_SHARE), 4),
        "open_interest_quantity_by_stable_coin_margin": round(coins * STABLE_SHARE, 4),
        **{
            f"open_interest_change_percent_{name}": rounded(
                change_pct(times, usd, view.now_ms - _WINDOWS[name])
            )
            for name in _OI_WINDOWS
        },
    }


def _funding_by_exchange(call: Call) -> object:
    rows = []
    for coin in call.market.coins():
        rates = [_funding_row(call, coin, name) for name in call.market.exchanges()]
        known = [rate for rate in rates if rate is not None]
        if known:
            rows.append(
                {"symbol": coin.base, "stablecoin_margin_list": known, "token_margin_list": known[:1]}
            )
    return rows


def _funding_row(call: Call, coin: Coin, exchange: str) -> dict[str, Any] | None:
    current = call.market.funding_current(coin.base, exchange)
    if current is None:
        return None
    rate, previous_ms, next_ms = current
    return {
        "exchange": exchange,
        "funding_rate_interval": (next_ms - previous_ms) // HOUR_MS,
        "funding_rate": round(rate * 100, 8),
        "next_funding_time": next_ms,
    }


def _liquidations_by_exchange(call: Call) -> object:
    """Live rows carry longLiquidation_usd, not the documented long_liquidation_usd."""
    symbol = call.params.get("symbol")
    coins = call.market.coins()
    if symbol:
        coin = find_coin(call.market, symbol)
        coins = (coin,) if coin else ()
    views = [view_coin(call.market, coin, call.now_ms) for coin in coins]
    back_ms = _WINDOWS[call.params["range"]]
    rows = []
    for exchange in ("All", *call.market.exchanges()):
        sums = [view.liquidated_usd(back_ms, exchange) for view in views]
        longs, shorts = sum(s[0] for s in sums), sum(s[1] for s in sums)
        if longs + shorts > 0:
            rows.append(_exchange_liquidations(exchange, longs, shorts))
    return rows


def _exchange_liquidations(exchange: str, longs: float, shorts: float) -> dict[str, Any]:
    return {
        "exchange": exchange,
        "liquidation_usd": round(longs + shorts, 5),
        "longLiquidation_usd": round(longs, 5),
        "shortLiquidation_usd": round(shorts, 5),
    }


def _liquidations_by_coin(call: Call) -> object:
    exchange = call.params["exchange"]
    if exchange not in call.market.exchanges():
        return []
    views = (view_coin(call.market, coin, call.now_ms) for coin in listed_on(call.market, exchange))
    return [{"symbol": v.coin.base, **_liquidation_windows(v, exchange)} for v in views]


def _liquidation_windows(view: CoinView, exchange: str) -> dict[str, Any]:
    row: dict[str, Any] = {}
    for name in _LIQUIDATION_WINDOWS:
        longs, shorts = view.liquidated_usd(_WINDOWS[name], exchange)
        row[f"liquidation_usd_{name}"] = round(longs + shorts, 5)
        row[f"long_liquidation_usd_{name}"] = round(longs, 5)
        row[f"short_liquidation_usd_{name}"] = round(shorts, 5)
    return row


def _coins_markets(call: Call) -> object:
    page, size = max(1, int(call.params.get("page") or 1)), int(call.params.get("per_page") or 100)
    coins = call.market.coins()[(page - 1) * size : page * size]
    rows = [_market_row(_by_exchange(call, coin)) for coin in coins]
    return [row for row in rows if row is not None]


def _by_exchange(call: Call, coin: Coin) -> list[CoinView]:
    """The coin on every exchange that has candles of it; the first one stands for its price."""
    views = [view_coin(call.market, coin, call.now_ms, name) for name in call.market.exchanges()]
    return [view for view in views if view.candles.open_ms.size] or views[:1]


def _traded_usd(views: list[CoinView], back_ms: int, skip_ms: int = 0) -> float:
    """On all exchanges together: the sum of what the pairs list shows."""
    return sum(view.volume_usd(back_ms, skip_ms) for view in views)


def _market_row(views: list[CoinView]) -> dict[str, Any] | None:
    view = views[0]
    price = view.price
    times, usd = view.open_interest("All", "usd")
    funding = view.market.funding_weighted(
        view.coin.base, HOUR_MS, view.now_ms - 3 * HOUR_MS, view.now_ms + 1
    )
    if price is None or not usd.size or not funding.values.size:
        return None
    cap = price * view.coin.circulating
    rate_pct = round(float(funding.values[-1]) * 100, 6)
    day_usd = _traded_usd(views, DAY_MS)
    row: dict[str, Any] = {
        "symbol": view.coin.base,
        "current_price": price,
        "avg_funding_rate_by_oi": rate_pct,
        "avg_funding_rate_by_vol": rate_pct,
        "market_cap_usd": cap,
        "open_interest_market_cap_ratio": round(float(usd[-1]) / cap, 4) if cap else None,
        "open_interest_usd": round(float(usd[-1]), 4),
        "open_interest_quantity": round(float(usd[-1]) / price, 4),
        "open_interest_volume_ratio": round(float(usd[-1]) / day_usd, 4) if day_usd else None,
    }
    row |= _price_changes(view)
    for name in _OI_WINDOWS:
        change = change_pct(times, usd, view.now_ms - _WINDOWS[name])
        row[f"open_interest_change_percent_{name}"] = rounded(change)
    return row | _volume_changes(views) | _taker_ratios(views) | _liquidation_windows(view, "All")


def _price_changes(view: CoinView) -> dict[str, Any]:
    return {
        f"price_change_percent_{name}": rounded(view.price_change_pct(ms)) for name, ms in _WINDOWS.items()
    }


def _volume_changes(views: list[CoinView]) -> dict[str, Any]:
    row: dict[str, Any] = {}
    for name in _OI_WINDOWS:
        ms = _WINDOWS[name]
        now, before = _traded_usd(views, ms), _traded_usd(views, ms, skip_ms=ms)
        row[f"volume_change_percent_{name}"] = round((now / before - 1) * 100, 2) if before else None
        if ms >= HOUR_MS:
            row[f"volume_change_usd_{name}"] = round(now - before, 4)
    return row


def _taker_ratios(views: list[CoinView]) -> dict[str, Any]:
    flows = [
        view.market.taker_volume(
            view.coin.base, view.exchange, view.interval_ms, view.now_ms - DAY_MS, view.now_ms + 1
        )
        for view in views
    ]
    row: dict[str, Any] = {}
    for name, ms in _WINDOWS.items():
        since_ms = views[0].now_ms - ms
        bought = sum(float(buys.values[buys.open_ms >= since_ms].sum()) for buys, _ in flows)
        sold = sum(float(sells.values[sells.open_ms >= since_ms].sum()) for _, sells in flows)
        row[f"long_short_ratio_{name}"] = round(bought / sold, 4) if sold else None
    return row


def _price_change_list(call: Call) -> object:
    rows = []
    for coin in call.market.coins():
        view = view_coin(call.market, coin, call.now_ms)
        if view.price is None:
            continue
        amplitudes = {
            f"price_amplitude_percent_{name}": rounded(view.amplitude_pct(ms))
            for name, ms in _WINDOWS.items()
        }
        rows.append({"symbol": coin.base, "current_price": view.price, **_price_changes(view), **amplitudes})
    return rows


def _pairs_markets(call: Call) -> object:
    coin = find_coin(call.market, call.params["symbol"])
    if coin is None:
        return []
    rows = [_pair_market(call, coin, name) for name in call.market.exchanges()]
    return [row for row in rows if row is not None]


def _pair_market(call: Call, coin: Coin, exchange: str) -> dict[str, Any] | None:
    view = view_coin(call.market, coin, call.now_ms, exchange)
    listing = list_on(exchange, coin)
    times, usd = view.open_interest(exchange, "usd")
    quantity = view.open_interest(exchange, "base")[1]
    funding = call.market.funding_current(coin.base, exchange)
    if view.price is None or not view.candles.open_ms.size or not usd.size or not quantity.size:
        return None
    price = float(f"{view.candles.close[-1] * listing.multiplier:.10g}")
    day_usd, before_usd = view.volume_usd(DAY_MS), view.volume_usd(DAY_MS, skip_ms=DAY_MS)
    buys, sells = call.market.taker_volume(
        coin.base, exchange, view.interval_ms, call.now_ms - DAY_MS, call.now_ms + 1
    )
    bought, sold = float(buys.values.sum()), float(sells.values.sum())
    longs, shorts = view.liquidated_usd(DAY_MS, exchange)
    return {
        "instrument_id": listing.pair,
        "exchange_name": exchange,
        "symbol": f"{listing.base_asset}/USDT",
        "current_price": price,
        "index_price": float(f"{view.price * listing.multiplier:.10g}"),
        "price_change_percent_24h": rounded(view.price_change_pct(DAY_MS)),
        "volume_usd": round(day_usd, 4),
        "volume_usd_change_percent_24h": round((day_usd / before_usd - 1) * 100, 2) if before_usd else None,
        "long_volume_usd": round(bought, 4),
        "short_volume_usd": round(sold, 4),
        "long_volume_quantity": round(bought / price),
        "short_volume_quantity": round(sold / price),
        "open_interest_quantity": round(float(quantity[-1]) / listing.multiplier, 4),
        "open_interest_usd": round(float(usd[-1]), 4),
        "open_interest_change_percent_24h": rounded(change_pct(times, usd, call.now_ms - DAY_MS)),
        "long_liquidation_usd_24h": round(longs, 4),
        "short_liquidation_usd_24h": round(shorts, 4),
        "funding_rate": round(funding[0] * 100, 8) if funding else None,
        "next_funding_time": funding[2] if funding else None,
        "open_interest_volume_radio": round(float(usd[-1]) / day_usd, 4) if day_usd else None,  # (sic)
        "oi_vol_ratio_change_percent_24h": None,
    }


def _fear_greed(call: Call) -> object:
    """The live shape: one object of parallel lists, oldest first; null where a day has no candle yet."""
    index = call.market.fear_greed(0, call.now_ms + 1)
    closes: dict[int, float] = {}
    for exchange in call.market.exchanges()[:1]:  # none in a folder without candles
        days = call.market.candles("BTC", exchange, DAY_MS, 0, call.now_ms + 1)
        closes = dict(zip(days.open_ms.tolist(), days.close.tolist(), strict=True))
    times = index.open_ms.tolist()
    return {
        "data_list": index.values.tolist(),
        "price_list": [closes.get(at) for at in times],
        "time_list": times,
    }


_FUTURES = "/api/futures/"

LIST_ENDPOINTS: tuple[CoinglassEndpoint, ...] = (
    CoinglassEndpoint("user_account_subscription", "/api/user/account/subscription", listed(_subscription)),
    CoinglassEndpoint(
        "futures_supported_coins", _FUTURES + "supported-coins", listed(_coins), cache_ms=60_000
    ),
    CoinglassEndpoint(
        "futures_supported_exchanges", _FUTURES + "supported-exchanges", listed(_exchanges), cache_ms=60_000
    ),
    CoinglassEndpoint(
        "futures_supported_exchange_pairs",
        _FUTURES + "supported-exchange-pairs",
        listed(_pairs),
        cache_ms=60_000,
    ),
    CoinglassEndpoint(
        "futures_open_interest_exchange_list",
        _FUTURES + "open-interest/exchange-list",
        listed(_open_interest_by_exchange),
        ("symbol",),
        cache_ms=10_000,
    ),
    CoinglassEndpoint(
        "futures_funding_rate_exchange_list",
        _FUTURES + "funding-rate/exchange-list",
        listed(_funding_by_exchange),
        cache_ms=20_000,
    ),
    CoinglassEndpoint(
        "futures_liquidation_exchange_list",
        _FUTURES + "liquidation/exchange-list",
        listed(_liquidations_by_exchange),
        ("range",),
        cache_ms=10_000,
        choices={"range": _LIQUIDATION_WINDOWS},
    ),
    CoinglassEndpoint(
        "futures_liquidation_coin_list",
        _FUTURES + "liquidation/coin-list",
        listed(_liquidations_by_coin),
        ("exchange",),
        cache_ms=10_000,
        gate=Gate.STARTUP,
    ),
    CoinglassEndpoint(
        "futures_coins_markets",
        _FUTURES + "coins-markets",
        listed(_coins_markets),
        cache_ms=5000,
        gate=Gate.STANDARD,
    ),
    CoinglassEndpoint(
        "futures_coins_price_change",
        _FUTURES + "coins-price-change",
        listed(_price_change_list),
        cache_ms=5000,
        gate=Gate.STANDARD,
    ),
    CoinglassEndpoint(
        "futures_pairs_markets", _FUTURES + "pairs-markets", listed(_pairs_markets), ("symbol",)
    ),
    CoinglassEndpoint(
        "index_fear_greed_history", "/api/index/fear-greed-history", listed(_fear_greed), cache_ms=60_000
    ),
)
