"""Parameters that make each CoinGlass endpoint of the simulator answer with figures."""

from __future__ import annotations

from app.sim.coinglass_hyperliquid import wallet_address
from app.sim.coinglass_wire import CoinglassEndpoint

NOW_MS = 1_749_637_230_000
_VALUES = {
    "exchange": "Binance",
    "exchange_list": "Binance,OKX",
    "interval": "1h",
    "limit": "5",
    "range": "24h",
    "usd": "10000",
    "min_liquidation_amount": "1000",
    "start_time": str(NOW_MS - 3 * 86_400_000),
    "end_time": str(NOW_MS),
    "ticker": "GBTC",
    "state": "2",
    "unit": "USD",
    "user_address": wallet_address("BTC", 0),
}
_OTHER = {"option_max_pain": {"exchange": "Deribit"}, "coin_vesting": {"symbol": "HYPE"}}


def ask(endpoint: CoinglassEndpoint) -> dict[str, str]:
    """Every required parameter, a closed set answered by its first value unless the usual one is in it."""
    params = {"limit": "5"}
    for name in endpoint.required:
        allowed = endpoint.choices.get(name, ())
        usual = _VALUES.get(name, "")
        params[name] = usual if usual in allowed or not allowed else allowed[0]
    if "symbol" in endpoint.required:
        params["symbol"] = "BTCUSDT" if takes_pair(endpoint) else "BTC"
    return params | _OTHER.get(endpoint.id, {})


def takes_pair(endpoint: CoinglassEndpoint) -> bool:
    """Whether `symbol` is a pair of `exchange`."""
    if endpoint.id == "borrow_interest_rate_history" or "exchange" not in endpoint.required:
        return False
    has_pair_name = "interval" in endpoint.required or "large_limit_order" in endpoint.id
    return has_pair_name or endpoint.id.startswith(("futures_liquidation_heatmap", "futures_liquidation_map"))
