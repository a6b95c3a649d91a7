"""`/coinglass/status`: the budget as it is, cut when it is long."""

from __future__ import annotations

from typing import Any


async def test_the_budget_is_told_with_units_and_the_next_call(rig: Any) -> None:
    answer = (await rig.get("/coinglass/status")).json()
    assert (answer["callsLimit"], answer["callsUsed"], answer["callsLeft"]) == (300, 12, 288)
    assert (answer["callsReserved"], answer["plannedPerMinute"]) == (60, 240.0)
    assert (answer["efficiency"], answer["nextPollS"]) == (0.951, 0.25)
    first = answer["resources"][0]
    assert (first["ageS"], first["periodS"], first["dueS"], first["watched"]) == (4.2, 61.5, 55.8, True)


async def test_a_long_plan_is_cut_and_says_so(rig: Any) -> None:
    rig.budget.rows = 2_000
    answer = (await rig.get("/coinglass/status")).json()
    assert (len(answer["resources"]), answer["total"], answer["truncated"]) == (100, 2_000, True)
