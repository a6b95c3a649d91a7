"""What is said of measured rates is what docs/measured.md says was measured."""

from __future__ import annotations

import re
from pathlib import Path

from app.core.calibration.logistic import MIN_WINDOWS
from app.core.confluence.measured_rates import FILLED_PLANS, NO_PLAN_PROBABILITY, PLANS_NEEDED

MEASURED = Path(__file__).resolve().parents[3] / "docs" / "measured.md"


def test_filled_plans_are_those_of_the_report() -> None:
    said = re.search(r"With (\d+) and (\d+) filled plans", MEASURED.read_text("utf-8"))
    assert said is not None
    assert int(said.group(1)) + int(said.group(2)) == FILLED_PLANS


def test_filled_plans_are_the_shares_of_those_that_were_followed() -> None:
    rows = re.findall(r"\| (\d+) \| ([\d.]+)% \([\d.]+%\) \|", MEASURED.read_text("utf-8"))
    assert sum(round(int(followed) * float(share) / 100) for followed, share in rows) == FILLED_PLANS


def test_as_many_plans_are_needed_as_the_calibration_wants() -> None:
    assert PLANS_NEEDED == MIN_WINDOWS
    assert FILLED_PLANS < PLANS_NEEDED
    assert NO_PLAN_PROBABILITY == (
        "plans have not been followed often enough to calibrate: 80 filled on the recordings, 500 needed"
    )
