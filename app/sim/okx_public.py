"""OKX public data: instruments, mark price, funding and its history, open interest, liquidation orders, time.

Funding is a fraction; open interest comes in contracts, coins and USD. Source: OKX API v5, public endpoints.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from app.sim.market import Coin, MarketSource
from app.sim.okx_wire import (
    DAY_MS,
    EXCHANGE,
    HOUR_MS,
    EventIndex,
    OkxEndpoint,
    base_of,
    contracts,
    data_reply,
    failure,
    inst_id_of,
    liquidation_detail,
    page_rows,
    swap_coin,
)
from app.sim.wire import Call, Reply, dumps, format_rows, plain

_FUNDING_KEPT_MS = 90 * DAY_MS
_LIQUIDATIONS_KEPT_MS = 7 * DAY_MS
_PUBLIC = "/api/v5/public/"
_FIRST_INST_CODE = 10_459
_LISTED_MS = 1_573_557_408_000
_EMPTY_FIELDS = (
    *("alias", "auctionEndTime", "baseCcy", "contTdSwTime", "expTime", "maxMktAmt", "maxPlatOILmt"),
    *("openType", "optType", "posLmtAmt", "posLmtPct", "preMktSwTime", "quoteCcy", "stk"),
)


def _chosen(call: Call) -> tuple[Coin, ...]:
    """Coins selected by instId or instFamily, every swap without either."""
    if call.params.get("instType", "SWAP") != "SWAP":
        return ()
    inst_id = call.params.get("instId") or ""
    family = call.params.get("instFamily") or ""
    if not inst_id and family:
        inst_id = f"{family}-SWAP"
    if not inst_id or inst_id == "ANY":
        return call.market.coins()
    coin = base_of(call.market, inst_id)
    return (coin,) if coin else ()


_Build = Callable[[MarketSource, Coin, int], dict[str, Any] | None]


def _each(build: _Build) -> Callable[[Call], Reply]:
    """A handler that answers one row per chosen swap, leaving out those without data."""

    def handler(call: Call) -> Reply:
        rows = (build(call.market, coin, call.now_ms) for coin in _chosen(call))
        return data_reply(dumps([row for row in rows if row is not None]))

    return handler


def _instrument(market: MarketSource, coin: Coin, now_ms: int) -> dict[str, Any]:
    lot = plain(min(1.0, 0.01 if coin.contract_base < 1 else 0.1), 4)
    row: dict[str, Any] = dict.fromkeys(_EMPTY_FIELDS, "")
    return row | {
        "category": "1",
        "ctMult": "1",
        "ctType": "linear",
        "ctVal": plain(coin.contract_base),
        "ctValCcy": coin.base,
        "futureSettlement": False,
        "instFamily": f"{coin.base}-USDT",
        "instId": inst_id_of(coin),
        "instIdCode": _FIRST_INST_CODE + coin.rank,
        "instType": "SWAP",
        "lever": "100" if coin.rank <= 5 else "50",
        "listTime": str(_LISTED_MS + coin.rank * DAY_MS),
        "lotSz": lot,
        "maxIcebergSz": "100000000.0000000000000000",
        "maxLmtAmt": "20000000",
        "maxLmtSz": "100000000",
        "maxMktSz": "12000",
        "maxStopSz": "12000",
        "maxTriggerSz": "100000000.0000000000000000",
        "maxTwapSz": "100000000.0000000000000000",
        "minSz": lot,
        "ruleType": "normal",
        "settleCcy": "USDT",
        "state": "live",
        "tickSz": plain(coin.tick),
        "tradeQuoteCcyList": [],
        "uly": f"{coin.base}-USDT",
    }


def _mark_prices(call: Call) -> Reply:
    # Recorded folders hold trades, not marks: no data rather than a guess.
    return _each(_mark)(call) if call.is_invented else data_reply(b"[]")


def _mark(market: MarketSource, coin: Coin, now_ms: int) -> dict[str, Any] | None:
    known = market.last_price(coin.base)
    if known is None:
        return None
    return {
        "instType": "SWAP",
        "instId": inst_id_of(coin),
        "markPx": f"{known[0]:.10g}" if known[0] >= 1e-4 else plain(known[0]),
        "ts": str(known[1]),
    }


def funding_row(market: MarketSource, coin: Coin, now_ms: int) -> dict[str, Any] | None:
    """The running period: fundingTime is its settlement, which still lies ahead."""
    current = market.funding_current(coin.base, EXCHANGE)
    if current is None:
        return None
    rate, previous_ms, next_ms = current
    settled = market.funding_settled(coin.base, EXCHANGE, previous_ms - DAY_MS, now_ms + 1)
    last = float(settled.values[-1]) if settled.values.size else None
    return {
        "formulaType": "withRate",
        "fundingRate": f"{rate:.16f}",
        "fundingTime": str(next_ms),
        "impactValue": "20000.0000000000000000",
        "instId": inst_id_of(coin),
        "instType": "SWAP",
        "interestRate": "0.0001000000000000",
        "maxFundingRate": "0.00375",
        "method": "current_period",
        "minFundingRate": "-0.00375",
        "nextFundingRate": "",
        "nextFundingTime": str(2 * next_ms - previous_ms),
        "premium": f"{rate - 0.0001:.16f}",
        "prevFundingTime": str(previous_ms),
        "settFundingRate": f"{last:.16f}" if last is not None else "",
        "settState": "settled",
        "ts": str(now_ms),
    }


def _funding_history(call: Call) -> Reply:
    coin = swap_coin(call)
    settled = call.market.funding_settled(
        coin.base, EXCHANGE, call.now_ms - _FUNDING_KEPT_MS, call.now_ms + 1
    )
    rows = page_rows(call, settled.open_ms, default=100, most=100)
    times, rates = settled.open_ms[rows], settled.values[rows]
    # One template per instrument; the percent fields are filled row by row.
    template = (
        '{"fundingRate":"%.16f","fundingTime":"%d","instId":"'
        + inst_id_of(coin)
        + '","instType":"SWAP","method":"current_period","realizedRate":"%.16f"}'
    )
    return data_reply(format_rows(template, rates, times, rates))


def open_interest_row(market: MarketSource, coin: Coin, now_ms: int) -> dict[str, Any] | None:
    start_ms, end_ms = now_ms - 3 * HOUR_MS, now_ms + 1
    base = market.open_interest(coin.base, EXCHANGE, "base", HOUR_MS, start_ms, end_ms)
    usd = market.open_interest(coin.base, EXCHANGE, "usd", HOUR_MS, start_ms, end_ms)
    if not base.values.size or not usd.values.size:
        return None
    coins = float(base.values[-1])
    return {
        "instId": inst_id_of(coin),
        "instType": "SWAP",
        "oi": plain(contracts(coin, coins)),
        "oiCcy": plain(coins),
        "oiUsd": plain(float(usd.values[-1])),
        "ts": str(now_ms),
    }


def _liquidations(events: EventIndex) -> Callable[[Call], Reply]:
    def handler(call: Call) -> Reply:
        family = call.params.get("instFamily") or call.params.get("uly")
        if not family:
            return failure("50014", "Parameter instFamily can not be empty.", 400)
        coin = base_of(call.market, f"{family}-SWAP")
        if coin is None:
            return failure("51001", "Instrument ID does not exist", 200)
        oldest_ms = call.now_ms - _LIQUIDATIONS_KEPT_MS
        start_ms = max(oldest_ms, int(call.params.get("before") or -1) + 1)
        end_ms = min(int(call.params.get("after") or call.now_ms), call.now_ms)
        limit = min(int(call.params.get("limit") or 100) or 100, 100)
        found = events.newest_first(call.market, coin.base, start_ms, end_ms, limit)
        details = [liquidation_detail(e, coin) | {"time": str(e.ts_ms)} for e in found]
        # No orders: an empty group list, as for every other "no data".
        return data_reply(dumps([_group(coin, details)] if details else []))

    return handler


def _group(coin: Coin, details: list[dict[str, str]]) -> dict[str, Any]:
    family = f"{coin.base}-USDT"
    return {
        "details": details,
        "instFamily": family,
        "instId": inst_id_of(coin),
        "instType": "SWAP",
        "totalLoss": "0",
        "uly": family,
    }


def _time(call: Call) -> Reply:
    return data_reply(dumps([{"ts": str(call.now_ms)}]))


def _row(
    name: str,
    path: str,
    handler: Callable[[Call], Reply],
    required: str,
    limit: tuple[int, str],
    cache_ms: int = 1000,
) -> OkxEndpoint:
    """limit: (calls per 2 s, parameter counted apart)."""
    needed = (required,) if required else ()
    return OkxEndpoint(
        name, _PUBLIC + path, handler, needed, cache_ms, limit_per_2s=limit[0], limit_by=limit[1]
    )


def public_endpoints(events: EventIndex) -> tuple[OkxEndpoint, ...]:
    """The table; liquidation orders share one event index."""
    by_id, by_type = (10, "instId"), (20, "instType")
    orders = _liquidations(events)
    return (
        _row("public_instruments", "instruments", _each(_instrument), "instType", by_type, 60_000),
        _row("public_mark_price", "mark-price", _mark_prices, "instType", by_id),
        _row("public_funding_rate", "funding-rate", _each(funding_row), "instId", by_id),
        _row("public_funding_rate_history", "funding-rate-history", _funding_history, "instId", by_id),
        _row("public_open_interest", "open-interest", _each(open_interest_row), "instType", by_type),
        _row("public_liquidation_orders", "liquidation-orders", orders, "instType", (40, "")),
        _row("public_time", "time", _time, "", (10, ""), 0),
    )
