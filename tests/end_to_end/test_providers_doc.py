"""docs/providers.md is what the catalogue says, and what it says is readable."""

from __future__ import annotations

from app.providers_doc import FILE, build
from app.services.coinglass.catalog import ENDPOINTS


def test_the_committed_table_is_the_generated_one() -> None:
    assert FILE.read_text(encoding="utf-8") == build(), "run: python -m app.providers_doc"


def test_every_endpoint_has_one_row() -> None:
    rows = [line for line in build().splitlines() if line.startswith("| ")]
    for endpoint in ENDPOINTS:
        assert len([row for row in rows if row.startswith(f"| {endpoint} |")]) == 1, endpoint


def test_plans_units_and_sides_are_spelt_out() -> None:
    text = build()
    assert "| futures_liquidation_history | hobbyist from 4h, startup from 30m, standard |" in text
    assert "liquidated_side 1 LONG, 2 SHORT" in text
    row = next(
        line for line in text.splitlines() if line.startswith("| futures_funding_rate_exchange_list |")
    )
    assert row == "| futures_funding_rate_exchange_list | hobbyist | 20 s |  | hours, pct |  |"
