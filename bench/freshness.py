"""BENCH freshness: how close to the ideal the budget planner keeps a watched market, on each plan.

A simulated hour in virtual time: the real planner, quota, cache and HTTP client against an upstream in this
process whose figures are renewed at the documented periods. Traders ask by a Zipf law; cold questions about
other coins use the reserve. The ideal is computed here, by its own code: the lower bound of the same weighted
problem with continuous rates.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import math
import random
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial

import httpx2

from app.services.coinglass.catalog import CALLS_PER_MINUTE, ENDPOINTS, Plan, min_period_s
from app.services.coinglass.client import RefusalTolerantBreaker, build_check
from app.services.transport.cache import Freshness, ResourceCache
from app.services.transport.http import ClientConfig, UpstreamClient
from app.services.transport.limits import Quota, background_calls
from app.services.transport.planner import BudgetPlanner
from app.services.transport.resource import Resource, ResourceClient
from bench.report import Figure
from bench.virtual_time import run_virtual

SYMBOLS = 50
LATENCY_S = 0.2
SETTLE_S = 1_800.0  # demand is learned and every resource fetched before the hour that counts
HOUR_S = 3_600.0
ASKED_PER_S = 2.0
SEED = 11
_HOUR_MS = 3_600_000
# 11:00 UTC: bars of one and of four hours close in the middle of the hour that counts.
START_MS = 1_760_007_600_000


@dataclass(frozen=True, slots=True)
class Setup:
    """What one plan keeps warm: per coin, for all coins, and histories of bars per coin."""

    plan: Plan
    per_symbol: tuple[str, ...]
    bulk: tuple[str, ...]
    bars: tuple[str, ...]
    bar_h: int

    @property
    def calls(self) -> int:
        return CALLS_PER_MINUTE[self.plan]


_HISTORIES = (
    "futures_liquidation_aggregated_history",
    "futures_open_interest_aggregated_history",
    "futures_open_interest_aggregated_stablecoin_history",
    "futures_funding_rate_oi_weight_history",
    "futures_global_long_short_account_ratio_history",
    "futures_top_long_short_account_ratio_history",
    "futures_top_long_short_position_ratio_history",
)
_LISTS = ("futures_pairs_markets", "futures_open_interest_exchange_list", "futures_liquidation_exchange_list")
SETUPS = (
    Setup(
        Plan.STANDARD,
        ("futures_open_interest_exchange_list",),
        (
            "futures_coins_markets",
            "futures_funding_rate_exchange_list",
            "hyperliquid_whale_alert",
            "hyperliquid_whale_position",
        ),
        _HISTORIES,
        1,
    ),
    Setup(
        Plan.STARTUP,
        _LISTS,
        (
            "futures_liquidation_coin_list",
            "futures_funding_rate_exchange_list",
            "hyperliquid_whale_alert",
            "hyperliquid_whale_position",
        ),
        _HISTORIES,
        1,
    ),
    Setup(Plan.HOBBYIST, _LISTS, ("futures_funding_rate_exchange_list",), _HISTORIES, 4),
)


@dataclass
class Upstream:
    """Renews each resource every `min_period_s` at a phase of its own; counts calls in every 60 s."""

    now_s: partial[float]
    limit: int
    random: random.Random
    arrived: deque[float] = field(default_factory=deque)
    violations: int = 0
    calls: int = 0
    phases: dict[str, float] = field(default_factory=dict)

    async def __call__(self, request: httpx2.Request) -> httpx2.Response:
        await asyncio.sleep(LATENCY_S / 2)
        at_s = self.now_s()
        self.calls += 1
        self.arrived.append(at_s)
        while self.arrived[0] <= at_s - 60:
            self.arrived.popleft()
        self.violations += len(self.arrived) > self.limit
        made_s = self._made_s(str(request.url), request.url.path, at_s)
        await asyncio.sleep(LATENCY_S / 2)
        return httpx2.Response(200, json={"code": "0", "data": {"made": made_s}})

    def _made_s(self, url: str, path: str, at_s: float) -> float:
        period_s = min_period_s(_IDS[path])
        phase_s = self.phases.setdefault(url, self.random.uniform(0, period_s))
        return math.floor((at_s + phase_s) / period_s) * period_s - phase_s


_IDS = {endpoint.path: endpoint.id for endpoint in ENDPOINTS.values()}


def _made(body: bytes) -> float:
    return float(json.loads(body)["data"]["made"])


def _kept_s(seconds: float) -> Freshness:
    # Watched figures are the planner's: a question shows what there is and does not ask by itself.
    return Freshness(int(seconds * 1000), error_ms=int(seconds * 1000))


def _list(endpoint: str, params: Mapping[str, str | int]) -> Resource[float]:
    return Resource(endpoint, ENDPOINTS[endpoint].path, params, _made, lambda _v, _at: _kept_s(10 * HOUR_S))


def _history(endpoint: str, coin: str, bar_h: int) -> Resource[float]:
    def freshness(_value: float, fetched_ms: int) -> Freshness:
        bar_ms = bar_h * _HOUR_MS
        return Freshness(bar_ms - fetched_ms % bar_ms, 0, 10 * bar_ms)

    params = {"symbol": coin, "interval": f"{bar_h}h"}
    return Resource(endpoint, ENDPOINTS[endpoint].path, params, _made, freshness)


@dataclass(slots=True)
class Outcome:
    """Demand-weighted mean ages of lists, at best and as seen; how late histories were; what it cost."""

    ideal_s: float
    achieved_s: float
    bars_late_s: float
    calls_per_minute: float
    violations: int
    asked: int


def zipf(count: int) -> list[float]:
    """Weights 1/rank that sum to 1."""
    raw = [1 / rank for rank in range(1, count + 1)]
    return [weight / sum(raw) for weight in raw]


def ideal_mean_age_s(weights: list[float], renewals_s: list[float], calls_per_s: float) -> float:
    """The least demand-weighted mean age that `calls_per_s` can reach with continuous rates.

    Minimises sum w (T/2 + U/2 + L) under sum 1/T <= budget and T >= U, by bisection on the multiplier: at the
    optimum T = max(U, sqrt(2 m / w)).
    """

    def periods(multiplier: float) -> list[float]:
        return [max(u, math.sqrt(2 * multiplier / w)) for w, u in zip(weights, renewals_s, strict=True)]

    low, high = 0.0, 1e12
    for _ in range(200):
        middle = (low + high) / 2
        if sum(1 / period for period in periods(middle)) > calls_per_s:
            low = middle
        else:
            high = middle
    found = periods(high)
    rows = zip(weights, found, renewals_s, strict=True)
    return sum(w * (t / 2 + u / 2 + LATENCY_S) for w, t, u in rows) / sum(weights)


async def _hour(setup: Setup) -> Outcome:
    loop = asyncio.get_running_loop()
    dice = random.Random(SEED)
    now_ms = partial(_now_ms, loop)
    upstream = Upstream(partial(loop.time), setup.calls, dice)
    quota = Quota("coinglass", calls=setup.calls, window_s=60.0, monotonic=loop.time)
    client = UpstreamClient(
        ClientConfig(
            provider="coinglass",
            base_url="http://upstream",
            headers={"CG-API-KEY": "bench-key-0123456789"},
            secrets=("bench-key-0123456789",),
            now_ms=now_ms,
        ),
        breaker=RefusalTolerantBreaker("coinglass", monotonic=loop.time),
        quota=quota,
        observe=lambda _record: None,
        monotonic=loop.time,
        transport=httpx2.MockTransport(upstream),
    )
    source = ResourceClient(client, ResourceCache(now_ms=now_ms, max_entries=8192), check=build_check(quota))
    planner = BudgetPlanner(source, quota, min_period_s=min_period_s, monotonic=loop.time)
    source.planner = planner
    coins = [f"C{n}" for n in range(SYMBOLS)]
    lists = {coin: [_list(endpoint, {"symbol": coin}) for endpoint in setup.per_symbol] for coin in coins}
    bulk = [_list(endpoint, {}) for endpoint in setup.bulk]
    bars = {coin: [_history(endpoint, coin, setup.bar_h) for endpoint in setup.bars] for coin in coins}
    for resource in itertools.chain(bulk, *lists.values(), *bars.values()):
        planner.asked(resource, source.key(resource))
    planner.start()
    cold = asyncio.create_task(_cold(source, setup, dice))
    await _traders(planner, source, [*lists.values()], bulk, bars, dice, until_s=SETTLE_S, seen=None)
    calls_before = upstream.calls
    seen: list[float] = []
    late: list[float] = []
    await _traders(
        planner,
        source,
        [*lists.values()],
        bulk,
        bars,
        dice,
        until_s=SETTLE_S + HOUR_S,
        seen=seen,
        late=late,
    )
    cold.cancel()
    await planner.close()
    await source.aclose()
    # The hour that counts holds one close of every bar size in use.
    bars_per_s = SYMBOLS * len(setup.bars) / HOUR_S
    budget = background_calls(setup.calls) / 60 - bars_per_s
    shares = zipf(SYMBOLS)
    weights = [share for share in shares for _ in setup.per_symbol] + [1.0] * len(setup.bulk)
    renewals = [min_period_s(endpoint) for _ in coins for endpoint in setup.per_symbol]
    renewals += [min_period_s(endpoint) for endpoint in setup.bulk]
    return Outcome(
        ideal_s=ideal_mean_age_s(weights, renewals, budget),
        achieved_s=sum(seen) / len(seen),
        bars_late_s=sum(late) / len(late),
        calls_per_minute=(upstream.calls - calls_before) / (HOUR_S / 60),
        violations=upstream.violations,
        asked=len(seen),
    )


def _now_ms(loop: asyncio.AbstractEventLoop) -> int:
    return START_MS + int(loop.time() * 1000)


async def _traders(
    planner: BudgetPlanner,
    source: ResourceClient,
    lists: list[list[Resource[float]]],
    bulk: list[Resource[float]],
    bars: dict[str, list[Resource[float]]],
    dice: random.Random,
    *,
    until_s: float,
    seen: list[float] | None,
    late: list[float] | None = None,
) -> None:
    """Questions one after another, exponentially apart; `seen`: age of every figure of every answer."""
    loop = asyncio.get_running_loop()
    shares = zipf(len(lists))
    histories = list(bars.values())
    while loop.time() < until_s:
        await asyncio.sleep(dice.expovariate(ASKED_PER_S))
        (rank,) = dice.choices(range(len(lists)), shares)
        for resource in (*lists[rank], *bulk):
            key = source.key(resource)
            if source.age_ms(key) is None:
                planner.asked(resource, key)  # not there yet: counted as a question, not as an age
                continue
            cached = await source.fetch(resource)
            if seen is not None:
                seen.append(loop.time() - cached.value)
        for resource in histories[rank]:
            key = source.key(resource)
            planner.asked(resource, key)
            if late is not None:
                late.append(max(0.0, -source.fresh_for_ms(key) / 1000))


async def _cold(source: ResourceClient, setup: Setup, dice: random.Random) -> None:
    """Questions about coins nobody watches, half as many as the reserve would bear."""
    per_s = setup.calls * 0.1 / 60 / 2
    for number in itertools.count():
        await asyncio.sleep(dice.expovariate(per_s))
        await source.fetch(_list(setup.per_symbol[0], {"symbol": f"X{number}"}))


def run() -> list[Figure]:
    """efficiency_300, _80, _30, with the delay of histories and the calls above the plan."""
    figures: list[Figure] = []
    violations = 0
    for setup in SETUPS:
        found = run_virtual(_hour(setup))
        violations += found.violations
        e_s, e_g = len(setup.per_symbol), len(setup.bulk)
        context = (
            f"{setup.plan.value}, {SYMBOLS} coins, e_s {e_s}, e_g {e_g}, {len(setup.bars)} histories of "
            f"{setup.bar_h}h; mean age {found.achieved_s:.1f} s, ideal {found.ideal_s:.1f} s over "
            f"{found.asked} figures; {found.calls_per_minute:.0f} calls/min; aim >= 0.90"
        )
        figures.append(
            Figure("freshness", f"efficiency_{setup.calls}", found.ideal_s / found.achieved_s, "x", context)
        )
        late = f"mean delay of a closed bar when asked for, {setup.plan.value}"
        figures.append(Figure("freshness", f"bars_late_s_{setup.calls}", found.bars_late_s, "s", late))
    figures.append(
        Figure("freshness", "violations", violations, "calls", "above the plan in any 60 s; aim 0")
    )
    return figures
