"""S02: planted secrets show up in no answer, log, metric, repr, error, table or message, whatever fails."""

from __future__ import annotations

import base64
import json
import logging
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote, quote_plus

import pytest

from app.settings import SettingsError, load_settings
from app.simulator_child import provider_settings
from tests.chaos.test_s08_provider_text_is_data import CHATTING, PROVIDERS, conversation
from tests.live_rig import Rig, RigClock, closed_port, fault, live_app, live_simulator

# Long and odd enough to be found nowhere by chance; the database password needs quoting in its URL.
CANARIES = {
    "COINGLASS_API_KEY": "cgcanary-7Kx1Qz93vLw2",
    "COINAPI_KEY": "cacanary-5Tb8Wn41pRy6",
    "LUNARCRUSH_API_KEY": "lccanary-9Mf3Js70dHu4",
    "TELEGRAM_BOT_TOKEN": "8412345678:tgcanary_4Vq2Zk85xNe1Gc7Rt6Bw0",
    "DASHBOARD_TOKEN": "dtcanary-8Wk4Ru27zQe1Xo5M",
    "reader key": "rdcanary-2Lp6Ya18mSo9Ei3T",
    "owner key": "owcanary-6Hd4Xc52kUj7Bn0Q",
    "database password": "dbcanary/3Fg9@Ov61iAz8",
    "redis password": "rscanary-1Pw5Ib27qCl4",
}
BOT = CANARIES["TELEGRAM_BOT_TOKEN"]
PRIVATE_HOSTS = ("db-internal-host", "redis-internal-host")
CHANGING_ROUTES = (
    "/signals/BTC",
    "/signals/BTC?debug=true",
    "/signals?symbols=BTC,NOPE,..",
    "/market/BTC",
    "/debug/premium/BTC",
    "/health/ready",
    "/metrics",
)
CONSTANT_ROUTES = (
    "/",
    "/health",
    "/health/live",
    "/openapi.json",
    "/gpt/action-schema",
    "/docs",
    "/signals/NOSUCHCOIN",
    "/signals/%00",
    "/nothing/here",
)


def secret_settings(sim_url: str) -> dict[str, str]:
    database, redis = (quote(CANARIES[f"{name} password"], safe="") for name in ("database", "redis"))
    return {
        **provider_settings(sim_url),
        **{name: value for name, value in CANARIES.items() if name.isupper()},
        "API_KEYS": f"reader:{CANARIES['reader key']}:read,owner:{CANARIES['owner key']}:read+debug+admin",
        "DATABASE_URL": f"postgresql://user:{database}@{PRIVATE_HOSTS[0]}/signals",
        # Nothing listens there: every command on it fails, and says so in the log.
        "REDIS_URL": f"redis://:{redis}@127.0.0.1:{closed_port()}/0",
        "LOG_LEVEL": "DEBUG",
        "REQUEST_DEADLINE_SECONDS": "2",
        "RATE_LIMIT_PER_MINUTE": "1000000",
    }


def disguises(secret: str) -> Iterator[str]:
    yield secret
    yield quote(secret, safe="")
    yield quote_plus(secret)
    yield json.dumps(secret)[1:-1]
    yield base64.b64encode(secret.encode()).decode().rstrip("=")


def assert_clean(text: str, where: str) -> None:
    for name, secret in CANARIES.items():
        for shown in disguises(secret):
            assert shown not in text, f"{name} is in {where}"
    for host in PRIVATE_HOSTS:
        assert host not in text, f"{host} is in {where}"


def echoing(provider: str, status: int) -> dict[str, Any]:
    """A provider that quotes our request, key and all, in its error."""
    text = " ".join(
        f"apikey={secret} Bearer {secret} https://u:{secret}@h/?k={secret}" for secret in CANARIES.values()
    )
    body = {"code": str(status), "msg": text, "error": text, "message": text, "metadata": {"error": text}}
    return fault(provider, "status", {"status": status, "headers": {"X-Echo": text}, "body": body})


BREAKAGES: Mapping[str, tuple[dict[str, Any], ...]] = {
    "nothing": (),
    "refused keys": (echoing("*", 401),),
    "plans too low": (echoing("*", 403),),
    "bad requests": (echoing("*", 400),),
    "server faults": (echoing("*", 500),),
    "errors in a 200": (echoing("*", 200),),
    "garbage": (fault("*", "html"),),
    "cut answers": (fault("*", "truncate", 0.5),),
    "connections lost": (fault("*", "drop", 0.5),),
}


OWNER = {"Authorization": f"Bearer {CANARIES['owner key']}"}
OTHERS: tuple[dict[str, str], ...] = (
    {"Authorization": f"Bearer {CANARIES['reader key']}"},
    {"Authorization": f"Bearer {CANARIES['owner key']}x"},
    {"Authorization": f"Basic {CANARIES['owner key']}", "X-Request-ID": CANARIES["owner key"][:8]},
    {},
)


async def ask(rig: Rig, routes: tuple[str, ...], callers: tuple[dict[str, str], ...]) -> str:
    """All that comes back, headers too."""
    answers = [await rig.app.client.get(route, headers=headers) for route in routes for headers in callers]
    return "\n".join(f"{answer.status_code} {answer.headers} {answer.text}" for answer in answers)


@pytest.mark.parametrize("env", ["dev", "prod"])
async def test_answers_logs_metrics_and_reprs_hold_no_secret(
    env: str, capfd: pytest.CaptureFixture[str]
) -> None:
    clock = RigClock()
    production = {"ENV": env, "PUBLIC_URL": "https://signals.test", "ALLOW_DEMO_IN_PROD": "true"}
    shown: dict[str, str] = {}
    async with live_simulator(clock) as sim:
        settings = secret_settings(sim.url) | production
        async with live_app(sim, clock, settings) as app:
            rig = Rig(clock, sim, app)
            # The two chains differ in how they print, not in what reaches them: once through all is enough.
            chosen = BREAKAGES if env == "prod" else {"server faults": BREAKAGES["server faults"]}
            for name, faults in chosen.items():
                sim.break_with(*faults)
                rig.advance(3600)
                shown[f"answers with {name}"] = await ask(rig, CHANGING_ROUTES, (OWNER,))
            shown["other answers"] = await ask(rig, CHANGING_ROUTES, OTHERS)
            shown["constant answers"] = await ask(rig, CONSTANT_ROUTES, (OWNER, *OTHERS))
            logging.getLogger("somebody.else").error(
                "failed: %s", CANARIES["COINGLASS_API_KEY"], exc_info=ValueError(CANARIES["owner key"])
            )
            shown["reprs"] = " ".join(
                [repr(load_settings(settings)), str(load_settings(settings)), repr(app.application)]
                + [repr(vars(provider)) for provider in app.application.providers]
            )
            shown["upstream records"] = repr(app.records)
    out, err = capfd.readouterr()
    shown["standard output"], shown["log"] = out, err
    assert "breaker_changed" in err  # the log was really read
    assert "redacted" in err or "***" in err
    for where, text in shown.items():
        assert_clean(text, where)


def stored_in(folder: Path) -> str:
    """The database and its journal, byte by byte."""
    return b"".join(path.read_bytes() for path in folder.iterdir()).decode("latin-1")


async def test_neither_the_database_nor_a_chat_is_told_a_secret(tmp_path: Path) -> None:
    """Providers quote our request, key and all; a chat asks what is wrong; everything is stored."""
    clock, database = RigClock(), tmp_path / "store.db"
    async with live_simulator(clock) as sim:
        settings = secret_settings(sim.url) | CHATTING
        settings |= {"DATABASE_URL": f"sqlite:///{database}", "REDIS_URL": "", "TELEGRAM_BOT_TOKEN": BOT}
        async with live_app(sim, clock, settings) as app:
            for provider in PROVIDERS:
                sim.break_with(echoing(provider, 400))
                clock.advance(3_600_000)
                await app.client.get("/signals/BTC", headers=OWNER)
            login = {"Origin": "http://localhost"}
            for token in (CANARIES["DASHBOARD_TOKEN"], CANARIES["reader key"] + "x"):
                await app.client.post("/api/session", json={"token": token}, headers=login)
            told = await conversation(sim, clock)
    written = stored_in(tmp_path)
    assert "login" in written  # the audit log is in there
    assert_clean(written, "the database")
    assert_clean(json.dumps(told), "Telegram")
    assert_clean(json.dumps(told, ensure_ascii=False), "Telegram")


@pytest.mark.parametrize(
    "broken",
    [
        {"PORT": "no-port"},
        {"COINGLASS_API_KEY": f"{CANARIES['COINGLASS_API_KEY']}\nX"},
        {"API_KEYS": f"a:b:{CANARIES['owner key']}:fly"},
        {"DATABASE_URL": f"mysql://u:{quote(CANARIES['database password'], safe='')}@{PRIVATE_HOSTS[0]}/x"},
        {"REDIS_URL": f"http://:{CANARIES['redis password']}@{PRIVATE_HOSTS[1]}"},
        {"REDIS_URL": f"redis://:{CANARIES['redis password']}@{PRIVATE_HOSTS[1]}:port"},
        {"ENV": "prod", "API_KEYS": "", "PUBLIC_URL": ""},
        {"TELEGRAM_BOT_TOKEN": f"{CANARIES['TELEGRAM_BOT_TOKEN']} é"},
    ],
)
def test_a_refused_setting_is_named_without_its_value(broken: dict[str, str]) -> None:
    with pytest.raises(SettingsError) as refused:
        load_settings(secret_settings("http://127.0.0.1:1") | broken)
    chain: BaseException | None = refused.value
    while chain is not None:
        assert_clean(f"{chain!s} {chain!r}", "the error")
        chain = chain.__cause__ or (None if chain.__suppress_context__ else chain.__context__)
    assert any(name in str(refused.value) for name in broken)
