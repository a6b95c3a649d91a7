"""CoinGlass token unlocks: what comes next for every coin, and one coin's whole vesting plan.

Three buckets by one rule: a launch share freed at once, a team share freed day by day, a rest nobody follows.
Totals are sums of the buckets. Old proof-of-work coins have no plan. Recorded data holds none.
"""

from __future__ import annotations

from typing import Any

from app.sim.coin_view import DAY_MS, view_coin
from app.sim.coinglass_plans import Gate
from app.sim.coinglass_wire import CoinglassEndpoint, invented, page_of
from app.sim.listings import find_coin
from app.sim.market import Coin
from app.sim.wire import Call, hashed_unit, plain

_UNPLANNED = frozenset({"BTC", "ETH", "LTC", "BCH", "ETC", "DOGE", "MKR"})
_START_MS = 1_672_531_200_000  # 2023-01-01
_LAUNCH, _TEAM, _UNTRACKED = 0.35, 0.4, 0.25  # of the supply
_CHART_STEP_MS = 90 * DAY_MS


class _Plan:
    """One coin's vesting: everything in tokens and ms."""

    def __init__(self, call: Call, coin: Coin) -> None:
        self.supply = coin.circulating * (1.2 + 0.8 * hashed_unit(coin.base, "supply"))
        self.years = 3 + int(3 * hashed_unit(coin.base, "years"))
        self.end_ms = _START_MS + self.years * 365 * DAY_MS
        self.launch, self.team, self.untracked = (
            round(self.supply * share) for share in (_LAUNCH, _TEAM, _UNTRACKED)
        )
        self.a_day = self.team / (self.years * 365)
        self.team_freed = self.freed_at(call.now_ms)
        self.next_ms = (call.now_ms // DAY_MS + 1) * DAY_MS

    def freed_at(self, at_ms: int) -> int:
        """Team tokens freed by then, one step a day."""
        days = max(0, min(at_ms, self.end_ms) - _START_MS) // DAY_MS
        return min(self.team, round(days * self.a_day))

    @property
    def unlocked(self) -> int:
        return self.launch + self.team_freed


def _unlocks(call: Call) -> object:
    coins = [coin for coin in call.market.coins() if coin.base not in _UNPLANNED]
    rows = (_unlock_row(call, coin) for coin in page_of(call, coins))
    return [row for row in rows if row is not None]


def _unlock_row(call: Call, coin: Coin) -> dict[str, Any] | None:
    view, plan = view_coin(call.market, coin, call.now_ms), _Plan(call, coin)
    if view.price is None:
        return None
    return {
        "symbol": coin.base,
        "name": coin.name,
        "symbol_logo_url": f"https://example.com/coins/{coin.base.lower()}.png",
        "price": view.price,
        "price_change_percent_24h": round(view.price_change_pct(DAY_MS) or 0.0, 2),
        "market_cap": view.price * coin.circulating,
        "total_supply": round(plan.supply),
        "fully_diluted_valuation": view.price * plan.supply,
        "total_locked": plan.team - plan.team_freed,
        "circulating_supply": coin.circulating,
        "total_unlocked": plan.unlocked,
        "next_unlock_date": plan.next_ms,
        "next_unlock_tokens": round(plan.a_day),
        "next_unlock_of_circulating": plan.a_day / coin.circulating * 100,
        "next_unlock_of_supply": plan.a_day / plan.supply * 100,
    }


def _vesting(call: Call) -> object:
    coin = find_coin(call.market, call.params["symbol"])
    known = call.market.last_price(coin.base) if coin else None
    if coin is None or known is None or coin.base in _UNPLANNED:
        return []
    plan = _Plan(call, coin)
    return {
        "market_cap": known[0] * coin.circulating,
        "symbol": coin.base,
        "total_untracked": plan.untracked,
        "listing_date": _START_MS,
        "vesting_start_date": _START_MS,
        "total_supply": round(plan.supply),
        "total_locked": plan.team - plan.team_freed,
        "total_unlocked": plan.unlocked,
        "vesting_end_date": plan.end_ms,
        "next_unlock": _next(plan),
        "circulating_supply": coin.circulating,
        "total_untracked_percent": 100 * _UNTRACKED,
        "allocations": _allocations(plan),
        "fully_diluted_valuation": known[0] * plan.supply,
        "name": coin.name,
        "max_supply": round(plan.supply),
        "chart": [_chart_row(plan, at) for at in range(_START_MS, plan.end_ms + 1, _CHART_STEP_MS)],
        "untracked_allocation_names": ["Community reserve"],
    }


def _next(plan: _Plan) -> dict[str, Any]:
    return {"date": plan.next_ms, "next_unlock_token_amount": plain(round(plan.a_day))}


def _allocations(plan: _Plan) -> list[dict[str, Any]]:
    """Keys differ by bucket: one without a schedule has no dates, one freed at once no steps."""
    launch = {
        "is_untracked": False,
        "allocation_of_supply": 100 * _LAUNCH,
        "name": "Launch",
        "unlock_type": "nonlinear",
        "token_amount": plain(plan.launch),
        "tge_unlocked_token_amount": plain(plan.launch),
        "unlocked_token_amount": plain(plan.launch),
        "tge_unlock_percent": 100,
    }
    team = {
        "is_untracked": False,
        "vesting_start_date": _START_MS,
        "locked_token_amount": plain(plan.team - plan.team_freed),
        "vesting_end_date": plan.end_ms,
        "tge_unlocked_token_amount": "0",
        "next_unlock": _next(plan),
        "unlocked_token_amount": plain(plan.team_freed),
        "tge_unlock_percent": 0,
        "vesting_duration_value": plan.years,
        "vesting_duration_type": "year",
        "allocation_of_supply": 100 * _TEAM,
        "unlock_frequency_type": "day",
        "name": "Team and investors",
        "unlock_type": "linear",
        "token_amount": plain(plan.team),
        "unlock_frequency_value": 1,
    }
    reserve = {
        "is_untracked": True,
        "allocation_of_supply": 100 * _UNTRACKED,
        "name": "Community reserve",
        "token_amount": plain(plan.untracked),
    }
    return [launch, team, reserve]


def _chart_row(plan: _Plan, at_ms: int) -> dict[str, Any]:
    freed = plan.freed_at(at_ms)
    buckets = (("Launch", plan.launch, plan.launch), ("Team and investors", plan.team, freed))
    return {
        "date": at_ms,
        "allocations": [
            {
                "name": name,
                "unlocked_percent": round(100 * done / amount, 3),
                "token_amount": plain(amount),
                "unlocked_token_amount": plain(done),
            }
            for name, amount, done in buckets
        ],
        "is_tge": at_ms == _START_MS,
        "unlocked_percent": round(100 * (plan.launch + freed) / plan.supply, 3),
        "unlocked_token_amount": plain(plan.launch + freed),
    }


TOKEN_ENDPOINTS: tuple[CoinglassEndpoint, ...] = (
    CoinglassEndpoint(
        "coin_unlock_list",
        "/api/coin/unlock-list",
        invented(_unlocks),
        cache_ms=30_000,
        gate=Gate.STARTUP,
    ),
    CoinglassEndpoint(
        "coin_vesting",
        "/api/coin/vesting",
        invented(_vesting),
        ("symbol",),
        cache_ms=30_000,
        gate=Gate.STARTUP,
    ),
)
