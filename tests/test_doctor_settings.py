"""Probes of settings, files and access: each once good and once bad."""

from __future__ import annotations

import shutil
import ssl
import subprocess
from pathlib import Path

import pytest

from app.doctor_deployment import Deployment
from app.doctor_run import Status
from app.doctor_settings import known_names, named
from app.services.transport.redact import Redactor
from app.settings import SETTING_NAMES, load_settings
from tests.chaos.loopback_tls import self_signed_site
from tests.doctor_rig import KEY, PROD, deployment, finding, rows
from tests.live_rig import listening

OK, WARN, FAIL, SKIP = Status.OK, Status.WARN, Status.FAIL, Status.SKIP

# Probe, settings, what it finds, a word of it.
CASES = [
    ("environment", PROD, OK, "production hold"),
    ("environment", {"PUBLIC_URL": "https://signals.example.com"}, WARN, "not asked"),
    ("data_mode", PROD, OK, "live"),
    ("data_mode", {**PROD, "DATA_MODE": "demo", "ALLOW_DEMO_IN_PROD": "true"}, WARN, "demo data"),
    ("log_level", PROD, OK, "INFO"),
    ("log_level", {**PROD, "LOG_LEVEL": "DEBUG"}, WARN, "DEBUG"),
    ("signals_toml", {}, OK, "signals.toml"),
    ("signals_toml", {"SIGNALS_CONFIG": "/nowhere/signals.toml"}, FAIL, "cannot read"),
    ("alerts_toml", {}, OK, "alerts.toml"),
    ("alerts_toml", {"ALERTS_CONFIG": "/nowhere/alerts.toml"}, FAIL, "cannot read"),
    ("worker_setting", {}, OK, "in the database"),
    ("worker_setting", {"REDIS_URL": "redis://h/0", "WORKER": "embedded"}, WARN, "two workers"),
    ("message_settings", {}, SKIP, "told to nobody"),
    ("message_settings", {"TELEGRAM_BOT_TOKEN": "1:a", "TELEGRAM_CHAT_ID": "5"}, OK, "whole"),
    ("message_settings", {"TELEGRAM_BOT_TOKEN": "1:a"}, WARN, "no chat is told"),
    ("api_keys", PROD, OK, "admin, read"),
    ("api_keys", {"API_KEYS": "ops:changeme:read"}, WARN, "named ops is a placeholder"),
    ("api_keys", {"API_KEYS": "ops:abcdefgh:read"}, WARN, "too easy to guess"),
    ("api_keys", {}, SKIP, "open to this machine"),
    ("api_keys", {"HOST": "0.0.0.0"}, WARN, "may ask everything"),
    ("api_keys", {"HOST": "0.0.0.0", "DASHBOARD_TOKEN": KEY}, OK, "dashboard token alone"),
    ("dashboard_token", {}, SKIP, "not set"),
    ("dashboard_token", {"DASHBOARD_TOKEN": KEY}, OK, ""),
    (
        "dashboard_token",
        {"DASHBOARD_TOKEN": "aaaaaaaaaaaaaaaaaaaa"},
        WARN,
        "DASHBOARD_TOKEN (this is too easy",
    ),
    ("provider_keys", {}, SKIP, "public data"),
    ("provider_keys", {"COINGLASS_API_KEY": KEY}, OK, ""),
    ("provider_keys", {"COINGLASS_API_KEY": "your-key"}, WARN, "COINGLASS_API_KEY (this is a placeholder"),
    ("webhook_secrets", {}, SKIP, "no webhook secret"),
    ("webhook_secrets", {"ALERT_WEBHOOK_SECRET": KEY}, OK, ""),
    ("webhook_secrets", {"ALERT_WEBHOOK_SECRET": "secret"}, WARN, "ALERT_WEBHOOK_SECRET"),
    ("passwords", {}, OK, ""),
    ("passwords", {"DATABASE_URL": "postgresql://app:postgres@db/signals"}, WARN, "DATABASE_URL"),
    ("passwords", {"REDIS_URL": "redis://:redis@cache/0"}, WARN, "REDIS_URL"),
    ("cors", {}, OK, "no other origin"),
    ("cors", {"CORS_ORIGINS": "https://chatgpt.com"}, OK, "1 other"),
    ("cors", {"CORS_ORIGINS": "*"}, WARN, "every page"),
    ("cors", {"CORS_ORIGINS": "http://pages.example"}, WARN, "without https"),
    ("proxy_hops", PROD, OK, "=1"),
    ("proxy_hops", {**PROD, "TRUSTED_PROXY_HOPS": "0"}, WARN, "look like one"),
    ("proxy_hops", {"TRUSTED_PROXY_HOPS": "1"}, WARN, "anybody"),
    ("proxy_hops", {**PROD, "TRUSTED_PROXY_HOPS": "4"}, WARN, "long way"),
    ("public_url", {}, SKIP, "not set"),
    ("public_url", PROD, OK, "signals.example.com"),
    ("public_url", {"PUBLIC_URL": "http://signals.example.com"}, WARN, "https"),
    ("public_name", {}, SKIP, "no public address"),
    ("public_name", {"PUBLIC_URL": "https://127.0.0.1:1"}, OK, "leads to"),
    ("public_name", {"PUBLIC_URL": "https://localhost:1"}, SKIP, "this machine alone"),
    ("public_name", {**PROD, "PUBLIC_URL": "https://signals.localhost"}, SKIP, "this machine alone"),
    ("public_name", {"PUBLIC_URL": "https://localhost.invalid"}, FAIL, "has no address"),
    ("public_name", {"PUBLIC_URL": "https://signals.invalid"}, FAIL, "has no address"),
    ("public_certificate", {"PUBLIC_URL": "http://127.0.0.1:1"}, SKIP, "not https"),
    ("public_certificate", {**PROD, "PUBLIC_URL": "https://signals.localhost"}, SKIP, "this machine alone"),
    ("public_certificate", {"PUBLIC_URL": "https://127.0.0.1:1"}, FAIL, "no TLS connection"),
]


@pytest.mark.parametrize(("name", "settings", "status", "word"), CASES)
async def test_settings_and_access(name: str, settings: dict[str, str], status: Status, word: str) -> None:
    found = await finding(name, settings)
    assert (found.status, bool(found.mend)) == (status, status in (WARN, FAIL)), found
    assert word in found.detail


async def test_settings_that_do_not_load_are_one_row_and_the_rest_is_skipped() -> None:
    broken = Deployment(None, ("API_KEYS: production needs at least one key", "PORT: too large"))
    told = {row.name: row.finding for row in await rows(broken)}
    assert told["settings_load"].detail == "API_KEYS (production needs at least one key); PORT (too large)"
    skipped = {name for name, found in told.items() if found.status is SKIP}
    always = {
        "settings_load",
        "python_version",
        "packages",
        "dashboard",
        "time_zones",
        "memory",
        "open_files",
        "processors",
    }
    assert skipped >= told.keys() - always - {"env_file", "env_names"}
    assert told["api_keys"].detail == "the settings do not load"


async def test_settings_that_load_are_counted() -> None:
    assert (await finding("settings_load")).detail == f"{len(SETTING_NAMES)} settings make sense"


def test_names_of_settings_survive_the_redaction() -> None:
    told = named(["TELEGRAM_BOT_TOKEN: this is a placeholder, not a key", "no name"])
    assert Redactor().text(told) == "TELEGRAM_BOT_TOKEN (this is a placeholder, not a key); no name"


@pytest.mark.parametrize(
    ("mode", "settings", "status"),
    [(0o600, {}, OK), (0o640, {}, OK), (0o644, {}, WARN), (0o644, PROD, FAIL), (0o606, {}, FAIL)],
)
async def test_an_env_file_is_not_for_everybody(
    tmp_path: Path, mode: int, settings: dict[str, str], status: Status
) -> None:
    (tmp_path / ".env").write_text("PORT=8000\n")
    (tmp_path / ".env").chmod(mode)
    assert (await finding("env_file", settings, folder=tmp_path)).status is status


async def test_without_an_env_file_there_is_nothing_to_read(tmp_path: Path) -> None:
    for name in ("env_file", "env_names"):
        assert (await finding(name, folder=tmp_path)).status is SKIP


async def test_a_misspelt_name_is_named_with_the_one_that_is_meant(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text(
        "COINGLAS_API_KEY=k7\nredis_ulr=x\nCG_API_KEY=\nPOSTGRES_USER=u\n# a comment\nexport SYMBOL=1\n"
    )
    found = await finding("env_names", folder=tmp_path)
    assert found.status is WARN
    assert "COINGLAS_API_KEY (did you mean COINGLASS_API_KEY?)" in found.detail
    assert "REDIS_ULR (did you mean REDIS_URL?)" in found.detail
    assert "SYMBOL (did you mean SYMBOLS?)" in found.detail
    assert "POSTGRES_USER" not in found.detail
    assert "k7" not in found.detail


async def test_names_of_ours_and_of_others_are_no_typos(tmp_path: Path) -> None:
    lines = [f"{name}=" for name in sorted(known_names())]
    (tmp_path / ".env").write_text("\n".join([*lines, "POSTGRES_PASSWORD=x", "GRAFANA_PORT=1", "TZ=UTC"]))
    assert (await finding("env_names", folder=tmp_path)).status is OK


def _certify(folder: Path, days: int) -> ssl.SSLContext:
    """A certificate for 127.0.0.1 that ends in so many days, and a context that trusts it."""
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"]
    command += ["-nodes", "-subj", "/CN=here", "-addext", "subjectAltName=IP:127.0.0.1", "-days", str(days)]
    command += ["-keyout", str(folder / "key.pem"), "-out", str(folder / "certificate.pem")]
    subprocess.run(command, check=True, capture_output=True, timeout=30)
    return ssl.create_default_context(cafile=str(folder / "certificate.pem"))


@pytest.mark.parametrize(("days", "status"), [(90, OK), (10, WARN), (2, FAIL)])
@pytest.mark.skipif(shutil.which("openssl") is None, reason="no openssl")
async def test_a_certificate_that_ends_soon_is_told(tmp_path: Path, days: int, status: Status) -> None:
    trusting = _certify(tmp_path, days)
    files = {"ssl_keyfile": str(tmp_path / "key.pem"), "ssl_certfile": str(tmp_path / "certificate.pem")}

    async def nothing(scope: object, receive: object, send: object) -> None: ...

    async with listening(nothing, log_level="critical", **files) as url:
        found = await finding("public_certificate", {"PUBLIC_URL": url}, tls=trusting)
    assert found.status is status, found


async def test_a_certificate_that_nobody_signed_is_no_good(tmp_path: Path) -> None:
    async with self_signed_site(tmp_path) as url:
        found = await finding("public_certificate", {"PUBLIC_URL": url})
    assert found.status is FAIL
    assert "self-signed certificate" in found.detail


async def test_the_settings_of_the_cases_are_those_of_production() -> None:
    assert load_settings(PROD).env == "prod"
    assert deployment(PROD).is_prod
