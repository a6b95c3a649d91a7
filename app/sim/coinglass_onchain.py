"""CoinGlass exchange reserves and transfers on chain: wallets, balances, flows, single transfers.

A balance is a slow made-up curve over days, so lists, charts and changes agree. Two pages stamp transfers in
SECONDS. Recorded data holds no chain: then the answers are empty. Source: API v4 pages, checked 2026-01.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from app.sim.coin_view import DAY_MS, HOUR_MS, MINUTE_MS
from app.sim.coinglass_index_days import load_days
from app.sim.coinglass_plans import Gate
from app.sim.coinglass_wire import CoinglassEndpoint, invented, page_of
from app.sim.listings import find_coin
from app.sim.made_up import curve, noise
from app.sim.market import Coin, Floats, Int64s
from app.sim.wire import Call, hashed_unit, plain

_RESERVE_FRAC = 0.12  # of all coins lie on exchanges
_WALLETS = 3
_CHAINS = {"BTC": "bitcoin", "SOL": "solana", "XRP": "ripple", "TRX": "tron", "DOGE": "dogecoin"}
_TRANSFER_SLOT_MS = 5 * MINUTE_MS
_WHALE_HISTORY_MS = 2 * DAY_MS
_MAX_PAGE = 100
_TOKENS = (("USDT", 1.0), ("USDC", 1.0), ("LINK", None), ("UNI", None), ("AAVE", None), ("SHIB", None))


def _balance(call: Call, coin: Coin, exchange: str, days: Int64s) -> Floats:
    """Coins on one exchange at the end of each day (since 1970)."""
    size = 0.3 + hashed_unit(exchange, coin.base, "reserve")
    share = _RESERVE_FRAC * size / len(call.market.exchanges())
    return np.round(curve(f"{exchange} {coin.base} reserve", days, 0.85, 1.0) * share * coin.circulating, 6)


def _price(call: Call, coin: Coin) -> float:
    known = call.market.last_price(coin.base)
    return known[0] if known else 0.0


def _assets(call: Call) -> object:
    exchange = call.params["exchange"]
    if exchange not in call.market.exchanges():
        return []
    today = np.array([call.now_ms // DAY_MS])
    rows: list[dict[str, Any]] = []
    for coin in call.market.coins():
        price, held = _price(call, coin), float(_balance(call, coin, exchange, today)[0])
        for index in range(_WALLETS):
            part = held * (0.6, 0.3, 0.1)[index]
            rows.append(
                {
                    "wallet_address": _address(exchange, coin.base, index),
                    "balance": round(part, 6),
                    "balance_usd": round(part * price, 2),
                    "symbol": coin.base,
                    "assets_name": coin.name,
                    "price": price,
                }
            )
    rows.sort(key=lambda row: -float(row["balance_usd"]))
    return page_of(call, rows)


def _address(*parts: object) -> str:
    """Forty hex digits that always belong to the same name."""
    return "0x" + "".join(f"{int(hashed_unit(*parts, i) * 2**32):08x}" for i in range(5))


def _balance_list(call: Call) -> object:
    coin = find_coin(call.market, call.params["symbol"])
    if coin is None:
        return []
    backs = {"1d": 1, "7d": 7, "30d": 30}
    days = call.now_ms // DAY_MS - np.array([0, *backs.values()])
    rows = []
    for exchange in call.market.exchanges():
        now, *before = _balance(call, coin, exchange, days).tolist()
        row: dict[str, Any] = {"exchange_name": exchange, "total_balance": now}
        for name, then in zip(backs, before, strict=True):
            row[f"balance_change_{name}"] = round(now - then, 6)
            row[f"balance_change_percent_{name}"] = round((now / then - 1) * 100, 2)
        rows.append(row)
    return rows


def _balance_chart(call: Call) -> object:
    """A list of one object."""
    coin = find_coin(call.market, call.params["symbol"])
    days = load_days(call, coin.base) if coin else None
    if coin is None or days is None:
        return []
    numbers = days.at_ms // DAY_MS
    return [
        {
            "time_list": days.at_ms.tolist(),
            "price_list": days.price.tolist(),
            "data_map": {
                name: _balance(call, coin, name, numbers).tolist() for name in call.market.exchanges()
            },
        }
    ]


def _transparency(call: Call) -> object:
    """All coins of each exchange at today's prices; inflow is what the balance change needed."""
    days = call.now_ms // DAY_MS - np.array([0, 1, 7])
    rows = []
    for exchange in call.market.exchanges():
        worth = np.zeros(3)
        held = traded = 0.0
        for coin in call.market.coins():
            worth += _balance(call, coin, exchange, days) * _price(call, coin)
            window = (HOUR_MS, call.now_ms - DAY_MS, call.now_ms + 1)
            level = call.market.open_interest(coin.base, exchange, "usd", *window)
            bars = call.market.candles(coin.base, exchange, *window)
            held += float(level.values[-1]) if level.values.size else 0.0
            traded += float((bars.volume_base * bars.close).sum())
        now, day, week = worth.tolist()
        rows.append(
            {
                "exchange_name": exchange,
                "exchange_logo_url": f"https://example.com/exchanges/{exchange.lower()}.png",
                "balance_usd": round(now, 2),
                "balance_change_usd_24h": round(now - day, 2),
                "balance_change_usd_7d": round(now - week, 2),
                "inflow_usd_24h": round(now - day, 2),
                "inflow_usd_7d": round(now - week, 2),
                "open_interest": round(held, 2),
                "average_leverage": round(held / now, 4),
                "volume_usd": round(traded, 2),
            }
        )
    return rows


def _slots(call: Call, back_ms: int) -> list[int]:
    """Moments of made-up transfers in the window asked for, newest first."""
    oldest_ms = call.now_ms - back_ms
    start_ms = max(int(call.params.get("start_time") or oldest_ms), oldest_ms)
    end_ms = min(int(call.params.get("end_time") or call.now_ms), call.now_ms)
    first = -(-start_ms // _TRANSFER_SLOT_MS)
    return [slot * _TRANSFER_SLOT_MS for slot in range(end_ms // _TRANSFER_SLOT_MS, first - 1, -1)]


def _whale_transfers(call: Call) -> object:
    """Ten million USD or more; amounts are text."""
    coins = call.market.coins()[:10]
    rows = []
    for at_ms in _slots(call, _WHALE_HISTORY_MS):
        draw = noise("whale transfer", at_ms // _TRANSFER_SLOT_MS + 10_000_000 * np.arange(4)).tolist()
        coin = coins[int(draw[0] * len(coins))]
        price = _price(call, coin)
        if call.params.get("symbol") not in (None, "", coin.base) or not price:
            continue
        usd = 1e7 * (1 + 30 * draw[1] ** 4)
        places = (*call.market.exchanges(), "unknown wallet")
        rows.append(
            {
                "transaction_hash": _address("whale", at_ms) + _address("whale tail", at_ms)[2:26],
                "amount_usd": plain(usd, 6),
                "asset_quantity": plain(usd / price, 8),
                "asset_symbol": coin.base,
                "from": places[int(draw[2] * len(places))],
                "to": places[int(draw[3] * len(places))],
                "blockchain_name": _CHAINS.get(coin.base, "ethereum"),
                "block_height": at_ms // 12_000 - 120_000_000,
                "block_timestamp": at_ms // 1000,
            }
        )
    return rows


def _transfers(call: Call) -> object:
    """ERC-20 transfers to (1), from (2) and inside (3) exchanges."""
    rows = (_transfer(call, at_ms) for at_ms in _slots(call, DAY_MS))
    least, symbol = float(call.params.get("min_usd") or 0), call.params.get("symbol") or ""
    kept = [row for row in rows if row["amount_usd"] >= least and symbol in ("", row["asset_symbol"])]
    return page_of(call, kept, default=10, most=_MAX_PAGE)


def _transfer(call: Call, at_ms: int) -> dict[str, Any]:
    draw = noise("token transfer", at_ms // _TRANSFER_SLOT_MS + 10_000_000 * np.arange(4)).tolist()
    token, price = _TOKENS[int(draw[0] * len(_TOKENS))]
    if price is None:
        known = call.market.last_price(token)
        price = known[0] if known else 1.0
    usd = round(1000 * (1 + 5000 * draw[1] ** 4), 2)
    exchange = call.market.exchanges()[int(draw[2] * len(call.market.exchanges()))]
    kind, own, other = 1 + int(draw[3] * 3), _address(exchange, token), _address("owner", at_ms)
    ends = {1: (other, own), 2: (own, other), 3: (own, _address(exchange, token, "cold"))}[kind]
    return {
        "transaction_hash": _address("token", at_ms) + _address("token tail", at_ms)[2:26],
        "asset_symbol": token,
        "amount_usd": usd,
        "asset_quantity": round(usd / price, 6),
        "exchange_name": exchange,
        "transfer_type": kind,
        "from_address": ends[0],
        "to_address": ends[1],
        "transaction_time": at_ms // 1000,
    }


def _row(
    path: str, build: Callable[[Call], object], *required: str, gate: Gate = Gate.ALL, cache_ms: int = 60_000
) -> CoinglassEndpoint:
    id_ = path.replace("/", "_").replace("-", "_")
    return CoinglassEndpoint(id_, "/api/" + path, invented(build), required, cache_ms, gate=gate)


CHAIN_ENDPOINTS: tuple[CoinglassEndpoint, ...] = (
    _row("exchange/assets", _assets, "exchange"),
    _row("exchange/balance/list", _balance_list, "symbol"),
    _row("exchange/balance/chart", _balance_chart, "symbol"),
    _row("exchange_assets_transparency/list", _transparency, gate=Gate.STARTUP),
    _row("chain/v2/whale-transfer", _whale_transfers, gate=Gate.STARTUP, cache_ms=5000),
    _row("exchange/chain/tx/list", _transfers, cache_ms=5000),
)
