"""Parts of the engine's trades: each trait holds all of them once."""

from __future__ import annotations

from collections import Counter

import numpy as np

from app.core.record.columns import LEVELS
from app.core.record.groups import parts_of
from tests.core.record.markets import make_evaluations, mirrored


def test_every_trait_holds_every_trade_once() -> None:
    evaluations = make_evaluations(500)
    totals: Counter[str] = Counter()
    for part in parts_of(evaluations):
        kept = part.rule.position != 0
        assert kept.any()
        np.testing.assert_array_equal(part.rule.position[kept], evaluations.direction[kept])
        totals[part.trait] += int(kept.sum())
    assert dict(totals) == dict.fromkeys(
        ("side", "tier", "volatility", "trend", "confidence"), np.count_nonzero(evaluations.direction)
    )


def test_values_have_their_names() -> None:
    evaluations = make_evaluations(500)
    names = [(part.trait, part.rule.name) for part in parts_of(evaluations)]
    assert names == [
        ("side", "LONG"), ("side", "SHORT"), ("tier", "1"), ("tier", "2"), ("tier", "3"),
        ("volatility", "low"), ("volatility", "middle"), ("volatility", "high"), ("volatility", "unknown"),
        ("trend", "up"), ("trend", "none"), ("trend", "down"), ("trend", "unknown"),
        ("confidence", "low"), ("confidence", "medium"), ("confidence", "high"),
    ]  # fmt: skip
    sure = parts_of(evaluations)[-1].rule
    assert sure.name == LEVELS[2].value
    assert (evaluations.level[sure.position != 0] == 2).all()


def test_upside_down_sides_and_trends_swap() -> None:
    evaluations = make_evaluations(500)
    swap = {"LONG": "SHORT", "SHORT": "LONG", "up": "down", "down": "up"}
    found = {(part.trait, part.rule.name): part.rule.position for part in parts_of(evaluations)}
    for part in parts_of(mirrored(evaluations)):
        before = found[part.trait, swap.get(part.rule.name, part.rule.name)]
        np.testing.assert_array_equal(part.rule.position, -before)


def test_without_trades_there_are_no_parts() -> None:
    assert parts_of(make_evaluations(0)) == []
