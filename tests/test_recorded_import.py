"""Recorded folders into the store: which file fills what, units, bad rows by reason, twice is once."""

from __future__ import annotations

import asyncio
import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from app.core.domain.market import DAY_MS, HOUR_MS
from app.core.domain.stored import CandleRow, FundingRow, LiquidationRow, OpenInterestRow, RatioRow
from app.core.flow.ids import liquidation_id
from app.core.heatmap.buckets import bucket_of
from app.recorded_import import BATCH_ROWS, FileReport, import_folder, total
from tests.memory_store import MemoryStore

T = 1_764_932_400_000  # 2025-12-05T11:00Z
NOW = 1_780_000_000_000
DATA = Path(__file__).parents[2] / "shared" / "data"

EVENT_HEAD = "time_ms,exchange,symbol,side,liquidated,price,avg_price,qty,filled_qty,usd"
COINGLASS_HEAD = (
    "time_ms,price_open,liquidation_long_usd,oi_open,oi_high,oi_low,oi_close,oi_weight_open,oi_weight_close"
)


def write(folder: Path, name: str, head: str, *rows: str) -> None:
    text = "\n".join((head, *rows)) + "\n"
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(gzip.compress(text.encode()) if name.endswith(".gz") else text.encode())


async def load(
    folder: Path, store: MemoryStore | None = None, *, coins: frozenset[str] | None = None, now_ms: int = NOW
) -> tuple[MemoryStore, dict[str, FileReport]]:
    store = store or MemoryStore()
    reports = await import_folder(
        folder,
        store,
        coins=coins,
        now_ms=lambda: now_ms,
        stopping=asyncio.Event(),
        on_progress=lambda *_: None,
    )
    return store, {report.name: report for report in reports}


def candle(hour: int, close: float = 100.0) -> str:
    return f"{T + hour * HOUR_MS},{close},{close + 1},{close - 1},{close},5"


class TestBars:
    async def test_candles_are_stamped_by_their_close(self, tmp_path: Path) -> None:
        head = "open_time_ms,open,high,low,close,volume"
        write(
            tmp_path, "deep/btcusdt_perp_okx_1h.csv.gz", head, f"{T},91234.8,91522.9,91079,91309.9,1965.0088"
        )
        store, _ = await load(tmp_path)
        assert store.of(CandleRow) == [
            CandleRow(
                "OKX", "BTC", "1h", T + HOUR_MS, 91234.8, 91522.9, 91079, 91309.9, 1965.0088, "recorded", NOW
            )
        ]

    async def test_bad_rows_are_counted_by_reason_and_stop_nothing(self, tmp_path: Path) -> None:
        write(
            tmp_path,
            "ethusdt_perp_binance_1h.csv",
            "open_time_ms,open,high,low,close,volume",
            candle(0),
            candle(0),
            f"{T + HOUR_MS},100,99,98,100,5",
            f"{T + 2 * HOUR_MS},x,101,99,100,5",
            f"{T + 3 * HOUR_MS},nan,101,99,100,5",
            f"{T + 4 * HOUR_MS},0,101,0,100,5",
            f"{T + 5 * HOUR_MS},100,101,99,100,-1",
            "soon,100,101,99,100,5",
            f"{T + 6 * HOUR_MS},100",
            candle(7),
            candle(7 + 30),
        )
        store, reports = await load(tmp_path)
        assert [row.close_ms for row in store.of(CandleRow)] == [T + HOUR_MS, T + 8 * HOUR_MS]
        assert reports["ethusdt_perp_binance_1h.csv"].skipped == {
            "not later than the row before": 1,
            "open or close outside low..high": 1,
            "open is no number": 1,
            "open is not finite": 1,
            "open is not above zero": 1,
            "volume is negative": 1,
            "no usable time": 1,
            "row cut short": 1,
            "last row detached: its bar was still forming": 1,
        }

    async def test_coinglass_hours_fill_funding_and_interest_alone(self, tmp_path: Path) -> None:
        row = f"{T},90000,1500000,8.20e9,8.26e9,8.19e9,8.25e9,0.002,0.0041"
        write(tmp_path, "coinglass_btc_1h_x.csv", COINGLASS_HEAD, row)
        store, reports = await load(tmp_path)
        (funding,) = store.of(FundingRow)
        assert (funding.exchange, funding.interval, funding.close_ms) == ("ALL", "1h", T + HOUR_MS)
        assert funding.oi_weighted_8h_frac == pytest.approx(0.000041)  # percent in the file
        (interest,) = store.of(OpenInterestRow)
        assert interest.exchange == "Binance,Bybit,OKX"  # what was asked for, not the total of all
        assert interest[4:12] == (8.20e9, 8.26e9, 8.19e9, 8.25e9, None, None, None, None)
        assert store.of(LiquidationRow) == []
        assert "no events" in reports["coinglass_btc_1h_x.csv"].note

    async def test_funding_is_per_eight_hours_by_the_period_of_its_exchange(self, tmp_path: Path) -> None:
        rows = [f"{T + k * HOUR_MS + k % 3},hyperliquid,BTC,0.0000125" for k in range(20)]
        rows += [f"{T + k * 8 * HOUR_MS},okx,BTC,0.0001" for k in range(4)]
        rows += [f"{T},okx,ETH,0.7", f"{T},okx,BTC,0.0002"]
        write(tmp_path, "funding_multi_exchange_x.csv", "time_ms,exchange,symbol,funding_rate", *rows)
        store, reports = await load(tmp_path)
        found = store.of(FundingRow)
        hourly = [row for row in found if row.exchange == "Hyperliquid"]
        assert {row.interval for row in hourly} == {"1h"}
        assert hourly[0].rate_8h_frac == pytest.approx(0.0001)
        assert all(row.close_ms % HOUR_MS == 0 for row in hourly)
        assert {(row.interval, row.rate_8h_frac) for row in found if row.exchange == "OKX"} == {
            ("8h", 0.0001)
        }
        assert reports["funding_multi_exchange_x.csv"].skipped == {
            "funding beyond any cap": 1,
            "second rate of the same settlement": 1,
        }

    async def test_snapshots_of_open_interest_go_to_the_close_they_stand_for(self, tmp_path: Path) -> None:
        rows = (f"{T},90000,8e9", f"{T + 300_004},90001,8.1e9", f"{T + 700_000},90001,8.1e9")
        write(tmp_path, "oi_binance_5m_btcusdt_x.csv.gz", "time_ms,oi_base,oi_usd", *rows)
        store, reports = await load(tmp_path)
        found = store.of(OpenInterestRow)
        assert [(row.close_ms, row.close_usd, row.close_base) for row in found] == [
            (T, 8e9, 90000),
            (T + 300_000, 8.1e9, 90001),
        ]
        assert total(list(reports.values()))[1] == {"stamp more than a minute off the grid": 1}

    async def test_account_shares_are_fractions(self, tmp_path: Path) -> None:
        write(
            tmp_path,
            "long_short_accounts_binance_btcusdt_30m_x.csv",
            "time_ms,symbol,long_pct,short_pct,ratio",
            f"{T},BTCUSDT,72.19,27.81,2.596",
            f"{T + 1_800_000},BTCUSDT,101,0,1",
        )
        store, _ = await load(tmp_path)
        (row,) = store.of(RatioRow)
        assert (row.scope, row.interval, row.close_ms) == ("global_account", "30m", T + 1_800_000)
        assert row.long_share_frac == pytest.approx(0.7219)

    async def test_a_jump_is_flagged_and_kept(self, tmp_path: Path) -> None:
        closes = [100.0 + (hour % 5) * 0.1 for hour in range(100)]
        closes[80] = 150.0
        head = "open_time_ms,open,high,low,close,volume"
        rows = [candle(hour, close) for hour, close in enumerate(closes)]
        write(tmp_path, "btcusdt_perp_okx_1h.csv", head, *rows)
        store, reports = await load(tmp_path)
        assert [row.close for row in store.of(CandleRow) if row.is_outlier] == [150.0]
        assert reports["btcusdt_perp_okx_1h.csv"].outliers == 1


class TestEvents:
    ROWS = (
        f"{T},okx,BTC-USDT-SWAP,sell,long,90000,,0.5,0.5,45000",
        f"{T},okx,BTC-USDT-SWAP,sell,long,90000,,0.5,0.5,45000",
        f"{T + 5},okx,1000PEPEUSDT,buy,short,0.012,0.0125,1000,800,10",
        f"{T + 5},okx,BTC-USDT-SWAP,unknown,unknown,90000,,0.5,0.5,45000",
        f"{T + 1},okx,BTC-USDT-SWAP,sell,long,90000,,0.5,0.5,45000",
        f"{T + 6},okx,\u5e01\u5b89USDT,sell,long,1,,1,1,1",
        f"{T + 6},okx,ETH-USDT-SWAP,sell,long,2000,,,,0",
    )

    @pytest.fixture
    def folder(self, tmp_path: Path) -> Path:
        write(tmp_path, "events_okx_x.csv.gz", EVENT_HEAD, *self.ROWS)
        return tmp_path

    async def test_equal_events_of_one_millisecond_are_two(self, folder: Path) -> None:
        store, _ = await load(folder)
        bitcoin = [row for row in store.of(LiquidationRow) if row.symbol == "BTC"]
        facts = ("recorded", "OKX", "BTC-USDT-SWAP", T, "LONG", 90000.0, 45000.0)
        assert {row.id for row in bitcoin} == {liquidation_id(*facts, 0), liquidation_id(*facts, 1)}
        assert bitcoin[0][3:12] == (
            "recorded",
            "OKX",
            "BTC-USDT-SWAP",
            "LONG",
            90000.0,
            45000.0,
            0.5,
            bucket_of(90000.0),
            NOW,
        )
        assert bitcoin[0].extras is None

    async def test_the_fill_counts_and_contracts_of_thousands_are_taken_apart(self, folder: Path) -> None:
        store, _ = await load(folder)
        (row,) = [row for row in store.of(LiquidationRow) if row.symbol == "PEPE"]
        assert (row.pair, row.liquidated_side) == ("1000PEPEUSDT", "SHORT")
        assert (row.price, row.base, row.usd) == (pytest.approx(0.0000125), 800_000, 10)
        assert json.loads(row.extras)["order_price"] == pytest.approx(0.000012)

    async def test_rows_without_a_side_are_left_out_by_reason(self, folder: Path) -> None:
        _, reports = await load(folder)
        assert reports["events_okx_x.csv.gz"].skipped == {
            "no side: whose position was closed is not known": 1,
            "not later than the row before": 1,
            "symbol with characters outside A-Z and 0-9": 1,
            "usd is not above zero": 1,
        }

    async def test_loading_twice_changes_nothing(self, folder: Path) -> None:
        store, first = await load(folder)
        before = dict(store.rows)
        _, again = await load(folder, store, now_ms=NOW + DAY_MS)
        assert store.rows == before
        assert again == first

    async def test_only_the_coins_asked_for(self, folder: Path) -> None:
        store, _ = await load(folder, coins=frozenset({"PEPE"}))
        assert {row.symbol for row in store.of(LiquidationRow)} == {"PEPE"}


class TestFiles:
    async def test_what_is_not_loaded_says_why(self, tmp_path: Path) -> None:
        write(
            tmp_path, "bursts_binance_x.csv", "time_ms,exchange,symbol,last_side,orders,usd", f"{T},x,y,z,1,1"
        )
        write(tmp_path, "fear_greed_daily.csv", "time_ms,value", f"{T},50")
        write(tmp_path, "prices.csv", "a,b", "1,2")
        _, reports = await load(tmp_path)
        notes = {name: report.note for name, report in reports.items()}
        assert "summed" in notes["bursts_binance_x.csv"]
        assert "no table" in notes["fear_greed_daily.csv"]
        assert "known kinds" in notes["prices.csv"]

    async def test_a_file_that_cannot_be_read_fails_alone(self, tmp_path: Path) -> None:
        head = "open_time_ms,open,high,low,close,volume"
        write(tmp_path, "btcusdt_perp_okx_1h.csv", head, candle(0))
        (tmp_path / "ethusdt_perp_okx_1h.csv.gz").write_bytes(b"no gzip")
        whole = gzip.compress("\n".join([head, *(candle(hour) for hour in range(9000))]).encode())
        (tmp_path / "solusdt_perp_okx_1h.csv.gz").write_bytes(whole[: len(whole) // 2])
        write(tmp_path, "dogeusdt_perp_okx_1h.csv", "open_time_ms,open", f"{T},1")
        store, reports = await load(tmp_path)
        assert {name for name, report in reports.items() if report.error} == {
            "ethusdt_perp_okx_1h.csv.gz",
            "solusdt_perp_okx_1h.csv.gz",
            "dogeusdt_perp_okx_1h.csv",
        }
        assert "columns expected" in reports["dogeusdt_perp_okx_1h.csv"].error
        assert "BTC" in {row.symbol for row in store.of(CandleRow)}

    async def test_memory_holds_a_batch_at_a_time(self, tmp_path: Path) -> None:
        head = "open_time_ms,open,high,low,close,volume"
        rows = [candle(hour) for hour in range(2 * BATCH_ROWS + 7)]
        write(tmp_path, "btcusdt_perp_okx_1h.csv", head, *rows)
        store, _ = await load(tmp_path)
        assert len(store.of(CandleRow)) == 2 * BATCH_ROWS + 7
        assert store.largest_put == BATCH_ROWS

    async def test_told_to_stop_it_keeps_what_it_has(self, tmp_path: Path) -> None:
        head = "open_time_ms,open,high,low,close,volume"
        write(tmp_path, "btcusdt_perp_okx_1h.csv", head, *(candle(hour) for hour in range(3 * BATCH_ROWS)))
        write(tmp_path, "ethusdt_perp_okx_1h.csv", head, candle(0))
        store, stopping = MemoryStore(), asyncio.Event()
        seen: list[Any] = []

        def on_progress(*progress: Any) -> None:
            seen.append(progress)
            stopping.set()

        reports = await import_folder(
            tmp_path, store, coins=None, now_ms=lambda: NOW, stopping=stopping, on_progress=on_progress
        )
        assert [report.note for report in reports] == ["stopped before its end"]
        assert len(store.of(CandleRow)) == BATCH_ROWS

    @pytest.mark.parametrize("name", ["nowhere", "."])
    async def test_a_folder_without_data_is_refused(self, tmp_path: Path, name: str) -> None:
        with pytest.raises(ValueError):
            await load(tmp_path / name)


async def test_the_recorded_folder_beside_the_project_loads_whole() -> None:
    if not DATA.is_dir():
        pytest.skip("no recorded data beside the project (../shared/data)")
    store, reports = await load(DATA)
    rows, skipped = total(list(reports.values()))
    assert not [report for report in reports.values() if report.error]
    assert rows["LiquidationRow"] + sum(skipped.values()) == 11_213  # as its README counts them
    assert skipped == {
        "no side: whose position was closed is not known": 822,
        "symbol with characters outside A-Z and 0-9": 5,
    }
    assert sum(rows.values()) == len(store.rows)  # nothing overwrote anything
    # Fat tails: a few bars in a hundred, never none and never most.
    flagged = sum(row.is_outlier for row in store.of(CandleRow))
    assert 0.003 < flagged / rows["CandleRow"] < 0.03
