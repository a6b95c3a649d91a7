"""The hash chain: worked number, and every change is seen."""

from __future__ import annotations

import pytest

from app.core.chain import GENESIS, digest, link


def test_the_digest_of_facts_is_the_worked_number() -> None:
    assert digest({"a": 1}) == "015abd7f5cc57a2dd94b7590f04ad8084273905ee33ec5cebeae62276a97f862"


def test_the_worked_number() -> None:
    assert link(GENESIS, {"a": 1}) == ("f21735afd2cd6af4fc5804b0045cebfd545aef8396d29d030c39cb8880b45b7f")


def test_key_order_does_not_matter_and_everything_else_does() -> None:
    facts = {"a": 1.5, "b": "x", "c": None}
    assert link(GENESIS, facts) == link(GENESIS, dict(reversed(facts.items())))
    others = [facts | {"a": 1.5000001}, facts | {"b": "y"}, facts | {"c": "null"}, {"a": 1.5, "b": "x"}]
    hashes = {link(GENESIS, facts), link("1" * 64, facts), *(link(GENESIS, other) for other in others)}
    assert len(hashes) == 6


def test_a_number_that_is_none_cannot_enter_the_record() -> None:
    with pytest.raises(ValueError):
        link(GENESIS, {"score": float("nan")})
