"""`python -m app.api.openapi_lint`: the rules an assistant's importer holds Actions documents to (G01-G21).

Owns the rules about the document and its operations; those about schemas are in `openapi_rules`, those
about change in `openapi_compat`. G18, G19 and G22 are about behaviour and live in the tests.
"""

from __future__ import annotations

import ipaddress
import json
import re
import sys
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

from app.api.openapi import REF_PREFIX, operations
from app.api.openapi_compat import breaking_changes
from app.api.openapi_export import COMMITTED_FILE, committed_document, encode_document, whole_document
from app.api.openapi_parts import PROBLEM_REF, JsonObject
from app.api.openapi_rules import check_answer, check_examples, check_input, check_text

MAX_BYTES = 300_000
MAX_OPERATIONS = 30
_OPERATION_ID = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,63}")
_PRIVATE_PATH = re.compile(r"^/(admin|metrics|docs|redoc|openapi|debug|proxy|raw)\b", re.IGNORECASE)
_ALLOWED_ERRORS = {"400", "401", "404", "429", "503"}
_FRAMEWORK_TEXT = "Successful Response"
_NEEDED_ERRORS = {"401", "429", "503"}


class DuplicateKey(ValueError):
    """A JSON object says the same thing twice."""


def lint_text(text: str, committed: JsonObject | None = None) -> list[str]:
    """Findings for a document as text; the only form in which G01 can be checked."""
    try:
        document: JsonObject = json.loads(text, object_pairs_hook=_unique)
    except ValueError as error:
        return [f"G01 document: {error}"]
    findings = lint_actions(document, committed)
    if len(text.encode()) >= MAX_BYTES:
        findings.append(f"G01 document: {MAX_BYTES} bytes or more")
    return findings


def lint_actions(document: JsonObject, committed: JsonObject | None = None) -> list[str]:
    """All findings for an Actions document, as `Gnn place: what is wrong`; empty when it is clean."""
    findings = [*_document_rules(document), *_reference_rules(document)]
    if any(finding.startswith("G07") for finding in findings):
        return findings  # nothing below can walk what does not resolve or does not end
    findings += _schema_rules(document)
    for path, method, operation in operations(document):
        findings += _operation_rules(path, method, operation, document["components"]["schemas"])
    if committed is not None:
        findings += [f"G21 document: {change}" for change in breaking_changes(committed, document)]
    return findings


def lint_whole(document: JsonObject) -> list[str]:
    """The rules that make sense for the whole interface: ids, texts, no 422, errors as one Problem."""
    findings: list[str] = []
    for path, method, operation in operations(document):
        where = f"{method.upper()} {path}"
        findings += _text_rules(where, operation)
        findings += [f"G12 {where}: 422 documented"] if "422" in operation["responses"] else []
        for status, response in operation["responses"].items():
            content = response.get("content", {})
            schema = content.get("application/problem+json", {}).get("schema", {})
            if status >= "400" and (len(content) != 1 or schema.get("$ref") != PROBLEM_REF):
                findings.append(f"G12 {where}: {status} is not a Problem")
    return findings


def _unique(pairs: list[tuple[str, Any]]) -> JsonObject:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise DuplicateKey(f"duplicate key in an object with {', '.join(found)}")
    return found


def _document_rules(document: JsonObject) -> Iterator[str]:
    if document.get("openapi") != "3.1.0":
        yield "G01 document: openapi is not 3.1.0"
    yield from _server_rules(document.get("servers", []))
    ids = [operation.get("operationId") for _, _, operation in operations(document)]
    if len(ids) > MAX_OPERATIONS:
        yield f"G03 document: {len(ids)} operations, {MAX_OPERATIONS} at most"
    if len(set(ids)) != len(ids):
        yield "G04 document: operationIds repeat"
    schemes = document.get("components", {}).get("securitySchemes", {})
    if [(item.get("type"), item.get("scheme")) for item in schemes.values()] != [("http", "bearer")]:
        yield "G14 document: exactly one security scheme, http bearer"
    if document.get("security") != [{name: []} for name in schemes]:
        yield "G14 document: the scheme has to apply to every operation"


def _server_rules(servers: list[JsonObject]) -> Iterator[str]:
    if len(servers) != 1:
        yield "G02 servers: exactly one"
        return
    url = servers[0].get("url", "")
    parts = urlsplit(url)
    if parts.scheme != "https" or url.endswith("/") or "{" in url or servers[0].get("variables"):
        yield "G02 servers: https, without trailing slash or variables"
    if ":" in parts.netloc or _is_private(parts.hostname or ""):
        yield "G02 servers: a public host name without port"


def _is_private(host: str) -> bool:
    try:
        ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        return host == "localhost" or host.endswith((".localhost", ".local", ".internal")) or "." not in host
    return True


def _reference_rules(document: JsonObject) -> Iterator[str]:
    """G07: references only between schemas, each resolvable, none circular."""
    schemas = document.get("components", {}).get("schemas", {})
    for where, reference in _references(document, "document"):
        if not reference.startswith(REF_PREFIX) or reference.removeprefix(REF_PREFIX) not in schemas:
            yield f"G07 {where}: {reference} does not resolve to a schema"
    edges = {
        name: {ref.removeprefix(REF_PREFIX) for _, ref in _references(schema, name)}
        for name, schema in schemas.items()
    }
    for name in edges:
        if name in _reached(edges, name):
            yield f"G07 schema {name}: refers to itself"


def _references(node: Any, where: str) -> Iterator[tuple[str, str]]:
    children = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    for key, value in children:
        if key == "$ref" and isinstance(value, str):
            yield where, value
        else:
            yield from _references(value, f"{where}/{key}")


def _reached(edges: dict[str, set[str]], start: str) -> set[str]:
    seen: set[str] = set()
    waiting = list(edges[start])
    while waiting:
        name = waiting.pop()
        if name not in seen:
            seen.add(name)
            waiting += edges.get(name, set())
    return seen


def _operation_rules(path: str, method: str, operation: JsonObject, schemas: JsonObject) -> Iterator[str]:
    where = f"{method.upper()} {path}"
    yield from _text_rules(where, operation)
    if operation.get("x-openai-isConsequential") is not (method != "get"):
        yield f"G13 {where}: x-openai-isConsequential is {str(method != 'get').lower()} here"
    if _PRIVATE_PATH.match(path):
        yield f"G16 {where}: not for assistants"
    if "security" in operation:
        yield f"G14 {where}: security is set once, for the document"
    yield from _parameter_rules(where, path, operation.get("parameters", []))
    yield from _body_rules(where, operation.get("requestBody"), schemas)
    yield from _response_rules(where, operation["responses"])


def _text_rules(where: str, operation: JsonObject) -> Iterator[str]:
    if not _OPERATION_ID.fullmatch(operation.get("operationId", "")):
        yield f"G04 {where}: operationId of letters, digits, _ and -, 64 at most"
    yield from check_text(where, operation, limit=300, rule="G05")
    if not 1 <= len(operation.get("summary", "")) <= 300:
        yield f"G05 {where}: summary of 1 to 300 characters is needed"


def _parameter_rules(where: str, path: str, parameters: list[JsonObject]) -> Iterator[str]:
    in_path = {item.get("name") for item in parameters if item.get("in") == "path"}
    if in_path != set(re.findall(r"\{(\w+)\}", path)):
        yield f"G11 {where}: path parameters do not match the template"
    for item in parameters:
        name = f"{where} {item.get('name')}"
        if item.get("in") not in {"path", "query"}:
            yield f"G11 {name}: only path and query parameters"
        if re.search(r"key|token|secret|password", str(item.get("name")), re.IGNORECASE):
            yield f"G14 {name}: keys travel in the Authorization header"
        yield from check_text(name, item, limit=700, rule="G06")
        schema = item.get("schema", {})
        yield from check_input(name, schema)
        yield from check_examples(name, {**schema, **_examples_of(item)}, {})


def _examples_of(item: JsonObject) -> JsonObject:
    return {"example": item["example"]} if "example" in item else {}


def _body_rules(where: str, body: JsonObject | None, schemas: JsonObject) -> Iterator[str]:
    if body is None:
        return
    yield from _media_rules(f"{where} body", body.get("content", {}))
    for media in body.get("content", {}).values():
        schema = media.get("schema", {})
        schema = schemas.get(schema["$ref"].removeprefix(REF_PREFIX), {}) if "$ref" in schema else schema
        for name, item in schema.get("properties", {}).items():
            yield from check_text(f"{where} body.{name}", item, limit=700, rule="G06")
            yield from check_input(f"{where} body.{name}", item)


def _response_rules(where: str, responses: JsonObject) -> Iterator[str]:
    if responses.get("200", {}).get("description", _FRAMEWORK_TEXT) == _FRAMEWORK_TEXT:
        yield f"G05 {where}: 200 says what comes back"
    errors = {status for status in responses if not status.startswith("2")}
    if errors - _ALLOWED_ERRORS or not errors >= _NEEDED_ERRORS:
        yield f"G12 {where}: errors are 401, 429, 503 and where they apply 400, 404"
    for status, response in responses.items():
        content = response.get("content", {})
        yield from _media_rules(f"{where} {status}", content)
        schema = content.get("application/json", {}).get("schema", {})
        if status in errors and schema.get("$ref") != PROBLEM_REF:
            yield f"G12 {where}: {status} is not a Problem"
        if status not in errors and not schema:
            yield f"G08 {where}: {status} without a schema"


def _media_rules(where: str, content: JsonObject) -> Iterator[str]:
    if set(content) != {"application/json"}:
        yield f"G15 {where}: only application/json"


def _schema_rules(document: JsonObject) -> Iterator[str]:
    schemas = document["components"]["schemas"]
    inline = [
        (f"{path} {status}", media.get("schema", {}))
        for path, _, operation in operations(document)
        for status, response in operation["responses"].items()
        for media in response.get("content", {}).values()
    ]
    for name, schema in [*schemas.items(), *inline]:
        for where, node in _nodes(schema, name):
            yield from check_answer(where, node)
            yield from check_examples(where, node, schemas)
            for field, item in node.get("properties", {}).items():
                # A union or reference may be described at its target instead.
                if not {"$ref", "anyOf"} & item.keys() or "description" in item:
                    yield from check_text(f"{where}.{field}", item, limit=700, rule="G06")


def _nodes(schema: JsonObject, where: str) -> Iterator[tuple[str, JsonObject]]:
    """A schema and every schema written inside it."""
    yield where, schema
    for name, item in schema.get("properties", {}).items():
        yield from _nodes(item, f"{where}.{name}")
    for word in ("anyOf", "oneOf", "allOf"):
        for item in schema.get(word, ()):
            yield from _nodes(item, where)
    if isinstance(schema.get("items"), dict):
        yield from _nodes(schema["items"], f"{where}[]")


def main() -> int:
    """Lint the committed document, the generated one and the whole interface; 1 when anything is found."""
    text = COMMITTED_FILE.read_text("utf-8")
    committed: JsonObject = json.loads(text)
    generated = encode_document(committed_document())
    findings = [*lint_text(text), *lint_text(generated, committed), *lint_whole(whole_document())]
    if generated != text:
        findings.append("G21 document: the committed file differs from the routes; export it again")
    sys.stdout.write("".join(f"{finding}\n" for finding in findings) or "openapi: no findings\n")
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
