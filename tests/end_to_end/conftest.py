"""The running demo, and the Redis of the transport tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.live_process import Service, running
from tests.services.transport.conftest import own_redis

__all__ = ["demo", "own_redis"]


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """`python -m app.main --demo`, as `make demo` starts it. It works as long as it lives."""
    with running("--demo", folder=tmp_path_factory.mktemp("demo")) as service:
        yield service
