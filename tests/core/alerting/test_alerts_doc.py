"""docs/alerts.md says what the code does: reasons in their order, the example, the names of kinds."""

from __future__ import annotations

import re
from pathlib import Path

from app.core.alerting.codec import decode_alert, encode_alert
from app.core.domain.alerts import DropReason, Severity
from app.core.domain.flow import AlertKind
from tests.alert_facts import CHAT, NOW_MS, chat, desk, finding

DOC = (Path(__file__).parents[3] / "docs" / "alerts.md").read_text(encoding="utf-8")


def test_the_reasons_stand_in_the_order_of_the_gate() -> None:
    table = DOC.partition("## The gate")[2].partition("## Text")[0]
    assert re.findall(r"^\| `(\w+)` \|", table, re.M) == [reason.value for reason in DropReason]


def test_every_kind_and_severity_is_named() -> None:
    assert [name for name in (*AlertKind, *Severity) if f"`{name.value}`" not in DOC] == []


def test_the_example_is_the_second_revision_of_a_cascade() -> None:
    example = re.search(r"```json\n(.*?)```", DOC, re.S)
    assert example is not None
    at = desk(chat())
    at.consider([finding()], now_ms=NOW_MS)
    (verdict,) = at.consider([finding(usd=12e6, ratio=6.0)], now_ms=NOW_MS)
    assert verdict.chats == (CHAT,)
    assert decode_alert(example[1]) == decode_alert(encode_alert(verdict.alert))
