"""What the typed derivatives routes can ask for, and with which parameters. Names only; no I/O.

Adapters declare which views they have (`core.ports.ViewSource`), `derivatives_service` asks them in order.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from app.core.domain.quality import Missing, Reading
from app.core.domain.symbol import Symbol


class View(StrEnum):
    """One kind of figures. The comment names the type of its value (see `derivatives`, `market`)."""

    COIN_MARKET = "coin_market"  # CoinMarket
    ALL_MARKETS = "all_markets"  # tuple[CoinMarket, ...], largest open interest first
    PAIR_MARKETS = "pair_markets"  # tuple[PairMarket, ...], largest open interest first
    LIQUIDATION_TOTALS = "liquidation_totals"  # LiquidationTotals, windows 1h 4h 12h 24h where known
    LIQUIDATION_ORDERS = "liquidation_orders"  # LiquidationOrders, newest first
    LIQUIDATION_MAP = "liquidation_map"  # LiquidationLevels
    LIQUIDATION_HEATMAP = "liquidation_heatmap"  # LiquidationHeatmap
    ACCOUNT_RATIO = "account_ratio"  # Series, long share of all accounts
    TOP_ACCOUNT_RATIO = "top_account_ratio"  # Series, long share of top-trader accounts
    TOP_POSITION_RATIO = "top_position_ratio"  # Series, long share of top-trader positions
    FUNDING_HISTORY = "funding_history"  # Series, FRAC_PER_8H
    FUNDING_VENUES = "funding_venues"  # tuple[VenueFunding, ...]
    OPEN_INTEREST_HISTORY = "open_interest_history"  # OpenInterestHistory, USD
    OPEN_INTEREST_VENUES = "open_interest_venues"  # tuple[VenueOpenInterest, ...], the total first
    CANDLES = "candles"  # Candles, closed, volume in coins
    COINS = "coins"  # tuple[str, ...], base assets in order
    EXCHANGES = "exchanges"  # tuple[ExchangeListing, ...]
    WHALE_ALERTS = "whale_alerts"  # tuple[WhaleAlert, ...], newest first, all coins
    WHALE_POSITIONS = "whale_positions"  # tuple[WhalePosition, ...], largest first, all coins


@dataclass(frozen=True, slots=True)
class ViewQuery:
    """Parameters of a view; each view reads those it has.

    symbol: None for views of all coins. interval: bar size of a history (`INTERVAL_MS` keys); None: 1h, or
    4h where the plan has no 1h. model: 1 to 3, of the provider's heatmap.
    """

    symbol: Symbol | None = None
    interval: str | None = None
    model: int = 1


@dataclass(frozen=True, slots=True)
class Part:
    """One view of an answer: what was found, or why not and which plan would have it.

    plan_needed: the cheapest CoinGlass plan that has the view at this interval (of a found one: the whole of
    it, from the better source), None when no plan is the reason or none is known.
    fell_back: why a better source did not answer what is found; None when the best one did.
    """

    view: View
    found: Reading[object] | Missing
    plan_needed: str | None
    fell_back: Missing | None = None


Parts = Mapping[View, Part]
