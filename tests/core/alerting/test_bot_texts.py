"""The words of the conversation: the same in both languages, sound markup, a word for everything named."""

from __future__ import annotations

import ast
import re
from enum import StrEnum
from pathlib import Path
from string import Formatter

import pytest

from app.core.alerting.bot_texts import BOT_TEXTS, COMMANDS, menus, phrase
from app.core.domain.alerts import ContextVerdict, DeliveryState, DropReason, Language
from app.core.domain.derivatives import Margin, WhaleAction
from app.core.domain.flow import AlertKind, LinkState, Phase
from app.core.domain.heatmap import HeatmapState
from app.core.domain.liquidity import LevelSource
from app.core.domain.quality import MissingReason
from app.core.domain.signal import ConfidenceLevel, FactorName
from app.core.domain.status import DependencyState, ProviderState, ReadyStatus
from app.core.record.summary import Verdict
from app.services.chat_settings import CHANGERS
from app.sim.telegram_text import entity_error

EN, ID = BOT_TEXTS[Language.EN], BOT_TEXTS[Language.ID]
NAMED: list[tuple[str, type[StrEnum]]] = [
    ("missing", MissingReason),
    ("factor", FactorName),
    ("confidence", ConfidenceLevel),
    ("kind", AlertKind),
    ("phase", Phase),
    ("drop", DropReason),
    ("delivery", DeliveryState),
    ("context", ContextVerdict),
    ("link", LinkState),
    ("state", ProviderState),
    ("state", DependencyState),
    ("ready", ReadyStatus),
    ("levels", LevelSource),
    ("margin", Margin),
    ("whales", WhaleAction),
    ("verdict", Verdict),
]


def places(template: str) -> set[str]:
    return {name for _, name, _, _ in Formatter().parse(template) if name is not None}


def test_both_languages_say_the_same_things() -> None:
    assert set(EN) == set(ID)


@pytest.mark.parametrize("key", sorted(EN))
def test_a_text_has_the_same_places_and_sound_markup_in_both_languages(key: str) -> None:
    assert places(EN[key]) == places(ID[key])
    for language in Language:
        filled = phrase(language, key, dict.fromkeys(places(EN[key]), "x"))
        assert entity_error(filled, "HTML") is None
        assert filled.strip()


def test_texts_with_words_are_translated() -> None:
    """A text that stayed as it was is either a word that traders use in English, or was forgotten."""
    alike = {
        key for key in EN if EN[key] == ID[key] and re.search(r"[a-z]{3}", re.sub(r"{\w+}", "", EN[key]))
    }
    in_english = (
        r"button\.heatmap|factor\.|margin\.|plan\.|menu\.oi|usage\.|help\.line|signal\.oi|status\.mode"
    )
    assert {key for key in alike if not re.match(in_english, key)} <= {"details.evidence"}


@pytest.mark.parametrize(("prefix", "names"), NAMED)
def test_everything_that_can_be_named_has_a_word(prefix: str, names: type[StrEnum]) -> None:
    assert {f"{prefix}.{name.value}" for name in names} <= set(EN)


def test_states_of_the_heatmap_without_a_picture_have_a_text() -> None:
    assert {f"heatmap.{state}" for state in HeatmapState if state is not HeatmapState.FILLED} <= set(EN)


def test_the_menu_fits_the_rules_of_the_bot_api_in_every_language() -> None:
    assert set(menus(Language.ID)) == {"", "en", "id"}
    assert menus(Language.ID)[""] == menus(Language.EN)["id"]
    for commands in menus(Language.EN).values():
        assert [name for name, _ in commands] == list(COMMANDS)
        assert all(
            re.fullmatch(r"[a-z0-9_]{1,32}", name) and 3 <= len(what) <= 256 for name, what in commands
        )


def test_every_command_that_changes_settings_is_in_the_menu_and_has_a_usage() -> None:
    assert set(CHANGERS) <= set(COMMANDS)
    assert {f"usage.{name}" for name in COMMANDS} <= set(EN)


def test_no_text_is_without_a_speaker() -> None:
    """Every key stands in the source of the conversation, whole or as the beginning of a built one."""
    whole, begun = set(), {"menu.", "usage."}
    for path in (Path(__file__).parents[3] / "app" / "services").glob("chat_*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                whole.add(node.value)
            if isinstance(node, ast.JoinedStr) and isinstance(node.values[0], ast.Constant):
                begun.add(str(node.values[0].value))
    built = tuple(part for part in begun if re.fullmatch(r"[a-z]+\.[a-z_]*", part))
    assert [key for key in EN if key not in whole and not key.startswith(built)] == []
