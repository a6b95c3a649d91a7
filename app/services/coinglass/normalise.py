"""Any CoinGlass answer in one spelling: names that carry the unit, numbers, ISO times, words. Pure.

Guided by the shape in the catalogue: objects, lists, dynamic keys in angle brackets, rows by place (`@row`)
and kinds as leaves. Percent stays percent and says `Pct`, fractions say `Frac`. A code that is in no table
raises: a side is never guessed. Called by `explorer`; names are made by `unit_names`.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from app.core.errors import ProviderBadPayload
from app.services.coinglass.parse import bad_payload, to_epoch_ms
from app.services.coinglass.unit_names import CODES, SIGNED_SIZES, TEXTS, unit_name

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MAX_MS = 253_402_300_799_999  # the last moment of the year 9999
_BRACES = re.compile(r"^(.*)\{(.+)\}(.*)$")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]+")
# News articles are the longest text; nothing else comes near.
_MAX_CHARS = 2_000
_MAX_DEPTH = 12


def read_data(body: bytes, endpoint: str) -> Any:
    """`data` of an answer that passed the envelope check; an empty list for null.

    Raises:
        ProviderBadPayload: not JSON, or nested deeper than any answer.
    """
    try:
        outer = msgspec.json.decode(body)
    except (ValueError, RecursionError) as error:
        raise bad_payload(endpoint, f"answer is not JSON: {error}") from error
    data = outer.get("data") if isinstance(outer, dict) else None
    _require_shallow(data, endpoint, 0)
    return [] if data is None else data


def normalise(data: Any, shape: Any, *, endpoint: str, unit: str) -> Any:
    """`data` in our spelling. unit: what was asked for where that is open (`usd`, or the coin).

    Raises:
        ProviderBadPayload: a number that is none, not finite, or a code in no table.
    """
    return _Walk(endpoint, unit).value(_documented(data, shape), shape, "")


def _documented(data: Any, shape: Any) -> Any:
    """The liquidation map as seen live, a list of exchanges, in its documented form."""
    inner = data.get("data") if isinstance(data, dict) else None
    is_map = isinstance(shape, dict) and isinstance(shape.get("data"), dict)
    if not is_map or not isinstance(inner, list):
        return data
    parts = [part.get("liqMapV2") for part in inner if isinstance(part, dict)]
    levels: dict[str, list[Any]] = {}
    for part in parts:
        for price, rows in part.items() if isinstance(part, dict) else ():
            levels.setdefault(price, []).extend(rows if isinstance(rows, list) else [])
    return {**data, "data": levels}


class _Walk:
    """One answer on its way through its shape."""

    def __init__(self, endpoint: str, unit: str) -> None:
        self._endpoint = endpoint
        self._unit = unit

    def value(self, data: Any, shape: Any, name: str) -> Any:
        if data is None:
            return None
        if isinstance(shape, list):
            # One object where a list of it is documented: fear and greed comes both ways.
            rows = data if isinstance(data, list) else [data]
            return [self.value(row, shape[0], name) for row in rows]
        if isinstance(shape, str):
            return self._leaf(data, shape, name)
        if "@row" in shape:
            return self._row(data, shape["@row"])
        if isinstance(data, list):
            return [self.value(row, shape, name) for row in data]
        if not isinstance(data, dict):
            raise self._bad(f"{name or 'data'} is not an object")
        dynamic = next((key for key in shape if key.startswith("<")), None)
        return self._object(data, shape) if dynamic is None else self._dynamic(data, dynamic, shape[dynamic])

    def _object(self, data: Mapping[str, Any], shape: Mapping[str, Any]) -> dict[str, Any]:
        known = dict(_fields(shape))
        found: dict[str, Any] = {}
        other: dict[str, Any] = {}
        for key, item in data.items():
            if key in known:
                found.update(self._named(key, item, known[key]))
            else:
                other[unit_name(key, "text", self._unit)] = self._unknown(item)
        return found | ({"other": other} if other else {})

    def _named(self, key: str, item: Any, shape: Any) -> Iterator[tuple[str, Any]]:
        """Our name and value of one field; times come twice, sizes with a sign bring their side along."""
        kind = shape[0] if isinstance(shape, list) and isinstance(shape[0], str) else shape
        if not isinstance(kind, str):
            yield unit_name(key, "text", self._unit), self.value(item, shape, key)
            return
        kind = kind.rstrip("#?")
        name = unit_name(key, kind, self._unit)
        value = self.value(item, shape, key)
        if kind != "time":
            yield name, value
        if kind == "time":
            yield name, _each(value, _iso)
            yield f"{name}Ms", value
        if key in SIGNED_SIZES and isinstance(value, int | float):
            yield "side", "LONG" if value > 0 else "SHORT" if value < 0 else None

    def _dynamic(self, data: Mapping[str, Any], label: str, shape: Any) -> list[dict[str, Any]]:
        """Keys that are names of exchanges or prices become a field of flat rows."""
        rows: list[dict[str, Any]] = []
        for key, item in data.items():
            value = self.value(item, shape, label)
            if label == "<price>":
                rows += value if isinstance(value, list) else []
            elif isinstance(value, list) and any(isinstance(row, dict) for row in value):
                # A row that is none, beside others that are, says nothing.
                rows += [{"exchange": _text(key), **row} for row in value if isinstance(row, dict)]
            else:
                inner = shape[0] if isinstance(shape, list) else shape
                kind = inner if isinstance(inner, str) else "text"
                rows.append({"exchange": _text(key), unit_name("values", kind, self._unit): value})
        return rows

    def _row(self, data: Any, columns: Sequence[Sequence[Any]]) -> dict[str, Any]:
        if not isinstance(data, list):
            raise self._bad("a row is not a list")
        found: dict[str, Any] = {}
        for (key, shape), item in zip(columns, data, strict=False):
            found.update(self._named(key, item, shape))
        return found

    def _leaf(self, data: Any, kind: str, name: str) -> Any:
        kind = kind.rstrip("#?")
        if kind in TEXTS:
            return data if isinstance(data, bool | int) and kind == "flag" else self._unknown(data)
        if kind.startswith("code:"):
            return self._code(data, kind.removeprefix("code:"))
        number = self._number(data, name)
        if number is None:
            return None
        if kind != "time":
            return number
        at_ms = to_epoch_ms(number, self._endpoint) if number else None
        if at_ms is not None and at_ms > _MAX_MS:
            raise self._bad(f"{name} is no time")
        return at_ms

    def _number(self, data: Any, name: str) -> float | int | None:
        """A number, also sent as text; None for the empty text, which stands for nothing."""
        if isinstance(data, bool):
            raise self._bad(f"{name} is not a number")
        if isinstance(data, str):
            if not data.strip():
                return None
            try:
                data = float(data)
            except ValueError as error:
                raise self._bad(f"{name} is not a number") from error
        if not isinstance(data, int | float) or not math.isfinite(data):
            raise self._bad(f"{name} is not a finite number")
        return data

    def _code(self, data: Any, table: str) -> str:
        number = self._number(data, table)
        word = CODES[table].get(int(number)) if number is not None else None
        if word is None:
            raise self._bad(f"unknown code {_text(str(data))[:20]} of {table}")
        return word

    def _unknown(self, data: Any) -> Any:
        """What the catalogue does not describe: text made harmless, everything else as it came."""
        if isinstance(data, str):
            return _text(data)
        if isinstance(data, list):
            return [self._unknown(item) for item in data]
        if isinstance(data, dict):
            return {unit_name(key, "text", self._unit): self._unknown(item) for key, item in data.items()}
        if isinstance(data, float) and not math.isfinite(data):
            raise self._bad("a number is not finite")
        return data

    def _bad(self, detail: str) -> ProviderBadPayload:
        return bad_payload(self._endpoint, detail)


def _fields(shape: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Keys with their windows spelt out."""
    for key, child in shape.items():
        braces = _BRACES.match(key)
        if braces is None:
            yield key, child
        else:
            head, windows, tail = braces.groups()
            yield from ((f"{head}{window}{tail}", child) for window in windows.split(","))


def _each(value: Any, change: Any) -> Any:
    return [_each(item, change) for item in value] if isinstance(value, list) else change(value)


def _iso(at_ms: int | None) -> str | None:
    if at_ms is None:
        return None
    moment = _EPOCH + timedelta(milliseconds=at_ms)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}Z"


def plain(data: Any) -> Any:
    """The same with every text of it as data: no control characters, and cut. Not nested too deeply, says
    `normalise`."""
    if isinstance(data, str):
        return _text(data)
    if isinstance(data, dict):
        return {_text(name): plain(value) for name, value in data.items()}
    return [plain(item) for item in data] if isinstance(data, list) else data


def _text(text: str) -> str:
    return _CONTROL.sub(" ", text)[:_MAX_CHARS]


def _require_shallow(data: Any, endpoint: str, depth: int) -> None:
    if depth > _MAX_DEPTH:
        raise bad_payload(endpoint, "the answer is nested too deeply")
    if isinstance(data, dict | list):
        for item in data.values() if isinstance(data, dict) else data:
            if isinstance(item, dict | list):
                _require_shallow(item, endpoint, depth + 1)
