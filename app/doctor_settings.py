"""Probes of what is configured: do the settings and the two TOML files load, does what they say fit together.

Reads files and settings only; nothing is asked. Keys, tokens and addresses are `doctor_access`'s.
"""

from __future__ import annotations

import difflib
import re
import stat

from pydantic import AliasChoices

from app.alerts_config import load_alerts_config
from app.doctor_deployment import Deployment, NothingToCheck
from app.doctor_run import Finding, Probe, fail, ok, skip, warn
from app.settings import SETTING_NAMES, Settings, SettingsError, load_signals_config

GROUP = "settings"
_READABLE = "docs/configuration.md says what each may be"
_ENV_FILE = ".env"
# Of a line of it, the name alone: values are looked at nowhere here.
_NAME = re.compile(r"^[ \t]*(?:export[ \t]+)?([A-Za-z_][A-Za-z0-9_]{0,60})[ \t]*=", re.MULTILINE)
_NEAR = 0.8  # of two names, as difflib counts: one or two letters apart


def named(problems: tuple[str, ...] | list[str]) -> str:
    """Problems of settings in one line. `NAME: words` would look like a secret to the redaction."""
    return "; ".join(re.sub(r"^([A-Z_]+): ", r"\1 (", one) + ")" if ": " in one else one for one in problems)


async def settings_load(deployment: Deployment) -> Finding:
    if deployment.loaded is None:
        return fail(named(deployment.problems), f"correct what is named; {_READABLE}")
    return ok(f"{len(SETTING_NAMES)} settings make sense")


async def environment(deployment: Deployment) -> Finding:
    settings = deployment.settings
    if deployment.is_prod:
        return ok("ENV=prod, and the rules of production hold")
    is_public = settings.public_url is not None and settings.public_url.startswith("https://")
    if is_public:
        return warn(
            "ENV=dev behind a public https address: the rules of production are not asked",
            "set ENV=prod and correct what it refuses",
        )
    return ok("ENV=dev: the rules of production are not asked")


async def data_mode(deployment: Deployment) -> Finding:
    mode = deployment.settings.data_mode
    if deployment.is_prod and mode != "live":
        return warn(f"production runs on {mode} data", "set DATA_MODE=live for real data")
    return ok(f"DATA_MODE={mode}")


async def log_level(deployment: Deployment) -> Finding:
    level = deployment.settings.log_level
    if deployment.is_prod and level == "DEBUG":
        return warn("LOG_LEVEL=DEBUG in production: slow, and fills the disk", "set LOG_LEVEL=INFO")
    return ok(f"LOG_LEVEL={level}")


async def env_file(deployment: Deployment) -> Finding:
    path = deployment.folder / _ENV_FILE
    if not path.is_file():
        return skip("no .env in the working folder: settings come from the environment")
    mode = path.stat().st_mode
    mend = "chmod 600 .env"
    if mode & stat.S_IWOTH:
        return fail("everybody on this machine may change .env", mend)
    if mode & stat.S_IROTH:
        found = "everybody on this machine may read .env and its keys"
        is_prod = deployment.loaded is not None and deployment.is_prod
        return fail(found, mend) if is_prod else warn(found, mend)
    return ok(f".env is not for everybody (mode {stat.S_IMODE(mode):04o})")


async def env_names(deployment: Deployment) -> Finding:
    path = deployment.folder / _ENV_FILE
    if not path.is_file():
        return skip("no .env in the working folder")
    ours = known_names()
    text = path.read_text(encoding="utf-8", errors="replace")
    strange = [name for name in map(str.upper, _NAME.findall(text)) if name not in ours]
    typos = [f"{name} (did you mean {near[0]}?)" for name in strange if (near := _near(name, ours))]
    if typos:
        return warn(f".env has names that look like ours: {'; '.join(typos)}", "correct the names in .env")
    return ok("no name in .env looks like a misspelt setting")


async def signals_toml(deployment: Deployment) -> Finding:
    try:
        load_signals_config(deployment.settings.signals_config)
    except SettingsError as error:
        return fail(named(error.problems), "correct the file, or leave SIGNALS_CONFIG empty")
    return ok(f"{deployment.settings.signals_config.name} makes sense")


async def alerts_toml(deployment: Deployment) -> Finding:
    try:
        load_alerts_config(deployment.settings.alerts_config)
    except SettingsError as error:
        return fail(named(error.problems), "correct the file, or leave ALERTS_CONFIG empty")
    return ok(f"{deployment.settings.alerts_config.name} makes sense")


async def worker_setting(deployment: Deployment) -> Finding:
    settings = deployment.settings
    if settings.runs_worker_embedded():
        if settings.redis_url is not None and settings.data_mode == "live":
            return warn(
                "WORKER=embedded: with a second web process there would be two workers on one key",
                "run one web process, or set WORKER=auto and start python -m app.worker beside it",
            )
        return ok("the web process streams and alerts itself")
    where = "over Redis" if settings.redis_url is not None else "in the database"
    return ok(f"python -m app.worker runs beside the web process; they meet {where}")


async def message_settings(deployment: Deployment) -> Finding:
    notes = deployment.settings.message_notes()
    if notes:
        return warn("; ".join(re.sub(r"^(\w+): ", r"\1, ", note) for note in notes), "set the other half too")
    if deployment.settings.telegram_bot_token is None and deployment.settings.alert_webhook_url is None:
        raise NothingToCheck("neither Telegram nor a webhook is set: alerts are stored and told to nobody")
    return ok("what alerts are told by is set whole")


def known_names() -> frozenset[str]:
    """Names of settings, older ones included."""
    names: set[str] = set()
    for field in Settings.model_fields.values():
        alias = field.validation_alias
        names |= set(map(str, alias.choices)) if isinstance(alias, AliasChoices) else {str(alias)}
    return frozenset(names)


def _near(name: str, ours: frozenset[str]) -> list[str]:
    return difflib.get_close_matches(name, sorted(ours), n=1, cutoff=_NEAR)


PROBES = (
    Probe("settings_load", GROUP, settings_load),
    Probe("environment", GROUP, environment),
    Probe("data_mode", GROUP, data_mode),
    Probe("log_level", GROUP, log_level),
    Probe("env_file", GROUP, env_file),
    Probe("env_names", GROUP, env_names),
    Probe("signals_toml", GROUP, signals_toml),
    Probe("alerts_toml", GROUP, alerts_toml),
    Probe("worker_setting", GROUP, worker_setting),
    Probe("message_settings", GROUP, message_settings),
)
