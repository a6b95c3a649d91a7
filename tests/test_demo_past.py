"""The day that a demo has behind it: what the stream would have carried, and never twice."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from websockets.asyncio.client import connect

from app.core.clock import SystemClock
from app.core.domain.stored import LiquidationRow
from app.core.flow.identify import Identifier
from app.demo_past import fill_past_day, past_rows
from app.services.coinglass.stream_parse import parse_frame
from app.settings import load_settings
from app.simulator_child import provider_settings
from tests.sim.conftest import served  # noqa: F401 - a fixture
from tests.sim.test_sim_streams import MINUTE_MS, ask, coinglass_url


def facts(rows: Sequence[LiquidationRow]) -> set[tuple[Any, ...]]:
    """Everything but when it was learned, and how many coins it was."""
    return {
        (
            row.symbol,
            row.ts_event_ms,
            row.id,
            row.source,
            row.exchange,
            row.pair,
            row.liquidated_side,
            row.price,
            row.usd,
        )
        for row in rows
    }


async def test_the_past_is_what_the_stream_would_have_carried(served: Any) -> None:  # noqa: F811
    market = served.app.state.simulator.market
    async with connect(coinglass_url(served)) as stream:
        await ask(stream, {"method": "subscribe", "channels": ["liquidationOrders"]})
        start_ms = served.clock.now_ms()
        end_ms = start_ms + 30 * MINUTE_MS
        served.clock.set(end_ms)
        count = len(market.liquidation_events(start_ms, end_ms))
        frames = []
        async with asyncio.timeout(30):
            while sum(len(json.loads(frame)["data"]) for frame in frames) < count:
                frames.append(await stream.recv())
    identifier = Identifier()
    streamed = [row for frame in frames for row in identifier.identify(parse_frame(frame, end_ms))]
    for base in ("BTC", "PEPE"):  # one of them is listed by the thousand
        past = past_rows(market, base, start_ms, end_ms)
        assert facts(past) == facts([row for row in streamed if row.symbol == base])
        assert {row.liquidated_side for row in past} == {"LONG", "SHORT"}


def stored(file: Path) -> tuple[int, float]:
    with closing(sqlite3.connect(file)) as database:
        events, symbols = database.execute(
            "select count(*), count(distinct symbol) from liquidations"
        ).fetchone()
        tiles, usd = database.execute(
            "select sum(events), sum(long_usd + short_usd) from liquidation_heatmap"
        ).fetchone()
    assert symbols == 2
    assert tiles == events
    return events, usd


def test_a_demo_that_starts_again_counts_nothing_twice(tmp_path: Path) -> None:
    file = tmp_path / "demo.db"
    given = {"DATA_MODE": "demo", "DATABASE_URL": f"sqlite:///{file}", "SYMBOLS": "BTC,DOGE,NOSUCHCOIN"}
    settings = load_settings(given | provider_settings("http://127.0.0.1:9"))
    now_ms = SystemClock().now_ms()

    class Still(SystemClock):
        def now_ms(self) -> int:
            return now_ms

    fill_past_day(settings, Still())
    first = stored(file)
    fill_past_day(settings, Still())
    assert stored(file) == first
    assert first[0] > 500


def test_a_demo_without_its_database_starts_all_the_same(tmp_path: Path, caplog: Any) -> None:
    (tmp_path / "taken.db").mkdir()
    given = {"DATA_MODE": "demo", "DATABASE_URL": f"sqlite:///{tmp_path / 'taken.db'}"}
    fill_past_day(load_settings(given | provider_settings("http://127.0.0.1:9")), SystemClock())
    assert "the demo starts without a past" in caplog.text
