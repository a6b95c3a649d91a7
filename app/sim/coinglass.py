"""CoinGlass API v4 REST, simulated: key, quota, plan and parameter checks in front of the endpoint table.

Failures look like the real ones: HTTP 200 with a text code, an "Upgrade plan" that is not an error status,
and quota headers on every answer. The figures come from the families behind coinglass_table.
Source: CoinGlass API v4 documentation and observed answers, checked 2026-01.
"""

from __future__ import annotations

import re

from app.sim.coinglass_plans import (
    CALLS_PER_MINUTE,
    FLOOR_MS,
    INTERVALS_MS,
    is_in_plan,
    plan_for_interval,
)
from app.sim.coinglass_table import ENDPOINTS
from app.sim.coinglass_wire import EMPTY, MAX_ROWS, CoinglassEndpoint
from app.sim.quotas import FixedWindows
from app.sim.wire import BAD_KEY, Call, Endpoint, Reply, json_reply

_MAX_LIMIT = 4500  # above 1000 the server cuts, above this it refuses
_LENGTHS = frozenset({"window", "fast_window", "slow_window", "signal_window"})
_MAX_LENGTH = 1000  # bars an indicator may look back
_WHOLE = _LENGTHS | {"limit", "start_time", "end_time", "page", "per_page", "current_page", "usd"}
_NUMBERS = frozenset({"mult", "min_usd", "min_liquidation_amount"})
_WHOLE_NUMBER = re.compile(r"[0-9]{1,15}")
_NUMBER = re.compile(r"[0-9]{1,15}(\.[0-9]{1,8})?")
_MARKETS = ("exchange", "symbol")


class CoinglassServer:
    """The REST side below `/coinglass`."""

    name = "coinglass"

    def __init__(self, quota: FixedWindows) -> None:
        self.endpoints = ENDPOINTS
        self._by_id: dict[str, CoinglassEndpoint] = {e.id: e for e in self.endpoints}
        self._quota = quota

    def admit(self, call: Call, endpoint: Endpoint) -> Reply | None:
        if call.method != "GET":
            return _failure("405", "Method Not Allowed", 405)
        key = call.headers.get("cg-api-key", "")
        if not key:
            return _failure("400", "API key missing.")
        if key == BAD_KEY:
            return _failure("400", "Invalid API key provided")
        if not self._quota.take(key, CALLS_PER_MINUTE[call.plan]):
            return _failure("429", "Too Many Requests", 429)
        row = self._by_id[endpoint.id]
        if not is_in_plan(row.gate, call.plan):
            return _failure("401", "Upgrade plan")
        return _check_params(call, row)

    def headers(self, call: Call) -> tuple[tuple[str, str], ...]:
        key = call.headers.get("cg-api-key", "")
        if not key or key == BAD_KEY:
            return ()
        return (
            ("API-KEY-MAX-LIMIT", str(CALLS_PER_MINUTE[call.plan])),
            ("API-KEY-USE-LIMIT", str(self._quota.used(key))),
        )

    def unknown(self, call: Call) -> Reply:
        text = "Endpoint not found. Please refer to the API documentation: https://docs.coinglass.com"
        return _failure("404", text, 404)

    def refuse(self, code: str, message: str) -> Reply:
        return _failure(code, message)


def _failure(code: str, message: str, status: int = 200) -> Reply:
    return json_reply({"code": code, "msg": message}, status)


def _check_params(call: Call, row: CoinglassEndpoint) -> Reply | None:
    for name in row.required:
        if not call.params.get(name):
            return _failure("400", f"Required String parameter '{name}' is not present")
    bad = next((name for name in call.params if not _is_valid(name, call.params[name], row)), None)
    if bad in _MARKETS:
        return EMPTY  # a market it has no figures for is not an error
    if bad is not None:
        return _failure("400", f"Invalid parameter '{bad}'")
    return _check_interval(call) if row.is_floored else None


def _is_valid(name: str, value: str, row: CoinglassEndpoint) -> bool:
    if not value:
        return True  # an empty value counts as absent
    if name in _NUMBERS and not _NUMBER.fullmatch(value):
        return False
    if name in _WHOLE and not _WHOLE_NUMBER.fullmatch(value):
        return False
    if name in _LENGTHS and not 0 < int(value) <= _MAX_LENGTH:
        return False
    if name == "limit" and int(value) > (_MAX_LIMIT if row.max_limit >= MAX_ROWS else row.max_limit):
        return False
    allowed = row.choices.get(name)
    return allowed is None or value in allowed


def _check_interval(call: Call) -> Reply | None:
    interval = call.params["interval"]
    if INTERVALS_MS[interval] < FLOOR_MS[call.plan]:
        needed = plan_for_interval(interval).upper()
        return json_reply({"code": "403", "details": {"upgrade_required": needed}})
    return None
