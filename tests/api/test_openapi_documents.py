"""The committed Actions document equals the routes, is clean, and is served with the configured host."""

from __future__ import annotations

import copy
import json
import re
from typing import Any

import pytest

from app.api.openapi import operations
from app.api.openapi_compat import breaking_changes
from app.api.openapi_export import COMMITTED_FILE, committed_document, encode_document, whole_document
from app.api.openapi_lint import lint_text, lint_whole, main
from app.api.schemas.enum_texts import ENUM_TEXTS, FACTOR_TEXTS
from app.settings import load_settings, load_signals_config


@pytest.fixture(scope="module")
def committed() -> dict[str, Any]:
    document: dict[str, Any] = json.loads(COMMITTED_FILE.read_text("utf-8"))
    return document


@pytest.fixture(scope="module")
def generated() -> dict[str, Any]:
    """The Actions document as the code makes it. Nobody changes it."""
    return committed_document()


@pytest.fixture(scope="module")
def whole() -> dict[str, Any]:
    """The document of the whole interface. Nobody changes it."""
    return whole_document()


def test_committed_document_is_the_generated_one(generated: dict[str, Any]) -> None:
    assert COMMITTED_FILE.read_text("utf-8") == encode_document(generated)


def test_short_lists_of_words_take_one_line_and_nothing_is_lost(generated: dict[str, Any]) -> None:
    tricky = 'a ",\n b] [\n'
    document = {"type": ["number", "null"], "enum": [tricky, "b"], "long": ["x" * 90], "none": [], "n": [1]}
    text = encode_document(document)
    assert '"type": ["number", "null"]' in text
    assert '"long": [\n' in text
    assert json.loads(text) == document
    assert json.loads(encode_document(generated)) == generated


def test_committed_document_has_no_findings() -> None:
    assert lint_text(COMMITTED_FILE.read_text("utf-8")) == []


def test_whole_interface_has_no_findings(whole: dict[str, Any]) -> None:
    assert lint_whole(whole) == []


def test_lint_command_is_clean(capsys: pytest.CaptureFixture[str]) -> None:
    assert main() == 0
    assert capsys.readouterr().out == "openapi: no findings\n"


async def test_served_document_differs_only_in_its_server(make_rig: Any, committed: dict[str, Any]) -> None:
    rig = make_rig(public_url="https://futures.example.org/")
    served = (await rig.get("/gpt/action-schema")).json()
    assert served.pop("servers") == [{"url": "https://futures.example.org"}]
    assert served == {key: value for key, value in committed.items() if key != "servers"}


async def test_version_of_the_deployment_does_not_change_the_contract(
    make_rig: Any, committed: dict[str, Any]
) -> None:
    served = (await make_rig(version="77").get("/gpt/action-schema")).json()
    assert served == committed


async def test_whole_interface_validates_as_openapi_31(rig: Any, generated: dict[str, Any]) -> None:
    from openapi_spec_validator import OpenAPIV31SpecValidator

    document = (await rig.get("/openapi.json")).json()
    assert list(OpenAPIV31SpecValidator(document).iter_errors()) == []
    assert list(OpenAPIV31SpecValidator(generated).iter_errors()) == []


def test_operations_document_only_errors_that_happen(committed: dict[str, Any]) -> None:
    documented = {
        operation["operationId"]: sorted(set(operation["responses"]) - {"200"})
        for _, _, operation in operations(committed)
    }
    no_coin = {"getSignals", "getCoinMarkets", "getLargestImbalances", "getTrackRecord"}
    assert documented.pop("getHealth") == ["401", "429", "503"]
    assert all(documented.pop(name) == ["400", "401", "429", "503"] for name in no_coin)
    assert set(map(tuple, documented.values())) == {("400", "401", "404", "429", "503")}
    assert len(documented) == 24


def test_every_response_documents_its_data_mode(whole: dict[str, Any]) -> None:
    document = whole
    reference = {"X-Data-Mode": {"$ref": "#/components/headers/X-Data-Mode"}}
    responses = [found for _, _, item in operations(document) for found in item["responses"].values()]
    assert all(found["headers"] == reference for found in responses)
    assert document["components"]["headers"]["X-Data-Mode"]["schema"]["enum"] == ["live", "demo", "replay"]


def test_every_word_list_explains_each_of_its_words_and_none_is_left_over(whole: dict[str, Any]) -> None:
    schemas = whole["components"]["schemas"]
    lists = {name: schema for name, schema in schemas.items() if "enum" in schema}
    assert lists.keys() == ENUM_TEXTS.keys()
    for name, schema in lists.items():
        assert schema["description"] == ENUM_TEXTS[name]
        unexplained = [word for word in schema["enum"] if not re.search(rf"\b{word}\b", ENUM_TEXTS[name])]
        assert not unexplained, name


def test_factor_texts_say_the_default_weights() -> None:
    weights = dict(load_signals_config(load_settings({}).signals_config).weights)
    assert {name.value: weight for name, (weight, _) in FACTOR_TEXTS.items()} == weights


Change = Any
SIGNAL = "/signals/{symbol}"


def _remove_operation(document: Change) -> None:
    del document["paths"]["/market/{symbol}"]


def _rename_operation(document: Change) -> None:
    document["paths"][SIGNAL]["get"]["operationId"] = "signalOf"


def _move_operation(document: Change) -> None:
    document["paths"]["/signal/{symbol}"] = document["paths"].pop(SIGNAL)


def _rename_parameter(document: Change) -> None:
    document["paths"][SIGNAL]["get"]["parameters"][1]["name"] = "profile"


def _narrow_parameter_enum(document: Change) -> None:
    document["paths"][SIGNAL]["get"]["parameters"][1]["schema"]["enum"].pop()


def _require_parameter(document: Change) -> None:
    document["paths"][SIGNAL]["get"]["parameters"][1]["required"] = True


def _shorten_parameter(document: Change) -> None:
    document["paths"][SIGNAL]["get"]["parameters"][0]["schema"]["maxLength"] = 5


def _change_parameter_type(document: Change) -> None:
    document["paths"][SIGNAL]["get"]["parameters"][2]["schema"]["type"] = "string"


def _remove_field(document: Change) -> None:
    del document["components"]["schemas"]["SignalResponse"]["properties"]["score"]


def _change_field_type(document: Change) -> None:
    document["components"]["schemas"]["SignalResponse"]["properties"]["score"]["type"] = "string"


def _field_sometimes_absent(document: Change) -> None:
    document["components"]["schemas"]["SignalResponse"]["required"].remove("score")


def _narrow_answer_enum(document: Change) -> None:
    document["components"]["schemas"]["Direction"]["enum"].remove("SHORT")


def _remove_schema(document: Change) -> None:
    del document["components"]["schemas"]["Problem"]


BREAKS = [
    _remove_operation,
    _rename_operation,
    _move_operation,
    _rename_parameter,
    _narrow_parameter_enum,
    _require_parameter,
    _shorten_parameter,
    _change_parameter_type,
    _remove_field,
    _change_field_type,
    _field_sometimes_absent,
    _narrow_answer_enum,
    _remove_schema,
]


@pytest.mark.parametrize("change", BREAKS)
def test_change_that_breaks_clients_is_found(committed: dict[str, Any], change: Change) -> None:
    changed = copy.deepcopy(committed)
    change(changed)
    assert breaking_changes(committed, changed)


def test_additions_break_nobody(committed: dict[str, Any]) -> None:
    changed = copy.deepcopy(committed)
    operation = changed["paths"][SIGNAL]["get"]
    operation["parameters"].append({"name": "lang", "in": "query", "required": False, "schema": {}})
    operation["parameters"][1]["schema"]["enum"].append("daring")
    changed["paths"]["/new"] = {"get": {**copy.deepcopy(operation), "operationId": "getNew"}}
    changed["components"]["schemas"]["SignalResponse"]["properties"]["extra"] = {"type": "number"}
    assert breaking_changes(committed, changed) == []
