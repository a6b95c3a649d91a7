"""Probes of what runs on this machine already: who holds the port, is it us, is it ready, is it this version.

A service that does not run yet is nothing to mend. A key is sent only to what has shown itself to be ours.
"""

from __future__ import annotations

import errno
import json
import socket
from typing import Any

from app import __version__
from app.core.errors import ProviderError
from app.doctor_deployment import Deployment, NothingToCheck
from app.doctor_run import Finding, Probe, fail, ok, warn
from app.services.transport.records import Answer

GROUP = "service"
_ANYWHERE = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - compared, not bound
_LOGS = "read its log; /health shows each provider and dependency"


async def port(deployment: Deployment) -> Finding:
    settings = deployment.settings
    where = f"HOST={settings.host} PORT={settings.port}"
    why = _why_not_bound(settings.host, settings.port)
    if why is None:
        return ok(f"{where} is free: the service does not run here yet")
    if why.errno != errno.EADDRINUSE:
        return fail(f"{where} cannot be listened at: {why.strerror}", "correct HOST or PORT")
    if await _is_ours(deployment):
        return ok(f"{where} is served by this service")
    return fail(f"{where} is taken by something else", "stop what listens there, or set another PORT")


async def service_ready(deployment: Deployment) -> Finding:
    await _require_ours(deployment)
    answer = await _ask(deployment, "/health/ready")
    if answer.status in (401, 403):
        raise NothingToCheck("no API key that may read is set here")
    said = _body(answer)
    if answer.status != 200:
        return fail(f"the service is not ready: HTTP {answer.status}", _LOGS)
    if said.get("status") != "ok":
        parts = [*said.get("providers", []), *said.get("dependencies", [])]
        fine = {"ok", "unused", "not_configured", "starting"}
        bad = [_told(part) for part in parts if part.get("state") not in fine]
        return warn(f"the service is {said.get('status')}: {', '.join(bad) or 'see /health'}", _LOGS)
    return ok("the service is ready")


async def service_version(deployment: Deployment) -> Finding:
    await _require_ours(deployment)
    answer = await _ask(deployment, "/")
    if answer.status != 200:
        raise NothingToCheck("no API key that may read is set here")
    said, mode = _body(answer), deployment.settings.data_mode
    running = str(said.get("version", "unknown"))
    if running != __version__:
        return warn(f"version {running} runs and {__version__} is installed", "start the service again")
    if said.get("dataMode") != mode:
        return warn(f"the service runs on {said.get('dataMode')} data, not {mode}", "start it again")
    return ok(f"version {running} runs, on {mode} data")


def _told(part: dict[str, Any]) -> str:
    return f"{part.get('provider') or part.get('name')} {part.get('state')}"


def _why_not_bound(host: str, number: int) -> OSError | None:
    """As the web process listens, and at once given up again."""
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((host, number))
            listener.listen(1)
        except OSError as error:
            return error
    return None


async def _require_ours(deployment: Deployment) -> None:
    """Raises: NothingToCheck."""
    settings = deployment.settings
    if _why_not_bound(settings.host, settings.port) is None or not await _is_ours(deployment):
        raise NothingToCheck("the service does not run here")


async def _is_ours(deployment: Deployment) -> bool:
    try:
        answer = await deployment.questions.ask("service", f"{_address(deployment)}/health/live")
    except ProviderError:
        return False
    return answer.status == 200 and "x-data-mode" in answer.headers and _body(answer) == {"status": "ok"}


async def _ask(deployment: Deployment, path: str) -> Answer:
    """With a key of the settings that may read, if there is one."""
    keys = [key for key in deployment.settings.api_keys if "read" in key.scopes]
    headers = {"Authorization": f"Bearer {keys[0].key.get_secret_value()}"} if keys else {}
    return await deployment.questions.ask("service", f"{_address(deployment)}{path}", headers=headers)


def _address(deployment: Deployment) -> str:
    settings = deployment.settings
    host = _ANYWHERE.get(settings.host, settings.host)
    return f"http://[{host}]:{settings.port}" if ":" in host else f"http://{host}:{settings.port}"


def _body(answer: Answer) -> dict[str, Any]:
    try:
        said = json.loads(answer.body)
    except ValueError:
        return {}
    return said if isinstance(said, dict) else {}


PROBES = (
    Probe("port", GROUP, port),
    Probe("service_ready", GROUP, service_ready, limit_s=10.0),
    Probe("service_version", GROUP, service_version),
)
