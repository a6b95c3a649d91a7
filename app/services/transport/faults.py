"""What a fault of the HTTP library means for the caller, in our own words.

Pure. The library's texts may quote hosts, URLs and header values, so none of them is passed on. Called by
`http.UpstreamClient` only.
"""

from __future__ import annotations

import ssl

import httpx2

from app.core.errors import ProviderError, ProviderTimeout, ProviderUnavailable

_TIMEOUTS: dict[type[Exception], str] = {
    httpx2.ConnectTimeout: "no connection in time",
    httpx2.ReadTimeout: "no data in time",
    httpx2.WriteTimeout: "could not send in time",
    httpx2.PoolTimeout: "no free connection in time",
}


def provider_fault(
    provider: str, endpoint: str, error: httpx2.HTTPError | httpx2.InvalidURL
) -> ProviderError:
    """`ProviderTimeout` for any kind of waiting too long, else `ProviderUnavailable`."""
    if isinstance(error, httpx2.TimeoutException):
        return ProviderTimeout(provider, endpoint, _TIMEOUTS.get(type(error), "timed out"))
    return ProviderUnavailable(provider, endpoint, _transport_fault(error))


def _transport_fault(error: Exception) -> str:
    if isinstance(error, httpx2.ConnectError):
        return _connect_fault(error)
    if isinstance(error, httpx2.NetworkError):
        return "connection lost"
    if isinstance(error, httpx2.RemoteProtocolError):
        return "answer cut short or not HTTP"
    return "request could not be sent"


def _connect_fault(error: BaseException) -> str:
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLError):
            return "TLS failed"
        if isinstance(cause, ConnectionRefusedError):
            return "connection refused"
        cause = cause.__cause__ or cause.__context__
    # The resolver's error arrives as text only.
    is_dns = "name" in str(error).lower() or "address" in str(error).lower()
    return "host name not resolved" if is_dns else "could not connect"
