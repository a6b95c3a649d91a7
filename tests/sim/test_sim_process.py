"""`python -m app.sim` as a process: ready line, end with its parent, bad arguments, recorded folders."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest

ROOT = Path(__file__).parents[2]
DATA = ROOT.parent / "shared" / "data"


@contextmanager
def running(*args: str) -> Iterator[tuple[Any, httpx2.Client]]:
    command = [sys.executable, "-m", "app.sim", "--port", "0", "--exit-with-parent", *args]
    with subprocess.Popen(
        command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdin is not None
        try:
            line = process.stdout.readline()
            assert line.startswith("simulator ready http://127.0.0.1:"), line
            with httpx2.Client(base_url=line.split()[-1], timeout=30) as client:
                yield process, client
        finally:
            process.stdin.close()
            assert process.wait(20) == 0


def test_serves_until_its_parent_closes_stdin(tmp_path: Path) -> None:
    faults = tmp_path / "faults.json"
    faults.write_text('[{"provider": "okx", "endpoint": "public_time", "kind": "status", "value": 503}]')
    with running("--plan", "startup", "--start", "2025-06-11T10:00:00Z", "--faults", str(faults)) as (
        _,
        client,
    ):
        state = client.get("/__sim__/state").json()
        assert state["plan"] == "startup"
        assert 1_749_636_000_000 <= state["nowMs"] < 1_749_636_060_000
        assert client.get("/okx/api/v5/public/time").status_code == 503


def test_a_missing_folder_ends_with_status_2() -> None:
    command = [sys.executable, "-m", "app.sim", "--port", "0", "--source", "no-such-folder"]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert ended.returncode == 2
    assert "no-such-folder" in ended.stderr


def test_recorded_data_answers_what_it_has_and_no_more() -> None:
    if not DATA.exists():
        pytest.skip("no recorded data beside the project")
    key = {"CG-API-KEY": "k"}
    with running("--source", str(DATA), "--start", "2026-01-15T12:00:00Z") as (_, client):

        def coinglass(path: str, **params: Any) -> Any:
            asked = {"symbol": "BTC", "interval": "1h", "limit": 24, **params}
            return client.get(f"/coinglass/api/{path}", params=asked, headers=key).json()["data"]

        candles = client.get(
            "/okx/api/v5/market/candles", params={"instId": "BTC-USDT-SWAP", "bar": "1H", "limit": 24}
        ).json()["data"]
        assert len(candles) == 24
        assert int(candles[0][0]) == 1_768_474_800_000  # the bar that closed at 12:00
        assert {row[8] for row in candles} == {"1"}
        assert len(coinglass("futures/open-interest/aggregated-history")) >= 23
        assert len(coinglass("futures/funding-rate/oi-weight-history")) >= 23
        exchanges = "Binance,OKX,Bybit"
        assert coinglass("futures/liquidation/aggregated-history", exchange_list=exchanges)
        assert coinglass("index/fear-greed-history")["data_list"]
        ratios = "futures/global-long-short-account-ratio/history"
        assert coinglass(ratios, exchange="Binance", symbol="BTCUSDT") == []
        assert coinglass("hyperliquid/whale-alert") == []
