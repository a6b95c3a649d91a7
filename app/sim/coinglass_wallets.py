"""CoinGlass groups of Hyperliquid wallets: by account size and by profit, now and over time; account ratio.

Sixteen groups from one table; how long they lean follows a slow curve, so counts, USD and bias agree. The
account ratio is the market's own share of long accounts. Recorded data holds no wallets.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from app.sim.coin_view import HOUR_MS
from app.sim.coinglass_plans import Gate
from app.sim.coinglass_wire import EMPTY, CoinglassEndpoint, data_reply, invented, read_span, trim
from app.sim.listings import find_coin
from app.sim.made_up import curve
from app.sim.market import Floats, Int64s
from app.sim.wire import Call, Reply, format_rows, hashed_unit

_BY_SIZE = ("Shrimp", "Fish", "Dolphin", "Apex_Predator", "Small_Whale", "Whale", "Tidal_Whale", "Leviathan")
_BY_PROFIT = (
    *("Money_Printer", "Smart_Money", "Grinder", "Humble_Earner"),
    *("Exit_Liquidity", "Semi_Rekt", "Full_Rekt", "Giga_Rekt"),
)
_TAGS = (*_BY_SIZE, *_BY_PROFIT)
# Least and most of each group in USD: account size, and profit since ever (losses are negative).
_SIZE_BOUNDS = (0, 250, 10_000, 50_000, 100_000, 500_000, 1_000_000, 5_000_000, 1_000_000_000)
_PROFIT_BOUNDS = (
    *((1_000_000, 1_000_000_000), (100_000, 1_000_000), (10_000, 100_000), (0, 10_000)),
    *((-10_000, 0), (-100_000, -10_000), (-1_000_000, -100_000), (-1_000_000_000, -1_000_000)),
)
_REMARKS = (
    (-0.5, "very_bearish"),
    (-0.1, "bearish"),
    (0.1, "neutral"),
    (0.5, "bullish"),
    (1.1, "very_bullish"),
)
_ACCOUNTS = 9000  # wallets with a position in one coin


def _bounds(tag: str) -> tuple[int, int]:
    if tag in _BY_SIZE:
        index = _BY_SIZE.index(tag)
        return _SIZE_BOUNDS[index], _SIZE_BOUNDS[index + 1]
    return _PROFIT_BOUNDS[_BY_PROFIT.index(tag)]


def _long_share(tag: str, hours: Int64s, what: str = "") -> Floats:
    return curve(f"{tag} {what} long share", hours, 0.25, 0.75)


def _groups(tag: str, at_ms: Int64s) -> list[dict[str, Any]]:
    """One group at each of these moments."""
    hours = at_ms // HOUR_MS
    shares, usd = np.round(_long_share(tag, hours), 4), np.round(curve(f"{tag} usd", hours, 2e7, 4e8), 2)
    return [_group(tag, *row) for row in zip(shares.tolist(), usd.tolist(), strict=True)]


def _group(tag: str, long_share: float, position_usd: float) -> dict[str, Any]:
    """The share of wallets in profit leans with the longs."""
    wallets = int(300_000 * hashed_unit(tag, "wallets") ** 3) + 500
    holding = int(wallets * (0.05 + 0.5 * hashed_unit(tag, "holding")))
    long_usd = round(position_usd * long_share, 2)
    winners = int(holding * (0.25 + 0.5 * long_share))
    bias = round((long_share - 0.5) * 4, 2)
    least, most = _bounds(tag)
    return {
        "group_name": tag,
        "all_address_count": wallets,
        "position_address_count": holding,
        "position_address_percent": round(100 * holding / wallets, 2),
        "bias_score": bias,
        "bias_remark": next(remark for most_bias, remark in _REMARKS if bias < most_bias),
        "minimum_amount": least,
        "maximum_amount": most,
        "long_position_usd": long_usd,
        "short_position_usd": round(position_usd - long_usd, 2),
        "long_position_usd_percent": round(100 * long_share, 2),
        "short_position_usd_percent": round(100 - 100 * long_share, 2),
        "position_usd": position_usd,
        "profit_address_count": winners,
        "loss_address_count": holding - winners,
        "profit_address_percent": round(100 * winners / holding, 2),
        "loss_address_percent": round(100 - 100 * winners / holding, 2),
    }


def _distribution(tags: tuple[str, ...]) -> Callable[[Call], object]:
    return lambda call: [_groups(tag, np.array([call.now_ms]))[0] for tag in tags]


def _opens(call: Call) -> Int64s:
    span = read_span(call)
    first = -(-span.start_ms // span.interval_ms) * span.interval_ms
    opens = np.arange(first, span.end_ms, span.interval_ms, dtype=np.int64)
    return np.asarray(trim(span, opens)[0])


def _distribution_history(call: Call) -> object:
    """The page has no time in its rows: they are told apart by their order alone, oldest first."""
    tag = call.params["wallet_tag"]
    rows = _groups(tag, _opens(call))
    kept = [{k: v for k, v in row.items() if not k.endswith("_percent")} for row in rows]
    return [row | {"group_name": tag.lower()} for row in kept]


def _ratio_history(call: Call) -> Reply:
    tag, coin = call.params["wallet_tag"], find_coin(call.market, call.params["symbol"])
    if coin is None or not call.is_invented:
        return EMPTY
    times = _opens(call)
    hours = times // HOUR_MS
    share = _long_share(tag, hours, coin.base)
    accounts = 400 + _ACCOUNTS * hashed_unit(tag, coin.base)
    usd = curve(f"{tag} {coin.base} usd", hours, 1e7, 6e7)
    template = (
        f'{{"time":%d,"group_name":"{tag.lower()}","account_long_count":%d,"account_short_count":%d,'
        '"short_position_usd":%.5f,"long_position_usd":%.5f}'
    )
    columns = (times, accounts * share, accounts * (1 - share), usd * (1 - share), usd * share)
    return data_reply(format_rows(template, *columns))


def _global_ratio(call: Call) -> Reply:
    """Without a symbol all coins, for which BTC's accounts stand."""
    coin = find_coin(call.market, call.params.get("symbol") or "BTC")
    if coin is None or not call.is_invented:
        return EMPTY
    span = read_span(call)
    shares = call.market.account_long_share(
        coin.base, "Hyperliquid", span.interval_ms, span.start_ms, span.end_ms
    )
    times, share = trim(span, shares.open_ms, shares.values)
    total = np.rint(curve(f"{coin.base} accounts", times // HOUR_MS, 0.8, 1.2) * _ACCOUNTS)
    longs = np.rint(total * share)
    part = longs / total
    template = (
        '{"time":%d,"global_account_long_count":%d,"global_account_short_count":%d,'
        '"global_account_total_count":%d,"global_account_long_percent":%.2f,'
        '"global_account_short_percent":%.2f,"global_account_long_short_ratio":%.4f}'
    )
    columns = (times, longs, total - longs, total, 100 * part, 100 - 100 * part, part / (1 - part))
    return data_reply(format_rows(template, *columns))


_TAG_CHOICES = {"interval": ("10m", "1h", "1d"), "wallet_tag": _TAGS}

WALLET_ENDPOINTS: tuple[CoinglassEndpoint, ...] = (
    CoinglassEndpoint(
        "hyperliquid_wallet_position_distribution",
        "/api/hyperliquid/wallet/position-distribution",
        invented(_distribution(_BY_SIZE)),
        gate=Gate.STANDARD,
    ),
    CoinglassEndpoint(
        "hyperliquid_wallet_pnl_distribution",
        "/api/hyperliquid/wallet/pnl-distribution",
        invented(_distribution(_BY_PROFIT)),
        gate=Gate.STANDARD,
    ),
    CoinglassEndpoint(
        "futures_hyperliquid_position_distribution_by_tag_history",
        "/api/futures/hyperliquid/position-distribution-by-tag/history",
        invented(_distribution_history),
        ("interval", "wallet_tag"),
        gate=Gate.PROFESSIONAL,
        choices=_TAG_CHOICES,
    ),
    CoinglassEndpoint(
        "futures_hyperliquid_long_short_account_ratio_by_tag_history",
        "/api/futures/hyperliquid/long-short-account-ratio-by-tag/history",
        _ratio_history,
        ("symbol", "interval", "wallet_tag"),
        gate=Gate.PROFESSIONAL,
        choices=_TAG_CHOICES,
    ),
    CoinglassEndpoint(
        "hyperliquid_global_long_short_account_ratio_history",
        "/api/hyperliquid/global-long-short-account-ratio/history",
        _global_ratio,
        ("interval",),
        gate=Gate.STANDARD,
        choices={"interval": ("5m", "1h", "1d")},
    ),
)
