"""A request that every CoinGlass endpoint accepts, from the parameters its catalogue row lists."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

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


def good_params(row: Mapping[str, Any], *, required_only: bool = True) -> dict[str, str]:
    """Parameters with sensible values; the interval is one that every plan with bars has."""
    params: dict[str, str] = {}
    for param in row["params"]:
        name, choices = param["name"], param.get("enum") or ()
        if required_only and not param.get("required"):
            continue
        value = _VALUES.get(name, "1")
        if name == "symbol":
            value = "BTCUSDT" if param.get("form") == "pair" else "BTC"
        elif name == "interval" and row["plans"] == "bars":
            value = "4h"
        params[name] = choices[0] if choices and value not in choices else value
    return params
