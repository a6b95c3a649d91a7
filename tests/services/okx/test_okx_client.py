"""What an OKX envelope means."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from app.core.errors import (
    ProviderAuthFailed,
    ProviderBadPayload,
    ProviderNoData,
    ProviderRateLimited,
    ProviderUnavailable,
)
from app.services.okx.client import NotListed, check_answer
from app.services.transport.records import Answer

MakeAnswer = Callable[..., Answer]


def _envelope(code: str) -> bytes:
    return b'{"code":"%s","msg":"some text","data":[]}' % code.encode()


def test_code_zero_with_an_empty_list_is_an_answer(answer: MakeAnswer) -> None:
    check_answer("market_ticker", answer(_envelope("0")))


@pytest.mark.parametrize(
    "code, status, error",
    [
        ("51001", 200, NotListed),
        ("50011", 200, ProviderRateLimited),
        ("50011", 429, ProviderRateLimited),
        ("50013", 429, ProviderUnavailable),
        ("50001", 503, ProviderUnavailable),
        ("50026", 500, ProviderUnavailable),
        ("50004", 400, ProviderUnavailable),
        ("51000", 400, ProviderBadPayload),
        ("50005", 410, ProviderNoData),
        ("0", 502, ProviderUnavailable),
        # A code nobody documents, as gateways write them: the status says more.
        ("502", 502, ProviderUnavailable),
        ("99999", 429, ProviderRateLimited),
        ("403", 403, ProviderAuthFailed),
        ("99999", 404, ProviderBadPayload),
        ("99999", 200, ProviderBadPayload),
    ],
)
def test_codes_become_typed_errors(
    answer: MakeAnswer, code: str, status: int, error: type[Exception]
) -> None:
    with pytest.raises(error):
        check_answer("market_ticker", answer(_envelope(code), status))


@pytest.mark.parametrize(
    "body, status, error",
    [
        (b"<html>busy</html>", 503, ProviderUnavailable),
        (b"<html>blocked</html>", 403, ProviderAuthFailed),
        (b"<html>hello</html>", 200, ProviderBadPayload),
        (b"", 200, ProviderUnavailable),
        (b'{"code":"0","da', 200, ProviderUnavailable),
        (b'{"data":[]}', 200, ProviderBadPayload),
        (b"slow down", 429, ProviderRateLimited),
    ],
)
def test_answers_without_an_envelope_go_by_status(
    answer: MakeAnswer, body: bytes, status: int, error: type[Exception]
) -> None:
    with pytest.raises(error):
        check_answer("market_ticker", answer(body, status))


def test_an_error_text_never_quotes_the_answer(answer: MakeAnswer) -> None:
    with pytest.raises(ProviderBadPayload) as caught:
        check_answer("market_ticker", answer(_envelope("51000"), 400))
    assert "some text" not in str(caught.value)


@pytest.mark.parametrize(
    "case, error",
    [
        ("not_listed", NotListed),
        ("parameter", ProviderBadPayload),
        ("rate", ProviderRateLimited),
        ("busy", ProviderUnavailable),
    ],
)
def test_whole_error_envelopes_with_http_200_are_errors(
    answer: MakeAnswer, fixture_bytes: Callable[[str], bytes], case: str, error: type[Exception]
) -> None:
    with pytest.raises(error):
        check_answer("market_ticker", answer(fixture_bytes(f"any__error_{case}")))
