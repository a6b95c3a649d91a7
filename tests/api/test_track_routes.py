"""The honest record over HTTP: what adds up, what is null, what is no error, how long an answer may be."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from typing import Any

import pytest

from app.core.domain.signal import Direction, Mode
from app.core.domain.stored import ChainReport, Trigger
from app.core.domain.track_record import Group, HorizonRecord, ReliabilityBin, SignalCount, TradeStats
from tests.track_facts import (
    HORIZONS,
    SIDES,
    calibrated,
    empty,
    horizon,
    mean,
    mirrored,
    record,
    sharpe,
    trades,
)

ROUTES = ("/track-record", "/track-record/BTC")
NUMBERS = ("emitted", "scored", "unscorable", "open")


async def ask(rig: Any, path: str) -> dict[str, Any]:
    answer = await rig.get(path)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def nulls(row: dict[str, Any]) -> set[str]:
    return {key for key, value in row.items() if value is None}


@pytest.mark.parametrize("path", ROUTES)
@pytest.mark.parametrize("detail", ["compact", "full"])
async def test_counts_add_up(kept_rig: Any, path: str, detail: str) -> None:
    body = await ask(kept_rig, f"{path}?detail={detail}")
    assert body["evaluations"] == body["neutral"] + body["long"] + body["short"]
    assert [one["horizon"] for one in body["horizons"]] == list(HORIZONS)
    everything = [one["trades"] for one in body["horizons"]]
    for one in body["full"] or ():
        everything += [row["trades"] for row in (*one["groups"], *one["baselines"])]
    for row in everything:
        assert row["emitted"] == row["scored"] + row["unscorable"] + row["open"]
        assert row["wins"] <= row["scored"]
        assert row["hitRate"] == pytest.approx(row["wins"] / row["scored"], abs=1e-4)
        assert row["apartLow"] <= row["wilsonLow"] <= row["hitRate"] <= row["wilsonHigh"] <= row["apartHigh"]
        assert row["effectiveN"] <= row["scored"]
    shown = next(one["trades"] for one in body["horizons"] if one["horizon"] == body["headline"])
    assert shown["emitted"] == body["long"] + body["short"]


async def test_the_record_is_told_with_its_sentence_and_its_conditions(kept_rig: Any) -> None:
    body = await ask(kept_rig, "/track-record")
    assert body["summary"].startswith("In 31 days 212 LONG/SHORT signals were scored after 4 h: 47 % won")
    assert (body["symbol"], body["detail"], body["full"]) == (None, "compact", None)
    assert (body["enoughData"], body["neededEffectiveN"]) == (False, 400.0)
    assert (body["asOf"], body["ageS"], body["dataMode"]) == ("2026-02-25T06:13:20.000Z", 60.0, "demo")
    assert (body["since"], body["until"]) == ("2026-01-25T06:13:20.000Z", "2026-02-25T06:13:20.000Z")
    assert (body["variants"], body["deflatedSharpe"]) == (12, None)
    assert (body["probabilityShown"], body["calibration"]) == (False, None)
    assert body["probabilityReason"] == "107 outcomes, 500 are needed for a first fit"
    assert body["horizons"][2] == {
        "horizon": "4h",
        "trades": {
            "emitted": 217,
            "scored": 212,
            "unscorable": 2,
            "open": 3,
            "wins": 100,
            "hitRate": 0.4717,
            "wilsonLow": 0.4056,
            "wilsonHigh": 0.5388,
            "effectiveN": 61.4,
            "apartLow": 0.3522,
            "apartHigh": 0.5945,
            "breakEven": 0.58,
            "barrierBreakEven": None,
            "meanNetFrac": -0.0006,
            "meanNetLowFrac": -0.0014,
            "meanNetHighFrac": 0.0002,
            "totalNetFrac": -0.1272,
            "maxDrawdownFrac": 0.123457,
        },
    }


async def test_baselines_stand_beside_the_engine_with_the_difference(kept_rig: Any) -> None:
    body = await ask(kept_rig, "/track-record?detail=full")
    brief = {row["name"]: row for row in body["baselines"]}
    assert brief["random at the engine's rate"] == {
        "name": "random at the engine's rate",
        "scored": 701,
        "hitRate": 0.4736,
        "meanNetFrac": -0.000712,
        "engineMinusFrac": 0.000112,
        "engineMinusLowFrac": -0.000688,
        "engineMinusHighFrac": 0.000912,
    }
    whole = next(one for one in body["full"] if one["horizon"] == "4h")
    for row in whole["baselines"]:
        assert row["trait"] == "baseline"
        assert row["engineMinusFrac"] == brief[row["name"]]["engineMinusFrac"]
        assert row["trades"]["hitRate"] == brief[row["name"]]["hitRate"]


async def test_splits_name_their_trait_and_value(kept_rig: Any) -> None:
    body = await ask(kept_rig, "/track-record")
    named = [(row["trait"], row["name"]) for row in body["groups"]]
    assert ("side", "LONG") in named
    assert ("trend", "down") in named
    assert ("confidence", "high") in named
    assert {trait for trait, _ in named} == {"side", "tier", "volatility", "trend", "confidence"}


async def test_the_mirrored_record_is_the_mirrored_answer(rig: Any) -> None:
    plain = await ask(rig, "/track-record?detail=full")
    rig.track.found = mirrored(rig.track.found)
    turned = await ask(rig, "/track-record/BTC?detail=full")
    assert (turned["long"], turned["short"]) == (plain["short"], plain["long"])

    def rows(body: dict[str, Any], swap: dict[str, str]) -> list[Any]:
        return [
            {**row, "name": swap.get(row["name"], row["name"])}
            for one in body["full"]
            for row in (*one["groups"], *one["baselines"])
        ]

    assert rows(turned, {}) == rows(plain, SIDES)
    assert turned["horizons"] == plain["horizons"]


@pytest.mark.parametrize("path", ROUTES)
@pytest.mark.parametrize("detail", ["compact", "full"])
async def test_a_service_without_a_past_answers_nulls_and_no_zeros_that_look_like_data(
    rig: Any, path: str, detail: str
) -> None:
    rig.track.found = empty()
    body = await ask(rig, f"{path}?detail={detail}")
    assert body["summary"].startswith("No scheduled evaluation")
    assert (body["since"], body["until"], body["calibration"]) == (None, None, None)
    assert (body["groups"], body["baselines"]) == ([], [])
    for one in body["horizons"]:
        assert nulls(one["trades"]) == set(one["trades"]) - {*NUMBERS, "wins"}
        assert {one["trades"][key] for key in NUMBERS} == {0}
    assert body["full"] is None or all(one["groups"] == [] for one in body["full"])


async def test_a_record_without_horizons_is_an_answer(rig: Any) -> None:
    rig.track.found = record(horizons=())
    body = await ask(rig, "/track-record?detail=full")
    assert (body["horizons"], body["groups"], body["full"]) == ([], [], [])


@pytest.mark.parametrize("is_shown", [True, False])
async def test_the_fit_of_these_rows_decides_nothing_about_the_probability_of_signals(
    rig: Any, is_shown: bool
) -> None:
    fit = calibrated(is_shown=not is_shown)
    rig.track.no_probability = "" if is_shown else "the calibration is 4 days old"
    rig.track.found = record(
        horizons=tuple(horizon(name, fit=fit) for name in HORIZONS), deflated=sharpe(0.41)
    )
    body = await ask(rig, "/track-record?detail=full")
    assert body["probabilityShown"] is is_shown
    assert body["probabilityReason"] == (None if is_shown else "the calibration is 4 days old")
    told = body["calibration"]
    assert (told["brier"], told["baseBrier"], told["skill"]) == (0.2512, 0.2491, -0.0084)
    assert sum(one["n"] for one in told["bins"]) == told["n"]
    assert told == next(one["calibration"] for one in body["full"] if one["horizon"] == "4h")
    assert (await ask(rig, "/track-record"))["calibration"] == {**told, "bins": []}
    assert told["bins"][0] == {"low": 0.3, "high": 0.4, "n": 53, "probability": 0.35, "hitRate": 0.4717}
    assert body["deflatedSharpe"] == {
        "sharpePerDay": 0.021,
        "days": 31,
        "benchmark": 0.0312,
        "probability": 0.41,
    }


@pytest.mark.parametrize("path", ROUTES)
async def test_a_usual_answer_fits_an_assistant(rig: Any, path: str) -> None:
    bins = tuple(ReliabilityBin(n / 10, (n + 1) / 10, 1_053, n / 10 + 0.0512, 0.4717) for n in range(10))
    fit = replace(calibrated(), bins=bins)
    rig.track.found = record(
        horizons=tuple(horizon(name, fit=fit) for name in HORIZONS), deflated=sharpe(), notes=("n" * 110,) * 9
    )
    assert len((await rig.get(path)).content) <= 8_000


def crowded(name: str) -> HorizonRecord:
    """A horizon with more rows, longer names and longer numbers than any record has."""
    rule = replace(
        trades("r" * 80, scored=123_456_789, wins=61_234_567, effective_n=1_234_567.89, minus=-0.123456789),
        total_net_frac=-123_456.123456789,
    )
    wide = mean(-0.123456789, half=0.000123456)
    rule = replace(rule, mean_net=wide, engine_minus=wide)
    fit = calibrated()
    bins = tuple(ReliabilityBin(n / 40, (n + 1) / 40, 123_456_789, 0.123456, 0.654321) for n in range(40))
    fit = replace(fit, bins=bins, why_not="w" * 400, method="m" * 80)
    groups = tuple(Group("t" * 80, rule) for _ in range(60))
    return HorizonRecord(name, rule, groups, (rule,) * 60, fit, "")


@pytest.mark.parametrize("path", ROUTES)
async def test_the_largest_record_stays_under_what_an_assistant_reads(rig: Any, path: str) -> None:
    horizons = tuple(crowded(name) for name in (*HORIZONS, "2d", "3d"))
    rig.track.found = record(
        horizons=horizons, notes=("n" * 500,) * 40, engine_versions=("v" * 80,) * 40, deflated=sharpe()
    )
    body = await rig.get(f"{path}?detail=full")
    assert body.status_code == 200
    assert len(body.content) <= 90_000
    assert body.json()["truncated"] is True
    assert len(body.json()["full"]) == 4


async def test_what_fits_is_not_called_truncated(kept_rig: Any) -> None:
    assert (await ask(kept_rig, "/track-record"))["truncated"] is False


async def test_newest_engine_versions_are_kept_when_there_are_too_many(rig: Any) -> None:
    rig.track.found = record(engine_versions=tuple(f"1.{n}.0" for n in range(15)))
    body = await ask(rig, "/track-record")
    assert (body["engineVersions"][0], body["engineVersions"][-1]) == ("1.3.0", "1.14.0")
    assert body["truncated"] is True


@pytest.mark.parametrize("spelling", ["btc", "BTCUSDT", "BTC-USDT-SWAP"])
async def test_spellings_are_one_coin(kept_rig: Any, spelling: str) -> None:
    body = await ask(kept_rig, f"/track-record/{spelling}")
    assert body["symbol"] == "BTC"
    assert "scored for BTC after" in body["summary"]


async def test_an_unknown_coin_is_a_404_with_look_alikes(kept_rig: Any) -> None:
    answer = await kept_rig.get("/track-record/BTCC")
    assert answer.status_code == 404
    assert "BTC" in answer.json()["near"]


async def test_verify_is_no_coin_and_a_coin_is_no_verify(rig: Any) -> None:
    assert (await ask(rig, "/track-record/verify"))["ok"] is True
    assert rig.track.asked == ["verify"]
    assert (await rig.get("/track-record/VERIFY")).json()["code"] == "unknown_symbol"
    assert "summary" in await ask(rig, "/track-record/BTC")
    assert "summary" in await ask(rig, "/track-record")
    assert rig.track.asked == ["verify", "BTC", None]


async def test_a_chain_that_holds(kept_rig: Any) -> None:
    body = await ask(kept_rig, "/track-record/verify")
    assert (body["ok"], body["chains"], body["broken"]) == (True, 2, [])
    assert (body["signals"], body["outcomes"]) == (1_234, 9_872)
    assert (body["timestamp"], body["walked"]) == ("2026-02-25T06:13:20.000Z", "2026-02-25T06:12:40.000Z")
    assert body["ageS"] == 40.0


async def test_a_broken_chain_is_an_answer_and_says_where(rig: Any) -> None:
    rig.track.report = ChainReport(2, 1_234, 9_872, (("8d0f6c1e", 17, "hash does not fit\x00 its content"),))
    body = await ask(rig, "/track-record/verify")
    assert body["ok"] is False
    assert body["broken"] == [{"chain": "8d0f6c1e", "seq": 17, "reason": "hash does not fit  its content"}]
    rig.now_s += 2
    rig.track.report = ChainReport(9, 10**9, 10**9, (("c" * 99, 10**9, "w" * 400),) * 300)
    answer = await rig.get("/track-record/verify")
    assert len(answer.json()["broken"]) == 100
    assert len(answer.content) <= 90_000


def counts(coins: int) -> tuple[SignalCount, ...]:
    return tuple(
        SignalCount(f"COIN{n}", trigger, Mode.BALANCED, direction, n + 1, 50.123456, 0.987654)
        for n in range(coins)
        for trigger in Trigger
        for direction in Direction
    )


async def test_counts_of_signals_are_largest_first_and_add_up(rig: Any) -> None:
    rig.track.counts = counts(5)
    body = await ask(rig, "/api/stats/signals")
    assert rig.track.asked == [24]
    assert (body["since"], body["asOf"]) == ("2026-02-24T06:13:20.000Z", "2026-02-25T06:13:20.000Z")
    sizes = [row["count"] for row in body["items"]]
    assert sizes == sorted(sizes, reverse=True)
    assert sum(sizes) == sum(row["count"] for row in body["totals"]) == body["total"] == 15 * 6
    assert {row["direction"]: row["count"] for row in body["totals"] if row["trigger"] == "schedule"} == {
        "LONG": 15,
        "NEUTRAL": 15,
        "SHORT": 15,
    }
    assert body["items"][0] == {
        "symbol": "COIN4",
        "trigger": "request",
        "mode": "balanced",
        "direction": "LONG",
        "count": 5,
        "meanScore": 50.12,
        "meanCoverage": 0.9877,
    }
    assert body["truncated"] is False


async def test_many_counts_are_cut_and_the_sums_are_of_all(rig: Any) -> None:
    rig.track.counts = counts(300)
    answer = await rig.get("/api/stats/signals?hours=8784")
    body = answer.json()
    assert (len(body["items"]), body["truncated"]) == (400, True)
    assert sum(row["count"] for row in body["totals"]) == body["total"] == 6 * 300 * 301 // 2
    assert len(answer.content) <= 90_000


async def test_no_signals_are_empty_lists(kept_rig: Any) -> None:
    body = await ask(kept_rig, "/api/stats/signals?hours=1")
    assert (body["total"], body["totals"], body["items"]) == (0, [], [])


@pytest.mark.parametrize(
    "path", ["/track-record?detail=some", "/api/stats/signals?hours=0", "/api/stats/signals?hours=8785"]
)
async def test_a_malformed_question_is_a_400(kept_rig: Any, path: str) -> None:
    assert (await kept_rig.get(path)).status_code == 400


@pytest.mark.parametrize("path", [*ROUTES, "/track-record/verify", "/api/stats/signals"])
async def test_a_store_that_is_down_is_a_503(rig: Any, path: str) -> None:
    rig.track.is_down = True
    answer = await rig.get(path)
    assert (answer.status_code, answer.json()["code"]) == (503, "storage_unavailable")
    assert "retry-after" in answer.headers


@pytest.mark.parametrize("path", [*ROUTES, "/track-record/verify", "/api/stats/signals"])
async def test_an_answer_is_reused_for_a_second_and_conditional(rig: Any, path: str) -> None:
    first = await rig.get(path)
    assert first.headers["cache-control"] == "private, max-age=1"
    again = await rig.get(path, headers={"If-None-Match": first.headers["etag"]})
    assert (again.status_code, len(rig.track.asked)) == (304, 1)


async def test_forms_of_one_record_are_not_mixed_up(kept_rig: Any) -> None:
    assert (await ask(kept_rig, "/track-record"))["full"] is None
    assert (await ask(kept_rig, "/track-record?detail=full"))["full"] is not None
    assert (await ask(kept_rig, "/track-record/BTC"))["symbol"] == "BTC"
    assert (await ask(kept_rig, "/track-record/ETH"))["symbol"] == "ETH"


async def test_a_number_that_is_none_never_reaches_a_client(rig: Any) -> None:
    bad: TradeStats = replace(trades(), total_net_frac=math.nan)
    rig.track.found = record(horizons=(horizon("4h", bad),))
    answer = await rig.get("/track-record")
    assert answer.status_code == 500
    assert "NaN" not in answer.text


async def test_text_from_elsewhere_is_data(rig: Any) -> None:
    rig.track.found = record(notes=("a\u202eb\x00<script>",), headline="4h")
    body = await ask(rig, "/track-record")
    assert body["notes"] == ["a b <script>"]
    assert json.dumps(body).isascii()


async def test_trades_that_could_not_win_have_a_break_even_above_one(rig: Any) -> None:
    """Barriers of 0.25 % and costs of 0.28 %: not even the target pays, and no share of wins would do."""
    lost = replace(trades(), wins=0, break_even=1.06, barrier_break_even=1.06)
    horizons = tuple(
        replace(horizon(name), engine=lost, groups=(Group("tier", lost),), baselines=(lost,))
        for name in HORIZONS
    )
    rig.track.found = record(horizons=horizons)
    for detail in ("compact", "full"):
        body = await ask(rig, f"/track-record?detail={detail}")
        assert {one["trades"]["breakEven"] for one in body["horizons"]} == {1.06}
