"""What a CoinAPI answer means: HTTP status first, then the error text under `error` or `message`.

Called by the transport for every answer. Source: docs.coinapi.io and a recorded answer; checked 2026-11.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TypeVar

import msgspec

from app.core.errors import (
    ProviderBadPayload,
    ProviderError,
    ProviderNoData,
    ProviderPlanLimited,
    ProviderRateLimited,
    ProviderUnavailable,
)
from app.services.spot.times import epoch_ms
from app.services.spot.wire import Failure
from app.services.transport.json_faults import ends_early
from app.services.transport.records import Answer
from app.services.transport.status import MAX_RETRY_AFTER_S, raise_for_http_status

PROVIDER = "coinapi"

T = TypeVar("T")
_FAILURE = msgspec.json.Decoder(Failure)


class CreditMeter:
    """Credits left as the last answer stated them; None until one did.

    `left` can be negative on the wire when overage is allowed; it is shown as 0. `now_ms`: the time the
    provider has, against which the moment of the reset is read.
    """

    def __init__(self, now_ms: Callable[[], int]) -> None:
        self._now_ms = now_ms
        self.left: int | None = None
        self.limit: int | None = None

    def check(self, endpoint: str, answer: Answer) -> None:
        """Read the usage headers, then `check_answer`; over quota, wait until the stated reset."""
        self.limit = _whole(answer.headers.get("x-ratelimit-limit"), self.limit)
        left = _whole(answer.headers.get("x-ratelimit-remaining"), self.left)
        self.left = None if left is None else max(0, left)
        try:
            check_answer(endpoint, answer)
        except ProviderRateLimited as error:
            error.retry_after_s = _until_reset_s(answer.headers.get("x-ratelimit-reset"), self._now_ms())
            raise


def _until_reset_s(reset: str | None, now_ms: int) -> float | None:
    """Seconds from `now_ms` to the reset, at most a day; None when absent, garbage or past.

    Worked number: 2025-10-09T09:00:42.5000000Z at 09:00:00 -> 42.5 s.
    """
    try:
        wait_s = (epoch_ms(reset or "") - now_ms) / 1000
    except ValueError:
        return None
    return min(wait_s, MAX_RETRY_AFTER_S) if wait_s > 0 else None


def _whole(text: str | None, otherwise: int | None) -> int | None:
    """The whole number in a header, or `otherwise` when it is absent or garbage."""
    is_number = text is not None and re.fullmatch(r"-?[0-9]{1,15}", text) is not None
    return int(text) if text is not None and is_number else otherwise


def check_answer(endpoint: str, answer: Answer) -> None:
    """Accept HTTP 200 without an error text.

    Raises:
        ProviderNoData: 550, a normal miss that is neither retried nor counted as an outage.
        ProviderPlanLimited: 403, plan or credits do not cover the call.
        ProviderBadPayload: HTTP 200 with an error text.
        ProviderAuthFailed, ProviderRateLimited, ProviderUnavailable: by status.
    """
    if answer.status == 550:
        raise ProviderNoData(PROVIDER, endpoint, "no data for this pair (HTTP 550)")
    if answer.status == 403:
        raise ProviderPlanLimited(PROVIDER, endpoint, "plan or credits do not cover this (HTTP 403)")
    raise_for_http_status(PROVIDER, endpoint, answer)
    text = _failure_text(answer.body)
    if text:
        raise ProviderBadPayload(PROVIDER, endpoint, f"error text: {text[:120]}")


def _failure_text(body: bytes) -> str:
    try:
        failure = _FAILURE.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return ""  # not an error envelope; the parser says what it is instead
    return failure.error or failure.message or ""


def decode(decoder: msgspec.json.Decoder[T], body: bytes, endpoint: str) -> T:
    """Decode one body. Raises: `ProviderUnavailable` when it ends early, else `ProviderBadPayload`."""
    try:
        return decoder.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        kind: type[ProviderError] = ProviderBadPayload
        if ends_early(error, body):
            kind = ProviderUnavailable
        raise kind(PROVIDER, endpoint, f"unexpected shape: {error}") from error
