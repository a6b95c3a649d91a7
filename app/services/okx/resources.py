"""Every OKX resource this service asks for: path, parameters, parser and how long an answer is good.

No I/O. provider.py and market.py fetch these.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

from app.core.domain.market import DAY_MS, HOUR_MS
from app.core.domain.symbol import Symbol
from app.services.okx import liquidations, parse
from app.services.okx.funding import settled_freshness
from app.services.okx.history import (
    LATE_BAR_RETRY_MS,
    Page,
    days_freshness,
    newest_closed_open_ms,
    page_freshness,
    until_next_hour_ms,
)
from app.services.okx.listings import inst_family, inst_id
from app.services.okx.parse import FundingNow, OpenInterestNow, Rows, TickerFacts
from app.services.transport.cache import Freshness
from app.services.transport.resource import Resource

# A price older than a minute does not count, so an old one must not replace a failed refresh for longer.
_TICKER = Freshness(fresh_ms=1_000, error_ms=30_000)
_SNAPSHOT = Freshness(fresh_ms=10_000, error_ms=120_000)
_FUNDING_NOW = Freshness(fresh_ms=30_000, error_ms=10 * 60_000)
_NEWEST_ORDERS = Freshness(fresh_ms=60_000, error_ms=10 * 60_000)
_PAST = Freshness(fresh_ms=DAY_MS, error_ms=DAY_MS)


@dataclass(frozen=True, slots=True)
class HistoryTable:
    """One hourly history: `bars` closed hours in pages of `page_bars`."""

    endpoint: str
    path: str
    page_bars: int
    bars: int
    parse: Callable[[bytes], Rows]
    page_params: Callable[[Page], Mapping[str, str | int]]

    def resource(self, symbol: Symbol, page: Page) -> Resource[Rows]:
        """The resource of one grid page."""
        return Resource(
            endpoint=self.endpoint,
            path=self.path,
            params={"instId": inst_id(symbol), **self.page_params(page)},
            parse=self.parse,
            freshness=partial(page_freshness, page),
        )


def _candle_params(page: Page) -> Mapping[str, str | int]:
    # `1h` in lower case is refused. `after` means older than, its own stamp excluded.
    return {"bar": "1H", "after": page.end_ms, "limit": parse.CANDLE_ROWS}


def _rubik_params(page: Page) -> Mapping[str, str | int]:
    # One ms off the hour on both sides: the same hundred rows whether OKX includes the bounds or not.
    return {"period": "1H", "begin": page.start_ms - 1, "end": page.end_ms - 1, "limit": parse.PAGE_ROWS}


_RUBIK = "/api/v5/rubik/stat/contracts"
# 30 days to rank in, plus 24 h for the first change and the bar it starts from.
_BARS = 30 * 24 + 25

CANDLES = HistoryTable(
    "market_candles",
    "/api/v5/market/candles",
    parse.CANDLE_ROWS,
    _BARS,
    partial(parse.parse_candles, endpoint="market_candles"),
    _candle_params,
)
OPEN_INTEREST = HistoryTable(
    "rubik_open_interest_history",
    f"{_RUBIK}/open-interest-history",
    parse.PAGE_ROWS,
    _BARS,
    parse.parse_open_interest_rows,
    _rubik_params,
)
ACCOUNT_RATIO = HistoryTable(
    "rubik_account_ratio_contract",
    f"{_RUBIK}/long-short-account-ratio-contract",
    parse.PAGE_ROWS,
    _BARS,
    partial(parse.parse_ratio_rows, endpoint="rubik_account_ratio_contract"),
    _rubik_params,
)
TOP_ACCOUNT_RATIO = HistoryTable(
    "rubik_top_trader_account_ratio",
    f"{_RUBIK}/long-short-account-ratio-contract-top-trader",
    parse.PAGE_ROWS,
    1,
    partial(parse.parse_ratio_rows, endpoint="rubik_top_trader_account_ratio"),
    _rubik_params,
)
TOP_POSITION_RATIO = HistoryTable(
    "rubik_top_trader_position_ratio",
    f"{_RUBIK}/long-short-position-ratio-contract-top-trader",
    parse.PAGE_ROWS,
    _BARS,
    partial(parse.parse_ratio_rows, endpoint="rubik_top_trader_position_ratio"),
    _rubik_params,
)


TAKER_VOLUME = "rubik_taker_volume_contract"
DAYS = "market_history_candles"


def ticker(symbol: Symbol) -> Resource[TickerFacts]:
    instrument = inst_id(symbol)
    return Resource(
        "market_ticker",
        "/api/v5/market/ticker",
        {"instId": instrument},
        partial(parse.parse_ticker, inst_id=instrument),
        lambda _value, _fetched_ms: _TICKER,
    )


def mark_price(symbol: Symbol) -> Resource[tuple[float, int]]:
    instrument = inst_id(symbol)
    return Resource(
        "public_mark_price",
        "/api/v5/public/mark-price",
        {"instType": "SWAP", "instId": instrument},
        partial(parse.parse_mark_price, inst_id=instrument),
        lambda _value, _fetched_ms: _SNAPSHOT,
    )


def open_interest_now(symbol: Symbol) -> Resource[OpenInterestNow]:
    instrument = inst_id(symbol)
    return Resource(
        "public_open_interest",
        "/api/v5/public/open-interest",
        {"instType": "SWAP", "instId": instrument},
        partial(parse.parse_open_interest, inst_id=instrument),
        lambda _value, _fetched_ms: _SNAPSHOT,
    )


def funding_now(symbol: Symbol) -> Resource[FundingNow]:
    instrument = inst_id(symbol)
    return Resource(
        "public_funding_rate",
        "/api/v5/public/funding-rate",
        {"instId": instrument},
        partial(parse.parse_funding_now, inst_id=instrument),
        lambda _value, _fetched_ms: _FUNDING_NOW,
    )


def funding_settled(symbol: Symbol, before_ms: int | None = None) -> Resource[Rows]:
    """The newest hundred settlements, or the hundred before `before_ms` (which never change)."""
    params: dict[str, str | int] = {"instId": inst_id(symbol), "limit": parse.PAGE_ROWS}
    if before_ms is not None:
        params["after"] = before_ms  # `after` means older than
    return Resource(
        "public_funding_rate_history",
        "/api/v5/public/funding-rate-history",
        params,
        parse.parse_funding_settled,
        settled_freshness if before_ms is None else _never_changes,
    )


def _never_changes(_rows: Rows, _fetched_ms: int) -> Freshness:
    return _PAST


def days(symbol: Symbol) -> Resource[Rows]:
    """The newest hundred UTC days (plain 1D would open at Hong Kong midnight)."""
    return Resource(
        DAYS,
        "/api/v5/market/history-candles",
        {"instId": inst_id(symbol), "bar": "1Dutc", "limit": parse.PAGE_ROWS},
        partial(parse.parse_candles, endpoint=DAYS),
        days_freshness,
    )


def taker_volume(symbol: Symbol) -> Resource[Rows]:
    """The last buckets, newest maybe still filling; unit 2 asks for USDT."""
    return Resource(
        TAKER_VOLUME,
        "/api/v5/rubik/stat/taker-volume-contract",
        {"instId": inst_id(symbol), "period": "1H", "unit": 2, "limit": 3},
        parse.parse_taker_rows,
        _taker_freshness,
    )


def _taker_freshness(rows: Rows, fetched_ms: int) -> Freshness:
    is_complete = newest_closed_open_ms(fetched_ms) in rows
    return Freshness(until_next_hour_ms(fetched_ms) if is_complete else LATE_BAR_RETRY_MS, error_ms=HOUR_MS)


def liquidation_orders(symbol: Symbol, after_ms: int | None) -> Resource[tuple[liquidations.Order, ...]]:
    """One page of filled orders: the newest, or those older than `after_ms` (which never change)."""
    params: dict[str, str | int] = {
        "instType": "SWAP",
        "instFamily": inst_family(symbol),
        "state": "filled",
        "limit": parse.PAGE_ROWS,
    }
    freshness = _NEWEST_ORDERS
    if after_ms is not None:
        params["after"] = after_ms
        freshness = _PAST
    return Resource(
        liquidations.ENDPOINT,
        "/api/v5/public/liquidation-orders",
        params,
        partial(liquidations.parse_liquidation_orders, inst_id=inst_id(symbol)),
        lambda _orders, _fetched_ms: freshness,
    )
