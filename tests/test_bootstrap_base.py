"""What every process is made of: loops that a bug does not end for good."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from app.bootstrap_base import build_base
from app.settings import load_settings
from tests.live_rig import closed_port, forget_logging


async def test_a_bug_while_the_watchlist_is_read_is_logged_and_does_not_end_its_reading(
    tmp_path: Path,
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    request.addfinalizer(forget_logging)
    nobody = f"http://127.0.0.1:{closed_port()}"
    given = {
        "DATABASE_URL": f"sqlite:///{tmp_path / 'signals.db'}",
        "OKX_BASE_URL": nobody,
        "ALTERNATIVE_ME_BASE_URL": nobody,
    }
    base = build_base(load_settings(given))
    first, again = asyncio.Event(), asyncio.Event()

    async def stumble() -> bool:
        if first.is_set():
            again.set()
            return True
        first.set()
        raise ValueError("a listener with a bug")

    monkeypatch.setattr(base.watchlist, "load", stumble)
    async with base.running(), asyncio.timeout(30):
        await again.wait()
    assert "a stage failed" in caplog.text
