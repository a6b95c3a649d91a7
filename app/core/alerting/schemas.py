"""JSON Schema of the messages other systems receive, generated from the types that write them.

`docs/schemas` holds the result; a test holds that it is this one. Nothing of the running service calls it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from app.core.alerting.codec import AlertMessage
from app.core.alerting.signal_message import SignalMessage

DIALECT = "https://json-schema.org/draft/2020-12/schema"
_MESSAGES: Mapping[str, type[msgspec.Struct]] = {
    "alert.schema.json": AlertMessage,
    "signal.schema.json": SignalMessage,
}


def schema_files() -> dict[str, str]:
    """File name -> text of its schema, ending with a line break."""
    return {name: _text(message) for name, message in _MESSAGES.items()}


def _text(message: type[msgspec.Struct]) -> str:
    # Components apart, because the message itself is to stand at the top and not behind a reference.
    (_,), components = msgspec.json.schema_components([message], ref_template="#/$defs/{name}")
    top: dict[str, Any] = dict(components.pop(message.__name__))
    document = _on_one_line({"$schema": DIALECT, **top, "$defs": components})
    return msgspec.json.format(msgspec.json.encode(document), indent=2).decode() + "\n"


def _on_one_line(node: Any) -> Any:
    """Descriptions come from docstrings, with their line breaks and indents."""
    if isinstance(node, dict):
        return {
            name: " ".join(value.split()) if name == "description" else _on_one_line(value)
            for name, value in node.items()
        }
    return [_on_one_line(value) for value in node] if isinstance(node, list) else node
