"""Everything the HTTP layer is told about its deployment: one frozen value, passed in, never read from env.

Keys are held as SHA-256 digests only, so this object cannot leak one; its repr does not even hold those,
because sessions are signed with them. Built by the composition root from the settings.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Literal

from app.api.dashboard_files import DashboardFiles
from app.api.live_limits import LiveLimits
from app.api.mcp_options import McpOptions
from app.core.domain.context import DataMode
from app.core.domain.engine_config import Thresholds
from app.core.domain.signal import Mode
from app.core.errors import ConfigurationError

KIB = 1024


class Scope(StrEnum):
    """What a key may do. Scopes are independent: `admin` does not contain `debug`."""

    READ = "read"
    DEBUG = "debug"
    ADMIN = "admin"


@dataclass(frozen=True, slots=True)
class ApiKey:
    """One accepted bearer key: a name for logs, the SHA-256 of the key, and what it may do.

    is_digest_at_rest: the digest is written down somewhere (database, hashed setting), so it proves nothing.
    """

    name: str
    digest: bytes = field(repr=False)
    scopes: frozenset[Scope]
    is_digest_at_rest: bool = False

    @classmethod
    def from_plain(cls, name: str, key: str, scopes: Iterable[str]) -> ApiKey:
        """Hash `key` and forget it. Raises: ConfigurationError for a scope that does not exist."""
        return cls(name, digest_of(key), _scopes(name, scopes))

    @classmethod
    def from_digest(cls, name: str, digest: bytes, scopes: Iterable[str]) -> ApiKey:
        """One whose text nobody here has ever seen. Raises: ConfigurationError, as above."""
        return cls(name, digest, _scopes(name, scopes), is_digest_at_rest=True)


def _scopes(name: str, scopes: Iterable[str]) -> frozenset[Scope]:
    try:
        return frozenset(Scope(scope) for scope in scopes)
    except ValueError:
        raise ConfigurationError(
            f"API key {name!r}: scopes are {', '.join(Scope)}, got {', '.join(sorted(scopes))}"
        ) from None


def digest_of(key: str) -> bytes:
    """SHA-256 of a key. Keys are long and random, so a plain fast hash is enough at rest."""
    return hashlib.sha256(key.encode("utf-8", "surrogateescape")).digest()


@dataclass(frozen=True, slots=True)
class ApiOptions:
    """How this deployment faces the outside.

    public_url: the address clients use, without trailing slash. trusted_proxy_hops: reverse proxies in
    front that append to X-Forwarded-For; 0 ignores the header. max_in_flight: requests answered at once
    by the process, max_in_flight_per_client: by one key or address. reuse_s: seconds an encoded signal
    answer may be served again. mcp: whom the MCP door answers, None without that door. origins: browser
    origins whose pages may change anything (`origins.allowed_origins`). dashboard_token_digest: of the token
    that opens the dashboard, with every scope; None without one. dashboard: its files, None where it is not
    built. live: how much live feed there is. thresholds: of the signals, for the marks of the pages; None
    where they are not known.
    """

    public_url: str
    data_mode: DataMode
    version: str
    env: Literal["prod", "dev"] = "dev"
    api_keys: tuple[ApiKey, ...] = ()
    cors_origins: tuple[str, ...] = ()
    trusted_proxy_hops: int = 0
    rate_limit_per_minute: int = 120
    max_body_bytes: int = 64 * KIB
    max_in_flight: int = 256
    max_in_flight_per_client: int = 128
    reuse_s: float = 1.0
    mcp: McpOptions | None = None
    dashboard: DashboardFiles | None = field(default=None, repr=False, compare=False)
    origins: tuple[str, ...] = ()
    dashboard_token_digest: bytes | None = field(default=None, repr=False)
    live: LiveLimits = field(default_factory=LiveLimits)
    thresholds: Mapping[Mode, Thresholds] | None = None

    def __post_init__(self) -> None:
        # The settings explain each of these; this fails closed for whoever builds the API without them.
        if self.is_prod and (not self.api_keys or "*" in self.cors_origins):
            raise ConfigurationError("production needs API keys and named CORS origins")
        limits = (self.rate_limit_per_minute, self.max_body_bytes, self.max_in_flight)
        if min(*limits, self.max_in_flight_per_client) < 1 or self.trusted_proxy_hops < 0:
            raise ConfigurationError("API limits must be at least 1 and TRUSTED_PROXY_HOPS at least 0")

    @property
    def is_prod(self) -> bool:
        return self.env == "prod"

    @property
    def has_dashboard(self) -> bool:
        return self.dashboard is not None

    @property
    def auth_required(self) -> bool:
        """Keys are asked for in production, and wherever someone configured any, or a dashboard token."""
        return self.is_prod or bool(self.api_keys) or self.dashboard_token_digest is not None

    @property
    def answer_reuse_s(self) -> float:
        """Off in replay: market time may step between two requests of the same second."""
        return 0.0 if self.data_mode is DataMode.REPLAY else self.reuse_s
