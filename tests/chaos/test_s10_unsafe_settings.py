"""S10: the service refuses to start with unsafe or senseless settings, and says which, not what.

Every case runs the entry point of the process; some run the process itself.
"""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest
import uvicorn

from app.main import main
from app.settings import SETTING_NAMES, load_settings
from tests.live_process import start
from tests.live_rig import closed_port

GOOD_KEY = "vT3kQ9xLm2Rz7WbP4nYc"
SAFE = {
    "ENV": "prod",
    "PUBLIC_URL": "https://signals.test",
    "API_KEYS": f"owner:{GOOD_KEY}:read+debug+admin",
    "DATABASE_URL": "postgresql://app:Zr8-kLw3_pQx@db.test/signals",
    "COINGLASS_API_KEY": "mK5tXe1vBq8s",
}


@dataclass(frozen=True, slots=True)
class Unsafe:
    """Settings over the safe ones, and arguments.

    names: what the message must hold; secrets: what it must not.
    """

    settings: Mapping[str, str]
    names: tuple[str, ...]
    secrets: tuple[str, ...] = ()
    args: tuple[str, ...] = ()


MATRIX = {
    "no api keys": Unsafe({"API_KEYS": ""}, ("API_KEYS",)),
    "placeholder api key": Unsafe(
        {"API_KEYS": "owner:change-me-please-now:read"}, ("API_KEYS", "owner"), ("change-me-please-now",)
    ),
    "short api key": Unsafe({"API_KEYS": "owner:q7Fz2:read"}, ("API_KEYS", "owner"), ("q7Fz2",)),
    "easy api key": Unsafe({"API_KEYS": f"owner:{'ab' * 12}:read"}, ("API_KEYS",), ("ab" * 12,)),
    "hashed api key that is none": Unsafe(
        {"API_KEYS": "owner:sha256$q7Fz2:read"}, ("API_KEYS", "app.keys hash"), ("q7Fz2",)
    ),
    "unknown scope": Unsafe({"API_KEYS": f"owner:{GOOD_KEY}:fly"}, ("API_KEYS",), (GOOD_KEY,)),
    "placeholder provider key": Unsafe(
        {"COINGLASS_API_KEY": "your-coinglass-key"}, ("COINGLASS_API_KEY",), ("your-coinglass-key",)
    ),
    "placeholder bot token": Unsafe(
        {"TELEGRAM_BOT_TOKEN": "<bot-token>"}, ("TELEGRAM_BOT_TOKEN",), ("<bot-token>",)
    ),
    "placeholder dashboard token": Unsafe(
        {"DASHBOARD_TOKEN": "change-me-please-now"}, ("DASHBOARD_TOKEN",), ("change-me-please-now",)
    ),
    "short dashboard token": Unsafe(
        {"DASHBOARD_TOKEN": "q7Fz2"}, ("DASHBOARD_TOKEN", "too easy to guess"), ("q7Fz2",)
    ),
    "easy dashboard token": Unsafe({"DASHBOARD_TOKEN": "ab" * 12}, ("DASHBOARD_TOKEN",), ("ab" * 12,)),
    "dashboard token with a space": Unsafe(
        {"ENV": "dev", "DASHBOARD_TOKEN": "vT3kQ9xLm2Rz 7WbP4nYc"}, ("DASHBOARD_TOKEN",), ("vT3kQ9xLm2Rz",)
    ),
    "dashboard token that is too long": Unsafe(
        {"ENV": "dev", "DASHBOARD_TOKEN": GOOD_KEY * 11}, ("DASHBOARD_TOKEN",), (GOOD_KEY,)
    ),
    "dashboard token instead of keys": Unsafe(
        {"API_KEYS": "", "DASHBOARD_TOKEN": GOOD_KEY}, ("API_KEYS",), (GOOD_KEY,)
    ),
    "placeholder webhook secret": Unsafe(
        {"ALERT_WEBHOOK_URL": "https://hooks.test/x", "ALERT_WEBHOOK_SECRET": "change-me"},
        ("ALERT_WEBHOOK_SECRET",),
        ("change-me",),
    ),
    "easy webhook secret": Unsafe(
        {"ALERT_WEBHOOK_URL": "https://hooks.test/x", "ALERT_WEBHOOK_SECRET": "q7Fz2"},
        ("ALERT_WEBHOOK_SECRET", "too easy to guess"),
        ("q7Fz2",),
    ),
    "easy telegram secret": Unsafe(
        {
            "TELEGRAM_MODE": "webhook",
            "TELEGRAM_BOT_TOKEN": "123456789:AAHf3kQ9xLm2Rz7WbP4nYcvT3kQ9xLm2Rz7",
            "TELEGRAM_WEBHOOK_SECRET": "q7Fz2",
        },
        ("TELEGRAM_WEBHOOK_SECRET", "too easy to guess"),
        ("q7Fz2",),
    ),
    "open cors": Unsafe({"CORS_ORIGINS": "*"}, ("CORS_ORIGINS",)),
    "no public url": Unsafe({"PUBLIC_URL": ""}, ("PUBLIC_URL",)),
    "plain public url": Unsafe({"PUBLIC_URL": "http://signals.test"}, ("PUBLIC_URL",)),
    "default database password": Unsafe(
        {"DATABASE_URL": "postgresql://postgres:postgres@db.test/signals"}, ("DATABASE_URL",)
    ),
    "no database password": Unsafe({"DATABASE_URL": "postgresql://app@db.test/signals"}, ("DATABASE_URL",)),
    "default redis password": Unsafe({"REDIS_URL": "redis://:redis@cache.test/0"}, ("REDIS_URL",)),
    "demo that nobody asked for": Unsafe({"DATA_MODE": "demo"}, ("DATA_MODE", "ALLOW_DEMO_IN_PROD")),
    "demo by argument": Unsafe({}, ("DATA_MODE", "ALLOW_DEMO_IN_PROD"), args=("--demo",)),
    "several at once": Unsafe(
        {"API_KEYS": "", "PUBLIC_URL": "", "CORS_ORIGINS": "*"}, ("API_KEYS", "PUBLIC_URL", "CORS_ORIGINS")
    ),
    "port out of range": Unsafe({"ENV": "dev", "PORT": "70000"}, ("PORT",)),
    "port that is no number": Unsafe({"ENV": "dev", "PORT": "http"}, ("PORT",)),
    "deadline below zero": Unsafe(
        {"ENV": "dev", "REQUEST_DEADLINE_SECONDS": "-1"}, ("REQUEST_DEADLINE_SECONDS",)
    ),
    "no such data mode": Unsafe({"ENV": "dev", "DATA_MODE": "dream"}, ("DATA_MODE",)),
    "replay without data": Unsafe({"ENV": "dev"}, ("REPLAY_DATA",), args=("--replay",)),
    "no such signals file": Unsafe({"ENV": "dev", "SIGNALS_CONFIG": "no-such.toml"}, ("no-such.toml",)),
    "database of another kind": Unsafe(
        {"ENV": "dev", "DATABASE_URL": "mysql://u:Xk29fPq7@db.test/x"}, ("DATABASE_URL",), ("Xk29fPq7",)
    ),
}

# Each start costs most of a second, so the process itself is started for one case of each sort.
AS_PROCESS = ("several at once", "demo by argument", "port out of range")


def settings_of(unsafe: Unsafe) -> dict[str, str]:
    return SAFE | {"PORT": str(closed_port())} | dict(unsafe.settings)


def assert_refused(unsafe: Unsafe, status: int, out: str, err: str) -> None:
    assert status == 2, err
    assert err.startswith("cannot start: ")
    assert err.count("\n") == 1
    for name in unsafe.names:
        assert name in err
    for secret in (*unsafe.secrets, SAFE["COINGLASS_API_KEY"], "Zr8-kLw3_pQx"):
        assert secret not in err + out
    assert out == ""


@pytest.mark.parametrize("unsafe", MATRIX.values(), ids=MATRIX)
def test_it_refuses_to_start_and_names_the_setting(
    unsafe: Unsafe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def served(*_: object) -> None:
        pytest.fail("the service started")

    for name in SETTING_NAMES:
        monkeypatch.delenv(name, raising=False)
    for name, value in settings_of(unsafe).items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(tmp_path)  # no .env of the developer
    monkeypatch.setattr(uvicorn.Server, "run", served)
    status = main(unsafe.args)
    assert_refused(unsafe, status, *capsys.readouterr())


def test_safe_settings_are_not_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The base of the matrix: without this every case above could pass for another reason."""
    monkeypatch.chdir(tmp_path)
    settings = load_settings(SAFE)
    assert settings.env == "prod"
    assert settings.data_mode == "live"


def run(case: str, folder: Path) -> tuple[int, str, str]:
    process = start(*MATRIX[case].args, folder=folder, settings=settings_of(MATRIX[case]))
    try:
        out, err = process.communicate(timeout=60)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
        raise
    return process.returncode, out, err


def test_the_process_ends_with_status_2_and_one_line(tmp_path: Path) -> None:
    with ThreadPoolExecutor(len(AS_PROCESS)) as pool:
        ended = list(pool.map(lambda case: run(case, tmp_path), AS_PROCESS))
    for case, result in zip(AS_PROCESS, ended, strict=True):
        assert_refused(MATRIX[case], *result)
