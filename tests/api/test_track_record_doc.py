"""docs/track-record.md says the costs, limits and field names of the code."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from app.api.schemas.track_record import TrackRecordResponse
from app.api.schemas.track_record_parts import BaselineItem, CalibrationItem, TradesItem
from app.core.domain.formatting import format_percent
from app.core.domain.outcomes import RECORD_HORIZON
from app.core.domain.track_record import ENOUGH_EFFECTIVE_N
from app.core.outcomes.costs import (
    HALF_SPREAD_FRAC,
    SLIPPAGE_FRAC,
    TAKER_FEE_FRAC,
    break_even_rate,
    round_trip_frac,
)

DOC = (Path(__file__).resolve().parents[2] / "docs" / "track-record.md").read_text("utf-8")


def row(name: str) -> list[str]:
    """The cells of a table row, without what is said in brackets."""
    found = re.search(rf"^\| {name} \|(.*)\|$", DOC, re.MULTILINE)
    assert found is not None, name
    return [re.sub(r"\(.*\)|\*", "", cell).strip() for cell in found[1].split("|")]


@pytest.mark.parametrize(
    ("name", "per_fill", "times"),
    [("taker fee", TAKER_FEE_FRAC, 1), ("half spread", HALF_SPREAD_FRAC, 3), ("slippage", SLIPPAGE_FRAC, 3)],
)
def test_costs_are_those_that_are_charged(name: str, per_fill: float, times: int) -> None:
    both = [2 * per_fill, 2 * per_fill * times]
    assert row(name) == [format_percent(frac, 2) for frac in (per_fill, *both)]


def test_costs_together_are_a_round_trip() -> None:
    assert row("together")[1:] == [format_percent(round_trip_frac(tier), 2) for tier in (1, 2)]
    assert break_even_rate(0.005, 0.001) == pytest.approx(0.6)


def test_limits_are_those_of_the_code() -> None:
    assert f"effective n of {ENOUGH_EFFECTIVE_N:.0f}" in DOC
    assert f"The record's headline is {RECORD_HORIZON[:-1]} h" in DOC


def test_every_field_that_is_explained_exists() -> None:
    table = DOC.partition("## What each figure means")[2].partition("The sentence says")[0]
    named = re.findall(r"`([a-zA-Z]+)`", table)
    fields = {
        str(field.alias)
        for model in (TrackRecordResponse, TradesItem, BaselineItem, CalibrationItem)
        for field in model.model_fields.values()
    }
    beside = {"scored", "probability", "probabilityReason"}
    assert set(named) - beside <= fields
    assert len(named) > 15
