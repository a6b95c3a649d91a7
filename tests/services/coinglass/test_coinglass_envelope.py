"""Every non-success answer, also inside an HTTP 200, becomes the error that says what to do next."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from app.core.errors import (
    ProviderAuthFailed,
    ProviderBadPayload,
    ProviderError,
    ProviderPlanLimited,
    ProviderRateLimited,
    ProviderTimeout,
    ProviderUnavailable,
)
from app.services.coinglass.client import RequestRefused, build_check, check_envelope
from app.services.transport.records import Answer

Body = Callable[[str, str], bytes]


def answer(body: bytes, status: int = 200, **headers: str) -> Answer:
    return Answer(status, {name.replace("_", "-"): text for name, text in headers.items()}, body, 1.0)


@pytest.mark.parametrize("code", ['"0"', "0"])
def test_http_200_with_code_zero_passes_as_text_or_number(code: str) -> None:
    check_envelope("any", answer(b'{"code":%s,"data":[]}' % code.encode()))


@pytest.mark.parametrize(
    ("case", "status", "error"),
    [
        ("upgrade_plan", 200, ProviderPlanLimited),
        ("upgrade_plan", 401, ProviderPlanLimited),
        ("upgrade_plan_older", 200, ProviderPlanLimited),
        ("interval_below_floor", 200, ProviderPlanLimited),
        ("unauthorized", 200, ProviderAuthFailed),
        ("key_missing", 200, ProviderAuthFailed),
        ("key_missing_older", 200, ProviderAuthFailed),
        ("key_invalid", 200, ProviderAuthFailed),
        ("key_invalid", 400, ProviderAuthFailed),
        ("rate_limited", 200, ProviderRateLimited),
        ("rate_limited", 429, ProviderRateLimited),
        ("slow", 200, ProviderTimeout),
        ("server_fault", 200, ProviderUnavailable),
        ("parameter_missing", 200, RequestRefused),
        ("not_found", 200, RequestRefused),
        ("not_found", 404, RequestRefused),
    ],
)
def test_a_refusal_becomes_its_error(body: Body, case: str, status: int, error: type[ProviderError]) -> None:
    with pytest.raises(ProviderError) as caught:
        check_envelope("any", answer(body("any", case), status))
    assert type(caught.value) is error


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (200, ProviderBadPayload),
        (401, ProviderAuthFailed),
        (403, ProviderAuthFailed),
        (404, RequestRefused),
        (408, ProviderTimeout),
        (429, ProviderRateLimited),
        (502, ProviderUnavailable),
    ],
)
def test_an_answer_that_is_no_envelope_is_judged_by_its_status(
    status: int, error: type[ProviderError]
) -> None:
    with pytest.raises(ProviderError) as caught:
        check_envelope("any", answer(b"<html>busy</html>", status))
    assert type(caught.value) is error


@pytest.mark.parametrize("body", [b"", b"{", b'{"code":"0","data":[{"close":"1.', b'{"code":"0","data":[1.'])
def test_an_envelope_that_ends_early_may_be_tried_again(body: bytes) -> None:
    with pytest.raises(ProviderUnavailable, match="cut short"):
        check_envelope("any", answer(body))


def test_code_zero_under_a_failed_status_is_not_a_success() -> None:
    with pytest.raises(ProviderUnavailable):
        check_envelope("any", answer(b'{"code":"0","data":[]}', 500))


@pytest.mark.parametrize(
    ("code", "error"),
    [(400, RequestRefused), (404, RequestRefused), (422, RequestRefused), (405, ProviderBadPayload)],
)
def test_a_refused_request_is_told_apart_from_a_broken_answer(code: int, error: type[ProviderError]) -> None:
    with pytest.raises(ProviderBadPayload) as caught:
        check_envelope("any", answer(b'{"code":"%d","msg":"no"}' % code))
    assert type(caught.value) is error


def test_only_faults_that_can_pass_are_retryable(body: Body) -> None:
    retryable = set()
    for case in ("upgrade_plan", "key_invalid", "rate_limited", "slow", "server_fault", "parameter_missing"):
        with pytest.raises(ProviderError) as caught:
            check_envelope("any", answer(body("any", case)))
        if caught.value.retryable:
            retryable.add(case)
    assert retryable == {"rate_limited", "slow", "server_fault"}


class Gauge:
    def __init__(self) -> None:
        self.seen: list[tuple[int | None, int | None]] = []

    def observe_usage(self, used: int | None, limit: int | None) -> None:
        self.seen.append((used, limit))


def test_usage_headers_reach_the_quota_even_with_a_refusal(body: Body) -> None:
    gauge = Gauge()
    check = build_check(gauge)
    check("any", answer(b'{"code":"0"}', api_key_use_limit="7", api_key_max_limit="300"))
    with pytest.raises(ProviderPlanLimited):
        check("any", answer(body("any", "upgrade_plan"), api_key_use_limit="8"))
    check("any", answer(b'{"code":"0"}', api_key_use_limit="many", api_key_max_limit="9" * 12))
    assert gauge.seen == [(7, 300), (8, None), (None, None)]
