"""LunarCrush and alternative.me as providers, over a mock transport."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path

import httpx2
import pytest

from app.core.clock import ManualClock
from app.core.domain.market import DAY_MS, HOUR_MS, Unit
from app.core.domain.quality import CacheState
from app.core.domain.status import ProviderState
from app.core.domain.symbol import Symbol
from app.core.errors import (
    ProviderAuthFailed,
    ProviderError,
    ProviderNoData,
    ProviderPlanLimited,
    ProviderRateLimited,
)
from app.core.ports import Provider
from app.services.sentiment.build import build_alternative_me, build_lunarcrush
from app.services.sentiment.fear_greed import AlternativeMeProvider, index_freshness
from app.services.sentiment.lunarcrush import LunarCrushProvider, social_freshness
from app.services.transport.cache import ResourceCache

NOW_MS = 1_760_000_400_000 + 90_000
TODAY = NOW_MS // DAY_MS * DAY_MS
FIXTURES = Path(__file__).parents[2] / "fixtures"
KEY = "canary-lunarcrush-key"
BTC, NOPE = Symbol("BTC"), Symbol("NOPE")


def _fixture(name: str) -> bytes:
    provider, case = name.split("/")
    return (FIXTURES / provider / f"http_get_{case}.json").read_bytes()


class FakeSentiment:
    """Both hosts; `bodies` answers by path, `status` applies to all."""

    def __init__(self) -> None:
        self.calls: Counter[str] = Counter()
        self.status = 200
        self.bodies = {
            "/api4/public/coins/BTC/time-series/v2": _fixture("lunarcrush/coins_time_series__normal"),
            "/api4/public/coins/list/v1": _fixture("lunarcrush/coins_list__normal"),
            "/fng/": _fixture("alternative_me/fng__normal"),
        }

    def handle(self, request: httpx2.Request) -> httpx2.Response:
        self.calls[request.url.path] += 1
        missing = _fixture("lunarcrush/any__error_not_found")
        return httpx2.Response(self.status, content=self.bodies.get(request.url.path, missing))


async def _no_sleep(_seconds: float) -> None:
    return None


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(NOW_MS)


@pytest.fixture
def fake() -> FakeSentiment:
    return FakeSentiment()


@pytest.fixture
def lunarcrush(clock: ManualClock, fake: FakeSentiment) -> Callable[..., LunarCrushProvider]:
    def make(api_key: str | None = KEY) -> LunarCrushProvider:
        return build_lunarcrush(
            api_key=api_key,
            base_url="http://lunarcrush.test",
            cache=ResourceCache(now_ms=clock.now_ms),
            observe=lambda _record: None,
            now_ms=clock.now_ms,
            monotonic=clock.monotonic_s,
            sleep=_no_sleep,
            transport=httpx2.MockTransport(fake.handle),
        )

    return make


@pytest.fixture
def fear_greed(clock: ManualClock, fake: FakeSentiment) -> AlternativeMeProvider:
    return build_alternative_me(
        base_url="http://fng.test",
        cache=ResourceCache(now_ms=clock.now_ms),
        observe=lambda _record: None,
        now_ms=clock.now_ms,
        monotonic=clock.monotonic_s,
        sleep=_no_sleep,
        transport=httpx2.MockTransport(fake.handle),
    )


class TestSocial:
    async def test_only_closed_hours_count(self, lunarcrush: Callable[..., LunarCrushProvider]) -> None:
        found = await lunarcrush().fetch_social(BTC)
        assert (found.value.unit, found.value.interval_ms) == (Unit.SCORE, HOUR_MS)
        assert found.value.values == (70.0, 71.5, 72.0)
        assert found.ts_event_ms == NOW_MS // HOUR_MS * HOUR_MS

    async def test_one_call_per_coin_and_hour(
        self, lunarcrush: Callable[..., LunarCrushProvider], fake: FakeSentiment, clock: ManualClock
    ) -> None:
        provider = lunarcrush()
        for _ in range(3):
            await provider.fetch_social(BTC)
        clock.tick(3000)
        assert (await provider.fetch_social(BTC)).cache is CacheState.HIT
        assert fake.calls.total() == 1
        clock.tick(600)
        # The bucket that was filling when it was fetched is only read after a new fetch.
        assert (await provider.fetch_social(BTC)).value.values[-1] == 60.0
        assert fake.calls.total() == 2

    async def test_stale_scores_bridge_a_refusal_for_two_hours(
        self, lunarcrush: Callable[..., LunarCrushProvider], fake: FakeSentiment, clock: ManualClock
    ) -> None:
        provider = lunarcrush()
        await provider.fetch_social(BTC)
        fake.status = 429
        clock.tick(2 * 3600)
        assert (await provider.fetch_social(BTC)).cache is CacheState.STALE
        clock.tick(3600)
        with pytest.raises(ProviderRateLimited):
            await provider.fetch_social(BTC)

    async def test_an_unknown_coin_is_asked_for_once(
        self, lunarcrush: Callable[..., LunarCrushProvider], fake: FakeSentiment
    ) -> None:
        provider = lunarcrush()
        for _ in range(3):
            with pytest.raises(ProviderNoData, match="coin not found"):
                await provider.fetch_social(NOPE)
        assert fake.calls.total() == 1

    async def test_the_quota_of_the_small_plan_is_ten_a_minute(
        self, lunarcrush: Callable[..., LunarCrushProvider], fake: FakeSentiment
    ) -> None:
        provider = lunarcrush()
        for index in range(10):
            with pytest.raises(ProviderNoData):
                await provider.fetch_social(Symbol(f"C{index}"))
        with pytest.raises(ProviderRateLimited):
            await provider.fetch_social(BTC)
        assert fake.calls.total() == 10
        assert (provider.status().quota_left, provider.status().quota_limit) == (0, 10)

    async def test_market_figures_of_all_coins_come_from_one_call(
        self, lunarcrush: Callable[..., LunarCrushProvider], fake: FakeSentiment
    ) -> None:
        provider = lunarcrush()
        group = (await provider.market(BTC))["social"]
        assert not isinstance(group, ProviderError)
        figures = {r.name: r.value for r in group.value}
        assert figures["sentiment"] == 79
        assert figures["socialDominanceFrac"] == pytest.approx(0.175)
        assert "social" in await provider.market(Symbol("DUP"))
        missing = (await provider.market(NOPE))["social"]
        assert isinstance(missing, ProviderNoData)
        assert fake.calls.total() == 1

    async def test_market_figures_that_fail_are_their_error(
        self, lunarcrush: Callable[..., LunarCrushProvider], fake: FakeSentiment
    ) -> None:
        fake.status = 402
        error = (await lunarcrush().market(BTC))["social"]
        assert isinstance(error, ProviderPlanLimited)

    async def test_both_probes_answer(self, lunarcrush: Callable[..., LunarCrushProvider]) -> None:
        for probe in lunarcrush().probes():
            assert (await probe.fetch(BTC)).value

    async def test_a_refused_key_is_a_state_and_never_shown(
        self, lunarcrush: Callable[..., LunarCrushProvider], fake: FakeSentiment
    ) -> None:
        fake.status = 401
        provider = lunarcrush()
        with pytest.raises(ProviderAuthFailed) as caught:
            await provider.fetch_social(BTC)
        assert provider.status().state is ProviderState.AUTH_FAILED
        assert KEY not in f"{caught.value!r} {provider.status()!r}"

    async def test_without_a_key_it_offers_nothing(
        self, lunarcrush: Callable[..., LunarCrushProvider]
    ) -> None:
        provider: Provider = lunarcrush(None)
        assert (provider.sources(), provider.probes()) == ((), ())
        assert await provider.market(BTC) == {}
        assert provider.status().state is ProviderState.NOT_CONFIGURED
        await provider.start()
        await provider.close()

    async def test_a_series_without_a_closed_hour_is_no_data(
        self, lunarcrush: Callable[..., LunarCrushProvider], fake: FakeSentiment
    ) -> None:
        path = "/api4/public/coins/BTC/time-series/v2"
        fake.bodies[path] = _fixture("lunarcrush/coins_time_series__empty")
        with pytest.raises(ProviderNoData, match="no closed hour"):
            await lunarcrush().fetch_social(BTC)

    def test_a_late_hour_is_retried_after_five_minutes(self) -> None:
        assert social_freshness({}, NOW_MS).fresh_ms == 300_000
        newest = NOW_MS // HOUR_MS * HOUR_MS - HOUR_MS
        assert social_freshness({newest: 1.0}, NOW_MS).fresh_ms == HOUR_MS - 90_000


class TestFearGreed:
    async def test_a_value_is_known_from_its_stamp(self, fear_greed: AlternativeMeProvider) -> None:
        provider: Provider = fear_greed
        (source,) = provider.sources()
        found = await source.fetch(BTC)
        assert found.ts_event_ms == TODAY
        series = (await fear_greed.fetch_fear_greed(BTC)).value
        assert (series.close_ms[-1], series.values) == (TODAY, (45.0, 30.0, 25.0))
        assert series.interval_ms == DAY_MS

    async def test_one_call_a_day_for_all_coins(
        self, fear_greed: AlternativeMeProvider, fake: FakeSentiment, clock: ManualClock
    ) -> None:
        await fear_greed.fetch_fear_greed(BTC)
        clock.set(TODAY + DAY_MS - 1)
        await fear_greed.fetch_fear_greed(NOPE)
        assert fake.calls.total() == 1
        clock.set(TODAY + DAY_MS)
        await fear_greed.fetch_fear_greed(BTC)
        assert fake.calls.total() == 2

    async def test_a_clock_that_stepped_back_sees_no_later_value(
        self, fear_greed: AlternativeMeProvider, clock: ManualClock
    ) -> None:
        clock.set(TODAY - 1)
        assert (await fear_greed.fetch_fear_greed(BTC)).value.close_ms[-1] == TODAY - DAY_MS

    async def test_it_has_no_market_figures(self, fear_greed: AlternativeMeProvider) -> None:
        assert await fear_greed.market(BTC) == {}

    async def test_an_empty_answer_is_no_data(
        self, fear_greed: AlternativeMeProvider, fake: FakeSentiment
    ) -> None:
        fake.bodies["/fng/"] = _fixture("alternative_me/fng__empty")
        with pytest.raises(ProviderNoData):
            await fear_greed.fetch_fear_greed(BTC)

    def test_a_late_value_is_retried_after_five_minutes(self) -> None:
        assert index_freshness({}, NOW_MS).fresh_ms == 300_000
