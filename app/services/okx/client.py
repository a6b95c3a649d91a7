"""What an OKX answer means: the envelope check and the one decode step.

Owns the mapping from HTTP status and OKX code to our errors. It does not fetch (transport does) and knows no
row shape (wire.py does). `check_answer` is called by the transport for every answer, retries included.
Source: OKX v5 public REST, error codes of the official docs (copy of 2025-07); checked 2026-11.
"""

from __future__ import annotations

from typing import TypeVar

import msgspec

from app.core.errors import (
    ProviderAuthFailed,
    ProviderBadPayload,
    ProviderNoData,
    ProviderRateLimited,
    ProviderUnavailable,
)
from app.services.okx.wire import Status
from app.services.transport.json_faults import ends_early
from app.services.transport.records import Answer
from app.services.transport.status import raise_for_http_status

PROVIDER = "okx"

# Busy, unavailable, internal time-out, system error: reads are safe to repeat.
_RETRYABLE_CODES = frozenset({"50001", "50004", "50013", "50026"})
_NOT_LISTED = "51001"
_RATE_LIMITED = "50011"
_REMOVED = "50005"

# Refused for where or who we are: asking again cannot succeed.
_REFUSED_STATUSES = frozenset({401, 403, 451})
_TELLING_STATUSES = _REFUSED_STATUSES | {408, 429}

_STATUS = msgspec.json.Decoder(Status, strict=False)
T = TypeVar("T")


class NotListed(ProviderNoData):
    """OKX has no such instrument (51001). Remembered by the provider for a day."""


def check_answer(endpoint: str, answer: Answer) -> None:
    """Accept only HTTP 200 with code "0"; a wrong instrument is HTTP 200 with code 51001.

    Raises:
        NotListed, ProviderRateLimited, ProviderUnavailable, ProviderBadPayload, ProviderNoData,
        ProviderAuthFailed: what the code says, or what the status says when there is no envelope.
    """
    try:
        code = decode(_STATUS, answer.body, endpoint).code
    except (ProviderBadPayload, ProviderUnavailable):
        # No envelope: an error page of a proxy says more by its status than by its text.
        _check_status(endpoint, answer)
        raise
    if code != "0":
        _raise_for_code(endpoint, code, answer)
    _check_status(endpoint, answer)


def _raise_for_code(endpoint: str, code: str, answer: Answer) -> None:
    if code == _NOT_LISTED:
        raise NotListed(PROVIDER, endpoint, "not listed on OKX")
    if code == _RATE_LIMITED:
        # Seen with HTTP 429 and with HTTP 200. How long to wait: the header, else one rate window (build.py).
        raise ProviderRateLimited(PROVIDER, endpoint, "code 50011")
    if code in _RETRYABLE_CODES:
        raise ProviderUnavailable(PROVIDER, endpoint, f"code {code}")
    if code == _REMOVED:
        raise ProviderNoData(PROVIDER, endpoint, "endpoint removed by OKX (code 50005)")
    if answer.status >= 500 or answer.status in _TELLING_STATUSES:
        # A code we do not know, written by a proxy or a gateway: its status says more.
        _check_status(endpoint, answer)
    # 51000, 50014 and the rest: we asked wrongly, or the contract moved.
    raise ProviderBadPayload(PROVIDER, endpoint, f"code {code[:12]}")


def _check_status(endpoint: str, answer: Answer) -> None:
    if answer.status in _REFUSED_STATUSES:
        raise ProviderAuthFailed(PROVIDER, endpoint, f"access refused (HTTP {answer.status})")
    raise_for_http_status(PROVIDER, endpoint, answer)


def decode(decoder: msgspec.json.Decoder[T], body: bytes, endpoint: str) -> T:
    """Decode one body.

    Raises:
        ProviderUnavailable: the bytes end early (retryable).
        ProviderBadPayload: anything else that is not the contracted shape.
    """
    try:
        return decoder.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        if ends_early(error, body):
            raise ProviderUnavailable(PROVIDER, endpoint, "answer cut short") from error
        raise ProviderBadPayload(PROVIDER, endpoint, f"unexpected shape: {error}") from error
