"""The liquidity routes as a client meets them: one analysis in six shapes, spellings, refusals, sizes."""

from __future__ import annotations

from typing import Any

import pytest

from app.api.schemas.liquidity import SetupItem
from app.core.domain.quality import Missing, MissingReason
from tests.liquidity_rig import HOURS

PREFIX = "/api/gpts/coinglass"
QUESTIONS = (
    "liquidity-map",
    "liquidation-heatmap",
    "market-sentiment",
    "confluence-analysis",
    "trading-opportunities",
)


async def ask(rig: Any, path: str, **params: str) -> dict[str, Any]:
    answer = await rig.get(path, params=params)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def question(rig: Any, name: str, **params: str) -> dict[str, Any]:
    return await ask(rig, f"{PREFIX}/{name}", **({"symbol": "BTC"} | params))


@pytest.mark.parametrize("name", QUESTIONS)
async def test_every_answer_says_what_it_stands_on(kept_rig: Any, name: str) -> None:
    answer = await question(kept_rig, name)
    assert (answer["symbol"], answer["timeframe"], answer["dataMode"]) == ("BTC", "1h", "demo")
    assert (answer["priceSource"], answer["candlesSource"], answer["missing"]) == ("okx", "okx", [])
    assert answer["priceAgeS"] == 1.0
    assert answer["atr"] > 0


@pytest.mark.parametrize("name", QUESTIONS)
async def test_answers_fit_an_assistant(kept_rig: Any, name: str) -> None:
    answer = await kept_rig.get(f"{PREFIX}/{name}", params={"symbol": "BTC"})
    assert len(answer.content) <= 8_500


async def test_the_map_names_magnets_confluence_and_odds(kept_rig: Any) -> None:
    answer = await question(kept_rig, "liquidity-map")
    assert answer["levels"]["source"] == "estimate"
    assert "open interest" in answer["levels"]["meaning"]
    magnets = [one["magnet"] for one in answer["liquidityMagnets"]]
    assert magnets == sorted(magnets, reverse=True)
    assert 90 < sum(magnets) <= 100.1  # the weakest of many clusters are left out
    for one in answer["liquidityMagnets"]:
        assert set(one) >= {"price", "volume", "side", "strength"}
        assert (one["side"] == "LONG") == (one["near"] < answer["price"])
    assert all(one["liquidationConfluence"] for one in answer["confluentLevels"])
    for one in answer["sweepProbabilities"]:
        assert one["source"] == "hitRateTable"
        assert one["within4h"] <= one["within24h"]
        assert (one["n4h"], one["n24h"]) == (24_430, 4_068)
    distances = [one["distanceAtr1h"] for one in answer["sweepProbabilities"]]
    assert distances == sorted(distances)


async def test_clusters_and_zones_tell_one_story(kept_rig: Any) -> None:
    clusters = await question(kept_rig, "liquidation-heatmap")
    prices = [one["price"] for one in clusters["clusters"]]
    assert prices == sorted(prices, reverse=True)
    shown = sum(one["volume"] for one in clusters["clusters"])
    assert 0.8 * (clusters["longVolume"] + clusters["shortVolume"]) < shown
    assert shown <= clusters["longVolume"] + clusters["shortVolume"] + 1
    analysis, zones = await question(kept_rig, "confluence-analysis"), await ask(kept_rig, "/smc/BTC")
    assert analysis["structure"] == zones["structure"]
    assert analysis["zones"] == zones["zones"]
    assert analysis["structure"]["candles"] == HOURS
    assert analysis["sentence"].startswith("BTC 1h: ")
    scores = [zone["confluenceScore"] for zone in zones["zones"]]
    assert scores == sorted(scores, reverse=True)


async def test_sentiment_adds_up(kept_rig: Any) -> None:
    answer = await question(kept_rig, "market-sentiment")
    parts = answer["parts"]
    assert [part["name"] for part in parts] == [
        "liquidations",
        "funding",
        "long_short",
        "oi_trend",
        "fear_greed",
    ]
    assert sum(part["weight"] for part in parts) == pytest.approx(100, abs=0.02)
    assert answer["score"] == pytest.approx(sum(p["score"] * p["weight"] for p in parts) / 100, abs=0.02)


async def test_without_levels_nothing_is_made_up(rig: Any) -> None:
    gone = Missing(MissingReason.TIMEOUT, "okx: no answer")
    rig.liquidity.changes = {"open_interest_base": gone, "open_interest_usd": gone}
    answer = await question(rig, "liquidity-map")
    assert (answer["levels"], answer["bias"]) == (None, None)
    assert (answer["liquidityMagnets"], answer["sweepProbabilities"]) == ([], [])
    assert [lack["what"] for lack in answer["missing"]] == ["liquidity"]
    clusters = await question(rig, "liquidation-heatmap", timeframe="4h")
    assert (clusters["longVolume"], clusters["shortVolume"]) == (None, None)
    plans = await question(rig, "trading-opportunities")
    assert plans["opportunities"] == []
    zones = (await ask(rig, "/smc/BTC"))["zones"]
    assert zones
    assert {zone["confluenceScore"] for zone in zones} == {None}


@pytest.mark.parametrize("spelling", ["btc", "BTC-USDT-SWAP", "BTC/USDT:USDT", "BTCUSDT"])
async def test_spellings_are_one_coin(kept_rig: Any, spelling: str) -> None:
    assert (await question(kept_rig, "liquidity-map", symbol=spelling))["symbol"] == "BTC"


@pytest.mark.parametrize(("spelling", "meant"), [("h4", "4h"), ("4H", "4h"), ("d1", "1d")])
async def test_older_spellings_of_a_timeframe_are_read(kept_rig: Any, spelling: str, meant: str) -> None:
    assert (await ask(kept_rig, "/smc/BTC", timeframe=spelling))["timeframe"] == meant


@pytest.mark.parametrize(
    "path", ["/smc/BTC", "/smc/BTC/chart.png", *(f"{PREFIX}/{name}" for name in QUESTIONS)]
)
@pytest.mark.parametrize("timeframe", ["2h", "", "1w", "1h;"])
async def test_a_timeframe_outside_of_the_list_is_a_400(kept_rig: Any, path: str, timeframe: str) -> None:
    answer = await kept_rig.get(path, params={"symbol": "BTC", "timeframe": timeframe})
    assert answer.status_code == 400
    problem = answer.json()
    assert problem["code"] == "invalid_parameter"
    assert "5m, 15m, 30m, 1h, 4h, 1d" in problem["detail"]


async def test_unknown_coins_and_missing_ones_are_problems(kept_rig: Any) -> None:
    assert (await kept_rig.get("/smc/NOPE")).status_code == 404
    assert (await kept_rig.get(f"{PREFIX}/liquidity-map")).status_code == 400


async def test_no_price_is_a_503(rig: Any) -> None:
    rig.liquidity.changes = {"price": Missing(MissingReason.UNAVAILABLE, "okx down")}
    answer = await rig.get("/smc/BTC")
    assert answer.status_code == 503
    assert answer.json()["code"] == "no_price"


async def test_the_picture_is_not_swallowed_by_the_json_route(kept_rig: Any) -> None:
    answer = await kept_rig.get("/smc/BTC/chart.png", params={"timeframe": "4h"})
    assert answer.headers["content-type"] == "image/png"
    assert answer.content.startswith(b"\x89PNG")
    assert (await kept_rig.get("/smc/BTC")).headers["content-type"] == "application/json"


async def test_an_answer_is_reused_within_a_second_and_conditional(rig: Any) -> None:
    first = await rig.get("/smc/BTC")
    again = await rig.get("/smc/BTC", headers={"If-None-Match": first.headers["etag"]})
    assert again.status_code == 304
    assert len(rig.liquidity.answers) == 1


async def test_a_plan_has_no_probability_and_says_why(kept_rig: Any) -> None:
    plans = (await question(kept_rig, "trading-opportunities"))["opportunities"]
    assert plans
    for plan in plans:
        assert plan["probability"] is None
        assert "not been followed often enough" in plan["probabilityReason"]


def test_the_chances_of_a_plan_are_said_to_be_a_models() -> None:
    for name in ("target_probability", "stop_probability", "expectancy_r", "risk_score"):
        assert "unverified" in str(SetupItem.model_fields[name].description)
