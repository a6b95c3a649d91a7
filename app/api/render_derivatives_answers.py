"""Parts of the derivatives market as whole answers: what each typed route says, and in what order.

Pure. Items come from `render_derivatives`, what all answers carry from `render_parts`; caps and "not
available" are decided here.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from app.api import render_derivatives as item
from app.api.numbers import significant
from app.api.render_parts import common, page, provider, rows, value
from app.api.schemas import derivatives_answers as answers
from app.api.schemas.derivatives import LevelItem, OpenInterestChange
from app.core.domain.derivatives import (
    CoinMarket,
    ExchangeListing,
    LiquidationHeatmap,
    LiquidationLevel,
    LiquidationLevels,
    LiquidationOrders,
    LiquidationTotals,
    OpenInterestHistory,
    PairMarket,
    PositionSide,
    VenueFunding,
    VenueOpenInterest,
    WhaleAction,
    WhaleAlert,
    WhalePosition,
)
from app.core.domain.derivatives_figures import funding_spread, open_interest_changes
from app.core.domain.market import Series
from app.core.domain.quality import Missing, Reading
from app.core.domain.symbol import Symbol
from app.core.domain.views import Parts, View
from app.core.errors import InvalidParameter

HISTORY_POINTS = 48
_DASHBOARD_VENUES = 6
_LEVELS_PER_SIDE = 20


def markets(parts: Parts, limit: int, cursor: str | None, **shared: Any) -> answers.MarketsResponse:
    found = rows(parts, View.ALL_MARKETS, CoinMarket)
    taken, following = page(cursor, limit, len(found))
    return answers.MarketsResponse(
        **common(parts, **shared),
        items=[item.market(row) for row in found[taken]],
        total=len(found),
        next=following,
    )


def coin_market(symbol: Symbol, parts: Parts, **shared: Any) -> answers.CoinMarketResponse:
    found = value(parts, View.COIN_MARKET, CoinMarket)
    return answers.CoinMarketResponse(
        **common(parts, **shared), symbol=symbol.base, market=None if found is None else item.market(found)
    )


def pair_markets(symbol: Symbol, parts: Parts, **shared: Any) -> answers.PairMarketsResponse:
    found = rows(parts, View.PAIR_MARKETS, PairMarket)
    return answers.PairMarketsResponse(
        **common(parts, **shared),
        symbol=symbol.base,
        pairs=[item.pair(row) for row in found[: answers.MAX_VENUES]],
        truncated=len(found) > answers.MAX_VENUES,
    )


def liquidations(symbol: Symbol, parts: Parts, **shared: Any) -> answers.LiquidationsResponse:
    totals = value(parts, View.LIQUIDATION_TOTALS, LiquidationTotals)
    orders = value(parts, View.LIQUIDATION_ORDERS, LiquidationOrders)
    levels = value(parts, View.LIQUIDATION_MAP, LiquidationLevels)
    newest = () if orders is None else orders.orders[: answers.MAX_ORDERS]
    return answers.LiquidationsResponse(
        **common(parts, **shared),
        symbol=symbol.base,
        scope=None if totals is None else item.words(totals.scope),
        windows=[] if totals is None else item.liquidation_windows(totals.by_window),
        exchanges=[] if totals is None else item.venue_liquidations(totals.by_exchange)[: answers.MAX_VENUES],
        orders=None if orders is None else [item.order(row) for row in newest],
        orders_min_usd=None if orders is None else item.number(orders.min_usd),
        orders_truncated=None if orders is None else orders.is_cut or len(orders.orders) > len(newest),
        map_model=None if levels is None else item.words(levels.model),
        levels=None if levels is None else _largest(levels.levels, levels.price_usd, _LEVELS_PER_SIDE),
    )


def _largest(levels: Sequence[LiquidationLevel], price_usd: float, per_side: int) -> list[LevelItem]:
    """The largest levels of each side, lowest price first."""
    kept: list[LiquidationLevel] = []
    for side in PositionSide:
        of_side = [level for level in levels if level.liquidated_side is side]
        kept += sorted(of_side, key=lambda level: -level.size_usd)[:per_side]
    return [item.level(level, price_usd) for level in sorted(kept, key=lambda level: level.price_usd)]


def heatmap(symbol: Symbol, parts: Parts, **shared: Any) -> answers.HeatmapResponse:
    found = value(parts, View.LIQUIDATION_HEATMAP, LiquidationHeatmap)
    part = parts[View.LIQUIDATION_HEATMAP]
    absent = None
    if isinstance(part.found, Missing):
        absent = answers.NotAvailable(
            reason=part.found.reason,
            detail=item.words(part.found.detail),
            plan_needed=part.plan_needed,
        )
    return answers.HeatmapResponse(
        **common(parts, **shared),
        symbol=symbol.base,
        heatmap=None if found is None else _heatmap(found),
        not_available=absent,
    )


def _heatmap(found: LiquidationHeatmap) -> answers.HeatmapItem:
    by_level: defaultdict[tuple[float, PositionSide | None], float] = defaultdict(float)
    for cell in found.cells:
        by_level[cell.price_usd, cell.liquidated_side] += cell.size_usd
    levels: list[LevelItem] = []
    if found.price_usd is not None:
        summed = [
            LiquidationLevel(
                price, usd, side or (PositionSide.LONG if price < found.price_usd else PositionSide.SHORT)
            )
            for (price, side), usd in by_level.items()
        ]
        levels = _largest(summed, found.price_usd, answers.MAX_LEVELS // 2)
    return answers.HeatmapItem(
        model=item.words(found.model),
        is_estimate=found.is_estimate,
        price_usd=item.number(found.price_usd),
        cells=len(found.cells),
        levels=levels,
    )


RATIO_VIEWS = (View.ACCOUNT_RATIO, View.TOP_ACCOUNT_RATIO, View.TOP_POSITION_RATIO)


def _ratios(parts: Parts, points: int) -> dict[str, Any]:
    names = ("accounts", "top_accounts", "top_positions")
    found = {key: value(parts, view, Series) for key, view in zip(names, RATIO_VIEWS, strict=True)}
    return {key: None if s is None else item.ratio(s, points=points) for key, s in found.items()}


def long_short(symbol: Symbol, parts: Parts, **shared: Any) -> answers.LongShortResponse:
    ratios = _ratios(parts, HISTORY_POINTS)
    used = next((ratio.interval for ratio in ratios.values() if ratio is not None), None)
    return answers.LongShortResponse(**common(parts, **shared), symbol=symbol.base, interval=used, **ratios)


def funding(symbol: Symbol, parts: Parts, **shared: Any) -> answers.FundingResponse:
    history = value(parts, View.FUNDING_HISTORY, Series)
    venues = _by_rate(rows(parts, View.FUNDING_VENUES, VenueFunding))
    return answers.FundingResponse(
        **common(parts, **shared),
        symbol=symbol.base,
        weighted=None if history is None else item.funding_history(history, points=HISTORY_POINTS),
        exchanges=[item.venue_funding(venue) for venue in venues[: answers.MAX_VENUES]],
        spread=item.spread(funding_spread(venues)),
        truncated=len(venues) > answers.MAX_VENUES,
    )


def _by_rate(venues: Sequence[VenueFunding]) -> list[VenueFunding]:
    return sorted(venues, key=lambda venue: (-venue.rate_8h_frac, venue.exchange))


def open_interest(symbol: Symbol, parts: Parts, **shared: Any) -> answers.OpenInterestResponse:
    history = value(parts, View.OPEN_INTEREST_HISTORY, OpenInterestHistory)
    venues = rows(parts, View.OPEN_INTEREST_VENUES, VenueOpenInterest)
    total, now = _total(venues), _newest_interest(parts)
    single = [venue for venue in venues if not venue.is_total]
    newest_usd = now.open_interest_usd if now else history.close[-1] if history else None
    scope = _scope(now) if now else history.label if history else None
    shown = 0 if history is None else min(HISTORY_POINTS, len(history.close))
    return answers.OpenInterestResponse(
        **common(parts, **shared),
        symbol=symbol.base,
        interval=None if history is None else item.interval_name(history.interval_ms),
        open_interest_usd=item.number(newest_usd),
        open_interest_base=item.number(now.open_interest_base) if now else None,
        scope=None if scope is None else item.words(scope),
        changes=_changes(parts),
        bars_scope=None if history is None else item.words(history.label),
        bars=[] if history is None else item.bars(history, len(history.close) - shown, len(history.close)),
        exchanges=_interest_rows(single, total, answers.MAX_VENUES),
        truncated=len(single) > answers.MAX_VENUES,
    )


def _total(venues: Sequence[VenueOpenInterest]) -> VenueOpenInterest | None:
    return next((venue for venue in venues if venue.is_total), None)


def _newest_interest(parts: Parts) -> VenueOpenInterest | None:
    """The row that says what is open now: the total, or the only exchange where nobody knows a total.

    None where bars of the whole market say more than the row of one exchange.
    """
    venues = rows(parts, View.OPEN_INTEREST_VENUES, VenueOpenInterest)
    total = _total(venues)
    if total is not None or len(venues) != 1:
        return total
    bars_by = provider(parts, View.OPEN_INTEREST_HISTORY)
    return venues[0] if bars_by in (None, provider(parts, View.OPEN_INTEREST_VENUES)) else None


def _scope(now: VenueOpenInterest) -> str:
    return "all exchanges" if now.is_total else f"{now.exchange} alone"


def _changes(parts: Parts) -> list[OpenInterestChange]:
    """Of the newest figure. Bars of another provider cover other exchanges, so they say nothing about it."""
    now = _newest_interest(parts)
    history = value(parts, View.OPEN_INTEREST_HISTORY, OpenInterestHistory)
    is_same = provider(parts, View.OPEN_INTEREST_HISTORY) == provider(parts, View.OPEN_INTEREST_VENUES)
    usable = history if now is None or is_same else None
    return [
        OpenInterestChange(window=window, change_frac=item.number(change))
        for window, change in open_interest_changes(usable, now).items()
    ]


def _interest_rows(
    venues: Sequence[VenueOpenInterest], total: VenueOpenInterest | None, limit: int
) -> list[Any]:
    total_usd = None if total is None else total.open_interest_usd
    return [item.venue_open_interest(venue, total_usd) for venue in venues[:limit]]


def dashboard(symbol: Symbol, parts: Parts, **shared: Any) -> answers.DashboardResponse:
    """Every part without its long history."""
    found = value(parts, View.COIN_MARKET, CoinMarket)
    totals = value(parts, View.LIQUIDATION_TOTALS, LiquidationTotals)
    history = value(parts, View.FUNDING_HISTORY, Series)
    venues = _by_rate(rows(parts, View.FUNDING_VENUES, VenueFunding))
    interest = rows(parts, View.OPEN_INTEREST_VENUES, VenueOpenInterest)
    total = _total(interest)
    single = [venue for venue in interest if not venue.is_total]
    half = _DASHBOARD_VENUES // 2
    extremes = venues if len(venues) <= _DASHBOARD_VENUES else [*venues[:half], *venues[-half:]]
    return answers.DashboardResponse(
        **common(parts, **shared),
        symbol=symbol.base,
        market=None if found is None else item.market(found),
        liquidations=[] if totals is None else item.liquidation_windows(totals.by_window),
        liquidations_scope=None if totals is None else item.words(totals.scope),
        **_ratios(parts, 0),
        funding=None if history is None else item.funding_history(history, points=0),
        funding_exchanges=[item.venue_funding(venue) for venue in extremes],
        funding_spread=item.spread(funding_spread(venues)),
        open_interest_changes=_changes(parts),
        open_interest_exchanges=_interest_rows(single, total, _DASHBOARD_VENUES),
    )


def coins(parts: Parts, **shared: Any) -> answers.CoinsResponse:
    found = rows(parts, View.COINS, str)
    return answers.CoinsResponse(
        **common(parts, **shared),
        coins=[item.name(base) for base in found[: answers.MAX_NAMES]],
        total=len(found),
        truncated=len(found) > answers.MAX_NAMES,
    )


def exchanges(
    parts: Parts, exchange: str | None, cursor: str | None, **shared: Any
) -> answers.ExchangesResponse:
    """Raises: InvalidParameter for an exchange that is not listed, naming those that are."""
    found = sorted(
        rows(parts, View.EXCHANGES, ExchangeListing), key=lambda row: (-len(row.instruments), row.exchange)
    )
    instruments, following = None, None
    if exchange is not None and found:
        listed = next((row for row in found if row.exchange.lower() == exchange.lower()), None)
        if listed is None:
            names = ", ".join(row.exchange for row in found[:30])
            raise InvalidParameter("exchange", f"one of {names}")
        taken, following = page(cursor, answers.MAX_PAGE, len(listed.instruments))
        instruments = [
            answers.InstrumentItem(instrument=item.name(i), base=item.name(b), quote=item.name(q))
            for i, b, q in listed.instruments[taken]
        ]
    return answers.ExchangesResponse(
        **common(parts, **shared),
        exchanges=[
            answers.ExchangeItem(exchange=item.name(row.exchange), pairs=len(row.instruments))
            for row in found[: answers.MAX_VENUES]
        ],
        instruments=instruments,
        next=following,
    )


def whale_alerts(
    parts: Parts, symbol: Symbol | None, limit: int, **shared: Any
) -> answers.WhaleAlertsResponse:
    found = [
        row for row in rows(parts, View.WHALE_ALERTS, WhaleAlert) if symbol is None or row.base == symbol.base
    ]
    opened = [row for row in found if row.action is WhaleAction.OPENED]
    return answers.WhaleAlertsResponse(
        **common(parts, **shared),
        exchange="Hyperliquid",
        opened=_sides(opened) if _is_there(parts, View.WHALE_ALERTS) else None,
        alerts=[item.whale_alert(row) for row in found[:limit]],
        truncated=len(found) > limit,
    )


def whale_positions(
    parts: Parts, symbol: Symbol | None, limit: int, **shared: Any
) -> answers.WhalePositionsResponse:
    found = [
        row
        for row in rows(parts, View.WHALE_POSITIONS, WhalePosition)
        if symbol is None or row.base == symbol.base
    ]
    return answers.WhalePositionsResponse(
        **common(parts, **shared),
        exchange="Hyperliquid",
        summary=_sides(found) if _is_there(parts, View.WHALE_POSITIONS) else None,
        positions=[item.whale_position(row) for row in found[:limit]],
        truncated=len(found) > limit,
    )


def _is_there(parts: Parts, view: View) -> bool:
    return isinstance(parts[view].found, Reading)


def _sides(found: Sequence[WhaleAlert | WhalePosition]) -> answers.WhaleSummary:
    longs = [row.size_usd for row in found if row.side is PositionSide.LONG]
    shorts = [row.size_usd for row in found if row.side is PositionSide.SHORT]
    return answers.WhaleSummary(
        long_usd=significant(sum(longs)),
        short_usd=significant(sum(shorts)),
        long_count=len(longs),
        short_count=len(shorts),
    )
