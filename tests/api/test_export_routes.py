"""CSV downloads over HTTP: streamed chunk by chunk, two at a time, never half a file that looks whole."""

from __future__ import annotations

import asyncio
import csv
import io
from typing import Any

import httpx2
import pytest

from app.api.options import ApiKey
from app.api.routes_export import MAX_DOWNLOADS, Downloads
from app.core.domain.history import END_OF_TIME_MS
from app.core.domain.stored import ExportName, ExportQuery
from app.core.domain.symbol import Symbol
from app.core.errors import StorageUnavailable
from app.services.export_service import ExportService
from tests.live_rig import listening
from tests.stored_facts import NOW_MS, FakeStore

QUERY = ExportQuery(ExportName.LIQUIDATIONS, None, 0, NOW_MS)
SCOPE = {"type": "http", "method": "GET", "path": "/", "headers": [], "asgi": {"spec_version": "2.3"}}


def fill(store: FakeStore, name: ExportName, chunks: int = 3) -> None:
    rows = [[("BTC", NOW_MS + n, -0.5 * n, "=cmd()")] * 4 for n in range(chunks)]
    store.tables[name] = (("symbol", "ts_event_ms", "usd", "reason"), rows)


@pytest.mark.parametrize("name", ExportName)
async def test_a_table_is_downloaded_with_a_header_and_harmless_cells(rig: Any, name: ExportName) -> None:
    fill(rig.store, name)
    answer = await rig.get(f"/api/export/{name}.csv")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert answer.headers["cache-control"] == "no-store"
    rows = list(csv.reader(io.StringIO(answer.text)))
    assert rows[0] == ["symbol", "ts_event_ms", "ts_event_utc", "usd", "reason"]
    assert len(rows) == 13
    assert rows[-1] == ["BTC", str(NOW_MS + 2), "2026-02-25T06:13:20.002Z", "-1.0", "'=cmd()"]
    assert rig.store.closed_exports == 1


async def test_an_empty_table_is_a_header(kept_rig: Any) -> None:
    answer = await kept_rig.get("/api/export/alerts.csv")
    assert answer.text == "symbol,ts_event_ms,ts_event_utc,usd,reason\r\n"


@pytest.mark.parametrize(
    ("query", "filename", "asked"),
    [
        ("", "signals_ALL_start_20260225T061320Z.csv", (None, 0, END_OF_TIME_MS)),
        (
            "?symbol=btc/usdt:usdt&from=2026-02-01&to=2026-02-02T12:30:00Z",
            "signals_BTC_20260201T000000Z_20260202T123000Z.csv",
            ("BTC", 1_769_904_000_000, 1_770_035_400_000),
        ),
    ],
)
async def test_the_file_is_named_by_coin_and_times(
    rig: Any, query: str, filename: str, asked: tuple[Any, ...]
) -> None:
    answer = await rig.get(f"/api/export/signals.csv{query}")
    assert answer.headers["content-disposition"] == f'attachment; filename="{filename}"'
    (found,) = rig.store.exports
    assert (found.symbol, found.from_ms, found.to_ms) == asked


@pytest.mark.parametrize(
    ("path", "status", "word"),
    [
        ("/api/export/outbox.csv", 400, "name"),
        ("/api/export/signals.csv?symbol=BTCC", 404, "BTCC"),
        ("/api/export/signals.csv?from=then", 400, "from"),
        ("/api/export/signals.csv?from=2026-02-02&to=2026-02-01", 400, "from"),
        ("/api/export/signals.json", 404, "route"),
    ],
)
async def test_a_malformed_question_is_a_problem(kept_rig: Any, path: str, status: int, word: str) -> None:
    answer = await kept_rig.get(path)
    assert answer.status_code == status
    assert word in answer.json()["detail"]


async def test_a_key_without_the_scope_is_refused(make_rig: Any) -> None:
    rig = make_rig(api_keys=(ApiKey.from_plain("metrics", "k" * 32, ["admin"]),))
    answer = await rig.get("/api/export/signals.csv", headers={"Authorization": f"Bearer {'k' * 32}"})
    assert answer.status_code == 403


async def test_a_store_that_is_down_before_the_first_byte_is_a_503(rig: Any) -> None:
    rig.store.is_down = True
    for _ in range(MAX_DOWNLOADS + 1):  # a refusal gives its place back
        answer = await rig.get("/api/export/signals.csv")
        assert (answer.status_code, answer.json()["code"]) == (503, "storage_unavailable")


async def test_a_store_that_fails_midway_breaks_the_connection(rig: Any) -> None:
    fill(rig.store, ExportName.SIGNALS)
    rig.store.break_after = 1
    with pytest.raises((StorageUnavailable, RuntimeError)):
        await rig.get("/api/export/signals.csv")
    rig.store.break_after = None
    assert (await rig.get("/api/export/signals.csv")).status_code == 200


class Client:
    """A raw ASGI client that takes `take` body messages and then stalls, leaves or goes on."""

    def __init__(self, take: int, then: str) -> None:
        self.take = take
        self.then = then
        self.started = asyncio.Event()
        self.go_on = asyncio.Event()
        self.bodies: list[bytes] = []

    async def receive(self) -> Any:
        await asyncio.Event().wait()

    async def send(self, message: Any) -> None:
        if message["type"] != "http.response.body":
            return
        self.bodies.append(message.get("body", b""))
        self.started.set()
        if len(self.bodies) > self.take:
            if self.then == "leave":
                raise OSError("connection lost")
            if self.then == "stall":
                await self.go_on.wait()


async def run(downloads: Downloads, client: Client) -> None:
    response = await downloads.start(QUERY, "x.csv")
    await response(SCOPE, client.receive, client.send)


def desk(store: FakeStore, **options: Any) -> Downloads:
    return Downloads(ExportService(store, resolve=Symbol), **options)


async def test_a_client_that_leaves_stops_the_stream_and_gives_its_place_back() -> None:
    store = FakeStore()
    fill(store, ExportName.LIQUIDATIONS, chunks=1000)
    downloads, client = desk(store), Client(2, "leave")
    with pytest.raises(OSError, match="connection lost"):
        await run(downloads, client)
    assert len(client.bodies) == 3
    assert (downloads.running, store.closed_exports) == (0, 1)


async def test_a_cancelled_download_stops_too() -> None:
    store = FakeStore()
    fill(store, ExportName.LIQUIDATIONS, chunks=1000)
    downloads, client = desk(store), Client(0, "stall")
    task = asyncio.create_task(run(downloads, client))
    await client.started.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert (downloads.running, store.closed_exports) == (0, 1)


async def test_a_client_that_takes_nothing_is_let_go() -> None:
    store = FakeStore()
    fill(store, ExportName.LIQUIDATIONS)
    downloads = desk(store, send_timeout_s=0.0)
    with pytest.raises(TimeoutError):
        await run(downloads, Client(0, "stall"))
    assert (downloads.running, store.closed_exports) == (0, 1)


async def test_no_more_than_two_run_at_once_and_the_third_is_told_when() -> None:
    store = FakeStore()
    fill(store, ExportName.LIQUIDATIONS)
    downloads = desk(store)
    clients = [Client(0, "stall") for _ in range(MAX_DOWNLOADS)]
    tasks = [asyncio.create_task(run(downloads, client)) for client in clients]
    for client in clients:
        await client.started.wait()
    with pytest.raises(Exception, match="downloads are running") as refused:
        await downloads.start(QUERY, "x.csv")
    assert getattr(refused.value, "retry_after_s") >= 1  # noqa: B009 - any of our errors
    for client in clients:
        client.go_on.set()
    await asyncio.gather(*tasks)
    assert downloads.running == 0
    await run(downloads, Client(99, "go on"))


class TestOverSockets:
    async def test_a_file_that_breaks_off_is_an_error_for_its_client(self, rig: Any) -> None:
        fill(rig.store, ExportName.SIGNALS)
        rig.store.break_after = 2
        async with listening(rig.app) as url, httpx2.AsyncClient(base_url=url) as client:
            with pytest.raises(httpx2.RemoteProtocolError):
                await client.get("/api/export/signals.csv")
            rig.store.break_after = None
            assert (await client.get("/api/export/signals.csv")).status_code == 200

    async def test_a_client_that_hangs_up_ends_its_download(self, rig: Any) -> None:
        fill(rig.store, ExportName.SIGNALS, chunks=200_000)
        async with listening(rig.app) as url, httpx2.AsyncClient(base_url=url) as client:
            for _ in range(MAX_DOWNLOADS + 1):  # each gives its place back
                async with client.stream("GET", "/api/export/signals.csv") as answer:
                    assert answer.status_code == 200
                    await anext(answer.aiter_bytes())
                await rig.store.export_ends.get()


async def test_rows_are_taken_from_the_store_as_the_client_takes_them() -> None:
    taken = 0

    class Counting(FakeStore):
        async def _chunks(self, chunks: Any) -> Any:
            nonlocal taken
            for _ in range(1000):
                taken += 1
                yield [("BTC", NOW_MS, 1.0, "x")] * 100

    downloads, client = desk(Counting()), Client(4, "stall")
    task = asyncio.create_task(run(downloads, client))
    while len(client.bodies) < 5:
        await client.started.wait()
        await asyncio.sleep(0)
    assert taken <= 6
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
