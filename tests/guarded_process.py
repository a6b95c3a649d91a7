"""The service as in production, as a child process, with nothing upstream: cheap to start, for what is
decided before any provider is asked. Not a test module."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import httpx2

from app.services.transport.connection import tls_context
from app.simulator_child import provider_settings
from tests.live_process import Service, running
from tests.live_rig import closed_port

ORIGIN = "https://signals.test"
READER, OWNER = "Hk3vT8wQz1mNp5Lc", "Zt6aE0uKo3iWm8Xb"
# Written down nowhere but here: the service knows its digest alone.
QUIET = "cfs_Vb2nQ7yLs4kWd9RtXe1"
API_KEYS = (
    f"reader:{READER}:read,owner:{OWNER}:read+debug+admin,"
    f"quiet:sha256${hashlib.sha256(QUIET.encode()).hexdigest()}:read"
)


@contextmanager
def guarded(folder: Path, **settings: str) -> Iterator[Service]:
    """Production, live, every provider at a port where nobody listens."""
    given = provider_settings(f"http://127.0.0.1:{closed_port()}")
    given |= {"ENV": "prod", "PUBLIC_URL": ORIGIN, "API_KEYS": API_KEYS, "PLANNER": "off", "WORKER": "off"}
    given |= {"DATABASE_URL": f"sqlite:///{folder / 'store.db'}", "RATE_LIMIT_PER_MINUTE": "1000000"}
    given |= {"REQUEST_DEADLINE_SECONDS": "2"}
    with running(folder=folder, settings=given | settings, path="/health/live") as service:
        yield service


def bearer(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


def client_of(service: Service) -> httpx2.Client:
    """One that keeps its connections."""
    return httpx2.Client(base_url=service.url, verify=tls_context(), timeout=30)


def address_of(service: Service) -> tuple[str, int]:
    parts = urlsplit(service.url)
    assert parts.hostname is not None
    assert parts.port is not None
    return parts.hostname, parts.port
