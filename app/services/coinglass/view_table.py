"""Which views CoinGlass has, at which endpoint, on which plan.

Declared also without a key. A view with two forms (the whole list on Standard, single calls below) is two
sources, best first. Fetching is `views`'s; wired by `provider`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial

from app.core.domain.views import View, ViewQuery
from app.core.errors import ProviderNotConfigured
from app.core.ports import Fetched, ViewSource
from app.services.coinglass import premium, standard
from app.services.coinglass.catalog import cheapest_plan
from app.services.coinglass.listing import COINS, PAIRS
from app.services.coinglass.parse import PROVIDER
from app.services.coinglass.views import CoinGlassViews

FetchView = Callable[[CoinGlassViews, ViewQuery], Awaitable[Fetched[object]]]


@dataclass(frozen=True, slots=True)
class Declared:
    """One view as CoinGlass has it. has_bars: its plan depends on the bar size. is_reduced: a part of it."""

    view: View
    endpoint: str
    fetch: FetchView
    has_bars: bool = False
    is_reduced: bool = False

    def plan_needed(self, query: ViewQuery) -> str | None:
        """The cheapest plan that has it for this question, in lower case."""
        plan = cheapest_plan(self.endpoint, query.interval if self.has_bars else None)
        return None if plan is None else plan.value


_VIEWS = CoinGlassViews
DECLARED = (
    Declared(View.COIN_MARKET, standard.COINS_MARKETS, _VIEWS.coin_market),
    Declared(View.COIN_MARKET, standard.PAIRS_MARKETS, _VIEWS.coin_market_reduced, is_reduced=True),
    Declared(View.ALL_MARKETS, standard.COINS_MARKETS, _VIEWS.all_markets),
    Declared(View.PAIR_MARKETS, standard.PAIRS_MARKETS, _VIEWS.pair_markets),
    Declared(View.LIQUIDATION_TOTALS, standard.COINS_MARKETS, _VIEWS.liquidation_totals),
    Declared(View.LIQUIDATION_TOTALS, premium.LIQUIDATION_LIST, _VIEWS.liquidation_totals_by_window),
    Declared(View.LIQUIDATION_ORDERS, premium.LIQUIDATION_ORDER, _VIEWS.liquidation_orders),
    Declared(View.LIQUIDATION_MAP, premium.LIQUIDATION_MAP, _VIEWS.liquidation_map),
    Declared(View.LIQUIDATION_HEATMAP, premium.HEATMAP, _VIEWS.liquidation_heatmap),
    Declared(View.ACCOUNT_RATIO, standard.ACCOUNT_RATIO, _VIEWS.account_ratio, has_bars=True),
    Declared(View.TOP_ACCOUNT_RATIO, standard.TOP_ACCOUNT_RATIO, _VIEWS.top_account_ratio, has_bars=True),
    Declared(View.TOP_POSITION_RATIO, standard.TOP_POSITION_RATIO, _VIEWS.top_position_ratio, has_bars=True),
    Declared(View.FUNDING_HISTORY, standard.FUNDING, _VIEWS.funding_history, has_bars=True),
    Declared(View.FUNDING_VENUES, premium.FUNDING_LIST, _VIEWS.funding_venues),
    Declared(
        View.OPEN_INTEREST_HISTORY,
        standard.OPEN_INTEREST,
        _VIEWS.open_interest_history,
        has_bars=True,
    ),
    Declared(View.OPEN_INTEREST_VENUES, premium.OPEN_INTEREST_LIST, _VIEWS.open_interest_venues),
    Declared(View.COINS, COINS, _VIEWS.coins),
    Declared(View.EXCHANGES, PAIRS, _VIEWS.exchanges),
    Declared(View.WHALE_ALERTS, premium.WHALE_ALERT, _VIEWS.whale_alerts),
    Declared(View.WHALE_POSITIONS, premium.WHALE_POSITION, _VIEWS.whale_positions),
)


def view_sources(
    views: CoinGlassViews | None, prepare: Callable[[], Awaitable[None]]
) -> tuple[ViewSource, ...]:
    """Every declared view; `views` None means that no key is set. `prepare` runs before each fetch."""
    return tuple(
        ViewSource(
            item.view,
            PROVIDER,
            item.endpoint,
            partial(_fetch, views, prepare, item),
            item.plan_needed,
            item.is_reduced,
        )
        for item in DECLARED
    )


async def _fetch(
    views: CoinGlassViews | None, prepare: Callable[[], Awaitable[None]], item: Declared, query: ViewQuery
) -> Fetched[object]:
    if views is None:
        raise ProviderNotConfigured(PROVIDER, item.endpoint, "no key set")
    await prepare()
    return await item.fetch(views, query)
