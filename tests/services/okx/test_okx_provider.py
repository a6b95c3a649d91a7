"""The OKX provider against a small fake OKX over a mock transport."""

from __future__ import annotations

import asyncio
import random
import re
from collections.abc import Callable
from typing import Any

import httpx2
import pytest

from app.core.clock import ManualClock
from app.core.domain.context import Capability
from app.core.domain.market import DAY_MS, HOUR_MS, Unit
from app.core.domain.quality import CacheState
from app.core.domain.status import ProviderState
from app.core.domain.symbol import Symbol
from app.core.errors import (
    ProviderBadPayload,
    ProviderError,
    ProviderNoData,
    ProviderRateLimited,
    ProviderUnavailable,
)
from app.core.ports import Fetched, Provider
from app.services.okx.budget import OkxQuota, spending_for
from app.services.okx.provider import OkxProvider

BTC, DOGE, NOPE = Symbol("BTC"), Symbol("DOGE"), Symbol("NOPE")

Build = Callable[..., OkxProvider]
Refuse = Callable[..., httpx2.Response]


async def _settle() -> None:
    """Lets what runs behind the callers finish."""
    await asyncio.gather(*(task for task in asyncio.all_tasks() if task is not asyncio.current_task()))


async def _ask(provider: OkxProvider, capability: Capability, symbol: Symbol = BTC) -> Fetched[Any]:
    (source,) = (source for source in provider.sources() if source.capability == capability)
    return await source.fetch(symbol)


def test_it_is_a_provider_with_eight_inputs(build: Build) -> None:
    provider: Provider = build()
    assert len({source.capability for source in provider.sources()}) == 8
    assert provider.probes() == ()
    assert provider.status().state is ProviderState.UNUSED


async def test_price_is_the_last_trade_and_keeps_for_a_second(
    build: Build, okx: Any, clock: ManualClock
) -> None:
    provider = build()
    found = await _ask(provider, Capability.PRICE)
    assert (found.value.price_usd, found.ts_event_ms, found.cache) == (50000.5, clock.now_ms(), "miss")
    assert (await _ask(provider, Capability.PRICE)).cache is CacheState.HIT
    clock.tick(1)
    assert (await _ask(provider, Capability.PRICE)).cache is CacheState.MISS
    assert okx.calls["ticker"] == 2


async def test_candles_cover_thirty_days_and_the_day_before(build: Build, clock: ManualClock) -> None:
    found = await _ask(build(), Capability.CANDLES)
    assert len(found.value.close) == 30 * 24 + 25
    assert found.ts_event_ms == found.value.close_ms[-1] == clock.now_ms() // HOUR_MS * HOUR_MS
    steps = {b - a for a, b in zip(found.value.close_ms, found.value.close_ms[1:], strict=False)}
    assert steps == {HOUR_MS}
    assert found.value.volume_base[-1] == 5.0


async def test_open_interest_in_both_units_comes_from_one_set_of_calls(build: Build, okx: Any) -> None:
    provider = build()
    base = await _ask(provider, Capability.OPEN_INTEREST_BASE)
    calls = okx.calls["open-interest-history"]
    usd = await _ask(provider, Capability.OPEN_INTEREST_USD)
    assert okx.calls["open-interest-history"] == calls
    assert (base.value.unit, usd.value.unit) == (Unit.BASE, Unit.USD)
    assert len(base.value.values) == 745
    assert set(usd.value.values) == {9e8}


async def test_only_the_newest_page_is_fetched_for_the_next_bar(
    build: Build, okx: Any, clock: ManualClock
) -> None:
    provider = build()
    first = await _ask(provider, Capability.ACCOUNT_RATIO)
    cold = okx.calls["long-short-account-ratio-contract"]
    clock.tick(3600)
    second = await _ask(provider, Capability.ACCOUNT_RATIO)
    assert okx.calls["long-short-account-ratio-contract"] == cold + 1
    assert second.value.close_ms[-1] - first.value.close_ms[-1] == HOUR_MS
    assert second.value.values[-1] == pytest.approx(0.6)


async def test_top_traders_share_is_a_fraction(build: Build) -> None:
    found = await _ask(build(), Capability.TOP_POSITION_RATIO)
    assert found.value.values[-1] == pytest.approx(0.2)


RATIO = "long-short-account-ratio-contract"


class TestPages:
    """Ratios come in eight pages, and five calls may go out in two seconds."""

    def fail(self, okx: Any, refuse: Refuse, is_failing: Callable[[float], bool]) -> None:
        """Pages for which `is_failing(hours from now to their end)` answers False come as they are."""
        served = okx._rubik(lambda _ts: ["1.5"])

        def respond(params: dict[str, str]) -> httpx2.Response:
            if is_failing((okx.clock.now_ms() - int(params["end"])) / HOUR_MS):
                return refuse("51000", 400)
            return httpx2.Response(200, json={"code": "0", "data": served(params)})

        okx.override[RATIO] = respond

    async def test_the_oldest_pages_may_be_missing_and_are_fetched_later(
        self, build: Build, okx: Any, refuse: Refuse
    ) -> None:
        self.fail(okx, refuse, lambda age_h: age_h > 300)
        provider = build()
        short = await _ask(provider, Capability.ACCOUNT_RATIO)
        assert 300 <= len(short.value.values) < 500
        asked = okx.calls[RATIO]
        del okx.override[RATIO]
        whole = await _ask(provider, Capability.ACCOUNT_RATIO)
        assert len(whole.value.values) == 745
        assert okx.calls[RATIO] == asked + 4
        assert whole.value.close_ms[-1] == short.value.close_ms[-1]

    async def test_fewer_than_a_hundred_bars_are_no_history(
        self, build: Build, okx: Any, refuse: Refuse
    ) -> None:
        self.fail(okx, refuse, lambda age_h: age_h > 0)
        with pytest.raises(ProviderBadPayload):
            await _ask(build(), Capability.ACCOUNT_RATIO)

    async def test_a_page_missing_in_the_middle_fails_the_history(
        self, build: Build, okx: Any, refuse: Refuse
    ) -> None:
        self.fail(okx, refuse, lambda age_h: 200 < age_h <= 300)
        with pytest.raises(ProviderBadPayload):
            await _ask(build(), Capability.ACCOUNT_RATIO)

    async def test_without_the_newest_page_there_is_no_history(
        self, build: Build, okx: Any, refuse: Refuse
    ) -> None:
        self.fail(okx, refuse, lambda age_h: age_h <= 0)
        with pytest.raises(ProviderBadPayload):
            await _ask(build(), Capability.ACCOUNT_RATIO)

    async def test_the_newest_pages_are_asked_for_first(self, build: Build, okx: Any) -> None:
        await _ask(build(), Capability.ACCOUNT_RATIO)
        ends = [int(params["end"]) for name, params in okx.params if name == RATIO]
        assert ends == sorted(ends, reverse=True)

    async def test_a_used_up_budget_costs_the_oldest_pages_only(
        self, build: Build, okx: Any, refuse: Refuse
    ) -> None:
        served = okx._rubik(lambda _ts: ["1.5"])

        def respond(params: dict[str, str]) -> httpx2.Response:
            if okx.calls[RATIO] > 5:
                return refuse("50011", 429)
            return httpx2.Response(200, json={"code": "0", "data": served(params)})

        okx.override[RATIO] = respond
        found = await _ask(build(), Capability.ACCOUNT_RATIO)
        assert 400 <= len(found.value.values) <= 500
        assert found.ts_event_ms == okx.clock.now_ms() // HOUR_MS * HOUR_MS


async def test_a_frozen_statistics_history_is_no_data(build: Build, okx: Any) -> None:
    frozen_at = okx.clock.now_ms() - 30 * HOUR_MS
    served = okx._rubik(lambda _ts: ["1", "20000", "9e8"])

    def respond(params: dict[str, str]) -> httpx2.Response:
        rows = [row for row in served(params) if int(row[0]) < frozen_at]
        return httpx2.Response(200, json={"code": "0", "data": rows})

    okx.override["open-interest-history"] = respond
    with pytest.raises(ProviderNoData, match="frozen"):
        await _ask(build(), Capability.OPEN_INTEREST_USD)


async def test_a_stale_history_is_served_and_marked_when_okx_fails(
    build: Build, okx: Any, clock: ManualClock, refuse: Refuse
) -> None:
    provider = build()
    await _ask(provider, Capability.CANDLES)
    okx.override["candles"] = lambda _params: refuse("50026", 500)
    clock.tick(3600)
    found = await _ask(provider, Capability.CANDLES)
    assert found.cache is CacheState.STALE
    assert clock.now_ms() - found.ts_event_ms > HOUR_MS
    assert provider.status().state is not ProviderState.OK


async def test_funding_is_settled_history_then_the_running_rate(build: Build, clock: ManualClock) -> None:
    found = await _ask(build(), Capability.FUNDING)
    series = found.value
    assert series.interval_ms == 4 * HOUR_MS
    assert series.values[-1] == pytest.approx(0.0001)  # 0.00005 per 4 h
    assert found.ts_event_ms == clock.now_ms()
    assert series.values[:-1] == pytest.approx([0.00004] * (len(series.values) - 1))
    # More than the hundred that are ranked in, so that a settlement more or less changes nothing.
    assert len(series.values) > 190


@pytest.mark.parametrize("period_h", [4, 8])
async def test_funding_keeps_its_length_around_a_settlement(
    build: Build, okx: Any, clock: ManualClock, period_h: int
) -> None:
    okx.funding_period_h = period_h
    period_ms = period_h * HOUR_MS
    settlement = clock.now_ms() // period_ms * period_ms + period_ms
    provider = build()
    clock.set(settlement - 10_000)
    await _ask(provider, Capability.FUNDING)
    clock.set(settlement + 5_000)  # the running rate is still the cached one of the period before
    series = (await _ask(provider, Capability.FUNDING)).value
    assert series.close_ms[-1] == settlement
    assert series.values[-1] == pytest.approx(0.00002 * 8 / period_h)
    assert len(series.values) > 180


async def test_settled_funding_is_the_rate_of_the_period_at_its_stamp(
    build: Build, okx: Any, clock: ManualClock, refuse: Refuse
) -> None:
    provider, period_ms = build(), 4 * HOUR_MS
    newest = clock.now_ms() // period_ms * period_ms
    paid = await provider.settled_funding(BTC, newest - period_ms, newest)
    assert paid == ((newest, 0.00002),)
    assert await provider.settled_funding(BTC, newest - 2 * period_ms, newest + period_ms) is None
    okx.override["funding-rate-history"] = lambda _params: refuse("50026", 500)
    with pytest.raises(ProviderError):
        await build().settled_funding(BTC, newest - period_ms, newest)


async def test_past_funding_is_asked_for_once_a_day_and_may_fail(
    build: Build, okx: Any, clock: ManualClock, refuse: Refuse
) -> None:
    provider = build()
    await _ask(provider, Capability.FUNDING)
    assert okx.calls["funding-rate-history"] == 4
    clock.tick(3600)
    await _ask(provider, Capability.FUNDING)
    assert okx.calls["funding-rate-history"] == 5
    other = build()
    served = okx._funding_history

    def respond(params: dict[str, str]) -> httpx2.Response:
        if "after" in params:
            return refuse("51000", 400)
        return httpx2.Response(200, json={"code": "0", "data": served(params)})

    okx.override["funding-rate-history"] = respond
    assert len((await _ask(other, Capability.FUNDING)).value.values) == 101


class TestLiquidations:
    async def test_a_long_walk_finds_every_order_once(self, build: Build, okx: Any) -> None:
        rng = random.Random(7)
        now = okx.clock.now_ms()
        # Bursts share milliseconds, as forced orders do.
        for _ in range(700):
            ts = now - rng.randrange(30 * HOUR_MS)
            okx.orders += [(ts, "sell", "long", 50_000.0, 1.0)] * rng.choice([1, 1, 2])
        found = await _ask(build(), Capability.LIQUIDATIONS)
        end = now // HOUR_MS * HOUR_MS
        expected = sum(500.0 for order in okx.orders if end - 24 * HOUR_MS <= order[0] < end)
        assert sum(found.value.long_usd) == pytest.approx(expected)
        assert found.ts_event_ms == end

    async def test_a_quiet_coin_has_true_zeros(self, build: Build, okx: Any) -> None:
        okx.orders = [(okx.clock.now_ms() - 2 * HOUR_MS, "buy", "net", 0.1, 2.0)]
        found = await _ask(build(), Capability.LIQUIDATIONS, DOGE)
        assert sum(found.value.short_usd) == pytest.approx(200.0)
        assert found.value.short_usd.count(0.0) == 23
        assert okx.calls["liquidation-orders"] == 1

    async def test_the_page_bound_ends_a_walk_that_does_not_cover_a_day(self, build: Build, okx: Any) -> None:
        okx.orders = [(okx.clock.now_ms() - k * 30_000, "sell", "long", 5.0, 1.0) for k in range(2000)]
        with pytest.raises(ProviderNoData, match="only 2 h"):
            await _ask(build(max_liquidation_pages=3), Capability.LIQUIDATIONS)
        assert okx.calls["liquidation-orders"] == 3

    async def test_contract_sizes_load_on_demand_when_the_start_failed(
        self, build: Build, okx: Any, refuse: Refuse
    ) -> None:
        okx.override["instruments"] = lambda _params: refuse("50001", 503)
        provider = build()
        await provider.start()
        assert provider.known_bases() == frozenset()
        del okx.override["instruments"]
        okx.orders = [(okx.clock.now_ms() - 2 * HOUR_MS, "sell", "long", 5.0, 1.0)]
        assert (await _ask(provider, Capability.LIQUIDATIONS)).value.scope == "OKX"
        assert provider.known_bases() == {"BTC", "DOGE"}


class TestListings:
    async def test_a_list_that_failed_at_the_start_is_loaded_by_the_next_use(
        self, build: Build, okx: Any, clock: ManualClock, refuse: Refuse
    ) -> None:
        okx.override["instruments"] = lambda _params: refuse("51000", 400)
        provider = build()
        await provider.start()
        for _ in range(3):  # the first use tries again, the others not so soon
            await _ask(provider, Capability.PRICE)
            await _settle()
        tried = okx.calls["instruments"]
        assert provider.known_bases() == frozenset()
        del okx.override["instruments"]
        clock.tick(61)
        await _ask(provider, Capability.PRICE)
        await _settle()
        assert provider.known_bases() == {"BTC", "DOGE"}
        assert okx.calls["instruments"] == tried + 1
        await provider.close()

    async def test_a_symbol_outside_the_list_is_refused_without_a_call(self, build: Build, okx: Any) -> None:
        provider = build()
        await provider.start()
        with pytest.raises(ProviderNoData, match="not listed on OKX"):
            await _ask(provider, Capability.PRICE, NOPE)
        assert okx.calls["ticker"] == 0

    async def test_an_unlisted_symbol_is_remembered_for_a_day(
        self, build: Build, okx: Any, clock: ManualClock, refuse: Refuse
    ) -> None:
        provider = build()
        okx.override["ticker"] = lambda _params: refuse("51001")
        for _ in range(3):
            with pytest.raises(ProviderNoData, match="not listed"):
                await _ask(provider, Capability.PRICE, NOPE)
        assert okx.calls["ticker"] == 1
        clock.tick(86_401)
        with pytest.raises(ProviderNoData):
            await _ask(provider, Capability.PRICE, NOPE)
        assert okx.calls["ticker"] == 2

    async def test_the_list_is_refreshed_after_a_day(
        self, build: Build, okx: Any, clock: ManualClock
    ) -> None:
        provider = build()
        await provider.start()
        okx.listed["NOPE"] = "1"
        clock.tick(2 * 86_400)
        assert (await _ask(provider, Capability.PRICE, NOPE)).value.price_usd > 0
        assert "NOPE" in provider.known_bases()


class TestMarketFigures:
    async def test_all_groups(self, build: Build) -> None:
        found = await build().market(BTC)
        assert list(found) == [
            "ticker",
            "markPrice",
            "openInterest",
            "fundingRate",
            "takerVolume",
            "traderRatios",
            "range",
        ]
        figures = _figures(found)
        assert figures["priceChange24hFrac"] == pytest.approx(50000.5 / 40000.4 - 1)
        assert figures["fundingRatePerPeriod"] == 0.00005
        assert figures["fundingPeriodH"] == 4
        # The newest bucket is still filling: the figures are those of the hour before.
        assert (figures["takerSellVolumeUsd"], figures["takerBuyVolumeUsd"]) == (101.0, 201.0)

    async def test_names_are_camel_case_and_unique_in_a_group(self, build: Build) -> None:
        for group in (await build().market(BTC)).values():
            assert not isinstance(group, ProviderError)
            names = [reading.name for reading in group.value]
            assert len(names) == len(set(names))
            assert all(re.fullmatch(r"[a-z][A-Za-z0-9]*", name) for name in names)

    async def test_an_impossible_change_costs_the_figures_and_not_the_price(
        self, build: Build, okx: Any
    ) -> None:
        okx.open24h = "1e-320"
        provider = build()
        assert (await _ask(provider, Capability.PRICE)).value.price_usd == 50000.5
        assert isinstance((await provider.market(BTC))["ticker"], ProviderBadPayload)

    async def test_a_group_that_fails_is_its_error_and_costs_no_other(
        self, build: Build, okx: Any, refuse: Refuse
    ) -> None:
        okx.override["mark-price"] = lambda _params: refuse("51000", 400)
        found = await build().market(BTC)
        error = found["markPrice"]
        assert isinstance(error, ProviderBadPayload)
        assert (error.endpoint, error.detail) == ("public_mark_price", "code 51000")
        assert not isinstance(found["ticker"], ProviderError)

    async def test_a_coin_okx_does_not_list_says_so_in_every_group_without_a_call(
        self, build: Build, okx: Any
    ) -> None:
        provider = build()
        await provider.start()
        okx.calls.clear()
        found = await provider.market(NOPE)
        assert len(found) == 7
        assert {str(getattr(error, "detail", "")) for error in found.values()} == {"not listed on OKX"}
        assert {getattr(error, "endpoint", "") for error in found.values()} >= {"market_ticker"}
        assert okx.calls.total() == 0

    async def test_trader_ratios_are_the_newest_closed_long_shares(
        self, build: Build, clock: ManualClock
    ) -> None:
        group = (await build().market(BTC))["traderRatios"]
        assert not isinstance(group, ProviderError)
        assert {r.unit for r in group.value} == {Unit.FRAC}
        shares = {r.name: r.value for r in group.value}
        # long / short of 1.5, 3 and 0.25
        assert shares == pytest.approx(
            {"accountsLongFrac": 0.6, "topAccountsLongFrac": 0.75, "topPositionsLongFrac": 0.2}
        )
        assert group.ts_event_ms == clock.now_ms() // HOUR_MS * HOUR_MS

    async def test_trader_ratios_share_the_page_with_the_factor_inputs(self, build: Build, okx: Any) -> None:
        provider = build()
        await _ask(provider, Capability.TOP_POSITION_RATIO)
        calls = okx.calls["long-short-position-ratio-contract-top-trader"]
        await provider.market(BTC)
        assert okx.calls["long-short-position-ratio-contract-top-trader"] == calls

    async def test_the_range_is_that_of_the_last_90_closed_days(
        self, build: Build, okx: Any, clock: ManualClock
    ) -> None:
        provider = build()
        group = (await provider.market(BTC))["range"]
        assert not isinstance(group, ProviderError)
        # The newest day closed at 200 and reached 205; 89 days before it the low was 111 - 10.
        figures = {r.name: r.value for r in group.value}
        position = (200 - 101) / (205 - 101)
        assert figures == pytest.approx(
            {"high90dUsd": 205, "low90dUsd": 101, "positionInRangeFrac": position, "days": 90}
        )
        assert group.ts_event_ms == clock.now_ms() // DAY_MS * DAY_MS
        assert ("history-candles", {"instId": "BTC-USDT-SWAP", "bar": "1Dutc", "limit": "100"}) in okx.params

    async def test_the_range_of_a_young_coin_names_its_days(self, build: Build, okx: Any) -> None:
        okx.days_listed = 3
        figures = _figures(await build().market(BTC))
        assert (figures["days"], figures["low90dUsd"]) == (3, 188)

    async def test_the_range_is_fetched_once_per_closed_day(
        self, build: Build, okx: Any, clock: ManualClock
    ) -> None:
        provider = build()
        await provider.market(BTC)
        clock.set(clock.now_ms() // DAY_MS * DAY_MS + DAY_MS - 1)
        await provider.market(BTC)
        assert okx.calls["history-candles"] == 1
        clock.set(clock.now_ms() + 1)
        await provider.market(BTC)
        assert okx.calls["history-candles"] == 2

    async def test_it_costs_nine_calls_all_at_once(self, build: Build, okx: Any) -> None:
        await build().market(BTC)
        assert okx.calls.total() == 9
        assert max(okx.calls.values()) == 1


def _figures(groups: Any) -> dict[str, float]:
    return {reading.name: reading.value for group in groups.values() for reading in group.value}


async def test_some_budgets_count_per_instrument_and_others_per_ip() -> None:
    async def sleep(_seconds: float) -> None:
        raise AssertionError("the budget should not wait")

    quota = OkxQuota(monotonic=lambda: 1000.0, sleep=sleep)
    for base in ("BTC", "ETH", "SOL"):
        with spending_for(base):
            for _ in range(5):
                await quota.acquire("rubik_account_ratio_contract", 0.0)
            with pytest.raises(ProviderRateLimited):
                await quota.acquire("rubik_account_ratio_contract", 0.0)
            for _ in range(6):
                await quota.acquire("market_ticker", 0.0)
    for _ in range(2):
        await quota.acquire("market_ticker", 0.0)
    with pytest.raises(ProviderRateLimited):
        await quota.acquire("market_ticker", 0.0)


@pytest.mark.parametrize(
    "response, error",
    [
        (httpx2.Response(200, text="<html>hello</html>"), ProviderBadPayload),
        (httpx2.Response(200, text='{"code":"0","data":[{"instId"'), ProviderUnavailable),
        (httpx2.Response(500, text=""), ProviderUnavailable),
        (httpx2.Response(200, json={"code": "0", "data": []}), ProviderNoData),
    ],
)
async def test_every_kind_of_garbage_is_a_provider_error(
    build: Build, okx: Any, response: httpx2.Response, error: type[ProviderError]
) -> None:
    okx.override["ticker"] = lambda _params: httpx2.Response(response.status_code, content=response.content)
    with pytest.raises(error):
        await _ask(build(), Capability.PRICE)


async def test_symbols_reach_okx_only_as_parameters(build: Build, okx: Any) -> None:
    await _ask(build(), Capability.PRICE)
    assert okx.params == [("ticker", {"instId": "BTC-USDT-SWAP"})]
