"""`python -m app.api.openapi_export`: write `openapi/gpt-actions.json`, the committed public contract.

Refuses to overwrite a document that clients may rely on with one that would break them.
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

from app.api.app import create_api
from app.api.deps import ApiServices
from app.api.openapi import COMMITTED_URL, build_actions
from app.api.openapi_compat import breaking_changes
from app.api.openapi_parts import JsonObject
from app.api.options import ApiOptions
from app.core.domain.context import DataMode
from app.core.errors import InvariantViolation

MAX_LIST_CHARS = 80
_BREAK = ",\n"
_WORD = r'\s*"(?:[^"\\]|\\.)*"'
_WORDS = re.compile(rf"\[\n({_WORD}(?:{_BREAK}{_WORD})*)\n\s*\]")
COMMITTED_FILE = Path(__file__).resolve().parents[2] / "openapi" / "gpt-actions.json"


def whole_document() -> JsonObject:
    """The whole interface, from the routes of this code alone."""
    options = ApiOptions(public_url=COMMITTED_URL, data_mode=DataMode.LIVE, version="1.0.0")
    # Only the shape of the routes is read, so no use case is ever called.
    return create_api(options, _no_services(), metrics_text=lambda: b"", now_ms=lambda: 0).openapi()


def committed_document() -> JsonObject:
    """The Actions document as it is committed: under an example host."""
    return build_actions(whole_document(), COMMITTED_URL)


def encode_document(document: JsonObject) -> str:
    """The document as it is committed: one key a line, short lists of words (`["number", "null"]`) on one.

    A line break inside of a JSON text is never part of a string, so only layout is matched.
    """
    return _WORDS.sub(_on_one_line, json.dumps(document, indent=1, ensure_ascii=False)) + "\n"


def _on_one_line(found: re.Match[str]) -> str:
    line = f"[{', '.join(one.strip() for one in found[1].split(_BREAK))}]"
    return line if len(line) <= MAX_LIST_CHARS else found[0]


def main(arguments: list[str]) -> int:
    """Exit status 0 when written, 1 when it would break clients (`--allow-breaking` overrides)."""
    document = committed_document()
    if COMMITTED_FILE.exists():
        broken = breaking_changes(json.loads(COMMITTED_FILE.read_text("utf-8")), document)
        if broken and "--allow-breaking" not in arguments:
            sys.stderr.write("".join(f"G21 {line}\n" for line in broken))
            return 1
    COMMITTED_FILE.write_text(encode_document(document), "utf-8")
    return 0


class _Never:
    """Stands in for use cases that are not called."""

    def __getattr__(self, name: str) -> Any:
        raise InvariantViolation(f"{name} is not callable while exporting")


def _no_services() -> ApiServices:
    never = _Never()
    return ApiServices(
        signals=never,
        market=never,
        derivatives=never,
        catalog=never,
        budget=never,
        health=never,
        heatmap=never,
        liquidity=never,
        history=never,
        replay=never,
        record=never,
        exports=never,
        flow=never,
        alerts=never,
        track=never,
        symbols=never,
        live=never,
        coins=never,
        stats=never,
        candles=never,
        audit=never,
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
