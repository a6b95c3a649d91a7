"""S12: every package is pinned and hashed and comes from nowhere but the registry; no service of the stack is
open to the world. The image itself is looked at in `test_s12_container.py`."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
LOCKED = sorted(ROOT.glob("requirements*.txt"))
PIN = re.compile(r"[a-z0-9][a-z0-9._-]*(?:\[[a-z0-9,._-]+\])?==[0-9][^\s;\\]*(?: ; [^\\]+)?", re.IGNORECASE)
HASH = re.compile(r"--hash=sha256:[0-9a-f]{64}")
# By port: what holds data, and what would show or change everything. Reached inside of the stack only.
PRIVATE_PORTS = frozenset({"5432", "6379", "9090", "9093", "9100", "3306"})


def entries(text: str) -> list[str]:
    """One text per requirement, its hashes with it; comments are none."""
    lines = [line for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]
    return [entry.strip() for entry in re.sub(r"\\\n\s*", " ", "\n".join(lines)).splitlines()]


def findings(text: str) -> list[str]:
    found = []
    for entry in entries(text):
        pin, *hashes = re.split(r"\s+(?=--hash=)", entry)
        if entry.startswith("-") or "://" in entry or " @ " in entry:
            found.append(f"a place of its own: {entry[:80]}")
        elif not PIN.fullmatch(pin.strip()):
            found.append(f"not pinned: {pin[:80]}")
        elif not hashes or not all(HASH.fullmatch(one) for one in hashes):
            found.append(f"not hashed: {pin[:80]}")
    return found


def test_there_are_lock_files() -> None:
    names = {path.name for path in LOCKED}
    assert {"requirements.txt", "requirements-dev.txt", "requirements-bench.txt"} <= names
    assert {path.with_suffix(".in") for path in LOCKED} == set(ROOT.glob("requirements*.in"))


@pytest.mark.parametrize("path", LOCKED, ids=lambda path: path.name)
def test_every_line_is_pinned_and_hashed_and_names_no_other_place(path: Path) -> None:
    text = path.read_text("utf-8")
    assert len(entries(text)) > 5
    assert findings(text) == []
    # Not in a comment either: the place a package came from is a matter of whoever installs it.
    assert not re.search(r"https?://|^\s*-{1,2}(?!-?hash=)[a-z]", text, re.MULTILINE)


@pytest.mark.parametrize(
    "line",
    [
        "fastapi>=0.165",
        "fastapi",
        "fastapi==0.165.0",
        f"fastapi==0.165.0 --hash=md5:{'0' * 32}",
        f"fastapi==0.165.0 --hash=sha256:{'0' * 63}",
        f"fastapi @ https://evil.test/x.whl --hash=sha256:{'0' * 64}",
        f"--{'index'}-url https://evil.test/simple",
        "-r other.txt",
        "-e .",
        "git+https://evil.test/x.git",
    ],
)
def test_what_is_neither_is_caught(line: str) -> None:
    assert findings(line)


def test_the_packages_of_the_dashboard_are_locked_with_hashes() -> None:
    lock = json.loads((ROOT / "web" / "package-lock.json").read_text("utf-8"))
    packages = {name: package for name, package in lock["packages"].items() if name}
    assert packages
    for name, package in packages.items():
        assert package.get("link") or package["integrity"].startswith("sha512-"), name


def composed() -> Mapping[str, Any]:
    """The services of the compose file; none where there is no such file."""
    for name in ("docker-compose.yml", "compose.yaml", "compose.yml"):
        path = ROOT / name
        if path.is_file():
            services: Mapping[str, Any] = yaml.safe_load(path.read_text("utf-8"))["services"]
            return services
    return {}


def exposed(services: Mapping[str, Any]) -> list[str]:
    """What the world could reach or enter without a password of one's own."""
    found = []
    for name, service in services.items():
        for port in map(str, service.get("ports", ())):
            address, _, inside = port.rpartition(":")
            is_private = inside.partition("/")[0] in PRIVATE_PORTS
            if is_private and not address.startswith(("127.0.0.1:", "[::1]:")):
                found.append(f"{name}: port {port} is open to the world")
        environment = service.get("environment") or {}
        given = environment if isinstance(environment, dict) else dict(
            line.partition("=")[::2] for line in environment
        )  # fmt: skip
        for key, value in given.items():
            text = str(value)
            if key.startswith("GF_AUTH_ANONYMOUS_ENABLED") and text.lower() != "false":
                found.append(f"{name}: Grafana lets anybody in")
            if "PASSWORD" in key and not key.endswith("_FILE") and not re.match(r"\$\{\w+:?\?", text):
                found.append(f"{name}: {key} is written down or has a default")
        if service.get("privileged") or str(service.get("user", "")) in {"0", "root", "0:0"}:
            found.append(f"{name}: runs with all rights")
        if "docker.sock" in str(service.get("volumes", "")):
            found.append(f"{name}: may command the engine")
    return found


def test_the_stack_opens_no_database_and_no_grafana() -> None:
    assert exposed(composed()) == []


def test_an_open_stack_is_caught() -> None:
    services = {
        "db": {"ports": ["5432:5432"], "environment": {"POSTGRES_PASSWORD": "postgres"}},
        "redis": {"ports": ["0.0.0.0:6379:6379"], "privileged": True},
        "grafana": {
            "environment": ["GF_AUTH_ANONYMOUS_ENABLED=true", "GF_SECURITY_ADMIN_PASSWORD=${X:-admin}"],
            "volumes": ["/var/run/docker.sock:/var/run/docker.sock"],
        },
    }
    assert len(exposed(services)) == 7
    safe = {"ports": ["127.0.0.1:5432:5432"], "environment": {"POSTGRES_PASSWORD": "${DB_PASSWORD:?set it}"}}
    assert exposed({"db": safe}) == []
