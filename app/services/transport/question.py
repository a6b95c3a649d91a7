"""One question to one address: does it answer, with what status, which headers, how much of a body.

For looking at a deployment (`app.doctor`), not for data: no retry, no quota, no breaker, no cache, no
redirects. Errors are in our own words and hold no address, which may carry a secret.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping

import httpx2

from app.core.errors import ProviderBadPayload, ProviderError, ProviderTimeout, ProviderUnavailable
from app.services.transport.body import BodyCutShort, BodyDamaged, BodyTooLarge, BoundedBody
from app.services.transport.connection import ClientConfig, Waits, build_http_client
from app.services.transport.faults import provider_fault
from app.services.transport.records import Answer

_MAX_BYTES = 256 * 1024
_WAITS = Waits(connect_s=3.0, read_s=5.0)


class QuestionClient:
    """Asks whatever address it is given; one for as long as somebody looks."""

    def __init__(
        self,
        *,
        waits: Waits = _WAITS,
        total_s: float = 6.0,
        transport: httpx2.AsyncBaseTransport | None = None,
    ) -> None:
        self._total_s = total_s
        self._http = build_http_client(ClientConfig("question", "", waits=waits), transport)

    async def ask(
        self,
        whom: str,
        url: str,
        *,
        method: str = "GET",
        params: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """The answer, whatever its status. whom: a name for errors.

        Raises: ProviderTimeout, ProviderUnavailable, ProviderBadPayload (too large or damaged).
        """
        failure: ProviderError
        started_s = time.monotonic()
        try:
            async with asyncio.timeout(self._total_s):
                status, told, body = await self._exchange(method, url, params or {}, headers or {})
            return Answer(status, told, body, (time.monotonic() - started_s) * 1000)
        except TimeoutError:
            failure = ProviderTimeout(whom, method, "no answer in time")
        except (BodyTooLarge, BodyDamaged) as damage:
            failure = ProviderBadPayload(whom, method, str(damage))
        except BodyCutShort:
            failure = ProviderUnavailable(whom, method, "answer cut short")
        except (httpx2.HTTPError, httpx2.InvalidURL) as error:
            failure = provider_fault(whom, method, error)
        # Raised out here on purpose: the library's error carries the request with its address and headers.
        raise failure

    async def aclose(self) -> None:
        await self._http.aclose()

    async def _exchange(
        self, method: str, url: str, params: Mapping[str, str], headers: Mapping[str, str]
    ) -> tuple[int, dict[str, str], bytes]:
        async with self._http.stream(method, url, params=dict(params), headers=dict(headers)) as response:
            told = dict(response.headers.items())
            with BoundedBody(told.get("content-encoding", ""), _MAX_BYTES) as body:
                async for chunk in response.aiter_raw():
                    body.feed(chunk)
                return response.status_code, told, body.finish()
