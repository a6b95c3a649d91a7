"""Arguments of the MCP tools: the parameters of the REST routes, with their patterns, words and limits."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

from app.api.params import (
    FromQuery,
    ModeQuery,
    OneOrAllQuery,
    OneSymbolQuery,
    PageCursorQuery,
    SymbolPath,
    TimeframeQuery,
    ToQuery,
    WhaleLimitQuery,
    WhaleSymbolQuery,
)
from app.api.routes_alerts import AlertLimitQuery, KeptQuery, KindQuery, SeverityQuery
from app.api.routes_derivatives import IncludeQuery
from app.api.routes_symbols import FoundLimitQuery, SearchQuery
from app.api.routes_track import DetailQuery
from app.core.domain.liquidity import DEFAULT_TIMEFRAME


class Arguments(BaseModel):
    """Base of all. An argument that does not exist is refused: a misspelt one would silently do nothing."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class CoinArguments(Arguments):
    """One coin."""

    symbol: SymbolPath


class SignalArguments(CoinArguments):
    """One coin, and how it is read."""

    mode: ModeQuery = "balanced"
    timeframe: TimeframeQuery = DEFAULT_TIMEFRAME


class ZoneArguments(Arguments):
    """One coin on one size of candles."""

    symbol: OneSymbolQuery
    timeframe: TimeframeQuery = DEFAULT_TIMEFRAME


class LiquidationArguments(CoinArguments):
    """One coin, and what comes beside the sums."""

    include_orders: IncludeQuery = False
    include_map: IncludeQuery = False


class WhaleArguments(Arguments):
    """One coin or all, and how many rows."""

    symbol: WhaleSymbolQuery = "ALL"
    limit: WhaleLimitQuery = 50


class AlertArguments(Arguments):
    """Which of the kept alerts."""

    symbol: OneOrAllQuery = ""
    kind: KindQuery = "any"
    severity: SeverityQuery = "any"
    kept: KeptQuery = "any"
    since: FromQuery = ""
    until: ToQuery = ""
    limit: AlertLimitQuery = 10
    cursor: PageCursorQuery = ""


class RecordArguments(Arguments):
    """Whose record, and how much of it. In REST the coin is a part of the path."""

    symbol: OneOrAllQuery = ""
    detail: DetailQuery = "compact"


class SearchArguments(Arguments):
    """A part of a name."""

    query: SearchQuery
    limit: FoundLimitQuery = 10
