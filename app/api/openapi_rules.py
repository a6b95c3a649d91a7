"""Rules of the Actions linter that look at schemas: G06, G08, G09, G10, G17, G20. Pure.

Each rule yields findings as `Gnn place: what is wrong`. Called by `app.api.openapi_lint`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from app.api.openapi_parts import JsonObject

_COMPOSED = ("anyOf", "oneOf", "allOf", "not")
_INSTRUCTION = re.compile(
    r"\b(ignore (all|any|previous|the)|you (must|should|are)|always (call|use|say|answer|respond|tell)"
    r"|never (call|say|tell|reveal|mention)|do not|don't|please|system prompt|as an ai|instructions?)\b",
    re.IGNORECASE,
)
_UNIT = re.compile(
    r"\b(usd|fractions?|milliseconds|seconds|points|percent|counts?|number of|coins|HTTP status code"
    r"|in `unit`|in `evidenceUnit`|in the unit|ATR|hours|multiples)",
    re.IGNORECASE,
)
_DIRECTION = re.compile(
    r"\b(higher|larger|positive|negative|bearish|bullish|newer|older|slower|faster|deeper)\b", re.IGNORECASE
)
# More is neither good nor bad here: codes, prices, counts, figures that a field beside them names.
_NO_DIRECTION = re.compile(r"^(HTTP status code|Price in|Number of|The (figure|result), in)\b")
_SECRET = re.compile(
    r"\b(sk|pk|ghp|xox[bp])[-_][A-Za-z0-9_-]{12,}|\bBearer\s+\S{12,}|\beyJ[A-Za-z0-9_-]{10,}|[A-Fa-f0-9]{32,}"
)
_TYPES: dict[str, tuple[type, ...]] = {
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "array": (list,),
    "object": (dict,),
    "null": (type(None),),
}


def kinds_of(schema: JsonObject) -> tuple[str, ...]:
    """The types a schema names, as a tuple."""
    kind = schema.get("type", ())
    return (kind,) if isinstance(kind, str) else tuple(kind)


def check_input(where: str, schema: JsonObject) -> Iterator[str]:
    """G09 and G10 for a parameter or a body property: plain types with limits."""
    composed = [word for word in _COMPOSED if word in schema]
    if composed or "$ref" in schema:
        yield f"G09 {where}: {', '.join(composed) or '$ref'} is not for parameters"
        return
    kinds = kinds_of(schema)
    if kinds not in {("string",), ("integer",), ("number",), ("boolean",), ("array",)}:
        yield f"G09 {where}: one scalar type or an array is needed"
    if kinds == ("array",):
        if "maxItems" not in schema:
            yield f"G09 {where}: array without maxItems"
        yield from check_input(f"{where}[]", schema.get("items", {}))
    yield from _check_limits(where, schema, kinds)


def _check_limits(where: str, schema: JsonObject, kinds: tuple[str, ...]) -> Iterator[str]:
    if "string" in kinds and not ("maxLength" in schema and ("pattern" in schema or "enum" in schema)):
        yield f"G10 {where}: string needs maxLength and a pattern or enum"
    if {"integer", "number"} & set(kinds) and not {"minimum", "maximum"} <= schema.keys():
        yield f"G10 {where}: number needs minimum and maximum"
    if "default" in schema:
        for finding in violations(schema["default"], schema, {}):
            yield f"G10 {where}: default {finding}"


def check_answer(where: str, schema: JsonObject) -> Iterator[str]:
    """G06, G08, G10 and G20 for one schema node of an answer (its children are visited by the caller)."""
    if not schema:
        yield f"G08 {where}: empty schema"
        return
    kinds = kinds_of(schema)
    if "object" in kinds and not schema.get("properties"):
        yield f"G08 {where}: object without properties"
    if "array" in kinds and not schema.get("items"):
        yield f"G08 {where}: array without items"
    if "string" in kinds and not {"enum", "const", "maxLength"} & schema.keys():
        yield f"G10 {where}: string needs an enum or maxLength"
    if {"integer", "number"} & set(kinds):
        yield from _check_number_words(where, schema.get("description", ""))


def _check_number_words(where: str, description: str) -> Iterator[str]:
    if not _UNIT.search(description):
        yield f"G20 {where}: the description of a number states its unit"
    if not (_DIRECTION.search(description) or _NO_DIRECTION.match(description)):
        yield f"G20 {where}: the description of a number states its direction"


def check_text(where: str, node: JsonObject, *, limit: int, rule: str) -> Iterator[str]:
    """G05/G06 length and G20 tone of one description."""
    text = node.get("description", "")
    if not 1 <= len(text) <= limit:
        yield f"{rule} {where}: description of 1 to {limit} characters is needed"
    if _INSTRUCTION.search(text):
        yield f"G20 {where}: reads like an instruction"


def check_examples(where: str, schema: JsonObject, schemas: JsonObject) -> Iterator[str]:
    """G17: examples validate and hold nothing that looks like a secret."""
    examples = [*schema.get("examples", ()), *([schema["example"]] if "example" in schema else ())]
    for example in examples:
        for finding in violations(example, schema, schemas):
            yield f"G17 {where}: example {finding}"
        if _SECRET.search(str(example)):
            yield f"G17 {where}: example looks like a secret"


def violations(value: Any, schema: JsonObject, schemas: JsonObject) -> Iterator[str]:
    """Why `value` does not fit `schema`, for the keywords our documents use."""
    if "$ref" in schema:
        schema = schemas.get(schema["$ref"].rsplit("/", 1)[-1], {})
    kinds = kinds_of(schema)
    allowed = tuple(kind for name in kinds for kind in _TYPES[name])
    if kinds and (not isinstance(value, allowed) or (isinstance(value, bool) and "boolean" not in kinds)):
        yield f"{value!r} is not of type {'/'.join(kinds)}"
        return
    if "enum" in schema and value not in schema["enum"]:
        yield f"{value!r} is not in the enum"
    if isinstance(value, str):
        yield from _string_violations(value, schema)
    elif isinstance(value, int | float):
        if not schema.get("minimum", value) <= value <= schema.get("maximum", value):
            yield f"{value!r} is out of range"
    elif isinstance(value, list):
        for item in value:
            yield from violations(item, schema.get("items", {}), schemas)
    elif isinstance(value, dict):
        yield from _object_violations(value, schema, schemas)


def _string_violations(value: str, schema: JsonObject) -> Iterator[str]:
    if len(value) > schema.get("maxLength", len(value)):
        yield f"{value!r} is too long"
    if "pattern" in schema and not re.search(schema["pattern"], value):
        yield f"{value!r} does not match the pattern"


def _object_violations(value: JsonObject, schema: JsonObject, schemas: JsonObject) -> Iterator[str]:
    for name in schema.get("required", ()):
        if name not in value:
            yield f"lacks {name}"
    for name, item in value.items():
        if name in schema.get("properties", {}):
            yield from violations(item, schema["properties"][name], schemas)
