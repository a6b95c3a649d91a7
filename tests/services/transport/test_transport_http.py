"""The upstream client with a mock transport: retries, Retry-After, breaker, quota, mapping, secrets."""

from __future__ import annotations

import asyncio
import logging
import traceback
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import httpx2
import pytest

from app.core import errors
from app.services.transport.body import FREE_BYTES, PROCESS_BUDGET
from app.services.transport.circuit import CircuitBreaker
from app.services.transport.http import CallRecord, ClientConfig, UpstreamClient
from app.services.transport.limits import Quota
from app.services.transport.records import Answer
from app.services.transport.status import raise_for_http_status

CANARY = "canary-4711-secret"
Handler = Callable[[httpx2.Request], httpx2.Response]


class Rig:
    """A client whose time stands still unless it sleeps, and whose provider is a function."""

    def __init__(self, handler: Handler, calls: int | None = None) -> None:
        self.now_s = 1000.0
        self.slept_s: list[float] = []
        self.requests: list[httpx2.Request] = []
        self.records: list[CallRecord] = []
        self.breaker = CircuitBreaker("okx", monotonic=self.monotonic)
        self.quota = Quota("okx", calls=calls, monotonic=self.monotonic, sleep=self.sleep)

        def handle(request: httpx2.Request) -> httpx2.Response:
            self.requests.append(request)
            return handler(request)

        self.client = UpstreamClient(
            ClientConfig(
                provider="okx",
                base_url="https://upstream.test/base",
                headers={"x-key": CANARY},
                secrets=(CANARY,),
                now_ms=lambda: int(self.now_s * 1000),
                wall_ms=lambda: 30_000,
            ),
            breaker=self.breaker,
            quota=self.quota,
            observe=self.records.append,
            monotonic=self.monotonic,
            sleep=self.sleep,
            transport=httpx2.MockTransport(handle),
        )

    def monotonic(self) -> float:
        return self.now_s

    async def sleep(self, seconds: float) -> None:
        self.slept_s.append(seconds)
        self.now_s += seconds

    async def get(
        self,
        check: Callable[[Answer], None] | None = None,
        path: str = "/ticker",
        endpoint: str = "ticker",
    ) -> Answer:
        return await self.client.get(path, {"symbol": "BTC"}, endpoint=endpoint, check=check or status_check)


def status_check(answer: Answer) -> None:
    raise_for_http_status("okx", "ticker", answer)


@asynccontextmanager
async def rig(handler: Handler, calls: int | None = None) -> AsyncIterator[Rig]:
    made = Rig(handler, calls)
    try:
        yield made
    finally:
        await made.client.aclose()


def answers(*statuses: int, headers: dict[str, str] | None = None) -> Handler:
    left = list(statuses)

    def handle(_request: httpx2.Request) -> httpx2.Response:
        status = left.pop(0) if len(left) > 1 else left[0]
        return httpx2.Response(status, headers=headers or {}, content=b'{"code":"0"}')

    return handle


def sends_stream(body: bytes) -> Handler:
    async def chunks() -> AsyncIterator[bytes]:
        yield body

    return lambda _request: httpx2.Response(200, content=chunks())


def raises(error: Exception) -> Handler:
    def handle(_request: httpx2.Request) -> httpx2.Response:
        raise error

    return handle


async def test_an_answer_has_status_lower_case_headers_and_body() -> None:
    async with rig(answers(200, headers={"API-KEY-USE-LIMIT": "3"})) as r:
        answer = await r.get()
        assert (answer.status, answer.body) == (200, b'{"code":"0"}')
        assert answer.headers["api-key-use-limit"] == "3"
        assert str(r.requests[0].url) == "https://upstream.test/base/ticker?symbol=BTC"
        assert r.requests[0].headers["accept-encoding"] == "gzip, deflate"
        assert r.records == [CallRecord("okx", "ticker", "ok", 200, 0.0, 1)]
        assert (r.client.state(), r.client.health.last_success_ms) == ("ok", 1_000_000)


async def test_a_server_fault_is_retried_until_it_answers() -> None:
    async with rig(answers(503, 502, 200)) as r:
        assert (await r.get()).status == 200
        assert r.records[0].attempts == 3
        assert all(0 <= wait_s <= 0.2 for wait_s in r.slept_s)


async def test_three_attempts_are_the_end() -> None:
    async with rig(answers(500)) as r:
        with pytest.raises(errors.ProviderUnavailable):
            await r.get()
        assert (len(r.requests), r.records[0].outcome, r.records[0].status) == (3, "unavailable", 500)
        assert r.client.state() == "degraded"


@pytest.mark.parametrize("status", [400, 401, 403, 404, 422])
async def test_what_cannot_succeed_is_asked_once(status: int) -> None:
    async with rig(answers(status)) as r:
        with pytest.raises(errors.ProviderError):
            await r.get()
        assert len(r.requests) == 1


async def test_refused_requests_never_open_the_breaker() -> None:
    async with rig(answers(404)) as r:
        for _ in range(10):
            with pytest.raises(errors.ProviderBadPayload):
                await r.get()
        assert r.breaker.state == "closed"


async def test_no_data_is_a_success_for_health_and_breaker() -> None:
    def nothing(_answer: Answer) -> None:
        raise errors.ProviderNoData("okx", "ticker", "empty")

    async with rig(answers(200)) as r:
        with pytest.raises(errors.ProviderNoData):
            await r.get(nothing)
        assert (r.client.state(), r.records[0].outcome) == ("ok", "no_data")


async def test_a_short_retry_after_is_waited_out() -> None:
    headers = {"retry-after": "2"}
    async with rig(answers(429, 200, headers=headers)) as r:
        assert (await r.get()).status == 200
        assert 2.0 <= sum(r.slept_s) <= 2.2


@pytest.mark.parametrize(
    ("header", "expected_s"),
    [("60", 60.0), ("Thu, 01 Jan 1970 00:01:00 GMT", 30.0), ("garbage", 10.0), (None, 10.0)],
)
async def test_a_long_retry_after_fails_at_once_and_blocks_every_call_until_then(
    header: str | None, expected_s: float
) -> None:
    async with rig(answers(429, 200, headers={"retry-after": header} if header else {})) as r:
        with pytest.raises(errors.ProviderRateLimited) as limited:
            await r.get()
        assert limited.value.retry_after_s == expected_s
        assert r.slept_s == []
        with pytest.raises(errors.ProviderRateLimited):
            await r.get()
        assert len(r.requests) == 1
        assert r.records[1].attempts == 0
        r.now_s += expected_s
        await r.get()
        assert len(r.requests) == 2


async def test_a_rate_limit_inside_a_200_blocks_too() -> None:
    def limited(_answer: Answer) -> None:
        raise errors.ProviderRateLimited("okx", "ticker", "code 50011", retry_after_s=30.0)

    async with rig(answers(200)) as r:
        for _ in range(2):
            with pytest.raises(errors.ProviderRateLimited):
                await r.get(limited)
        assert len(r.requests) == 1


async def test_our_own_budget_refuses_without_a_call_or_a_retry() -> None:
    async with rig(answers(200), calls=1) as r:
        await r.get()
        with pytest.raises(errors.ProviderRateLimited):
            await r.get()
        assert (len(r.requests), r.slept_s) == (1, [])


async def test_retries_count_against_the_budget() -> None:
    async with rig(answers(503), calls=2) as r:
        with pytest.raises(errors.ProviderError):
            await r.get()
        assert len(r.requests) == 2


async def test_five_failures_open_the_breaker_and_nothing_is_sent_while_it_is_open() -> None:
    async with rig(answers(500)) as r:
        for _ in range(2):
            with pytest.raises(errors.ProviderUnavailable):
                await r.get()
        assert len(r.requests) == 5
        assert r.client.state() == "down"
        with pytest.raises(errors.ProviderCircuitOpen):
            await r.get()
        assert len(r.requests) == 5


async def test_the_probe_after_the_cooldown_is_one_request() -> None:
    async with rig(answers(500)) as r:
        for _ in range(2):
            with pytest.raises(errors.ProviderUnavailable):
                await r.get()
        r.now_s += 5
        with pytest.raises(errors.ProviderUnavailable):
            await r.get()
        assert len(r.requests) == 6


async def test_our_own_congestion_is_no_outage_of_the_provider() -> None:
    async with rig(raises(httpx2.PoolTimeout("x"))) as r:
        for _ in range(3):
            with pytest.raises(errors.ProviderTimeout, match="free connection"):
                await r.get()
        assert (len(r.requests), r.breaker.state, r.client.state()) == (3, "closed", "unused")


async def test_an_answer_refused_for_the_size_of_others_is_no_outage_of_the_provider(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(PROCESS_BUDGET, "left", 0)
    async with rig(sends_stream(b"x" * (FREE_BYTES + 1))) as r:
        for _ in range(6):
            with pytest.raises(errors.ProviderBadPayload, match="together"):
                await r.get()
        assert (len(r.requests), r.breaker.state, r.client.state()) == (6, "closed", "unused")


async def test_a_provider_that_cannot_be_reached_is_left_alone_as_a_whole() -> None:
    async with rig(raises(httpx2.ConnectError("x"))) as r:
        for endpoint in ("a", "b"):
            with pytest.raises(errors.ProviderUnavailable):
                await r.get(endpoint=endpoint)
        with pytest.raises(errors.ProviderCircuitOpen):
            await r.get(endpoint="c")
        assert (len(r.requests), r.client.state()) == (5, "down")


async def test_one_broken_endpoint_family_does_not_take_the_healthy_ones_away() -> None:
    def handle(request: httpx2.Request) -> httpx2.Response:
        return httpx2.Response(500 if "rubik" in request.url.path else 200, content=b"{}")

    async with rig(handle) as r:
        for table in ("rubik_a", "rubik_b", "rubik_c"):
            pages = (r.get(path=f"/{table}", endpoint=table) for _ in range(8))
            failures = await asyncio.gather(*pages, return_exceptions=True)
            assert all(isinstance(failure, errors.ProviderError) for failure in failures)
        assert (await r.get()).status == 200
        assert (r.breaker.state, r.client.state()) == ("closed", "degraded")
        sent = len(r.requests)
        with pytest.raises(errors.ProviderCircuitOpen):
            await r.get(path="/rubik_a", endpoint="rubik_a")
        assert len(r.requests) == sent


async def test_no_attempt_starts_after_the_deadline() -> None:
    def handle(_request: httpx2.Request) -> httpx2.Response:
        r.now_s += 6
        return httpx2.Response(503)

    async with rig(handle) as r:
        with pytest.raises(errors.ProviderUnavailable):
            await r.get()
        assert len(r.requests) == 1


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        (httpx2.ConnectTimeout(CANARY), errors.ProviderTimeout),
        (httpx2.ReadTimeout(CANARY), errors.ProviderTimeout),
        (httpx2.PoolTimeout(CANARY), errors.ProviderTimeout),
        (httpx2.ConnectError(CANARY), errors.ProviderUnavailable),
        (httpx2.ReadError(CANARY), errors.ProviderUnavailable),
        (httpx2.RemoteProtocolError(CANARY), errors.ProviderUnavailable),
        (httpx2.LocalProtocolError(CANARY), errors.ProviderUnavailable),
        (httpx2.InvalidURL(CANARY), errors.ProviderUnavailable),
    ],
)
async def test_transport_faults_become_our_errors_and_leak_nothing(
    fault: Exception, kind: type[errors.ProviderError], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    async with rig(raises(fault)) as r:
        with pytest.raises(kind) as raised:
            await r.get()
        assert raised.value.__cause__ is None
        assert raised.value.__context__ is None
        text = "".join(traceback.format_exception(raised.value)) + repr(raised.value) + caplog.text
        assert CANARY not in text
        assert "upstream.test" not in text


async def test_what_a_provider_echoes_is_redacted_in_error_and_health() -> None:
    def echo(_answer: Answer) -> None:
        raise errors.ProviderAuthFailed("okx", "ticker", f"bad key {CANARY} at https://x/?k={CANARY}\r\nx")

    async with rig(answers(200)) as r:
        with pytest.raises(errors.ProviderAuthFailed) as raised:
            await r.get(echo)
        shown = str(raised.value) + repr(raised.value) + raised.value.detail + repr(r.client.health)
        assert CANARY not in shown
        assert "https" not in shown
        assert r.client.state() == "auth_failed"
        assert r.client.health.last_error == "auth_failed at ticker: bad key *** at [url] x"


async def test_configuration_does_not_show_keys_or_hosts() -> None:
    config = ClientConfig("okx", "https://user:pw@host", headers={"x-key": CANARY}, secrets=(CANARY,))
    assert CANARY not in repr(config)
    assert "pw" not in repr(config)


@pytest.mark.parametrize(
    "path",
    [
        "//evil.test/x",
        "/a/../b",
        "/a/./b",
        "/..",
        "/a?x=1",
        "/a#b",
        "/a b",
        "/a%2e",
        "a",
        "/a\r\nb",
        "/é",
        "",
    ],
)
async def test_a_path_that_is_not_plain_is_a_bug_and_never_sent(path: str) -> None:
    async with rig(answers(200)) as r:
        with pytest.raises(errors.InvariantViolation):
            await r.get(path=path)
        assert r.requests == []


@pytest.mark.parametrize("path", ["/fng/", "/api/v5/market/ticker", "/v1/exchangerate/BTC/USD", "/a..b/c"])
async def test_plain_paths_are_sent(path: str) -> None:
    async with rig(answers(200)) as r:
        await r.get(path=path)
        assert r.requests[0].url.path == f"/base{path}"


async def test_redirects_and_cookies_are_not_followed() -> None:
    headers = {"location": "https://evil.test/", "set-cookie": "a=b"}
    async with rig(answers(302, 200, headers=headers)) as r:
        with pytest.raises(errors.ProviderBadPayload):
            await r.get()
        await r.get()
        assert "cookie" not in r.requests[1].headers
        assert r.requests[1].url.host == "upstream.test"


async def test_cancellation_passes_through_and_frees_slot_and_probe() -> None:
    started = asyncio.Event()

    async def hang(_request: httpx2.Request) -> httpx2.Response:
        started.set()
        await asyncio.Event().wait()
        raise AssertionError

    r = Rig(answers(200), calls=1)
    client = UpstreamClient(
        ClientConfig("okx", "https://upstream.test"),
        breaker=r.breaker,
        quota=r.quota,
        observe=r.records.append,
        transport=httpx2.MockTransport(hang),
    )
    task = asyncio.create_task(client.get("/x", {}, endpoint="x", check=status_check))
    await started.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert r.records[0].outcome == "aborted"
    assert r.breaker.state == "closed"
    assert r.quota.left() == 0  # it was sent: it counts for a window, but is no longer under way
    r.now_s += 61
    assert r.quota.left() == 1
    await client.aclose()
    await r.client.aclose()


async def test_a_bug_in_the_check_is_not_hidden() -> None:
    def bug(_answer: Answer) -> None:
        raise KeyError("oops")

    async with rig(answers(200)) as r:
        with pytest.raises(KeyError):
            await r.get(bug)


async def test_an_answer_rejected_by_the_parser_shows_in_the_health() -> None:
    async with rig(answers(200)) as r:
        await r.get()
        r.client.rejected(errors.ProviderBadPayload("okx", "ticker", f"price {CANARY}"))
        assert r.client.health.last_error == "bad_payload at ticker: price ***"
        assert r.client.state() == "degraded"
