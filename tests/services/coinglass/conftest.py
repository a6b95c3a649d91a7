"""Fixture files by endpoint and case, and the contract samples beside the project."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

FIXTURES = Path(__file__).parents[2] / "fixtures" / "coinglass"
CONTRACTS = Path(__file__).parents[4] / "shared" / "contracts" / "coinglass"

Body = Callable[[str, str], bytes]


@pytest.fixture
def body() -> Body:
    """`body(endpoint, case)`: the recorded shape with our own values."""

    def read(endpoint: str, case: str) -> bytes:
        return (FIXTURES / f"http_get_{endpoint}__{case}.json").read_bytes()

    return read


@pytest.fixture
def contracts() -> Path:
    """The folder ../shared/contracts/coinglass; tests that need it skip without."""
    if not CONTRACTS.exists():
        pytest.skip("../shared/contracts/coinglass is not beside the project")
    return CONTRACTS
