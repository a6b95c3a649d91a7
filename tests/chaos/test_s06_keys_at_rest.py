"""S06: keys are hashed wherever they lie, compared in constant time, and may what their scopes say.

A running service whose keys are in the database and, hashed, in its environment; the command beside it. That
no == compares a secret is held by `tests/architecture/test_house_rules.py`.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.keys import new_key
from tests.guarded_process import OWNER, QUIET, READER, bearer, client_of, guarded
from tests.live_process import Service, clean_environment

# Fixed by the promise: a change of keys reaches every process within a few seconds, on any machine.
WITHIN_S = 15.0


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("keys")


@pytest.fixture(scope="module")
def service(folder: Path) -> Iterator[Service]:
    with guarded(folder, LOG_LEVEL="DEBUG") as found:
        yield found


def command(folder: Path, *args: str) -> str:
    """`python -m app.keys ARGS` against the database of the service; what goes to standard output."""
    settings = {"DATABASE_URL": f"sqlite:///{folder / 'store.db'}"}
    done = subprocess.run(
        [sys.executable, "-m", "app.keys", *args],
        cwd=folder,
        env=clean_environment(settings),
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.strip()


def becomes(service: Service, key: str, status: int, path: str = "/symbols?query=btc") -> None:
    give_up_s = time.monotonic() + WITHIN_S
    with client_of(service) as client:
        while (told := client.get(path, headers=bearer(key)).status_code) != status:
            assert time.monotonic() < give_up_s, told
            time.sleep(0.1)


def written(folder: Path) -> bytes:
    """Everything the service and the command left on the disk: database, journal, logs."""
    return b"\n".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())


def test_a_key_is_accepted_and_refused_without_a_restart_and_lies_nowhere(
    service: Service, folder: Path
) -> None:
    reader = command(folder, "create", "bot", "--scopes", "read")
    becomes(service, reader, 200)
    becomes(service, reader, 403, "/metrics")
    becomes(service, reader, 403, "/signals/BTC?debug=true")
    with client_of(service) as client:
        listed = client.get("/api/admin/keys", headers=bearer(OWNER)).text
        page = {"Origin": "https://signals.test"}
        login = client.post("/api/session", json={"token": reader}, headers=page)
        cookie = {"Cookie": login.headers["Set-Cookie"].partition(";")[0]}
        assert client.get("/symbols?query=btc", headers=cookie).status_code == 200
        command(folder, "revoke", "bot")
        becomes(service, reader, 401)
        assert client.get("/symbols?query=btc", headers=cookie).status_code == 401
        becomes(service, OWNER, 200, "/api/admin/audit")
        audit = client.get("/api/admin/audit", headers=bearer(OWNER)).text
    assert '"key.revoked"' in audit
    for secret in (reader, OWNER, READER, QUIET):
        assert secret.encode() not in written(folder)
        assert secret not in listed + audit


def test_the_environment_need_not_hold_a_key_either(service: Service) -> None:
    environment = Path(f"/proc/{service.process.pid}/environ").read_bytes()
    assert b"quiet:sha256$" in environment
    assert QUIET.encode() not in environment
    becomes(service, QUIET, 200)
    for shown in environment.split(b"quiet:")[1].split(b":")[:1]:
        becomes(service, shown.decode(), 401)


def test_a_key_that_nobody_made_opens_nothing(service: Service) -> None:
    for guess in (new_key(), READER[:-1], READER + "x", READER.upper(), "x" * 10_000):
        becomes(service, guess, 401)
