"""`/history` and `/replay/oi` over HTTP: lists, pages, bounds, empty pages, a store that is down."""

from __future__ import annotations

from typing import Any

import pytest

from app.core.domain.market import HOUR_MS
from app.core.domain.views import View
from tests.stored_facts import LAST_CLOSE_MS, candle, closes, funding, interest, ratio, taker

LISTS = {
    "candles": "candles",
    "open-interest": "openInterest",
    "funding": "funding",
    "long-short": "longShort",
    "taker-volume": "takerVolume",
}


def fill(rig: Any, count: int = 10) -> None:
    for at_ms in closes(count):
        rig.store.rows += [
            candle(at_ms),
            interest(at_ms),
            funding(at_ms),
            ratio(at_ms),
            ratio(at_ms, "top_position"),
            taker(at_ms),
        ]


async def body(rig: Any, path: str) -> dict[str, Any]:
    answer = await rig.get(path)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


@pytest.mark.parametrize("series", LISTS)
async def test_exactly_the_list_of_the_series_is_set(rig: Any, series: str) -> None:
    fill(rig)
    answer = await body(rig, f"/history/{series}/btc-usdt")
    assert [name for name in LISTS.values() if answer[name] is not None] == [LISTS[series]]
    rows = answer[LISTS[series]]
    assert len(rows) == 10
    assert [row["time"] for row in rows] == sorted((row["time"] for row in rows), reverse=True)
    assert answer["series"] == series
    assert (answer["symbol"], answer["interval"], answer["order"]) == ("BTC", "1h", "desc")
    assert answer["asOf"] == answer["newestStored"] == rows[0]["time"]
    assert answer["oldestStored"] == rows[-1]["time"]
    assert answer["dataMode"] == "demo"
    assert (answer["next"], answer["note"], answer["truncated"]) == (None, None, False)
    assert {row["source"] for row in rows} == {"coinglass"}


async def test_units_are_kept_and_outliers_are_flagged(rig: Any) -> None:
    fill(rig, 1)
    (rate,) = (await body(rig, "/history/funding/BTC"))["funding"]
    assert (rate["rate8hFrac"], rate["oiWeighted8hFrac"], rate["isOutlier"]) == (None, -0.0001, True)
    (bar,) = (await body(rig, "/history/open-interest/BTC"))["openInterest"]
    assert (bar["exchange"], bar["closeUsd"], bar["closeBase"], bar["openBase"]) == (
        "ALL",
        9e9,
        95_000.5,
        None,
    )
    (share,) = (await body(rig, "/history/long-short/BTC"))["longShort"]
    assert share["longShareFrac"] == 0.7388
    (volume,) = (await body(rig, "/history/taker-volume/BTC"))["takerVolume"]
    assert (volume["buyUsd"], volume["sellUsd"]) == (3e6, 1e6)


@pytest.mark.parametrize("order", ["desc", "asc"])
async def test_pages_hold_every_bar_once(rig: Any, order: str) -> None:
    fill(rig)
    seen: list[str] = []
    cursor = ""
    while True:
        page = await body(rig, f"/history/candles/BTC?limit=3&order={order}&cursor={cursor}")
        seen += [row["time"] for row in page["candles"]]
        cursor = page["next"]
        if cursor is None:
            break
    assert len(seen) == len(set(seen)) == 10
    assert seen == sorted(seen, reverse=order == "desc")


async def test_times_bound_a_page_in_either_spelling(rig: Any) -> None:
    fill(rig)
    times = closes(10)
    whole = await body(rig, f"/history/candles/BTC?from={times[2]}&to={times[5]}&order=asc")
    assert len(whole["candles"]) == 3
    iso = (whole["candles"][0]["time"], whole["candles"][-1]["time"])
    by_iso = await body(rig, f"/history/candles/BTC?from={iso[0]}&to={iso[1]}&order=asc")
    assert by_iso["candles"] == whole["candles"][:-1]


async def test_gaps_of_a_page_are_counted_and_the_first_are_listed(rig: Any) -> None:
    rig.store.rows = [candle(at_ms) for n, at_ms in enumerate(closes(30)) if n % 3 == 0]
    answer = await body(rig, "/history/candles/BTC")
    assert answer["missingBars"] == 18
    assert len(answer["gaps"]) == 5
    assert {(gap["bars"], gap["exchange"]) for gap in answer["gaps"]} == {(2, "Binance")}


@pytest.mark.parametrize(
    ("asked", "found"), [("okx", {"OKX"}), ("BINANCE", {"Binance"}), ("", {"OKX", "Binance"})]
)
async def test_exchanges_are_spelled_as_users_do(rig: Any, asked: str, found: set[str]) -> None:
    rig.store.rows = [candle(LAST_CLOSE_MS), candle(LAST_CLOSE_MS, exchange="OKX")]
    answer = await body(rig, f"/history/candles/BTC?exchange={asked}")
    assert {row["exchange"] for row in answer["candles"]} == found


async def test_whose_longs_is_asked_for_and_said(rig: Any) -> None:
    fill(rig)
    assert (await body(rig, "/history/long-short/BTC"))["scope"] == "global_account"
    answer = await body(rig, "/history/long-short/BTC?scope=top_position")
    assert (answer["scope"], len(answer["longShort"])) == ("top_position", 10)


async def test_older_interval_spellings_are_read(rig: Any) -> None:
    rig.store.rows = [candle(LAST_CLOSE_MS, interval="4h")]
    assert len((await body(rig, "/history/candles/BTC?interval=h4"))["candles"]) == 1
    rig.store.rows = [candle(LAST_CLOSE_MS, interval="1m")]
    assert len((await body(rig, "/history/candles/BTC?interval=1m"))["candles"]) == 1
    assert (await rig.get("/history/candles/BTC?interval=7m")).status_code == 400


async def test_an_empty_page_says_what_to_do(rig: Any) -> None:
    answer = await body(rig, "/history/candles/BTC")
    assert answer["candles"] == []
    assert "python -m app.backfill --demo --symbols BTC --days 30 fills" in answer["note"]
    assert "New bars are kept as signals of BTC" in answer["note"]
    for path in ("/history/taker-volume/BTC", "/history/long-short/BTC?scope=top_account"):
        note = (await body(rig, path))["note"]
        assert "app.backfill" in note
        assert "signals" not in note
    rig.store.rows = [candle(LAST_CLOSE_MS, exchange="OKX")]
    note = (await body(rig, "/history/candles/BTC?exchange=kraken"))["note"]
    assert note == "Nothing is stored of this exchange; stored are: OKX."
    rig.store.rows = [candle(LAST_CLOSE_MS, interval="4h")]
    assert "stored are: 4h" in (await body(rig, "/history/candles/BTC"))["note"]
    rig.store.rows = [candle(LAST_CLOSE_MS)]
    answer = await body(rig, f"/history/candles/BTC?to={LAST_CLOSE_MS}")
    assert "between `from` and `to`" in answer["note"]
    assert answer["newestStored"] is not None


@pytest.mark.parametrize(
    ("path", "word"),
    [
        ("/history/prices/BTC", "series"),
        ("/history/candles/BTC?interval=7m", "interval"),
        ("/history/candles/BTC?from=1772000000", "milliseconds"),
        ("/history/candles/BTC?to=tomorrow", "ISO-8601"),
        ("/history/candles/BTC?from=2026-02-01&to=2026-01-01", "from"),
        ("/history/candles/BTC?scope=top_position", "scope"),
        ("/history/long-short/BTC?scope=whales", "scope"),
        ("/history/candles/BTC?limit=1001", "limit"),
        ("/history/candles/BTC?order=up", "order"),
        ("/history/candles/BTC?cursor=%40%40", "cursor"),
        ("/history/candles/BTC?exchange=a%00b", "exchange"),
        ("/replay/oi/BTC?cursor=later", "cursor"),
    ],
)
async def test_a_malformed_question_is_a_400_that_says_what_to_send(
    kept_rig: Any, path: str, word: str
) -> None:
    answer = await kept_rig.get(path)
    assert answer.status_code == 400
    assert word in answer.json()["detail"]


async def test_an_unknown_coin_is_a_404(kept_rig: Any) -> None:
    assert (await kept_rig.get("/history/candles/BTCC")).status_code == 404


async def test_a_store_that_is_down_is_a_503_that_says_when_to_come_back(rig: Any) -> None:
    rig.store.is_down = True
    answer = await rig.get("/history/candles/BTC")
    assert (answer.status_code, answer.json()["code"]) == (503, "storage_unavailable")
    assert int(answer.headers["retry-after"]) >= 1


@pytest.mark.parametrize("series", LISTS)
async def test_the_longest_page_still_fits_and_none_is_lost_by_the_cut(rig: Any, series: str) -> None:
    fill(rig, 1200)
    cursor, seen = "", 0
    while cursor is not None:
        answer = await rig.get(f"/history/{series}/BTC?limit=1000&cursor={cursor}")
        assert len(answer.content) <= 90_000
        page = answer.json()
        assert page["truncated"] is (len(page[LISTS[series]]) < 1000 and page["next"] is not None)
        seen += len(page[LISTS[series]])
        cursor = page["next"]
    assert seen == 1200


class TestReplay:
    async def test_a_complete_page_says_it_is_stored(self, rig: Any) -> None:
        fill(rig, 60)
        answer = await body(rig, "/replay/oi/BTC?limit=50")
        assert rig.derivatives.asked == []
        assert answer["sources"][0]["provider"] == "store"
        assert answer["sources"][0]["endpoint"] == "stored from coinglass"
        assert (answer["storedBars"], answer["storedFrom"], answer["storeFault"]) == (50, ["coinglass"], None)

    async def test_a_store_that_is_down_is_named_and_upstream_answers(self, rig: Any) -> None:
        rig.store.is_down = True
        answer = await body(rig, "/replay/oi/BTC?limit=50")
        assert len(answer["bars"]) == 50
        assert answer["storeFault"].startswith("the store did not answer")
        assert answer["storedBars"] == 0

    async def test_without_upstream_the_stored_bars_and_the_reason_are_shown(self, rig: Any) -> None:
        fill(rig, 5)
        del rig.derivatives.found[View.OPEN_INTEREST_HISTORY]
        answer = await body(rig, "/replay/oi/BTC")
        assert len(answer["bars"]) == answer["storedBars"] == 5
        assert answer["missing"][0]["part"] == "open_interest_history"
        times = [bar["time"] for bar in answer["bars"]]
        assert times == sorted(times)
        assert LAST_CLOSE_MS % HOUR_MS == 0
