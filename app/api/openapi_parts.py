"""Small pieces that routes and the builders of schemas share: documented problems, JSON answers, tidying."""

from __future__ import annotations

from typing import Any

from fastapi import Response
from pydantic import BaseModel

from app.api.schemas.problem import PROBLEM_MEDIA_TYPE

JsonObject = dict[str, Any]
PROBLEM_REF = "#/components/schemas/Problem"
# What the edge can answer on every route but the live probe.
_EDGE_STATUSES = (401, 413, 429, 503)
PROBLEM_TEXTS = {
    400: "Malformed parameter.",
    401: "No valid key.",
    403: "The key lacks the scope, or changes are not taken from the page's origin.",
    404: "Unknown symbol; `near` names look-alikes.",
    413: "The request body is too large.",
    429: "Over the rate limit; Retry-After says when to ask again.",
    503: "Too many requests in progress; Retry-After says when to ask again.",
}
_NO_PRICE_TEXT = "No price can be had, or too many requests in progress; Retry-After says when to ask again."

_STORE_TEXT = (
    "The store does not answer, or too many requests in progress; Retry-After says when to ask again."
)


def success(model: type[BaseModel], description: str) -> JsonObject:
    """The documented success of a route."""
    return {"model": model, "description": description}


def problems(
    *statuses: int, no_price: bool = False, needs_store: bool = False, conditional: bool = False
) -> dict[int | str, JsonObject]:
    """The `responses` of a route: `statuses` plus what the edge can answer; 304 when `conditional`."""
    found: dict[int | str, JsonObject] = {
        status: {"description": PROBLEM_TEXTS[status], "content": problem_content(PROBLEM_MEDIA_TYPE)}
        for status in sorted({*statuses, *_EDGE_STATUSES})
    }
    if no_price:
        found[503]["description"] = _NO_PRICE_TEXT
    if needs_store:
        found[503]["description"] = _STORE_TEXT
    if conditional:
        found[304] = {"description": "Not modified since the given ETag."}
    return found


def problem_content(media_type: str) -> JsonObject:
    return {media_type: {"schema": {"$ref": PROBLEM_REF}}}


def json_answer(model: BaseModel) -> Response:
    """`model` encoded once by pydantic; not to be kept by clients."""
    return Response(
        model.model_dump_json(by_alias=True),
        headers={"Cache-Control": "no-store"},
        media_type="application/json",
    )


def tidy_schema(schema: JsonObject) -> None:
    """Drop generated titles, and say `type: [x, null]` instead of anyOf where the schema is inline."""
    schema.pop("title", None)
    for child in (*schema.get("properties", {}).values(), *schema.get("anyOf", ())):
        tidy_schema(child)
    if isinstance(schema.get("items"), dict):
        tidy_schema(schema["items"])
    match schema.get("anyOf"):
        case [{"type": str() as kind} as inline, {"type": "null"}]:
            del schema["anyOf"]
            described = {key: value for key, value in schema.items() if key == "description"}
            schema.update({**inline, **described, "type": [kind, "null"]})
        case _:
            pass
