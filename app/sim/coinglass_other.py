"""CoinGlass odds and ends: economic calendar, news, bull-market peak signals, delisted pairs.

Calendar and news are invented texts at fixed hours; the peak signals repeat the indexes and say whether their
threshold is met. Recorded data holds none: then the answers are empty.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from app.sim.coin_view import DAY_MS, HOUR_MS
from app.sim.coinglass_index_days import Days, load_days
from app.sim.coinglass_indexes import ahr999, unrealized
from app.sim.coinglass_plans import Gate
from app.sim.coinglass_wire import CoinglassEndpoint, invented, page_of
from app.sim.made_up import noise
from app.sim.wire import Call

_CALENDAR_MS = 15 * DAY_MS
_ARTICLE_STEP_MS = 2 * HOUR_MS
_ARTICLES_MS = 14 * DAY_MS
# Day of the week from Thursday (0), hour UTC, what, country code and name, level, middle of the figure, unit.
_RELEASES = (
    (0, 12, "Initial jobless claims", "US", "United States", 2, 230.0, "K"),
    (1, 12, "Nonfarm payrolls", "US", "United States", 3, 150.0, "K"),
    (3, 23, "Trade balance", "JP", "Japan", 1, -0.5, "T"),
    (4, 8, "Manufacturing PMI", "EU", "Euro area", 2, 49.5, ""),
    (5, 12, "Consumer price index (YoY)", "US", "United States", 3, 2.9, "%"),
    (6, 7, "Retail sales (MoM)", "UK", "United Kingdom", 1, 0.3, "%"),
    (6, 18, "Interest rate decision", "US", "United States", 3, 4.25, "%"),
)
_EFFECTS = {1: "Minor Impact", 2: "Moderate Impact", 3: "Major Impact"}
_LANGUAGES = ("en", "zh")
_NOTHING_DELISTED = frozenset({"Hyperliquid"})


def _calendar(call: Call) -> object:
    """From 15 days ago to 15 days ahead; a release to come has no published value."""
    earliest, latest = call.now_ms - _CALENDAR_MS, call.now_ms + _CALENDAR_MS
    start_ms = max(int(call.params.get("start_time") or earliest), earliest)
    end_ms = min(int(call.params.get("end_time") or latest), latest)
    rows = []
    for day in range(start_ms // DAY_MS, end_ms // DAY_MS + 1):
        for release in _RELEASES:
            at_ms = day * DAY_MS + release[1] * HOUR_MS
            if release[0] == day % 7 and start_ms <= at_ms <= end_ms:
                rows.append(_release(call.now_ms, at_ms, release))
    return rows


def _release(now_ms: int, at_ms: int, release: tuple[Any, ...]) -> dict[str, Any]:
    _, _, what, code, country, level, middle, unit = release
    week = at_ms // (7 * DAY_MS)
    drawn = middle + abs(middle) * 0.1 * (noise(what, np.array([week - 1, week, -week])) - 0.5)
    before, actual, expected = (f"{value:.1f}{unit}" for value in drawn.tolist())
    return {
        "calendar_name": what,
        "country_code": code,
        "country_name": country,
        "data_effect": _EFFECTS[level],
        "forecast_value": expected,
        "revised_previous_value": "",
        "previous_value": before,
        "publish_timestamp": at_ms,
        "published_value": actual if at_ms <= now_ms else "",
        "importance_level": level,
        "has_exact_publish_time": 1,
    }


def _articles(call: Call) -> object:
    """One every two hours, newest first, about what the market really did in the day before."""
    earliest = call.now_ms - _ARTICLES_MS
    start_ms = max(int(call.params.get("start_time") or earliest), earliest)
    end_ms = min(int(call.params.get("end_time") or call.now_ms), call.now_ms)
    first = -(-start_ms // _ARTICLE_STEP_MS)
    numbers = range(end_ms // _ARTICLE_STEP_MS, first - 1, -1)
    return [_article(call, number) for number in page_of(call, numbers, default=20)]


def _article(call: Call, number: int) -> dict[str, Any]:
    coins, at_ms = call.market.coins(), number * _ARTICLE_STEP_MS
    coin = coins[number % min(len(coins), 12)]
    exchange = call.market.exchanges()[0]
    bars = call.market.candles(coin.base, exchange, HOUR_MS, at_ms - DAY_MS, at_ms)
    change_pct = (float(bars.close[-1] / bars.open[0]) - 1) * 100 if bars.close.size else 0.0
    title = f"{coin.name} {'gains' if change_pct >= 0 else 'loses'} {abs(change_pct):.1f}% in a day"
    return {
        "article_picture": f"https://example.com/news/{number}.jpg",
        "article_title": title,
        "article_content": f"<p>{title}, according to the simulated market.</p>",
        "source_name": "SIMULATED NEWS",
        "source_website_logo": "https://example.com/news/logo.png",
        "article_release_time": at_ms,
        "article_description": f"<p>{title}.</p>",
    }


def _peak_signals(call: Call) -> object:
    """Values and thresholds as text; a signal is hit when the comparison holds."""
    days = load_days(call)
    if days is None:
        return []
    ahr, puell, profit = ahr999(days), days.price / days.mean(365), 100 * unrealized(days)
    dominance = 100 * days.bitcoin_cap() / (days.bitcoin_cap() + days.altcoin_cap())
    pi_gap = days.mean(111) / (2 * days.mean(350))
    rows = (
        ("Bitcoin Ahr999 Index", ahr, 4.0, ">="),
        ("Pi Cycle Top Indicator", pi_gap, 1.0, ">="),
        ("Puell Multiple", puell, 2.2, ">="),
        ("Bitcoin Net Unrealized PnL (NUPL)", profit, 70.0, ">="),
        ("Altcoin Season Index", days.altcoin_season(), 75.0, ">="),
        ("Bitcoin Dominance", dominance, 40.0, "<="),
        ("Bitcoin 2-Year MA Multiplier", days.price / (5 * days.mean(730)), 1.0, ">="),
    )
    return [_signal(days, *row) for row in rows]


def _signal(days: Days, name: str, values: Any, target: float, comparison: str) -> dict[str, Any]:
    now, before = float(values[-1]), float(values[-2 if days.price.size > 1 else -1])
    return {
        "indicator_name": name,
        "current_value": f"{now:.4g}",
        "target_value": f"{target:g}",
        "previous_value": f"{before:.4g}",
        "change_value": f"{now - before:.6f}",
        "comparison_type": comparison,
        "hit_status": now >= target if comparison == ">=" else now <= target,
    }


def _delisted(call: Call) -> object:
    """Quarterly contracts that have run out."""
    quarters = ("240329", "240628", "240927", "241227")
    return {
        name: [
            {"instrument_id": f"{base}USD_{end}", "base_asset": base, "quote_asset": "USD"}
            for base in ("BTC", "ETH")
            for end in quarters
        ]
        for name in call.market.exchanges()
        if name not in _NOTHING_DELISTED
    }


OTHER_ENDPOINTS: tuple[CoinglassEndpoint, ...] = (
    CoinglassEndpoint(
        "calendar_economic_data",
        "/api/calendar/economic-data",
        invented(_calendar),
        cache_ms=60_000,
        gate=Gate.STARTUP,
        choices={"language": _LANGUAGES},
    ),
    CoinglassEndpoint(
        "article_list",
        "/api/article/list",
        invented(_articles),
        cache_ms=30_000,
        gate=Gate.STARTUP,
        choices={"language": (*_LANGUAGES, "zh-tw")},
    ),
    CoinglassEndpoint(
        "bull_market_peak_indicator",
        "/api/bull-market-peak-indicator",
        invented(_peak_signals),
        cache_ms=60_000,
    ),
    CoinglassEndpoint(
        "futures_delisted_exchange_pairs",
        "/api/futures/delisted-exchange-pairs",
        invented(_delisted),
        cache_ms=60_000,
    ),
)
