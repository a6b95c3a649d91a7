"""Sentences of a backtest's report."""

from __future__ import annotations

from dataclasses import replace

import pytest

from app.backtest_cautions import all_notes, costs_doubled, costs_stated, data_notes, not_to_conclude
from app.backtest_words import (
    Comparison,
    asked_words,
    banner,
    base_rate,
    compare,
    deflated_words,
    is_missing,
    missing_line,
    probability_words,
    sensitivity_words,
    sign_of,
    weights_totals,
    weights_verdict,
    why_unknown,
)
from app.core.domain.track_record import Mean
from tests.backtest_facts import (
    calibrated,
    empty_report,
    full_report,
    horizon,
    mean,
    no_trades,
    trades,
    weights_report,
)


@pytest.mark.parametrize(
    ("difference", "wanted"),
    [
        (Mean(0.002, 0.001, 0.003, 9, 9.0), Comparison.BETTER),
        (Mean(-0.002, -0.003, -0.001, 9, 9.0), Comparison.WORSE),
        (Mean(0.002, -0.001, 0.005, 9, 9.0), Comparison.WITHIN_CHANCE),
        (Mean(0.002, 0.0, 0.005, 9, 9.0), Comparison.WITHIN_CHANCE),
        (Mean(0.002, float("nan"), 0.005, 9, 9.0), Comparison.UNKNOWN),
        (None, Comparison.UNKNOWN),
    ],
)
def test_better_is_said_only_of_a_whole_interval_above_zero(
    difference: Mean | None, wanted: Comparison
) -> None:
    assert compare(difference, is_enough=True) is wanted
    told = {Comparison.BETTER, Comparison.WORSE}
    assert compare(difference, is_enough=False) is (Comparison.TOO_LITTLE if wanted in told else wanted)


def test_a_correlation_is_told_by_its_whole_interval() -> None:
    assert sign_of(mean(0.1, 0.05, effective_n=400.0)) == "above 0"
    assert sign_of(mean(-0.1, 0.05, effective_n=400.0)) == "below 0"
    assert sign_of(mean(-0.1, 0.05, effective_n=399.0)) == "too little data"
    assert sign_of(mean(0.1, 0.15)) == "within chance"
    assert sign_of(None) == "cannot tell"


def test_whatever_is_not_live_says_so_in_big_letters() -> None:
    modes = {"live": None, "demo": "SIMULATED", "replay": "RECORDED", "dream": "NOT LIVE: DREAM"}
    for mode, title in modes.items():
        found = banner(mode)
        assert title == (None if found is None else found.title)


def test_moments_without_a_candle_are_counted_beside_those_evaluated() -> None:
    """4,529 asked less 4,322 evaluated: 207."""
    assert asked_words(full_report()) == (
        "4,529 asked, 4,322 evaluated: 207 without a closed candle of the last hour"
    )
    assert asked_words(replace(full_report(), asked=4322)) == "4,322 asked, 4,322 evaluated"


def test_missing_inputs_are_named_coin_by_coin() -> None:
    assert missing_line(full_report()) == "BTC: social; ETH: liquidations, social, funding paid"
    assert missing_line(replace(full_report(), coins=())) == "nothing"


@pytest.mark.parametrize(
    ("source", "wanted"),
    [
        ("none", True),
        ("not recorded: not charged", True),
        ("not recorded in this period", True),
        ("Binance, 1h, until 2026-02-13", False),
        ("None such, 1h", False),
    ],
)
def test_what_was_not_recorded_in_the_period_is_missing(source: str, wanted: bool) -> None:
    assert is_missing(source) is wanted


def test_the_deflated_sharpe_ratio_is_a_chance_after_so_many_tries() -> None:
    said = deflated_words(full_report().record)
    assert said.startswith("Deflated Sharpe ratio after trying 239 rules: 12 %; 95 % is needed.")
    assert "+0.043 a day over 88 days" in said


def test_without_thirty_days_the_number_of_tries_is_still_told() -> None:
    said = deflated_words(empty_report().record)
    assert said.startswith("239 rules were tried")
    assert "is not known: it takes trades on 30 days at least" in said


def test_a_probability_is_shown_or_it_is_said_why_not() -> None:
    shown = replace(horizon("4h"), calibrated=calibrated(is_shown=True))
    assert "a probability is shown" in probability_words(shown)
    assert probability_words(horizon("4h")).endswith("not better than the base rate on later data.")
    assert probability_words(empty_report().record.horizons[0]).endswith("no outcomes to fit on.")


def test_the_base_rate_is_that_of_the_judged_outcomes() -> None:
    wanted = (40 * 0.325 + 96 * 0.479 + 51 * 0.49 + 12 * 0.75) / 199
    assert base_rate(calibrated()) == pytest.approx(wanted)
    assert base_rate(replace(calibrated(), bins=())) is None


@pytest.mark.parametrize(
    ("difference", "beats", "start"),
    [
        (mean(0.0002, 0.0001), True, "Yes, it beats the default: +2.0 [+1.0, +3.0] bp per evaluation"),
        (mean(0.0001, 0.0002), False, "No, it does not beat the default: +1.0 [-1.0, +3.0]"),
        (mean(-0.0003, 0.0002), False, "No, it does not beat the default, it is worse"),
        (None, False, "Cannot tell whether it beats the default"),
    ],
)
def test_chosen_weights_beat_the_default_or_not(difference: Mean | None, beats: bool, start: str) -> None:
    weights = weights_report(difference, beats_default=beats)
    assert weights_verdict(weights, is_enough=True).startswith(start)


@pytest.mark.parametrize("at", [0.0002, -0.0002])
def test_chosen_weights_are_not_judged_from_too_little_data(at: float) -> None:
    weights = weights_report(mean(at, 0.0001), beats_default=at > 0)
    said = weights_verdict(weights, is_enough=False)
    assert said.startswith("Cannot tell whether it beats the default, from too little data: ")


def test_totals_of_chosen_weights_stand_beside_those_of_the_default() -> None:
    said = weights_totals(weights_report())
    assert "earned +6.3 % of one stake in 123 trades, the default -3.9 % in 99" in said
    assert "Each of 3 folds chose among 226 sets" in said


def test_other_weights_are_counted_by_what_the_default_is_beside_them() -> None:
    enough = replace(full_report(), record=replace(full_report().record, enough_data=True))
    assert "better 10 times, worse 0 times, within chance 6 times" in sensitivity_words(enough)
    assert (
        "better 0 times, worse 0 times, within chance 6 times, not told from too little data 10 times and "
        "unknown 0 times"
    ) in sensitivity_words(full_report())
    assert sensitivity_words(empty_report()) == "No other weights were tried."


def test_costs_are_those_that_trades_are_charged() -> None:
    assert "taker fee of 5 bp, half a spread of 1 bp and slippage of 2 bp" in costs_stated()
    assert "16 bp a round trip in tier 1; 28 bp elsewhere" in costs_stated()


def test_doubled_costs_are_set_against_the_stated_ones() -> None:
    assert costs_doubled(trades(), trades(net=-0.00191)).startswith(
        "With every cost doubled a trade earns -19.1 bp instead of -3.1 bp"
    )
    assert "unknown" in costs_doubled(None, trades())
    assert "unknown" in costs_doubled(trades(), no_trades())


def test_a_dash_has_its_reason() -> None:
    assert why_unknown([trades()]) == ()
    assert "no trade was scored" in why_unknown([no_trades()])[0]
    assert "one block of time" in why_unknown([replace(trades(), mean_net=None)])[0]
    assert "effective n" in why_unknown([replace(trades(), effective_n=None)])[0]


def test_what_nobody_may_conclude_depends_on_the_data() -> None:
    recorded, simulated = (" ".join(not_to_conclude(one)) for one in (full_report(), empty_report()))
    assert "simulator" in simulated
    assert "simulator" not in recorded
    assert "under 400 independent outcomes" in recorded
    enough = replace(full_report(), record=replace(full_report().record, enough_data=True))
    assert "under 400" not in " ".join(not_to_conclude(enough))


def test_trades_that_one_bar_decided_are_told_with_the_size_of_the_bars() -> None:
    said = data_notes(full_report())[0]
    assert said.startswith(
        "Trades were followed on prices of 1 min: 4h after the signal 15.4 % of the engine's trades and "
        "18.0 % of all that could have been taken were decided by a bar that held both barriers."
    )
    assert "losses on both sides" in said


def test_trades_whose_funding_is_not_known_are_told() -> None:
    said = data_notes(full_report())[1]
    assert said.startswith("Funding is not known for 12 of 212 scored trades at 4h")
    assert not any("Funding" in one for one in data_notes(replace(full_report(), funding_unknown=0)))


def test_bars_that_moved_by_a_factor_are_named_and_said_to_be_kept() -> None:
    said = data_notes(full_report())[2]
    assert said.startswith("BTC, hourly candles: 2 of 2,881 bars moved further than six sigma")
    assert "were kept" in said
    assert said.endswith("2025-12-10 00:00 (x 100), 2026-03-05 00:00 (x 0.93).")
    assert not any("price path of 1 min:" in one for one in data_notes(full_report()))


def test_data_without_doubts_has_no_notes() -> None:
    assert data_notes(empty_report()) == ()


def test_every_report_says_how_its_trades_differ_from_live_ones() -> None:
    for report in (full_report(), empty_report()):
        said = " ".join(not_to_conclude(report))
        assert "entered at the open right at its evaluation" in said
        assert "counts as known the moment it closes" in said
        assert "for LONG and SHORT alone" in said


def test_every_note_is_told_once_and_those_of_a_coin_under_its_name() -> None:
    report = full_report()
    noted = replace(report.coins[1].record, notes=(*report.record.notes, "ETH stopped early."))
    report = replace(report, coins=(report.coins[0], replace(report.coins[1], record=noted)))
    assert all_notes(report) == (*report.record.notes, "ETH: ETH stopped early.")
