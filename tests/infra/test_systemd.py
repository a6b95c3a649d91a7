"""The systemd units: what they start exists, what they may do is little, and systemd itself takes them."""

from __future__ import annotations

import importlib.util
import os
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


def test_there_is_a_target_that_starts_what_is_enabled() -> None:
    # A worker named here would be started beside the roles that exclude it.
    assert {"Wants", "Requires"} & set(directives("signals.target")) == set()
    assert {path.name for path in FOLDER.iterdir()} == {"signals.target", "signals-run", *SERVICES}


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
        # What is a role's own comes last, and may be absent.
        own = ["-/etc/signals/%i.env"] if "@" in name else []
        assert given["EnvironmentFile"] == ["/etc/signals/env", *own]
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


class TestRun:
    """`signals-run`, with a `systemd-run` of the test's own that writes its words down, one a line."""

    @staticmethod
    def run(
        folder: Path, *arguments: str, status: int = 0, program: Path = FOLDER / "signals-run"
    ) -> subprocess.CompletedProcess[str]:
        client = folder / "systemd-run"
        client.write_text(f'#!/bin/sh\nprintf "%s\\n" "$@"\nexit {status}\n')
        client.chmod(0o755)
        return subprocess.run(
            [program, *arguments],
            cwd=folder,
            env={"PATH": f"{folder}:{os.defpath}"},
            capture_output=True,
            text=True,
            check=False,
        )

    def test_it_starts_a_module_with_the_python_of_its_project(self, tmp_path: Path) -> None:
        words = self.run(tmp_path, "app.store", "backup", "a b.db").stdout.splitlines()
        root = FOLDER.parents[1]
        assert words[-5:] == [f"{root}/.venv/bin/python", "-m", "app.store", "backup", "a b.db"]
        assert f"--setenv=PYTHONPATH={root}" in words

    @pytest.mark.parametrize(
        "key",
        [
            "User",
            "Group",
            "WorkingDirectory",
            "EnvironmentFile",
            "StateDirectory",
            "StateDirectoryMode",
            "UMask",
        ],
    )
    def test_it_has_the_user_settings_and_folder_of_the_units(self, tmp_path: Path, key: str) -> None:
        words = self.run(tmp_path, "app.store", "migrate").stdout.splitlines()
        (value,) = directives("signals-web.service")[key]
        assert [word for word in words if word.startswith(f"--property={key}=")] == [
            f"--property={key}={value}"
        ]

    def test_it_may_be_called_by_a_link(self, tmp_path: Path) -> None:
        direct = self.run(tmp_path, "app.doctor").stdout
        (tmp_path / "linked").symlink_to(FOLDER / "signals-run")
        assert self.run(tmp_path, "app.doctor", program=tmp_path / "linked").stdout == direct

    def test_it_waits_and_ends_as_its_command_does(self, tmp_path: Path) -> None:
        done = self.run(tmp_path, "app.doctor", status=1)
        assert done.returncode == 1
        assert {"--pipe", "--wait", "--collect"} <= set(done.stdout.splitlines())

    def test_without_a_module_it_says_how_it_is_called(self, tmp_path: Path) -> None:
        done = self.run(tmp_path)
        assert (done.returncode, done.stdout) == (2, "")
        assert "usage: signals-run MODULE" in done.stderr

    def test_the_page_for_operators_uses_it_and_copies_the_units_alone(self) -> None:
        text = (FOLDER.parents[1] / "docs" / "operations.md").read_text("utf-8")
        assert "infra/systemd/*.service /opt/signals/infra/systemd/*.target" in text
        commands = re.findall(r"(?m)^    .*$", text.partition("### systemd")[2].partition("###")[0])
        assert any("signals-run app.store migrate" in command for command in commands)
        assert not any("make migrate" in command for command in commands)


@pytest.fixture
def analyze(tmp_path: Path) -> str:
    """The program, and in `tmp_path` the units with an interpreter that is here."""
    program = shutil.which("systemd-analyze")
    if program is None:
        pytest.skip("no systemd-analyze")
    for path in FOLDER.glob("signals*.*"):
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
