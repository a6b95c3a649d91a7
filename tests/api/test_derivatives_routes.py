"""The typed derivatives routes over a fake use case: figures, units, gaps, cursors, sizes, mirrors."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from app.core.domain.derivatives import LiquidationOrders
from app.core.domain.views import View
from tests.derivatives_facts import WINDOWS, facts, swapped

COIN_ROUTES = (
    "/coinglass/markets/BTC",
    "/coinglass/perpetual-market/BTC",
    "/coinglass/liquidations/BTC?include_orders=true&include_map=true",
    "/coinglass/liquidations/BTC/heatmap",
    "/coinglass/long-short-ratio/BTC",
    "/coinglass/funding-rate/BTC",
    "/coinglass/open-interest/BTC",
    "/coinglass/dashboard/BTC",
    "/replay/oi/BTC",
)
LIST_ROUTES = (
    "/coinglass/markets",
    "/coinglass/supported-coins",
    "/coinglass/exchanges",
    "/advanced/whale/alerts",
    "/advanced/whale/positions",
)


async def body(rig: Any, path: str) -> dict[str, Any]:
    answer = await rig.get(path)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


@pytest.mark.parametrize("path", (*COIN_ROUTES, *LIST_ROUTES))
async def test_every_answer_names_its_sources_with_age_and_mode(kept_rig: Any, path: str) -> None:
    answer = await body(kept_rig, path)
    assert answer["dataMode"] == "demo"
    assert answer["missing"] == []
    assert [source["ageS"] for source in answer["sources"]] == [5.0] * len(answer["sources"])
    assert {source["provider"] for source in answer["sources"]} == {"coinglass"}


@pytest.mark.parametrize("path", (*COIN_ROUTES, *LIST_ROUTES))
async def test_without_any_source_every_answer_is_still_200_and_says_which_plan_has_it(
    rig: Any, path: str
) -> None:
    rig.derivatives.found = {}
    answer = await body(rig, path)
    assert answer["sources"] == []
    assert {part["reason"] for part in answer["missing"]} == {"not_in_plan"}
    assert {part["planNeeded"] for part in answer["missing"]} == {"professional"}


async def test_a_coin_market_shows_seven_windows_as_fractions(kept_rig: Any) -> None:
    market = (await body(kept_rig, "/coinglass/markets/btcusdt"))["market"]
    assert [window["window"] for window in market["windows"]] == list(WINDOWS)
    assert market["windows"][0]["priceChangeFrac"] == -0.01
    assert market["openInterestToMarketCapFrac"] == 0.0327
    assert market["fundingOiWeighted8hFrac"] == 0.000066
    assert market["fundingVolumeWeighted8hFrac"] == -0.00001


async def test_markets_are_walked_by_cursor_without_loss_or_repeat(kept_rig: Any) -> None:
    seen: list[str] = []
    cursor = ""
    while True:
        page = await body(kept_rig, f"/coinglass/markets?limit=20&cursor={cursor}")
        seen += [item["symbol"] for item in page["items"]]
        cursor = page["next"] or ""
        if not cursor:
            break
    assert seen == [f"C{n}" for n in range(45)]
    assert page["total"] == 45


async def test_a_foreign_cursor_is_refused(kept_rig: Any) -> None:
    for path in ("/coinglass/markets?cursor=abc", "/replay/oi/BTC?cursor=-1"):
        answer = await kept_rig.get(path)
        assert answer.status_code == 400
        assert answer.json()["code"] == "invalid_parameter"


async def test_liquidations_add_up_and_are_split_by_side(kept_rig: Any) -> None:
    answer = await body(kept_rig, "/coinglass/liquidations/BTC?include_orders=true&include_map=true")
    first = answer["windows"][0]
    assert (first["window"], first["longUsd"], first["shortUsd"]) == ("1h", 3e6, 1e6)
    assert (first["totalUsd"], first["longFrac"]) == (4e6, 0.75)
    assert [order["liquidatedSide"] for order in answer["orders"]] == ["LONG", "SHORT"]
    assert len(answer["levels"]) == 40
    assert all(
        level["liquidatedSide"] == ("LONG" if level["distanceFrac"] < 0 else "SHORT")
        for level in answer["levels"]
    )


async def test_orders_and_map_are_only_asked_for_on_request(rig: Any) -> None:
    answer = await body(rig, "/coinglass/liquidations/BTC")
    assert answer["orders"] is None
    assert answer["levels"] is None
    assert rig.derivatives.asked[-1][0] == (View.LIQUIDATION_TOTALS,)


async def test_orders_say_which_are_left_out(rig: Any) -> None:
    path = "/coinglass/liquidations/BTC?include_orders=true"
    answer = await body(rig, path)
    assert (answer["ordersMinUsd"], answer["ordersTruncated"]) == (10_000, False)
    orders: Any = rig.derivatives.found[View.LIQUIDATION_ORDERS]
    many = dataclasses.replace(orders, orders=orders.orders * 40)
    rig.derivatives.found[View.LIQUIDATION_ORDERS] = many
    answer = await body(rig, path)
    assert (len(answer["orders"]), answer["ordersTruncated"]) == (50, True)
    answer = await body(rig, "/coinglass/liquidations/BTC")
    assert (answer["ordersMinUsd"], answer["ordersTruncated"]) == (None, None)


async def test_no_orders_is_not_the_same_as_orders_unknown(rig: Any) -> None:
    rig.derivatives.found[View.LIQUIDATION_ORDERS] = LiquidationOrders((), 10_000.0, is_cut=False)
    assert (await body(rig, "/coinglass/liquidations/BTC?include_orders=true"))["orders"] == []
    del rig.derivatives.found[View.LIQUIDATION_ORDERS]
    assert (await body(rig, "/coinglass/liquidations/BTC?include_orders=true"))["orders"] is None


async def test_a_heatmap_is_summed_over_time_and_names_its_model(kept_rig: Any) -> None:
    heatmap = (await body(kept_rig, "/coinglass/liquidations/BTC/heatmap?model=1"))["heatmap"]
    assert heatmap["model"] == "CoinGlass liquidation heatmap model 1"
    assert [(level["priceUsd"], level["sizeUsd"]) for level in heatmap["levels"]] == [
        (95_000.0, 3e6),
        (96_000.0, 3e6),
        (97_000.0, 3e6),
    ]


async def test_a_heatmap_that_is_not_available_says_so_plainly(rig: Any) -> None:
    del rig.derivatives.found[View.LIQUIDATION_HEATMAP]
    answer = await body(rig, "/coinglass/liquidations/BTC/heatmap")
    assert answer["heatmap"] is None
    assert answer["notAvailable"]["planNeeded"] == "professional"
    assert "the hobbyist plan lacks this endpoint" in answer["notAvailable"]["detail"]


async def test_a_long_share_carries_its_ratio_percentile_and_change(kept_rig: Any) -> None:
    answer = await body(kept_rig, "/coinglass/long-short-ratio/BTC")
    ratio = answer["accounts"]
    assert answer["interval"] == "1h"
    assert (ratio["longFrac"], ratio["shortFrac"], ratio["longShortRatio"]) == (0.75, 0.25, 3.0)
    assert ratio["percentileFrac"] == 1.0
    assert ratio["points"] == 120
    assert len(ratio["history"]) == 48
    assert ratio["history"][-1]["value"] == 0.75
    assert ratio["change24hFrac"] == pytest.approx(0.75 - 0.596)


async def test_a_short_history_has_no_percentile(rig: Any) -> None:
    series: Any = rig.derivatives.found[View.ACCOUNT_RATIO]
    rig.derivatives.found[View.ACCOUNT_RATIO] = dataclasses.replace(
        series, close_ms=series.close_ms[-20:], values=series.values[-20:]
    )
    assert (await body(rig, "/coinglass/long-short-ratio/BTC"))["accounts"]["percentileFrac"] is None


@pytest.mark.parametrize(
    ("typed", "used"),
    [("h1", "1h"), ("H4", "4h"), ("h8", "8h"), ("h12", "12h"), ("d1", "1d"), ("m5", "5m"), ("1h", "1h")],
)
async def test_old_interval_spellings_are_translated(rig: Any, typed: str, used: str) -> None:
    await body(rig, f"/coinglass/funding-rate/BTC?interval={typed}")
    assert rig.derivatives.asked[-1][1].interval == used


async def test_without_an_interval_the_plan_decides(rig: Any) -> None:
    await body(rig, "/coinglass/funding-rate/BTC")
    assert rig.derivatives.asked[-1][1].interval is None


@pytest.mark.parametrize("interval", ["2h", "1w", "", "1hour", "%00"])
async def test_another_interval_is_refused_with_the_list_of_those_offered(
    kept_rig: Any, interval: str
) -> None:
    answer = await kept_rig.get(f"/coinglass/open-interest/BTC?interval={interval}")
    assert answer.status_code == 400
    assert "1h, 4h" in answer.json()["detail"]


async def test_funding_is_shown_per_period_per_8h_and_per_year(kept_rig: Any) -> None:
    answer = await body(kept_rig, "/coinglass/funding-rate/BTC")
    assert answer["weighted"]["rate8hFrac"] == 0.0001
    assert answer["weighted"]["annualisedFrac"] == pytest.approx(0.1095)
    venues = {venue["exchange"]: venue for venue in answer["exchanges"]}
    assert (venues["Exchange 1"]["rateFrac"], venues["Exchange 1"]["rate8hFrac"]) == (0.0002, 0.0004)
    assert answer["spread"]["longExchange"] == "Exchange 0"
    assert answer["spread"]["shortExchange"] == "Exchange 1"
    assert answer["spread"]["spread8hFrac"] == pytest.approx(0.0003)


async def test_open_interest_takes_the_total_and_never_sums_it_with_its_parts(kept_rig: Any) -> None:
    answer = await body(kept_rig, "/coinglass/open-interest/BTC")
    assert answer["openInterestUsd"] == 1e10
    assert [row["shareFrac"] for row in answer["exchanges"]] == [0.2, 0.2, 0.2]
    assert {c["window"]: c["changeFrac"] for c in answer["changes"]} == {"1h": 0.01, "4h": 0.02, "24h": -0.03}
    assert len(answer["bars"]) == 48


async def test_changes_come_from_bars_of_the_same_span_where_no_total_is_known(rig: Any) -> None:
    del rig.derivatives.found[View.OPEN_INTEREST_VENUES]
    answer = await body(rig, "/coinglass/open-interest/BTC")
    changes = {change["window"]: change["changeFrac"] for change in answer["changes"]}
    newest = 9e9 + 1e7 * 120
    assert changes["24h"] == pytest.approx(newest / (newest - 24e7) - 1)
    assert answer["openInterestUsd"] == newest


async def test_replayed_bars_are_paged_backwards_without_loss(kept_rig: Any) -> None:
    seen: list[str] = []
    cursor = ""
    while True:
        page = await body(kept_rig, f"/replay/oi/BTC?limit=50&cursor={cursor}")
        seen = [bar["time"] for bar in page["bars"]] + seen
        cursor = page["next"] or ""
        if not cursor:
            break
    assert len(seen) == 121
    assert seen == sorted(set(seen))


async def test_exchanges_list_the_pairs_of_one_by_page(kept_rig: Any) -> None:
    first = await body(kept_rig, "/coinglass/exchanges?exchange=binance")
    assert [row["pairs"] for row in first["exchanges"]] == [150, 1]
    rest = await body(kept_rig, f"/coinglass/exchanges?exchange=binance&cursor={first['next']}")
    assert len(first["instruments"]) + len(rest["instruments"]) == 150
    assert rest["next"] is None
    refused = await kept_rig.get("/coinglass/exchanges?exchange=Nope")
    assert refused.status_code == 400
    assert "Binance" in refused.json()["detail"]


async def test_whales_are_filtered_by_coin_and_summed_by_side(kept_rig: Any) -> None:
    answer = await body(kept_rig, "/advanced/whale/positions?symbol=BTC-USDT")
    assert [row["side"] for row in answer["positions"]] == ["SHORT", "LONG"]
    assert answer["summary"] == {"longUsd": 1.9e6, "shortUsd": 2.9e6, "longCount": 1, "shortCount": 1}
    assert answer["positions"][1]["liquidationPriceUsd"] is None
    alerts = await body(kept_rig, "/advanced/whale/alerts?symbol=ETH")
    assert [row["action"] for row in alerts["alerts"]] == ["closed"]
    assert alerts["opened"]["longCount"] == 0


@pytest.mark.parametrize("path", ["/advanced/whale/alerts", "/advanced/whale/positions"])
async def test_another_exchange_than_hyperliquid_is_refused_clearly(kept_rig: Any, path: str) -> None:
    answer = await kept_rig.get(f"{path}?exchange=binance")
    assert answer.status_code == 400
    assert "only hyperliquid" in answer.json()["detail"]
    assert (await kept_rig.get(f"{path}?exchange=Hyperliquid")).status_code == 200


async def test_the_fattest_dashboard_stays_under_20_kb(rig: Any) -> None:
    rig.derivatives.found = facts(venues=80)
    answer = await rig.get("/coinglass/dashboard/BTC")
    assert len(answer.content) <= 20_000
    assert len(answer.json()["fundingExchanges"]) == 6


@pytest.mark.parametrize("path", (*COIN_ROUTES, *LIST_ROUTES))
async def test_the_fattest_answers_stay_under_what_an_assistant_reads(rig: Any, path: str) -> None:
    rig.derivatives.found = facts(venues=80)
    glue = "&" if "?" in path else "?"
    limit = {"/coinglass/markets": 100, "/replay/oi/BTC": 500}.get(path)
    answer = await rig.get(path if limit is None else f"{path}{glue}limit={limit}")
    assert len(answer.content) <= 90_000


async def test_each_part_of_a_dashboard_may_be_missing_alone(rig: Any) -> None:
    whole = await body(rig, "/coinglass/dashboard/BTC")
    for view in [part["part"] for part in whole["sources"]]:
        rig.now_s += 2
        rig.derivatives.found = facts()
        del rig.derivatives.found[View(view)]
        answer = await body(rig, "/coinglass/dashboard/BTC")
        assert [part["part"] for part in answer["missing"]] == [view]
        assert len(answer["sources"]) == len(whole["sources"]) - 1


async def test_a_dashboard_is_reused_for_a_moment_and_carries_an_etag(rig: Any) -> None:
    first = await rig.get("/coinglass/dashboard/BTC")
    again = await rig.get("/coinglass/dashboard/btc-usdt")
    assert first.headers["etag"] == again.headers["etag"]
    assert len(rig.derivatives.asked) == 1
    unchanged = await rig.get("/coinglass/dashboard/BTC", headers={"If-None-Match": first.headers["etag"]})
    assert unchanged.status_code == 304


MIRRORED = (
    (
        "/coinglass/liquidations/BTC?include_orders=true",
        ("windows", 0, "longUsd"),
        ("windows", 0, "shortUsd"),
    ),
    ("/coinglass/long-short-ratio/BTC", ("accounts", "longFrac"), ("accounts", "shortFrac")),
    ("/advanced/whale/positions", ("summary", "longUsd"), ("summary", "shortUsd")),
    (
        "/coinglass/markets/BTC",
        ("market", "liquidations", 0, "longUsd"),
        ("market", "liquidations", 0, "shortUsd"),
    ),
)


@pytest.mark.parametrize(("path", "long_at", "short_at"), MIRRORED)
async def test_swapping_long_and_short_swaps_the_answer(
    rig: Any, path: str, long_at: tuple[Any, ...], short_at: tuple[Any, ...]
) -> None:
    def at(answer: Any, where: tuple[Any, ...]) -> float:
        for step in where:
            answer = answer[step]
        return float(answer)

    plain = await body(rig, path)
    rig.derivatives.found = {view: swapped(value) for view, value in rig.derivatives.found.items()}
    mirrored = await body(rig, path)
    assert at(plain, long_at) == pytest.approx(at(mirrored, short_at))
    assert at(plain, short_at) == pytest.approx(at(mirrored, long_at))
    assert at(plain, long_at) != at(plain, short_at)


@pytest.mark.parametrize("path", COIN_ROUTES)
async def test_an_unknown_coin_is_a_404_with_near_matches(kept_rig: Any, path: str) -> None:
    answer = await kept_rig.get(path.replace("/BTC", "/BTCC"))
    assert answer.status_code == 404
    assert "BTC" in answer.json()["near"]
