"""What is set by halves is said: a worker that the web process cannot see, a bot without a chat."""

from __future__ import annotations

from pathlib import Path

import httpx2
import pytest

from app.bootstrap import build
from app.bootstrap_base import build_base
from app.bootstrap_stream import build_stream
from app.bootstrap_use_cases import build_use_cases
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
    assert (
        "with the same DATABASE_URL, without REDIS_URL, as this process, or set WORKER=embedded"
        in answer["reason"]
    )


async def test_a_bot_without_a_chat_is_said_in_the_status_of_the_worker(
    tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    request.addfinalizer(forget_logging)
    given = {"DATABASE_URL": f"sqlite:///{tmp_path / 'signals.db'}", "TELEGRAM_BOT_TOKEN": "1:abc"}
    base = build_base(load_settings(given))
    report = await build_stream(base, build_use_cases(base)).worker.report()
    assert "TELEGRAM_CHAT_ID is not" in report.notes[0]
