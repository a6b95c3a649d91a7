"""The recorded market: units, scopes and holes of the folder format, and nothing before its time."""

from __future__ import annotations

import gzip
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest

from app.core.domain.market import DAY_MS, HOUR_MS
from app.sim.clocks import SimClock
from app.sim.market import MarketSource
from app.sim.recorded import RecordedSource
from app.sim.recorded_events import Pair, parse_pair

T0 = 1_750_003_200_000 // DAY_MS * DAY_MS
MINUTE = 60_000
FAR = T0 + 1000 * DAY_MS
SHARED = Path(__file__).parents[3] / "shared" / "data"
CANDLES = "open_time_ms,open,high,low,close,volume"
COINGLASS = "time_ms,liquidation_long_usd,liquidation_short_usd,oi_close,oi_weight_close"

Row = Sequence[float | int | str]


def _stopped(now_ms: int) -> SimClock:
    clock = SimClock()
    clock.set(now_ms)
    return clock


@pytest.fixture
def clock() -> SimClock:
    return _stopped(FAR)


@pytest.fixture
def write(tmp_path: Path) -> Callable[[str, str, Sequence[Row]], None]:
    def write_file(name: str, header: str, rows: Sequence[Row]) -> None:
        text = "\n".join([header, *(",".join(map(str, row)) for row in rows)]) + "\n"
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(gzip.compress(text.encode()) if name.endswith(".gz") else text.encode())

    return write_file


Write = Callable[[str, str, Sequence[Row]], None]


def bars(count: int, step_ms: int = HOUR_MS, start_ms: int = T0, price: float = 100.0) -> list[Row]:
    return [
        (start_ms + k * step_ms, price + k, price + k + 2, price + k - 1, price + k + 1, 10)
        for k in range(count)
    ]


class TestCandles:
    def test_only_closed_bars_are_revealed(self, tmp_path: Path, clock: SimClock, write: Write) -> None:
        write("candles/btcusdt_perp_okx_1h.csv.gz", CANDLES, bars(5))
        source = RecordedSource(tmp_path, clock.now_ms)
        clock.set(T0 + 2 * HOUR_MS)
        answer = source.candles("BTC", "OKX", HOUR_MS, T0, FAR)
        assert list(answer.open_ms) == [T0, T0 + HOUR_MS]
        assert answer.is_closed.all()
        clock.set(T0 + 2 * HOUR_MS - 1)
        assert list(source.candles("BTC", "OKX", HOUR_MS, T0, FAR).open_ms) == [T0]

    def test_hours_become_complete_four_hour_bars_only(
        self, tmp_path: Path, clock: SimClock, write: Write
    ) -> None:
        write("btcusdt_perp_okx_1h.csv", CANDLES, [*bars(4), *bars(6, start_ms=T0 + 5 * HOUR_MS)])
        answer = RecordedSource(tmp_path, clock.now_ms).candles("BTC", "OKX", 4 * HOUR_MS, T0, FAR)
        # 04:00 lacks its first hour and 08:00 its last two; only 00:00 is whole.
        assert list(answer.open_ms) == [T0]
        assert (answer.open[0], answer.high[0], answer.low[0], answer.close[0]) == (100, 105, 99, 104)
        assert answer.volume_base[0] == 40

    def test_quarters_fill_in_where_the_hourly_file_has_nothing(
        self, tmp_path: Path, clock: SimClock, write: Write
    ) -> None:
        write("ethusdt_perp_binance_1h.csv", CANDLES, bars(3, start_ms=T0 + DAY_MS))
        write("ethusdt_perp_binance_15m.csv", CANDLES, bars(8, 15 * MINUTE))
        write("ethusdt_perp_binance_3m.csv", CANDLES, bars(40, 3 * MINUTE, price=500))
        source = RecordedSource(tmp_path, clock.now_ms)
        assert source.candles("ETH", "Binance", HOUR_MS, T0, T0 + DAY_MS).open_ms.size == 2
        assert source.candles("ETH", "Binance", HOUR_MS, T0 + DAY_MS, FAR).open_ms.size == 3
        assert source.candles("ETH", "Binance", 30 * MINUTE, T0, FAR).close[0] == 102
        assert source.candles("ETH", "Binance", 3 * MINUTE, T0, FAR).open_ms.size == 40
        assert source.candles("ETH", "Binance", 5 * MINUTE, T0, FAR).open_ms.size == 0

    def test_spot_and_nameless_files_are_not_perpetuals(
        self, tmp_path: Path, clock: SimClock, write: Write
    ) -> None:
        write("btcusdt_spot_binance_1h.csv", CANDLES, bars(3))
        write("btc_perp_1m_2022-01.csv", CANDLES, bars(3))
        write("fear_greed_daily.csv", "time_ms,value", [])
        source = RecordedSource(tmp_path, clock.now_ms)
        assert source.coins() == ()
        assert source.candles("BTC", "Binance", HOUR_MS, T0, FAR).open_ms.size == 0

    def test_repeated_and_stepped_back_stamps_are_dropped(
        self, tmp_path: Path, clock: SimClock, write: Write
    ) -> None:
        rows = bars(4)
        write("btcusdt_perp_okx_1h.csv", CANDLES, [rows[0], rows[1], rows[1], rows[0], rows[2], rows[3]])
        answer = RecordedSource(tmp_path, clock.now_ms).candles("BTC", "OKX", HOUR_MS, T0, FAR)
        assert list(answer.close) == [101, 102, 103, 104]

    def test_two_files_of_one_series_are_merged(self, tmp_path: Path, clock: SimClock, write: Write) -> None:
        write("btcusdt_perp_okx_1h_a.csv", CANDLES, bars(3))
        write("btcusdt_perp_okx_1h_b.csv", CANDLES, bars(3, start_ms=T0 + 2 * HOUR_MS, price=200))
        answer = RecordedSource(tmp_path, clock.now_ms).candles("BTC", "OKX", HOUR_MS, T0, FAR)
        assert list(answer.close) == [101, 102, 103, 202, 203]

    def test_a_missing_column_names_the_file(self, tmp_path: Path, clock: SimClock, write: Write) -> None:
        write("btcusdt_perp_okx_1h.csv", "open_time_ms,open,close", [(T0, 1, 2)])
        source = RecordedSource(tmp_path, clock.now_ms)
        with pytest.raises(ValueError, match=r"okx_1h\.csv: columns expected but not found: high"):
            source.candles("BTC", "OKX", HOUR_MS, T0, FAR)

    def test_text_among_the_numbers_names_the_file(
        self, tmp_path: Path, clock: SimClock, write: Write
    ) -> None:
        write("btcusdt_perp_okx_1h.csv", CANDLES, [(T0, 1, 2, "high", 4, 5)])
        with pytest.raises(ValueError, match="btcusdt_perp_okx_1h"):
            RecordedSource(tmp_path, clock.now_ms).last_price("BTC")

    def test_a_file_with_only_a_header_is_empty(self, tmp_path: Path, clock: SimClock, write: Write) -> None:
        write("btcusdt_perp_okx_1h.csv", CANDLES, [])
        source = RecordedSource(tmp_path, clock.now_ms)
        assert source.candles("BTC", "OKX", HOUR_MS, T0, FAR).open_ms.size == 0

    def test_a_folder_without_recorded_files_is_refused(self, tmp_path: Path, clock: SimClock) -> None:
        (tmp_path / "notes.csv").write_text("a,b\n1,2\n")
        with pytest.raises(ValueError, match="no recorded data"):
            RecordedSource(tmp_path, clock.now_ms)

    @pytest.mark.parametrize(
        "content", [b"no archive", gzip.compress(b"open_time_ms,open\n" * 9, mtime=0)[:-20]]
    )
    def test_a_broken_archive_is_named(self, tmp_path: Path, clock: SimClock, content: bytes) -> None:
        (tmp_path / "btcusdt_perp_okx_1h.csv.gz").write_bytes(content)
        with pytest.raises(ValueError, match=r"^btcusdt_perp_okx_1h\.csv\.gz: broken, or no CSV"):
            RecordedSource(tmp_path, clock.now_ms).candles("BTC", "OKX", HOUR_MS, 0, FAR)

    @pytest.mark.parametrize("row", ["soon,okx,BTC,0.1", "1,okx,BTC,much"])
    def test_a_row_that_cannot_be_read_names_its_file(
        self, tmp_path: Path, clock: SimClock, row: str
    ) -> None:
        text = f"time_ms,exchange,symbol,funding_rate\n{row}\n"
        (tmp_path / "funding_multi_exchange_x.csv").write_text(text)
        with pytest.raises(ValueError, match=r"^funding_multi_exchange_x\.csv: "):
            RecordedSource(tmp_path, clock.now_ms).exchanges()

    def test_a_missing_folder_is_refused(self, tmp_path: Path, clock: SimClock) -> None:
        with pytest.raises(ValueError, match="folder not found"):
            RecordedSource(tmp_path / "nowhere", clock.now_ms)


class TestLastPrice:
    def test_between_bars_it_is_the_last_closed_close_as_of_now(
        self, tmp_path: Path, clock: SimClock, write: Write
    ) -> None:
        write("btcusdt_perp_okx_1h.csv", CANDLES, bars(3))
        source = RecordedSource(tmp_path, clock.now_ms)
        clock.set(T0 + HOUR_MS + 30 * MINUTE)
        assert source.last_price("BTC") == (101.0, clock.now_ms())

    def test_an_old_close_keeps_its_own_time(self, tmp_path: Path, clock: SimClock, write: Write) -> None:
        write("btcusdt_perp_okx_1h.csv", CANDLES, bars(3))
        clock.set(T0 + 5 * HOUR_MS)
        price = RecordedSource(tmp_path, clock.now_ms).last_price("BTC")
        assert price == (103.0, T0 + 3 * HOUR_MS)

    def test_okx_comes_first_and_binance_fills_in(
        self, tmp_path: Path, clock: SimClock, write: Write
    ) -> None:
        write("btcusdt_perp_binance_1h.csv", CANDLES, bars(24, price=900))
        write("btcusdt_perp_okx_1h.csv", CANDLES, bars(3, start_ms=T0 + 10 * HOUR_MS))
        source = RecordedSource(tmp_path, clock.now_ms)
        prices = []
        for hours in (5, 12, 20):
            clock.set(T0 + hours * HOUR_MS)
            prices.append((source.last_price("BTC") or (0.0, 0))[0])
        assert prices == [905.0, 102.0, 920.0]

    def test_unknown_before_the_first_close(self, tmp_path: Path, clock: SimClock, write: Write) -> None:
        write("btcusdt_perp_okx_1h.csv", CANDLES, bars(3))
        clock.set(T0 + HOUR_MS - 1)
        assert RecordedSource(tmp_path, clock.now_ms).last_price("BTC") is None


class TestCoinglassHours:
    ROWS: tuple[Row, ...] = (
        (T0, 1000, 500, 8e9, 0.004),
        (T0 + HOUR_MS, 0, 0, 8.1e9, 0.005),
        (T0 + 2 * HOUR_MS, 0, 70, 8.2e9, 0.006),
        (T0 + 3 * HOUR_MS, 20, 0, 8.3e9, -0.002),
        (T0 + 90 * DAY_MS, 1, 1, 1, 1),
    )

    @pytest.fixture
    def source(self, tmp_path: Path, clock: SimClock, write: Write) -> RecordedSource:
        write("liquidations/coinglass_btc_1h_liq_to_x.csv.gz", COINGLASS, self.ROWS)
        return RecordedSource(tmp_path, clock.now_ms)

    def test_funding_percent_becomes_a_fraction(self, source: RecordedSource) -> None:
        answer = source.funding_weighted("BTC", HOUR_MS, T0, FAR)
        np.testing.assert_allclose(answer.values, [0.00004, 0.00005, 0.00006, -0.00002])

    def test_larger_bars_take_the_last_hour(self, source: RecordedSource) -> None:
        assert list(source.funding_weighted("BTC", 4 * HOUR_MS, T0, FAR).values) == [-0.00002]
        assert list(source.open_interest("BTC", "All", "usd", 4 * HOUR_MS, T0, FAR).values) == [8.3e9]

    def test_an_hour_of_zeros_is_unknown(self, source: RecordedSource) -> None:
        answer = source.liquidations("BTC", ("All",), HOUR_MS, T0, FAR)
        assert list((answer.open_ms - T0) // HOUR_MS) == [0, 2, 3]
        assert list(answer.long_usd) == [1000, 0, 20]
        assert list(answer.short_usd) == [500, 70, 0]
        assert source.liquidations("BTC", ("All",), 4 * HOUR_MS, T0, FAR).open_ms.size == 0

    def test_the_detached_last_row_is_dropped(self, source: RecordedSource) -> None:
        assert source.open_interest("BTC", "All", "usd", HOUR_MS, T0, FAR).values.max() == 8.3e9

    def test_scope_is_the_three_exchanges_together(self, source: RecordedSource) -> None:
        def size(*exchanges: str) -> int:
            return source.liquidations("BTC", exchanges, HOUR_MS, T0, FAR).open_ms.size

        assert size("Bybit", "Binance", "OKX") == size("All") == size("OKX", "Binance", "Bybit", "Gate") == 3
        assert size("Binance") == size("Binance", "OKX") == 0

    def test_only_ended_hours(self, source: RecordedSource, clock: SimClock) -> None:
        clock.set(T0 + HOUR_MS + 5)
        assert source.funding_weighted("BTC", HOUR_MS, T0, FAR).values.size == 1


class TestOpenInterestSnapshots:
    @pytest.fixture
    def source(self, tmp_path: Path, clock: SimClock, write: Write) -> RecordedSource:
        hour = [(T0 + k * 5 * MINUTE, 100 + k, 1000 + k) for k in range(1, 12)]
        rows = [*hour, (T0 + HOUR_MS + 4000, 112, 1012), (T0 + 100 * MINUTE, 120, 1020)]
        rows += [(T0 + 3 * HOUR_MS, 136, 1036)]
        write("oi_binance_5m_ethusdt_to_x.csv", "time_ms,oi_base,oi_usd", rows)
        return RecordedSource(tmp_path, clock.now_ms)

    def test_a_bar_takes_the_last_snapshot_by_its_end(self, source: RecordedSource) -> None:
        answer = source.open_interest("ETH", "All", "base", HOUR_MS, T0, FAR)
        # 01:00:04 came after the first hour ended; the second hour's newest snapshot is 20 minutes old at its
        # end, so that hour is absent.
        assert dict(zip((answer.open_ms - T0) // HOUR_MS, answer.values, strict=True)) == {0: 111, 2: 136}

    def test_usd_and_scope(self, source: RecordedSource) -> None:
        assert list(source.open_interest("ETH", "Binance", "usd", HOUR_MS, T0, FAR).values) == [1011, 1036]
        assert list(source.open_interest("ETH", "All", "usd", HOUR_MS, 0, FAR).values) == [1011, 1036]
        assert source.open_interest("ETH", "OKX", "base", HOUR_MS, T0, FAR).values.size == 0
        assert source.open_interest("ETH", "All", "base", MINUTE, T0, FAR).values.size == 0

    def test_nothing_before_the_bar_ends(self, source: RecordedSource, clock: SimClock) -> None:
        clock.set(T0 + HOUR_MS - 1)
        assert source.open_interest("ETH", "All", "base", HOUR_MS, T0, FAR).values.size == 0
        assert source.open_interest("ETH", "All", "base", 5 * MINUTE, T0, FAR).values[-1] == 111


class TestFundingSettlements:
    @pytest.fixture
    def source(self, tmp_path: Path, clock: SimClock, write: Write) -> RecordedSource:
        rows = [(T0 + k * 8 * HOUR_MS + k, "binance", "BTC", 0.0001 * (k + 1)) for k in range(4)]
        rows += [(T0 + k * HOUR_MS - 12, "hyperliquid", "ETH", 0.00001) for k in range(9)]
        write("funding_multi_exchange_x.csv.gz", "time_ms,exchange,symbol,funding_rate", sorted(rows))
        return RecordedSource(tmp_path, clock.now_ms)

    def test_stamps_are_put_back_on_the_hour(self, source: RecordedSource) -> None:
        answer = source.funding_settled("BTC", "Binance", T0, FAR)
        assert list((answer.open_ms - T0) // HOUR_MS) == [0, 8, 16, 24]
        assert source.funding_settled("ETH", "Hyperliquid", T0, FAR).open_ms[1] == T0 + HOUR_MS

    def test_the_running_rate_is_the_last_settled_one(self, source: RecordedSource, clock: SimClock) -> None:
        clock.set(T0 + 9 * HOUR_MS)
        assert source.funding_current("BTC", "Binance") == (0.0002, T0 + 8 * HOUR_MS, T0 + 16 * HOUR_MS)

    def test_unknown_when_the_recording_has_ended_or_not_begun(
        self, source: RecordedSource, clock: SimClock
    ) -> None:
        assert source.funding_current("BTC", "Binance") is None
        clock.set(T0 - 1)
        assert source.funding_current("BTC", "Binance") is None
        assert source.funding_current("BTC", "OKX") is None


class TestSentimentAndPositions:
    def test_a_day_is_known_from_its_first_moment(
        self, tmp_path: Path, clock: SimClock, write: Write
    ) -> None:
        write("fear_greed_daily.csv", "time_ms,value", [(T0 + k * DAY_MS, 20 + k) for k in range(5)])
        source = RecordedSource(tmp_path, clock.now_ms)
        clock.set(T0 + 2 * DAY_MS)
        assert list(source.fear_greed(0, FAR).values) == [20, 21, 22]
        clock.set(T0 + 2 * DAY_MS - 1)
        assert list(source.fear_greed(0, FAR).values) == [20, 21]

    def test_account_percent_becomes_a_fraction_per_hour(
        self, tmp_path: Path, clock: SimClock, write: Write
    ) -> None:
        rows: list[Row] = [(T0 + k * 30 * MINUTE, "BTCUSDT", 60 + k, 40 - k, 1.5) for k in (0, 1, 2, 3, 4)]
        write(
            "long_short_accounts_binance_btcusdt_30m_x.csv", "time_ms,symbol,long_pct,short_pct,ratio", rows
        )
        source = RecordedSource(tmp_path, clock.now_ms)
        assert list(source.account_long_share("BTC", "Binance", HOUR_MS, T0, FAR).values) == [0.61, 0.63]
        assert source.account_long_share("BTC", "OKX", HOUR_MS, T0, FAR).values.size == 0

    def test_what_the_folder_lacks_is_empty(self, tmp_path: Path, clock: SimClock, write: Write) -> None:
        write("fear_greed_daily.csv", "time_ms,value", [])
        source: MarketSource = RecordedSource(tmp_path, clock.now_ms)
        span = (HOUR_MS, T0, FAR)
        assert source.exchanges() == ()
        assert source.last_price("BTC") is None
        for answer in (
            source.open_interest("BTC", "All", "usd", *span),
            source.funding_weighted("BTC", *span),
            source.funding_settled("BTC", "OKX", T0, FAR),
            source.top_account_long_share("BTC", "OKX", *span),
            source.top_position_long_share("BTC", "OKX", *span),
            source.galaxy_score("BTC", *span),
            source.fear_greed(T0, FAR),
            *source.taker_volume("BTC", "OKX", *span),
        ):
            assert answer.open_ms.size == answer.values.size == 0
        assert source.liquidations("BTC", ("All",), *span).open_ms.size == 0
        assert source.liquidation_events(T0, FAR) == []
        assert source.trade_events("BTC", T0, FAR) == []


class TestEvents:
    HEADER = "time_ms,exchange,symbol,side,liquidated,price,avg_price,qty,filled_qty,usd"

    @pytest.fixture
    def source(self, tmp_path: Path, clock: SimClock, write: Write) -> RecordedSource:
        write(
            "events_binance_x.csv",
            self.HEADER,
            [
                (T0 + 10, "binance", "BTCUSDT", "sell", "long", 101, 100, 2, 2, 200),
                (T0 + 15, "binance", "NEWUSDT", "buy", "short", 0.0234, 0.0234, "x", 1, "bad"),
                (T0 + 40, "binance", "OTHERUSDT", "buy", "short", 0.0234, 0.0234, 100, 100, 2.34),
                (T0 + 30, "binance", "1000PEPEUSDT", "buy", "short", 0.006, 0.005, 1000, 1000, 5),
            ],
        )
        write(
            "events_okx_x.csv",
            self.HEADER,
            [
                (T0 + 20, "okx", "BTC-USDT-SWAP", "buy", "short", 102, "", 1, 1, 102),
                (T0 + 25, "okx", "ETH-USDT-SWAP", "unknown", "unknown", 10, "", 1, 1, 10),
                (T0 + 26, "okx", "ETH-USDT-SWAP", "sell", "long", "", "", 1, 1, 10),
            ],
        )
        return RecordedSource(tmp_path, clock.now_ms)

    def test_files_merge_by_time_and_unknown_sides_are_skipped(self, source: RecordedSource) -> None:
        events = source.liquidation_events(T0, FAR)
        assert [(e.exchange, e.base, e.liquidated, e.price_usd, e.usd) for e in events] == [
            ("Binance", "BTC", "long", 100, 200),
            ("OKX", "BTC", "short", 102, 102),
            ("Binance", "PEPE", "short", 5e-6, 5),
            ("Binance", "OTHER", "short", 0.0234, 2.34),
        ]

    def test_an_event_shows_from_its_stamp_on(self, source: RecordedSource, clock: SimClock) -> None:
        clock.set(T0 + 20)
        assert [e.ts_ms - T0 for e in source.liquidation_events(T0, FAR)] == [10, 20]
        assert source.liquidation_events(T0 + 11, T0 + 20) == []

    def test_coins_seen_only_in_events_are_listed_without_a_price(self, source: RecordedSource) -> None:
        coins = {coin.base: coin for coin in source.coins()}
        assert coins["PEPE"].binance_multiplier == 1000
        assert (coins["OTHER"].contract_base, coins["OTHER"].tick) == (1.0, 1e-6)
        assert source.last_price("PEPE") is None

    def test_trades_take_usd_or_price_times_quantity(
        self, tmp_path: Path, clock: SimClock, write: Write
    ) -> None:
        write(
            "trades_binance_x.csv",
            "time_ms,trade_id,symbol,price,qty,taker_side",
            [(T0 + 5, 1, "BTCUSDT", 100, 0.5, "buy"), (T0 + 9, 2, "BTCUSDT", 100, 0.1, "sell")],
        )
        write(
            "large_trades_binance_x.csv",
            "time_ms,trade_id,symbol,price,qty,taker_side,usd",
            [(T0 + 7, 3, "BTCUSDT", 100, 300, "sell", 30_001), (T0 + 8, 4, "ETHUSDT", 5, 9, "odd", 45)],
        )
        source = RecordedSource(tmp_path, clock.now_ms)
        trades = source.trade_events("BTC", T0, T0 + 9)
        assert [(t.ts_ms - T0, t.usd, t.taker) for t in trades] == [(5, 50, "buy"), (7, 30_001, "sell")]
        assert source.trade_events("ETH", T0, FAR) == []

    @pytest.mark.parametrize(
        "symbol, pair",
        [
            ("BTCUSDT", Pair("BTC", 1)),
            ("BTC", Pair("BTC", 1)),
            ("BTC-USDT-SWAP", Pair("BTC", 1)),
            ("1000PEPEUSDT", Pair("PEPE", 1000)),
            ("1MBABYDOGEUSDT", Pair("BABYDOGE", 1_000_000)),
            ("1INCHUSDT", Pair("1INCH", 1)),
            ("ETHUSDC", Pair("ETH", 1)),
            ("币安人生USDT", None),
            ("", None),
        ],
    )
    def test_symbols(self, symbol: str, pair: Pair | None) -> None:
        assert parse_pair(symbol) == pair


@pytest.mark.skipif(not SHARED.is_dir(), reason="the shared recorded data folder is not beside the project")
class TestSharedRecording:
    NOW_MS = 1_771_581_600_000 + 25 * MINUTE  # 2026-02-20 10:25 UTC

    @pytest.fixture
    def clock(self) -> SimClock:
        return _stopped(self.NOW_MS)

    @pytest.fixture
    def source(self, clock: SimClock) -> RecordedSource:
        return RecordedSource(SHARED, clock.now_ms)

    def test_bitcoin_has_what_the_replay_needs(self, source: RecordedSource) -> None:
        start, hour = self.NOW_MS - 30 * DAY_MS, self.NOW_MS // HOUR_MS * HOUR_MS - HOUR_MS
        scope = ("Binance", "OKX", "Bybit")
        for answer in (
            source.candles("BTC", "OKX", HOUR_MS, start, self.NOW_MS),
            source.candles("BTC", "Binance", HOUR_MS, start, self.NOW_MS),
            source.open_interest("BTC", "All", "usd", HOUR_MS, start, self.NOW_MS),
            source.open_interest("BTC", "All", "base", HOUR_MS, start, self.NOW_MS),
            source.funding_weighted("BTC", HOUR_MS, start, self.NOW_MS),
            source.liquidations("BTC", scope, HOUR_MS, start, self.NOW_MS),
        ):
            assert answer.open_ms.size > 700
            assert answer.open_ms[-1] == hour
            assert (np.diff(answer.open_ms) > 0).all()

    def test_units_are_fractions_coins_and_dollars(self, source: RecordedSource) -> None:
        span = (HOUR_MS, self.NOW_MS - 60 * DAY_MS, self.NOW_MS)
        assert np.abs(source.funding_weighted("BTC", *span).values).max() < 0.0005
        price = (source.last_price("BTC") or (0.0, 0))[0]
        coins, usd = (source.open_interest("BTC", "Binance", unit, *span) for unit in ("base", "usd"))
        assert usd.values[-1] / coins.values[-1] == pytest.approx(price, rel=0.02)

    def test_account_shares_are_fractions(self, source: RecordedSource) -> None:
        shares = source.account_long_share("BTC", "Binance", HOUR_MS, 0, self.NOW_MS).values
        assert shares.size > 700
        assert 0.4 < shares.min() < shares.max() < 0.8

    def test_events_of_the_recording_name_their_coin_and_side(self, source: RecordedSource) -> None:
        events = source.liquidation_events(0, self.NOW_MS)
        assert len(events) > 4000
        assert {e.exchange for e in events} == {"Binance"}  # the OKX capture lies after this moment
        assert {e.liquidated for e in events} == {"long", "short"}
        assert len({e.base for e in events}) > 200

    def test_ether_has_candles_and_open_interest_but_no_liquidations(self, source: RecordedSource) -> None:
        span = (HOUR_MS, self.NOW_MS - 10 * DAY_MS, self.NOW_MS)
        assert source.candles("ETH", "OKX", *span).open_ms.size == 239
        assert source.open_interest("ETH", "All", "usd", *span).open_ms.size == 239
        assert source.liquidations("ETH", ("All",), *span).open_ms.size == 0
        assert source.funding_weighted("ETH", *span).open_ms.size == 0

    def test_past_answers_do_not_depend_on_now(self, source: RecordedSource, clock: SimClock) -> None:
        span = (HOUR_MS, self.NOW_MS - 5 * DAY_MS, self.NOW_MS - HOUR_MS)
        before = [
            source.candles("BTC", "OKX", *span).close,
            source.open_interest("BTC", "All", "base", *span).values,
        ]
        clock.set(self.NOW_MS + 9 * DAY_MS)
        after = [
            source.candles("BTC", "OKX", *span).close,
            source.open_interest("BTC", "All", "base", *span).values,
        ]
        for one, other in zip(before, after, strict=True):
            np.testing.assert_array_equal(one, other)
