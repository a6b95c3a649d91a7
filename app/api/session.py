"""Sessions of the dashboard: a signed cookie that stands for a token, so that no script ever holds one.

Owns the cookie: making it, reading it, its attributes. Keeps no list: what a cookie says is proven by its
signature, whose key comes from the digest of the token it was opened with. So it works in every process and
after a restart, and ends when that token is changed or its key revoked. Called by the edge, the session
routes and the live routes.

A digest that is written down (`ApiKey.is_digest_at_rest`) must not be enough to make a cookie: there the
secrets that the environment holds in the clear go into the signature, or, where it holds none, a random one
of this process.
"""

from __future__ import annotations

import hmac
import secrets
from base64 import urlsafe_b64encode
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from app.api.auth import ALL_SCOPES, MAX_KEY_CHARS, Caller
from app.api.key_book import KeyBook
from app.api.options import ApiKey, ApiOptions, Scope, digest_of

SESSION_COOKIE = "session"
SESSION_S = 12 * 3600
DASHBOARD_NAME = "dashboard"
_FORMAT = "v1"
_SIGNING = b"session cookie v1"
_ROOT = b"session root v1"
_MAX_HEADER_CHARS = 16_384
# Names of cookies are shared by all ports of a host, so others' cookies of our name may come along.
_MAX_COOKIES = 8


@dataclass(frozen=True, slots=True)
class _Holder:
    """One token that opens sessions. label: how a cookie names it; signing_key: what signs that cookie."""

    name: str
    label: str
    scopes: frozenset[Scope]
    digest: bytes = field(repr=False)
    signing_key: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class _Root:
    """What goes into the signature where a digest alone proves nothing."""

    value: bytes = field(repr=False)


class Sessions:
    """Who a cookie or a token stands for."""

    def __init__(
        self, options: ApiOptions, *, wall_ms: Callable[[], int], keys: KeyBook | None = None
    ) -> None:
        """wall_ms: UTC epoch milliseconds of the real world; market time may run sixty times as fast.
        keys: those that are accepted, None for those of the options alone."""
        self._wall_ms = wall_ms
        self._keys = keys or KeyBook(options)
        self._dashboard = _dashboard(options.dashboard_token_digest)
        self._root = _root(options)
        self._of: tuple[ApiKey, ...] | None = None
        self._known: Mapping[str, _Holder] = {}
        secure = "; Secure" if options.public_url.startswith("https://") else ""
        self._attributes = f"; Path=/; HttpOnly; SameSite=Strict{secure}"

    def caller_of_token(self, token: str, address: str) -> Caller | None:
        """DASHBOARD_TOKEN or an API key -> who that is; None for anything else."""
        holder = self._holder_of(token)
        return None if holder is None else _caller(holder, address)

    def caller_of_cookie(self, cookie_header: str | None, address: str) -> Caller | None:
        """The `Cookie` header of a request -> who it is from; None when no session in it is valid now."""
        if not cookie_header or len(cookie_header) > _MAX_HEADER_CHARS:
            return None
        for value in _values(cookie_header):
            holder = self._holder_behind(value)
            if holder is not None:
                return _caller(holder, address)
        return None

    def cookie_of_token(self, token: str) -> str | None:
        """The `Set-Cookie` that opens a session with this token; None when it opens none."""
        holder = self._holder_of(token)
        if holder is None:
            return None
        payload = f"{_FORMAT}.{holder.label}.{self._wall_ms() // 1000 + SESSION_S}"
        value = f"{payload}.{_sign(holder, payload)}"
        return f"{SESSION_COOKIE}={value}; Max-Age={SESSION_S}{self._attributes}"

    def clearing_cookie(self) -> str:
        """The `Set-Cookie` that ends a session in the browser."""
        return f"{SESSION_COOKIE}=; Max-Age=0{self._attributes}"

    def _holders(self) -> Mapping[str, _Holder]:
        """By label; made anew when other keys are accepted than before."""
        keys = self._keys.accepted()
        if keys is not self._of:
            found = [_holder_of_key(key, self._root) for key in keys]
            self._of = keys
            self._known = {holder.label: holder for holder in (*found, *self._dashboard)}
        return self._known

    def _holder_of(self, token: str) -> _Holder | None:
        """Every token is compared, in constant time each, so timing says nothing about which one failed."""
        text = token.strip()
        if not text or len(text) > MAX_KEY_CHARS or not text.isascii():
            return None
        given, found = digest_of(text), None
        for holder in self._holders().values():
            if hmac.compare_digest(holder.digest, given):
                found = holder
        return found

    def _holder_behind(self, value: str) -> _Holder | None:
        if not value.isascii():
            return None
        payload, _, signed = value.rpartition(".")
        form, _, rest = payload.partition(".")
        label, _, expires = rest.partition(".")
        holder = self._holders().get(label)
        if form != _FORMAT or holder is None:
            return None
        if not hmac.compare_digest(_sign(holder, payload), signed):
            return None
        # Signed by us, so it is a number.
        return holder if int(expires) * 1000 > self._wall_ms() else None


def _dashboard(digest: bytes | None) -> tuple[_Holder, ...]:
    """The holder of the token that opens the dashboard, if there is one."""
    if digest is None:
        return ()
    return (_holder(DASHBOARD_NAME, DASHBOARD_NAME, ALL_SCOPES, digest, digest),)


def _root(options: ApiOptions) -> _Root:
    """What nobody knows who knows the digests at rest; the same in every process where that can be."""
    clear = [key.digest for key in options.api_keys if not key.is_digest_at_rest]
    if options.dashboard_token_digest is not None:
        clear = [options.dashboard_token_digest]
    if not clear:
        return _Root(secrets.token_bytes(32))
    return _Root(hmac.digest(b"".join(sorted(clear)), _ROOT, "sha256"))


def _holder_of_key(key: ApiKey, root: _Root) -> _Holder:
    signing = hmac.digest(root.value, key.digest, "sha256") if key.is_digest_at_rest else key.digest
    return _holder(key.name, f"key:{key.name}", key.scopes, key.digest, signing)


def _holder(name: str, label: str, scopes: frozenset[Scope], digest: bytes, signing: bytes) -> _Holder:
    encoded = _text(label.encode("utf-8", "surrogateescape"))
    return _Holder(name, encoded, scopes, digest, hmac.digest(signing, _SIGNING, "sha256"))


def _caller(holder: _Holder, address: str) -> Caller:
    """With the address, because viewers who share a token are not to share its allowance."""
    return Caller(f"session:{holder.name}:{address}", holder.scopes, holder.name)


def _sign(holder: _Holder, payload: str) -> str:
    return _text(hmac.digest(holder.signing_key, payload.encode(), "sha256"))


def _text(data: bytes) -> str:
    return urlsafe_b64encode(data).decode("ascii").rstrip("=")


def _values(cookie_header: str) -> Iterator[str]:
    """The values of the first few cookies of our name."""
    found = 0
    for pair in cookie_header.split(";"):
        name, _, value = pair.strip().partition("=")
        if name == SESSION_COOKIE:
            yield value
            found += 1
            if found == _MAX_COOKIES:
                return
