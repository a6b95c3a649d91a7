"""What an HTTP status and a Retry-After header mean, when the provider's envelope does not say it better.

Pure. Providers call `raise_for_http_status` from their envelope check, before or after reading the body;
`http.UpstreamClient` reads Retry-After for every refusal.
"""

from __future__ import annotations

import math
from datetime import UTC
from email.utils import parsedate_to_datetime

from app.core.errors import (
    ProviderAuthFailed,
    ProviderBadPayload,
    ProviderError,
    ProviderRateLimited,
    ProviderTimeout,
    ProviderUnavailable,
)
from app.services.transport.records import Answer

# A day: the longest quota period in use. A larger number is a fault of the sender, not a promise.
MAX_RETRY_AFTER_S = 86_400.0


def raise_for_http_status(provider: str, endpoint: str, answer: Answer) -> None:
    """Raise the error that fits a status other than 2xx; providers override single statuses before."""
    status = answer.status
    if 200 <= status < 300:
        return
    kind, detail = _meaning(status)
    raise kind(provider, endpoint, f"HTTP {status}: {detail}")


def _meaning(status: int) -> tuple[type[ProviderError], str]:
    known: dict[int, tuple[type[ProviderError], str]] = {
        401: (ProviderAuthFailed, "key refused"),
        403: (ProviderAuthFailed, "key refused"),
        404: (ProviderBadPayload, "unknown path"),
        408: (ProviderTimeout, "the provider timed out"),
        429: (ProviderRateLimited, "too many requests"),
    }
    if status in known:
        return known[status]
    if status >= 500:
        return ProviderUnavailable, "server fault"
    if 300 <= status < 400:
        return ProviderBadPayload, "redirect not followed"
    return ProviderBadPayload, "request refused"


def parse_retry_after(value: str | None, now_ms: int) -> float | None:
    """Seconds to wait from a Retry-After header: a number or an HTTP date; None when absent or garbage.

    A date in the past is 0. More than a day is cut to a day. Worked number: "Thu, 01 Jan 1970 00:01:00 GMT"
    at now_ms 30,000 -> 30 s.
    """
    text = (value or "").strip()
    if not text or len(text) > 64:
        return None
    try:
        seconds = float(text) if text[0].isdigit() else _seconds_until(text, now_ms)
    except (ValueError, OverflowError):
        return None
    if not math.isfinite(seconds):
        return None
    return min(max(seconds, 0.0), MAX_RETRY_AFTER_S)


def _seconds_until(http_date: str, now_ms: int) -> float:
    moment = parsedate_to_datetime(http_date)
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return moment.timestamp() - now_ms / 1000
