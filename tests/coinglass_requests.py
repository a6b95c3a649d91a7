"""A request that every CoinGlass endpoint accepts, from the parameters its catalogue row lists."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

_FILE = Path(__file__).parents[1] / "app" / "coinglass_endpoints.json"

_VALUES = {
    "exchange": "Binance",
    "exchange_list": "Binance,OKX",
    "interval": "1h",
    "limit": "5",
    "range": "24h",
    "unit": "usd",
    "ticker": "GBTC",
    "usd": "10000",
    "min_liquidation_amount": "10000",
    "user_address": "0xa5b0edf6b55128e0ddae8e51ac538c3188401d41",
    "start_time": "1749500000000",
    "end_time": "1749637000000",
    "state": "1",
    "wallet_tag": "Whale",
}


def read_rows() -> list[dict[str, Any]]:
    """Every row of the catalogue, as written."""
    rows: list[dict[str, Any]] = json.loads(_FILE.read_text(encoding="utf-8"))
    return rows


def good_params(row: Mapping[str, Any], *, required_only: bool = True) -> dict[str, str]:
    """Parameters with sensible values; the interval is one that every plan with bars has."""
    params: dict[str, str] = {}
    for param in row["params"]:
        name, choices = param["name"], param.get("enum") or ()
        if required_only and not param.get("required"):
            continue
        value = _VALUES.get(name, "1")
        if name == "symbol":
            # Bitcoin was never vested; every other page has it.
            coin = "SOL" if row["id"] == "coin_vesting" else "BTC"
            value = f"{coin}USDT" if param.get("form") == "pair" else coin
        elif name == "unit" and not choices:
            value = "USD"  # options: this, or the coin
        elif name == "interval" and row["plans"] == "bars":
            value = "4h"
        params[name] = choices[0] if choices and value not in choices else value
    return params
