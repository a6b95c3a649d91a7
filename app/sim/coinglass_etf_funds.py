"""The made-up books behind the ETF pages: funds of each coin, their daily flows, holdings and share prices.

Owns how these hang together: holdings are the first day's plus every flow at the day's price, net assets are
holdings times price, a share is a fixed amount of coin. Only trading days count. No wire words.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from app.sim.coinglass_index_days import Days, load_days
from app.sim.made_up import curve, noise
from app.sim.market import Floats, Int64s
from app.sim.wire import Call

_ROUND_USD = 100_000  # flows are reported in tenths of a million


@dataclass(frozen=True, slots=True)
class Fund:
    """coins: held on the first day; coin_per_share; fee_pct: a year; flow_usd: a typical day's."""

    ticker: str
    name: str
    venue: str
    coins: float
    coin_per_share: float
    fee_pct: float
    flow_usd: float


@dataclass(frozen=True, slots=True)
class Asset:
    """The funds of one coin. first_ms: first trading day."""

    base: str
    first_ms: int
    funds: tuple[Fund, ...]


BITCOIN = Asset(
    "BTC",
    1_704_931_200_000,
    (
        Fund("IBIT", "iShares Bitcoin Trust ETF", "XNAS", 60_000, 0.00057, 0.25, 9e7),
        Fund("FBTC", "Fidelity Wise Origin Bitcoin Fund", "BATS", 50_000, 0.00087, 0.25, 5e7),
        Fund("GBTC", "Grayscale Bitcoin Trust ETF", "ARCX", 300_000, 0.00079, 1.5, -3e7),
        Fund("ARKB", "ARK 21Shares Bitcoin ETF", "BATS", 30_000, 0.001, 0.21, 1.5e7),
        Fund("BITB", "Bitwise Bitcoin ETF", "ARCX", 28_000, 0.00054, 0.2, 1.2e7),
    ),
)
ETHEREUM = Asset(
    "ETH",
    1_721_692_800_000,
    (
        Fund("ETHA", "iShares Ethereum Trust ETF", "XNAS", 300_000, 0.0076, 0.25, 4e7),
        Fund("FETH", "Fidelity Ethereum Fund", "BATS", 200_000, 0.01, 0.25, 1.2e7),
        Fund("ETHE", "Grayscale Ethereum Trust ETF", "ARCX", 1_200_000, 0.0082, 2.5, -1e7),
        Fund("ETHW", "Bitwise Ethereum ETF", "ARCX", 90_000, 0.0072, 0.2, 4e6),
    ),
)
# The real funds of these three are younger than this market's present, so they start with it.
SOLANA = Asset(
    "SOL", 1_735_776_000_000, (Fund("BSOL", "Bitwise Solana Staking ETF", "ARCX", 900_000, 0.13, 0.2, 6e6),
                               Fund("GSOL", "Grayscale Solana Trust ETF", "ARCX", 400_000, 0.07, 0.35, 1.5e6))
)  # fmt: skip
XRP = Asset("XRP", 1_735_776_000_000, (Fund("XRPC", "Canary XRP ETF", "XNAS", 9e7, 9.0, 0.5, 8e6),))
HYPE = Asset(
    "HYPE", 1_735_776_000_000, (Fund("BHYP", "Bitwise Hyperliquid ETF", "ARCX", 600_000, 0.6, 0.67, 8e5),)
)
HONG_KONG = Asset(
    "BTC",
    1_714_435_200_000,
    (
        Fund("CHINAAMC", "ChinaAMC Bitcoin ETF", "XHKG", 1900, 0.0001, 0.99, 1.5e6),
        Fund("HARVEST", "Harvest Bitcoin Spot ETF", "XHKG", 900, 0.0001, 0.3, 5e5),
        Fund("BOSERA", "Bosera HashKey Bitcoin ETF", "XHKG", 900, 0.0001, 0.6, 4e5),
    ),
)


@dataclass(frozen=True, slots=True)
class Book:
    """One asset over its trading days; flows and holdings have one row per fund."""

    asset: Asset
    at_ms: Int64s
    price: Floats
    flows_usd: Floats
    holdings: Floats
    premium_pct: Floats
    volume_usd: Floats

    def fund_row(self, ticker: str) -> int | None:
        return next((i for i, fund in enumerate(self.asset.funds) if fund.ticker == ticker), None)

    def nav(self, row: int) -> Floats:
        """USD per share."""
        return self.price * self.asset.funds[row].coin_per_share

    def net_assets(self) -> Floats:
        """USD of each fund and day."""
        return self.holdings * self.price


def open_book(call: Call, asset: Asset) -> Book | None:
    """The book up to now, or None on recorded data and before the first trading day."""
    days = load_days(call, asset.base, asset.first_ms)
    if days is None:
        return None
    # 1970-01-01 was a Thursday: days 2 and 3 of each week from there are Saturday and Sunday.
    is_trading = ~np.isin(days.at_ms // 86_400_000 % 7, (2, 3))
    if not is_trading.any():
        return None
    return _book(
        asset, Days(days.at_ms[is_trading], days.price[is_trading], days.number[is_trading], days.market)
    )


def _book(asset: Asset, days: Days) -> Book:
    funds = asset.funds
    flows = np.stack([_flows(fund, days) for fund in funds])
    first = np.array([[fund.coins] for fund in funds])
    # A fund never sells more than it has.
    holdings = np.maximum(first + np.cumsum(flows / days.price, axis=1), 0.05 * first)
    premium = np.stack([(noise(f.ticker + " premium", days.number) - 0.5) * 0.4 for f in funds])
    volume = np.stack([abs(f.flow_usd) * (4 + 8 * noise(f.ticker + " volume", days.number)) for f in funds])
    return Book(asset, days.at_ms, days.price, flows, holdings, premium, volume)


def _flows(fund: Fund, days: Days) -> Floats:
    """Net creations in USD; every tenth day or so a fund has none."""
    mood = curve(fund.ticker + " mood", days.number, -1.5, 2.5) + 3 * (noise(fund.ticker, days.number) - 0.5)
    flows = np.rint(fund.flow_usd * mood / _ROUND_USD) * _ROUND_USD
    return np.where(noise(fund.ticker + " quiet", days.number) < 0.1, 0.0, flows)
