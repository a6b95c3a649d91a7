"""How one provider is reached: its settings, and the HTTP connection pool made from them.

Owns the safe defaults (no redirects, no cookies, no proxy variables, certificates checked). Sends nothing;
`http.UpstreamClient` does.
"""

from __future__ import annotations

import functools
import ssl
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.cookiejar import CookieJar, DefaultCookiePolicy

import httpx2

from app.services.transport.body import ACCEPT_ENCODING

# Idle connections kept for the next burst; more than that are opened anew.
_MAX_KEEPALIVE = 40


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


@dataclass(frozen=True, slots=True)
class Waits:
    """The longest waits of one attempt: for a connection, and for the next bytes of an answer."""

    connect_s: float = 2.0
    read_s: float = 4.0


WAITS = Waits()


@dataclass(frozen=True, slots=True)
class ClientConfig:
    """How to reach one provider. Headers and secrets never appear in the repr.

    waits: per attempt. total_s: all attempts, retries and pauses. max_bytes: decoded body.
    attempts: HTTP requests at most. retry_after_s: pause after a 429 that does not say how long.
    max_connections: requests under way at a time.
    now_ms: market time, for the health record. wall_ms: wall time, against which HTTP dates are read.
    """

    provider: str
    base_url: str = field(repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    secrets: tuple[str, ...] = field(default=(), repr=False)
    waits: Waits = WAITS
    total_s: float = 6.0
    max_bytes: int = 8 * 2**20
    attempts: int = 3
    retry_after_s: float = 10.0
    max_connections: int = 100
    now_ms: Callable[[], int] = _now_ms
    wall_ms: Callable[[], int] = _now_ms


@functools.cache
def tls_context() -> ssl.SSLContext:
    """Certificates are checked against the CA bundle; one context for all providers."""
    return httpx2.create_ssl_context()  # reading the CA bundle takes 20 ms: once, not per provider


def build_http_client(
    config: ClientConfig, transport: httpx2.AsyncBaseTransport | None
) -> httpx2.AsyncClient:
    """The connection pool of one provider; `transport` replaces the network in tests."""
    return httpx2.AsyncClient(
        base_url=config.base_url,
        headers={"accept": "application/json", **config.headers, "accept-encoding": ACCEPT_ENCODING},
        # Providers have no sessions: a cookie would only let answers change each other.
        cookies=CookieJar(DefaultCookiePolicy(allowed_domains=[])),
        timeout=httpx2.Timeout(config.waits.read_s, connect=config.waits.connect_s),
        limits=httpx2.Limits(
            max_connections=config.max_connections,
            max_keepalive_connections=min(config.max_connections, _MAX_KEEPALIVE),
            keepalive_expiry=30.0,
        ),
        verify=tls_context(),
        follow_redirects=False,  # a redirect would carry the key to another host
        trust_env=False,  # settings come from the settings module, not from proxy variables
        transport=transport,
    )
