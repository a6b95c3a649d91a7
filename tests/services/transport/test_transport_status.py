"""HTTP statuses and Retry-After headers become the right errors and waits."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core import errors
from app.services.transport.records import Answer
from app.services.transport.status import MAX_RETRY_AFTER_S, parse_retry_after, raise_for_http_status


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (302, errors.ProviderBadPayload),
        (400, errors.ProviderBadPayload),
        (401, errors.ProviderAuthFailed),
        (403, errors.ProviderAuthFailed),
        (404, errors.ProviderBadPayload),
        (408, errors.ProviderTimeout),
        (422, errors.ProviderBadPayload),
        (429, errors.ProviderRateLimited),
        (500, errors.ProviderUnavailable),
        (503, errors.ProviderUnavailable),
        (550, errors.ProviderUnavailable),
    ],
)
def test_each_status_means_one_error(status: int, kind: type[errors.ProviderError]) -> None:
    with pytest.raises(errors.ProviderError) as raised:
        raise_for_http_status("okx", "ticker", Answer(status, {}, b"", 1.0))
    assert type(raised.value) is kind
    assert str(status) in raised.value.detail


def test_success_raises_nothing() -> None:
    raise_for_http_status("okx", "ticker", Answer(200, {}, b"", 1.0))


@pytest.mark.parametrize(
    ("value", "expected_s"),
    [
        ("0", 0.0),
        ("7", 7.0),
        (" 2.5 ", 2.5),
        ("99999999999", MAX_RETRY_AFTER_S),
        ("Thu, 01 Jan 1970 00:01:00 GMT", 30.0),
        ("Thu, 01 Jan 1970 00:00:10 GMT", 0.0),
        ("Thu, 01 Jan 1970 00:01:00", 30.0),
        (None, None),
        ("", None),
        ("soon", None),
        ("-5", None),
        ("nan", None),
        ("inf", None),
        ("1e400", None),
        ("٣", 3.0),
        ("5" * 100, None),
        ("Thu, 99 Jan 1970 00:01:00 GMT", None),
    ],
)
def test_retry_after_is_read_in_every_form(value: str | None, expected_s: float | None) -> None:
    assert parse_retry_after(value, now_ms=30_000) == expected_s


@given(st.text(max_size=80))
def test_any_text_gives_a_bounded_wait_or_none(text: str) -> None:
    wait_s = parse_retry_after(text, now_ms=1_760_000_000_000)
    assert wait_s is None or 0 <= wait_s <= MAX_RETRY_AFTER_S


@given(st.integers(0, 86_400))
def test_a_date_means_the_same_as_its_seconds(seconds: int) -> None:
    now = datetime(2026, 1, 5, 12, tzinfo=UTC)
    header = format_datetime(now + timedelta(seconds=seconds), usegmt=True)
    assert parse_retry_after(header, int(now.timestamp() * 1000)) == seconds
