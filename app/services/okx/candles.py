"""Closed candles of any bar size from OKX, for zones and structure: two pages on the clock's grid.

Hourly candles come from the engine's own history (`provider.fetch_candles`), which costs nothing more.
Source: OKX v5 market/candles, public; bars from 6 h up need the utc suffix; checked 2026-11.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from types import MappingProxyType

from app.core.domain.market import DAY_MS, INTERVAL_MS, Candles
from app.core.domain.symbol import Symbol
from app.core.errors import ProviderNoData
from app.core.ports import Fetched
from app.services.okx import parse
from app.services.okx.client import PROVIDER
from app.services.okx.history import LATE_BAR_RETRY_MS, Page, closed_until_ms, newest_run
from app.services.okx.listings import inst_id
from app.services.okx.parse import Rows
from app.services.okx.reading import Reader, join_answers
from app.services.transport.cache import Freshness
from app.services.transport.resource import Resource

ENDPOINT = "market_candles"
# As long as a zone lives, in two or three pages.
BARS = 500
_SPELLING: Mapping[str, str] = MappingProxyType(
    {"1m": "1m", "5m": "5m", "15m": "15m", "30m": "30m", "1h": "1H", "4h": "4H", "1d": "1Dutc"}
)
# A newest bar older than this many bars is a market that has stopped.
_FROZEN_BARS = 6


async def fetch_candles(reader: Reader, symbol: Symbol, interval: str, now_ms: int) -> Fetched[Candles]:
    """Up to 500 closed bars, oldest first, volume in coins.

    Raises:
        ProviderNoData: a bar size OKX does not have, nothing closed, or a history that has stopped.
        ProviderError: what OKX did.
    """
    spelled = _SPELLING.get(interval)
    if spelled is None:
        raise ProviderNoData(PROVIDER, ENDPOINT, f"no candles of {interval}")
    length_ms = INTERVAL_MS[interval]
    found = [
        await reader.try_fetch(symbol, _resource(symbol, spelled, page, length_ms))
        for page in reversed(_pages(now_ms, length_ms))
    ]
    pages = newest_run(found)
    rows: dict[int, tuple[float, ...]] = {}
    for page in pages:
        until_ms = closed_until_ms(page, now_ms)
        rows |= {ts: row for ts, row in page.value.items() if ts + length_ms <= until_ms}
    if not rows:
        raise ProviderNoData(PROVIDER, ENDPOINT, "no closed bars")
    # The same number throughout, so that zones do not come and go with the pages they are read from.
    opens = sorted(rows)[-BARS:]
    if now_ms - (opens[-1] + length_ms) > _FROZEN_BARS * length_ms:
        raise ProviderNoData(PROVIDER, ENDPOINT, f"history frozen: newest bar older than {_FROZEN_BARS} bars")
    columns = tuple(zip(*(rows[ts] for ts in opens), strict=True))
    candles = Candles("OKX", length_ms, tuple(ts + length_ms for ts in opens), *columns)
    return join_answers(candles, ENDPOINT, candles.close_ms[-1], pages)


def _pages(now_ms: int, length_ms: int) -> tuple[Page, ...]:
    """Grid pages, oldest first, that hold the newest bars."""
    width_ms = parse.CANDLE_ROWS * length_ms
    last = (now_ms - length_ms) // width_ms
    first = (now_ms - BARS * length_ms) // width_ms
    return tuple(Page(index * width_ms, (index + 1) * width_ms) for index in range(first, last + 1))


def _resource(symbol: Symbol, spelled: str, page: Page, length_ms: int) -> Resource[Rows]:
    return Resource(
        endpoint=ENDPOINT,
        path="/api/v5/market/candles",
        params={
            "instId": inst_id(symbol),
            "bar": spelled,
            "after": page.end_ms,  # older than, its own stamp excluded
            "limit": parse.CANDLE_ROWS,
        },
        parse=partial(parse.parse_candles, endpoint=ENDPOINT),
        freshness=partial(_freshness, page, length_ms),
    )


def _freshness(page: Page, length_ms: int, rows: Rows, fetched_ms: int) -> Freshness:
    """A past page keeps for a day, the newest until its next bar closes, one that is late for 20 s."""
    if page.end_ms <= fetched_ms:
        return Freshness(fresh_ms=DAY_MS, error_ms=DAY_MS)
    newest_ms = fetched_ms // length_ms * length_ms - length_ms
    if newest_ms >= page.start_ms and newest_ms not in rows:
        return Freshness(fresh_ms=min(LATE_BAR_RETRY_MS, length_ms), error_ms=2 * length_ms)
    return Freshness(fresh_ms=length_ms - fetched_ms % length_ms, error_ms=2 * length_ms)
