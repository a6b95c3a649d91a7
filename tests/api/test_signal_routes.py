"""`/signals`: shape, spellings, reuse, batch, debug."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from app.api.schemas.signal import BatchResponse, SignalResponse
from app.core.domain.context import DataMode
from app.core.errors import NoPriceAvailable

FIELDS = [
    "symbol",
    "timestamp",
    "price",
    "priceKind",
    "priceSource",
    "priceAgeS",
    "priceStatus",
    "fundingRate",
    "openInterest",
    "openInterestSource",
    "openInterestAgeS",
    "socialScore",
    "signal",
    "mode",
    "score",
    "confidence",
    "confidenceScore",
    "coverage",
    "probability",
    "probabilityReason",
    "reason",
    "reasons",
    "factors",
    "confluence",
    "confluenceReason",
    "dataMode",
    "asOf",
    "missing",
    "engineVersion",
    "debug",
]
SPELLINGS = ["BTC", "btc", "BTCUSDT", "BTC-USDT", "BTC-USDT-SWAP", "ＢＴＣ", "btc_usdt"]


class TestSignal:
    async def test_answer_has_every_field_and_is_small(self, kept_rig: Any) -> None:
        answer = await kept_rig.get("/signals/BTC")
        assert answer.status_code == 200
        assert list(answer.json()) == FIELDS
        assert len(answer.content) <= 8_000
        assert answer.headers["cache-control"] == "private, max-age=1"
        assert answer.json()["debug"] is None
        assert answer.json()["confluence"] is None
        assert answer.json()["confluenceReason"] is None

    async def test_a_probability_is_null_with_its_reason_until_there_is_one(self, rig: Any) -> None:
        def told(body: Any) -> tuple[float | None, str | None]:
            return body["probability"], body["probabilityReason"]

        why = "too few outcomes"
        assert told((await rig.get("/signals/BTC")).json()) == (
            None,
            "no calibration has been made of this signal",
        )
        rig.signals.change = {"no_probability": why}
        assert told((await rig.get("/signals/ETH")).json()) == (None, why)
        rig.signals.change = {"probability": 0.6123456}
        assert told((await rig.get("/signals/SOL")).json()) == (0.6123, None)

    async def test_numbers_are_rounded_but_small_prices_keep_their_digits(self, kept_rig: Any) -> None:
        body = (await kept_rig.get("/signals/PEPE")).json()
        assert body["price"] == 0.0000118234568
        assert body["score"] == 34.57
        assert body["priceAgeS"] == 5.0
        assert body["asOf"] == "2026-02-25T06:13:20.000Z"
        assert body["factors"][0] == {
            "name": "liquidations",
            "weight": 12.5,
            "score": 43.83,
            "status": "ok",
            "source": "okx",
            "ageS": 65.432,
        }

    @pytest.mark.parametrize("spelling", SPELLINGS)
    async def test_every_usual_spelling_is_the_same_coin(self, kept_rig: Any, spelling: str) -> None:
        answer = await kept_rig.get(f"/signals/{spelling}")
        assert answer.status_code == 200
        assert answer.json()["symbol"] == "BTC"

    async def test_contract_multiplier_is_dropped(self, kept_rig: Any) -> None:
        assert (await kept_rig.get("/signals/1000PEPE")).json()["symbol"] == "PEPE"

    async def test_mode_is_passed_on(self, kept_rig: Any) -> None:
        assert (await kept_rig.get("/signals/BTC?mode=aggressive")).json()["mode"] == "aggressive"

    async def test_debug_adds_inputs_steps_and_attempts(self, kept_rig: Any, capability_count: int) -> None:
        debug = (await kept_rig.get("/signals/BTC?debug=true")).json()["debug"]
        assert len(debug["inputs"]) == capability_count
        assert len(debug["factors"]) == 8
        funding = next(item for item in debug["inputs"] if item["input"] == "funding")
        assert funding["values"] == [{"name": "value", "value": 0.00012, "unit": "frac_per_8h"}]
        assert funding["attempts"][0]["outcome"] == "not_in_plan"
        assert funding["attempts"][1]["latencyMs"] == 12.346
        social = next(item for item in debug["inputs"] if item["input"] == "social")
        assert (social["missing"], social["detail"]) == ("not_configured", "no key")

    async def test_worst_case_debug_answer_stays_under_the_budget(self, rig: Any) -> None:
        rig.signals.text = "Ж" * 5_000
        answer = await rig.get("/signals/BTC?debug=true")
        assert answer.status_code == 200
        assert len(answer.text) <= 90_000
        assert len((await rig.get("/signals/BTC")).text) <= 8_000

    async def test_control_characters_of_providers_become_spaces(self, rig: Any) -> None:
        rig.signals.text = "a\x00\x1b[31m\u202eb"
        assert (await rig.get("/signals/BTC")).json()["reason"] == "a [31m b"

    @pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
    async def test_number_that_is_not_finite_is_never_rendered(self, rig: Any, value: float) -> None:
        rig.signals.change = {"funding_8h_frac": value}
        answer = await rig.get("/signals/BTC")
        assert answer.status_code == 500
        assert answer.json()["code"] == "internal_error"
        assert "finite" not in answer.text

    async def test_no_price_is_a_503_problem_that_says_who_failed(self, rig: Any) -> None:
        rig.signals.error = NoPriceAvailable("BTC", ("okx: timeout", "coinglass: not_configured"))
        answer = await rig.get("/signals/BTC")
        assert answer.status_code == 503
        assert answer.json()["code"] == "no_price"
        assert "okx: timeout" in answer.json()["detail"]
        assert int(answer.headers["retry-after"]) >= 1

    async def test_absent_price_names_each_provider_once_in_a_kilobyte(self, rig: Any) -> None:
        long = "服务器错误\n" + "text " * 100
        names = ("okx", "okx", "coinglass", "coinapi", "fourth", "fifth")
        rig.signals.error = NoPriceAvailable("BTC", tuple(f"{name} ticker: {long}" for name in names))
        answer = await rig.get("/signals/" + "ＢＴＣ" + "ＵＳＤＴ")
        detail = answer.json()["detail"]
        assert detail.startswith("no price for BTC; okx: 服务器错误 text text")
        assert [detail.count(f"{name}: ") for name in names[:4]] == [1, 1, 1, 1]
        assert len(answer.content) <= 1024
        item = (await rig.get("/signals?symbols=BTC")).json()["items"][0]
        assert item["error"]["detail"].startswith("no price for BTC; okx: ")


class TestReuse:
    async def test_answer_is_computed_once_a_second(self, rig: Any) -> None:
        first = await rig.get("/signals/BTC")
        rig.now_s += 0.9
        second = await rig.get("/signals/btcusdt")
        assert rig.signals.calls == 1
        assert first.content == second.content
        rig.now_s += 0.2
        await rig.get("/signals/BTC")
        assert rig.signals.calls == 2

    async def test_coins_that_look_like_a_pair_keep_their_own_answer(self, rig: Any) -> None:
        items = (await rig.get("/signals?symbols=FD,FDUSD,FDUSDT")).json()["items"]
        assert [item["signal"]["symbol"] for item in items] == ["FD", "FDUSD", "FD"]
        assert rig.signals.calls == 2

    async def test_mode_and_debug_are_separate_answers(self, rig: Any) -> None:
        for query in ("", "?mode=aggressive", "?debug=true", "?mode=balanced"):
            await rig.get(f"/signals/BTC{query}")
        assert rig.signals.calls == 3

    async def test_replay_reuses_nothing(self, make_rig: Any) -> None:
        rig = make_rig(data_mode=DataMode.REPLAY)
        await rig.get("/signals/BTC")
        await rig.get("/signals/BTC")
        assert rig.signals.calls == 2

    async def test_concurrent_requests_share_one_computation(self, rig: Any) -> None:
        release = asyncio.Event()
        rig.signals.gate = release.wait
        waiting = [asyncio.create_task(rig.get("/signals/BTC")) for _ in range(20)]
        await rig.signals.started.get()
        release.set()
        answers = await asyncio.gather(*waiting)
        assert rig.signals.calls == 1
        assert {answer.status_code for answer in answers} == {200}

    async def test_failure_is_not_kept(self, rig: Any) -> None:
        rig.signals.error = NoPriceAvailable("BTC", ())
        assert (await rig.get("/signals/BTC")).status_code == 503
        rig.signals.error = None
        assert (await rig.get("/signals/BTC")).status_code == 200

    async def test_known_etag_is_not_sent_again(self, kept_rig: Any) -> None:
        etag = (await kept_rig.get("/signals/BTC")).headers["etag"]
        again = await kept_rig.get("/signals/BTC", headers={"If-None-Match": f'W/"x", W/{etag}'})
        assert (again.status_code, again.content) == (304, b"")
        assert again.headers["etag"] == etag
        other = await kept_rig.get("/signals/BTC", headers={"If-None-Match": '"other"'})
        assert other.status_code == 200


class TestBatch:
    async def test_each_coin_has_a_signal_or_its_own_error(self, kept_rig: Any) -> None:
        answer = await kept_rig.get("/signals?symbols=BTC,ETC0,ETH/USDT:USDT,%3F%3F")
        assert answer.status_code == 200
        items = answer.json()["items"]
        assert [item["requested"] for item in items] == ["BTC", "ETC0", "ETH/USDT:USDT", "??"]
        assert [item["error"] and item["error"]["status"] for item in items] == [None, 404, None, 400]
        assert items[2]["signal"]["symbol"] == "ETH"
        assert answer.json()["truncated"] is False
        BatchResponse.model_validate_json(answer.content)

    async def test_twenty_coins_are_answered_and_twenty_one_refused(self, kept_rig: Any) -> None:
        twenty = ",".join(f"C{n}" for n in range(20))
        answer = await kept_rig.get(f"/signals?symbols={twenty}")
        assert len(answer.json()["items"]) == 20
        assert len(answer.content) <= 90_000
        assert (await kept_rig.get(f"/signals?symbols={twenty},BTC")).status_code == 400

    async def test_oversize_batch_is_cut_and_says_how_to_go_on(self, rig: Any) -> None:
        rig.signals.text = "Ж" * 5_000
        names = [f"C{n}" for n in range(20)]
        seen: list[str] = []
        following: str | None = ",".join(names)
        while following:
            answer = await rig.get("/signals", params={"symbols": following})
            assert len(answer.content) <= 90_000
            assert answer.json()["truncated"] is (answer.json()["next"] is not None)
            seen += [item["requested"] for item in answer.json()["items"]]
            following = answer.json()["next"]
        assert seen == names

    async def test_full_width_letters_and_commas_are_read(self, kept_rig: Any) -> None:
        items = (await kept_rig.get("/signals", params={"symbols": "ＢＴＣ，ETH/USDT:USDT"})).json()["items"]
        assert [item["signal"]["symbol"] for item in items] == ["BTC", "ETH"]

    async def test_repeated_coin_is_answered_once(self, kept_rig: Any) -> None:
        answer = await kept_rig.get("/signals?symbols=BTC,BTC, BTC")
        assert len(answer.json()["items"]) == 1

    @pytest.mark.parametrize("query", ["", "?symbols=", "?symbols=BTC,,ETH", "?symbols=BTC&mode=wild"])
    async def test_malformed_batch_is_400(self, kept_rig: Any, query: str) -> None:
        answer = await kept_rig.get(f"/signals{query}")
        assert answer.status_code == 400
        assert answer.json()["code"] == "invalid_parameter"

    async def test_spliced_items_equal_single_answers(self, kept_rig: Any) -> None:
        single = (await kept_rig.get("/signals/BTC")).json()
        batch = (await kept_rig.get("/signals?symbols=BTC")).json()
        assert batch["items"][0]["signal"] == single
        SignalResponse.model_validate_json(json.dumps(single))
