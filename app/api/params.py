"""Request parameters as they are documented. What they accept beyond that is decided where they are read.

The documented patterns are hints for clients: full-width letters, for example, are folded by the symbol
parser, so the framework must not refuse them first. That is why they sit in `json_schema_extra`.
"""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import Path, Query

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
