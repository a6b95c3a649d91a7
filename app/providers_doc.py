"""`python -m app.providers_doc`: writes docs/providers.md from the CoinGlass catalogue.

One table per group: endpoint, plan, renewal, parameters, units and sides. A test holds the committed file
against what this writes.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from app.services.coinglass.catalog import CALLS_PER_MINUTE, ENDPOINTS, Endpoint, Plan, cheapest_plan
from app.services.coinglass.explorer import plan_words, units_of
from app.services.coinglass.unit_names import CODES
from app.services.coinglass.validate import must_be_sent
from app.services.coinglass.view_table import DECLARED

FILE = Path(__file__).resolve().parent.parent / "docs" / "providers.md"
_LEVELS = (Plan.HOBBYIST, Plan.STARTUP, Plan.STANDARD, Plan.PROFESSIONAL)
_INTRO = """# CoinGlass endpoints

Written by `python -m app.providers_doc` from `app/coinglass_endpoints.json`; do not edit by hand. What
this service asks of OKX, CoinAPI, LunarCrush and alternative.me is described in their packages below
`app/services/`.

Every endpoint can be asked through `GET /coinglass/endpoints/{id}`; `GET /coinglass/endpoints` says which
ones your key may ask now. Parameters are checked first, so a mistake costs no call: case and spaces are
mended (`binance, okx`, `btc`, `4H`); an unknown exchange, a coin where a pair belongs and a window that ends
before it starts are refused with what to send.

Numbers come back as numbers and their names end in the unit: `Usd`, `Base` (coins), `Pct` (percent, as
CoinGlass sends it), `Frac` (0.01 = 1 %), `H` (hours), `Days`, `Ratio`, `Score`, `Contracts`; times are
ISO-8601 with an `Ms` twin. The `time` of a bar is its OPEN here; the typed routes give the close. A page
holds at most 90,000 characters; the first one holds the newest rows, and `next` goes on to older ones,
whatever has arrived since. `raw=true` gives the data as it was sent.

## Reading the tables
- plan: from which bar size or plan on. Budgets per minute: {budgets}.
- renewed: how often CoinGlass says it renews the figures; `-` where it does not say (60 s is assumed).
- needs: parameters that must be sent. `symbol (coin)` is BTC, `symbol (pair)` is BTCUSDT as the exchange
  spells it.
- units: of the figures. `by_unit` follows the parameter `unit`: `Usd`, or `Base` for anything else.
  Funding is in **percent**; the two open-interest ratios of futures_coins_markets are **fractions**.
- sides and codes: {codes}. A long that is liquidated is a forced sell. The sign of `position_size` is the
  side: above zero long.

## What the typed routes stand on
| part | endpoint | cheapest plan |
|---|---|---|
{views}
"""


def build() -> str:
    """The whole document."""
    budgets = ", ".join(f"{plan.value} {CALLS_PER_MINUTE[plan]}" for plan in _LEVELS)
    codes = "; ".join(
        f"{name} {', '.join(f'{code} {word}' for code, word in table.items())}"
        for name, table in CODES.items()
    )
    views = "\n".join(
        f"| {item.view.value} | {item.endpoint} | {_plan(item.endpoint, has_bars=item.has_bars)} |"
        for item in DECLARED
    )
    parts = [_INTRO.replace("{budgets}", budgets).replace("{codes}", codes).replace("{views}", views)]
    for group in sorted({endpoint.group for endpoint in ENDPOINTS.values()}):
        rows = "\n".join(_row(endpoint) for endpoint in ENDPOINTS.values() if endpoint.group == group)
        head = "| endpoint | plan | renewed | needs | units | codes |\n|---|---|---|---|---|---|"
        parts.append(f"## {group}\n{head}\n{rows}\n")
    return "\n".join(parts)


def _plan(endpoint: str, *, has_bars: bool) -> str:
    """`hobbyist`, or with the bar sizes: `hobbyist from 4h, startup from 30m, standard`."""
    cheapest = cheapest_plan(endpoint)
    return _bars(ENDPOINTS[endpoint]) if has_bars else "not stated" if cheapest is None else cheapest.value


def _bars(endpoint: Endpoint) -> str:
    words = [
        (plan.value, plan_words(rule)) for plan in _LEVELS if (rule := endpoint.plans[plan]) is not False
    ]
    floors = [f"{plan} {word}" for plan, word in words if word.startswith("from")]
    first = next((plan for plan, word in words if not word.startswith("from")), "")
    return ", ".join([*floors, *([first] if first else [])])


def _row(endpoint: Endpoint) -> str:
    is_stated = any(endpoint.plans[plan] is not None for plan in _LEVELS)
    needs = [
        f"{parameter.name} ({parameter.form})" if parameter.form else parameter.name
        for parameter in endpoint.params
        if must_be_sent(parameter)
    ]
    kinds = units_of(endpoint.answer)
    units = [kind for kind in kinds if not kind.startswith("code:")]
    codes = [kind.removeprefix("code:") for kind in kinds if kind.startswith("code:")]
    codes += ["sign of size"] if "position_size" in _keys(endpoint.answer) else []
    cells = (
        endpoint.id,
        _bars(endpoint) if is_stated else "not stated",
        _renewed(endpoint.update_s),
        ", ".join(needs),
        ", ".join(units),
        ", ".join(codes),
    )
    return "| " + " | ".join(cells) + " |"


def _renewed(update_s: float | None) -> str:
    if update_s is None:
        return "-"
    for size, word in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if update_s >= size:
            return f"{update_s / size:g} {word}"
    return f"{update_s:g} s" if update_s else "real time"


def _keys(shape: Any) -> Iterator[str]:
    if isinstance(shape, list):
        yield from _keys(shape[0])
    elif isinstance(shape, dict) and "@row" not in shape:
        for key, child in shape.items():
            yield key
            yield from _keys(child)


if __name__ == "__main__":
    FILE.write_text(build(), encoding="utf-8")
    sys.exit(0)
