"""Facts of the derivatives market with values of our own, and a use case that answers with them.

Used by the API tests; `swapped` exchanges long and short everywhere, for mirror tests.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from app.core.domain.derivatives import (
    CoinMarket,
    ExchangeListing,
    HeatmapCell,
    LiquidatedUsd,
    LiquidationHeatmap,
    LiquidationLevel,
    LiquidationLevels,
    LiquidationOrder,
    LiquidationOrders,
    LiquidationTotals,
    Margin,
    OpenInterestHistory,
    PairMarket,
    PositionSide,
    VenueFunding,
    VenueOpenInterest,
    WhaleAction,
    WhaleAlert,
    WhalePosition,
)
from app.core.domain.market import HOUR_MS, Price, PriceKind, Series, Unit
from app.core.domain.quality import CacheState, Missing, MissingReason, Reading
from app.core.domain.symbol import Symbol, resolve_symbol
from app.core.domain.views import Part, Parts, View, ViewQuery

NOW_MS = 1_772_000_000_000
WINDOWS = ("5m", "15m", "30m", "1h", "4h", "12h", "24h")
CLOSES = tuple(NOW_MS - HOUR_MS * n for n in range(120, -1, -1))
LONG, SHORT = PositionSide.LONG, PositionSide.SHORT


def by_window(start: float) -> dict[str, float]:
    return {window: start + n / 1000 for n, window in enumerate(WINDOWS)}


def coin_market(base: str = "BTC", *, price_usd: float = 96_200.5, interest_usd: float = 9.2e9) -> CoinMarket:
    return CoinMarket(
        base=base,
        scope="all exchanges",
        price=Price(price_usd, PriceKind.AGGREGATED),
        is_reduced=False,
        market_cap_usd=1.9e12,
        open_interest_usd=interest_usd,
        open_interest_base=95_000.5,
        open_interest_to_market_cap_frac=0.0327,
        open_interest_to_volume_frac=0.61,
        funding_oi_weighted_8h_frac=0.000066,
        funding_volume_weighted_8h_frac=-0.00001,
        volume_24h_usd=4.1e10,
        price_change_frac=by_window(-0.01),
        open_interest_change_frac=by_window(0.02),
        volume_change_frac=by_window(0.3),
        taker_long_short_ratio=by_window(1.02),
        liquidations=liquidated(),
    )


def liquidated() -> dict[str, LiquidatedUsd]:
    return {
        "1h": LiquidatedUsd(3e6, 1e6),
        "4h": LiquidatedUsd(9e6, 3e6),
        "12h": LiquidatedUsd(2e7, 1e7),
        "24h": LiquidatedUsd(4e7, 2e7),
    }


def pair_market(exchange: str) -> PairMarket:
    return PairMarket(
        exchange=exchange,
        instrument="BTCUSDT",
        quote="USDT",
        price_usd=96_200.5,
        index_price_usd=96_190.0,
        price_change_24h_frac=-0.012,
        volume_24h_usd=1e10,
        taker_buy_24h_usd=5.2e9,
        taker_sell_24h_usd=4.8e9,
        open_interest_usd=3e9,
        open_interest_base=31_000.0,
        open_interest_change_24h_frac=0.02,
        liquidations_24h=LiquidatedUsd(4e6, 2e6),
        funding_frac=0.0001,
        next_funding_ms=NOW_MS + HOUR_MS,
    )


def share_series(newest: float = 0.75, label: str = "accounts net long, Binance BTCUSDT") -> Series:
    values = tuple(0.5 + 0.001 * (n % 100) for n in range(len(CLOSES) - 1))
    return Series(Unit.FRAC, HOUR_MS, CLOSES, (*values, newest), label)


def funding_series() -> Series:
    values = tuple(0.00001 * n for n in range(len(CLOSES) - 1))
    return Series(Unit.FRAC_PER_8H, HOUR_MS, CLOSES, (*values, 0.0001), "funding, OI-weighted")


def interest_history() -> OpenInterestHistory:
    close = tuple(9e9 + 1e7 * n for n in range(len(CLOSES)))
    return OpenInterestHistory(
        Unit.USD,
        HOUR_MS,
        CLOSES,
        close,
        tuple(c + 1 for c in close),
        tuple(c - 1 for c in close),
        close,
        "all",
    )


def facts(venues: int = 3) -> dict[View, object]:
    """One value per view; `venues`: how many exchanges the lists have."""
    names = [f"Exchange {n}" for n in range(venues)]
    wallet = "0x" + "ab" * 20
    return {
        View.COIN_MARKET: coin_market(),
        View.ALL_MARKETS: tuple(coin_market(f"C{n}", interest_usd=1e9 - n) for n in range(45)),
        View.PAIR_MARKETS: tuple(map(pair_market, names)),
        View.LIQUIDATION_TOTALS: LiquidationTotals(
            "all exchanges", liquidated(), {name: LiquidatedUsd(2e6, 1e6) for name in names}
        ),
        View.LIQUIDATION_ORDERS: LiquidationOrders(
            (
                LiquidationOrder("Binance", "BTCUSDT", LONG, 95_000.0, 250_000.0, NOW_MS - 1000),
                LiquidationOrder("OKX", "BTC-USDT-SWAP", SHORT, 97_000.0, 50_000.0, NOW_MS - 2000),
            ),
            min_usd=10_000.0,
            is_cut=False,
        ),
        View.LIQUIDATION_MAP: LiquidationLevels(
            "CoinGlass liquidation map",
            96_000.0,
            tuple(LiquidationLevel(90_000.0 + 100 * n, 1e6 + n, LONG) for n in range(30))
            + tuple(LiquidationLevel(97_000.0 + 100 * n, 2e6 + n, SHORT) for n in range(30)),
        ),
        View.LIQUIDATION_HEATMAP: LiquidationHeatmap(
            "CoinGlass liquidation heatmap model 1",
            96_000.0,
            tuple(HeatmapCell(NOW_MS - n, 95_000.0 + 1000 * (n % 3), 1e6) for n in range(9)),
        ),
        View.ACCOUNT_RATIO: share_series(),
        View.TOP_ACCOUNT_RATIO: share_series(0.6, "top-trader accounts net long"),
        View.TOP_POSITION_RATIO: share_series(0.52, "top-trader positions long"),
        View.FUNDING_HISTORY: funding_series(),
        View.FUNDING_VENUES: tuple(
            VenueFunding(name, Margin.STABLECOIN, 0.0001 * (n + 1), 4.0 if n % 2 else 8.0, NOW_MS + HOUR_MS)
            for n, name in enumerate(names)
        ),
        View.OPEN_INTEREST_HISTORY: interest_history(),
        View.OPEN_INTEREST_VENUES: (
            VenueOpenInterest("All", True, 1e10, 1e5, {"1h": 0.01, "4h": 0.02, "24h": -0.03}),
            *(VenueOpenInterest(name, False, 2e9, 2e4, {"24h": -0.01}) for name in names),
        ),
        View.COINS: ("BTC", "ETH", "PEPE"),
        View.EXCHANGES: (
            ExchangeListing("Binance", tuple((f"C{n}USDT", f"C{n}", "USDT") for n in range(150))),
            ExchangeListing("OKX", (("BTC-USDT-SWAP", "BTC", "USDT"),)),
        ),
        View.WHALE_ALERTS: (
            WhaleAlert(
                wallet, "BTC", LONG, WhaleAction.OPENED, 20.0, 1.9e6, 95_000.0, 90_000.0, NOW_MS - 5000
            ),
            WhaleAlert(wallet, "ETH", SHORT, WhaleAction.CLOSED, 500.0, 1.2e6, 2_400.0, None, NOW_MS - 9000),
        ),
        View.WHALE_POSITIONS: (
            WhalePosition(
                wallet,
                "BTC",
                SHORT,
                30.0,
                2.9e6,
                97_000.0,
                96_200.0,
                101_000.0,
                20.0,
                145_000.0,
                24_000.0,
                -120.0,
                NOW_MS - 10 * HOUR_MS,
                NOW_MS - 4000,
            ),
            WhalePosition(
                wallet,
                "BTC",
                LONG,
                20.0,
                1.9e6,
                95_000.0,
                96_200.0,
                None,
                None,
                None,
                None,
                None,
                None,
                NOW_MS - 3000,
            ),
        ),
    }


def swapped(value: Any) -> Any:
    """Long and short exchanged, in sides, sums and shares."""
    if isinstance(value, LiquidatedUsd):
        return LiquidatedUsd(value.short_usd, value.long_usd)
    if isinstance(value, PositionSide):
        return SHORT if value is LONG else LONG
    if isinstance(value, Series) and value.unit is Unit.FRAC:
        return dataclasses.replace(value, values=tuple(1 - share for share in value.values))
    if isinstance(value, tuple):
        return tuple(swapped(item) for item in value)
    if isinstance(value, Mapping):
        return {key: swapped(item) for key, item in value.items()}
    if dataclasses.is_dataclass(value) and not isinstance(value, type | Series | Price):
        changes = {f.name: swapped(getattr(value, f.name)) for f in dataclasses.fields(value)}
        return dataclasses.replace(value, **changes)
    return value


class FakeDerivatives:
    """Answers every view from `found`; a view that is absent there is missing for want of a plan."""

    def __init__(self, known: frozenset[str]) -> None:
        self.known = known
        self.found: dict[View, object] = facts()
        self.asked: list[tuple[tuple[View, ...], ViewQuery]] = []
        self.detail = "coinglass: not asked: the hobbyist plan lacks this endpoint"

    def resolve(self, text: str) -> Symbol:
        return resolve_symbol(text, self.known)

    async def parts(self, views: Sequence[View], query: ViewQuery) -> Parts:
        self.asked.append((tuple(views), query))
        return {view: self._part(view) for view in views}

    def _part(self, view: View) -> Part:
        if view not in self.found:
            return Part(view, Missing(MissingReason.NOT_IN_PLAN, self.detail), "professional")
        reading = Reading(
            self.found[view], "coinglass", f"futures_{view}", NOW_MS - 5_000, NOW_MS - 1_000, CacheState.HIT
        )
        return Part(view, reading, None)
