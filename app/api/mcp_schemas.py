"""JSON Schemas of the MCP tools, out of the models of the REST interface and worded like its document."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel

from app.api.openapi_parts import JsonObject, tidy_schema
from app.api.schemas.enum_texts import ENUM_TEXTS

# Every client is sent the list before it asks anything: what a reader of results does not need is left out.
_LIMITS = frozenset(
    {"pattern", "format", "maxLength", "maxItems", "minimum", "maximum", "exclusiveMinimum"}
    | {"additionalProperties"}
)
# Said once for all tools, in the instructions of the server.
_SAID_ALREADY = "DataMode"


def input_schema(arguments: type[BaseModel]) -> JsonObject:
    """What may be sent, with every limit."""
    return _schema(arguments, "validation")


def output_schema(answer: type[BaseModel]) -> JsonObject:
    """What comes back, without limits: it is read and not filled in."""
    found: JsonObject = _without_limits(_schema(answer, "serialization"))
    found.get("$defs", {}).get(_SAID_ALREADY, {}).pop("description", None)
    return found


def _schema(model: type[BaseModel], mode: Literal["validation", "serialization"]) -> JsonObject:
    schema: JsonObject = model.model_json_schema(by_alias=True, mode=mode)
    schema.pop("description", None)  # the first line of our docstring: for programmers
    for name, part in schema.get("$defs", {}).items():
        tidy_schema(part)
        if "enum" in part:
            part["description"] = ENUM_TEXTS[name]
    tidy_schema(schema)
    return schema


def _without_limits(node: Any) -> Any:
    """A property that is called like a limit stays: its value is a schema."""
    if isinstance(node, list):
        return [_without_limits(item) for item in node]
    if not isinstance(node, dict):
        return node
    return {
        key: _without_limits(value)
        for key, value in node.items()
        if key not in _LIMITS or isinstance(value, dict)
    }
