"""Answers about the market out of the running service on the simulated market, in both languages."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, cast

import pytest

from app.core.domain.alerts import Language
from app.core.domain.context import DataMode
from app.core.domain.flow import CascadeNow, FlowSnapshot, LiquidationWindow, Phase
from app.core.domain.liquidity import EntryKind, Setup, Target
from app.core.domain.market import Series, Unit
from app.core.domain.sentiment import fear_class
from app.core.domain.stored import LiquidatedSide, LiquidationRow
from app.core.heatmap.buckets import bucket_of
from app.services.chat_market import percentile_of_newest, plan_lines, short_wallet, value_before
from app.services.chat_text import Voice
from app.sim.telegram_text import entity_error, visible_length
from tests.chat_rig import CHAT, OTHER, LiveChat, live_chat
from tests.live_rig import NOW_MS

ASKED = [
    "/signal BTC",
    "/why ETH",
    "/liq BTC",
    "/heatmap BTC",
    "/funding BTC",
    "/oi BTC",
    "/whales",
    "/whales SOL",
]
ASKED += ["/fear", "/status"]
MINUTE_MS = 60_000


class Snapshots:
    """The stream's windows of BTC: a cascade of longs, begun after the hour that the last window reaches."""

    async def read(self, symbol: str) -> FlowSnapshot | None:
        windows = tuple(
            LiquidationWindow(seconds, 2_000_000.0, 500_000.0, 9, 3, 900_000.0, 96_000.0, 97_000.0)
            for seconds in (10, 60, 300, 3_600)
        )
        cascade = CascadeNow(LiquidatedSide.LONG, Phase.PEAK, NOW_MS - 20_000, 2_500_000.0, 12, 96_200.0)
        return FlowSnapshot(
            symbol=symbol,
            tier=1,
            as_of_ms=NOW_MS - 2_000,
            newest_event_ms=NOW_MS - 3_000,
            covered_since_ms=NOW_MS - 600_000,
            source="coinglass",
            price=96_200.0,
            price_ms=NOW_MS,
            large_usd=10_000.0,
            liquidations=windows,
            trades=(),
            trades_covered_since_ms=None,
            cascade=cascade,
        )


def liquidation(number: int, side: str, price: float) -> LiquidationRow:
    at_ms = NOW_MS - (number + 2) * MINUTE_MS
    return LiquidationRow(
        "BTC",
        at_ms,
        number,
        "coinglass",
        "Binance",
        "BTCUSDT",
        side,
        price,
        50_000.0,
        None,
        bucket_of(price),
        at_ms,
    )


async def check(rig: LiveChat, text: str) -> dict[str, str]:
    """The answer in both languages: sound, short enough, with a source or an age, and marked."""
    said = {}
    for chat in (CHAT, OTHER):
        reply = await rig.chat.answer(chat, text)
        (made,) = reply.messages
        assert entity_error(made.html, "HTML") is None, text
        assert visible_length(made.html, "HTML") <= (1_024 if made.png else 4_096)
        assert made.plain.startswith("[DEMO] ")
        assert re.search(r"\de[+-]\d|\bnan\b|\binf\b|None|[{}]", made.plain) is None, made.plain
        assert all(len(data.encode()) <= 64 for row in made.buttons for _, data in row)
        said[chat] = made.plain
    return said


async def test_every_question_is_answered_in_both_languages(tmp_path: Path) -> None:
    async with live_chat(f"sqlite:///{tmp_path / 'store.db'}", snapshots=Snapshots()) as rig:
        rows = [liquidation(n, "LONG" if n % 3 else "SHORT", 123_000.0 + 50 * n) for n in range(30)]
        rig.store.market.put(rows)
        await rig.store.market.flush()
        said = {text: await check(rig, text) for text in ASKED}
        pictures = [(await rig.chat.answer(chat, "/heatmap BTC")).messages[0].png for chat in (CHAT, OTHER)]
    english = {text: answers[CHAT] for text, answers in said.items()}
    assert all("not advice" in text for name, text in english.items() if name != "/status")
    assert all("bukan saran" in answers[OTHER] for name, answers in said.items() if name != "/status")
    assert all(picture is not None and picture.startswith(b"\x89PNG") for picture in pictures)

    assert re.search(r"BTC (LONG|NEUTRAL|SHORT), score \d+\.\d of 100", english["/signal BTC"])
    assert re.search(r"Price \$[\d,]{5,} \(okx, \d+ s ago\)", english["/signal BTC"])
    assert len(re.findall(r"^[▲▼•] ", english["/why ETH"], re.MULTILINE)) == 8
    assert "Live stream (coinglass, 2 s ago)" in english["/liq BTC"]
    assert "• 60 s: longs $2.00M, shorts $500,000 (80 % longs)\n" in english["/liq BTC"]
    assert "• 60 min: longs $2.00M, shorts $500,000 (80 % longs) (not whole" in english["/liq BTC"]
    assert "longs closed by force (selling), $2.50M, past its peak" in english["/liq BTC"]
    assert re.search(r"• shorts at \$[\d,]+ \(\+", english["/liq BTC"])
    assert re.search(r"• longs at \$[\d,]+ \(-", english["/liq BTC"])
    assert "Longs $1,000,000, shorts $500,000, 30 orders" in english["/heatmap BTC"].replace(
        "$1.00M", "$1,000,000"
    )
    assert re.search(
        r"Now [+-]0\.\d+ % per 8 h: (longs pay shorts|shorts pay longs)", english["/funding BTC"]
    )
    assert re.search(r"• All: \$[\d.]+B \(1h [+-]", english["/oi BTC"])
    assert "SOL" in english["/whales SOL"]
    assert "BTC" not in english["/whales SOL"]
    assert re.search(r"Now \d+ of 100: ", english["/fear"])


async def test_what_is_not_to_be_had_says_why_and_the_rest_is_answered(tmp_path: Path) -> None:
    keyless = {"COINGLASS_API_KEY": "", "LUNARCRUSH_API_KEY": "", "COINAPI_KEY": ""}
    async with live_chat(f"sqlite:///{tmp_path / 'store.db'}", keyless) as rig:
        whales = await rig.say("/whales")
        heatmap = await rig.say("/heatmap BTC")
        why = await rig.say("/why BTC")
        liquidations = await rig.say("/liq BTC")
    assert "No newest moves: no source is set up for it" in whales
    assert "No liquidation of this coin has ever been recorded here." in heatmap
    assert "Not counted: " in why
    assert "• Social: not there (no source is set up for it)" in why
    assert "(the better source: no source is set up for it)" in liquidations.splitlines()[1]
    assert "own estimate from open interest" in liquidations


@pytest.mark.parametrize(
    ("value", "name"),
    [(0, "extreme_fear"), (24, "extreme_fear"), (25, "fear"), (44.4, "fear"), (50, "neutral")],
)
def test_classes_of_the_lower_half_of_the_fear_and_greed_index(value: float, name: str) -> None:
    assert fear_class(value) == name


def test_the_upper_half_of_the_index_is_greed() -> None:
    assert [fear_class(value) for value in (55, 56, 74, 75, 100)] == [
        "neutral",
        "greed",
        "greed",
        "extreme_greed",
        "extreme_greed",
    ]


@pytest.mark.parametrize(
    ("is_long", "prices", "moves"),
    [
        (True, (95_000.0, (98_000.0, 101_000.0)), ("-1.04 %", "+2.08 %", "+5.21 %")),
        (False, (97_000.0, (94_000.0, 91_000.0)), ("+1.04 %", "-2.08 %", "-5.21 %")),
    ],
)
def test_a_plan_shows_its_distances_with_their_signs_and_mirrored_for_a_short(
    is_long: bool, prices: tuple[float, tuple[float, float]], moves: tuple[str, str, str]
) -> None:
    stop, (first, second) = prices
    nothing = cast(Any, None)
    targets = (Target(first, 2.0), Target(second, 5.0))
    setup = Setup(
        is_long,
        EntryKind.LIMIT,
        96_000.0,
        stop,
        targets,
        1.0,
        nothing,
        24.0,
        0.5,
        None,
        0.4,
        0.5,
        0.0,
        50.0,
        None,
        (),
        None,
        "too few",
    )
    lines = plan_lines(Voice(Language.EN, DataMode.LIVE, NOW_MS), setup)
    assert lines[0] == "Entry $96,000"
    assert [re.search(r"\(([^,)]*)", line).group(1) for line in lines[1:]] == list(moves)  # type: ignore[union-attr]
    assert lines[2].endswith("2.0 R)")


def test_a_percentile_needs_thirty_values_before_the_newest() -> None:
    assert percentile_of_newest([*range(30), 15]) == 0.5
    assert percentile_of_newest([*range(29), 15]) is None


def test_the_value_of_a_day_ago_is_the_newest_that_is_a_day_old() -> None:
    hour_ms = 3_600_000
    series = Series(
        Unit.SCORE, hour_ms, tuple(n * hour_ms for n in range(30)), tuple(float(n) for n in range(30))
    )
    assert value_before(series, 24 * hour_ms) == 5.0
    assert value_before(series, 30 * hour_ms) is None


def test_a_wallet_is_shortened_so_that_it_can_be_known_again() -> None:
    assert short_wallet("0x1234567890abcdef1234567890abcdef") == "0x1234…cdef"
    assert short_wallet("short") == "short"
