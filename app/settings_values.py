"""The values that settings may take: their types, how a text becomes one, and the error that refuses one.

Pure text in, value out; reads no environment and no file. Used by `settings` and `signals_config` only.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated
from urllib.parse import SplitResult, urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr, ValidationError
from pydantic_settings import NoDecode

HASHED = "sha256$"  # an entry of API_KEYS whose key is written down nowhere
SCOPES = frozenset({"read", "debug", "admin"})
SEVERITIES = ("urgent", "watch", "info")
MAX_CHATS = 3


class SettingsError(ValueError):
    """One or more settings make no sense; `problems` names each by its setting, never by a secret value."""

    def __init__(self, problems: tuple[str, ...]) -> None:
        super().__init__("; ".join(problems))
        self.problems = problems


@dataclass(frozen=True, slots=True)
class ApiKey:
    """One entry of API_KEYS: a name for logs, the key, and what it may do (read, debug, admin).

    key: as it stands there, which may be `sha256$` and the digest of a key that is written down nowhere.
    """

    name: str
    key: SecretStr
    scopes: frozenset[str]

    @property
    def at_rest(self) -> bytes | None:
        """The 32 bytes of the digest, where the entry holds no more than that."""
        text = self.key.get_secret_value()
        return bytes.fromhex(text.removeprefix(HASHED)) if text.startswith(HASHED) else None

    def hashed(self) -> bytes:
        """The digest, whichever of the two stands there."""
        return self.at_rest or hashlib.sha256(self.key.get_secret_value().encode()).digest()


@dataclass(frozen=True, slots=True)
class ChatRoute:
    """One entry of TELEGRAM_CHAT_ID: a chat and the severities that go there."""

    chat: str
    severities: frozenset[str]


def _comma_list(value: object) -> object:
    if isinstance(value, str):
        return tuple(dict.fromkeys(part.strip() for part in value.split(",") if part.strip()))
    return value


def _split_url(text: str) -> SplitResult:
    try:
        parts = urlsplit(text)
        _ = parts.port  # checked on access only
    except ValueError:
        # Not chained: the text of this error repeats parts of the address, password included.
        raise ValueError("not a usable address (host or port malformed)") from None
    return parts


def _http_url(value: str) -> str:
    parts = _split_url(value)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ValueError("expected an address that starts with http:// or https://")
    if parts.username or parts.password or parts.query or parts.fragment:
        raise ValueError("expected an address without user, query or fragment")
    return value.rstrip("/")


def _socket_url(value: str) -> str:
    parts = _split_url(value)
    if parts.scheme not in {"ws", "wss"} or not parts.hostname or parts.query or parts.username:
        raise ValueError("expected an address that starts with ws:// or wss://, without user or query")
    return value.rstrip("/")


def _symbol(value: str) -> str:
    base = value.upper()
    if not re.fullmatch(r"[A-Z0-9]{1,15}", base):
        raise ValueError("expected base assets such as BTC,ETH,SOL")
    return base


def _exchange(value: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9 ._-]{0,29}", value):
        raise ValueError("expected exchange names such as Binance,OKX,Bybit")
    return value


def _origin(value: str) -> str:
    if value == "*":
        return value
    url = _http_url(value)
    if _split_url(url).path:
        raise ValueError("expected origins such as https://chat.openai.com, without a path")
    return url


def _named_origin(value: str) -> str:
    if value == "*":
        raise ValueError("'*' is not allowed here; list the origins")
    return _origin(value)


def _host(value: str) -> str:
    if not re.fullmatch(r"(?:[A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?", value):
        raise ValueError("expected host names such as signals.example.com or 10.0.0.5:8000")
    return value


def _start_ms(value: object) -> object:
    """ISO-8601 (UTC unless it says otherwise) or epoch milliseconds -> epoch milliseconds."""
    if not isinstance(value, str) or value.strip().isdigit():
        return value
    try:
        moment = datetime.fromisoformat(value.strip())
    except ValueError as error:
        raise ValueError("expected an ISO-8601 time or epoch milliseconds") from error
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return int(aware.timestamp() * 1000)


def _api_keys(value: object) -> object:
    if not isinstance(value, str):
        return value
    parts = [part.strip() for part in value.split(",") if part.strip()]
    keys = tuple(_api_key(entry, position) for position, entry in enumerate(parts, 1))
    if len({key.name for key in keys}) < len(keys):
        raise ValueError("two entries share a name")
    # By digest: a key and its own hash are one key.
    if len({key.hashed() for key in keys}) < len(keys):
        raise ValueError("two entries share a key")
    return keys


def _api_key(entry: str, position: int) -> ApiKey:
    # A key without a name gets the least it can be useful with: it may read.
    if ":" not in entry:
        return ApiKey(f"key{position}", _key_text(entry, position), frozenset({"read"}))
    name, _, rest = entry.partition(":")
    key, _, scope_text = rest.rpartition(":")
    scopes = frozenset(scope_text.split("+"))
    if not name or not key or ":" in key or not scopes <= SCOPES:
        raise ValueError(
            f"entry {position}: expected name:key:scopes with scopes from read+debug+admin, or one plain key"
        )
    return ApiKey(name, _key_text(key, position), scopes)


def _key_text(text: str, position: int) -> SecretStr:
    if text.startswith(HASHED) and not re.fullmatch(r"[0-9a-f]{64}", text.removeprefix(HASHED)):
        raise ValueError(
            f"entry {position}: expected {HASHED} and 64 hexadecimal digits, as `app.keys hash` prints"
        )
    return _secret(SecretStr(text))


def _chat_routes(value: object) -> object:
    """`-1001234` (everything), or `urgent:-1001234,watch+info:@channel`: at most three chats."""
    if not isinstance(value, str):
        return value
    routes = tuple(_chat_route(part.strip()) for part in value.split(",") if part.strip())
    if len(routes) > MAX_CHATS or len({route.chat for route in routes}) < len(routes):
        raise ValueError(f"expected at most {MAX_CHATS} different chats")
    return routes


def _chat_route(entry: str) -> ChatRoute:
    named, _, chat = entry.rpartition(":")
    severities = frozenset(named.split("+")) if named else frozenset(SEVERITIES)
    if not re.fullmatch(r"-?\d{1,20}|@[A-Za-z][A-Za-z0-9_]{3,31}", chat) or not severities <= {*SEVERITIES}:
        raise ValueError("expected a chat id, @name, or severities first: urgent+watch:-1001234567890")
    return ChatRoute(chat, severities)


def _secret(value: SecretStr) -> SecretStr:
    # Keys travel in HTTP headers: a stray line break from copy and paste must not reach one.
    if not re.fullmatch(r"[!-~]+", value.get_secret_value()):
        raise ValueError("holds a space, a line break or a character outside ASCII")
    return value


def _database_url(value: SecretStr) -> SecretStr:
    # Some hosts hand out the older postgres:// spelling and do not let it be changed.
    text = re.sub(r"^postgres://", "postgresql://", value.get_secret_value())
    is_file = text.startswith("sqlite:///") and len(text) > len("sqlite:///")
    if not is_file and not (text.startswith("postgresql://") and _split_url(text).hostname):
        raise ValueError("expected sqlite:///FILE or postgresql://USER:PASSWORD@HOST/NAME")
    return SecretStr(text)


def _redis_url(value: SecretStr) -> SecretStr:
    parts = _split_url(value.get_secret_value())
    if parts.scheme not in {"redis", "rediss", "unix"} or not (parts.hostname or parts.path):
        raise ValueError("expected redis://HOST:PORT/0, rediss:// or unix://")
    return value


def _folder(value: Path | None) -> Path | None:
    if value is not None and not value.is_dir():
        raise ValueError("expected an existing folder")
    return value


Secret = Annotated[SecretStr, AfterValidator(_secret)]
HttpUrl = Annotated[str, AfterValidator(_http_url)]
SocketUrl = Annotated[str, AfterValidator(_socket_url)]
ChatRoutes = Annotated[tuple[ChatRoute, ...], NoDecode, BeforeValidator(_chat_routes)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Symbols = Annotated[
    tuple[Annotated[str, AfterValidator(_symbol)], ...],
    NoDecode,
    BeforeValidator(_comma_list),
    Field(min_length=1),
]
Exchanges = Annotated[
    tuple[Annotated[str, AfterValidator(_exchange)], ...],
    NoDecode,
    BeforeValidator(_comma_list),
    Field(min_length=1),
]
Origins = Annotated[
    tuple[Annotated[str, AfterValidator(_origin)], ...], NoDecode, BeforeValidator(_comma_list)
]
NamedOrigins = Annotated[
    tuple[Annotated[str, AfterValidator(_named_origin)], ...], NoDecode, BeforeValidator(_comma_list)
]
Hosts = Annotated[tuple[Annotated[str, AfterValidator(_host)], ...], NoDecode, BeforeValidator(_comma_list)]
ApiKeys = Annotated[tuple[ApiKey, ...], NoDecode, BeforeValidator(_api_keys)]
DatabaseUrl = Annotated[SecretStr, AfterValidator(_database_url)]
RedisUrl = Annotated[SecretStr, AfterValidator(_redis_url)]
Folder = Annotated[Path | None, AfterValidator(_folder)]
StartMs = Annotated[int | None, BeforeValidator(_start_ms), Field(ge=0)]


def name_problems(error: ValidationError, prefix: str = "") -> tuple[str, ...]:
    found: list[str] = []
    for item in error.errors(include_url=False, include_input=False):
        cause = item.get("ctx", {}).get("error")
        if isinstance(cause, SettingsError):
            found += [prefix + problem for problem in cause.problems]
            continue
        name = ".".join(str(part) for part in item["loc"]) if prefix else str(item["loc"][0]).upper()
        found.append(f"{prefix}{name}: {item['msg'].removeprefix('Value error, ')}")
    return tuple(dict.fromkeys(found))
