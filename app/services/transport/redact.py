"""Keep secrets and URLs out of error texts: they end up in answers, health, logs and reports.

Owns the patterns and the known secret values of one provider. The log chain itself (telemetry) redacts once
more and silences the HTTP libraries. Called by `http.UpstreamClient`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from urllib.parse import quote, quote_plus

MASK = "***"
MAX_DETAIL = 200
_MIN_SECRET = 4  # shorter "secrets" would blank ordinary words

_NAMES = (
    r"authorization|proxy-authorization|cookie|set-cookie|[\w-]*(?:api[-_]?key|token|secret|password|passwd)"
)
_PATTERNS = (
    # Telegram puts the token into the path: /bot123456:AA.../sendMessage
    (re.compile(r"\bbot\d{3,}:[\w-]{6,}"), f"bot{MASK}"),
    (re.compile(r"\b\d{6,}:[A-Za-z0-9_-]{30,}"), MASK),
    # user:password@ of database and Redis addresses
    (re.compile(r"(://)[^\s/@]*@"), rf"\1{MASK}@"),
    # the query of any URL or path: keys travel there
    (re.compile(r"((?:https?|wss?)://[^\s?'\"<>]*|/[\w./%~-]+)\?[^\s'\"<>]+"), rf"\1?{MASK}"),
    # name: value, name=value, 'name': 'value', b'name', b'value'
    (
        re.compile(
            rf"(?i)(\b(?:{_NAMES})\b['\"]?\s*[:=,]\s*(?:b(?=['\"]))?['\"]?)(?:(?:bearer|basic|token)\s+)?[^\s'\",;&}})]+"
        ),
        rf"\1{MASK}",
    ),
    (re.compile(r"(?i)\b(bearer|basic)\s+[\w.~+/=-]{6,}"), rf"\1 {MASK}"),
)
_URL = re.compile(r"\b(?:https?|wss?)://\S+")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+")


class Redactor:
    """Masks the given secret values wherever they appear, and everything that looks like a credential."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        forms = {
            form
            for secret in secrets
            if len(secret) >= _MIN_SECRET
            for form in (secret, quote(secret, safe=""), quote_plus(secret))
        }
        # Longest first: a secret that contains another one must not leave its tail behind.
        longest_first = sorted(forms, key=len, reverse=True)
        self._known = re.compile("|".join(map(re.escape, longest_first))) if forms else None

    def __repr__(self) -> str:
        return "Redactor()"

    def text(self, text: str) -> str:
        """`text` without known secrets, credentials and URL queries."""
        if self._known is not None:
            text = self._known.sub(MASK, text)
        for pattern, replacement in _PATTERNS:
            text = pattern.sub(replacement, text)
        return text

    def detail(self, text: str) -> str:
        """One short printable line without any URL, for error details (upstream text is data)."""
        clean = _URL.sub("[url]", self.text(_CONTROL.sub(" ", text[: MAX_DETAIL * 8]))).strip()
        return clean if len(clean) <= MAX_DETAIL else clean[: MAX_DETAIL - 1] + "…"
