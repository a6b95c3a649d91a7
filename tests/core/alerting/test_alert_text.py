"""What people read: facts, signs, sides, languages, and names that are attacks."""

from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.alerting.catalogue import PHRASES, phrase
from app.core.alerting.markup import CAPTION_MAX, NAME_MAX, TEXT_MAX, clean, plain_of, span
from app.core.alerting.text import render_alert, render_digest, render_summary
from app.core.domain.alerts import Alert, AlertContext, ContextVerdict, Language, SetupRecord, Severity
from app.core.domain.flow import AlertKind, Phase, TradeLevels
from app.core.domain.signal import Direction
from app.core.domain.stored import LiquidatedSide
from app.core.stream_ports import Message
from tests.alert_facts import NOW_MS, alert

EN, ID = Language.EN, Language.ID
LONG, SHORT, NEUTRAL = Direction.LONG, Direction.SHORT, Direction.NEUTRAL
TELEGRAM_TAGS = {"b", "i", "code"}
PAYLOADS = [
    "<script>alert(1)</script>",
    "</b></code><a href='http://evil'>BTC</a>",
    "&lt;b&gt;",
    "BTC\x00\x1b[31m\r\nSource: forged",
    "\u202egnp.exe\u2066",
    "{price}{0.__class__}%s",
    "*_`[x](http://evil)",
    "A" * 10_000,
    "Z\u0300" * 500,
    "\ud800",
    "🚀" * 40,
    "",
]


def render(shown: Alert, language: Language = EN, **changes: object) -> Message:
    given = {"now_ms": NOW_MS, "data_mode": "live", **changes}
    return render_alert(shown, language, **given)  # type: ignore[arg-type]


def lines(shown: Alert, language: Language = EN) -> list[str]:
    return render(shown, language).plain.splitlines()


class Tags(HTMLParser):
    """Reads Telegram's HTML as strictly as Telegram does: known tags, well nested."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.text = ""
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: object) -> None:
        assert tag in TELEGRAM_TAGS
        assert not attrs
        self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def units(text: str) -> int:
    return len(text.encode("utf-16-le")) // 2


class TestWhatAnAlertSays:
    def test_a_reclaimed_cascade_says_it_all(self) -> None:
        assert lines(alert()) == [
            "🔻 BTC: $12.0M of longs liquidated in 30 s (6.0x the threshold)",
            "Reclaimed: the price is back up in its range from before the cascade.",
            "🟢 LONG",
            "Price $96,200",
            "Entry $96,200 · stop $95,238 (-1.0 %) · targets $97,162 (+1.0 %), $98,124 (+2.0 %)",
            "Its busiest minute is larger than 99.3 % of the coin's minutes of up to 24 h",
            "Market context neutral: funding +0.01 % per 8 h (above 50 % of its own 30 days), "
            "open interest +1.2 % in 1 h (above 70 % of its own 30 days)",
            "Confidence 82/100 · 33 of 60 like this won after costs (+0.8 points)",
            "Agreeing: stop hunt, accumulation",
            "Source: coinglass · 3 s old · id 0123456789abcdef",
            "Market data, not advice.",
        ]

    def test_the_same_in_indonesian(self) -> None:
        assert lines(alert(), ID) == [
            "🔻 BTC: $12.0M posisi long dilikuidasi dalam 30 dtk (6.0x ambang batas)",
            "Pulih: harga kembali naik ke rentang sebelum kaskade.",
            "🟢 LONG",
            "Harga $96,200",
            "Masuk $96,200 · stop $95,238 (-1.0 %) · target $97,162 (+1.0 %), $98,124 (+2.0 %)",
            "Menit tersibuknya lebih besar dari 99.3 % menit koin ini, paling jauh 24 jam",
            "Konteks pasar netral: funding +0.01 % per 8 jam (di atas 50 % dari 30 harinya sendiri), "
            "open interest +1.2 % dalam 1 jam (di atas 70 % dari 30 harinya sendiri)",
            "Keyakinan 82/100 · 33 dari 60 yang serupa untung setelah biaya (+0.8 poin)",
            "Sepakat: perburuan stop, akumulasi",
            "Sumber: coinglass · 3 dtk lalu · id 0123456789abcdef",
            "Data pasar, bukan nasihat.",
        ]

    @pytest.mark.parametrize(
        ("side", "word"), [(LiquidatedSide.LONG, "longs"), (LiquidatedSide.SHORT, "shorts")]
    )
    @pytest.mark.parametrize("follows", [None, "a" * 16])
    def test_a_sum_of_both_sides_is_not_called_that_of_one(
        self, side: LiquidatedSide, word: str, follows: str | None
    ) -> None:
        mixed = alert(side=side, evidence=(("side_share_frac", 0.93),), follows=follows, window_s=240)
        said = render_alert(mixed, Language.EN, now_ms=NOW_MS, data_mode="live").plain
        assert f"$12.0M liquidated in 4 min, 93 % {word}" in said
        assert f"of {word} liquidated" not in said

    @pytest.mark.parametrize(
        ("side", "word"), [(LiquidatedSide.LONG, "longs"), (LiquidatedSide.SHORT, "shorts")]
    )
    def test_an_unusual_minute_of_both_sides_is_not_called_that_of_one(
        self, side: LiquidatedSide, word: str
    ) -> None:
        usd = (7e6, 5e6) if side is LiquidatedSide.LONG else (5e6, 7e6)
        evidence = (("long_usd", usd[0]), ("short_usd", usd[1]))
        title = lines(alert(kind=AlertKind.LIQUIDATION_ZSCORE, side=side, phase=None, evidence=evidence))[0]
        assert f"unusually large liquidations, $12.0M in 30 s, 58 % {word} (6.0x" in title

    def test_a_reclaim_of_its_own_is_short_and_names_the_cascade_it_follows(self) -> None:
        way_back = alert(follows="00000000000000aa", severity=Severity.URGENT, context=None, sources=())
        assert lines(way_back) == [
            "🚨🟢 BTC: reclaimed after $12.0M of longs liquidated in 30 s (6.0x the threshold)",
            "🟢 LONG",
            "Price $96,200",
            "Entry $96,200 · stop $95,238 (-1.0 %) · targets $97,162 (+1.0 %), $98,124 (+2.0 %)",
            "Confidence 82/100 · 33 of 60 like this won after costs (+0.8 points)",
            "Source: coinglass · 3 s old · id 0123456789abcdef, follows 00000000000000aa",
            "Market data, not advice.",
        ]
        mirrored = replace(way_back, side=LiquidatedSide.SHORT, direction=SHORT, levels=None)
        assert lines(mirrored, ID)[:2] == [
            "🚨🔴 BTC: pulih setelah $12.0M posisi short dilikuidasi dalam 30 dtk (6.0x ambang batas)",
            "🔴 SHORT",
        ]

    def test_a_cascade_whose_reclaim_is_told_apart_says_so(self) -> None:
        end = lines(alert(direction=NEUTRAL, levels=None, record=None))
        assert end[1] == "Reclaimed: the price is back up in its range from before the cascade."
        assert end[2] == "⚪ The way back is an alert of its own"

    @pytest.mark.parametrize(
        ("kind", "evidence", "english", "indonesian"),
        [
            (AlertKind.LIQUIDATION_ZSCORE, ("minutes", 300.0), "last 5 h", "dalam 5 jam terakhir"),
            (AlertKind.FUNDING_EXTREME, ("history_days", 29.96), "last 30 d", "dalam 30 hari terakhir"),
            (AlertKind.OI_SPIKE, ("history_days", 2.0), "last 2 d", "dalam 2 hari terakhir"),
            (AlertKind.OI_SPIKE, ("events", 2.0), "own past", "riwayatnya sendiri"),
        ],
    )
    def test_a_percentile_says_of_how_long_a_past(
        self, kind: AlertKind, evidence: tuple[str, float], english: str, indonesian: str
    ) -> None:
        shown = alert(kind=kind, side=None, phase=None, evidence=(evidence,))
        assert f"Higher than 99.3 % of its {english}" in lines(shown)
        assert any(line.endswith(indonesian) for line in lines(shown, ID))

    def test_a_small_price_keeps_its_digits(self) -> None:
        tiny = alert(symbol="SHIB", price=0.00001182, levels=TradeLevels(0.00001182, 0.0000117, (0.0000122,)))
        assert "Price $0.00001182" in lines(tiny)
        assert "Entry $0.00001182 · stop $0.0000117 (-1.0 %) · targets $0.0000122 (+3.2 %)" in lines(tiny)

    def test_a_distance_below_one_percent_has_two_decimals(self) -> None:
        close = alert(levels=TradeLevels(100.0, 99.75, (100.25,)), price=100.0)
        assert "Entry $100.00 · stop $99.75 (-0.25 %) · targets $100.25 (+0.25 %)" in lines(close)

    def test_few_outcomes_are_said_to_be_few(self) -> None:
        few = alert(record=SetupRecord("STOP_HUNT:LONG:1", 12, 9, 0.0))
        assert "Confidence 82/100 · n = 12 outcomes, too few to weigh" in lines(few)
        assert "Confidence 82/100 · no outcomes counted yet" in lines(alert(record=None))

    def test_what_has_no_direction_is_not_scored(self) -> None:
        swept = (("range_low", 96_500.0), ("range_high", 96_900.0), ("sweep_extreme", 96_100.0))
        building = alert(direction=NEUTRAL, levels=None, record=None, phase=Phase.BUILDING, evidence=swept)
        silent = lines(building)
        assert "⚪ No direction unless the price comes back into its range" in silent
        assert "⚪ No direction" in lines(alert(direction=NEUTRAL, levels=None, phase=Phase.ENDED))
        # Where no range is known, or the price is still in it, there is nothing to come back to.
        assert "⚪ No direction" in lines(replace(building, evidence=()))
        assert "⚪ No direction" in lines(
            replace(building, evidence=(*swept[:2], ("sweep_extreme", 96_600.0)))
        )
        assert "Confidence 82/100" in silent
        assert "Cascade under way: forced selling pushes the price down." in silent

    @pytest.mark.parametrize(
        ("side", "extreme", "is_inside"),
        [
            (LiquidatedSide.LONG, 95.5, True),
            (LiquidatedSide.LONG, 94.9, False),
            (LiquidatedSide.SHORT, 104.5, True),
            (LiquidatedSide.SHORT, 105.1, False),
            (LiquidatedSide.LONG, None, False),
        ],
    )
    def test_an_end_without_a_sweep_is_not_an_end_without_prices(
        self, side: LiquidatedSide, extreme: float | None, is_inside: bool
    ) -> None:
        evidence: list[tuple[str, float]] = [("range_low", 95.0), ("range_high", 105.0)]
        evidence += [] if extreme is None else [("sweep_extreme", extreme)]
        over = alert(
            side=side,
            phase=Phase.ENDED,
            direction=NEUTRAL,
            levels=None,
            price=100.0,
            evidence=tuple(evidence),
        )
        inside = "Over: the price did not leave its range from before the cascade."
        assert (inside in lines(over)) == is_inside
        assert any(line.startswith("Over. Without enough traded prices") for line in lines(over)) != is_inside
        assert ("Selesai: harga tidak keluar dari rentang sebelum kaskade." in lines(over, ID)) == is_inside

    def test_sources_that_disagree_are_said_to(self) -> None:
        evidence = (("opposed_long_confidence", 80.0), ("opposed_short_confidence", 70.0))
        opposed = lines(
            alert(
                direction=NEUTRAL,
                levels=None,
                evidence=evidence,
                sources=(AlertKind.STOP_HUNT, AlertKind.DISTRIBUTION),
            )
        )
        assert "⚪ No direction: sources disagree (LONG 80, SHORT 70 of 100)" in opposed
        assert "Disagreeing: stop hunt, distribution" in opposed

    def test_without_a_traded_price_the_range_of_the_venues_is_called_that(self) -> None:
        blind = alert(
            price=None,
            direction=NEUTRAL,
            levels=None,
            evidence=(("venue_low_usd", 95_100.0), ("venue_high_usd", 96_400.0)),
        )
        assert "No traded price known; venues state liquidation prices of $95,100 to $96,400" in lines(blind)
        assert "No traded price known" in lines(replace(blind, evidence=()))

    def test_unknown_context_is_named(self) -> None:
        unknown = AlertContext(ContextVerdict.NEUTRAL, None, None, None, None, ("funding", "open_interest"))
        assert "Market context neutral: unknown: funding, open interest" in lines(alert(context=unknown))
        assert not [line for line in lines(alert(context=None)) if line.startswith("Market context")]

    @pytest.mark.parametrize(
        ("kind", "evidence", "expected"),
        [
            (AlertKind.ACCUMULATION, (), "accumulation: buyers dominate, $12.0M in 30 s"),
            (AlertKind.WHALE_DISTRIBUTION, (), "whale distribution: large sellers, $12.0M in 30 s"),
            (AlertKind.VOLUME_SPIKE, (), "volume spike, $12.0M in 30 s"),
            (
                AlertKind.VOLUME_SPIKE,
                (("ratio_to_mean", 4.25), ("buy_share_frac", 0.5)),
                "volume spike, $12.0M in 30 s, 4.2x the mean of the minutes before",
            ),
            (
                AlertKind.ACCUMULATION,
                (("buy_share_frac", 0.78),),
                "accumulation: buyers dominate, $12.0M in 30 s, 78 % of the volume",
            ),
            (
                AlertKind.WHALE_DISTRIBUTION,
                (("buy_share_frac", 0.22),),
                "whale distribution: large sellers, $12.0M in 30 s, 78 % of the volume",
            ),
            (
                AlertKind.WHALE_POSITION,
                (("is_opened", 1.0), ("is_long", 0.0)),
                "a whale opened a short of $12.0M",
            ),
            (
                AlertKind.WHALE_POSITION,
                (("is_opened", 0.0), ("is_long", 1.0)),
                "a whale closed a long of $12.0M",
            ),
            (AlertKind.WHALE_POSITION, (), "whale position of $12.0M"),
            (
                AlertKind.FUNDING_EXTREME,
                (("funding_8h_frac", -0.00015),),
                "extreme funding, -0.015 % per 8 h",
            ),
            (AlertKind.FUNDING_EXTREME, (), "extreme funding"),
            (
                AlertKind.OI_SPIKE,
                (("oi_change_5m_frac", 0.031), ("price_change_5m_frac", -0.012)),
                "open interest +3.10 % in 30 s, price -1.20 %",
            ),
            (
                AlertKind.HEATMAP,
                (("tile_low_usd", 95_000.0), ("tile_high_usd", 95_238.0)),
                "liquidations concentrated between $95,000 and $95,238",
            ),
        ],
    )
    def test_each_kind_has_its_headline(
        self, kind: AlertKind, evidence: tuple[tuple[str, float], ...], expected: str
    ) -> None:
        first = lines(alert(kind=kind, side=None, evidence=evidence))[0]
        assert first.split(": ", 1)[1].removesuffix(" (6.0x the threshold)") == expected

    @pytest.mark.parametrize("language", list(Language))
    @pytest.mark.parametrize("kind", list(AlertKind))
    def test_only_what_has_a_threshold_in_usd_is_measured_with_it(
        self, kind: AlertKind, language: Language
    ) -> None:
        """Taker volume is compared with shares and minutes, not with what a cascade must hold."""
        has_one = kind in {"STOP_HUNT", "LIQUIDATION_ZSCORE", "HEATMAP", "WHALE_POSITION"}
        assert ("(6.0x " in lines(alert(kind=kind), language)[0]) == has_one

    @pytest.mark.parametrize("language", list(Language))
    @pytest.mark.parametrize("kind", list(AlertKind))
    def test_every_kind_side_and_phase_has_words(self, kind: AlertKind, language: Language) -> None:
        for side in (None, *LiquidatedSide):
            for phase in (None, *Phase):
                shown = render(alert(kind=kind, side=side, phase=phase), language)
                assert "BTC" in shown.plain
                assert "{" not in shown.html

    def test_it_says_that_it_is_an_update(self) -> None:
        assert "Source: coinglass · 3 s old · update 3 · id 0123456789abcdef" in lines(alert(revision=3))

    def test_an_urgent_one_has_a_siren(self) -> None:
        assert lines(alert(severity=Severity.URGENT))[0].startswith("🚨🔻 BTC")

    def test_what_concerns_all_coins_is_called_that(self) -> None:
        wide = alert(symbol="MARKET", kind=AlertKind.LIQUIDATION_ZSCORE)
        assert lines(wide)[0].startswith("🔻 Whole market: unusually many longs liquidated")
        assert lines(wide, ID)[0].startswith("🔻 Seluruh pasar: likuidasi posisi long")

    def test_a_repeat_is_marked(self) -> None:
        again = render_digest([alert()], EN, now_ms=NOW_MS, data_mode="live", repeat=True).plain
        assert again.splitlines()[1].startswith("Repeat:")
        assert "Repeat:" in render(alert(), repeat=True).plain
        assert "Repeat:" not in render(alert()).plain

    @pytest.mark.parametrize(
        ("of_alert", "of_service", "mark"),
        [
            ("live", "live", ""),
            ("demo", "demo", "[DEMO] "),
            ("replay", "replay", "[REPLAY] "),
            ("demo", "live", "[DEMO] "),
            ("live", "demo", "[DEMO] "),
        ],
    )
    def test_what_is_not_live_is_marked_first_of_all(self, of_alert: str, of_service: str, mark: str) -> None:
        shown = alert(data_mode=of_alert)
        text = render(shown, data_mode=of_service).plain
        assert text.startswith(f"{mark}🔻 BTC")
        digest = render_digest([shown], EN, now_ms=NOW_MS, data_mode=of_service).plain
        assert digest.startswith(mark + "Alerts: 1") or (of_alert, of_service) == ("demo", "live")


class TestButtons:
    def test_mute_details_and_the_dashboard_when_there_is_one(self) -> None:
        first, second = render(alert(), dashboard_url="https://example.invalid/dashboard/").buttons
        assert first == (("Mute BTC 1 h", "mute:BTC:1"), ("Details", "details:0123456789abcdef"))
        assert second == (("Open dashboard", "https://example.invalid/dashboard/coin/BTC"),)
        assert len(render(alert()).buttons) == 1

    @pytest.mark.parametrize("name", ["MARKET", *PAYLOADS])
    def test_what_is_no_coin_leads_to_the_first_page(self, name: str) -> None:
        url = "https://example.invalid/dashboard/"
        assert render(alert(symbol=name), dashboard_url=url).buttons[-1] == (("Open dashboard", url),)

    @pytest.mark.parametrize("name", PAYLOADS)
    def test_a_name_that_is_no_symbol_is_in_no_button(self, name: str) -> None:
        ((button,),) = render(alert(symbol=name)).buttons
        assert button == ("Details", "details:0123456789abcdef")


def mirror_words(text: str) -> str:
    """Swap exactly the words of sides and the signs of percentages, and hide prices."""
    pairs = {
        "longs": "shorts",
        "LONG": "SHORT",
        "🔻": "🔺",
        "🟢": "🔴",
        "forced selling": "forced buying",
        "sellers": "buyers",
        "price down": "price up",
        "back up": "back down",
        "stayed below": "stayed above",
        "accumulation": "distribution",
        "a long of": "a short of",
    }
    table = pairs | {there: here for here, there in pairs.items()}
    pattern = re.compile("|".join(re.escape(word) for word in sorted(table, key=len, reverse=True)))
    swapped = pattern.sub(lambda found: table[found[0]], text)
    return re.sub(r"\(([+-])", lambda found: "(-" if found[1] == "+" else "(+", swapped)


def hide_prices(text: str) -> str:
    return re.sub(r"\$[\d.,]+(?= [(·]|$)", "$", text, flags=re.M)


OTHER = {
    LONG: SHORT,
    SHORT: LONG,
    NEUTRAL: NEUTRAL,
    LiquidatedSide.LONG: LiquidatedSide.SHORT,
    LiquidatedSide.SHORT: LiquidatedSide.LONG,
    AlertKind.ACCUMULATION: AlertKind.DISTRIBUTION,
    AlertKind.DISTRIBUTION: AlertKind.ACCUMULATION,
    AlertKind.WHALE_ACCUMULATION: AlertKind.WHALE_DISTRIBUTION,
    AlertKind.WHALE_DISTRIBUTION: AlertKind.WHALE_ACCUMULATION,
}


class TestMirror:
    @pytest.mark.parametrize("phase", [None, *Phase])
    @pytest.mark.parametrize(
        "kind",
        [
            AlertKind.STOP_HUNT,
            AlertKind.LIQUIDATION_ZSCORE,
            AlertKind.ACCUMULATION,
            AlertKind.WHALE_ACCUMULATION,
            AlertKind.HEATMAP,
            AlertKind.WHALE_POSITION,
        ],
    )
    @pytest.mark.parametrize("direction", [LONG, NEUTRAL])
    def test_swapping_sides_swaps_exactly_the_words_and_signs_of_sides(
        self, kind: AlertKind, phase: Phase | None, direction: Direction
    ) -> None:
        levels = TradeLevels(96_200.0, 95_238.0, (97_162.0, 98_124.0)) if direction is LONG else None
        here = alert(
            kind=kind,
            phase=phase,
            direction=direction,
            levels=levels,
            context=None,
            record=None,
            evidence=(("is_opened", 1.0), ("is_long", 1.0)),
            sources=(kind, AlertKind.WHALE_ACCUMULATION),
        )
        there = replace(
            here,
            kind=OTHER.get(kind, kind),
            side=LiquidatedSide.SHORT,
            direction=OTHER[direction],
            levels=levels and TradeLevels(96_200.0, 97_162.0, (95_238.0, 94_276.0)),
            evidence=(("is_opened", 1.0), ("is_long", 0.0)),
            sources=(OTHER.get(kind, kind), AlertKind.WHALE_DISTRIBUTION),
        )
        before, after = render(here).plain, render(there).plain
        assert before != after
        assert hide_prices(mirror_words(before)) == hide_prices(after)

    def test_a_short_has_its_stop_above_and_its_targets_below(self) -> None:
        short = alert(
            direction=SHORT, side=LiquidatedSide.SHORT, levels=TradeLevels(100.0, 101.5, (98.0,)), price=100.0
        )
        assert "🔴 SHORT" in lines(short)
        assert "Entry $100.00 · stop $101.50 (+1.5 %) · targets $98.00 (-2.0 %)" in lines(short)


class TestForeignText:
    @pytest.mark.parametrize("payload", PAYLOADS)
    @pytest.mark.parametrize("language", list(Language))
    def test_a_payload_in_a_name_stays_text(self, payload: str, language: Language) -> None:
        shown = alert(symbol=payload, feeds=(payload,), data_mode=payload)
        for message in (
            render(shown, language, dashboard_url="https://example.invalid/"),
            render_digest([shown] * 3, language, now_ms=NOW_MS, data_mode="live"),
        ):
            assert Tags(message.html).text == message.plain
            assert not re.search("[\x00-\x09\x0b-\x1f\u202a-\u202e\u2066-\u2069\ud800-\udfff]", message.plain)
            assert len(message.plain.splitlines()) <= 12

    @given(st.text(max_size=60), st.integers(1, 40))
    def test_cleaned_text_is_one_short_line_of_printable_characters(self, text: str, most: int) -> None:
        cleaned = clean(text, most)
        assert 1 <= len(cleaned) <= max(most, 1)
        assert cleaned == "?" or cleaned.isprintable()
        assert clean(cleaned, most) == cleaned

    @given(st.text(alphabet="<>&;abltgmp/ ", max_size=NAME_MAX))
    def test_the_plain_text_is_the_html_as_read(self, name: str) -> None:
        message = render(alert(symbol=name))
        assert Tags(message.html).text == message.plain == plain_of(message.html)


class TestLengths:
    def test_the_longest_alert_fits_a_message_and_a_caption(self) -> None:
        longest = alert(
            symbol="&" * 100,
            feeds=("<" * 100,) * 9,
            levels=TradeLevels(96_200.0, 95_238.0, tuple(97_162.0 + step for step in range(50))),
            sources=tuple(AlertKind),
            evidence=(("opposed_long_confidence", 1.0), ("opposed_short_confidence", 2.0)),
        )
        for is_caption, most in ((False, TEXT_MAX), (True, CAPTION_MAX)):
            message = render(longest, ID, repeat=True, is_caption=is_caption)
            assert units(message.html) <= most
            assert "bukan nasihat" in message.plain
            assert "0123456789abcdef" in message.plain
            assert "Masuk" in message.plain

    @pytest.mark.parametrize("number", [1, 30, 31, 500])
    def test_a_digest_fits_and_says_how_many_more_there_are(self, number: int) -> None:
        storm = [
            alert(symbol=f"{'&' * 20}{place}", id=f"{place:016x}", ratio=float(place))
            for place in range(number)
        ]
        message = render_digest(storm, EN, now_ms=NOW_MS, data_mode="live")
        assert units(message.html) <= TEXT_MAX
        assert message.plain.startswith(f"Alerts: {number} · coins: {number}")
        listed = message.plain.count("longs liquidated")
        assert f"... and {number - listed} more" in message.plain or listed == number


class TestSeveral:
    def test_urgent_ones_come_first_then_the_largest(self) -> None:
        shown = [
            alert(symbol="SMALL", ratio=2.0),
            alert(symbol="LOUD", ratio=1.5, severity=Severity.URGENT),
            alert(symbol="BIG", ratio=4.0),
        ]
        text = render_digest(shown, EN, now_ms=NOW_MS, data_mode="live").plain
        assert re.findall(r"SMALL|LOUD|BIG", text) == ["LOUD", "BIG", "SMALL"]
        assert "🔻 BIG: $12.0M of longs liquidated in 30 s · LONG · 82/100 · 3 s" in text

    def test_a_summary_says_of_what_time_and_when_there_was_nothing(self) -> None:
        some = render_summary([alert()], EN, since_ms=NOW_MS - 3_600_000, now_ms=NOW_MS, data_mode="live")
        none = render_summary([], ID, since_ms=NOW_MS - 14_400_000, now_ms=NOW_MS, data_mode="demo")
        assert some.plain.startswith("Last 60 min · alerts: 1 · coins: 1")
        assert none.plain == "[DEMO] 4 jam terakhir · tidak ada peringatan"
        assert some.is_silent
        assert none.is_silent


class TestCatalogue:
    def test_both_languages_name_the_same_placeholders_and_tags(self) -> None:
        for key, (english, indonesian) in PHRASES.items():
            for pattern in (r"\{[a-z_]*\}", r"</?[a-z]+>"):
                assert sorted(re.findall(pattern, english)) == sorted(re.findall(pattern, indonesian)), key

    def test_both_languages_have_words_for_every_key(self) -> None:
        for key in PHRASES:
            assert phrase(key, EN).strip()
            assert phrase(key, ID).strip()

    def test_the_languages_differ_wherever_there_is_something_to_translate(self) -> None:
        same = {key for key, (english, indonesian) in PHRASES.items() if english == indonesian}
        assert same == {
            "direction.LONG",
            "direction.SHORT",
            "unknown.funding",
            "unknown.open_interest",
        }


@pytest.mark.parametrize(
    ("seconds", "english", "indonesian"),
    [
        (-5, "0 s", "0 dtk"),
        (30, "30 s", "30 dtk"),
        (119, "119 s", "119 dtk"),
        (300, "5 min", "5 mnt"),
        (3_600, "60 min", "60 mnt"),
        (11_520, "3.2 h", "3.2 jam"),
        (259_200, "3 d", "3 hari"),
    ],
)
def test_durations(seconds: float, english: str, indonesian: str) -> None:
    assert (span(seconds, EN), span(seconds, ID)) == (english, indonesian)
