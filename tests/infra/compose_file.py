"""`docker-compose.yml` read as the client reads it: variables put in, anchors and merges resolved.

No client is needed: `interpolate` knows the forms the file uses, and refuses any other.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[2]
FILE = ROOT / "docker-compose.yml"
_START = re.compile(r"\$(?:\$|\{|[A-Za-z_])")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


class Refused(Exception):
    """A variable that must be set is not; the client would not go on either."""


def interpolate(text: str, given: Mapping[str, str]) -> str:
    """Put variables in: `$$`, `${A}`, `${A:-default}` and `${A:?message}`, one inside of another.

    Raises: Refused; ValueError for another form.
    """
    done, rest = "", text
    while found := _START.search(rest):
        done, rest = done + rest[: found.start()], rest[found.end() :]
        if found.group() == "$$":
            done += "$"
            continue
        if found.group() != "${":
            raise ValueError(f"a variable without braces: {rest[:20]}")
        body, rest = _until_closed(rest)
        done += _value(body, given)
    return done + rest


def _until_closed(text: str) -> tuple[str, str]:
    depth = 1
    for place, sign in enumerate(text):
        depth += (sign == "{" and text[place - 1] == "$") - (sign == "}")
        if depth == 0:
            return text[:place], text[place + 1 :]
    raise ValueError("a variable that does not end")


def _value(body: str, given: Mapping[str, str]) -> str:
    found = _NAME.match(body)
    if found is None:
        raise ValueError(f"not a variable: {body}")
    value, form, word = given.get(found.group(), ""), body[found.end() :][:2], body[found.end() + 2 :]
    if form not in {"", ":-", ":?"}:
        raise ValueError(f"another form than the file uses: {body}")
    if value:
        return value
    if form == ":?":
        raise Refused(f"{found.group()} {word}")
    return interpolate(word, given)


def load(given: Mapping[str, str]) -> dict[str, Any]:
    """The whole file with these variables, as an `.env` would give them. Raises: Refused."""
    document = yaml.safe_load(FILE.read_text("utf-8"))
    filled = _filled(document, given)
    assert isinstance(filled, dict)
    return filled


def _filled(node: Any, given: Mapping[str, str]) -> Any:
    if isinstance(node, str):
        return interpolate(node, given)
    if isinstance(node, list):
        return [_filled(item, given) for item in node]
    if isinstance(node, dict):
        return {key: _filled(value, given) for key, value in node.items()}
    return node


def read_env(text: str) -> dict[str, str]:
    """An `.env`: NAME=value lines."""
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    return {name: value for name, _, value in (line.partition("=") for line in lines)}


def variables() -> set[str]:
    """Every variable the file asks for."""
    return set(re.findall(r"\$\{([A-Z_]+)", FILE.read_text("utf-8")))
