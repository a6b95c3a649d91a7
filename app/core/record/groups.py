"""The engine's trades by side, coin tier, market and confidence: the same answers, sorted by one trait.

Owns how rows are sorted; `trades` scores each part like a rule of its own.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from app.core.record.columns import (
    LEVELS,
    LONG,
    NEUTRAL,
    SHORT,
    TRENDS,
    VOLATILITIES,
    Codes,
    Evaluations,
)
from app.core.record.trades import Rule

_SIDES = {LONG: "LONG", SHORT: "SHORT"}


class Part(NamedTuple):
    """Trades with one value of one trait; rule.name is the value."""

    trait: str
    rule: Rule


def parts_of(evaluations: Evaluations) -> list[Part]:
    """Every value of every trait under which there is a trade, in a fixed order."""
    tiers = {int(tier): str(tier) for tier in np.unique(evaluations.tier)}
    levels = {k: level.value for k, level in enumerate(LEVELS)}
    traits: list[tuple[str, Codes, dict[int, str]]] = [
        ("side", evaluations.direction, _SIDES),
        ("tier", evaluations.tier, tiers),
        ("volatility", evaluations.volatility, dict(VOLATILITIES)),
        ("trend", evaluations.trend, dict(TRENDS)),
        ("confidence", evaluations.level, levels),
    ]
    found = []
    for trait, column, names in traits:
        for code, name in names.items():
            position = np.where(column == code, evaluations.direction, NEUTRAL).astype(np.int8)
            if position.any():
                found.append(Part(trait, Rule(name, position)))
    return found
