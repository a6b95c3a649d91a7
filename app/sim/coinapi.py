"""CoinAPI spot exchange rates, simulated: one pair, or every quote of one base.

The spot rate follows the perpetual with a small steady basis. Recorded data has no spot rate: 550 "No data".
Every call costs one credit of a daily budget that may go negative. Source: docs.coinapi.io.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from app.sim.quotas import FixedWindows
from app.sim.wire import BAD_KEY, Call, Endpoint, Reply, json_reply

_CREDITS_PER_DAY = 100_000
_DAY_S = 86_400
# The spot trades 0.03 % below the perpetual here.
_BASIS_FRAC = -0.0003
# Quote currencies per US dollar.
_QUOTES = {"USD": 1.0, "USDT": 1.0002, "USDC": 1.0, "EUR": 0.92, "GBP": 0.79, "JPY": 151.0}


class CoinapiServer:
    """The REST side below `/coinapi`. credits: windows of one day."""

    name = "coinapi"

    def __init__(self, credits: FixedWindows) -> None:
        self._credits = credits
        self.endpoints = (
            Endpoint("exchangerate", "/v1/exchangerate/{base}/{quote}", _rate),
            Endpoint("exchangerate_all", "/v1/exchangerate/{base}", _rates),
        )

    def admit(self, call: Call, endpoint: Endpoint) -> Reply | None:
        key = _key(call)
        if not key or key == BAD_KEY:
            return json_reply({"error": "Invalid API key"}, 401)
        # Overage is enabled: the budget is only counted, never refused.
        self._credits.take(key, 10 * _CREDITS_PER_DAY)
        return None

    def headers(self, call: Call) -> tuple[tuple[str, str], ...]:
        key = _key(call)
        if not key or key == BAD_KEY:
            return ()
        used = self._credits.used(key)
        return (
            ("x-ratelimit-limit", str(_CREDITS_PER_DAY)),
            ("x-ratelimit-used", str(used)),
            ("x-ratelimit-remaining", str(_CREDITS_PER_DAY - used)),
            ("x-ratelimit-overage", "enabled"),
            ("x-ratelimit-request-cost", "1"),
            ("x-ratelimit-reset", _iso((call.now_ms // 1000 // _DAY_S + 1) * _DAY_S * 1000)),
            ("x-concurrencylimit-limit", "10"),
            ("x-concurrencylimit-remaining", "10"),
        )

    def unknown(self, call: Call) -> Reply:
        return json_reply({"error": "Not Found"}, 404)

    def refuse(self, code: str, message: str) -> Reply:
        return json_reply({"error": message})


def _key(call: Call) -> str:
    return call.headers.get("x-coinapi-key") or call.params.get("apikey", "")


def _iso(at_ms: int) -> str:
    """ISO text with seven decimals and Z, as the provider writes it."""
    return f"{datetime.fromtimestamp(at_ms / 1000, tz=UTC):%Y-%m-%dT%H:%M:%S}.{at_ms % 1000:03d}0000Z"


def _spot_usd(call: Call, base: str) -> tuple[float, int] | None:
    known = call.market.last_price(base) if call.is_invented else None
    return (known[0] * (1 + _BASIS_FRAC), known[1]) if known else None


def _rate(call: Call) -> Reply:
    base, quote = call.args["base"].upper(), call.args["quote"].upper()
    spot = _spot_usd(call, base)
    if spot is None or quote not in _QUOTES:
        return json_reply({"error": "No data"}, 550)
    row = {"time": _iso(spot[1]), "asset_id_base": base, "asset_id_quote": quote}
    return json_reply(row | {"rate": spot[0] * _QUOTES[quote]})


def _rates(call: Call) -> Reply:
    base = call.args["base"].upper()
    spot = _spot_usd(call, base)
    if spot is None:
        return json_reply({"error": "No data"}, 550)
    asked = {name for name in call.params.get("filter_asset_id", "").upper().split(",") if name}
    is_inverted = call.params.get("invert", "").lower() == "true"
    rates: list[dict[str, Any]] = []
    for quote, per_usd in _QUOTES.items():
        if not asked or quote in asked:
            rate = spot[0] * per_usd
            value = 1 / rate if is_inverted else rate
            rates.append({"time": _iso(spot[1]), "asset_id_quote": quote, "rate": value})
    return json_reply({"asset_id_base": base, "rates": rates})
