"""CoinAPI: bytes to a spot price, statuses to errors, and the provider over a mock transport."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import httpx2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.clock import ManualClock
from app.core.domain.market import PriceKind
from app.core.domain.status import ProviderState
from app.core.domain.symbol import Symbol
from app.core.errors import (
    ProviderAuthFailed,
    ProviderBadPayload,
    ProviderError,
    ProviderNoData,
    ProviderPlanLimited,
    ProviderRateLimited,
    ProviderUnavailable,
)
from app.core.ports import Provider
from app.services.spot.build import build_provider
from app.services.spot.client import check_answer
from app.services.spot.parse import parse_rate
from app.services.spot.provider import CoinApiProvider
from app.services.spot.times import epoch_ms
from app.services.transport.cache import ResourceCache
from app.services.transport.records import Answer

FIXTURES = Path(__file__).parents[2] / "fixtures" / "coinapi"
SAMPLES = Path(__file__).parents[4] / "shared" / "contracts" / "coinapi" / "samples"
BTC = Symbol("BTC")
NOW_MS = 1_760_000_400_000  # 2025-10-09T09:00:00Z
KEY = "canary-coinapi-key"


def _fixture(case: str) -> bytes:
    return (FIXTURES / f"http_get_exchangerate__{case}.json").read_bytes()


class TestParse:
    def test_the_contract_sample_parses(self) -> None:
        if not SAMPLES.is_dir():
            pytest.skip("no contract samples beside the project")
        price, ts_ms = parse_rate((SAMPLES / "exchangerate.json").read_bytes(), "BTC")
        assert price.price_usd == pytest.approx(69370.6931457)
        assert ts_ms == 1_717_936_325_000

    def test_a_rate_with_many_decimals_and_its_time(self) -> None:
        price, ts_ms = parse_rate(_fixture("normal"), "BTC")
        assert (price.kind, price.exchange) == (PriceKind.SPOT_RATE, None)
        assert price.price_usd == pytest.approx(50211.12345678901)
        assert ts_ms == 1_760_000_405_123

    def test_a_numeric_string_and_extra_fields_are_read(self) -> None:
        assert parse_rate(_fixture("text_rate"), "BTC")[0].price_usd == 50211.5

    @pytest.mark.parametrize("case", ["zero", "null", "empty_string", "other_pair", "bad_time", "error"])
    def test_an_unusable_rate_is_a_bad_payload(self, case: str) -> None:
        with pytest.raises(ProviderBadPayload):
            parse_rate(_fixture(case), "BTC")

    @pytest.mark.parametrize("text", ["", "now", "2025-10-09", "2025-10-09T09:00:05+00:00", "9" * 40])
    def test_a_time_that_is_not_utc_iso_is_refused(self, text: str) -> None:
        with pytest.raises(ValueError, match="ISO 8601"):
            epoch_ms(text)

    def test_seven_decimals_are_cut_not_rounded(self) -> None:
        assert epoch_ms("2024-06-09T12:32:05.1239999Z") % 1000 == 123

    def test_bytes_cut_anywhere_raise_only_provider_errors(self) -> None:
        body = _fixture("normal").rstrip()
        for length in range(len(body)):
            with pytest.raises(ProviderError):
                parse_rate(body[:length], "BTC")

    @given(
        key=st.sampled_from(["time", "asset_id_base", "asset_id_quote", "rate"]),
        junk=st.one_of(st.text(max_size=30), st.floats(), st.none(), st.booleans(), st.integers()),
    )
    def test_junk_never_becomes_a_price(self, key: str, junk: object) -> None:
        answer = {**json.loads(_fixture("normal")), key: junk}
        try:
            price, _ = parse_rate(json.dumps(answer).encode(), "BTC")
        except ProviderError:
            return
        assert 0 < price.price_usd < float("inf")


@pytest.mark.parametrize(
    "status, body, error",
    [
        (550, b'{"error":"No data"}', ProviderNoData),
        (401, b'{"error":"Invalid API key"}', ProviderAuthFailed),
        (403, b"{}", ProviderPlanLimited),
        (429, b"{}", ProviderRateLimited),
        (400, b'{"error":"bad"}', ProviderBadPayload),
        (500, b"", ProviderUnavailable),
        (200, b'{"error":"broken"}', ProviderBadPayload),
        (200, b'{"message":"broken"}', ProviderBadPayload),
    ],
)
def test_statuses_become_typed_errors(status: int, body: bytes, error: type[Exception]) -> None:
    with pytest.raises(error):
        check_answer("exchangerate", Answer(status, {}, body, 1.0))


def _build(handle: Callable[[httpx2.Request], httpx2.Response], api_key: str | None = KEY) -> CoinApiProvider:
    clock = ManualClock(NOW_MS)

    async def sleep(_seconds: float) -> None:
        return None

    return build_provider(
        api_key=api_key,
        base_url="http://coinapi.test",
        cache=ResourceCache(now_ms=clock.now_ms),
        observe=lambda _record: None,
        now_ms=clock.now_ms,
        monotonic=clock.monotonic_s,
        sleep=sleep,
        transport=httpx2.MockTransport(handle),
    )


class TestProvider:
    async def test_the_symbol_is_one_path_segment_and_the_key_a_header(self) -> None:
        seen: list[httpx2.Request] = []

        def handle(request: httpx2.Request) -> httpx2.Response:
            seen.append(request)
            headers = {"x-ratelimit-limit": "100", "x-ratelimit-remaining": "-5"}
            return httpx2.Response(200, content=_fixture("normal"), headers=headers)

        provider: Provider = _build(handle)
        (source,) = provider.sources()
        found = await source.fetch(BTC)
        assert found.ts_event_ms == 1_760_000_405_123
        assert str(seen[0].url) == "http://coinapi.test/v1/exchangerate/BTC/USD"
        assert seen[0].headers["x-coinapi-key"] == KEY
        # Overage makes `remaining` negative: nothing is left.
        assert (provider.status().quota_left, provider.status().quota_limit) == (0, 100)
        (probe,) = provider.probes()
        assert (await probe.fetch(BTC)).value[0].name == "spotRateUsd"

    async def test_550_is_no_data_and_not_an_outage(self) -> None:
        calls: list[int] = []

        def handle(_request: httpx2.Request) -> httpx2.Response:
            calls.append(1)
            return httpx2.Response(550, content=_fixture("error"))

        provider = _build(handle)
        with pytest.raises(ProviderNoData):
            await provider.fetch_price(BTC)
        assert len(calls) == 1
        assert provider.status().state is ProviderState.OK

    @pytest.mark.parametrize(
        ("headers", "wait_s"),
        [
            ({"x-ratelimit-reset": "2025-10-09T09:00:42.5000000Z"}, 42.5),
            ({"x-ratelimit-reset": "2025-10-09T09:00:42.5000000Z", "retry-after": "7"}, 42.5),
            ({"x-ratelimit-reset": "2025-11-09T09:00:00.0000000Z"}, 86_400),
            # In the past or unreadable, it says nothing about how long to wait.
            ({"x-ratelimit-reset": "2025-10-09T08:59:00.0000000Z", "retry-after": "7"}, 7),
            ({"x-ratelimit-reset": "soon"}, 10),
            ({}, 10),
        ],
    )
    async def test_over_quota_it_waits_until_the_reset(self, headers: dict[str, str], wait_s: float) -> None:
        calls: list[int] = []

        def handle(_request: httpx2.Request) -> httpx2.Response:
            calls.append(1)
            return httpx2.Response(429, json={"error": "too many"}, headers=headers)

        provider = _build(handle)
        for _ in range(2):
            with pytest.raises(ProviderRateLimited) as caught:
                await provider.fetch_price(BTC)
            assert caught.value.retry_after_s == pytest.approx(wait_s, abs=0.01)
        assert len(calls) == 1

    async def test_a_refused_key_is_a_state_and_never_shown(self) -> None:
        provider = _build(lambda _request: httpx2.Response(401, json={"error": f"key {KEY} is invalid"}))
        with pytest.raises(ProviderAuthFailed) as caught:
            await provider.fetch_price(BTC)
        assert provider.status().state is ProviderState.AUTH_FAILED
        assert KEY not in f"{caught.value!r} {caught.value} {provider.status()!r}"

    async def test_without_a_key_it_offers_nothing_and_says_so(self) -> None:
        provider = _build(lambda _request: httpx2.Response(500), api_key=None)
        assert (provider.sources(), provider.probes()) == ((), ())
        assert provider.status().state is ProviderState.NOT_CONFIGURED
        assert await provider.market(BTC) == {}
        await provider.start()
        await provider.close()
