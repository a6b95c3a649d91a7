"""A record in one plain sentence, and the verdict behind it: what may be claimed of it, and what not.

The one place that decides whether an edge is shown. Pure. Called by the use case that answers with a record,
by the conversation (which has its own words for each verdict) and by the report of a backtest.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from app.core.domain.formatting import format_effective_n, format_minutes
from app.core.domain.market import DAY_MS, HOUR_MS
from app.core.domain.outcomes import HORIZONS_MS
from app.core.domain.track_record import ENOUGH_EFFECTIVE_N, TrackRecord, TradeStats

# Chance that a Sharpe ratio picked among many is no luck, below which it is not called one.
_SURE = 0.95


class Verdict(StrEnum):
    """What a record shows at its headline horizon; only `ABOVE` is an edge."""

    NOTHING = "nothing"  # no trade has been scored
    TOO_FEW = "too_few"  # under 400 independent outcomes
    BELOW = "below"  # the whole interval of the mean net return lies below 0
    UNDECIDED = "undecided"  # it holds 0, or the interval of the hit rate holds break-even
    UNPAID = "unpaid"  # the hit rate is high enough, and still the mean net return may be 0 or less
    CHOSEN = "chosen"  # the best of so many tried variants would look as good by luck
    ABOVE = "above"


@dataclass(frozen=True, slots=True)
class Rates:
    """Hit rate, its interval for the effective n, and break-even, in percent as text without the sign."""

    won: str
    low: str
    high: str
    break_even: str


def verdict_of(record: TrackRecord) -> Verdict:
    """What may be said.

    An edge needs 400 independent outcomes, a mean net return whose interval lies above 0, the whole interval
    of the hit rate above break-even, and a deflated Sharpe ratio that rules out the luck of having tried many
    variants: without one nothing is ruled out.
    """
    found = record.at_headline
    stats = None if found is None else found.engine
    if stats is None or stats.hit_rate_apart is None or stats.break_even is None:
        return Verdict.NOTHING
    if not record.enough_data or stats.mean_net is None:
        return Verdict.TOO_FEW
    if stats.mean_net.high < 0:
        return Verdict.BELOW
    is_won = stats.hit_rate_apart.low > stats.break_even
    if stats.mean_net.low <= 0:
        return Verdict.UNPAID if is_won else Verdict.UNDECIDED
    if not is_won:
        return Verdict.UNDECIDED
    if record.variants > 1 and (record.deflated is None or record.deflated.probability < _SURE):
        return Verdict.CHOSEN
    return Verdict.ABOVE


def summary_of(record: TrackRecord) -> str:
    """The sentence.

    Worked: 212 scored, 100 won, effective n 61.4, interval 0.351 to 0.594, break-even 0.58, mean net -0.06 %,
    31 days -> "In 31 days 212 LONG/SHORT signals were scored after 4 h: 47 % won (effective n 61, 95 %
    interval 35 to 59 %, break-even 58 %) and -0.06 % a trade was earned after costs (-0.14 to +0.02 %): no
    edge is shown; 400 independent outcomes are needed before anything is claimed."
    """
    found = record.at_headline
    stats = None if found is None else found.engine
    rates = None if stats is None else rates_of(stats)
    if stats is None or rates is None:
        return _nothing(record, stats)
    were = "signal was" if stats.scored == 1 else "signals were"
    return (
        f"{_period(record)} {stats.scored:,} LONG/SHORT {were} scored{_coin(record)} after "
        f"{horizon_words(record.headline)}: {rates.won} % won (effective n {effective_words(stats)}, "
        f"95 % interval {rates.low} to {rates.high} %, break-even {rates.break_even} %)"
        f"{_earned(stats)}: {_CLAIMS[verdict_of(record)]}"
    )


def _earned(stats: TradeStats) -> str:
    found = stats.mean_net
    if found is None:
        return ""
    mean, low, high = (f"{100 * one:+.2f}" for one in (found.mean, found.low, found.high))
    return f" and {mean} % a trade was earned after costs ({low} to {high} %)"


_CLAIMS = {
    Verdict.NOTHING: "nothing is claimed.",
    Verdict.TOO_FEW: f"no edge is shown; {ENOUGH_EFFECTIVE_N:.0f} independent outcomes are needed before "
    "anything is claimed.",
    Verdict.BELOW: "no edge is shown, trades lost after costs beyond chance.",
    Verdict.UNDECIDED: "no edge is shown, what they earned cannot be told from nothing.",
    Verdict.UNPAID: "no edge is shown, enough were won and still the mean net return may be 0 or less.",
    Verdict.CHOSEN: "no edge is shown, the best of the variants tried would look as good by luck.",
    Verdict.ABOVE: "an edge is shown for this period, the whole intervals lie above break-even and above 0; "
    "that is no promise for the next.",
}


def rates_of(stats: TradeStats) -> Rates | None:
    """The rates in as few decimals (0 to 2) as keep both ends of the interval apart from break-even: 57.6 to
    62.1 at 57.9 reads so, and not as 58 to 62 at 58. None without a scored trade."""
    share, apart, even = stats.hit_rate, stats.hit_rate_apart, stats.break_even
    if share is None or apart is None or even is None:
        return None
    texts: tuple[str, ...] = ()
    for decimals in (0, 1, 2):
        texts = tuple(f"{one * 100:.{decimals}f}" for one in (share.share, apart.low, apart.high, even))
        if texts[3] not in texts[1:3]:
            break
    return Rates(*texts)


def effective_words(stats: TradeStats) -> str:
    """`format_effective_n`; `-` when unknown."""
    return "-" if stats.effective_n is None else format_effective_n(stats.effective_n)


def horizon_words(horizon: str) -> str:
    """`15m` -> `15 min`, `4h` -> `4 h`."""
    return format_minutes(HORIZONS_MS[horizon] // 60_000)


def span_ms(record: TrackRecord) -> int | None:
    """From the first evaluation to the last, None without one."""
    if record.from_ms is None or record.to_ms is None:
        return None
    return record.to_ms - record.from_ms


def _nothing(record: TrackRecord, stats: TradeStats | None) -> str:
    if record.evaluations == 0:
        return (
            f"No scheduled evaluation{_coin(record)} by the running engine has been recorded yet, so nothing "
            "is known of how good its signals are."
        )
    if stats is None or stats.emitted == 0:
        return (
            f"{_period(record)} none of {record.evaluations:,} scheduled evaluations{_coin(record)} gave "
            "LONG or SHORT, so there is nothing to score and nothing is claimed."
        )
    return (
        f"{_period(record)} {stats.emitted:,} LONG/SHORT signals were given{_coin(record)} and none is "
        f"scored after {horizon_words(record.headline)} yet ({stats.open:,} open, "
        f"{stats.unscorable:,} unscorable), so nothing is claimed."
    )


def _coin(record: TrackRecord) -> str:
    return "" if record.symbol is None else f" for {record.symbol}"


def _period(record: TrackRecord) -> str:
    """`In 31 days`, `In 20 hours`; a record of one moment has no length."""
    length = span_ms(record)
    if length is None or length < HOUR_MS:
        return "So far"
    if length >= 2 * DAY_MS:
        return f"In {length / DAY_MS:.0f} days"
    hours = round(length / HOUR_MS)
    return f"In {hours} hour{'' if hours == 1 else 's'}"
