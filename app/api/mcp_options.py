"""Which names the MCP door answers to: the hosts and browser origins that its transport lets in.

A page of any origin can make a browser call an address of its owner's network (DNS rebinding); names that
are not on the list are refused. Owns the lists only; `app.api.mcp_server` refuses.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from urllib.parse import urlsplit

_LOCAL_NAMES = ("localhost", "127.0.0.1", "[::1]")


@dataclass(frozen=True, slots=True)
class McpOptions:
    """hosts: values of the Host header, `name:*` for every port. origins: the same of Origin, with scheme."""

    hosts: tuple[str, ...]
    origins: tuple[str, ...]

    @classmethod
    def of(
        cls, public_url: str, *, more_hosts: Iterable[str] = (), more_origins: Iterable[str] = (), local: bool
    ) -> McpOptions:
        """The public address, what is added to it, and with `local` this machine's own names.

        Worked example: `https://signals.example.com`, not local -> hosts `signals.example.com` and
        `signals.example.com:*`, origins `https://signals.example.com` and `https://signals.example.com:*`.
        """
        parts = urlsplit(public_url)
        names = [parts.netloc.rpartition("@")[2].lower(), *(name.lower() for name in more_hosts)]
        origins = [f"{parts.scheme}://{names[0]}", *(origin.lower() for origin in more_origins)]
        if local:
            names += _LOCAL_NAMES
            origins += [f"http://{name}" for name in _LOCAL_NAMES]
        return cls(tuple(_with_ports(names)), tuple(_with_ports(origins)))


def _with_ports(names: Iterable[str]) -> Iterator[str]:
    """A name without a port stands for all of its ports."""
    for name in dict.fromkeys(names):
        yield name
        if urlsplit(name if "//" in name else f"//{name}").netloc.rpartition("]")[2].count(":") == 0:
            yield f"{name}:*"
