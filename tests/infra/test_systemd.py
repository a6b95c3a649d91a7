"""The systemd units: what they start exists, what they may do is little, and systemd itself takes them."""

from __future__ import annotations

import importlib.util
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from app.bootstrap_stream import Role

FOLDER = Path(__file__).resolve().parents[2] / "infra" / "systemd"
SERVICES = ("signals-web.service", "signals-worker.service", "signals-worker@.service")
GRACEFUL_STOP_S = 10


def directives(name: str) -> dict[str, list[str]]:
    """Every directive of a unit with its values, in order."""
    found: dict[str, list[str]] = {}
    for line in (FOLDER / name).read_text("utf-8").splitlines():
        if line and line[0] not in "#[":
            key, _, value = line.partition("=")
            found.setdefault(key, []).append(value)
    return found


def test_there_is_a_target_that_starts_web_and_worker() -> None:
    assert directives("signals.target")["Wants"] == ["signals-web.service signals-worker.service"]
    assert {path.name for path in FOLDER.iterdir()} == {"signals.target", *SERVICES}


@pytest.mark.parametrize("name", SERVICES)
class TestEach:
    def test_it_starts_a_command_there_is(self, name: str) -> None:
        (command,) = directives(name)["ExecStart"]
        (module,) = re.findall(r"python -m (app\.\w+)", command)
        assert importlib.util.find_spec(module) is not None
        assert (module == "app.main") == (name == "signals-web.service")

    def test_it_has_little_to_write_to_and_no_rights(self, name: str) -> None:
        given = directives(name)
        assert given["User"] == ["signals"]
        assert given["ProtectSystem"] == ["strict"]
        assert given["StateDirectory"] == ["signals"]
        assert given["CapabilityBoundingSet"] == [""]
        on = ("NoNewPrivileges", "ProtectHome", "PrivateTmp", "PrivateDevices", "RestrictSUIDSGID")
        assert [given[key] for key in on] == [["yes"]] * len(on)
        assert "ReadWritePaths" not in given

    def test_its_secrets_are_in_a_file_of_roots(self, name: str) -> None:
        given = directives(name)
        assert given["EnvironmentFile"] == ["/etc/signals/env"]
        assert not re.search(r"KEY|TOKEN|SECRET|PASSWORD", str(given["Environment"]))

    def test_it_comes_back_and_has_time_to_stop(self, name: str) -> None:
        given = directives(name)
        assert given["Restart"] == ["always"]
        assert given["StartLimitIntervalSec"] == ["0"]
        assert int(given["TimeoutStopSec"][0]) > GRACEFUL_STOP_S
        assert given["KillSignal"] == ["SIGTERM"]

    def test_it_belongs_to_the_target(self, name: str) -> None:
        given = directives(name)
        assert given["PartOf"] == given["WantedBy"] == ["signals.target"]


@pytest.mark.parametrize("role", sorted({role.value for role in Role} - {"all"}))
@pytest.mark.parametrize("instance", ["{}", "{}-1", "{}-a-b"])
def test_an_instance_is_named_by_its_role(role: str, instance: str, tmp_path: Path) -> None:
    (command,) = directives("signals-worker@.service")["ExecStart"]
    python = tmp_path / "python"
    python.write_text('#!/bin/sh\necho "$@"\n')
    python.chmod(0o755)
    # As systemd does: %i is the instance, a doubled % or $ is one.
    script = command.removeprefix("/bin/sh -c '").removesuffix("'").replace("%i", instance.format(role))
    script = (
        script.replace("%%", "%").replace("$$", "$").replace("/opt/signals/.venv/bin/python", str(python))
    )
    done = subprocess.run(["/bin/sh", "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout == f"-m app.worker --role {role}\n"


def test_one_worker_or_its_roles_and_never_both() -> None:
    assert directives("signals-worker@.service")["Conflicts"] == ["signals-worker.service"]


@pytest.fixture
def analyze(tmp_path: Path) -> str:
    """The program, and in `tmp_path` the units with an interpreter that is here."""
    program = shutil.which("systemd-analyze")
    if program is None:
        pytest.skip("no systemd-analyze")
    for path in FOLDER.iterdir():
        text = path.read_text("utf-8").replace("/opt/signals/.venv/bin/python", sys.executable)
        (tmp_path / path.name).write_text(text)
    return program


def verified(program: str, folder: Path) -> tuple[int, str]:
    units = ["signals.target", *(name.replace("@.", "@detect-1.") for name in SERVICES)]
    command = [program, "verify", "--man=no", *(str(folder / unit) for unit in units)]
    done = subprocess.run(command, capture_output=True, text=True)
    return done.returncode, done.stderr


def test_systemd_takes_them(analyze: str, tmp_path: Path) -> None:
    assert verified(analyze, tmp_path) == (0, "")


def test_systemd_would_say_if_it_did_not(analyze: str, tmp_path: Path) -> None:
    unit = tmp_path / "signals-web.service"
    unit.write_text(unit.read_text().replace("ProtectSystem=strict", "ProtectSystem=perhaps"))
    assert "ignoring: perhaps" in verified(analyze, tmp_path)[1]
