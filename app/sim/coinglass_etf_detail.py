"""One Bitcoin fund in full: identity, session, quote, trade and a year's performance; and its share prices.

Quote and trade times are NANOSECONDS. Identity codes are made up; nothing here belongs to a real filing.
"""

from __future__ import annotations

import json
from typing import Any

import numpy as np

from app.sim.coinglass_etf_funds import Book, Fund
from app.sim.market import Floats
from app.sim.wire import Call, hashed_unit

_YEAR_DAYS = 252
_NS = 1_000_000


def price_rows(call: Call, book: Book, row: int, window: tuple[int, int, int]) -> list[dict[str, Any]]:
    """Share prices as candles; volume in shares."""
    per_share = book.asset.funds[row].coin_per_share
    exchange = call.market.exchanges()[0]
    bars = call.market.candles(book.asset.base, exchange, *window)
    prices = (np.round(c * per_share, 2) for c in (bars.open, bars.high, bars.low, bars.close))
    # A fund trades about a two-hundredth of what the perpetual does.
    columns = (bars.open_ms, *prices, np.rint(bars.volume_base / per_share / 200))
    keys = ("time", "open", "high", "low", "close", "volume")
    return [
        dict(zip(keys, values, strict=True)) for values in zip(*(c.tolist() for c in columns), strict=True)
    ]


def describe_fund(now_ms: int, book: Book, row: int) -> dict[str, Any]:
    fund, share = book.asset.funds[row], book.nav(row)
    price = round(float(share[-1]), 2)
    before = round(float(share[-2 if share.size > 1 else -1]), 2)
    shares = float(book.holdings[row, -1]) / fund.coin_per_share
    return {
        "ticker_info": _identity(now_ms, book.asset.first_ms, fund, shares),
        "market_status": "closed",
        "name": fund.name,
        "ticker": fund.ticker,
        "type": "stocks",
        "session": _session(price, before, float(book.volume_usd[row, -1]) / price),
        "last_quote": {
            "last_updated": now_ms * _NS,
            "timeframe": "REAL-TIME",
            "ask": round(price + 0.01, 2),
            "ask_size": 2,
            "ask_exchange": 11,
            "bid": round(price - 0.01, 2),
            "bid_size": 3,
            "bid_exchange": 11,
        },
        "last_trade": {
            "last_updated": now_ms * _NS,
            "timeframe": "REAL-TIME",
            "id": str(now_ms // 1000),
            "price": price,
            "size": 100,
            "exchange": 12,
            "conditions": [12, 37],
        },
        "performance": _performance(book, row, share),
    }


def _identity(now_ms: int, first_ms: int, fund: Fund, shares: float) -> dict[str, Any]:
    address = {"address1": "1 SIMULATED STREET", "city": "NEW YORK", "state": "NY"}
    return {
        "id": 1 + int(hashed_unit(fund.ticker) * 1000),
        "ticker": fund.ticker,
        "name": fund.name,
        "market": "stocks",
        "region": "us",
        "primary_exchange": fund.venue,
        "fund_type": "ETV",
        "active": "true",
        "currency_name": "usd",
        "cik_code": f"{int(hashed_unit(fund.ticker, 'cik') * 1e6):010d}",
        "composite_figi": f"BBG{int(hashed_unit(fund.ticker, 'figi') * 1e9):09d}",
        "share_class_figi": f"BBG{int(hashed_unit(fund.ticker, 'class') * 1e9):09d}",
        "phone_number": "000-000-0000",
        "tag": "BTC",
        "type2": "Spot",
        "address": {"address_1": json.dumps(address, separators=(",", ":"))},
        "sic_code": "6221",
        "sic_description": "COMMODITY CONTRACTS BROKERS & DEALERS",
        "ticker_root": fund.ticker,
        "list_date": first_ms,
        "share_class_shares_outstanding": f"{shares:.0f}",
        "round_lot": "100",
        "status": 1,
        "update_time": now_ms,
    }


def _session(price: float, before: float, volume: float) -> dict[str, Any]:
    change = round(price - before, 2)
    change_pct = round((price / before - 1) * 100, 3)
    return {
        "change": change,
        "change_percent": change_pct,
        "early_trading_change": change,
        "early_trading_change_percent": change_pct,
        "close": price,
        "high": max(price, before),
        "low": min(price, before),
        "open": before,
        "volume": round(volume),
        "previous_close": before,
        "price": price,
    }


def _performance(book: Book, row: int, share: Floats) -> dict[str, Any]:
    year, dates = share[-_YEAR_DAYS:], book.at_ms[-_YEAR_DAYS:]
    low, high = int(year.argmin()), int(year.argmax())
    new_year = int(
        np.searchsorted(
            dates.astype("datetime64[ms]"), dates[-1:].astype("datetime64[ms]").astype("datetime64[Y]")
        )[0]
    )
    return {
        "low_price_52week": round(float(year[low]), 2),
        "high_price_52week": round(float(year[high]), 2),
        "high_price_52week_date": int(dates[high]),
        "low_price_52week_date": int(dates[low]),
        "ydt_change_percent": round((float(year[-1] / year[new_year]) - 1) * 100, 2),  # (sic)
        "year_change_percent": round((float(year[-1] / year[0]) - 1) * 100, 2),
        "avg_vol_usd_10d": round(float(book.volume_usd[row, -10:].mean()), 2),
    }
