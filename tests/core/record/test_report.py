"""The whole record: it adds up, mirrors, never holds a NaN, and claims nothing that was not there."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import fields, is_dataclass, replace

import numpy as np
import pytest

from app.core.domain.track_record import TrackRecord, TradeStats
from app.core.errors import InvariantViolation
from app.core.record.columns import Evaluations, HorizonOutcomes
from app.core.record.report import build_record
from tests.core.record.markets import (
    BALANCED,
    DAY_MS,
    HOUR_MS,
    costlier,
    make_evaluations,
    make_outcomes,
    mirrored,
    shuffled,
    swapped,
)

HORIZONS = {"15m": HOUR_MS // 4, "1h": HOUR_MS, "4h": 4 * HOUR_MS, "24h": DAY_MS}
EVALUATIONS = make_evaluations(60 * 24)


def outcomes_of(evaluations: Evaluations, edge: float = 0.0) -> list[HorizonOutcomes]:
    return [
        make_outcomes(evaluations, edge=edge, horizon=name, length_ms=length_ms, seed=k)
        for k, (name, length_ms) in enumerate(HORIZONS.items())
    ]


def record_of(
    evaluations: Evaluations, outcomes: list[HorizonOutcomes], symbol: str | None = None, variants: int = 7
) -> TrackRecord:
    return build_record(
        evaluations,
        outcomes,
        symbol=symbol,
        thresholds=BALANCED,
        variants=variants,
        min_coverage_frac=0.5,
    )


REAL = outcomes_of(EVALUATIONS, edge=0.5)


@pytest.fixture(scope="module")
def record() -> TrackRecord:
    return record_of(EVALUATIONS, REAL)


def values_in(thing: object) -> Iterator[object]:
    if is_dataclass(thing):
        for field in fields(thing):
            yield from values_in(getattr(thing, field.name))
    elif isinstance(thing, tuple):
        for item in thing:
            yield from values_in(item)
    else:
        yield thing


def stats_in(found: TrackRecord) -> Iterator[TradeStats]:
    for one in found.horizons:
        yield from (one.engine, *(group.stats for group in one.groups), *one.baselines)


def test_counts_add_up_everywhere(record: TrackRecord) -> None:
    assert record.evaluations == record.neutral + record.long + record.short == len(EVALUATIONS)
    for stats in stats_in(record):
        assert stats.emitted == stats.scored + stats.unscorable + stats.open, stats.name
        assert 0 <= stats.wins <= stats.scored
    for one in record.horizons:
        assert one.engine.emitted == record.long + record.short
        for trait in ("side", "tier", "volatility", "trend", "confidence"):
            mine = [group.stats for group in one.groups if group.trait == trait]
            assert sum(stats.scored for stats in mine) == one.engine.scored
            assert sum(stats.wins for stats in mine) == one.engine.wins


def test_it_says_what_it_is_of(record: TrackRecord) -> None:
    assert [one.horizon for one in record.horizons] == list(HORIZONS)
    assert (record.headline, record.variants, record.symbol) == ("4h", 7, None)
    assert (record.from_ms, record.to_ms) == (EVALUATIONS.at_ms[0], EVALUATIONS.at_ms[-1])
    assert record.engine_versions == ("1.1.0",)
    assert len(record.horizons[0].baselines) == 13
    assert record.enough_data
    assert record.deflated is not None
    assert record.deflated.variants == 7


@pytest.mark.parametrize("hours, edge", [(0, 0.0), (1, 0.0), (5, 0.0), (200, 0.9), (60 * 24, 0.5)])
def test_no_number_is_a_nan_or_infinite(hours: int, edge: float) -> None:
    evaluations = make_evaluations(hours)
    for value in values_in(record_of(evaluations, outcomes_of(evaluations, edge))):
        # Plain Python values only: nothing of numpy leaves the core.
        assert type(value) in (int, float, str, bool, type(None)), type(value)
        assert not isinstance(value, float) or math.isfinite(value)


def test_nothing_gives_zeros_and_none() -> None:
    none = make_evaluations(0)
    found = record_of(none, outcomes_of(none))
    assert (found.from_ms, found.to_ms, found.deflated, found.enough_data) == (None, None, None, False)
    assert (found.evaluations, found.long, found.short, found.neutral) == (0, 0, 0, 0)
    assert all(stats.emitted == 0 and stats.mean_net is None for stats in stats_in(found))
    assert found.notes == ("No trade has been scored yet, so nothing is known.",)
    assert all(one.calibrated is None and one.no_calibration for one in found.horizons)


def test_the_same_rows_give_the_same_record(record: TrackRecord) -> None:
    assert record_of(EVALUATIONS, REAL) == record


def test_upside_down_every_figure_is_the_same_on_the_other_side(record: TrackRecord) -> None:
    other = record_of(mirrored(EVALUATIONS), [swapped(one) for one in REAL])
    assert (other.long, other.short, other.neutral) == (record.short, record.long, record.neutral)
    swap = {
        "LONG": "SHORT", "SHORT": "LONG", "up": "down", "down": "up",
        "always long": "always short", "always short": "always long",
    }  # fmt: skip
    for before, after in zip(record.horizons, other.horizons, strict=True):
        _same(after.engine, before.engine)
        rules = {stats.name: stats for stats in before.baselines}
        for stats in after.baselines:
            _same(stats, rules[swap.get(stats.name, stats.name)])
        groups = {(group.trait, group.stats.name): group.stats for group in before.groups}
        assert len(groups) == len(after.groups)
        for group in after.groups:
            _same(group.stats, groups[group.trait, swap.get(group.stats.name, group.stats.name)])
    assert other.deflated is not None
    assert record.deflated is not None
    assert other.deflated.probability == pytest.approx(record.deflated.probability)
    assert other.notes == record.notes


def _same(after: TradeStats, before: TradeStats) -> None:
    for left, right in zip(values_in(replace(after, name=before.name)), values_in(before), strict=True):
        assert left == (pytest.approx(right, abs=1e-9) if isinstance(right, float) else right), before.name


def test_a_planted_effect_is_found_and_shuffling_loses_it(record: TrackRecord) -> None:
    (found,) = (one for one in record.horizons if one.horizon == "4h")
    assert found.calibrated is not None
    assert found.calibrated.is_shown
    for seed in range(3):
        lost = [shuffled(one, EVALUATIONS, seed) for one in REAL if one.horizon == "4h"]
        (again,) = record_of(EVALUATIONS, lost).horizons
        assert again.calibrated is not None
        assert not again.calibrated.is_shown
        assert again.calibrated.gain.low <= 0.0
        assert again.baselines[-1].engine_minus is not None
        assert again.baselines[-1].engine_minus.holds_zero


def test_twice_the_costs_earn_less_everywhere(record: TrackRecord) -> None:
    dear = record_of(EVALUATIONS, [costlier(one, 2.0) for one in REAL])
    for before, after in zip(stats_in(record), stats_in(dear), strict=True):
        assert after.total_net_frac is not None
        assert before.total_net_frac is not None
        assert after.total_net_frac < before.total_net_frac
        assert before.break_even is not None
        assert after.break_even is not None
        assert after.break_even > before.break_even


def test_one_coin_is_its_rows_alone() -> None:
    found = record_of(EVALUATIONS, REAL, symbol="COIN1")
    kept = EVALUATIONS.coin == 1
    alone = record_of(EVALUATIONS.where(kept), [one.where(kept) for one in REAL])
    assert found == replace(alone, symbol="COIN1")
    assert record_of(EVALUATIONS, REAL, symbol="OTHER").evaluations == 0


def test_a_record_without_its_headline_or_without_a_variant_is_refused() -> None:
    with pytest.raises(InvariantViolation):
        record_of(EVALUATIONS, REAL[:2])
    with pytest.raises(InvariantViolation):
        record_of(EVALUATIONS, REAL, variants=0)


def test_what_a_reader_has_to_know_is_said(record: TrackRecord) -> None:
    few = make_evaluations(5 * 24, coins=2)
    notes = record_of(few, outcomes_of(few)).notes
    assert notes[0].startswith("Effective n ")
    assert notes[0].endswith(" of the 400 needed: nobody should trade on this.")
    assert any("783 independent trades" in note for note in notes)
    assert "No deflated Sharpe ratio: it takes 30 days with trades." in notes
    assert not any("beyond chance" in note for note in notes)
    assert all(note.endswith(".") for note in (*notes, *record.notes))
    assert any(note.startswith("After costs ") and "beyond chance" in note for note in record.notes)


@pytest.mark.parametrize("hours", range(96, 240, 12))
def test_two_sentences_on_the_effective_n_say_the_same_number(hours: int) -> None:
    few = make_evaluations(hours, coins=2)
    notes = record_of(few, outcomes_of(few)).notes
    needed = [note.split()[2] for note in notes if note.startswith("Effective n ")]
    alike = [note.split()[-3] for note in notes if note.startswith("Trades overlap ")]
    assert needed
    assert needed == alike


def test_a_probability_that_falls_with_the_score_is_announced() -> None:
    wrong = make_evaluations(120 * 24)
    outcomes = [make_outcomes(wrong, edge=-0.7)]
    notes = record_of(wrong, outcomes).notes
    assert "At 4h a higher score went with fewer wins: the chance falls as the score rises." in notes, notes


def test_scores_of_too_little_coverage_are_neither_calibrated_nor_traded_by_any_rule() -> None:
    thin = replace(EVALUATIONS, coverage=np.where(np.arange(len(EVALUATIONS)) % 3 == 0, 0.49, 0.5))
    covered = thin.coverage >= 0.5
    silent = replace(thin, direction=np.where(covered, thin.direction, 0).astype(np.int8))
    found = record_of(silent, REAL).at_headline
    assert found is not None
    longs = next(rule for rule in found.baselines if rule.name == "always long")
    assert longs.emitted == int(covered.sum())
    alone = record_of(silent.where(covered), [one.where(covered) for one in REAL]).at_headline
    assert alone is not None
    assert found.calibrated == alone.calibrated
