"""Notices about a feed, and when a summary is due."""

from __future__ import annotations

import pytest

from app.core.alerting.notices import FeedNotice, render_notice, summary_since_ms
from app.core.domain.alerts import Language
from tests.alert_facts import NOW_MS, chat

MINUTE_MS = 60_000


class TestFeedNotice:
    def test_a_feed_that_is_back_says_what_may_be_missing(self) -> None:
        notice = FeedNotice("coinglass", NOW_MS - 300_000, NOW_MS)
        text = render_notice(notice, Language.EN, now_ms=NOW_MS, data_mode="live").plain
        assert text == (
            "✅ Data feed coinglass is back. Silent from 11:55 UTC to 12:00 UTC (5 min): "
            "events of that time may be missing."
        )

    def test_a_silent_feed_says_since_when(self) -> None:
        notice = FeedNotice("okx", NOW_MS - 86_400_000, None)
        text = render_notice(notice, Language.ID, now_ms=NOW_MS, data_mode="replay").plain
        assert text.startswith("[REPLAY] ⚠️ Sumber data okx diam sejak 2025-12-04 12:00 UTC.")

    def test_its_name_is_escaped(self) -> None:
        message = render_notice(FeedNotice("<b>", 0, None), Language.EN, now_ms=0, data_mode="live")
        assert "&lt;b&gt;" in message.html
        assert "<b>" in message.plain


class TestSummaryTime:
    @pytest.mark.parametrize(
        ("last_min", "now_min", "since_min"),
        [
            (0, 59, None),
            (0, 60, 0),
            (0, 61, 0),
            (60, 61, None),
            (0, 600, 540),
            (None, 61, 0),
        ],
    )
    def test_summaries_come_on_the_hour_and_reach_one_interval_back(
        self, last_min: int | None, now_min: int, since_min: int | None
    ) -> None:
        """Minutes after 12:00 UTC."""
        last_ms = None if last_min is None else NOW_MS + last_min * MINUTE_MS
        since_ms = summary_since_ms(
            chat(digest_every_min=60), last_ms=last_ms, now_ms=NOW_MS + now_min * MINUTE_MS
        )
        assert since_ms == (None if since_min is None else NOW_MS + since_min * MINUTE_MS)

    def test_without_an_interval_or_a_chat_none_is_due(self) -> None:
        assert summary_since_ms(chat(), last_ms=None, now_ms=NOW_MS) is None
        asleep = chat(digest_every_min=60, is_disabled=True)
        assert summary_since_ms(asleep, last_ms=None, now_ms=NOW_MS) is None
