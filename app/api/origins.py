"""Which pages may open a socket or send what changes something: the browser origins of this deployment."""

from __future__ import annotations

from app.api.options import ApiOptions


def is_allowed_origin(origin: str | None, options: ApiOptions) -> bool:
    """Whether `origin` is on the list; none, an empty and an opaque one (`null`) are not."""
    if origin is None or origin in {"", "null"}:
        return False
    given = origin.lower()
    return any(
        given == pattern or (pattern.endswith(":*") and _is_port_of(given, pattern[:-1]))
        for pattern in options.origins
    )


def _is_port_of(origin: str, prefix: str) -> bool:
    return origin.startswith(prefix) and origin[len(prefix) :].isdecimal()
