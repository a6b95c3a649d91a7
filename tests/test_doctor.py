"""`python -m app.doctor`: what it prints and returns; it shows no secret; all of it is documented."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Mapping
from itertools import groupby
from pathlib import Path
from typing import Any

import pytest

from app import __version__, doctor
from app.doctor import PROBES, exit_code, main
from app.doctor_report import format_json, format_table
from app.doctor_run import Finding, Row, Status
from app.settings import SETTING_NAMES
from tests.doctor_rig import at, deployment, market, rows
from tests.live_process import ROOT, clean_environment
from tests.live_rig import closed_port, forget_logging

ROWS = [
    Row("first", "one", Finding(Status.OK, "fine"), 3),
    Row("second_probe", "one", Finding(Status.WARN, "odd", "look"), 4),
    Row("third", "two", Finding(Status.FAIL, "broken", "mend it"), 5),
    Row("fourth", "two", Finding(Status.SKIP, "nothing"), 0),
]
TABLE = """\
one
  OK    first         fine
  WARN  second_probe  odd
                      -> look

two
  FAIL  third         broken
                      -> mend it
  SKIP  fourth        nothing

4 checks in 1.2 s: 1 ok, 1 warn, 1 fail, 1 skip. First: third, mend it.
"""


@pytest.fixture
def bare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """No setting of the developer, no `.env`, a port that is free."""
    for name in SETTING_NAMES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PORT", str(closed_port()))
    return monkeypatch


def test_the_table_is_aligned_grouped_and_ends_with_what_to_do_first() -> None:
    assert format_table(ROWS, elapsed_s=1.23, coloured=False) == TABLE


def test_colours_are_for_terminals_and_change_no_word() -> None:
    coloured = format_table(ROWS, elapsed_s=1.23, coloured=True)
    assert "\x1b[31mFAIL\x1b[0m" in coloured
    assert re.sub(r"\x1b\[\d+m", "", coloured) == TABLE


def test_the_json_has_stable_fields() -> None:
    told = json.loads(format_json(ROWS, elapsed_s=1.23, data_mode=None))
    assert told["probes"][1] == {
        "name": "second_probe",
        "group": "one",
        "status": "warn",
        "detail": "odd",
        "mend": "look",
        "elapsedMs": 4,
    }
    assert told["probes"][0]["mend"] is None
    counts = {"ok": 1, "warn": 1, "fail": 1, "skip": 1, "total": 4}
    assert told["summary"] == counts | {
        "first": "third",
        "elapsedMs": 1230,
        "version": __version__,
        "dataMode": None,
    }


def test_only_what_fails_fails_unless_strict() -> None:
    good, odd, bad = ROWS[:1], ROWS[:2], ROWS
    assert [exit_code(found, strict=False) for found in (good, odd, bad)] == [0, 0, 1]
    assert [exit_code(found, strict=True) for found in (good, odd, bad)] == [0, 1, 1]


def test_names_are_unique_groups_hang_together_and_there_are_many() -> None:
    names = [probe.name for probe in PROBES]
    assert len(names) == len(set(names)) >= 60
    runs = [group for group, _ in groupby(PROBES, key=lambda probe: probe.group)]
    assert runs == list(doctor.GROUPS)


def test_every_probe_is_documented_in_its_order_and_no_other() -> None:
    page = (ROOT / "docs" / "doctor.md").read_text(encoding="utf-8").partition("## What each row says")[2]
    assert re.findall(r"^\| `(\w+)` \|", page, re.MULTILINE) == [probe.name for probe in PROBES]
    assert re.findall(r"^### (\w+)$", page, re.MULTILINE) == list(doctor.GROUPS)


@pytest.mark.usefixtures("bare")
@pytest.mark.parametrize("argv", [["--only", "nobody"], ["--only", ","], ["--loud"]])
def test_what_is_not_asked_for_rightly_is_2(argv: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(argv)
    assert ended.value.code == 2
    assert "usage:" in capsys.readouterr().err


def test_offline_and_only_ask_what_was_chosen(
    bare: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    bare.setenv("COINGLASS_API_KEY", "k" * 20)
    status = main(["--json", "--offline", "--only", "providers,settings"])
    told = json.loads(capsys.readouterr().out)
    assert status == 0
    assert {probe["group"] for probe in told["probes"]} == {"settings", "providers"}
    assert {p["status"] for p in told["probes"] if p["group"] == "providers"} == {"skip"}
    assert told["summary"]["dataMode"] == "live"


def test_settings_that_make_no_sense_are_a_table_and_1(
    bare: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    bare.setenv("ENV", "prod")
    bare.setenv("COINGLASS_API_KEY", "your-canary-9fk3-key")
    status = main(["--only", "settings,providers"])
    out = capsys.readouterr().out
    assert status == 1
    for name in ("API_KEYS", "PUBLIC_URL", "COINGLASS_API_KEY (this is a placeholder"):
        assert name in out
    assert "canary" not in out
    assert "Traceback" not in out


def test_a_replay_without_a_moment_is_told(
    bare: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bare.setenv("DATA_MODE", "replay")
    bare.setenv("REPLAY_DATA", str(tmp_path))
    assert main(["--only", "settings"]) == 1
    assert "REPLAY_START" in capsys.readouterr().out


def test_the_demo_is_green_for_everybody(tmp_path: Path) -> None:
    """As an operator starts it: a process of its own, with its simulator, without a key."""
    environment = clean_environment({"PORT": str(closed_port())})
    done = subprocess.run(
        [sys.executable, "-m", "app.doctor", "--demo", "--json"],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    told = json.loads(done.stdout)
    # Of this machine, not of the demo: what its builder and its neighbours left of it.
    ours = [probe for probe in told["probes"] if probe["group"] != "machine"]
    assert [probe for probe in ours if probe["status"] not in ("ok", "skip")] == []
    assert [probe["name"] for probe in told["probes"]] == [probe.name for probe in PROBES]
    assert list(tmp_path.iterdir()) == []
    assert done.returncode == (1 if told["summary"]["fail"] else 0)


CANARIES = {
    "COINGLASS_API_KEY": "cg-canary-a1b2c3d4e5",
    "COINAPI_KEY": "ca-canary-a1b2c3d4e5",
    "LUNARCRUSH_API_KEY": "lc-canary-a1b2c3d4e5",
    "TELEGRAM_BOT_TOKEN": "1:tg-canary-a1b2c3d4e5",
    "TELEGRAM_WEBHOOK_SECRET": "th-canary-a1b2c3d4e5",
    "DASHBOARD_TOKEN": "dt-canary-a1b2c3d4e5",
    "API_KEYS": "ops:ak-canary-a1b2c3d4e5:read+admin",
    "ALERT_WEBHOOK_SECRET": "as-canary-a1b2c3d4e5",
}


def _of(told: list[Row]) -> str:
    return format_table(told, elapsed_s=1, coloured=False) + format_json(told, elapsed_s=1, data_mode="live")


@pytest.mark.parametrize("works", [True, False], ids=["at a market that works", "where nobody answers"])
async def test_no_secret_is_shown_whatever_is_found(works: bool, tmp_path: Path) -> None:
    nobody = f"127.0.0.1:{closed_port()}"
    secret: Mapping[str, str] = CANARIES | {
        "DATABASE_URL": f"postgresql://app:db%2Dcanary-a1b2c3d4e5@{nobody}/signals",
        "REDIS_URL": f"redis://:rd-canary-a1b2c3d4e5@{nobody}/0",
        "ALERT_WEBHOOK_URL": f"http://{nobody}/wh-canary-a1b2c3d4e5",
        "PUBLIC_URL": "https://127.0.0.1:1",
        "PORT": str(closed_port()),
    }
    (tmp_path / ".env").write_text("COINGLAS_API_KEY=env-canary-a1b2c3d4e5\n")
    more: dict[str, Any] = {"folder": tmp_path, "listen_s": 0.3, "sends_test_message": True}
    async with market() as (sim, clock):
        settings = at(sim, **secret)
        if not works:
            dead = {name: f"http://{nobody}" for name in settings if name.endswith("_BASE_URL")}
            sockets = {name: f"ws://{nobody}" for name in ("OKX_WS_URL", "COINGLASS_WS_URL")}
            settings |= dead | sockets
        text = _of(await rows(deployment(settings, clock=clock, **more)))
    assert "canary" not in text
    assert "COINGLAS_API_KEY (did you mean COINGLASS_API_KEY?)" in text
    if works:
        assert "***" not in text, "the redaction cut into a sentence of ours"


@pytest.fixture(autouse=True)
def _logs_are_put_back() -> Any:
    yield
    forget_logging()
