"""Request parameters as they are documented. What they accept beyond that is decided where they are read.

The documented patterns are hints for clients: full-width letters, for example, are folded by the symbol
parser, so the framework must not refuse them first. That is why they sit in `json_schema_extra`.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Annotated, Literal

from fastapi import Path, Query

from app.core.domain.history import END_OF_TIME_MS, STORED_INTERVALS
from app.core.domain.liquidity import TIMEFRAMES
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
TimeframeQuery = Annotated[
    str,
    Query(
        description="Size of the candles: 5m 15m 30m 1h 4h 1d (older spellings such as h4 work too).",
        examples=["1h"],
        json_schema_extra={"enum": list(TIMEFRAMES), "maxLength": 3},
    ),
]
OneSymbolQuery = Annotated[
    str,
    Query(
        description="One coin in any usual spelling: BTC, BTCUSDT, BTC-USDT-SWAP, BTC/USDT:USDT.",
        examples=["BTC"],
        json_schema_extra={"pattern": "^[A-Za-z0-9/_:-]{1,40}$", "maxLength": 40},
    ),
]
DebugQuery = Annotated[
    bool, Query(description="Adds raw inputs, sub-computations, timing and errors; needs the scope debug.")
]
StoredIntervalQuery = Annotated[
    str,
    Query(
        description=f"Bar size: {' '.join(STORED_INTERVALS)} (older spellings such as h4 work too).",
        examples=["1h"],
        json_schema_extra={"pattern": "^(auto|[0-9]{1,2}[mhd]|[mhd][0-9]{1,2})$", "maxLength": 4},
    ),
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
PageCursorQuery = Annotated[
    str,
    Query(
        description="The `next` of the answer before, of the same list; empty for the first page.",
        json_schema_extra={"pattern": "^[A-Za-z0-9_-]{0,400}$", "maxLength": 400},
    ),
]
_TIME_PATTERN = {"pattern": "^[0-9TZ:.+-]{0,35}$", "maxLength": 35}
FromQuery = Annotated[
    str,
    Query(
        alias="from",
        description="First moment, inclusive: ISO-8601 (UTC unless it says otherwise) or epoch milliseconds; "
        "empty for no bound.",
        examples=["2026-01-31T00:00:00Z"],
        json_schema_extra=_TIME_PATTERN,
    ),
]
ToQuery = Annotated[
    str,
    Query(
        alias="to",
        description="Last moment, exclusive: ISO-8601 (UTC unless it says otherwise) or epoch milliseconds; "
        "empty for no bound.",
        examples=["2026-02-01T00:00:00Z"],
        json_schema_extra=_TIME_PATTERN,
    ),
]
OneOrAllQuery = Annotated[
    str,
    Query(
        description="One coin in any usual spelling; empty for every coin.",
        examples=["BTC"],
        json_schema_extra={"pattern": "^[A-Za-z0-9/_:-]{0,40}$", "maxLength": 40},
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


def read_timeframe(text: str) -> str:
    """`h4` -> `4h`. Raises: InvalidParameter for a size that is not offered."""
    folded = text.strip().lower()
    timeframe = _OLD_SPELLINGS.get(folded, folded)
    if timeframe not in TIMEFRAMES:
        raise InvalidParameter("timeframe", f"one of {', '.join(TIMEFRAMES)}")
    return timeframe


def read_stored_interval(text: str) -> str | None:
    """The same for what may be stored: also the sizes of recordings and of funding's own rhythm.

    Raises: InvalidParameter for a size that no history has.
    """
    folded = text.strip().lower()
    if folded in STORED_INTERVALS:
        return folded
    if folded != "auto" and folded not in _OLD_SPELLINGS:
        raise InvalidParameter("interval", f"one of {', '.join(STORED_INTERVALS)}")
    return read_interval(folded)


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
# 3 March 1973. A smaller number is a time in seconds, or a date without dashes: both would be misread.
_SMALLEST_EPOCH_MS = 100_000_000_000


def read_time(text: str, parameter: str) -> int | None:
    """A moment in epoch milliseconds, None for empty text; without a zone it is UTC.

    Worked numbers: `2026-02-25T06:13:20Z` -> 1,772,000,000,000; `1772000000000` -> itself.

    Raises: InvalidParameter for anything else, epoch seconds included.
    """
    folded = text.strip()
    if not folded:
        return None
    expected = "ISO-8601 such as 2026-01-31T00:00:00Z, or epoch milliseconds (13 digits, not seconds)"
    if folded.isascii() and folded.isdigit():
        if len(folded) > 14 or int(folded) < _SMALLEST_EPOCH_MS:
            raise InvalidParameter(parameter, expected)
        return int(folded)
    try:
        moment = datetime.fromisoformat(folded)
        moment = moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
        epoch_ms = (moment - _EPOCH) // timedelta(milliseconds=1)
    except (ValueError, OverflowError):
        raise InvalidParameter(parameter, expected) from None
    if not 0 <= epoch_ms < END_OF_TIME_MS:
        raise InvalidParameter(parameter, expected)
    return epoch_ms


def read_cursor(text: str) -> str | None:
    """Empty text -> None. What a cursor holds is the store's business; how long it may be is not.

    Raises: InvalidParameter.
    """
    if len(text) > 400:
        raise InvalidParameter("cursor", "the value of `next` in the answer before")
    return text or None
