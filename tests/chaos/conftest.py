"""One demo service for the tests that ask a running process, and the Redis of the transport tests."""

from __future__ import annotations

import json
import os
import re
import sys
from collections import Counter
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.live_process import Service, running
from tests.services.storage.conftest import postgres, postgres_template
from tests.services.transport.conftest import own_redis
from tests.worker_rig import IS_FULL

if TYPE_CHECKING:
    from tests.postgres_server import PostgresServer

__all__ = ["demo", "own_redis", "postgres", "postgres_template"]

_NUMBERS = count()


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """`python -m app.main --demo` without keys and with a rate limit that no test reaches."""
    folder = tmp_path_factory.mktemp("chaos-demo")
    settings = {"RATE_LIMIT_PER_MINUTE": "1000000000", "LOG_LEVEL": "WARNING"}
    with running("--demo", folder=folder, settings=settings) as service:
        yield service


def note(text: str) -> None:
    """What was measured, `R17 stopped in 0.31 s`: for whoever runs the long form with -s, and as a line in
    the file that `CHAOS_FIGURES` names (`python -m tests.chaos.figures` makes a table of it)."""
    sys.stderr.write(f"\n{text}\n")
    if path := os.environ.get("CHAOS_FIGURES"):
        row, _, said = text.partition(" ")
        line = {"row": row, "form": "full" if IS_FULL else "short", "figure": said}
        with Path(path).open("a", encoding="utf-8") as sink:
            sink.write(json.dumps(line) + "\n")


_ENDED: dict[str, Counter[str]] = {}


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Count how the cases of each promise ended."""
    row = row_of(report.nodeid)
    if row is not None and (report.when == "call" or report.outcome != "passed"):
        _ENDED.setdefault(row, Counter())[report.outcome] += 1


def pytest_sessionfinish() -> None:
    if "CHAOS_FIGURES" not in os.environ:
        return
    for row, ended in sorted(_ENDED.items()):
        held, cases = ended["passed"], ended.total() - ended["skipped"]
        note(f"{row} {held} of {cases} cases held")


def row_of(nodeid: str) -> str | None:
    """`tests/chaos/test_r17_graceful_stop.py::...` -> `R17`; None for what belongs to no promise."""
    found = re.search(r"chaos/test_([rs]\d\d)_", nodeid)
    return None if found is None else found[1].upper()


@pytest.fixture
def postgres_url(postgres: PostgresServer, postgres_template: str) -> str:
    """A migrated, empty database of this test's own."""
    name = f"chaos{next(_NUMBERS)}"
    postgres.psql(f"CREATE DATABASE {name} TEMPLATE {postgres_template}")
    return postgres.url(name)
