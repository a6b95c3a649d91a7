"""Who a browser session or a token stands for."""

from __future__ import annotations

from collections.abc import Callable

from app.api.auth import Caller, find_key
from app.api.options import ApiOptions

SESSION_COOKIE = "session"


class Sessions:
    """Callers by token or cookie."""

    def __init__(self, options: ApiOptions, *, wall_ms: Callable[[], int]) -> None:
        self._options = options
        self._wall_ms = wall_ms

    def caller_of_cookie(self, cookie_header: str | None, address: str) -> Caller | None:
        """No session is kept yet."""
        return None

    def caller_of_token(self, token: str, address: str) -> Caller | None:
        """The API key that `token` is, None for anything else."""
        key = find_key(f"Bearer {token}", self._options.api_keys)
        return None if key is None else Caller(f"key:{key.name}", key.scopes)
