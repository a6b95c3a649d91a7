"""A web process that cannot see its worker says why, and what to set."""

from __future__ import annotations

from pathlib import Path

import httpx2
import pytest

from app.bootstrap import build
from app.settings import load_settings
from tests.live_rig import forget_logging


@pytest.mark.parametrize("path", ["/stream/status", "/flow/top"])
async def test_without_redis_the_answer_names_what_to_set(
    path: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    request.addfinalizer(forget_logging)
    settings = load_settings({"DATABASE_URL": f"sqlite:///{tmp_path / 'signals.db'}"})
    transport = httpx2.ASGITransport(app=build(settings).api)
    async with httpx2.AsyncClient(transport=transport, base_url="http://service.test") as client:
        answer = (await client.get(path)).json()
    assert answer["state"] == "no_worker"
    assert "set REDIS_URL for both, or WORKER=embedded" in answer["reason"]
