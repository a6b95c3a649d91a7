"""POSTs small bodies to one address: time limits, no retries, no redirects, of the answer only its head.

For destinations that take messages (webhooks); reading from providers is `http.UpstreamClient`. Errors hold
no address: it may carry a secret.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping

import httpx2

from app.core.errors import ProviderError, ProviderTimeout
from app.services.transport.connection import ClientConfig, Waits, build_http_client
from app.services.transport.faults import provider_fault
from app.services.transport.status import parse_retry_after

_TOTAL_S = 8.0
_WAITS = Waits(read_s=5.0)


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


class PostClient:
    """One address for the life of the process."""

    def __init__(
        self,
        name: str,
        url: str,
        *,
        waits: Waits = _WAITS,
        wall_ms: Callable[[], int] = _now_ms,
        transport: httpx2.AsyncBaseTransport | None = None,
    ) -> None:
        """name: of the destination, for errors."""
        self._name = name
        self._url = url
        self._wall_ms = wall_ms
        config = ClientConfig(name, "", waits=waits, max_connections=8)
        self._http = build_http_client(config, transport)

    def __repr__(self) -> str:
        return f"PostClient({self._name})"

    async def post(self, body: bytes, headers: Mapping[str, str]) -> tuple[int, float | None]:
        """(status, Retry-After in seconds or None). Raises: ProviderTimeout, ProviderUnavailable."""
        failure: ProviderError
        try:
            async with asyncio.timeout(_TOTAL_S):
                # Only the head: what the other side says besides is of no use, and of any length.
                async with self._http.stream(
                    "POST", self._url, content=body, headers=dict(headers)
                ) as response:
                    return response.status_code, parse_retry_after(
                        response.headers.get("retry-after"), self._wall_ms()
                    )
        except TimeoutError:
            failure = ProviderTimeout(self._name, "post", "no answer in time")
        except (httpx2.HTTPError, httpx2.InvalidURL) as error:
            failure = provider_fault(self._name, "post", error)
        # Raised out here on purpose: the library's error carries the request with its address and headers.
        raise failure

    async def aclose(self) -> None:
        await self._http.aclose()
