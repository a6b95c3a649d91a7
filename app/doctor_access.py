"""Probes of who may come in: keys, tokens, CORS, proxies, and the public address with its certificate.

Strength is judged by the rules of production in `app.settings`; in development what they would refuse is a
warning. Only the public address is asked, and only for its certificate.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
import time
from typing import Any
from urllib.parse import urlsplit

from app.doctor_deployment import LOOPBACK, Deployment, NothingToCheck
from app.doctor_run import Finding, Probe, fail, ok, skip, warn
from app.doctor_settings import named
from app.settings import production_problems

GROUP = "access"
DAY_S = 86_400.0
# Certificates are commonly renewed 30 days before their end: at 21 the renewal has failed for a while.
WARN_DAYS, FAIL_DAYS = 21.0, 3.0
_SHAKE_S = 6.0
_NEW_KEY = 'python3 -c "import secrets; print(secrets.token_urlsafe(32))" makes a new one'


async def api_keys(deployment: Deployment) -> Finding:
    keys = deployment.settings.api_keys
    weak = _refused(deployment, "API_KEYS") if keys else []
    if weak:
        return warn(f"production would refuse: {named(weak)}", _NEW_KEY)
    if keys:
        scopes = sorted({scope for key in keys for scope in key.scopes})
        return ok(f"{len(keys)} keys, none easy to guess; together they may {', '.join(scopes)}")
    return _open_door(deployment)


def _open_door(deployment: Deployment) -> Finding:
    settings = deployment.settings
    if settings.dashboard_token is not None:
        return ok("no API key: the dashboard token alone opens the door")
    if settings.host in LOOPBACK or settings.data_mode == "demo":
        return skip("no API key: open to this machine, as a demo and development are")
    return warn(
        f"no API key, and HOST={settings.host}: whoever reaches this machine may ask everything",
        f"set API_KEYS, or HOST=127.0.0.1; {_NEW_KEY}",
    )


async def dashboard_token(deployment: Deployment) -> Finding:
    if deployment.settings.dashboard_token is None:
        return skip("DASHBOARD_TOKEN is not set: API keys open the dashboard")
    return _strength(deployment, "DASHBOARD_TOKEN")


async def webhook_secrets(deployment: Deployment) -> Finding:
    settings = deployment.settings
    if settings.telegram_webhook_secret is None and settings.alert_webhook_secret is None:
        return skip("no webhook secret is set")
    return _strength(deployment, "TELEGRAM_WEBHOOK_SECRET", "ALERT_WEBHOOK_SECRET")


async def provider_keys(deployment: Deployment) -> Finding:
    settings = deployment.settings
    keys = (settings.coinglass_api_key, settings.coinapi_key, settings.lunarcrush_api_key)
    if not any((*keys, settings.telegram_bot_token)):
        return skip("no key of a provider is set: public data only")
    return _strength(
        deployment, "COINGLASS_API_KEY", "COINAPI_KEY", "LUNARCRUSH_API_KEY", "TELEGRAM_BOT_TOKEN"
    )


async def passwords(deployment: Deployment) -> Finding:
    return _strength(deployment, "DATABASE_URL", "REDIS_URL")


def _strength(deployment: Deployment, *names: str) -> Finding:
    weak = _refused(deployment, *names)
    if weak:
        return warn(f"production would refuse: {named(weak)}", _NEW_KEY)
    return ok("no placeholder, nothing easy to guess")


def _refused(deployment: Deployment, *names: str) -> list[str]:
    """What the rules of production say against these settings; in production such settings do not load."""
    return [one for one in production_problems(deployment.settings) if one.partition(":")[0] in names]


async def cors(deployment: Deployment) -> Finding:
    origins = deployment.settings.cors_origins
    if "*" in origins:
        return warn("every page of the web may call from a browser", "list the origins in CORS_ORIGINS")
    plain = [one for one in origins if one.startswith("http://") and "localhost" not in one]
    if plain:
        return warn(f"origins without https: {', '.join(plain)}", "name them with https:// in CORS_ORIGINS")
    return ok(f"{len(origins)} other origins may call" if origins else "no other origin may call")


async def proxy_hops(deployment: Deployment) -> Finding:
    settings, hops = deployment.settings, deployment.settings.trusted_proxy_hops
    is_public = settings.public_url is not None and settings.public_url.startswith("https://")
    if is_public and hops == 0:
        return warn(
            "PUBLIC_URL is https and TRUSTED_PROXY_HOPS=0: all clients look like one, and share its limit",
            "set TRUSTED_PROXY_HOPS to the number of proxies of your own, mostly 1",
        )
    if not is_public and hops:
        return warn(
            f"TRUSTED_PROXY_HOPS={hops} and no public https address: clients may say they are anybody",
            "set TRUSTED_PROXY_HOPS=0 where no proxy stands in front",
        )
    if hops > 3:
        return warn(f"TRUSTED_PROXY_HOPS={hops} is a long way", "count the proxies that are yours")
    return ok(f"TRUSTED_PROXY_HOPS={hops} fits the address")


async def public_url(deployment: Deployment) -> Finding:
    url = deployment.settings.public_url
    if url is None:
        return skip("PUBLIC_URL is not set")
    refused = _refused(deployment, "PUBLIC_URL")
    if refused:
        return warn(f"production would refuse: {named(refused)}", "set PUBLIC_URL to the address users see")
    return ok(f"PUBLIC_URL names {urlsplit(url).hostname} with https")


async def public_name(deployment: Deployment) -> Finding:
    host, port = _public_host(deployment)
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except socket.gaierror:
        return fail(f"the name {host} has no address", "enter it in DNS, or correct PUBLIC_URL")
    addresses = sorted({str(item[4][0]) for item in found})
    return ok(f"{host} leads to {', '.join(addresses[:3])}")


async def public_certificate(deployment: Deployment) -> Finding:
    host, port = _public_host(deployment)
    if not (deployment.settings.public_url or "").startswith("https://"):
        return skip("PUBLIC_URL is not https")
    try:
        left_days = await _days_left(host, port, deployment.tls)
    except ssl.SSLCertVerificationError as error:
        mend = "renew the certificate of the proxy, with its whole chain"
        return fail(f"the certificate of {host} is not good: {error.verify_message}", mend)
    except (OSError, ssl.SSLError):
        mend = "see to the proxy in front, its firewall and its port"
        return fail(f"no TLS connection to {host}:{port}", mend)
    if left_days < WARN_DAYS:
        found = f"the certificate of {host} ends in {left_days:.1f} days"
        judge = fail if left_days < FAIL_DAYS else warn
        return judge(found, "renew it; see why the renewal did not")
    return ok(f"the certificate of {host} holds for {left_days:.0f} days")


def _public_host(deployment: Deployment) -> tuple[str, int]:
    """Raises: NothingToCheck, also for a name of this machine alone: no DNS has it, no authority signs it."""
    url = deployment.settings.public_url
    if url is None or deployment.settings.data_mode == "demo":
        raise NothingToCheck("no public address")
    parts = urlsplit(url)
    host = parts.hostname or ""
    if host == "localhost" or host.endswith(".localhost"):
        raise NothingToCheck(f"{host} is a name of this machine alone: nobody else can come by it")
    return host, parts.port or (443 if parts.scheme == "https" else 80)


async def _days_left(host: str, port: int, tls: ssl.SSLContext) -> float:
    """Until the certificate ends. Raises: OSError, ssl.SSLError."""
    async with asyncio.timeout(_SHAKE_S):
        _, writer = await asyncio.open_connection(host, port, ssl=tls)
    try:
        shown: dict[str, Any] = writer.get_extra_info("peercert")
        return (ssl.cert_time_to_seconds(shown["notAfter"]) - time.time()) / DAY_S
    finally:
        writer.transport.abort()


PROBES = (
    Probe("api_keys", GROUP, api_keys),
    Probe("dashboard_token", GROUP, dashboard_token),
    Probe("provider_keys", GROUP, provider_keys),
    Probe("webhook_secrets", GROUP, webhook_secrets),
    Probe("passwords", GROUP, passwords),
    Probe("cors", GROUP, cors),
    Probe("proxy_hops", GROUP, proxy_hops),
    Probe("public_url", GROUP, public_url),
    Probe("public_name", GROUP, public_name, is_remote=True),
    Probe("public_certificate", GROUP, public_certificate, is_remote=True),
)
