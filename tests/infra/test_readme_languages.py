"""The README in both languages says the same: sections, commands, answers, names, links, rows of tables."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
ENGLISH, INDONESIAN = "README.md", "README.id.md"
_BLOCK = re.compile(r"^(?:```.*?^```$|(?:    [^\n]*\n)+)", re.M | re.S)
# Names of the language itself, and the link to the other one.
_OWN = {ENGLISH: {INDONESIAN}, INDONESIAN: {ENGLISH}}


def text(name: str) -> str:
    return (ROOT / name).read_text("utf-8")


def blocks(source: str) -> list[str]:
    """Commands and answers: fenced, or indented by four."""
    return [found.strip("\n") for found in _BLOCK.findall(source)]


def sections(source: str) -> list[str]:
    """What stands under each heading, without its blocks."""
    return re.split(r"^#{1,6} .*$", _BLOCK.sub("", source), flags=re.M)


def names(section: str) -> set[str]:
    return {re.sub(r"\s+", " ", name) for name in re.findall(r"`([^`]+)`", section)}


def links(name: str) -> set[str]:
    return set(re.findall(r"\]\(([^)]+)\)", text(name))) - _OWN[name]


def test_each_leads_to_the_other_at_its_top() -> None:
    assert "[Bahasa Indonesia](README.id.md)" in text(ENGLISH).splitlines()[:4]
    assert "[English](README.md)" in text(INDONESIAN).splitlines()[:4]


def test_their_headings_stand_at_the_same_levels() -> None:
    levels = [re.findall(r"^(#{1,6}) ", _BLOCK.sub("", text(name)), re.M) for name in (ENGLISH, INDONESIAN)]
    assert levels[0] == levels[1]
    assert len(levels[0]) > 30


def test_every_command_and_answer_is_in_both() -> None:
    theirs = blocks(text(INDONESIAN))
    assert [block for block in blocks(text(ENGLISH)) if block not in theirs] == []
    assert blocks(text(ENGLISH)) == theirs


@pytest.mark.parametrize("number", range(len(sections(text(ENGLISH)))))
def test_each_section_names_the_same_things_in_tables_of_the_same_size(number: int) -> None:
    ours, theirs = (sections(text(name))[number] for name in (ENGLISH, INDONESIAN))
    assert names(ours) == names(theirs)
    rows = [len(re.findall(r"^\|", section, re.M)) for section in (ours, theirs)]
    assert rows[0] == rows[1]


def test_they_link_to_the_same_places() -> None:
    assert links(ENGLISH) == links(INDONESIAN)


@pytest.mark.parametrize("name", [ENGLISH, INDONESIAN, "docs/operations.md"])
def test_every_link_leads_somewhere(name: str) -> None:
    found = re.findall(r"\]\(([^)#]+)\)", text(name))
    base = (ROOT / name).parent
    assert [link for link in found if "://" not in link and not (base / link).exists()] == []


def test_it_is_another_language() -> None:
    words = re.findall(r"[a-z]+", " ".join(sections(text(INDONESIAN))).lower())
    assert words.count("yang") > 100
    assert sum(words.count(word) for word in ("the", "which", "where", "without")) < 5
