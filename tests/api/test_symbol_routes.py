"""`/symbols`: which coins can be asked for."""

from __future__ import annotations

from typing import Any

import pytest

from app.api.schemas.symbols import SymbolSearchResponse


async def test_a_spelling_names_its_coin_and_its_look_alikes(kept_rig: Any) -> None:
    answer = await kept_rig.get("/symbols", params={"query": "btt/usdt:usdt"})
    assert answer.status_code == 200
    SymbolSearchResponse.model_validate_json(answer.content)
    body = answer.json()
    assert (body["exact"], body["found"], body["listed"]) == ("BTT", ["BTT", "BTC"], 38)
    assert (body["dataMode"], body["timestamp"]) == ("demo", "2026-02-25T06:13:20.000Z")


async def test_a_coin_that_no_list_has_is_an_answer_and_no_error(kept_rig: Any) -> None:
    body = (await kept_rig.get("/symbols", params={"query": "ZZZZ"})).json()
    assert (body["exact"], body["found"]) == (None, [])


@pytest.mark.parametrize("params", [{}, {"query": "../x"}, {"query": "BTC", "limit": 21}, {"query": ""}])
async def test_what_makes_no_sense_is_400(kept_rig: Any, params: dict[str, Any]) -> None:
    answer = await kept_rig.get("/symbols", params=params)
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid_parameter")
    assert "symbol" not in answer.json()["detail"].partition(":")[0]
