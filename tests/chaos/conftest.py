"""One demo service for the tests that ask a running process, and the Redis of the transport tests."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import pytest

from tests.live_process import Service, running
from tests.services.transport.conftest import own_redis

__all__ = ["demo", "own_redis"]


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """`python -m app.main --demo` without keys and with a rate limit that no test reaches."""
    folder = tmp_path_factory.mktemp("chaos-demo")
    settings = {"RATE_LIMIT_PER_MINUTE": "1000000000", "LOG_LEVEL": "WARNING"}
    with running("--demo", folder=folder, settings=settings) as service:
        yield service


def note(text: str) -> None:
    """A measured number, for whoever runs the long form with -s."""
    sys.stderr.write(f"\n{text}\n")
