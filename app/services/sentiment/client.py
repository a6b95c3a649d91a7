"""What LunarCrush and alternative.me answers mean: status, error keys inside HTTP 200, and the decode step.

Called by the transport for every answer. Source: public client notes for both; checked 2026-11.
"""

from __future__ import annotations

from typing import TypeVar

import msgspec

from app.core.errors import (
    ProviderBadPayload,
    ProviderError,
    ProviderNoData,
    ProviderPlanLimited,
    ProviderUnavailable,
)
from app.services.sentiment.wire import FearGreedFailure, LunarCrushFailure
from app.services.transport.json_faults import ends_early
from app.services.transport.records import Answer
from app.services.transport.status import raise_for_http_status

LUNARCRUSH = "lunarcrush"
ALTERNATIVE_ME = "alternative.me"

T = TypeVar("T")
_LUNARCRUSH_FAILURE = msgspec.json.Decoder(LunarCrushFailure)
_FEAR_GREED_FAILURE = msgspec.json.Decoder(FearGreedFailure)
_UNREADABLE = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)


def check_lunarcrush(endpoint: str, answer: Answer) -> None:
    """Accept HTTP 200 without an error key.

    Raises:
        ProviderNoData: "Coin not found", whatever the status (the status is not confirmed).
        ProviderPlanLimited: 402.
        ProviderUnavailable: any other error key in HTTP 200.
        ProviderAuthFailed, ProviderRateLimited, ...: by status.
    """
    text = _lunarcrush_error(answer.body)
    if "not found" in text.lower() and answer.status in {200, 404}:
        raise ProviderNoData(LUNARCRUSH, endpoint, "coin not found")
    if answer.status == 402:
        raise ProviderPlanLimited(LUNARCRUSH, endpoint, "plan does not cover this (HTTP 402)")
    raise_for_http_status(LUNARCRUSH, endpoint, answer)
    if text:
        raise ProviderUnavailable(LUNARCRUSH, endpoint, f"error text: {text[:120]}")


def check_alternative_me(endpoint: str, answer: Answer) -> None:
    """Accept HTTP 200 with `metadata.error` null. Raises: `ProviderUnavailable` for an error text."""
    raise_for_http_status(ALTERNATIVE_ME, endpoint, answer)
    try:
        error = _FEAR_GREED_FAILURE.decode(answer.body).metadata.error
    except _UNREADABLE:
        return  # the parser says what this is instead
    if error:
        raise ProviderUnavailable(ALTERNATIVE_ME, endpoint, f"error text: {error[:120]}")


def _lunarcrush_error(body: bytes) -> str:
    try:
        return _LUNARCRUSH_FAILURE.decode(body).error or ""
    except _UNREADABLE:
        return ""


def decode(decoder: msgspec.json.Decoder[T], body: bytes, provider: str, endpoint: str) -> T:
    """Decode one body. Raises: `ProviderUnavailable` when it ends early, else `ProviderBadPayload`."""
    try:
        return decoder.decode(body)
    except _UNREADABLE as error:
        kind: type[ProviderError] = ProviderBadPayload
        if ends_early(error, body):
            kind = ProviderUnavailable
        raise kind(provider, endpoint, f"unexpected shape: {error}") from error
