"""CoinGlass ETF pages: flows, histories, premiums and prices of the funds in `coinglass_etf_funds`.

Six markets share the flow page. A fund without flow on a day has no `flow_usd`.
Source: API v4 pages and observed answers, checked 2026-01.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from app.sim.coin_view import DAY_MS, MINUTE_MS
from app.sim.coinglass_etf_detail import describe_fund, price_rows
from app.sim.coinglass_etf_funds import (
    BITCOIN,
    ETHEREUM,
    HONG_KONG,
    HYPE,
    SOLANA,
    XRP,
    Asset,
    Book,
    open_book,
)
from app.sim.coinglass_etf_lists import bitcoin_list, ethereum_list
from app.sim.coinglass_wire import CoinglassEndpoint, invented
from app.sim.wire import Call, Reply, dumps


def _flow_history(asset: Asset) -> Callable[[Call], object]:
    def build(call: Call) -> object:
        book = open_book(call, asset)
        return [] if book is None else [_flow_row(book, day) for day in range(book.at_ms.size)]

    return build


def _flow_row(book: Book, day: int) -> dict[str, Any]:
    flows: list[dict[str, Any]] = []
    for fund, usd in zip(book.asset.funds, book.flows_usd[:, day].tolist(), strict=True):
        flows.append({"etf_ticker": fund.ticker} | ({"flow_usd": usd} if usd else {}))
    return {
        "timestamp": int(book.at_ms[day]),
        "flow_usd": float(book.flows_usd[:, day].sum()),
        "price_usd": float(book.price[day]),
        "etf_flows": flows,
    }


def _net_assets(asset: Asset) -> Callable[[Call], object]:
    """The change of a day is its net flow, not the gain of the coins held."""

    def build(call: Call) -> object:
        book = open_book(call, asset)
        if book is None:
            return []
        rows = _rows_asked(call, book)
        assets, flows = book.net_assets()[rows].sum(axis=0), book.flows_usd[rows].sum(axis=0)
        columns = (np.round(assets, 2), flows, book.at_ms, book.price)
        keys = ("net_assets_usd", "change_usd", "timestamp", "price_usd")
        return [dict(zip(keys, row, strict=True)) for row in zip(*(c.tolist() for c in columns), strict=True)]

    return build


def _rows_asked(call: Call, book: Book) -> list[int]:
    """The fund of `ticker`, all without one, none for an unknown one."""
    ticker = call.params.get("ticker")
    if not ticker:
        return list(range(len(book.asset.funds)))
    row = book.fund_row(ticker)
    return [] if row is None else [row]


def _aum(call: Call) -> object:
    book = open_book(call, BITCOIN)
    if book is None:
        return []
    rows = _rows_asked(call, book)
    assets = np.round(book.net_assets()[rows].sum(axis=0), 2).tolist()
    pairs = zip(book.at_ms.tolist(), assets, strict=True)
    return [{"time": at, "aum_usd": usd} for at, usd in pairs] if rows else []


def _fund_of(call: Call) -> tuple[Book, int] | None:
    book = open_book(call, BITCOIN)
    row = book.fund_row(call.params["ticker"]) if book else None
    return None if book is None or row is None else (book, row)


def _history(call: Call) -> object:
    found = _fund_of(call)
    if found is None:
        return []
    book, row = found
    fund, nav = book.asset.funds[row], book.nav(row)
    columns = zip(
        book.at_ms.tolist(),
        book.holdings[row].tolist(),
        nav.tolist(),
        book.premium_pct[row].tolist(),
        strict=True,
    )
    return [
        {
            "assets_date": at,
            "btc_holdings": round(held, 4),
            "market_date": at,
            "market_price": round(share * (1 + premium / 100), 2),
            "name": fund.name,
            "nav": round(share, 2),
            "net_assets": round(held / fund.coin_per_share * share, 2),
            "premium_discount": round(premium, 2),
            "shares_outstanding": round(held / fund.coin_per_share),
            "ticker": fund.ticker,
        }
        for at, held, share, premium in columns
    ]


def _premiums(call: Call) -> object:
    book = open_book(call, BITCOIN)
    rows = _rows_asked(call, book) if book else []
    if book is None or not rows:
        return []
    return [
        {"timestamp": int(at), "list": [_premium_row(book, row, day) for row in rows]}
        for day, at in enumerate(book.at_ms)
    ]


def _premium_row(book: Book, row: int, day: int) -> dict[str, Any]:
    nav, premium = float(book.nav(row)[day]), float(book.premium_pct[row, day])
    return {
        "ticker": book.asset.funds[row].ticker,
        "nav_usd": round(nav, 2),
        "market_price_usd": round(nav * (1 + premium / 100), 2),
        "premium_discount_details": round(premium, 2),
    }


def _detail(call: Call) -> object:
    found = _fund_of(call)
    return [] if found is None else describe_fund(call.now_ms, *found)


_PRICE_BARS = {"1d": (MINUTE_MS, DAY_MS), "7d": (5 * MINUTE_MS, 7 * DAY_MS), "all": (DAY_MS, 0)}


def _price(call: Call) -> Reply:
    """The one page whose envelope says `message`."""
    found = _fund_of(call)
    interval_ms, back_ms = _PRICE_BARS[call.params["range"]]
    rows: list[dict[str, Any]] = []
    if found is not None:
        start_ms = call.now_ms - back_ms if back_ms else found[0].asset.first_ms
        rows = price_rows(call, *found, (interval_ms, start_ms, call.now_ms + 1))
    return Reply(200, b'{"code":"0","message":"success","data":' + dumps(rows) + b"}")


def _row(path: str, build: Callable[[Call], object], *required: str) -> CoinglassEndpoint:
    id_ = path.replace("/", "_").replace("-", "_")
    return CoinglassEndpoint(id_, "/api/" + path, invented(build), required, cache_ms=60_000)


ETF_ENDPOINTS: tuple[CoinglassEndpoint, ...] = (
    _row("etf/bitcoin/flow-history", _flow_history(BITCOIN)),
    _row("etf/ethereum/flow-history", _flow_history(ETHEREUM)),
    _row("etf/solana/flow-history", _flow_history(SOLANA)),
    _row("etf/xrp/flow-history", _flow_history(XRP)),
    _row("etf/hype/flow-history", _flow_history(HYPE)),
    _row("hk-etf/bitcoin/flow-history", _flow_history(HONG_KONG)),
    _row("etf/bitcoin/net-assets/history", _net_assets(BITCOIN)),
    _row("etf/ethereum/net-assets/history", _net_assets(ETHEREUM)),
    _row("etf/bitcoin/aum", _aum),
    _row("etf/bitcoin/history", _history, "ticker"),
    _row("etf/bitcoin/premium-discount/history", _premiums),
    _row("etf/bitcoin/list", bitcoin_list),
    _row("etf/ethereum/list", ethereum_list),
    _row("etf/bitcoin/detail", _detail, "ticker"),
    CoinglassEndpoint(
        "etf_bitcoin_price_history",
        "/api/etf/bitcoin/price/history",
        _price,
        ("ticker", "range"),
        cache_ms=60_000,
        choices={"range": tuple(_PRICE_BARS)},
    ),
)
