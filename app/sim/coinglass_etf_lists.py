"""CoinGlass lists of Bitcoin and Ethereum funds: today's figures of every fund. Called by `coinglass_etf`.

Both show the same figures under keys of their own, several of them as text.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from app.sim.coin_view import DAY_MS
from app.sim.coinglass_etf_funds import BITCOIN, ETHEREUM, Book, open_book
from app.sim.wire import Call


def _figures(call: Call, book: Book, row: int) -> dict[str, Any]:
    """What both lists show of a fund; text where they send text."""
    fund, held = book.asset.funds[row], book.holdings[row]
    share, volume_usd = float(book.nav(row)[-1]), float(book.volume_usd[row, -1])
    before = float(book.nav(row)[-2]) if book.price.size > 1 else share
    return {
        "ticker": fund.ticker,
        "region": "us",
        "market_status": "open" if int(book.at_ms[-1]) // DAY_MS == call.now_ms // DAY_MS else "closed",
        "primary_exchange": fund.venue,
        "cik_code": f"{1_800_000 + 7919 * row:010d}",
        "list_date": book.asset.first_ms,
        "shares_outstanding": f"{held[-1] / fund.coin_per_share:.0f}",
        "management_fee_percent": f"{fund.fee_pct:g}",
        "last_trade_time": call.now_ms // 1000 * 1000,
        "last_quote_time": call.now_ms // 1000 * 1000,
        "volume_quantity": round(volume_usd / share),
        "volume_usd": round(volume_usd, 4),
        "price_change_percent": round((share / before - 1) * 100, 2),
    }


def _changes(book: Book, row: int) -> tuple[float, float, float, float, float]:
    """(coins held, change in a day, percent, change in a week, percent)."""
    held = book.holdings[row]
    now, day, week = (float(held[-min(back, held.size)]) for back in (1, 2, 6))
    return now, now - day, (now / day - 1) * 100, now - week, (now / week - 1) * 100


def _date_text(at_ms: int) -> str:
    return datetime.fromtimestamp(at_ms / 1000, UTC).strftime("%Y-%m-%d")


def bitcoin_list(call: Call) -> object:
    """Every Bitcoin fund today."""
    book = open_book(call, BITCOIN)
    return [] if book is None else [_bitcoin_row(call, book, row) for row in range(len(BITCOIN.funds))]


def _bitcoin_row(call: Call, book: Book, row: int) -> dict[str, Any]:
    held, day, day_pct, week, week_pct = _changes(book, row)
    fund, share = book.asset.funds[row], float(book.nav(row)[-1])
    figures = _figures(call, book, row)
    return figures | {
        "fund_name": fund.name,
        "fund_type": "Spot",
        "aum_usd": f"{book.net_assets()[row, -1]:.2f}",
        "price_change_usd": round(share - share / (1 + figures["price_change_percent"] / 100), 2),
        "asset_details": {
            "net_asset_value_usd": round(share, 2),
            "premium_discount_percent": round(float(book.premium_pct[row, -1]), 2),
            "btc_holding": round(held, 4),
            "btc_change_percent_24h": round(day_pct, 2),
            "btc_change_24h": round(day, 4),
            "btc_change_percent_7d": round(week_pct, 2),
            "btc_change_7d": round(week, 4),
            "update_date": _date_text(int(book.at_ms[-1])),
        },
        "update_timestamp": call.now_ms,
    }


def ethereum_list(call: Call) -> object:
    """Live rows carry the keys of the Bitcoin list beside the documented ones."""
    book = open_book(call, ETHEREUM)
    return [] if book is None else [_ethereum_row(call, book, row) for row in range(len(ETHEREUM.funds))]


def _ethereum_row(call: Call, book: Book, row: int) -> dict[str, Any]:
    held, day, day_pct, week, week_pct = _changes(book, row)
    like_bitcoin = _bitcoin_row(call, book, row)
    share = float(book.nav(row)[-1])
    return like_bitcoin | {
        "name": like_bitcoin["fund_name"],
        "type": like_bitcoin["fund_type"],
        "market_cap": like_bitcoin["aum_usd"],
        "aum": like_bitcoin["aum_usd"],
        "price": round(share, 2),
        "price_change": like_bitcoin["price_change_usd"],
        "asset_info": {
            "nav": round(share, 2),
            "premium_discount": round(float(book.premium_pct[row, -1]), 2),
            "holding_quantity": round(held, 4),
            "change_percent_1d": round(day_pct, 2),
            "change_quantity_1d": round(day, 4),
            "change_percent_7d": round(week_pct, 2),
            "change_quantity_7d": round(week, 4),
            "date": _date_text(int(book.at_ms[-1])),
        },
        "update_time": call.now_ms,
    }
