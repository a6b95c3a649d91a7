"""The two OpenAPI documents: the whole interface, and the curated one that assistants import.

Both come from the routes; what the framework cannot say (one error shape, no 422, nullable types without
anyOf) is corrected here in one place. Checked by `app.api.openapi_lint`.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from app.api.edge import DATA_MODE_HEADER, LIVE_PATH, SESSION_PATH
from app.api.openapi_parts import JsonObject, problem_content, tidy_schema
from app.api.schemas.enum_texts import ENUM_TEXTS
from app.api.schemas.problem import Problem
from app.core.domain.context import DataMode

REF_PREFIX = "#/components/schemas/"
COMMITTED_URL = "https://signals.example.com"
TITLE = "Crypto futures signals"
DESCRIPTION = (
    "Scored, explained signals for crypto perpetual futures with sources, ages and coverage. "
    "Market data and arithmetic, not investment advice. Times are ISO-8601 UTC."
)
# Curated by hand: one question a trader asks = one operation. Ids are public contract.
ACTION_OPERATIONS = (
    "getSignal",
    "getSignals",
    "getSignalHistory",
    "getTrackRecord",
    "getCoinTrackRecord",
    "getMarket",
    "getDashboard",
    "getCoinMarkets",
    "getCoinMarket",
    "getPerpetualMarkets",
    "getLiquidations",
    "getLiquidationHeatmap",
    "getLiquidityMap",
    "getLiquidationClusters",
    "getMarketSentiment",
    "getConfluenceAnalysis",
    "getTradingOpportunities",
    "getSmartMoneyZones",
    "getLongShortRatio",
    "getFundingRate",
    "getOpenInterest",
    "getHistory",
    "getLiquidationFlow",
    "getOrderFlow",
    "getLargestImbalances",
    "listAlerts",
    "getWhaleAlerts",
    "getWhalePositions",
    "getHealth",
)
_ACTION_ERRORS = frozenset({"400", "401", "404", "429", "503"})
_DATA_MODE: JsonObject = {
    "description": ENUM_TEXTS["DataMode"],
    "required": True,
    "schema": {"type": "string", "enum": [mode.value for mode in DataMode]},
}
_SECURITY: JsonObject = {"bearer": {"type": "http", "scheme": "bearer"}}


def build_openapi(app: FastAPI) -> JsonObject:
    """The whole interface of `app`."""
    document: JsonObject = get_openapi(
        title=TITLE,
        version=app.version,
        openapi_version="3.1.0",
        description=DESCRIPTION,
        routes=app.routes,
        separate_input_output_schemas=False,
    )
    schemas = document.setdefault("components", {}).setdefault("schemas", {})
    for name in ("HTTPValidationError", "ValidationError"):
        schemas.pop(name, None)
    schemas["Problem"] = Problem.model_json_schema(by_alias=True)
    for name, schema in schemas.items():
        tidy_schema(schema)
        if "enum" in schema:
            schema["description"] = ENUM_TEXTS[name]
    for path, _, operation in operations(document):
        operation["responses"].pop("422", None)
        for response in operation["responses"].values():
            response["headers"] = {DATA_MODE_HEADER: {"$ref": f"#/components/headers/{DATA_MODE_HEADER}"}}
        for parameter in operation.get("parameters", ()):
            tidy_schema(parameter["schema"])
        if path in {LIVE_PATH, SESSION_PATH}:
            operation["security"] = []
    document["components"]["headers"] = {DATA_MODE_HEADER: copy.deepcopy(_DATA_MODE)}
    document["components"]["securitySchemes"] = copy.deepcopy(_SECURITY)
    document["security"] = [{"bearer": []}]
    return document


def build_actions(document: Mapping[str, Any], public_url: str) -> JsonObject:
    """The curated document for assistants, cut out of the whole one and pointed at `public_url`."""
    paths: JsonObject = {}
    for path, method, operation in operations(document):
        if operation["operationId"] in ACTION_OPERATIONS:
            paths.setdefault(path, {})[method] = _action(operation)
    kept = _reachable(paths, document["components"]["schemas"])
    return {
        "openapi": "3.1.0",
        "info": {"title": TITLE, "version": "1.0.0", "description": DESCRIPTION},
        "servers": [{"url": public_url.rstrip("/")}],
        "paths": paths,
        "components": {"schemas": kept, "securitySchemes": copy.deepcopy(_SECURITY)},
        "security": [{"bearer": []}],
    }


def operations(document: Mapping[str, Any]) -> Iterator[tuple[str, str, JsonObject]]:
    """Every (path, method, operation) of a document."""
    for path, item in document["paths"].items():
        for method, operation in item.items():
            if method in {"get", "put", "post", "delete", "patch"}:
                yield path, method, operation


def _action(operation: JsonObject) -> JsonObject:
    """One operation with its success, those of its errors that importers know, and JSON alone."""
    action = copy.deepcopy(operation)
    action.pop("tags", None)
    found = action["responses"]
    for response in found.values():
        response.pop("headers", None)  # assistants see bodies only, and those say dataMode
    action["responses"] = {"200": found["200"]}
    for status in sorted(_ACTION_ERRORS & found.keys()):
        # Importers know application/json only; a problem is JSON under a more exact name.
        content = problem_content("application/json")
        action["responses"][status] = {"description": found[status]["description"], "content": content}
    action["x-openai-isConsequential"] = False
    return action


def _reachable(paths: JsonObject, schemas: Mapping[str, Any]) -> JsonObject:
    """The component schemas that `paths` need, directly or through each other."""
    found: JsonObject = {}
    waiting = list(_refs(paths))
    while waiting:
        name = waiting.pop().removeprefix(REF_PREFIX)
        if name not in found:
            found[name] = copy.deepcopy(schemas[name])
            waiting += _refs(found[name])
    return dict(sorted(found.items()))


def _refs(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        if isinstance(node.get("$ref"), str):
            yield node["$ref"]
        for value in node.values():
            yield from _refs(value)
    elif isinstance(node, list):
        for value in node:
            yield from _refs(value)
