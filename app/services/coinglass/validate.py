"""Query parameters of a catalogue endpoint, checked before anything is asked upstream. Pure.

Says what to send instead of what was sent. What passes is in the table, in its lists and bounds, made of
harmless characters and spelt as CoinGlass spells it (see `spelling`). Called by `explorer`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from app.core.errors import InvalidParameter, PlanTooLow
from app.services.coinglass import spelling
from app.services.coinglass.catalog import INTERVALS, Endpoint, Parameter, Plan, cheapest_plan, plan_allows
from app.services.coinglass.spelling import NOTHING_HELD, Held

_VALUE = re.compile(r"[A-Za-z0-9_.:() ,-]{1,400}")
_EXAMPLES = {
    "exchange": "Binance",
    "exchange_list": "Binance,OKX,Bybit",
    "interval": "4h",
    "range": "24h",
    "start_time": "1735689600000",
    "end_time": "1735776000000",
    "unit": "USD",
    "ticker": "GBTC",
    "usd": "10000",
    "min_liquidation_amount": "10000",
    "user_address": "0xa5b0edf6b55128e0ddae8e51ac538c3188401d41",
    "limit": "100",
}
# Where the usual example would be answered with nothing: bitcoin was never vested.
_OWN_EXAMPLES = {("coin_vesting", "symbol"): "SOL", ("option_max_pain", "exchange"): "Deribit"}
_TIMES = frozenset({"start_time", "end_time"})
# Counted from one, whatever their page leaves unsaid.
_FROM_ONE = frozenset(
    {"limit", "page", "per_page", "current_page", "window", "fast_window", "slow_window", "signal_window"}
)
_MIN_MS = 10**12  # September 2001: earlier "milliseconds" are seconds
# In the order of checking: a pair is judged by its exchange, a unit by its coin.
_LATE = {"symbol": 1, "unit": 2}


def validate(
    endpoint: Endpoint, given: Mapping[str, str], plan: Plan | None, held: Held = NOTHING_HELD
) -> dict[str, str | int]:
    """The parameters to send.

    Raises:
        InvalidParameter: unknown, missing, of the wrong form or out of range; the text says what to send.
        PlanTooLow: the known plan lacks the endpoint, or bars of this size.
    """
    if not plan_allows(plan, endpoint.id):
        raise PlanTooLow(endpoint.id, str(plan), _needed(endpoint, None))
    known = {parameter.name: parameter for parameter in endpoint.params}
    for name in given:
        if name not in known:
            listed = ", ".join(known) or "none"
            raise InvalidParameter(_safe(name), f"{endpoint.id} takes {listed}")
    texts = {name: text for name in known if (text := given.get(name, "").strip())}
    _require_all(endpoint, texts)
    checked: dict[str, str | int] = {}
    for name in sorted(texts, key=lambda name: _LATE.get(name, 0)):
        checked[name] = _checked(endpoint, known[name], texts[name], checked, held)
    for parameter in endpoint.params:
        if parameter.name not in checked and not must_be_sent(parameter) and parameter.required:
            checked[parameter.name] = int(parameter.default or 0)
    sent = {name: checked[name] for name in known if name in checked}
    _require_order(sent)
    _check_plan(endpoint, sent, plan)
    return sent


def must_be_sent(parameter: Parameter) -> bool:
    """Whether the caller has to send it: a number of rows with a default is filled in here."""
    return parameter.required and not (parameter.name == "limit" and parameter.default is not None)


def example(endpoint: Endpoint, parameter: Parameter) -> str:
    """`symbol=BTCUSDT`: a value that is answered with rows."""
    return f"{parameter.name}={_example(endpoint, parameter)}"


def _example(endpoint: Endpoint, parameter: Parameter) -> str:
    own = _OWN_EXAMPLES.get((endpoint.id, parameter.name))
    if own is not None:
        return own
    usual = "BTCUSDT" if parameter.form == "pair" else "BTC" if parameter.form else ""
    usual = usual or _EXAMPLES.get(parameter.name, parameter.default or "1")
    return usual if not parameter.enum or usual in parameter.enum else parameter.enum[0]


def _require_all(endpoint: Endpoint, texts: Mapping[str, str]) -> None:
    """Raise for everything that is missing at once, with a query that works."""
    absent = [p for p in endpoint.params if must_be_sent(p) and p.name not in texts]
    if absent:
        query = "&".join(example(endpoint, parameter) for parameter in absent)
        names = ", ".join(parameter.name for parameter in absent)
        raise InvalidParameter(names, f"{endpoint.id} needs {_them(absent)}: send {query}")


def _them(absent: Sequence[Parameter]) -> str:
    return "it" if len(absent) == 1 else "them"


def _checked(
    endpoint: Endpoint, parameter: Parameter, text: str, checked: Mapping[str, str | int], held: Held
) -> str | int:
    name, group = parameter.name, endpoint.group
    if _VALUE.fullmatch(text) is None or (len(text) > 120 and name != "exchange_list"):
        raise InvalidParameter(name, "letters, digits and . _ - : ( ) , only, at most 120")
    if parameter.enum:
        return spelling.choice(name, text, parameter.enum)
    if parameter.type in ("integer", "number") or name in _FROM_ONE:
        number = _number(parameter, text)
        return number if parameter.type == "integer" else str(number)
    if name == "exchange":
        return spelling.exchange(name, text, group, held)
    if name == "exchange_list":
        return spelling.exchange_list(name, text, group, held)
    if parameter.form == "coin":
        return spelling.coin(name, text)
    if parameter.form == "pair":
        on_exchange = checked.get("exchange")
        return spelling.pair(name, text, None if on_exchange is None else str(on_exchange), held)
    if name == "unit":
        of_coin = checked.get("symbol")
        return spelling.unit(name, text, None if of_coin is None else str(of_coin))
    return text


def _number(parameter: Parameter, text: str) -> str | int:
    name = parameter.name
    if parameter.type == "number":
        if re.fullmatch(r"\d{1,12}(?:\.\d{1,8})?", text) is None:
            raise InvalidParameter(name, "a number from 0")
        return text
    lowest = 1 if name in _FROM_ONE or parameter.max is not None else 0
    bounds = f"{lowest} to {parameter.max}" if parameter.max is not None else f"from {lowest}"
    if not (text.isascii() and text.isdigit() and len(text) <= 15):
        raise InvalidParameter(name, f"a whole number {bounds}")
    number = int(text)
    if name in _TIMES and number < _MIN_MS:
        raise InvalidParameter(name, f"milliseconds since 1970, such as {name}={_EXAMPLES[name]}")
    if number < lowest or (parameter.max is not None and number > parameter.max):
        raise InvalidParameter(name, f"a whole number {bounds}")
    return number


def _require_order(sent: Mapping[str, str | int]) -> None:
    start, end = sent.get("start_time"), sent.get("end_time")
    if start is not None and end is not None and int(start) > int(end):
        raise InvalidParameter("start_time", "not after end_time: swap the two")


def _check_plan(endpoint: Endpoint, sent: Mapping[str, str | int], plan: Plan | None) -> None:
    interval = sent.get("interval")
    if interval is None or str(interval) not in INTERVALS:
        return
    if not plan_allows(plan, endpoint.id, str(interval)):
        what = f"{endpoint.id} with {interval} bars"
        raise PlanTooLow(what, str(plan), _needed(endpoint, str(interval)))


def _needed(endpoint: Endpoint, interval: str | None) -> str | None:
    plan = cheapest_plan(endpoint.id, interval)
    return None if plan is None else plan.value


def _safe(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9_.-]", "?", name)[:40]
