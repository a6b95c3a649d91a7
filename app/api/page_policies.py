"""What a browser may do with an answer, by its path: the security headers of JSON, of the docs and of the
dashboard.

Owns the texts of the policies; the edge puts them on every answer.
"""

from __future__ import annotations

Headers = tuple[tuple[bytes, bytes], ...]

DASHBOARD_PATH = "/dashboard/"
_DOCS_PATHS = frozenset({"/docs", "/redoc"})
_POLICY = b"content-security-policy"
_REFERRER = b"referrer-policy"
_NO_REFERRER = (_REFERRER, b"no-referrer")
_JSON: Headers = ((_POLICY, b"default-src 'none'; frame-ancestors 'none'"), _NO_REFERRER)
# The two documentation pages of the framework load their viewer from its CDN.
_DOCS: Headers = (
    (
        _POLICY,
        b"default-src 'none'; connect-src 'self'; img-src 'self' data: https://fastapi.tiangolo.com "
        b"https://cdn.redoc.ly; script-src 'unsafe-inline' https://cdn.jsdelivr.net; "
        b"style-src 'unsafe-inline' https://cdn.jsdelivr.net https://fonts.googleapis.com; "
        b"font-src https://fonts.gstatic.com; worker-src blob:; frame-ancestors 'none'",
    ),
    _NO_REFERRER,
)
_DASHBOARD: Headers = (
    (
        _POLICY,
        b"default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; "
        b"connect-src 'self'; manifest-src 'self'; worker-src 'self'; base-uri 'none'; form-action 'self'; "
        b"frame-ancestors 'none'",
    ),
    # With no-referrer a browser may send `Origin: null` with what a page of ours changes, which is refused.
    (_REFERRER, b"same-origin"),
)


def is_dashboard(path: str) -> bool:
    """Whether `path` is the dashboard's: its pages and files."""
    return path.startswith(DASHBOARD_PATH) or path == DASHBOARD_PATH.rstrip("/")


def policy_headers(path: str) -> Headers:
    """Content-Security-Policy and Referrer-Policy of what `path` answers."""
    if is_dashboard(path):
        return _DASHBOARD
    return _DOCS if path in _DOCS_PATHS else _JSON
