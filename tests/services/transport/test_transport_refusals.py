"""A refusal is remembered: nothing is asked again in vain, and it is forgotten in time or by a success."""

from __future__ import annotations

from collections.abc import AsyncIterator

import httpx2
import pytest

from app.core.clock import ManualClock
from app.core.errors import ProviderAuthFailed, ProviderError, ProviderPlanLimited
from app.services.transport.cache import Cached, Freshness, ResourceCache
from app.services.transport.circuit import CircuitBreaker
from app.services.transport.http import CallRecord, ClientConfig, UpstreamClient
from app.services.transport.limits import Quota
from app.services.transport.records import Answer
from app.services.transport.refusals import KEY_REFUSAL_S, PLAN_REFUSAL_S, Refusals
from app.services.transport.resource import Resource, ResourceClient
from app.services.transport.status import raise_for_http_status

SECRET = "not-a-real-key"
ANY_AGE = Freshness(fresh_ms=0, error_ms=10**9)


class Rig:
    """A keyed client whose provider answers `status`; 402 is its word for a plan too low."""

    def __init__(self, secrets: tuple[str, ...] = (SECRET,)) -> None:
        self.clock = ManualClock()
        self.status = 200
        self.calls = 0
        self.records: list[CallRecord] = []
        self.client = UpstreamClient(
            ClientConfig("p", "https://upstream.test", secrets=secrets, now_ms=self.clock.now_ms),
            breaker=CircuitBreaker("p", monotonic=self.clock.monotonic_s),
            quota=Quota("p", monotonic=self.clock.monotonic_s),
            observe=self.records.append,
            monotonic=self.clock.monotonic_s,
            transport=httpx2.MockTransport(self.answer),
        )
        self.resources = ResourceClient(
            self.client, ResourceCache(now_ms=self.clock.now_ms), check=self.check
        )

    def answer(self, _request: httpx2.Request) -> httpx2.Response:
        self.calls += 1
        return httpx2.Response(self.status, content=b"7")

    @staticmethod
    def check(endpoint: str, answer: Answer) -> None:
        if answer.status == 402:
            raise ProviderPlanLimited("p", endpoint, "upgrade")
        raise_for_http_status("p", endpoint, answer)

    async def fetch(self, endpoint: str = "e", interval: str | None = None) -> Cached[int]:
        params = {} if interval is None else {"interval": interval}
        return await self.resources.fetch(
            Resource(endpoint, f"/{endpoint}", params, int, lambda _value, _fetched_ms: ANY_AGE)
        )

    async def refused(
        self, kind: type[ProviderError], endpoint: str = "e", interval: str | None = None
    ) -> str:
        with pytest.raises(kind) as raised:
            await self.fetch(endpoint, interval)
        return raised.value.detail


@pytest.fixture
async def rig() -> AsyncIterator[Rig]:
    made = Rig()
    yield made
    await made.client.aclose()


@pytest.mark.parametrize("status", [401, 403])
async def test_a_refused_key_makes_no_call_to_anything_for_ten_minutes(rig: Rig, status: int) -> None:
    rig.status = status
    await rig.refused(ProviderAuthFailed)
    for endpoint in ("e", "other", "third"):
        assert "not asked" in await rig.refused(ProviderAuthFailed, endpoint)
    assert (rig.calls, rig.client.state(), rig.client.refusals.is_key_refused()) == (1, "auth_failed", True)
    assert [record.attempts for record in rig.records] == [1, 0, 0, 0]
    rig.clock.tick(KEY_REFUSAL_S)
    rig.status = 200
    assert (await rig.fetch()).value == 7
    assert rig.client.state() == "ok"


async def test_a_plan_refusal_holds_for_its_endpoint_and_bar_size_for_six_hours(rig: Rig) -> None:
    rig.status = 402
    await rig.refused(ProviderPlanLimited, interval="1h")
    assert "not asked" in await rig.refused(ProviderPlanLimited, interval="1h")
    assert rig.calls == 1
    rig.status = 200
    await rig.fetch(interval="4h")
    await rig.fetch("other")
    assert rig.calls == 3
    rig.clock.tick(PLAN_REFUSAL_S)
    assert (await rig.fetch(interval="1h")).value == 7


@pytest.mark.parametrize(("status", "kind"), [(401, ProviderAuthFailed), (402, ProviderPlanLimited)])
async def test_old_values_are_served_with_their_age_and_cost_no_call_while_refused(
    rig: Rig, status: int, kind: type[ProviderError]
) -> None:
    first = await rig.fetch()
    rig.clock.tick(60)
    rig.status = status
    for _ in range(8):
        old = await rig.fetch()
        assert (old.value, old.state, old.fetched_ms) == (7, "stale", first.fetched_ms)
    assert rig.calls == 2


async def test_without_a_key_a_refusal_speaks_of_its_endpoint_only() -> None:
    rig = Rig(secrets=())
    rig.status = 403
    await rig.refused(ProviderAuthFailed)
    assert "not asked" in await rig.refused(ProviderAuthFailed)
    rig.status = 200
    await rig.fetch("other")
    assert rig.calls == 2
    await rig.client.aclose()


class TestMemory:
    @pytest.fixture
    def clock(self) -> ManualClock:
        return ManualClock()

    @pytest.fixture
    def refusals(self, clock: ManualClock) -> Refusals:
        return Refusals("p", has_key=True, monotonic=clock.monotonic_s)

    def test_a_success_of_the_same_kind_ends_a_refusal(self, refusals: Refusals) -> None:
        refusals.remember("e", "1h", ProviderAuthFailed("p", "e", "x"))
        refusals.remember("e", "1h", ProviderPlanLimited("p", "e", "x"))
        refusals.succeeded("e", "4h")
        assert not refusals.is_key_refused()
        assert refusals.is_plan_refused("e", "1h")
        refusals.succeeded("e", "1h")
        refusals.ensure_allowed("e", "1h")

    def test_a_new_plan_forgets_plan_refusals_and_not_the_key(self, refusals: Refusals) -> None:
        refusals.remember("e", None, ProviderPlanLimited("p", "e", "x"))
        refusals.remember("e", None, ProviderAuthFailed("p", "e", "x"))
        refusals.forget_plan()
        assert not refusals.is_plan_refused("e", None)
        assert refusals.is_key_refused()

    def test_the_wait_is_told(self, refusals: Refusals, clock: ManualClock) -> None:
        refusals.remember("e", None, ProviderAuthFailed("p", "e", "x"))
        clock.tick(100)
        with pytest.raises(ProviderAuthFailed) as raised:
            refusals.ensure_allowed("e", None)
        assert raised.value.retry_after_s == KEY_REFUSAL_S - 100

    def test_the_memory_is_bounded_and_the_oldest_goes_first(self, refusals: Refusals) -> None:
        for number in range(1000):
            refusals.remember("e", str(number), ProviderPlanLimited("p", "e", "x"))
        assert not refusals.is_plan_refused("e", "0")
        assert refusals.is_plan_refused("e", "999")
        assert sum(refusals.is_plan_refused("e", str(number)) for number in range(1000)) <= 256
