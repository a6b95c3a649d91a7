"""`/metrics` of the whole service: every documented family is there, and moves when its thing happens.

Application, worker, simulator and Telegram in one loop; docs/metrics.md is held to what is served.
"""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx2
from prometheus_client.parser import text_string_to_metric_families

from app.core.clock import SystemClock
from tests.live_process import ROOT
from tests.live_rig import LiveApp, LiveSim, fault, live_app, live_simulator
from tests.worker_rig import CHATS, REPLAYED, alerts_config, until

READ, ADMIN = "mtreader-5Vb9Xk27qLw4", "mtowner-8Hd4Xc52kUj7"
AS_ADMIN, AS_READER = ({"Authorization": f"Bearer {key}"} for key in (ADMIN, READ))
# A part of roles on a bus; the same names and labels are served by their doors.
NOT_IN_ONE_PROCESS = frozenset({"pipeline_backlog_frames"})


class Figures:
    """One scrape: type and samples by family."""

    def __init__(self, text: str) -> None:
        self.types: dict[str, str] = {}
        self.labels: dict[str, set[str]] = {}
        self.values: dict[tuple[str, frozenset[tuple[str, str]]], float] = {}
        for family in text_string_to_metric_families(text):
            name = f"{family.name}_total" if family.type == "counter" else family.name
            self.types[name] = family.type
            for sample in family.samples:
                self.labels.setdefault(name, set()).update(set(sample.labels) - {"le"})
                self.values[sample.name, frozenset(sample.labels.items())] = sample.value

    def of(self, name: str, **labels: str) -> float:
        """The sum of the samples that have these labels."""
        wanted = set(labels.items())
        return sum(value for (found, has), value in self.values.items() if found == name and wanted <= has)


async def scrape(client: httpx2.AsyncClient) -> Figures:
    answer = await client.get("/metrics", headers=AS_ADMIN)
    assert answer.status_code == 200
    return Figures(answer.text)


@asynccontextmanager
async def service(folder: Path) -> AsyncIterator[tuple[LiveSim, LiveApp]]:
    """Web and worker in one process, a silent market and three chats."""
    async with live_simulator(SystemClock(), ws_text_numbers=False) as sim:
        sim.state.script.add({"alone": True}, SystemClock().now_ms())
        sim.break_with(REPLAYED)
        settings = {
            "WORKER": "embedded",
            "SYMBOLS": "BTC",
            "API_KEYS": f"reader:{READ}:read,owner:{ADMIN}:read+admin",
            "TELEGRAM_CHAT_ID": ",".join(CHATS),
            "TELEGRAM_MODE": "off",
            "WS_RECONNECT_SECONDS": "0.05",
            "ALERTS_CONFIG": alerts_config(folder),
        }
        async with live_app(sim, SystemClock(), settings) as app:
            yield sim, app


def cascade(sim: LiveSim, coin: str) -> None:
    now_ms = SystemClock().now_ms()
    rows = [
        {"base": coin, "exchange": "Binance", "liquidated": "long", "price_usd": 5.0 + n / 1000}
        | {"usd": 30_000, "ts_ms": now_ms + n}
        for n in range(4)
    ]
    sim.state.script.add({"alone": True, "liquidations": rows}, now_ms)


def documented() -> dict[str, tuple[str, set[str]]]:
    """Type and labels of every family in docs/metrics.md."""
    lines = (ROOT / "docs" / "metrics.md").read_text("utf-8").splitlines()
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in lines if line.startswith("| `")]
    families = [row for row in rows if len(row) == 5]
    assert len(families) == len({row[0] for row in families}), "a family is listed twice"
    return {row[0].strip("`"): (row[1], set(re.findall(r"`(\w+)`", row[2]))) for row in families}


async def test_every_family_is_served_documented_and_moves(tmp_path: Path) -> None:
    async with service(tmp_path) as (sim, app):
        client = app.client

        async def is_live() -> bool:
            return (await scrape(client)).of("stream_link_up", source="coinglass") == 1

        await until(is_live)
        before = await scrape(client)
        assert before.of("signals_total") == 0
        assert before.of("http_refused_total") == 0
        assert not any(name == "signal_last_age_seconds" for name, _ in before.values)

        assert (await client.get("/signals/BTC", headers=AS_READER)).status_code == 200
        assert (await client.get("/signals/BTC")).status_code == 401
        assert (await client.get("/metrics", headers=AS_READER)).status_code == 403
        sim.break_with(REPLAYED, fault("okx", "status", 500))
        await client.get("/market/ETH", headers=AS_READER)
        cascade(sim, "UNI")

        async def is_told() -> bool:
            now = await scrape(client)
            return now.of("deliveries_total", scheme="telegram", outcome="sent") >= len(CHATS)

        await until(is_told)
        after = await scrape(client)

    moved = {
        ("http_requests_total", "route", "/signals/{symbol}"): 1,
        ("http_requests_total", "status", "401"): 1,
        ("api_requests_total", "endpoint", "/signals/{symbol}"): 1,
        ("http_refused_total", "reason", "unauthorized"): 1,
        ("http_refused_total", "reason", "scope"): 1,
        ("upstream_calls_total", "outcome", "ok"): 1,
        ("upstream_calls_total", "outcome", "unavailable"): 1,
        ("signals_total", "mode", "balanced"): 1,
        ("signal_input_age_seconds_count", "capability", "price"): 1,
        ("stream_events_total", "source", "coinglass"): 4,
        ("data_points_processed_total", "kind", "liquidation"): 4,
        ("alerts_total", "fate", "kept"): 1,
        ("deliveries_total", "outcome", "sent"): len(CHATS),
    }
    for (name, label, value), least in moved.items():
        assert after.of(name, **{label: value}) - before.of(name, **{label: value}) >= least, (name, value)
    for name in ("pipeline_events_total", "pipeline_findings_total", "store_batches_total"):
        assert after.of(name) > before.of(name), name
    assert after.of("provider_state", provider="okx", state="ok") == 0
    assert after.of("provider_last_success_age_seconds", provider="coinglass") < 600
    assert 0 <= after.of("signal_last_age_seconds") < 600
    assert after.of("store_up") == 1
    assert after.of("asyncio_tasks") > 10

    told = documented()
    assert set(told) - NOT_IN_ONE_PROCESS - set(after.types) == set(), "documented and not served"
    assert set(after.types) - set(told) == set(), "served and not documented"
    for name, kind in after.types.items():
        assert (name, kind) == (name, told[name][0])
        assert after.labels.get(name, told[name][1]) == told[name][1], name


async def test_a_stranger_and_a_hostile_provider_make_no_series(tmp_path: Path) -> None:
    async with service(tmp_path) as (sim, app):
        await app.client.get("/signals/BTC", headers=AS_READER)
        known = await scrape(app.client)
        hostile = '"} 1\nevil{x="'
        for n in range(30):
            await app.client.request(f"BREW{n}", "/signals/BTC", headers=AS_READER)
            await app.client.get(f"/nowhere/{n}", headers=AS_READER)
            await app.client.get(f"/signals/NOSUCH{n}", headers={**AS_READER, "X-Request-ID": f"id-{n}-xxxx"})
            await app.client.get(f"/coinglass/catalog/no_such_{n}", headers=AS_READER)
            await app.client.get("/signals/BTC", params={"mode": f"{hostile}{n}"}, headers=AS_READER)
        rows = [
            {"base": f"X{n}", "exchange": f"Exch{n}", "liquidated": "long", "price_usd": 5.0, "usd": 10.0}
            for n in range(40)
        ]
        sim.state.script.add({"alone": True, "liquidations": rows}, SystemClock().now_ms())

        async def has_come() -> bool:
            return (await scrape(app.client)).of("pipeline_events_total") >= 40

        await until(has_come)
        found = await scrape(app.client)
        text = json.dumps([[name, sorted(labels)] for name, labels in found.values])
    for word in ("BREW", "nowhere", "NOSUCH", "no_such", "Exch", "X39", "evil", "id-1"):
        assert word not in text
    made = {name for name, _ in found.values.keys() - known.values.keys()}
    assert len(found.values) - len(known.values) < 400, made
