"""Every setting of the service, from environment and .env.

The only module that reads the environment. Secrets and deployment come by environment; weights, thresholds
and source order come from `config/signals.toml` (`signals_config`). A value that makes no sense is refused at
start, with all problems named at once and no secret printed. The composition root reads this and passes plain
values on.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, Self
from urllib.parse import unquote, urlsplit

from pydantic import AliasChoices, Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from app.settings_values import (
    ApiKey,
    ApiKeys,
    ChatRoutes,
    DatabaseUrl,
    Exchanges,
    Folder,
    Hosts,
    HttpUrl,
    NamedOrigins,
    Origins,
    Positive,
    RedisUrl,
    Secret,
    SettingsError,
    SocketUrl,
    StartMs,
    Symbols,
    name_problems,
)
from app.signals_config import SignalsConfig, load_signals_config

__all__ = [
    "SETTING_NAMES",
    "ApiKey",
    "Settings",
    "SettingsError",
    "SignalsConfig",
    "load_settings",
    "load_signals_config",
]

MIN_API_KEY_CHARS = 16
MAX_TOKEN_CHARS = 200  # a longer one is not read at the login
_PROJECT_ROOT = Path(__file__).resolve().parent.parent
_DATABASE_URL = "sqlite:///data/signals.db"
_PLACEHOLDER = re.compile(
    r"(?:change[-_ ]?me|replace[-_ ]?me|your|x{3,}|tests?|demo|example|placeholder|secret|password|todo|<.*>)"
    r"(?:[-_ .].*)?",
    re.IGNORECASE | re.DOTALL,
)
_DEFAULT_PASSWORDS = frozenset(
    {"", "postgres", "password", "admin", "root", "guest", "user", "123456", "redis"}
)


class Settings(BaseSettings):
    """Deployment and secrets. Field names are the setting names in lower case; `.env.example` explains each.

    An empty value counts as not set. Raises `SettingsError` through `load_settings`.
    """

    model_config = SettingsConfigDict(
        env_file=".env",
        env_ignore_empty=True,
        alias_generator=str.upper,
        populate_by_name=True,
        extra="ignore",
        frozen=True,
        hide_input_in_errors=True,  # a refused secret must not be printed
        validate_default=False,
    )

    env: Literal["dev", "prod"] = "dev"
    data_mode: Literal["live", "demo", "replay"] = "live"
    allow_demo_in_prod: bool = False
    host: str = "127.0.0.1"
    port: int = Field(default=8000, ge=1, le=65535, validation_alias=AliasChoices("PORT", "API_PORT"))
    public_url: HttpUrl | None = Field(default=None, validation_alias=AliasChoices("PUBLIC_URL", "BASE_URL"))
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    log_format: Literal["auto", "json", "text"] = "auto"
    metrics_host: str = "127.0.0.1"
    metrics_port: int | None = Field(default=None, ge=1, le=65535)
    otel_exporter_otlp_endpoint: HttpUrl | None = None

    api_keys: ApiKeys = ()
    dashboard_token: Secret | None = None
    cors_origins: Origins = ()
    mcp: bool = True
    mcp_allowed_hosts: Hosts = ()
    mcp_allowed_origins: NamedOrigins = ()
    rate_limit_per_minute: int = Field(default=120, gt=0)
    live_updates_per_second: float = Field(default=4.0, gt=0, le=60)
    trusted_proxy_hops: int = Field(default=0, ge=0, le=10)
    request_deadline_seconds: float = Field(default=8.0, gt=0, le=40)  # assistants hang up after 45 s
    # Per attempt; all attempts at a provider end after 6 s.
    connect_timeout_seconds: float = Field(default=2.0, gt=0, le=6)
    read_timeout_seconds: float = Field(default=4.0, gt=0, le=6)

    coinglass_api_key: Secret | None = Field(
        default=None, validation_alias=AliasChoices("COINGLASS_API_KEY", "CG_API_KEY")
    )
    coinapi_key: Secret | None = None
    lunarcrush_api_key: Secret | None = None
    lunarcrush_per_minute: int = Field(default=10, gt=0)  # 10 on the Individual plan, 100 on Builder
    telegram_bot_token: Secret | None = None
    telegram_chat_id: ChatRoutes = ()
    telegram_mode: Literal["polling", "webhook", "off"] = "polling"
    telegram_webhook_secret: Secret | None = None
    app_language: Literal["en", "id"] = "en"
    alert_webhook_url: HttpUrl | None = Field(default=None, repr=False)  # its path may be a key
    alert_webhook_secret: Secret | None = None
    alert_channels: bool = False
    alerts_config: Path = _PROJECT_ROOT / "config" / "alerts.toml"

    database_url: DatabaseUrl = Field(
        default=SecretStr(_DATABASE_URL), validation_alias=AliasChoices("DATABASE_URL", "DB_URL")
    )
    redis_url: RedisUrl | None = None
    redis_timeout_seconds: float = Field(default=0.25, gt=0, le=5)  # memory answers in its place
    retention_liquidations_days: int = Field(default=90, ge=1)
    retention_open_interest_days: int = Field(default=365, ge=1)
    retention_funding_days: int = Field(default=365, ge=1)
    retention_audit_days: int = Field(default=365, ge=1)

    symbols: Symbols = ("BTC", "ETH", "SOL")
    planner: bool = True
    hourly_evaluations: bool = True
    worker: Literal["auto", "embedded", "off"] = "auto"
    exchanges: Exchanges = ("Binance", "OKX", "Bybit")
    fetch_interval_seconds: Positive = 20.0
    ws_reconnect_seconds: Positive = 1.0
    signals_config: Path = _PROJECT_ROOT / "config" / "signals.toml"

    coinglass_base_url: HttpUrl = "https://open-api-v4.coinglass.com"
    okx_base_url: HttpUrl = "https://www.okx.com"
    lunarcrush_base_url: HttpUrl = "https://lunarcrush.com"
    coinapi_base_url: HttpUrl = "https://rest.coinapi.io"
    alternative_me_base_url: HttpUrl = "https://api.alternative.me"
    telegram_base_url: HttpUrl = "https://api.telegram.org"
    coinglass_ws_url: SocketUrl = "wss://open-ws.coinglass.com/ws-api"
    okx_ws_url: SocketUrl = "wss://ws.okx.com:8443/ws/v5/public"
    coinglass_liquidations_channel: Literal["liquidationOrders", "liquidation_orders"] = "liquidationOrders"

    replay_data: Folder = None
    replay_start_ms: StartMs = Field(default=None, validation_alias="REPLAY_START")
    replay_speed: Positive = 1.0
    sim_seed: int = Field(default=7, ge=0)
    sim_plan: Literal["hobbyist", "startup", "standard", "professional"] = "standard"

    @field_validator("host", "metrics_host")
    @classmethod
    def _host_is_a_name_or_address(cls, value: str) -> str:
        if not re.fullmatch(r"[A-Za-z0-9.:_-]+", value):
            raise ValueError("expected a host name or an address such as 127.0.0.1 or 0.0.0.0")
        return value

    @model_validator(mode="after")
    def _settings_fit_together(self) -> Self:
        problems = []
        if self.data_mode == "replay" and self.replay_data is None:
            problems.append("REPLAY_DATA: DATA_MODE=replay needs the folder with the recorded data")
        token = self.dashboard_token
        if token is not None and len(token.get_secret_value()) > MAX_TOKEN_CHARS:
            problems.append(f"DASHBOARD_TOKEN: at most {MAX_TOKEN_CHARS} characters")
        problems += _message_problems(self)
        if self.env == "prod":
            problems += production_problems(self)
        if problems:
            raise SettingsError(tuple(problems))
        return self

    def store_url(self) -> str:
        """The database of this data mode; holds a password, so never log it.

        `DATABASE_URL` as it is, but at its default demo and replay have a file of their own beside it.
        """
        url = self.database_url.get_secret_value()
        if url == _DATABASE_URL and self.data_mode != "live":
            return f"sqlite:///data/{self.data_mode}.db"
        return url

    def logs_json(self) -> bool:
        """One JSON object per log line instead of columns: in production, unless LOG_FORMAT says."""
        return self.log_format == "json" or (self.log_format == "auto" and self.env == "prod")

    def market_speed(self) -> float:
        """Market seconds per second: 1 but in a replay."""
        return self.replay_speed if self.data_mode == "replay" else 1.0

    def runs_worker_embedded(self) -> bool:
        """Whether the web process streams and alerts itself: by default where nobody starts a second process.

        Live, two processes doing so would open two upstream connections with one key.
        """
        return self.worker == "embedded" or (self.worker == "auto" and self.data_mode != "live")

    def is_local(self) -> bool:
        """Whether this machine's own names lead here: in development, in the demo, and on a loopback HOST."""
        return self.env == "dev" or self.data_mode == "demo" or _is_loopback(self.host)

    def retention_days(self) -> dict[str, int]:
        """Days by the name of the table, for those that can be set."""
        return {
            "liquidations": self.retention_liquidations_days,
            "futures_oi_ohlc": self.retention_open_interest_days,
            "funding_rate": self.retention_funding_days,
            "audit_log": self.retention_audit_days,
        }

    def message_notes(self) -> tuple[str, ...]:
        """Halves of pairs: allowed, but nothing is sent by them, which somebody should be told."""
        has_bot, has_chat = self.telegram_bot_token is not None, bool(self.telegram_chat_id)
        found = []
        if has_bot and not has_chat:
            found.append("telegram: TELEGRAM_BOT_TOKEN is set and TELEGRAM_CHAT_ID is not: no chat is told")
        if has_chat and not has_bot:
            found.append("telegram: TELEGRAM_CHAT_ID is set and TELEGRAM_BOT_TOKEN is not: no chat is told")
        if self.alert_webhook_secret is not None and self.alert_webhook_url is None:
            found.append(
                "webhook: ALERT_WEBHOOK_SECRET is set and ALERT_WEBHOOK_URL is not: nothing is called"
            )
        return tuple(found)

    def secret_values(self) -> tuple[str, ...]:
        """Every secret in the clear, for the redaction of logs and errors; never log this."""
        held = [self.coinglass_api_key, self.coinapi_key, self.lunarcrush_api_key, self.telegram_bot_token]
        held += [self.telegram_webhook_secret, self.alert_webhook_secret, self.dashboard_token]
        held += [key.key for key in self.api_keys]
        values = [secret.get_secret_value() for secret in held if secret is not None]
        values += [self.alert_webhook_url] if self.alert_webhook_url is not None else []
        return tuple(values + _url_passwords(self.database_url) + _url_passwords(self.redis_url))


def _setting_name(field: str) -> str:
    """The present name of a setting; older names are further aliases."""
    alias = Settings.model_fields[field].validation_alias
    return str(alias.choices[0] if isinstance(alias, AliasChoices) else alias)


SETTING_NAMES = frozenset(map(_setting_name, Settings.model_fields))


def _url_passwords(url: SecretStr | None) -> list[str]:
    """The password as written and as meant: logs may show either (`p%40ss` and `p@ss`)."""
    password = urlsplit(url.get_secret_value()).password if url is not None else None
    return [password, unquote(password)] if password else []


def _message_problems(settings: Settings) -> list[str]:
    """What messages need beside each other."""
    problems = []
    secret = settings.telegram_webhook_secret
    if settings.telegram_mode == "webhook" and settings.telegram_bot_token is not None:
        if settings.public_url is None or not settings.public_url.startswith("https://"):
            problems.append("PUBLIC_URL: TELEGRAM_MODE=webhook needs the public https:// address")
        if not re.fullmatch(r"[A-Za-z0-9_-]{1,256}", secret.get_secret_value() if secret else ""):
            problems.append("TELEGRAM_WEBHOOK_SECRET: expected 1 to 256 of A-Z a-z 0-9 _ -")
    if settings.alert_channels and settings.redis_url is None:
        problems.append("REDIS_URL: ALERT_CHANNELS=on needs it")
    return problems


def production_problems(settings: Settings) -> list[str]:
    """What must not go into production (S10): each problem names its setting."""
    problems = []
    if not settings.api_keys:
        problems.append("API_KEYS: production needs at least one key")
    for key in settings.api_keys:
        problems += _api_key_problems(key)
    for name in ("coinglass_api_key", "coinapi_key", "lunarcrush_api_key", "telegram_bot_token"):
        secret: SecretStr | None = getattr(settings, name)
        if secret is not None and _PLACEHOLDER.fullmatch(secret.get_secret_value()):
            problems.append(f"{name.upper()}: this is a placeholder, not a key")
    for name in ("dashboard_token", "telegram_webhook_secret", "alert_webhook_secret"):
        weakness = _weakness(getattr(settings, name))
        problems += [f"{name.upper()}: this {weakness}"] if weakness else []
    if "*" in settings.cors_origins:
        problems.append("CORS_ORIGINS: '*' is not allowed in production; list the origins")
    problems += _public_url_problems(settings.public_url)
    if _is_default_password(settings.database_url, required=True):
        problems.append("DATABASE_URL: missing, default or placeholder password")
    if _is_default_password(settings.redis_url, required=False):
        problems.append("REDIS_URL: default or placeholder password")
    if settings.data_mode != "live" and not settings.allow_demo_in_prod:
        problems.append(
            f"DATA_MODE: {settings.data_mode} is not real data; set ALLOW_DEMO_IN_PROD=true if meant"
        )
    return problems


def _public_url_problems(url: str | None) -> list[str]:
    if url is None or not url.startswith("https://"):
        return ["PUBLIC_URL: production needs the public https:// address"]
    if _is_private_host(url):
        return ["PUBLIC_URL: assistants cannot reach an IP address or localhost; use a host name"]
    return []


def _api_key_problems(key: ApiKey) -> list[str]:
    # Of a hashed key nobody can say how long it is; whoever made it with `app.keys hash` made a long one.
    weakness = None if key.at_rest is not None else _weakness(key.key)
    return [f"API_KEYS: the key named {key.name} {weakness}"] if weakness else []


def _weakness(secret: SecretStr | None) -> str | None:
    """What is wrong with a secret that was made up here, None if nothing."""
    text = "" if secret is None else secret.get_secret_value()
    if _PLACEHOLDER.fullmatch(text):
        return "is a placeholder"
    # Few different characters (aaaa...) are as easy to guess as few characters.
    if text and (len(text) < MIN_API_KEY_CHARS or len(set(text)) < MIN_API_KEY_CHARS // 2):
        return f"is too easy to guess; use at least {MIN_API_KEY_CHARS} random characters"
    return None


def _is_default_password(url: SecretStr | None, *, required: bool) -> bool:
    if url is None or url.get_secret_value().startswith(("sqlite:", "unix:")):
        return False
    parts = urlsplit(url.get_secret_value())
    if parts.password is None:
        return required and not _is_loopback(parts.hostname)
    guessable = {*_DEFAULT_PASSWORDS, (parts.username or "").lower()}
    return parts.password.lower() in guessable or bool(_PLACEHOLDER.fullmatch(parts.password))


def _is_private_host(url: str) -> bool:
    host = urlsplit(url).hostname or ""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return "." not in host
    return True


def _is_loopback(host: str | None) -> bool:
    try:
        return ipaddress.ip_address(host or "").is_loopback
    except ValueError:
        return host == "localhost"


class _GivenSettings(Settings):
    """Settings from a mapping alone: neither the environment nor a .env file is read."""

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return (init_settings,)


def load_settings(environ: Mapping[str, str] | None = None, /, **overrides: object) -> Settings:
    """Read and check every setting.

    Args:
        environ: settings by name; None reads the process environment over `.env` in the working folder.
        overrides: settings by name, in any case, that win over both (command line flags, the demo's loopback
            addresses); None means not given.

    Raises:
        SettingsError: at least one setting makes no sense; all problems are listed.
        TypeError: an override that is no setting: a bug of the caller.
    """
    given: dict[str, Any] = {name: value for name, value in (environ or {}).items() if value}
    for name, value in overrides.items():
        if name.upper() not in SETTING_NAMES:
            raise TypeError(f"{name} is not a setting")
        if value is not None:
            given[name.upper()] = value
    try:
        return Settings(**given) if environ is None else _GivenSettings(**given)
    except ValidationError as error:
        # Not chained: the validation error holds the refused values, and some of them are secrets.
        raise SettingsError(name_problems(error)) from None
