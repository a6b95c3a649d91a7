"""What a new Actions document would break for clients of the committed one (rule G21). Pure.

Adding is fine: operations, optional parameters, answer fields, enum values of a parameter. Taking away,
renaming and demanding more is not.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from app.api.openapi import operations
from app.api.openapi_parts import JsonObject


def breaking_changes(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    """One line for each thing an existing client relies on and would lose; empty when there is none."""
    return [*_operation_changes(old, new), *_schema_changes(old, new)]


def _operation_changes(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[str]:
    offered = {
        operation.get("operationId"): (path, method, operation) for path, method, operation in operations(new)
    }
    for path, method, operation in operations(old):
        name = operation["operationId"]
        if name not in offered:
            yield f"operation {name} removed or renamed"
            continue
        new_path, new_method, new_operation = offered[name]
        if (new_path, new_method) != (path, method):
            yield f"operation {name} moved from {method} {path} to {new_method} {new_path}"
        yield from _parameter_changes(name, operation, new_operation)


def _parameter_changes(name: str, old: JsonObject, new: JsonObject) -> Iterator[str]:
    before = {(p["in"], p["name"]): p for p in old.get("parameters", ())}
    after = {(p["in"], p["name"]): p for p in new.get("parameters", ())}
    for key, parameter in before.items():
        if key not in after:
            yield f"{name}: parameter {key[1]} removed or renamed"
        else:
            yield from _narrowed(f"{name}: parameter {key[1]}", parameter["schema"], after[key]["schema"])
    for key, parameter in after.items():
        if parameter.get("required") and not before.get(key, {}).get("required"):
            yield f"{name}: parameter {key[1]} newly required"


def _narrowed(where: str, old: JsonObject, new: JsonObject) -> Iterator[str]:
    """Values a client may send today and could not send any more."""
    if old.get("type") != new.get("type"):
        yield f"{where}: type changed"
    if "enum" in new and not set(old.get("enum", ())) <= set(new["enum"]):
        yield f"{where}: enum narrowed"
    if "enum" in new and "enum" not in old:
        yield f"{where}: restricted to an enum"
    for limit in ("maximum", "maxLength", "maxItems"):
        if limit in new and new[limit] < old.get(limit, float("inf")):
            yield f"{where}: {limit} lowered"
    if "minimum" in new and new["minimum"] > old.get("minimum", float("-inf")):
        yield f"{where}: minimum raised"


def _schema_changes(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[str]:
    """Answer fields that disappear or change their type, and enum values that are no longer said."""
    after = new["components"]["schemas"]
    for name, schema in old["components"]["schemas"].items():
        if name not in after:
            yield f"schema {name} removed or renamed"
            continue
        yield from _field_changes(name, schema, after[name])


def _field_changes(name: str, old: JsonObject, new: JsonObject) -> Iterator[str]:
    said: list[str] = old.get("enum", [])
    if not set(said) <= set(new.get("enum", said)):
        yield f"schema {name}: enum narrowed"
    fields = new.get("properties", {})
    for field, schema in old.get("properties", {}).items():
        if field not in fields:
            yield f"schema {name}: field {field} removed or renamed"
        elif _kinds(schema) and not _kinds(schema) <= _kinds(fields[field]):
            yield f"schema {name}: field {field} changed its type"
    for field in old.get("required", ()):
        if field in fields and field not in new.get("required", ()):
            yield f"schema {name}: field {field} no longer always present"


def _kinds(schema: JsonObject) -> set[str]:
    """Types a field can have; of a choice those of its options, of which a reference has none to tell."""
    kind = schema.get("type", ())
    own = {kind} if isinstance(kind, str) else set(kind)
    return own.union(*(_kinds(option) for option in schema.get("anyOf", ())))
