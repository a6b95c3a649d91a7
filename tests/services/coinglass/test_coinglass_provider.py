"""The adapter as the service uses it: plan, lists, sources, refusals, probes, status; on a mock upstream."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

import httpx2
import pytest

from app.core.clock import ManualClock
from app.core.domain.context import Capability
from app.core.domain.market import HOUR_MS, PriceKind
from app.core.domain.quality import CacheState
from app.core.domain.status import ProviderState
from app.core.domain.symbol import Symbol
from app.core.errors import (
    ProviderAuthFailed,
    ProviderBadPayload,
    ProviderCircuitOpen,
    ProviderError,
    ProviderNoData,
    ProviderPlanLimited,
    ProviderUnavailable,
)
from app.core.ports import Fetched
from app.services.coinglass import CoinGlassProvider, build_provider
from app.services.coinglass.catalog import ENDPOINTS
from app.services.transport.cache import ResourceCache

Body = Callable[[str, str], bytes]

BTC, PEPE = Symbol("BTC"), Symbol("PEPE")
KEY = "not-a-real-key-0123456789"
T0 = 1_760_000_400_000  # open of the first bar of the history fixtures
NOW = T0 + 3 * HOUR_MS + 60_000  # one minute after the third bar closed

COINS = "futures_coins_markets"
PAIRS_MARKETS = "futures_pairs_markets"
PAIRS = "futures_supported_exchange_pairs"
PRICE = "futures_price_history"
OI = "futures_open_interest_aggregated_history"
LIQ = "futures_liquidation_aggregated_history"
SUBSCRIPTION = "user_account_subscription"
HEATMAP = "futures_liquidation_aggregated_heatmap_model1"

OHLC = ("open", "high", "low", "close")

CASES = {
    SUBSCRIPTION: "standard",
    "futures_liquidation_exchange_list": "live",
    "futures_liquidation_aggregated_map": "live",
    "index_fear_greed_history": "live",
}


class Upstream:
    """Answers each endpoint with a fixture; `answers` overrides by endpoint id, `calls` is the log."""

    def __init__(self, body: Body) -> None:
        self._body = body
        self._ids = {endpoint.path: endpoint.id for endpoint in ENDPOINTS.values()}
        self.answers: dict[str, Callable[[httpx2.Request], httpx2.Response]] = {}
        self.calls: list[tuple[str, dict[str, str]]] = []
        self.keys: set[str] = set()

    def __call__(self, request: httpx2.Request) -> httpx2.Response:
        endpoint = self._ids[request.url.path]
        self.calls.append((endpoint, dict(request.url.params)))
        self.keys.add(request.headers["CG-API-KEY"])
        if endpoint in self.answers:
            return self.answers[endpoint](request)
        return httpx2.Response(200, content=self._body(endpoint, CASES.get(endpoint, "normal")))

    def fail(self, endpoint: str, case: str, status: int = 200) -> None:
        self.answers[endpoint] = lambda _: httpx2.Response(status, content=self._body("any", case))

    def show(self, endpoint: str, case: str) -> None:
        self.answers[endpoint] = lambda _: httpx2.Response(200, content=self._body(endpoint, case))

    def refuse_hours(self, endpoint: str) -> None:
        def answer(request: httpx2.Request) -> httpx2.Response:
            refused = request.url.params["interval"] == "1h"
            content = self._body("any", "upgrade_plan") if refused else self._body(endpoint, "normal")
            return httpx2.Response(200, content=content)

        self.answers[endpoint] = answer

    def asked(self, endpoint: str) -> list[dict[str, str]]:
        return [params for called, params in self.calls if called == endpoint]


def hours_until(now_ms: int) -> httpx2.Response:
    """Open interest of the last closed hours and of the hour still forming at `now_ms`."""
    newest = now_ms // HOUR_MS * HOUR_MS
    opens = range(newest - 5 * HOUR_MS, newest + 1, HOUR_MS)
    rows = [dict.fromkeys(OHLC, "1e9") | {"time": at} for at in opens]
    return httpx2.Response(200, json={"code": "0", "data": rows})


async def no_wait(_: float) -> None:
    return None


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(start_ms=NOW)


@pytest.fixture
def upstream(body: Body) -> Upstream:
    return Upstream(body)


def build(upstream: Upstream, clock: ManualClock, **options: Any) -> CoinGlassProvider:
    return build_provider(
        api_key=KEY,
        base_url="http://coinglass.test",
        cache=ResourceCache(now_ms=clock.now_ms),
        observe=lambda _: None,
        now_ms=clock.now_ms,
        monotonic=clock.monotonic_s,
        transport=httpx2.MockTransport(upstream),
        sleep=no_wait,
        **options,
    )


@pytest.fixture
def provider(upstream: Upstream, clock: ManualClock) -> CoinGlassProvider:
    return build(upstream, clock)


async def fetch(provider: CoinGlassProvider, capability: Capability, symbol: Symbol = BTC) -> Fetched[Any]:
    source = next(item for item in provider.sources() if item.capability is capability)
    return await source.fetch(symbol)


class TestWatch:
    def planned(self, provider: CoinGlassProvider) -> set[str]:
        """Coins kept warm, as CoinGlass spells them."""
        rows = [row.params for row in provider.budget().rows if row.is_watched]
        found = {part for params in rows for part in params.split("&")}
        return {part.removeprefix("symbol=") for part in found if part.startswith("symbol=")} - {"BTCUSDT"}

    async def test_the_planner_follows_the_coins_at_once_and_leaves_out_what_is_not_listed(
        self, upstream: Upstream, clock: ManualClock
    ) -> None:
        provider = build(upstream, clock, watch=("BTC",), plans_ahead=True)
        provider.watch(["BTC"])  # before the start nothing is known of any coin
        assert provider.budget().rows == ()
        await provider.start()
        try:
            assert self.planned(provider) == {"BTC"}
            provider.watch(["NOSUCH", "BTC", "PEPE"])
            assert {"BTC"} < self.planned(provider)
            assert not any("NOSUCH" in name for name in self.planned(provider))
            assert any("PEPE" in name for name in self.planned(provider))
            provider.watch([])
            assert self.planned(provider) == set()
        finally:
            await provider.close()

    async def test_without_a_key_there_is_nothing_to_follow(self, clock: ManualClock) -> None:
        CoinGlassProvider(None, now_ms=clock.now_ms, monotonic=clock.monotonic_s).watch(["BTC"])


class TestStart:
    async def test_the_plan_sets_the_budget_and_the_lists_are_known(
        self, provider: CoinGlassProvider
    ) -> None:
        await provider.start()
        status = provider.status()
        assert status.plan == "standard"
        assert status.quota_limit == 300
        assert status.state is ProviderState.OK
        assert {"BTC", "PEPE", "BONK"} <= provider.known_bases()

    async def test_a_missing_account_endpoint_leaves_the_plan_unknown(
        self, provider: CoinGlassProvider, upstream: Upstream
    ) -> None:
        upstream.fail(SUBSCRIPTION, "not_found", 404)
        await provider.start()
        fetched = await fetch(provider, Capability.OPEN_INTEREST_USD)
        assert provider.status().plan is None
        assert fetched.value.interval_ms == HOUR_MS
        assert len(upstream.asked(SUBSCRIPTION)) == 1

    async def test_a_dead_provider_is_a_state_and_not_an_exception(
        self, provider: CoinGlassProvider, upstream: Upstream
    ) -> None:
        for endpoint in ENDPOINTS:
            upstream.fail(endpoint, "server_fault", 500)
        await provider.start()
        assert provider.known_bases() == frozenset()
        assert provider.status().state in (ProviderState.DEGRADED, ProviderState.DOWN)

    async def test_lists_missing_at_start_are_loaded_on_demand(
        self, provider: CoinGlassProvider, upstream: Upstream, clock: ManualClock
    ) -> None:
        upstream.fail(PAIRS, "parameter_missing")
        await provider.start()
        del upstream.answers[PAIRS]
        fetched = await fetch(provider, Capability.CANDLES)
        assert fetched.value.exchange == "Binance"

    async def test_the_pair_list_is_refreshed_daily(
        self, provider: CoinGlassProvider, upstream: Upstream, clock: ManualClock
    ) -> None:
        await provider.start()
        await fetch(provider, Capability.ACCOUNT_RATIO)
        assert len(upstream.asked(PAIRS)) == 1
        clock.tick(24 * 3600)
        upstream.show("futures_global_long_short_account_ratio_history", "normal")
        await fetch(provider, Capability.ACCOUNT_RATIO)
        await fetch(provider, Capability.ACCOUNT_RATIO)
        assert len(upstream.asked(PAIRS)) == 2

    async def test_usage_headers_correct_the_budget(
        self, provider: CoinGlassProvider, upstream: Upstream, body: Body
    ) -> None:
        headers = {"API-KEY-USE-LIMIT": "40", "API-KEY-MAX-LIMIT": "120"}
        content = body("index_fear_greed_history", "live")
        upstream.answers["index_fear_greed_history"] = lambda _: httpx2.Response(
            200, content=content, headers=headers
        )
        await fetch(provider, Capability.FEAR_GREED)
        assert provider.status().quota_limit == 120
        assert provider.status().quota_left == 80


class TestSources:
    async def test_price_is_the_aggregated_one_timed_by_its_fetch(self, provider: CoinGlassProvider) -> None:
        fetched = await fetch(provider, Capability.PRICE)
        assert fetched.value.price_usd == 121_500.5
        assert fetched.value.kind is PriceKind.AGGREGATED
        assert fetched.value.exchange is None
        assert fetched.ts_event_ms == fetched.ts_init_ms == NOW

    async def test_one_bulk_call_serves_every_symbol_for_ten_seconds(
        self, provider: CoinGlassProvider, upstream: Upstream, clock: ManualClock
    ) -> None:
        await fetch(provider, Capability.PRICE)
        ether = await fetch(provider, Capability.PRICE, Symbol("ETH"))
        assert ether.cache is CacheState.HIT
        assert len(upstream.asked(COINS)) == 1
        clock.tick(11)
        await fetch(provider, Capability.PRICE)
        assert len(upstream.asked(COINS)) == 2

    async def test_a_coin_on_a_later_page_is_found(
        self, provider: CoinGlassProvider, upstream: Upstream, body: Body
    ) -> None:
        first = b'{"code":"0","data":[{"symbol":"AAA","current_price":1}]}'

        def answer(request: httpx2.Request) -> httpx2.Response:
            is_first = request.url.params["page"] == "1"
            return httpx2.Response(200, content=first if is_first else body(COINS, "normal"))

        upstream.answers[COINS] = answer
        assert (await fetch(provider, Capability.PRICE)).value.price_usd == 121_500.5

    async def test_a_coin_on_no_page_gets_its_price_from_a_pair(
        self, provider: CoinGlassProvider, upstream: Upstream
    ) -> None:
        page = b'{"code":"0","data":[{"symbol":"AAA","current_price":1}]}'
        upstream.answers[COINS] = lambda _: httpx2.Response(200, content=page)
        fetched = await fetch(provider, Capability.PRICE)
        assert fetched.endpoint == PAIRS_MARKETS
        assert len(upstream.asked(COINS)) == 2  # a server that ignores the page number ends the search

    async def test_a_coin_listed_per_thousand_has_its_price_per_coin(
        self, provider: CoinGlassProvider, upstream: Upstream
    ) -> None:
        rows = b'{"code":"0","data":[{"symbol":"1000BONK","current_price":0.02}]}'
        upstream.answers[COINS] = lambda _: httpx2.Response(200, content=rows)
        await provider.start()
        fetched = await fetch(provider, Capability.PRICE, Symbol("BONK"))
        assert fetched.value.price_usd == pytest.approx(0.00002)

    async def test_a_null_price_is_a_bad_payload(
        self, provider: CoinGlassProvider, upstream: Upstream
    ) -> None:
        upstream.show(COINS, "null_price")
        with pytest.raises(ProviderBadPayload):
            await fetch(provider, Capability.PRICE)

    async def test_candles_of_a_multiplied_contract_are_per_coin(
        self, provider: CoinGlassProvider, upstream: Upstream
    ) -> None:
        upstream.show(PRICE, "per_thousand")
        fetched = await fetch(provider, Capability.CANDLES, PEPE)
        assert fetched.value.close == pytest.approx((0.000012,))
        assert upstream.asked(PRICE) == [
            {"exchange": "Binance", "symbol": "1000PEPEUSDT", "interval": "1h", "limit": "1000"}
        ]

    async def test_liquidations_name_their_exchanges_and_keep_quiet_hours(
        self, provider: CoinGlassProvider, upstream: Upstream
    ) -> None:
        fetched = await fetch(provider, Capability.LIQUIDATIONS)
        assert fetched.value.scope == "Binance,OKX,Bybit"
        assert fetched.value.close_ms == (T0 + HOUR_MS, T0 + 2 * HOUR_MS, T0 + 3 * HOUR_MS)
        assert upstream.asked(LIQ)[0]["exchange_list"] == "Binance,OKX,Bybit"

    @pytest.mark.parametrize(
        ("capability", "unit"),
        [(Capability.OPEN_INTEREST_USD, "usd"), (Capability.OPEN_INTEREST_BASE, "coin")],
    )
    async def test_open_interest_is_asked_in_its_unit(
        self, provider: CoinGlassProvider, upstream: Upstream, capability: Capability, unit: str
    ) -> None:
        fetched = await fetch(provider, capability)
        assert upstream.asked(OI) == [{"symbol": "BTC", "unit": unit, "interval": "1h", "limit": "1000"}]
        assert fetched.ts_event_ms == T0 + 3 * HOUR_MS

    @pytest.mark.parametrize(
        ("capability", "newest"),
        [
            (Capability.FUNDING, 0.0001),
            (Capability.ACCOUNT_RATIO, 0.684),
            (Capability.TOP_POSITION_RATIO, 0.684),
            (Capability.FEAR_GREED, 51),
        ],
    )
    async def test_the_newest_value_is_the_last_closed_one(
        self, provider: CoinGlassProvider, clock: ManualClock, capability: Capability, newest: float
    ) -> None:
        clock.tick(24 * 3600)
        assert (await fetch(provider, capability)).value.values[-1] == pytest.approx(newest)

    async def test_a_history_is_fetched_once_per_closed_bar(
        self, provider: CoinGlassProvider, upstream: Upstream, clock: ManualClock
    ) -> None:
        clock.tick(30)  # 90 s after the close: the bar is final
        assert (await fetch(provider, Capability.OPEN_INTEREST_USD)).cache is CacheState.MISS
        clock.tick(59 * 60 - 30 - 1)
        assert (await fetch(provider, Capability.OPEN_INTEREST_USD)).cache is CacheState.HIT
        clock.tick(1)
        assert (await fetch(provider, Capability.OPEN_INTEREST_USD)).cache is CacheState.MISS
        assert len(upstream.asked(OI)) == 2

    @pytest.mark.parametrize("start_ms", [NOW // HOUR_MS * HOUR_MS, NOW])
    async def test_a_replay_that_steps_one_hour_never_sees_a_history_one_bar_old(
        self, provider: CoinGlassProvider, upstream: Upstream, clock: ManualClock, start_ms: int
    ) -> None:
        clock.set(start_ms)
        upstream.answers[OI] = lambda _: hours_until(clock.now_ms())
        for step in range(4):
            fetched = await fetch(provider, Capability.OPEN_INTEREST_USD)
            assert fetched.value.close_ms[-1] == clock.now_ms() // HOUR_MS * HOUR_MS
            assert len(upstream.asked(OI)) == step + 1
            clock.tick(3600)

    async def test_a_bar_still_forming_when_fetched_does_not_close_by_waiting(
        self, provider: CoinGlassProvider, upstream: Upstream, clock: ManualClock
    ) -> None:
        upstream.answers[OI] = lambda _: hours_until(clock.now_ms())
        before = await fetch(provider, Capability.OPEN_INTEREST_USD)
        upstream.fail(OI, "server_fault")
        clock.tick(3600)
        later = await fetch(provider, Capability.OPEN_INTEREST_USD)
        assert later.cache is CacheState.STALE
        assert later.value == before.value

    async def test_a_bar_that_grows_after_its_close_is_seen_grown(
        self, provider: CoinGlassProvider, upstream: Upstream, clock: ManualClock
    ) -> None:
        clock.set(NOW // HOUR_MS * HOUR_MS + 2_000)
        rows = [{"time": clock.now_ms() // HOUR_MS * HOUR_MS - HOUR_MS, **dict.fromkeys(OHLC, "1e9")}]
        upstream.answers[OI] = lambda _: httpx2.Response(200, json={"code": "0", "data": rows})
        assert (await fetch(provider, Capability.OPEN_INTEREST_USD)).value.values == (1e9,)
        rows[0]["close"] = "2e9"
        clock.tick(20)
        assert (await fetch(provider, Capability.OPEN_INTEREST_USD)).value.values == (2e9,)
        clock.tick(90)
        await fetch(provider, Capability.OPEN_INTEREST_USD)
        clock.tick(1800)
        assert (await fetch(provider, Capability.OPEN_INTEREST_USD)).cache is CacheState.HIT

    async def test_a_late_bar_is_asked_for_again_after_twenty_seconds(
        self, provider: CoinGlassProvider, upstream: Upstream, clock: ManualClock
    ) -> None:
        upstream.answers[OI] = lambda _: hours_until(clock.now_ms() - HOUR_MS)
        await fetch(provider, Capability.OPEN_INTEREST_USD)
        clock.tick(19)
        assert (await fetch(provider, Capability.OPEN_INTEREST_USD)).cache is CacheState.HIT
        upstream.answers[OI] = lambda _: hours_until(clock.now_ms())
        clock.tick(1)
        fetched = await fetch(provider, Capability.OPEN_INTEREST_USD)
        assert fetched.ts_event_ms == clock.now_ms() // HOUR_MS * HOUR_MS

    async def test_a_coin_that_only_okx_lists_is_asked_there(
        self, provider: CoinGlassProvider, upstream: Upstream
    ) -> None:
        upstream.show(COINS, "normal")
        coins = b'{"code":"0","data":["BTC","HYPE"]}'
        upstream.answers["futures_supported_coins"] = lambda _: httpx2.Response(200, content=coins)
        await fetch(provider, Capability.CANDLES, Symbol("HYPE"))
        await fetch(provider, Capability.ACCOUNT_RATIO, Symbol("HYPE"))
        ratio = "futures_global_long_short_account_ratio_history"
        for endpoint in (PRICE, ratio):
            (asked,) = upstream.asked(endpoint)
            assert (asked["exchange"], asked["symbol"]) == ("OKX", "HYPE-USDT-SWAP")

    async def test_an_unlisted_coin_costs_no_call(
        self, provider: CoinGlassProvider, upstream: Upstream
    ) -> None:
        await provider.start()
        before = len(upstream.calls)
        for capability in Capability:
            if capability in (Capability.SOCIAL, Capability.FEAR_GREED):
                continue
            with pytest.raises(ProviderNoData):
                await fetch(provider, capability, Symbol("NOPE"))
        assert len(upstream.calls) == before

    async def test_an_empty_history_is_no_data_and_not_zero(
        self, provider: CoinGlassProvider, upstream: Upstream
    ) -> None:
        upstream.show(LIQ, "empty")
        with pytest.raises(ProviderNoData):
            await fetch(provider, Capability.LIQUIDATIONS)

    async def test_social_is_not_offered(self, provider: CoinGlassProvider) -> None:
        offered = [source.capability for source in provider.sources()]
        assert sorted(offered) == sorted(set(Capability) - {Capability.SOCIAL})


class TestPlan:
    async def test_hobbyist_gets_four_hour_bars_and_a_pair_price_without_vain_calls(
        self, provider: CoinGlassProvider, upstream: Upstream, clock: ManualClock
    ) -> None:
        upstream.show(SUBSCRIPTION, "hobbyist")
        clock.tick(4 * 3600)  # the fixtures' rows, read as four-hour bars, end later
        await provider.start()
        price = await fetch(provider, Capability.PRICE)
        history = await fetch(provider, Capability.OPEN_INTEREST_USD)
        assert (price.value.kind, price.value.exchange) == (PriceKind.LAST_TRADE, "Binance")
        assert price.value.price_usd == 121_505.5
        assert history.value.interval_ms == 4 * HOUR_MS
        assert upstream.asked(COINS) == []
        assert provider.status().quota_limit == 30

    async def test_refused_hours_fall_back_to_four_and_are_remembered_for_six_hours(
        self, provider: CoinGlassProvider, upstream: Upstream, clock: ManualClock
    ) -> None:
        upstream.refuse_hours(OI)
        clock.tick(4 * 3600)
        assert (await fetch(provider, Capability.OPEN_INTEREST_USD)).value.interval_ms == 4 * HOUR_MS
        await fetch(provider, Capability.OPEN_INTEREST_BASE)
        assert [params["interval"] for params in upstream.asked(OI)] == ["1h", "4h", "4h"]
        assert OI not in provider.status().not_in_plan
        clock.tick(6 * 3600)
        await fetch(provider, Capability.OPEN_INTEREST_USD)
        assert upstream.asked(OI)[3]["interval"] == "1h"

    async def test_a_history_refused_at_every_bar_size_is_not_in_plan(
        self, provider: CoinGlassProvider, upstream: Upstream
    ) -> None:
        upstream.fail(OI, "interval_below_floor")
        for _ in range(3):
            with pytest.raises(ProviderPlanLimited):
                await fetch(provider, Capability.OPEN_INTEREST_USD)
        assert len(upstream.asked(OI)) == 2
        assert OI in provider.status().not_in_plan

    async def test_a_coin_without_any_priced_pair_has_no_price(
        self, provider: CoinGlassProvider, upstream: Upstream
    ) -> None:
        upstream.fail(COINS, "upgrade_plan")
        upstream.show(PAIRS_MARKETS, "null_price")
        with pytest.raises(ProviderNoData):
            await fetch(provider, Capability.PRICE)

    async def test_a_refused_endpoint_is_not_called_again_meanwhile(
        self, provider: CoinGlassProvider, upstream: Upstream
    ) -> None:
        upstream.fail("index_fear_greed_history", "upgrade_plan")
        for _ in range(3):
            with pytest.raises(ProviderPlanLimited):
                await fetch(provider, Capability.FEAR_GREED)
        assert len(upstream.asked("index_fear_greed_history")) == 1
        assert "index_fear_greed_history" in provider.status().not_in_plan
        assert provider.status().state is ProviderState.OK

    async def test_a_refused_key_is_not_used_for_ten_minutes(
        self, provider: CoinGlassProvider, upstream: Upstream, clock: ManualClock
    ) -> None:
        for endpoint in ENDPOINTS:
            upstream.fail(endpoint, "key_invalid")
        await provider.start()
        assert len(upstream.calls) == 1
        with pytest.raises(ProviderAuthFailed):
            await fetch(provider, Capability.PRICE)
        assert len(upstream.calls) == 1
        assert provider.status().state is ProviderState.AUTH_FAILED
        clock.tick(601)
        upstream.answers.clear()
        await fetch(provider, Capability.PRICE)
        assert provider.status().state is ProviderState.OK
        assert provider.status().plan == "standard"

    async def test_a_refusal_behind_old_values_is_remembered_too(
        self, provider: CoinGlassProvider, upstream: Upstream, clock: ManualClock
    ) -> None:
        before = await fetch(provider, Capability.PRICE)
        for endpoint in ENDPOINTS:
            upstream.fail(endpoint, "key_invalid")
        calls = len(upstream.calls)
        clock.tick(15)
        for _ in range(8):
            later = await fetch(provider, Capability.PRICE)
            assert (later.cache, later.ts_init_ms) == (CacheState.STALE, before.ts_init_ms)
        assert len(upstream.calls) == calls + 1
        assert provider.status().state is ProviderState.AUTH_FAILED


class TestProbes:
    async def test_every_probe_answers_finite_figures_on_professional(
        self, provider: CoinGlassProvider, upstream: Upstream
    ) -> None:
        level = b'{"code":"0","data":{"level":"PROFESSIONAL"}}'
        upstream.answers[SUBSCRIPTION] = lambda _: httpx2.Response(200, content=level)
        await provider.start()
        names = [probe.name for probe in provider.probes()]
        assert len(names) == len(set(names)) == 18
        for probe in provider.probes():
            fetched = await probe.fetch(BTC)
            assert fetched.value, probe.name
            assert probe.endpoint in ENDPOINTS

    async def test_what_standard_lacks_is_a_state_without_a_call(
        self, provider: CoinGlassProvider, upstream: Upstream
    ) -> None:
        await provider.start()
        limited = []
        for probe in provider.probes():
            try:
                await probe.fetch(BTC)
            except ProviderPlanLimited:
                limited.append(probe.name)
        assert limited == ["liquidationHeatmap", "liquidationMap", "maxPain"]
        assert upstream.asked(HEATMAP) == []

    async def test_a_coin_without_whales_is_no_data(self, provider: CoinGlassProvider) -> None:
        await provider.start()
        probe = next(item for item in provider.probes() if item.name == "whaleAlert")
        with pytest.raises(ProviderNoData):
            await probe.fetch(PEPE)


CAMEL = re.compile(r"(?:[^\s.]+\.)?[a-z][A-Za-z0-9]*")


class TestNames:
    async def test_every_name_is_camel_case_and_unique_in_its_group(
        self, provider: CoinGlassProvider, upstream: Upstream
    ) -> None:
        level = b'{"code":"0","data":{"level":"PROFESSIONAL"}}'
        upstream.answers[SUBSCRIPTION] = lambda _: httpx2.Response(200, content=level)
        await provider.start()
        groups = [(await probe.fetch(BTC)).value for probe in provider.probes()]
        for group in (await provider.market(BTC)).values():
            assert not isinstance(group, ProviderError)
            groups.append(group.value)
        for figures in groups:
            names = [figure.name for figure in figures]
            assert len(names) == len(set(names))
            assert [name for name in names if not CAMEL.fullmatch(name)] == []
        assert all(CAMEL.fullmatch(probe.name) for probe in provider.probes())


class TestMultipliedCoins:
    """Whatever CoinGlass calls it, prices are per single coin."""

    async def start(self, provider: CoinGlassProvider, upstream: Upstream, *coins: str) -> None:
        level = b'{"code":"0","data":{"level":"PROFESSIONAL"}}'
        upstream.answers[SUBSCRIPTION] = lambda _: httpx2.Response(200, content=level)
        self.say(upstream, "futures_supported_coins", list(coins))
        await provider.start()

    def say(self, upstream: Upstream, endpoint: str, data: object) -> None:
        body = json.dumps({"code": "0", "data": data}).encode()
        upstream.answers[endpoint] = lambda _: httpx2.Response(200, content=body)

    async def probe(self, provider: CoinGlassProvider, name: str, symbol: Symbol) -> dict[str, float]:
        probe = next(item for item in provider.probes() if item.name == name)
        return {figure.name: figure.value for figure in (await probe.fetch(symbol)).value}

    @pytest.mark.parametrize("spelled", ["1000PEPE", "kPEPE", "PEPE1000"])
    async def test_prices_of_lists_levels_and_heatmaps(
        self, provider: CoinGlassProvider, upstream: Upstream, spelled: str
    ) -> None:
        await self.start(provider, upstream, spelled, "PEPE")
        row = {"symbol": spelled, "current_price": 0.012, "open_interest_quantity": 7}
        self.say(upstream, COINS, [row])
        pain = {"symbol": spelled, "price": 0.012, "long_max_pain_liq_price": 0.013}
        self.say(upstream, "futures_liquidation_max_pain", [pain])
        assert (await fetch(provider, Capability.PRICE, PEPE)).value.price_usd == pytest.approx(0.000012)
        coins = await self.probe(provider, "coinsMarkets", PEPE)
        assert coins == pytest.approx({"priceUsd": 0.000012, "openInterestBase": 7000})
        pains = await self.probe(provider, "maxPain", PEPE)
        assert pains == pytest.approx({"priceUsd": 0.000012, "longMaxPainPriceUsd": 0.000013})

    async def test_a_coin_listed_per_thousand_only(
        self, provider: CoinGlassProvider, upstream: Upstream
    ) -> None:
        await self.start(provider, upstream, "1000BONK", "BTC")
        bonk = Symbol("BONK")
        cells = {"y_axis": [0.02, 0.03], "liquidation_leverage_data": [[0, 1, 5.0]]}
        self.say(upstream, HEATMAP, cells)
        row = {"exchange": "All", "open_interest_usd": 9.0, "open_interest_quantity": 2.0}
        self.say(upstream, "futures_open_interest_exchange_list", [row])
        assert (await self.probe(provider, "liquidationHeatmap", bonk))["largestLevelPriceUsd"] == 0.00003
        group = (await provider.market(bonk))["openInterestByExchange"]
        assert not isinstance(group, ProviderError)
        figures = {figure.name: figure.value for figure in group.value}
        assert figures == {"allExchanges.openInterestUsd": 9.0, "allExchanges.openInterestBase": 2000.0}

    async def test_kava_is_no_thousand_ava(self, provider: CoinGlassProvider, upstream: Upstream) -> None:
        await self.start(provider, upstream, "KAVA", "AVA", "KAS")
        self.say(
            upstream, COINS, [{"symbol": "KAVA", "current_price": 3}, {"symbol": "AVA", "current_price": 2}]
        )
        for base, price_usd in (("KAVA", 3), ("AVA", 2)):
            assert (await fetch(provider, Capability.PRICE, Symbol(base))).value.price_usd == price_usd
        assert provider.known_bases() == {"KAVA", "AVA", "KAS"}


class TestMarket:
    async def test_three_groups_cost_three_calls(
        self, provider: CoinGlassProvider, upstream: Upstream
    ) -> None:
        groups = await provider.market(BTC)
        assert set(groups) == {"liquidations24h", "fundingByExchange", "openInterestByExchange"}
        assert len(upstream.calls) == 3

    async def test_a_group_that_fails_is_its_error_and_costs_no_other(
        self, provider: CoinGlassProvider, upstream: Upstream
    ) -> None:
        endpoint = "futures_funding_rate_exchange_list"
        upstream.fail(endpoint, "server_fault")
        groups = await provider.market(BTC)
        error = groups["fundingByExchange"]
        assert isinstance(error, ProviderUnavailable)
        assert error.endpoint == endpoint
        for name in ("liquidations24h", "openInterestByExchange"):
            assert not isinstance(groups[name], ProviderError)


class TestBreaker:
    @pytest.mark.parametrize("code", [400, 404, 422])
    async def test_refused_requests_do_not_open_it(
        self, provider: CoinGlassProvider, upstream: Upstream, code: int
    ) -> None:
        body = b'{"code":"%d","msg":"not acceptable"}' % code
        upstream.answers[OI] = lambda _: httpx2.Response(200, content=body)
        for _ in range(6):
            with pytest.raises(ProviderBadPayload):
                await fetch(provider, Capability.OPEN_INTEREST_USD)
        assert provider.status().breaker == "closed"
        assert len(upstream.asked(OI)) == 6

    async def test_broken_answers_open_it_and_the_change_is_told(
        self, upstream: Upstream, clock: ManualClock
    ) -> None:
        changes: list[tuple[str, str, str]] = []
        provider = build(upstream, clock, on_breaker_change=lambda *change: changes.append(change))
        upstream.answers[OI] = lambda _: httpx2.Response(200, content=b"<html>busy</html>")
        for _ in range(5):
            with pytest.raises(ProviderBadPayload):
                await fetch(provider, Capability.OPEN_INTEREST_USD)
        assert changes == [(f"coinglass {OI}", "closed", "open")]
        with pytest.raises(ProviderCircuitOpen):
            await fetch(provider, Capability.OPEN_INTEREST_USD)


class TestWithoutKey:
    @pytest.mark.parametrize("key", [None, ""])
    async def test_nothing_is_offered_and_the_state_says_why(
        self, clock: ManualClock, key: str | None
    ) -> None:
        provider = build_provider(
            api_key=key,
            base_url="http://coinglass.test",
            cache=ResourceCache(now_ms=clock.now_ms),
            observe=lambda _: None,
            now_ms=clock.now_ms,
            monotonic=clock.monotonic_s,
        )
        await provider.start()
        assert provider.sources() == ()
        assert provider.probes() == ()
        assert provider.known_bases() == frozenset()
        assert await provider.market(BTC) == {}
        assert provider.status().state is ProviderState.NOT_CONFIGURED
        await provider.close()


async def test_the_key_travels_in_its_header_and_appears_in_no_error(
    provider: CoinGlassProvider, upstream: Upstream
) -> None:
    echo = b'{"code":"422","msg":"bad key %s"}' % KEY.encode()
    upstream.answers["index_fear_greed_history"] = lambda _: httpx2.Response(200, content=echo)
    with pytest.raises(ProviderError) as caught:
        await fetch(provider, Capability.FEAR_GREED)
    assert upstream.keys == {KEY}
    assert KEY not in str(caught.value)
    assert KEY not in str(provider.status())
    await provider.close()
