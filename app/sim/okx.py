"""OKX v5 public REST, simulated: limits, required parameters and instrument checks in front of the table.

Failures carry the contracted HTTP status: 51001 inside a 200, 51000 and 50014 with 400, 50011 with 429.
Limits are per endpoint and 2 s, by IP or by IP and instrument. Source: OKX API v5 documentation.
"""

from __future__ import annotations

from app.sim.okx_market import MARKET_ENDPOINTS
from app.sim.okx_public import public_endpoints
from app.sim.okx_rubik import RUBIK_ENDPOINTS
from app.sim.okx_wire import EventIndex, OkxEndpoint, base_of, failure
from app.sim.quotas import FixedWindows
from app.sim.wire import Call, Endpoint, Reply

_NUMERIC = ("after", "before", "begin", "end", "limit")
_INSTRUMENT_TYPES = frozenset({"SWAP", "SPOT", "FUTURES", "OPTION", "MARGIN", "CONTRACTS"})


class OkxServer:
    """The REST side below `/okx`."""

    name = "okx"

    def __init__(self, quota: FixedWindows, events: EventIndex) -> None:
        self.endpoints = (*MARKET_ENDPOINTS, *public_endpoints(events), *RUBIK_ENDPOINTS)
        self._by_id: dict[str, OkxEndpoint] = {e.id: e for e in self.endpoints}
        self._quota = quota

    def admit(self, call: Call, endpoint: Endpoint) -> Reply | None:
        row = self._by_id[endpoint.id]
        if call.method != "GET":
            return failure("50005", "Request method not supported", 405)
        scope = call.params.get(row.limit_by, "") if row.limit_by else ""
        if not self._quota.take(f"{call.client}|{row.id}|{scope}", row.limit_per_2s):
            return failure("50011", "Too Many Requests", 429)
        return _check_params(call, row)

    def headers(self, call: Call) -> tuple[tuple[str, str], ...]:
        return ()

    def unknown(self, call: Call) -> Reply:
        return failure("404", "Not Found", 404)

    def refuse(self, code: str, message: str) -> Reply:
        return failure(code, message, 200)


def _check_params(call: Call, row: OkxEndpoint) -> Reply | None:
    for name in row.required:
        if not call.params.get(name):
            return failure("50014", f"Parameter {name} can not be empty.", 400)
    for name in _NUMERIC:
        if not call.params.get(name, "0").isdigit():
            return failure("51000", f"Parameter {name} error", 400)
    if call.params.get("instType", "SWAP") not in _INSTRUMENT_TYPES:
        return failure("51000", "Parameter instType error", 400)
    if row.bars is not None:
        name, bars = row.bars
        if call.params.get(name, next(iter(bars))) not in bars:
            return failure("51000", f"Parameter {name} error", 400)
    return _check_instrument(call)


def _check_instrument(call: Call) -> Reply | None:
    inst_id = call.params.get("instId")
    if inst_id and inst_id != "ANY" and base_of(call.market, inst_id) is None:
        return failure("51001", "Instrument ID does not exist", 200)
    ccy = call.params.get("ccy")
    if ccy and base_of(call.market, f"{ccy}-USDT-SWAP") is None:
        return failure("51000", "Parameter ccy error", 400)
    return None
