"""Request parameters as they are documented. What they accept beyond that is decided where they are read.

The documented patterns are hints for clients: full-width letters, for example, are folded by the symbol
parser, so the framework must not refuse them first. That is why they sit in `json_schema_extra`.
"""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import Path, Query

from app.core.errors import InvalidParameter

SymbolPath = Annotated[
    str,
    Path(
        description="One coin in any usual spelling: BTC, btc, BTCUSDT, BTC-USDT, BTC-USDT-SWAP, 1000PEPE.",
        examples=["BTC"],
        json_schema_extra={"pattern": "^[A-Za-z0-9_:-]{1,40}$", "maxLength": 40},
    ),
]
SymbolsQuery = Annotated[
    str,
    Query(
        description="1 to 20 coins, separated by commas; slash spellings such as BTC/USDT:USDT work too.",
        examples=["BTC,ETH,SOL"],
        json_schema_extra={
            "pattern": "^[A-Za-z0-9/_:-]{1,40}(,[A-Za-z0-9/_:-]{1,40}){0,19}$",
            "maxLength": 819,
        },
    ),
]
ModeQuery = Annotated[
    Literal["conservative", "balanced", "aggressive"],
    Query(
        description="Threshold set: stricter (conservative), usual (balanced) or looser (aggressive).",
        examples=["balanced"],
        json_schema_extra={"maxLength": 12},
    ),
]
DebugQuery = Annotated[
    bool, Query(description="Adds raw inputs, sub-computations, timing and errors; needs the scope debug.")
]
IntervalQuery = Annotated[
    str,
    Query(
        description="Bar size: 5m 15m 30m 1h 4h 8h 12h 1d (older spellings such as h4 work too); auto is 1h, "
        "or 4h where the plan has no 1h.",
        examples=["1h"],
        json_schema_extra={"pattern": "^(auto|[0-9]{1,2}[mhd]|[mhd][0-9]{1,2})$", "maxLength": 4},
    ),
]
CursorQuery = Annotated[
    str,
    Query(
        description="The `next` of the answer before; empty for the first page.",
        json_schema_extra={"pattern": "^[0-9]{0,15}$", "maxLength": 15},
    ),
]
WhaleExchangeQuery = Annotated[
    str,
    Query(
        description="Only hyperliquid publishes positions; any other name is refused.",
        json_schema_extra={"pattern": "^[A-Za-z0-9 _-]{1,30}$", "maxLength": 30},
    ),
]
WhaleSymbolQuery = Annotated[
    str,
    Query(
        description="One coin in any usual spelling; ALL for every coin.",
        examples=["BTC"],
        json_schema_extra={"pattern": "^[A-Za-z0-9/_:-]{1,40}$", "maxLength": 40},
    ),
]
WhaleLimitQuery = Annotated[int, Query(ge=1, le=200, description="Number of rows at most.")]

_INTERVALS = ("5m", "15m", "30m", "1h", "4h", "8h", "12h", "1d")
# Spelled as the older CoinGlass interface did.
_OLD_SPELLINGS = {f"{name[-1]}{name[:-1]}": name for name in _INTERVALS}


def read_interval(text: str) -> str | None:
    """`h4` -> `4h`; `auto` -> None: the smallest bar from 1h up that the plan has.

    Raises: InvalidParameter for a size that is not offered.
    """
    folded = text.strip().lower()
    if folded == "auto":
        return None
    interval = _OLD_SPELLINGS.get(folded, folded)
    if interval not in _INTERVALS:
        raise InvalidParameter("interval", f"one of {', '.join(_INTERVALS)} or auto")
    return interval
