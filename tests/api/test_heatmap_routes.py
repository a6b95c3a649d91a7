"""`/heatmap/{symbol}` as JSON and PNG, and the provider's heatmap route when only the own record answers."""

from __future__ import annotations

from typing import Any

import pytest

from app.core.domain.derivatives import HeatmapCell, LiquidationHeatmap, PositionSide
from app.core.domain.stored import TileRow
from app.core.domain.views import View
from app.core.errors import StorageUnavailable
from tests.heatmap_facts import TO_MIN, busy_day, mirrored, tile

DAY = busy_day(per_minute=9)


async def body(rig: Any, path: str = "/heatmap/BTC") -> dict[str, Any]:
    answer = await rig.get(path)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def test_the_cells_sum_to_the_totals_and_the_rows_to_their_cells(rig: Any) -> None:
    rig.heatmap.store.kept = DAY
    answer = await body(rig)
    grid = answer["grid"]
    assert (answer["state"], answer["source"], answer["dataMode"]) == ("filled", "store", "demo")
    assert answer["totals"]["longUsd"] == pytest.approx(sum(item.long_usd for item in DAY), rel=1e-6)
    assert answer["totals"]["events"] == sum(item.events for item in DAY)
    for side in ("longUsd", "shortUsd"):
        assert sum(cell[side] for cell in grid["cells"]) == pytest.approx(answer["totals"][side], rel=1e-4)
        assert sum(row[side] for row in grid["rows"]) == pytest.approx(answer["totals"][side], rel=1e-4)
    assert (grid["cutCells"], grid["cutUsd"]) == (0, 0.0)


async def test_swapping_long_and_short_swaps_the_answer(rig: Any, make_rig: Any) -> None:
    other = make_rig()
    rig.heatmap.store.kept, other.heatmap.store.kept = DAY, mirrored(DAY)
    one, two = await body(rig), await body(other)
    assert one["totals"]["longUsd"] == two["totals"]["shortUsd"]
    assert [cell["longUsd"] for cell in one["grid"]["cells"]] == [
        cell["shortUsd"] for cell in two["grid"]["cells"]
    ]


async def test_columns_are_times_and_rows_are_prices(rig: Any) -> None:
    rig.heatmap.store.kept = [tile(1, 96_000.0, 2e6), tile(9, 97_000.0, 0.0, 1e6)]
    grid = (await body(rig, "/heatmap/BTC?minutes=10"))["grid"]
    assert (grid["columnMinutes"], grid["rowFrac"], grid["coarser"]) == (1, 0.0025, False)
    assert len(grid["columns"]) == 10
    first, last = grid["cells"]
    assert (first["column"], last["column"]) == (1, 9)
    assert grid["rows"][last["row"]]["lowUsd"] <= 96_000 < grid["rows"][last["row"]]["highUsd"]
    assert (last["longUsd"], first["shortUsd"]) == (2e6, 1e6)


async def test_a_wider_bucket_gives_fewer_rows_and_the_same_sums(rig: Any) -> None:
    rig.heatmap.store.kept = DAY
    fine, coarse = await body(rig, "/heatmap/BTC?bucket=0.25"), await body(rig, "/heatmap/BTC?bucket=2")
    assert len(coarse["grid"]["rows"]) < len(fine["grid"]["rows"])
    assert coarse["grid"]["rowFrac"] == pytest.approx(0.020176, abs=1e-6)
    assert coarse["totals"] == fine["totals"]


async def test_nothing_stored_is_null_with_its_reason_and_never_zero(kept_rig: Any) -> None:
    answer = await body(kept_rig)
    assert answer["state"] == "nothing_stored"
    assert (answer["totals"], answer["grid"], answer["levels"], answer["asOf"], answer["ageS"]) == (None,) * 5
    assert "python -m app.backfill" in answer["sentence"]
    assert [part["part"] for part in answer["missing"]] == [
        "liquidations",
        "open_interest_change",
        "swing_proximity",
    ]


async def test_a_quiet_window_says_how_old_the_newest_is(rig: Any) -> None:
    rig.heatmap.store.kept = [tile(61, 96_000.0, 1.0)]
    answer = await body(rig, "/heatmap/BTC?minutes=60")
    assert (answer["state"], answer["totals"]) == ("empty_window", None)
    assert answer["ageS"] == 3640.0


async def test_the_composite_names_what_it_lacks_and_cannot_alert(rig: Any) -> None:
    rig.heatmap.store.kept = [tile(1, 96_000.0, 5e5)]
    composite = (await body(rig))["composite"]
    assert not composite["canAlert"]
    assert composite["whyNoAlert"] == "missing: open_interest_change, swing_proximity"
    tile_found = composite["tiles"][0]
    assert tile_found["lowUsd"] <= 96_000 < tile_found["highUsd"]
    assert (tile_found["score"], tile_found["liquidationPart"], tile_found["swingPart"]) == (0.6, 1.0, None)


async def test_levels_are_measured_from_the_price_that_is_shown(rig: Any) -> None:
    rig.heatmap.store.kept = [tile(5, 90_000.0, 3e6), tile(7, 99_000.0, 0.0, 2e6)]
    answer = await body(rig)
    assert answer["price"] == {"priceUsd": 96_200.5, "kind": "last_trade", "provider": "okx", "ageS": 1.5}
    assert answer["levels"]["below"][0]["distanceFrac"] == pytest.approx(90_000 / 96_200.5 - 1, abs=0.0026)
    assert answer["levels"]["above"][0]["distanceFrac"] > 0


@pytest.mark.parametrize(
    "query", ["minutes=9", "minutes=10081", "minutes=a", "bucket=0.3", "bucket=", "bucket=10"]
)
@pytest.mark.parametrize("path", ["/heatmap/BTC", "/heatmap/BTC.png"])
async def test_parameters_out_of_bounds_are_refused(kept_rig: Any, path: str, query: str) -> None:
    answer = await kept_rig.get(f"{path}?{query}")
    assert answer.status_code == 400
    assert answer.json()["code"] == "invalid_parameter"


@pytest.mark.parametrize("path", ["/heatmap/NOPECOIN", "/heatmap/NOPECOIN.png"])
async def test_an_unknown_coin_is_404(kept_rig: Any, path: str) -> None:
    assert (await kept_rig.get(path)).status_code == 404


@pytest.mark.parametrize("path", ["/heatmap/BTC", "/heatmap/BTC.png"])
async def test_a_store_that_does_not_answer_is_503(rig: Any, path: str) -> None:
    rig.heatmap.store.error = StorageUnavailable("the database does not answer")
    answer = await rig.get(path)
    assert answer.status_code == 503
    assert answer.json()["code"] == "storage_unavailable"


@pytest.mark.parametrize("spelling", ["BTC", "btc", "BTCUSDT", "BTC-USDT-SWAP"])
async def test_the_picture_is_a_png_in_any_spelling_of_the_coin(rig: Any, spelling: str) -> None:
    answer = await rig.get(f"/heatmap/{spelling}.png?minutes=60&bucket=1")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "image/png"
    assert answer.headers["x-data-mode"] == "demo"
    assert answer.content.startswith(b"\x89PNG")
    assert rig.heatmap.painter.painted[0].symbol.base == "BTC"


@pytest.mark.parametrize("path", ["/heatmap/BTC", "/heatmap/BTC.png"])
async def test_equal_questions_of_a_moment_share_one_answer(rig: Any, path: str) -> None:
    first = await rig.get(path)
    again = await rig.get(path.replace("BTC", "btc-usdt"))
    assert first.headers["etag"] == again.headers["etag"]
    assert len(rig.heatmap.store.asked) == 1
    unchanged = await rig.get(path, headers={"If-None-Match": first.headers["etag"]})
    assert unchanged.status_code == 304


async def test_json_and_picture_never_answer_for_each_other(kept_rig: Any) -> None:
    assert (await kept_rig.get("/heatmap/BTC")).headers["content-type"] == "application/json"
    assert (await kept_rig.get("/heatmap/BTC.png")).headers["content-type"] == "image/png"


def fattest() -> list[TileRow]:
    """A wild week: ten buckets in each minute, wandering over a wide range."""
    return [
        TileRow("BTC", TO_MIN - ago, 4000 + (ago * 7) % 400 + n, 123_456.789 + n, 98_765.4321 + ago, 9)
        for ago in range(10_080, 0, -1)
        for n in range(10)
    ]


@pytest.mark.parametrize("minutes", [10, 60, 1440, 10_080])
async def test_the_fattest_answer_stays_under_100_kb(rig: Any, minutes: int) -> None:
    rig.heatmap.store.kept = fattest()
    answer = await rig.get(f"/heatmap/BTC?minutes={minutes}")
    assert len(answer.content) <= 100_000
    grid = answer.json()["grid"]
    assert len(grid["cells"]) <= 1_100
    assert grid["coarser"] or grid["columnMinutes"] == 1


class TestProvidersRoute:
    """`/coinglass/liquidations/{symbol}/heatmap` when the own record is the source that answered."""

    async def test_levels_carry_the_side_that_was_liquidated_not_the_one_expected_there(
        self, rig: Any
    ) -> None:
        cells = (
            HeatmapCell(0, 97_000.0, 2e6, PositionSide.LONG),
            HeatmapCell(0, 97_000.0, 1e6, PositionSide.SHORT),
            HeatmapCell(60_000, 97_000.0, 1e6, PositionSide.LONG),
        )
        rig.derivatives.found[View.LIQUIDATION_HEATMAP] = LiquidationHeatmap(
            "own: streamed liquidations that happened in 24 h, not estimated levels",
            96_200.5,
            cells,
            is_estimate=False,
        )
        heatmap = (await body(rig, "/coinglass/liquidations/BTC/heatmap"))["heatmap"]
        assert not heatmap["isEstimate"]
        assert [(level["liquidatedSide"], level["sizeUsd"]) for level in heatmap["levels"]] == [
            ("LONG", 3e6),
            ("SHORT", 1e6),
        ]

    async def test_a_providers_estimate_says_that_it_is_one(self, kept_rig: Any) -> None:
        assert (await body(kept_rig, "/coinglass/liquidations/BTC/heatmap"))["heatmap"]["isEstimate"]
