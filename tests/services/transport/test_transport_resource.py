"""Resource client: one upstream call per resource for all callers, and bad payloads show in the health."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping

import httpx2
import pytest

from app.core.clock import ManualClock
from app.core.errors import ProviderBadPayload
from app.services.transport.cache import Freshness, ResourceCache
from app.services.transport.circuit import CircuitBreaker
from app.services.transport.http import ClientConfig, UpstreamClient
from app.services.transport.limits import Quota
from app.services.transport.records import Answer
from app.services.transport.resource import Resource, ResourceClient
from app.services.transport.status import raise_for_http_status


def parse_number(body: bytes) -> int:
    if not body.isdigit():
        raise ProviderBadPayload("p", "number", f"not a number: {body.decode()}")
    return int(body)


def number(params: Mapping[str, str | int] | None = None, path: str = "/number") -> Resource[int]:
    return Resource("number", path, params or {}, parse_number, lambda _value, _fetched_ms: Freshness(60_000))


class Upstream:
    def __init__(self) -> None:
        self.body = b"7"
        self.urls: list[str] = []

    def __call__(self, request: httpx2.Request) -> httpx2.Response:
        self.urls.append(str(request.url))
        return httpx2.Response(200, content=self.body)


@pytest.fixture
def upstream() -> Upstream:
    return Upstream()


@pytest.fixture
async def resources(upstream: Upstream) -> AsyncIterator[ResourceClient]:
    clock = ManualClock()
    client = UpstreamClient(
        ClientConfig("p", "https://upstream.test", now_ms=clock.now_ms),
        breaker=CircuitBreaker("p"),
        quota=Quota("p"),
        observe=lambda _record: None,
        transport=httpx2.MockTransport(upstream),
    )

    def check(endpoint: str, answer: Answer) -> None:
        raise_for_http_status("p", endpoint, answer)

    made = ResourceClient(client, ResourceCache(now_ms=clock.now_ms), check=check)
    yield made
    await made.aclose()


async def test_twenty_callers_make_one_call(resources: ResourceClient, upstream: Upstream) -> None:
    found = await asyncio.gather(*(resources.fetch(number()) for _ in range(20)))
    assert {cached.value for cached in found} == {7}
    assert len(upstream.urls) == 1


@pytest.mark.parametrize(
    "other",
    [lambda: number({"a": "2"}), lambda: number({"a": "1", "b": "2"}), lambda: number({"a": "1"}, "/other")],
)
async def test_other_params_or_path_are_another_resource(
    resources: ResourceClient, upstream: Upstream, other: Callable[[], Resource[int]]
) -> None:
    await resources.fetch(number({"a": "1"}))
    await resources.fetch(other())
    assert len(upstream.urls) == 2


async def test_the_order_of_params_does_not_matter(resources: ResourceClient, upstream: Upstream) -> None:
    await resources.fetch(number({"a": 1, "b": "x&c=2"}))
    await resources.fetch(number({"b": "x&c=2", "a": 1}))
    assert upstream.urls == ["https://upstream.test/number?a=1&b=x%26c%3D2"]


async def test_a_body_that_does_not_parse_raises_and_shows_in_the_health(
    resources: ResourceClient, upstream: Upstream
) -> None:
    upstream.body = b"oops"
    with pytest.raises(ProviderBadPayload):
        await resources.fetch(number())
    assert resources.client.state() == "degraded"
    upstream.body = b"8"
    assert (await resources.fetch(number())).value == 8
    assert resources.client.state() == "ok"
