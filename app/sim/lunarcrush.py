"""LunarCrush v4, simulated: one coin, the coins list, a coin's time series, one topic.

Galaxy scores come from the market; the other social figures are derived from them, the same for an hour.
Times are in seconds. A symbol filter on the list is ignored, as by the real one. Source: LunarCrush API v4.
"""

from __future__ import annotations

from typing import Any

from app.sim.coin_view import DAY_MS, HOUR_MS, change_pct, rounded
from app.sim.listings import find_coin
from app.sim.market import CandleColumns, Coin
from app.sim.quotas import FixedWindows
from app.sim.wire import BAD_KEY, Call, Endpoint, Reply, hashed_unit, json_reply

_INTERVALS_MS = {
    "1d": DAY_MS,
    "1w": 7 * DAY_MS,
    "1m": 30 * DAY_MS,
    "3m": 90 * DAY_MS,
    "6m": 180 * DAY_MS,
    "1y": 365 * DAY_MS,
    "all": 3650 * DAY_MS,
}
_BUCKETS_MS = {"hour": HOUR_MS, "day": DAY_MS}
# Share of all interactions per network.
_NETWORKS = {
    "tweet": 0.8,
    "news": 0.003,
    "reddit-post": 0.002,
    "tiktok-video": 0.08,
    "youtube-video": 0.115,
}


class LunarcrushServer:
    """The REST side below `/lunarcrush`."""

    name = "lunarcrush"

    def __init__(self, quota: FixedWindows, per_minute: int) -> None:
        self._quota = quota
        self._per_minute = per_minute
        root = "/api4/public/"
        self.endpoints = (
            Endpoint("coins_list", root + "coins/list/v1", _list, cache_ms=30_000),
            Endpoint("coins_coin", root + "coins/{coin}/v1", _coin, cache_ms=30_000),
            Endpoint("coins_time_series", root + "coins/{coin}/time-series/v2", _series),
            Endpoint("topic", root + "topic/{topic}/v1", _topic, cache_ms=30_000),
        )

    def admit(self, call: Call, endpoint: Endpoint) -> Reply | None:
        scheme, _, key = call.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not key or key == BAD_KEY:
            return json_reply({"error": "Unauthorized"}, 401)
        if not self._quota.take(key, self._per_minute):
            return json_reply({"error": "Rate limit exceeded"}, 429)
        return None

    def headers(self, call: Call) -> tuple[tuple[str, str], ...]:
        return ()

    def unknown(self, call: Call) -> Reply:
        return json_reply({"error": "Invalid endpoint (2)"}, 404)

    def refuse(self, code: str, message: str) -> Reply:
        return json_reply({"error": message})


def _find(call: Call, text: str) -> Coin | None:
    """A coin by numeric id (its rank) or symbol."""
    if text.isdigit():
        return next((coin for coin in call.market.coins() if coin.rank == int(text)), None)
    return find_coin(call.market, text.upper())


def _galaxy(call: Call, coin: Coin, back_ms: int = 0) -> float | None:
    """The galaxy score of the hour `back_ms` ago."""
    end_ms = call.now_ms - back_ms + 1
    columns = call.market.galaxy_score(coin.base, HOUR_MS, end_ms - 3 * HOUR_MS, end_ms)
    return round(float(columns.values[-1]), 1) if columns.values.size else None


def _social(coin: Coin, galaxy: float, at_ms: int) -> dict[str, Any]:
    """Social figures that move with the galaxy score; sentiment sits around 75, not 50."""
    jitter = hashed_unit(coin.base, at_ms // HOUR_MS)
    reach = 1e8 / coin.rank**1.3
    return {
        "alt_rank": max(1, round((100 - galaxy) * 12 * (0.8 + 0.4 * jitter))),
        "sentiment": round(min(98.0, 62 + galaxy / 4 + 6 * jitter)),
        "social_dominance": round(18 / coin.rank**1.1 * (0.8 + 0.4 * jitter), 4),
        "interactions": round(reach * (0.5 + galaxy / 100) * (0.8 + 0.4 * jitter)),
        "posts": round(reach / 1000 * (0.5 + galaxy / 100)),
    }


def _hours(call: Call, coin: Coin, back_ms: int) -> CandleColumns:
    exchange = call.market.exchanges()[0]
    return call.market.candles(coin.base, exchange, HOUR_MS, call.now_ms - back_ms, call.now_ms + 1)


def _price_fields(call: Call, coin: Coin) -> dict[str, Any] | None:
    known, bitcoin = call.market.last_price(coin.base), call.market.last_price("BTC")
    if known is None or bitcoin is None:
        return None
    bars = _hours(call, coin, 31 * DAY_MS)
    price = known[0]
    changes = {
        f"percent_change_{name}": rounded(change_pct(bars.open_ms, bars.close, call.now_ms - back), 6)
        for name, back in (("1h", 2 * HOUR_MS), ("24h", DAY_MS), ("7d", 7 * DAY_MS), ("30d", 30 * DAY_MS))
    }
    day = bars.open_ms >= call.now_ms - DAY_MS
    volume_usd = float((bars.volume_base * bars.close)[day].sum())
    swing = float(bars.close[day].std() / price) if day.any() else None
    return changes | {
        "price": price,
        "price_btc": price / bitcoin[0],
        "market_cap": round(price * coin.circulating, 2),
        "volume_24h": round(volume_usd, 2),
        "circulating_supply": coin.circulating,
        "max_supply": None,
        "volatility": rounded(swing, 4),
        "market_cap_rank": coin.rank,
    }


def _coin(call: Call) -> Reply:
    coin = _find(call, call.args["coin"])
    galaxy = _galaxy(call, coin) if coin else None
    prices = _price_fields(call, coin) if coin else None
    if coin is None or galaxy is None or prices is None:
        return json_reply({"error": "Coin not found"})
    prices.pop("percent_change_1h")
    return json_reply(
        {
            "config": _config(call, coin, f"coins:{coin.rank}"),
            "data": {
                "id": coin.rank,
                "name": coin.name,
                "symbol": coin.base,
                **prices,
                "close": prices["price"],
                "galaxy_score": galaxy,
                "alt_rank": _social(coin, galaxy, call.now_ms)["alt_rank"],
            },
        }
    )


def _config(call: Call, coin: Coin, name: str) -> dict[str, Any]:
    return {
        "id": name,
        "name": coin.name,
        "symbol": coin.base,
        "topic": coin.name.lower(),
        "generated": call.now_ms // 1000,
    }


def _list(call: Call) -> Reply:
    rows = [row for row in (_list_row(call, coin) for coin in call.market.coins()) if row is not None]
    size, page = _number(call, "limit"), _number(call, "page")
    shown = rows[page * size : (page + 1) * size] if size else rows
    config = {
        "sort": call.params.get("sort", "market_cap_rank"),
        "desc": "desc" in call.params,
        "limit": size,
        "page": page,
        "total_rows": len(rows),
        "generated": call.now_ms // 1000,
    }
    return json_reply({"config": config, "data": shown})


def _number(call: Call, name: str) -> int:
    text = call.params.get(name, "")
    return int(text) if text.isdigit() else 0


def _list_row(call: Call, coin: Coin) -> dict[str, Any] | None:
    galaxy, prices = _galaxy(call, coin), _price_fields(call, coin)
    if galaxy is None or prices is None:
        return None
    before = _galaxy(call, coin, DAY_MS)
    now = _social(coin, galaxy, call.now_ms)
    dominance = 50 / coin.rank**1.2
    return {
        "id": coin.rank,
        "symbol": coin.base,
        "name": coin.name,
        **prices,
        "interactions_24h": now["interactions"],
        "social_volume_24h": now["posts"],
        "social_dominance": now["social_dominance"],
        "market_dominance": dominance,
        "market_dominance_prev": dominance,
        "galaxy_score": galaxy,
        "galaxy_score_previous": before,
        "alt_rank": now["alt_rank"],
        "alt_rank_previous": _social(coin, before or galaxy, call.now_ms - DAY_MS)["alt_rank"],
        "sentiment": now["sentiment"],
        "categories": "simulated",
        "blockchains": [],
        "last_updated_price": call.now_ms // 1000,
        "last_updated_price_by": "simulator",
        "topic": f"{coin.base.lower()} {coin.name.lower()}",
        "logo": f"https://example.invalid/{coin.base.lower()}.png",
    }


def _series(call: Call) -> Reply:
    coin = _find(call, call.args["coin"])
    if coin is None:
        return json_reply({"error": "Coin not found"})
    bucket, interval = call.params.get("bucket", "hour"), call.params.get("interval", "1w")
    step_ms = _BUCKETS_MS.get(bucket, HOUR_MS)
    end_ms = min(_number(call, "end") * 1000 or call.now_ms, call.now_ms) + 1
    start_ms = _number(call, "start") * 1000 or end_ms - _INTERVALS_MS.get(interval, 7 * DAY_MS)
    galaxy = call.market.galaxy_score(coin.base, step_ms, start_ms, end_ms)
    exchange = call.market.exchanges()[0]
    bars = call.market.candles(coin.base, exchange, step_ms, start_ms, end_ms)
    closes = dict(zip(bars.open_ms.tolist(), bars.close.tolist(), strict=True))
    rows = zip(galaxy.open_ms.tolist(), galaxy.values.tolist(), strict=True)
    config = {"id": coin.rank, "bucket": bucket, "interval": interval}
    return json_reply({"config": config, "data": [_series_row(coin, at, v, closes) for at, v in rows]})


def _series_row(coin: Coin, at_ms: int, galaxy: float, closes: dict[int, float]) -> dict[str, Any]:
    social = _social(coin, galaxy, at_ms)
    social.pop("posts")
    return {
        "time": at_ms // 1000,
        "galaxy_score": round(galaxy, 1),
        **social,
        "close": closes.get(at_ms),
    }


def _topic(call: Call) -> Reply:
    text = call.args["topic"].lower()
    wanted = text.removeprefix("coins:")
    coin = next(
        (c for c in call.market.coins() if wanted in (c.name.lower(), str(c.rank), c.base.lower())), None
    )
    galaxy = _galaxy(call, coin) if coin else None
    if coin is None or galaxy is None:
        return json_reply({"error": "Topic not found"})
    now = _social(coin, galaxy, call.now_ms)
    reach = {name: round(now["interactions"] * share) for name, share in _NETWORKS.items()}
    moods = {name: now["sentiment"] - 3 + round(6 * hashed_unit(name, coin.base)) for name in _NETWORKS}
    data = {
        "topic": coin.name.lower(),
        "title": coin.name,
        "topic_rank": coin.rank * 10,
        "related_topics": ["coins layer 1"],
        "types_count": {name: count // 300 + 1 for name, count in reach.items()},
        "types_interactions": reach,
        "types_sentiment": moods,
        "types_sentiment_detail": {name: _mood(reach[name], moods[name]) for name in _NETWORKS},
        "interactions_24h": sum(reach.values()),
        "num_contributors": now["posts"] // 4 + 1,
        "num_posts": now["posts"],
        "categories": ["Cryptocurrencies"],
        "trend": "up" if galaxy > 55 else "down" if galaxy < 45 else "flat",
    }
    return json_reply({"config": _config(call, coin, coin.name.lower()), "data": data})


def _mood(reach: int, positive_pct: int) -> dict[str, int]:
    positive = reach * (positive_pct - 20) // 100
    return {"positive": positive, "neutral": reach // 5, "negative": max(0, reach - positive - reach // 5)}
