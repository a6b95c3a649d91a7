"""Which browser origins may change anything here, and which may open the live feed.

A page of any origin can make a browser call this service; those that are not on the list are refused by the
edge (unsafe methods) and by the live routes. Owns the list and the comparison only.
"""

from __future__ import annotations

from collections.abc import Iterable
from urllib.parse import urlsplit

from app.api.options import ApiOptions

_DEFAULT_PORTS = {"http": 80, "https": 443}
_LOCAL_NAMES = ("localhost", "127.0.0.1", "[::1]")
_ANY_PORT = ":*"


def allowed_origins(public_url: str, named: Iterable[str], *, local: bool) -> tuple[str, ...]:
    """The list for a deployment: the public address, `named` ones, and with `local` this machine's own names.

    Exact but for this machine's names, which stand for all of their ports. `*` among `named` lets pages read,
    which is CORS' business, and never write: it is left out.
    Worked example: `https://a.example:443/x`, not local -> `https://a.example`.
    """
    found = [_origin_of(public_url), *(_origin_of(one) for one in named if one != "*")]
    if local:
        found += [f"http://{name}{port}" for name in _LOCAL_NAMES for port in ("", _ANY_PORT)]
    return tuple(dict.fromkeys(found))


def is_allowed_origin(origin: str | None, options: ApiOptions) -> bool:
    """Whether a page of `origin` (the header as sent) is on the list; None, "" and "null" never are."""
    if not origin or origin == "null":
        return False
    text = origin.lower()
    return any(_matches(text, allowed) for allowed in options.origins)


def _matches(origin: str, allowed: str) -> bool:
    if not allowed.endswith(_ANY_PORT):
        return origin == allowed
    name, _, port = origin.rpartition(":")
    return name == allowed.removesuffix(_ANY_PORT) and port.isascii() and port.isdigit() and len(port) <= 5


def _origin_of(url: str) -> str:
    """Scheme, host and port as a browser writes them: lower case, without the scheme's own port."""
    parts = urlsplit(url.lower())
    host = parts.netloc.rpartition("@")[2]
    default = _DEFAULT_PORTS.get(parts.scheme)
    return f"{parts.scheme}://{host.removesuffix(f':{default}') if default else host}"
