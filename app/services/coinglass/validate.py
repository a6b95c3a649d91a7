"""Query parameters of a catalogue endpoint, checked before anything is asked upstream. Pure.

Says what to send instead of what was sent. What passes is in the table, in its lists and bounds, and made of
harmless characters. Called by `explorer`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from app.core.errors import InvalidParameter, PlanTooLow
from app.services.coinglass.catalog import INTERVALS, Endpoint, Parameter, Plan, cheapest_plan, plan_allows

_VALUE = re.compile(r"[A-Za-z0-9_.:() ,-]{1,120}")
_COIN = re.compile(r"[A-Za-z0-9]{1,15}(?:\([A-Za-z0-9]{1,10}\))?")
_QUOTED = re.compile(r"[A-Z0-9]{2,}(?:USDT|USDC|USD|PERP)", re.IGNORECASE)
_PAIR = re.compile(r"[A-Za-z0-9]{1,20}(?:[-_][A-Za-z0-9]{1,10}){0,3}")
# Coins that end like a quote currency: FDUSD is a coin, BTCUSD a pair.
_COINS_LIKE_PAIRS = frozenset(
    {"FDUSD", "PYUSD", "TUSD", "BUSD", "SUSD", "GUSD", "CRVUSD", "LUSD", "USDT", "USDC"}
)
_OLD_SPELLINGS = {f"{name[-1]}{name[:-1]}": name for name in INTERVALS}
_EXAMPLES = {
    "exchange": "exchange=Binance",
    "exchange_list": "exchange_list=Binance,OKX,Bybit",
    "interval": "interval=4h",
    "range": "range=24h",
    "start_time": "start_time=1735689600000",
    "end_time": "end_time=1735776000000",
}
_TIMES = frozenset({"start_time", "end_time"})
_MIN_MS = 10**12  # September 2001: earlier "milliseconds" are seconds


def validate(endpoint: Endpoint, given: Mapping[str, str], plan: Plan | None) -> dict[str, str | int]:
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
    sent: dict[str, str | int] = {}
    for name, parameter in known.items():
        text = given.get(name, "").strip()
        if text:
            sent[name] = _checked(parameter, text)
        elif parameter.required:
            raise InvalidParameter(name, f"{endpoint.id} needs it: send {_example(parameter)}")
    _check_plan(endpoint, sent, plan)
    return sent


def _checked(parameter: Parameter, text: str) -> str | int:
    if _VALUE.fullmatch(text) is None:
        raise InvalidParameter(parameter.name, "letters, digits and . _ - : ( ) , only, at most 120")
    if parameter.name == "interval":
        text = _OLD_SPELLINGS.get(text.lower(), text)
    if parameter.enum:
        if text not in parameter.enum:
            raise InvalidParameter(parameter.name, f"one of {', '.join(parameter.enum)}")
        return text
    if parameter.type in ("integer", "number"):
        return _number(parameter, text)
    if parameter.form == "coin":
        return _coin(parameter, text)
    if parameter.form == "pair":
        return _pair(parameter, text)
    return text


def _number(parameter: Parameter, text: str) -> str | int:
    if parameter.type == "number":
        if re.fullmatch(r"\d{1,12}(?:\.\d{1,8})?", text) is None:
            raise InvalidParameter(parameter.name, "a number from 0")
        return text
    if not (text.isascii() and text.isdigit() and len(text) <= 15):
        raise InvalidParameter(parameter.name, "a whole number from 0")
    number = int(text)
    if parameter.name in _TIMES and number < _MIN_MS:
        raise InvalidParameter(
            parameter.name, f"milliseconds since 1970, such as {_EXAMPLES[parameter.name]}"
        )
    if parameter.max is not None and not 1 <= number <= parameter.max:
        raise InvalidParameter(parameter.name, f"1 to {parameter.max}")
    return number


def _coin(parameter: Parameter, text: str) -> str:
    is_pair = _QUOTED.fullmatch(text) is not None and text.upper() not in _COINS_LIKE_PAIRS
    if is_pair or _COIN.fullmatch(text) is None:
        raise InvalidParameter(parameter.name, "a coin such as BTC, not a pair: send symbol=BTC")
    return text


def _pair(parameter: Parameter, text: str) -> str:
    is_coin = _COIN.fullmatch(text) is not None and _QUOTED.fullmatch(text) is None
    # Hyperliquid spells its pairs like coins, so only the short names everybody knows are taken for coins.
    if _PAIR.fullmatch(text) is None or (
        is_coin and text.upper() in ("BTC", "ETH", "SOL", "XRP", "DOGE", "BNB")
    ):
        wanted = "a pair as the exchange spells it: send exchange=Binance&symbol=BTCUSDT"
        raise InvalidParameter(parameter.name, wanted)
    return text


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


def _example(parameter: Parameter) -> str:
    if parameter.enum:
        return f"{parameter.name}={parameter.enum[-1] if parameter.name == 'interval' else parameter.enum[0]}"
    if parameter.form is not None:
        return "symbol=BTC" if parameter.form == "coin" else "exchange=Binance&symbol=BTCUSDT"
    return _EXAMPLES.get(parameter.name, f"{parameter.name}=...")


def _safe(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9_.-]", "?", name)[:40]
