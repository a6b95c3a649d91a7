"""House rules that a linter does not hold, as small AST checks over `app`.

Each rule is a function from source to findings, and each has a snippet it must catch and one it must
not: a check that cannot fail is a defect.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterable
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
MAX_LINES = 400

# The named boundaries at which a failure of any kind becomes a value or an answer.
BROAD_EXCEPT_ALLOWED = {
    "app/services/context_service.py",  # the gatherer: a failure becomes Missing(reason)
    "app/services/chat_service.py",  # one command: a bug in it is said and logged, the worker goes on
    "app/api/edge.py",  # the last resort: 500 without a traceback
    "app/api/mcp_server.py",  # the same for a tool: the SDK would tell the client the exception
    "app/doctor_run.py",  # the deployment check: a probe that breaks is a row of the table
    "app/services/streaming/stages.py",  # the worker's supervisor: a loop that fails is an alarm, and goes on
}
ENVIRONMENT_ALLOWED = {"app/settings.py"}
HTTP_CLIENT_ALLOWED = {"app/replay.py"}  # asks our own API over loopback
CATCH_ALL_NAMES = {"utils", "util", "common", "manager", "managers", "helpers", "helper", "misc"}
_SECRET_NAME = re.compile(
    r"(?:^|_)(?:api_?key|token|secret|password|passwd|digest|signature|hmac)s?(?:_|$)", re.I
)

Rule = Callable[[str, ast.Module, str], Iterable[str]]


def too_long(path: str, _tree: ast.Module, source: str) -> Iterable[str]:
    lines = source.count("\n")
    if lines > MAX_LINES:
        yield f"{path}: {lines} lines, split at {MAX_LINES}"


def prints(path: str, tree: ast.Module, _source: str) -> Iterable[str]:
    for call in _calls(tree):
        if _dotted(call.func) == "print":
            yield f"{path}:{call.lineno}: print"


def naive_datetimes(path: str, tree: ast.Module, _source: str) -> Iterable[str]:
    for call in _calls(tree):
        owner, _, method = _dotted(call.func).rpartition(".")
        if owner.rpartition(".")[2] not in {"datetime", "date"}:
            continue
        has_zone = any(keyword.arg in {"tz", "tzinfo"} for keyword in call.keywords)
        # now(tz) takes the zone first, fromtimestamp(ts, tz) second.
        has_zone = has_zone or len(call.args) >= {"now": 1, "fromtimestamp": 2}.get(method, 99)
        local = method in {"utcnow", "utcfromtimestamp", "today"}
        if local or (method in {"now", "fromtimestamp"} and not has_zone):
            yield f"{path}:{call.lineno}: naive {owner}.{method}"


def environment_reads(path: str, tree: ast.Module, _source: str) -> Iterable[str]:
    if path in ENVIRONMENT_ALLOWED:
        return
    names = {"environ", "environb", "getenv", "putenv"}
    for node in _nodes(tree):
        reads = isinstance(node, ast.Attribute) and node.attr in names and _dotted(node.value) == "os"
        imports = (
            isinstance(node, ast.ImportFrom)
            and node.module == "os"
            and any(alias.name in names for alias in node.names)
        )
        if reads or imports:
            yield f"{path}:{getattr(node, 'lineno', 0)}: the environment is read in app/settings.py only"


def broad_excepts(path: str, tree: ast.Module, _source: str) -> Iterable[str]:
    if path in BROAD_EXCEPT_ALLOWED:
        return
    for node in _nodes(tree):
        if isinstance(node, ast.ExceptHandler) and (node.type is None or _is_broad(node.type)):
            yield f"{path}:{node.lineno}: broad except"
        if isinstance(node, ast.Call) and _dotted(node.func).endswith("suppress"):
            yield from (f"{path}:{node.lineno}: broad suppress" for item in node.args if _is_broad(item))


def secret_comparisons(path: str, tree: ast.Module, _source: str) -> Iterable[str]:
    """S06: == on a secret leaks its length and prefix by timing; hmac.compare_digest does not."""
    for node in _nodes(tree):
        if not isinstance(node, ast.Compare) or not any(
            isinstance(op, ast.Eq | ast.NotEq) for op in node.ops
        ):
            continue
        named = [name for side in (node.left, *node.comparators) for name in _names(side)]
        if any(_SECRET_NAME.search(name) for name in named):
            yield f"{path}:{node.lineno}: == on a secret, use hmac.compare_digest"


def http_clients(path: str, tree: ast.Module, _source: str) -> Iterable[str]:
    """Made elsewhere than in the transport, a client has no quota, breaker or redaction."""
    if path.startswith("app/services/transport/") or path in HTTP_CLIENT_ALLOWED:
        return
    made = {"AsyncClient", "Client", "request", "get", "stream"}
    for call in _calls(tree):
        library, _, name = _dotted(call.func).rpartition(".")
        if library in {"httpx2", "httpx"} and name in made:
            yield f"{path}:{call.lineno}: HTTP clients are made in app/services/transport only"


def lost_cancellations(path: str, tree: ast.Module, _source: str) -> Iterable[str]:
    """Before Python 3.12 `asyncio.wait_for` swallows a cancellation that comes as its wait ends, and the loop
    around it goes on for ever; `asyncio.timeout` does not."""
    for call in _calls(tree):
        if _dotted(call.func) == "asyncio.wait_for":
            yield f"{path}:{call.lineno}: asyncio.wait_for may lose a cancellation, use asyncio.timeout"


def catch_all_module(path: str, _tree: ast.Module, _source: str) -> Iterable[str]:
    found = CATCH_ALL_NAMES & set(Path(path).with_suffix("").parts)
    if found or re.search(r"_(?:utils|helpers|manager)\.py$", path):
        yield f"{path}: says nothing about what it holds"


def missing_docstring(path: str, tree: ast.Module, source: str) -> Iterable[str]:
    if source.strip() and not (ast.get_docstring(tree) or "").strip():
        yield f"{path}: no module docstring"


@cache
def _nodes(tree: ast.Module) -> tuple[ast.AST, ...]:
    """Every node of a source, walked once for all rules."""
    return tuple(ast.walk(tree))


def _calls(tree: ast.Module) -> Iterable[ast.Call]:
    return (node for node in _nodes(tree) if isinstance(node, ast.Call))


def _dotted(node: ast.expr) -> str:
    if isinstance(node, ast.Name):
        return node.id
    return f"{_dotted(node.value)}.{node.attr}" if isinstance(node, ast.Attribute) else ""


def _is_broad(node: ast.expr) -> bool:
    types = node.elts if isinstance(node, ast.Tuple) else [node]
    return any(_dotted(item).rpartition(".")[2] in {"Exception", "BaseException"} for item in types)


def _names(node: ast.expr) -> list[str]:
    """Names that could hold the secret itself; the arguments of a call such as len(...) do not."""
    if isinstance(node, ast.Name):
        return [node.id]
    if isinstance(node, ast.Attribute):
        return [node.attr, *_names(node.value)]
    if isinstance(node, ast.Subscript):
        key = node.slice.value if isinstance(node.slice, ast.Constant) else ""
        return [str(key), *_names(node.value)]
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
        return [node.func.attr, *_names(node.func.value)]
    return []


RULES: list[Rule] = [
    too_long,
    prints,
    naive_datetimes,
    environment_reads,
    broad_excepts,
    secret_comparisons,
    http_clients,
    lost_cancellations,
    catch_all_module,
    missing_docstring,
]
SOURCES = sorted(path.relative_to(ROOT).as_posix() for path in (ROOT / "app").rglob("*.py"))


@cache
def parsed(path: str) -> tuple[str, ast.Module]:
    """A source of the tree and what it says."""
    source = (ROOT / path).read_text("utf-8")
    return source, ast.parse(source)


def findings_in(rule: Rule, path: str) -> list[str]:
    source, tree = parsed(path)
    return list(rule(path, tree, source))


def findings(rule: Rule, source: str, path: str = "app/core/x.py") -> list[str]:
    return list(rule(path, ast.parse(source), source))


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_the_tree_keeps_the_rule(rule: Rule) -> None:
    found = [line for path in SOURCES for line in findings_in(rule, path)]
    assert found == []


def test_there_is_a_tree_to_check() -> None:
    assert "app/core/errors.py" in SOURCES


def test_named_boundaries_still_need_their_exception() -> None:
    for path in BROAD_EXCEPT_ALLOWED & set(SOURCES):
        assert findings(broad_excepts, (ROOT / path).read_text("utf-8")), (
            f"{path} no longer needs to be named"
        )


CAUGHT: list[tuple[Rule, str]] = [
    (too_long, "x = 1\n" * (MAX_LINES + 1)),
    (prints, "print('x')"),
    (naive_datetimes, "datetime.now()"),
    (naive_datetimes, "datetime.datetime.utcnow()"),
    (naive_datetimes, "datetime.fromtimestamp(1)"),
    (naive_datetimes, "datetime.date.today()"),
    (environment_reads, "import os\nos.environ['X']"),
    (environment_reads, "import os\nos.getenv('X')"),
    (environment_reads, "from os import environ"),
    (broad_excepts, "try:\n    f()\nexcept Exception:\n    pass"),
    (broad_excepts, "try:\n    f()\nexcept:\n    pass"),
    (broad_excepts, "try:\n    f()\nexcept (OSError, BaseException):\n    pass"),
    (broad_excepts, "with contextlib.suppress(Exception):\n    f()"),
    (secret_comparisons, "ok = given == settings.api_key"),
    (secret_comparisons, "ok = self._token != token"),
    (secret_comparisons, "ok = headers['x-secret'] == y or row['webhook_secret'] == y"),
    (secret_comparisons, "ok = digest.hexdigest() == y"),
    (http_clients, "client = httpx2.AsyncClient()"),
    (http_clients, "httpx2.get('https://h.example')"),
    (lost_cancellations, "await asyncio.wait_for(event.wait(), 1)"),
    (missing_docstring, "x = 1"),
]
PASSED: list[tuple[Rule, str]] = [
    (too_long, "x = 1\n" * MAX_LINES),
    (prints, "sys.stdout.write('x')"),
    (naive_datetimes, "datetime.now(UTC); datetime.now(tz=UTC); datetime.fromtimestamp(1, UTC); clock.now()"),
    (environment_reads, "import os\nos.path.join('a')"),
    (broad_excepts, "try:\n    f()\nexcept (OSError, ValueError):\n    pass"),
    (secret_comparisons, "ok = cache_key == key and api_key is None and len(token) == 3"),
    (http_clients, "def f(transport: httpx2.AsyncBaseTransport | None) -> None: ..."),
    (lost_cancellations, "async with asyncio.timeout(1):\n    await condition.wait_for(is_full)"),
    (missing_docstring, '"""Owns x."""\nx = 1'),
    (missing_docstring, ""),
]


@pytest.mark.parametrize(("rule", "source"), CAUGHT)
def test_a_violation_is_caught(rule: Rule, source: str) -> None:
    assert findings(rule, source)


@pytest.mark.parametrize(("rule", "source"), PASSED)
def test_what_is_allowed_passes(rule: Rule, source: str) -> None:
    assert findings(rule, source) == []


@pytest.mark.parametrize("path", ["app/utils.py", "app/core/common/x.py", "app/services/okx_helpers.py"])
def test_a_catch_all_module_name_is_caught(path: str) -> None:
    assert findings(catch_all_module, '"""x."""', path)


def test_settings_may_read_the_environment_and_nobody_else() -> None:
    source = "import os\nos.environ['X']"
    assert findings(environment_reads, source, "app/settings.py") == []
    assert findings(environment_reads, source, "app/settings_values.py")


def test_a_named_boundary_may_catch_everything() -> None:
    source = "try:\n    f()\nexcept Exception:\n    pass"
    assert findings(broad_excepts, source, "app/api/edge.py") == []
