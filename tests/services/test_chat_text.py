"""Foreign text stays text, lines fit their message, and ages read in the chat's language."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.domain.alerts import Language
from app.core.domain.context import DataMode
from app.core.domain.quality import Missing, MissingReason
from app.core.errors import (
    InvariantViolation,
    NoPriceAvailable,
    ProviderTimeout,
    StorageUnavailable,
    UnknownSymbol,
)
from app.services.chat_text import (
    MAX_CAPTION_CHARS,
    MAX_TEXT_CHARS,
    Markup,
    Voice,
    clean,
    fault_text,
    message,
)
from app.sim.telegram_text import entity_error, visible_length

NOW_MS = 1_764_936_000_000
VOICE = Voice(Language.EN, DataMode.LIVE, NOW_MS)
HOSTILE = [
    "<script>x</script>",
    "<b>",
    "a & b",
    "</i>",
    "{coin}",
    "%s",
    "\u202eevil",
    "x\x00\x1fy",
    "&lt;b&gt;",
]


@given(st.text(max_size=500))
def test_any_name_becomes_markup_that_parses_and_reads_as_the_cleaned_name(name: str) -> None:
    said = VOICE.say("set.watch", coin=name)
    assert entity_error(said, "HTML") is None
    assert message([said]).plain == f"Watching {clean(name, 400)}."


@pytest.mark.parametrize("name", HOSTILE)
def test_markup_in_a_name_is_shown_and_not_obeyed_however_deep_it_is_nested(name: str) -> None:
    inner = VOICE.say("source", provider=name, ago=VOICE.ago(NOW_MS - 5_000))
    outer = VOICE.say("from", source=inner)
    assert entity_error(outer, "HTML") is None
    assert message([outer]).plain == f"Source: {clean(name)}, 5 s ago"


@given(st.lists(st.text(max_size=200), max_size=60), st.booleans())
def test_a_message_fits_with_its_footer_and_keeps_whole_lines(texts: list[str], is_caption: bool) -> None:
    lines = [VOICE.say("status.alarm", what=text) for text in texts]
    made = message(lines, footer=VOICE.footer(), png=b"png" if is_caption else None)
    most = MAX_CAPTION_CHARS if is_caption else MAX_TEXT_CHARS
    assert visible_length(made.html, "HTML") <= most + 2
    assert entity_error(made.html, "HTML") is None
    assert made.html.endswith("not advice.</i>")


def test_only_what_was_escaped_counts_as_markup() -> None:
    assert VOICE.say("set.watch", coin=Markup("<i>x</i>")) == "Watching <b><i>x</i></b>."
    assert VOICE.say("set.watch", coin="<i>x</i>") == "Watching <b>&lt;i&gt;x&lt;/i&gt;</b>."


@pytest.mark.parametrize(
    ("seconds", "english", "indonesian"),
    [
        (0, "0 s", "0 dtk"),
        (-5, "0 s", "0 dtk"),
        (119, "119 s", "119 dtk"),
        (300, "5 min", "5 mnt"),
        (11_520, "3.2 h", "3.2 jam"),
        (259_200, "3.0 d", "3.0 hari"),
    ],
)
def test_ages_in_both_languages(seconds: float, english: str, indonesian: str) -> None:
    assert VOICE.span(seconds) == english
    assert Voice(Language.ID, DataMode.LIVE, NOW_MS).span(seconds) == indonesian


@pytest.mark.parametrize(
    ("mode", "mark"), [(DataMode.LIVE, ""), (DataMode.DEMO, "[DEMO] "), (DataMode.REPLAY, "[REPLAY] ")]
)
def test_what_is_not_the_market_of_now_says_so(mode: DataMode, mark: str) -> None:
    assert Voice(Language.EN, mode, NOW_MS).title("fear.title") == f"{mark}<b>Fear and greed</b>"


@pytest.mark.parametrize("reason", list(MissingReason))
@pytest.mark.parametrize("language", list(Language))
def test_what_is_missing_says_why_and_in_which_plan_it_is(reason: MissingReason, language: Language) -> None:
    line = Voice(language, DataMode.LIVE, NOW_MS).lacks("oi.venues", Missing(reason, ""), "startup")
    assert "open interest" in line
    assert line.endswith("startup)")


def test_expected_failures_have_words_and_bugs_have_none() -> None:
    texts = {
        "unknown": fault_text(VOICE, UnknownSymbol("BTCC", ("BTC", "BTT"))),
        "price": fault_text(VOICE, NoPriceAvailable("BTC", ("okx ticker: no answer within 2.0 s",))),
        "storage": fault_text(VOICE, StorageUnavailable("reading <state>")),
        "provider": fault_text(VOICE, ProviderTimeout("okx", "ticker", "slow")),
    }
    assert texts["unknown"] == "No source lists <b>BTCC</b>. Did you mean BTC, BTT?"
    assert str(texts["price"]).endswith("okx ticker: no answer within 2.0 s")
    assert "reading &lt;state&gt;" in str(texts["storage"])
    assert "okx ticker: slow" in str(texts["provider"])
    assert fault_text(VOICE, InvariantViolation("x")) is None
