"""What the end of a WebSocket means, in our own words: why, what to show, how long the server asks to wait.

Pure. The library's texts may quote the address, and with it the key, so none of them is passed on. Called by
`socket` only.
"""

from __future__ import annotations

import ssl
from dataclasses import dataclass

from websockets.exceptions import ConnectionClosed, InvalidStatus, InvalidURI

REFUSED = "refused"
_REFUSED_STATUSES = frozenset({401, 403})
_WAIT_STATUSES = frozenset({429, 503})
_MAX_RETRY_AFTER_S = 900
_TOO_LARGE, _POLICY = 1009, 1008


@dataclass(frozen=True, slots=True)
class End:
    """reason: `refused`, `unreachable`, `drop`, `stall`, `no_pong`, `too_large`. detail: a few words more."""

    reason: str
    detail: str = ""
    retry_after_s: float = 0.0


def end_of_connect(error: Exception) -> End:
    """Why there is no connection."""
    if isinstance(error, InvalidStatus):
        return _end_of_status(error)
    if isinstance(error, TimeoutError):
        return End("unreachable", "no connection in time")
    if isinstance(error, ssl.SSLError):
        return End("unreachable", "TLS failed")
    if isinstance(error, ConnectionRefusedError):
        return End("unreachable", "connection refused")
    if isinstance(error, OSError):
        return End("unreachable", "could not connect")
    if isinstance(error, InvalidURI):
        return End(REFUSED, "the configured address is no WebSocket address")
    return End("unreachable", "the answer is no WebSocket handshake")


def _end_of_status(error: InvalidStatus) -> End:
    status = error.response.status_code
    detail = f"handshake answered with HTTP {status}"
    if status in _REFUSED_STATUSES:
        return End(REFUSED, detail)
    asked = error.response.headers.get("Retry-After", "") if status in _WAIT_STATUSES else ""
    wait_s = min(int(asked), _MAX_RETRY_AFTER_S) if asked.isascii() and asked.isdigit() else 0
    return End("unreachable", detail, float(wait_s))


def end_of_close(error: ConnectionClosed) -> End:
    """Why an open connection ended by itself."""
    if error.sent is not None and not error.rcvd_then_sent:
        if error.sent.code == _TOO_LARGE:
            return End("too_large", "a frame was larger than allowed")
        return End("drop", f"gave up a broken connection (code {error.sent.code})")
    if error.rcvd is None:
        return End("drop", "connection lost")
    if error.rcvd.code == _POLICY:
        return End(REFUSED, "closed by the server as against its policy (code 1008)")
    return End("drop", f"closed by the server (code {error.rcvd.code})")
