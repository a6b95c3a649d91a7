"""`Symbol`: one coin, whatever spelling the user typed. Parsed once at the edge.

Owns the allow-list pattern, the near matches and the search. Providers format their own ids from
`Symbol.base`.
"""

from __future__ import annotations

import difflib
import re
import unicodedata
from collections.abc import Collection
from dataclasses import dataclass

from app.core.errors import InvalidParameter, UnknownSymbol

MAX_INPUT_CHARS = 40
_ALLOWED = re.compile(r"[A-Z0-9]{1,15}")
_QUOTES = ("USDT", "USDC", "USD", "PERP")
# Contracts quoted per thousand or million coins (1000PEPE, 1MBABYDOGE, kPEPE on some venues).
_MULTIPLIED = re.compile(r"(?:1000000|10000|1000|1M)([A-Z][A-Z0-9]{1,13})")


@dataclass(frozen=True, slots=True, order=True)
class Symbol:
    """A base asset, upper case, without quote or contract multiplier: `BTC`, `PEPE`."""

    base: str

    def __str__(self) -> str:
        return self.base


def parse_symbol(text: str) -> Symbol:
    """Read any usual spelling: BTC, btc, BTCUSDT, BTC-USDT, BTC-USDT-SWAP, BTC/USDT:USDT, 1000PEPE.

    Full-width letters are folded (NFKC). Nothing outside A-Z and 0-9 survives, so a symbol can never
    carry path or query characters to a provider.

    Raises:
        InvalidParameter: longer than 40 characters, or not a symbol after folding.
    """
    return Symbol(strip_multiplier(_strip_quote(_head(text))))


def _head(text: str, parameter: str = "symbol") -> str:
    """What stands before the first separator, folded and checked: `BTC/USDT:USDT` -> `BTC`. parameter: what
    the text is called where it was asked."""
    if len(text) > MAX_INPUT_CHARS:
        raise InvalidParameter(parameter, f"at most {MAX_INPUT_CHARS} characters")
    folded = unicodedata.normalize("NFKC", text).strip().upper()
    # BTC/USDT:USDT and BTC-USDT-SWAP: the base is what stands before the first separator.
    head = re.split(r"[-/_:]", folded, maxsplit=1)[0]
    tail = folded[len(head) :]
    if not _ALLOWED.fullmatch(head) or not re.fullmatch(r"(?:[-/_:][A-Z0-9]{1,10}){0,3}", tail):
        raise InvalidParameter(parameter, "letters A-Z and digits, such as BTC, BTCUSDT or BTC-USDT-SWAP")
    return head


def _strip_quote(head: str) -> str:
    """Without a list to look into: a quote goes only when at least two characters stay in front."""
    return next((base for base in _without_quote(head) if len(base) > 1), head)


def _without_quote(head: str) -> list[str]:
    """What may stand before a quote: BTCUSDT -> BTC; USDT alone has nothing in front."""
    return [head[: -len(quote)] for quote in _QUOTES if head.endswith(quote) and head != quote]


def strip_multiplier(base: str) -> str:
    """`1000PEPE` -> `PEPE`; a name that merely starts with digits (`1INCH`) stays."""
    match = _MULTIPLIED.fullmatch(base)
    return match.group(1) if match else base


def resolve_symbol(text: str, known: Collection[str]) -> Symbol:
    """Parse `text` and check it against the known bases.

    An empty `known` means no provider list could be loaded yet: then every well-formed symbol passes and
    the providers decide.

    Raises:
        InvalidParameter: not a symbol.
        UnknownSymbol: well-formed but in no list; carries up to five near matches.
    """
    symbol = parse_symbol(text)
    # FDUSD and W are coins where they are listed, whatever FDUSD and WUSDT look like.
    head = _head(text)
    for base in (head, *_without_quote(head)):
        if strip_multiplier(base) in known:
            return Symbol(strip_multiplier(base))
    if known and symbol.base not in known:
        near = difflib.get_close_matches(symbol.base, known, n=5, cutoff=0.6)
        raise UnknownSymbol(symbol.base, tuple(near))
    return symbol


@dataclass(frozen=True, slots=True)
class SymbolMatches:
    """What a search found.

    exact: the coin that the text spells, None where no list has it. found: bases, best first, the exact one
    among them. listed: coins in the lists that were searched; 0 while none could be loaded.
    """

    exact: Symbol | None
    found: tuple[str, ...]
    listed: int


def search_symbols(text: str, known: Collection[str], limit: int) -> SymbolMatches:
    """Known coins by a spelling or a part: the exact one, then what begins so, contains it, looks like it.

    Worked example: `pep` in PEPE, PEOPLE, BTC -> exact None, found PEPE (begins so), PEOPLE (looks like it).
    At most `limit` are found. Within one kind shorter names come first, then by the alphabet.

    Raises:
        InvalidParameter: not a symbol.
    """
    _head(text, "query")
    try:
        exact: Symbol | None = resolve_symbol(text, known) if known else None
    except UnknownSymbol:
        exact = None
    part = parse_symbol(text).base
    names = sorted((name for name in known if _ALLOWED.fullmatch(name)), key=lambda name: (len(name), name))
    ranked = [exact.base] if exact is not None else []
    ranked += [name for name in names if name.startswith(part)]
    ranked += [name for name in names if part in name]
    ranked += difflib.get_close_matches(part, names, n=limit, cutoff=0.6)
    return SymbolMatches(exact, tuple(dict.fromkeys(ranked))[:limit], len(names))
