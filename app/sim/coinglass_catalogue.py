"""The CoinGlass endpoints that no module answers by hand: rows of the shared catalogue with invented figures.

Reads `app/coinglass_endpoints.json` as data (paths, plans, parameters, shape of the answer); the figures
come from `coinglass_invent`. A test compares paths, plans and shapes with the contract. Recorded data holds
none of this: then the answers are empty.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from app.sim.coinglass_invent import invent
from app.sim.coinglass_plans import Gate
from app.sim.coinglass_wire import CoinglassEndpoint
from app.sim.listings import find_coin, find_pair
from app.sim.wire import Call, json_reply

_FILE = Path(__file__).parents[1] / "coinglass_endpoints.json"
_GATES = {
    "every": Gate.ALL,
    "bars": Gate.ALL,
    "unstated": Gate.ALL,
    "startup": Gate.STARTUP,
    "standard": Gate.STANDARD,
    "professional": Gate.PROFESSIONAL,
}
_CACHE_MS = 5_000


def read_rows() -> list[dict[str, Any]]:
    """Every row of the catalogue, as written."""
    rows: list[dict[str, Any]] = json.loads(_FILE.read_text(encoding="utf-8"))
    return rows


def catalogue_endpoints(by_hand: Collection[str]) -> tuple[CoinglassEndpoint, ...]:
    """The endpoints of the catalogue that are not in `by_hand`."""
    return tuple(_endpoint(row) for row in read_rows() if row["id"] not in by_hand)


def _endpoint(row: Mapping[str, Any]) -> CoinglassEndpoint:
    params = row["params"]
    return CoinglassEndpoint(
        id=row["id"],
        path=row["path"],
        handler=lambda call: json_reply(_envelope(row, _answer(call, row))),
        required=tuple(param["name"] for param in params if param.get("required")),
        cache_ms=_CACHE_MS,
        gate=_GATES[row["plans"]],
        choices={param["name"]: tuple(param["enum"]) for param in params if "enum" in param},
        most={param["name"]: int(param["max"]) for param in params if "max" in param},
        has_floor=row["plans"] == "bars",
    )


def _envelope(row: Mapping[str, Any], data: object) -> dict[str, object]:
    """A success as this endpoint words it: some add a flag, one says `message` instead of `msg`."""
    word = "message" if row.get("message") else "msg"
    flag = {"success": True} if row.get("success") else {}
    return {"code": "0", word: "success", "data": data, **flag}


def _answer(call: Call, row: Mapping[str, Any]) -> object:
    empty: object = [] if isinstance(row["answer"], list) else {}
    form = next((param.get("form") for param in row["params"] if param["name"] == "symbol"), None)
    symbol = call.params.get("symbol", "")
    coin = None
    if form == "pair":
        listing = find_pair(call.market, call.params["exchange"], symbol)
        coin = None if listing is None else listing.coin
    elif symbol:
        coin = find_coin(call.market, symbol)
    # The wrong form of a symbol is answered with nothing, as the real one does.
    if not call.is_invented or (symbol and coin is None):
        return empty
    return invent(call, row["id"], row["answer"], coin or call.market.coins()[0])
