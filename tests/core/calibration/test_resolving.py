"""What became of a probability, and the log as a whole."""

from __future__ import annotations

import numpy as np
import pytest

from app.core.calibration.log_report import score_log
from app.core.calibration.resolve import Bar, resolve_level
from app.core.domain.stored import ProbabilityRow
from app.core.errors import InvariantViolation

HOUR_MS = 3_600_000
T = 100 * HOUR_MS


def bars(*rows: tuple[int, float, float]) -> list[Bar]:
    """(hours after T at which it closes, high, low)."""
    return [Bar(T + hour * HOUR_MS, high, low) for hour, high, low in rows]


QUIET = bars(*((hour, 101.0, 99.0) for hour in range(1, 5)))


def outcome(found: list[Bar], *, level: float = 105.0, is_above: bool = True, at_ms: int = T) -> bool | None:
    return resolve_level(
        found, HOUR_MS, at_ms=at_ms, due_ms=at_ms + 4 * HOUR_MS, level_usd=level, is_above=is_above
    )


def test_a_level_is_hit_by_highs_above_and_by_lows_below() -> None:
    assert outcome([*QUIET[:3], Bar(T + 4 * HOUR_MS, 105.0, 99.0)]) is True
    assert outcome(QUIET) is False
    assert outcome(QUIET, level=99.0, is_above=False) is True
    assert outcome(QUIET, level=98.9, is_above=False) is False


def test_only_bars_wholly_inside_count() -> None:
    early, late = Bar(T, 120.0, 80.0), Bar(T + 5 * HOUR_MS, 120.0, 80.0)
    assert outcome([early, *QUIET, late]) is False
    # Asked half an hour after T: the first bar had begun before, and three hours of four are too few.
    started = [Bar(T + HOUR_MS, 120.0, 99.0), *QUIET[1:]]
    assert outcome(started, at_ms=T + HOUR_MS // 2) is None
    late = Bar(T + 4 * HOUR_MS, 106.0, 99.0)
    assert outcome([*started[:3], late], at_ms=T + HOUR_MS // 2) is True


def test_too_few_bars_cannot_say_no_but_one_can_say_yes() -> None:
    assert outcome(QUIET[:2]) is None
    assert outcome([]) is None
    assert outcome([Bar(T + 2 * HOUR_MS, 106.0, 99.0)]) is True


def row(
    n: int, probability: float, hit: float | None, *, symbol: str = "BTC", hours: float = 4.0
) -> ProbabilityRow:
    at_ms = T + n * int(hours * HOUR_MS)
    return ProbabilityRow(
        f"{symbol}{n}", symbol, at_ms, at_ms + int(hours * HOUR_MS), hours, 100.0, 105.0, "SHORT",
        probability, "hitRateTable", None, 1.0, None, None, None, hit, at_ms, at_ms,
    )  # fmt: skip


def test_the_log_is_scored_and_refuses_to_calibrate_a_few() -> None:
    rows = [row(n, 0.25, float(n % 4 == 0)) for n in range(400)]
    report = score_log([*rows, row(999, 0.9, None)], 4.0)
    assert (report.n, report.brier) == (400, pytest.approx(0.1875))
    assert (report.calibration, report.is_kept) == (None, False)
    assert "500 are needed" in report.note
    with pytest.raises(InvariantViolation):
        score_log(rows, 24.0)


def test_windows_that_overlap_count_once() -> None:
    rows = [
        row(0, 0.5, 1.0)._replace(id=f"x{k}", at_ms=T + k * HOUR_MS, due_ms=T + (k + 4) * HOUR_MS)
        for k in range(8)
    ]
    assert score_log(rows, 4.0).n == 2


def test_a_term_is_kept_only_where_it_wins_out_of_sample() -> None:
    rng = np.random.default_rng(5)
    said = rng.uniform(0.1, 0.9, 2_400)
    honest = [row(n, float(p), float(rng.uniform() < p)) for n, p in enumerate(said)]
    assert not score_log(honest, 4.0).is_kept
    bold = [row(n, float(p), float(rng.uniform() < 0.5 + 0.3 * (p - 0.5))) for n, p in enumerate(said)]
    report = score_log(bold, 4.0)
    assert report.is_kept
    assert report.calibration is not None
    assert report.calibration.beta < 0.6
