"""What is set by halves is said: a worker that the web process cannot see, a bot without a chat."""

from __future__ import annotations

from pathlib import Path

import httpx2
import pytest

from app.bootstrap import build
from app.bootstrap_base import build_base
from app.bootstrap_stream import Role, _Builder, build_stream
from app.bootstrap_use_cases import build_use_cases
from app.core.domain.flow import StreamFrame
from app.settings import load_settings
from tests.event_facts import T, tick
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


async def test_what_a_partition_counted_stays_counted_when_another_worker_takes_it(
    tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    request.addfinalizer(forget_logging)
    given = {"DATABASE_URL": f"sqlite:///{tmp_path / 'signals.db'}", "REDIS_URL": "redis://127.0.0.1:1/0"}
    base = build_base(load_settings(given))
    builder = _Builder(base, build_use_cases(base), Role.DETECT)
    process = builder.build()
    handler = builder._handler(3)
    handler._on_filled()
    await handler.handle(StreamFrame("okx", T, ticks=(tick(60_000.0, 0.0),)))
    points = b'data_points_processed_total{kind="tick"} 1.0'
    assert points in base.metrics.metrics_text()
    await handler.close()
    assert builder.pipelines == {}
    assert points in base.metrics.metrics_text()
    for close in process.closers:
        await close()


async def test_a_bot_without_a_chat_is_said_in_the_status_of_the_worker(
    tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    request.addfinalizer(forget_logging)
    given = {"DATABASE_URL": f"sqlite:///{tmp_path / 'signals.db'}", "TELEGRAM_BOT_TOKEN": "1:abc"}
    base = build_base(load_settings(given))
    report = await build_stream(base, build_use_cases(base)).worker.report()
    assert "TELEGRAM_CHAT_ID is not" in report.notes[0]
