"""Who is asking: bearer keys, scopes, and the address a request is counted under.

Owns the comparison of keys (digests, constant time) and the reading of X-Forwarded-For. Called by the edge
middleware for every request and by routes that need more than `read`.
"""

from __future__ import annotations

import hmac
import ipaddress
from dataclasses import dataclass
from functools import lru_cache

from fastapi import Request
from starlette.types import Scope as AsgiScope

from app.api.errors import MissingScope
from app.api.options import ApiKey, ApiOptions, Scope, digest_of

ALL_SCOPES = frozenset(Scope)
MAX_KEY_CHARS = 200
# What a request leaves in its ASGI scope for the audit log: the scope that it used, or lacked.
ADMIN_USED = "admin_used"
SCOPE_REFUSED = "scope_refused"


@dataclass(frozen=True, slots=True)
class Caller:
    """One caller. identity: what it is counted under. name: of its key or token, None without one."""

    identity: str
    scopes: frozenset[Scope]
    name: str | None = None


def find_key(authorization: str | None, keys: tuple[ApiKey, ...]) -> ApiKey | None:
    """The key behind an `Authorization: Bearer ...` header, or None.

    Every configured key is compared, in constant time each, so timing says nothing about which one failed.
    """
    scheme, _, presented = (authorization or "").partition(" ")
    if scheme.lower() != "bearer" or len(presented) > MAX_KEY_CHARS:
        return None
    digest = digest_of(presented.strip())
    found = None
    for key in keys:
        if hmac.compare_digest(key.digest, digest):
            found = key
    return found


def client_address(peer: str | None, forwarded: str | None, trusted_hops: int) -> str:
    """The address to count a request under.

    With `trusted_hops` proxies in front, each appended the address it saw, so the entry that many from the
    right is the right-most one no client can forge. Without proxies, or when the list is shorter than
    promised or not an address, the peer counts: a forged header gains nothing.
    Worked example: `evil, 203.0.113.7`, one trusted proxy -> `203.0.113.7`.
    """
    if trusted_hops and forwarded:
        entries = forwarded.split(",")
        if len(entries) >= trusted_hops:
            address = _network(entries[-trusted_hops].strip())
            if address is not None:
                return address
    return _network(peer or "") or "unknown"


def address_of(scope: AsgiScope, options: ApiOptions) -> str:
    """`client_address` of a request or WebSocket, from its ASGI scope."""
    forwarded = [value for name, value in scope["headers"] if name == b"x-forwarded-for"]
    peer = scope.get("client")
    text = b",".join(forwarded).decode("latin-1") or None
    return client_address(peer[0] if peer else None, text, options.trusted_proxy_hops)


@lru_cache(maxsize=4096)
def _network(text: str) -> str | None:
    """An IPv4 address, or the /64 of an IPv6 one: a single host owns a whole /64."""
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped is not None:
            return str(address.ipv4_mapped)
        return str(ipaddress.ip_network((address.packed[:8] + bytes(8), 64)))
    return str(address)


def require_scope(request: Request, options: ApiOptions, scope: Scope) -> None:
    """Raises: MissingScope, when keys are asked for and the caller's lacks `scope`."""
    caller: Caller = request.scope["caller"]
    if scope is Scope.ADMIN:
        request.scope[ADMIN_USED] = scope
    if options.auth_required and scope not in caller.scopes:
        request.scope[SCOPE_REFUSED] = scope
        raise MissingScope(scope)
