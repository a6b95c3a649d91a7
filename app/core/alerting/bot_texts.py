"""The words of the conversation in every language, by key: what the bot says, not what an alert says.

Templates hold markup (Telegram's HTML subset) and named places; whoever fills them passes escaped text. Both
languages have the same keys with the same places (held by a test). Used by `services.chat_*` and by the
bot's command menu.
"""

from __future__ import annotations

from collections.abc import Mapping

from app.core.alerting.bot_texts_en import ENGLISH
from app.core.alerting.bot_texts_id import INDONESIAN
from app.core.domain.alerts import Language

BOT_TEXTS: Mapping[Language, Mapping[str, str]] = {Language.EN: ENGLISH, Language.ID: INDONESIAN}

# Commands as they stand in the menu; `menu.NAME` says what each does, `usage.NAME` how it is written.
COMMANDS = (
    "signal",
    "why",
    "liq",
    "heatmap",
    "funding",
    "oi",
    "whales",
    "fear",
    "track",
    "list",
    "watch",
    "unwatch",
    "threshold",
    "cooldown",
    "mute",
    "unmute",
    "quiet",
    "digest",
    "level",
    "language",
    "status",
    "test",
    "help",
)


def phrase(language: Language, key: str, values: Mapping[str, str]) -> str:
    """The text of `key` with its places filled. Raises: KeyError, an unknown key or a place left open."""
    return BOT_TEXTS[language][key].format_map(values)


def menu(language: Language) -> tuple[tuple[str, str], ...]:
    """(command, what it does) for the menu of the chat application, in the order of `COMMANDS`."""
    return tuple((name, BOT_TEXTS[language][f"menu.{name}"]) for name in COMMANDS)


def menus(default: Language) -> Mapping[str, tuple[tuple[str, str], ...]]:
    """Menus by language code, and under "" the one for everybody else."""
    return {"": menu(default), **{language.value: menu(language) for language in Language}}
