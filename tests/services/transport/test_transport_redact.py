"""Redaction: planted secrets and everything that looks like a credential stay inside."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.services.transport.redact import Redactor

CANARY = "canary/KEY+4711=x"


@pytest.fixture
def redactor() -> Redactor:
    return Redactor([CANARY, "canary", ""])


@pytest.mark.parametrize(
    "text",
    [
        f"got {CANARY} back",
        "https://host/x?apikey=canary%2FKEY%2B4711%3Dx",
        f"Authorization: Bearer {CANARY}",
        f"{{'CG-API-KEY': '{CANARY}'}}",
        f"(b'X-CoinAPI-Key', b'{CANARY}')",
        f"redis://user:{CANARY}@cache:6379/0",
    ],
)
def test_the_secret_is_gone_in_every_spelling(redactor: Redactor, text: str) -> None:
    assert "KEY" not in redactor.text(text).replace("CG-API-KEY", "")
    assert "4711" not in redactor.text(text)


@pytest.mark.parametrize(
    ("text", "secret"),
    [
        ("POST https://api.telegram.org/bot123456:AAbbCCddEEffGGhh/sendMessage", "AAbbCC"),
        ("GET https://h/p?symbol=BTC&apikey=zzz999", "zzz999"),
        ("GET /v1/x?token=zzz999 HTTP/1.1", "zzz999"),
        ("authorization: Basic dXNlcjpwYXNz", "dXNlcjpwYXNz"),
        ("CG-API-KEY=zzz999", "zzz999"),
        ('{"api_key": "zzz999"}', "zzz999"),
        ("password='zzz999'", "zzz999"),
        ("postgresql://app:zzz999@db/signals", "zzz999"),
        ("Bearer zzz999zzz", "zzz999"),
    ],
)
def test_unknown_credentials_are_masked_by_their_looks(text: str, secret: str) -> None:
    assert secret not in Redactor().text(text)


def test_ordinary_text_stays_as_it_is(redactor: Redactor) -> None:
    text = "okx ticker: HTTP 503 after 3 attempts, 12:30:05, ratio 0.5?"
    assert redactor.text(text) == text


def test_details_hold_no_url_no_control_characters_and_are_short(redactor: Redactor) -> None:
    detail = redactor.detail(f"bad\r\nkey {CANARY} see https://host/path?x=1\x00" + "y" * 10_000)
    assert "https" not in detail
    assert "\n" not in detail
    assert "\x00" not in detail
    assert len(detail) <= 200


@given(before=st.text(max_size=60), after=st.text(max_size=60))
def test_a_known_secret_never_survives_whatever_surrounds_it(before: str, after: str) -> None:
    assert "S3cr3t-Canary" not in Redactor(["S3cr3t-Canary"]).text(f"{before}S3cr3t-Canary{after}")


def test_a_redactor_does_not_show_its_secrets(redactor: Redactor) -> None:
    assert "4711" not in repr(redactor)
