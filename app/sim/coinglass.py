"""CoinGlass API v4 REST, simulated: key, quota, plan and parameter checks in front of the endpoint table.

Failures look like the real ones: HTTP 200 with a text code, an "Upgrade plan" that is not an error status,
and quota headers on every answer. The figures come from coinglass_history / _lists / _levels.
Source: CoinGlass API v4 documentation and observed answers, checked 2026-01.
"""

from __future__ import annotations

from app.sim.coinglass_catalogue import catalogue_endpoints
from app.sim.coinglass_history import HISTORY_ENDPOINTS
from app.sim.coinglass_levels import LEVEL_ENDPOINTS
from app.sim.coinglass_lists import LIST_ENDPOINTS
from app.sim.coinglass_plans import (
    CALLS_PER_MINUTE,
    FLOOR_MS,
    INTERVALS_MS,
    is_in_plan,
    plan_for_interval,
)
from app.sim.coinglass_wire import CoinglassEndpoint
from app.sim.quotas import FixedWindows
from app.sim.wire import BAD_KEY, Call, Endpoint, Reply, json_reply

_MAX_LIMIT = 4500  # above 1000 the server cuts, above this it refuses


class CoinglassServer:
    """The REST side below `/coinglass`."""

    name = "coinglass"

    def __init__(self, quota: FixedWindows) -> None:
        by_hand = (*HISTORY_ENDPOINTS, *LIST_ENDPOINTS, *LEVEL_ENDPOINTS)
        self.endpoints = (*by_hand, *catalogue_endpoints({endpoint.id for endpoint in by_hand}))
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
    for name in ("limit", "start_time", "end_time", "page", "per_page"):
        if not call.params.get(name, "0").isdigit():
            return _failure("400", f"Invalid parameter '{name}'")
    if int(call.params.get("limit", 0)) > _MAX_LIMIT:
        return _failure("400", "Invalid parameter 'limit'")
    for name, choices in ({"range": row.ranges} if row.ranges else row.choices).items():
        if call.params.get(name, choices[0]) not in choices:
            return _failure("400", f"Invalid parameter '{name}'")
    for name, most in row.most.items():
        if int(call.params.get(name, 0)) > most:
            return _failure("400", f"Invalid parameter '{name}'")
    return _check_interval(call, row) if "interval" in row.required else None


def _check_interval(call: Call, row: CoinglassEndpoint) -> Reply | None:
    interval = call.params["interval"]
    if interval not in INTERVALS_MS and "interval" not in row.choices:
        return _failure("400", "Invalid parameter 'interval'")
    if row.has_floor and INTERVALS_MS[interval] < FLOOR_MS[call.plan]:
        needed = plan_for_interval(interval).upper()
        return json_reply({"code": "403", "details": {"upgrade_required": needed}})
    return None
