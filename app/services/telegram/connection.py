"""How the Bot API is reached: time limits of its own, no proxy variables, and floods in our words.

The library warns, on every flood, that the type of its wait will change; so floods are seen before it sees
them. Made by `sender`.
"""

from __future__ import annotations

import json
import logging
from contextlib import suppress
from typing import Any

from telegram.error import TelegramError
from telegram.request import HTTPXRequest

# Together less than the ten seconds in which a stop has to be over, and than a lease of the outbox.
_CONNECT_S, _WRITE_S, _READ_S, _POOL_S = 2.0, 2.0, 5.0, 0.5
_TOO_MANY = 429
_DEFAULT_S, _LONGEST_S = 5.0, 3_600.0


class FloodWait(TelegramError):
    """Nothing may be sent for `wait_s`."""

    def __init__(self, wait_s: float) -> None:
        super().__init__("too many messages")
        self.wait_s = wait_s


class BotRequest(HTTPXRequest):
    """The library's connection pool with our limits."""

    def __init__(self, *, read_s: float = _READ_S, connections: int = 16) -> None:
        # They print every URL, and the token is part of it.
        for name in ("httpx", "httpcore"):
            logging.getLogger(name).setLevel(logging.WARNING)
        # The error page of a gateway, whole and with a traceback, at each try; what matters we say.
        logging.getLogger("telegram.request").setLevel(logging.CRITICAL)
        super().__init__(
            connection_pool_size=connections,
            connect_timeout=_CONNECT_S,
            write_timeout=_WRITE_S,
            media_write_timeout=_WRITE_S,
            read_timeout=read_s,
            pool_timeout=_POOL_S,
            httpx_kwargs={"trust_env": False},
        )

    async def do_request(self, *args: Any, **kwargs: Any) -> tuple[int, bytes]:
        """(status, body). Raises: FloodWait for a 429, else what the library raises."""
        status, body = await super().do_request(*args, **kwargs)
        if status == _TOO_MANY:
            raise FloodWait(_wait_s(body))
        return status, body


def _wait_s(body: bytes) -> float:
    """`retry_after` of the answer, at most an hour; 5 s where it says nothing usable."""
    with suppress(ValueError, TypeError, KeyError):
        wait_s = json.loads(body)["parameters"]["retry_after"]
        if isinstance(wait_s, int | float) and wait_s > 0:
            return float(min(wait_s, _LONGEST_S))
    return _DEFAULT_S
