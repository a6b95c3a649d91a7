"""/track: the record of signals in two languages, the alerts below it, and no claim that is not shown."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, cast

import pytest

from app.core.chat_ports import Inquiries
from app.core.clock import ManualClock
from app.core.domain.flow import AlertKind
from app.core.domain.outcomes import SetupTally
from app.core.domain.symbol import Symbol, resolve_symbol
from app.core.domain.track_record import TrackRecord
from app.sim.telegram_text import entity_error
from tests.chat_rig import CHAT, KNOWN, OTHER, MemoryStore, make_book, make_chat
from tests.track_facts import TO_MS, FakeTrack, empty, mean, mirrored, record, sharpe, trades

MANY = {"scored": 4_000, "effective_n": 1_000.0, "net": 0.002}
TALLIES = (
    SetupTally("STOP_HUNT", "LONG", 1, 60, 33, 0.3867, 60),
    SetupTally("WHALE_DISTRIBUTION", "SHORT", 3, 38, 24, None, 38),
    SetupTally("OI_SPIKE", "SHORT", 2, 29, 29, 0.58, 29),
)
RECORD_EN = """[DEMO] Track record
212 signals scored after 4 h, in 31 d
Won 47 % (95 %: 35 to 59 %)
Break-even after costs: 58 %
Effective n: 61, needed 400
Mean net: -0.060 % a trade (-0.140 % to +0.020 %)
No edge is shown: too few independent outcomes to claim anything.
LONG 47 % of 106, SHORT 47 % of 107
Won after 15 min 49 % of 205, 1 h 49 % of 205, 24 h 49 % of 205
Better than 5 of 13 simple rules by more than chance
Open 3, not scorable 2, NEUTRAL 527 of 744 evaluations
Computed 60 s ago

Alerts that ended, fees and slippage taken off:
• Liquidation cascade, long, largest coins: 33 of 60 won, 55 % (95 %: 42 to 67 %), break-even 39 %
• Whale distribution, short, other coins: 24 of 38 won, 63 % (95 %: 47 to 77 %)
• Open interest spike, short, large coins: n below 30 (29)
n counts stretches of four hours with an outcome: coins that move together are one. \
Below 30 nothing is claimed.
Market data and arithmetic, not advice."""
RECORD_ID = """[DEMO] Rekam jejak
212 sinyal dinilai setelah 4 jam, dalam 31 hari
Untung 47 % (95 %: 35 sampai 59 %)
Titik impas setelah biaya: 58 %
n efektif: 61, perlu 400
Rata-rata bersih: -0.060 % per transaksi (-0.140 % sampai +0.020 %)
Belum terbukti unggul: hasil yang independen terlalu sedikit untuk mengklaim apa pun.
LONG 47 % dari 106, SHORT 47 % dari 107
Untung setelah 15 mnt 49 % dari 205, 1 jam 49 % dari 205, 24 jam 49 % dari 205
Mengungguli 5 dari 13 aturan sederhana, di luar faktor kebetulan
Terbuka 3, tidak bisa dinilai 2, NEUTRAL 527 dari 744 evaluasi
Dihitung 60 dtk lalu

Peringatan yang sudah selesai, dikurangi biaya dan slippage:
• Likuidasi beruntun, posisi long, koin terbesar: 33 dari 60 untung, 55 % (95 %: 42 sampai 67 %), \
titik impas 39 %
• Distribusi paus, posisi short, koin lain: 24 dari 38 untung, 63 % (95 %: 47 sampai 77 %)
• Lonjakan open interest, posisi short, koin besar: n di bawah 30 (29)
n menghitung rentang empat jam dengan hasil: koin yang bergerak bersama dihitung satu. \
Di bawah 30 tidak ada yang diklaim.
Data pasar dan hitungan, bukan saran investasi."""


class Market:
    def resolve(self, text: str) -> Symbol:
        return resolve_symbol(text, KNOWN)


@dataclass(slots=True)
class Outcomes:
    tallies: Sequence[SetupTally] = TALLIES

    async def counts(self) -> Sequence[SetupTally]:
        return self.tallies


async def say(
    found: TrackRecord | FakeTrack,
    text: str = "/track",
    who: str = CHAT,
    tallies: Sequence[SetupTally] = TALLIES,
) -> str:
    """The answer's plain text, which must be one message with sound markup."""
    track = found if isinstance(found, FakeTrack) else FakeTrack(KNOWN, found)
    nothing = cast(Any, None)
    inquiries = Inquiries(
        cast(Any, Market()), nothing, nothing, nothing, nothing, outcomes=Outcomes(tallies), record=track
    )
    chat = make_chat(make_book(MemoryStore()), ManualClock(TO_MS), inquiries)
    (said,) = (await chat.answer(who, text)).messages
    assert entity_error(said.html, "HTML") is None
    return said.plain


@pytest.mark.parametrize(("who", "text"), [(CHAT, RECORD_EN), (OTHER, RECORD_ID)])
async def test_the_record_as_it_is_read_on_a_phone(who: str, text: str) -> None:
    assert await say(record(), who=who) == text


@pytest.mark.parametrize(("who", "title"), [(CHAT, "Track record, BTC"), (OTHER, "Rekam jejak, BTC")])
async def test_a_coin_is_named_and_has_no_setups_that_are_counted_over_all_coins(
    who: str, title: str
) -> None:
    track = FakeTrack(KNOWN)
    said = await say(track, "/track btcusdt", who)
    assert said.startswith(f"[DEMO] {title}\n212 ")
    assert "cascade" not in said
    assert track.asked == ["BTC"]


@pytest.mark.parametrize(
    ("wins", "more", "verdict", "putusan"),
    [
        (
            2_000,
            {"net": -0.002},
            "No edge is shown: after costs they lost",
            "Tidak terbukti unggul: setelah biaya",
        ),
        (2_360, {}, "No edge is shown: what they earned cannot", "Tidak terbukti unggul: hasilnya tidak"),
        (2_600, {"deflated": sharpe(0.5)}, "No edge is shown: the best of", "Tidak terbukti unggul: varian"),
        (2_600, {"enough_data": False}, "No edge is shown: too few", "Belum terbukti unggul"),
        (2_600, {}, "No edge is shown: the best of", "Tidak terbukti unggul: varian"),
        (
            2_600,
            {"deflated": sharpe(0.97)},
            "An edge is shown for this period",
            "Keunggulan terlihat untuk periode ini",
        ),
    ],
)
async def test_both_languages_claim_the_same(wins: int, more: Any, verdict: str, putusan: str) -> None:
    given = {**MANY, "net": more.get("net", MANY["net"])}
    rest = {name: value for name, value in more.items() if name != "net"}
    found = record(trades(wins=wins, **given), evaluations=9_000, **rest)  # type: ignore[arg-type]
    assert verdict in await say(found)
    assert putusan in await say(found, who=OTHER)


@pytest.mark.parametrize("who", [CHAT, OTHER])
async def test_the_mirrored_record_is_the_mirrored_text(who: str) -> None:
    plain, turned = await say(record(), who=who), await say(mirrored(record()), who=who)
    # The setups of alerts below are no part of the record.
    plain, turned = plain.split("\n\n")[0], turned.split("\n\n")[0]
    swapped = turned.replace("LONG", "?").replace("SHORT", "LONG").replace("?", "SHORT")
    first, second = next(line for line in swapped.splitlines() if line.startswith("SHORT")).split(", ")
    assert swapped.replace(f"{first}, {second}", f"{second}, {first}") == plain


async def test_sides_are_not_swapped() -> None:
    found = record()
    shown = found.at_headline
    assert shown is not None
    sides = [
        replace(group, stats=trades(group.stats.name, scored=100, wins=wins, effective_n=50.0))
        for group, wins in zip(shown.groups[:2], (61, 38), strict=True)
    ]
    changed = replace(shown, groups=tuple(sides))
    horizons = tuple(changed if one is shown else one for one in found.horizons)
    assert "LONG 61 % of 100, SHORT 38 % of 100" in await say(replace(found, horizons=horizons))
    only_long = tuple(
        replace(changed, groups=tuple(sides[:1])) if one is shown else one for one in found.horizons
    )
    assert "LONG 61 % of 100, SHORT -" in await say(replace(found, horizons=only_long))


async def test_nothing_known_claims_nothing_and_shows_no_rate() -> None:
    for found in (empty(), record(trades(scored=0, is_open=3))):
        for who in (CHAT, OTHER):
            signals = (await say(found, who=who)).split("\n\n")[0]
            assert "%" not in signals
            assert ("Nothing is claimed." if who == CHAT else "Tidak ada yang diklaim.") in signals
    assert "no scheduled evaluation by the running engine has been recorded" in await say(empty())
    waiting = await say(record(trades(scored=0, is_open=3)))
    assert "none is scored yet. 744 scheduled evaluations in 31 d, 5 of them LONG or SHORT." in waiting


async def test_trades_of_one_stretch_of_time_are_told_without_a_mean() -> None:
    found = record(replace(trades(), mean_net=None))
    said = await say(found)
    assert "212 signals scored" in said
    assert "Mean net: too short a time to tell" in said


async def test_only_rules_beaten_with_the_whole_interval_count() -> None:
    found = record()
    shown = found.at_headline
    assert shown is not None
    rules = (
        trades("a", minus=0.01),
        trades("b", minus=0.0007),  # its interval holds 0
        trades("c", minus=-0.01),
        trades("d"),  # nothing to compare
    )
    changed = tuple(replace(one, baselines=rules) for one in found.horizons)
    assert "Better than 1 of 3 simple rules" in await say(replace(found, horizons=changed))
    assert mean(0.0007).low < 0


async def test_an_unknown_coin_names_look_alikes_and_two_coins_are_too_many() -> None:
    assert "PEPE" in await say(record(), "/track PEPP")
    assert "/track [COIN]" in await say(record(), "/track BTC ETH")


@pytest.mark.parametrize("who", [CHAT, OTHER])
@pytest.mark.parametrize("kind", AlertKind)
async def test_setups_have_words_and_below_thirty_outcomes_no_percentage(who: str, kind: AlertKind) -> None:
    tallies = [
        SetupTally(kind, side, tier, 29, 29, 0.5, 29) for side in ("LONG", "SHORT") for tier in (1, 2, 3)
    ]
    said = (await say(record(), who=who, tallies=tallies)).split("\n\n")[1]
    lines = [line for line in said.splitlines() if line.startswith("•")]
    assert len(set(lines)) == 6
    assert not [line for line in lines if "%" in line or "_" in line or kind in line]
    assert sum("long" in line for line in lines) == sum("short" in line for line in lines) == 3


@pytest.mark.parametrize("text", ["/track", "/track BTC"])
async def test_a_store_that_is_away_is_said(text: str) -> None:
    assert "The database cannot be asked" in await say(FakeTrack(KNOWN, is_down=True), text)


async def test_coins_of_one_market_wide_move_are_one_observation() -> None:
    """Forty outcomes of twenty coins in two afternoons, 85 % won: two afternoons show nothing."""
    tallies = [SetupTally("STOP_HUNT", "LONG", 2, 40, 34, 0.55, 2)]
    text = await say(record(), tallies=tallies)
    assert "85" not in text
    assert "n below 30 (2)" in text
