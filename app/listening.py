"""The socket a process serves on, bound before anything is announced. Called by main and worker."""

from __future__ import annotations

import socket

from app.core.errors import ConfigurationError


def listen(host: str, port: int, *, settings: str = "") -> socket.socket:
    """The bound socket. settings: the names under which host and port were set, for the message: `METRICS_`.

    Raises:
        ConfigurationError: it cannot be had; the message says which.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        where = f"{settings}HOST={host} {settings}PORT={port}"
        raise ConfigurationError(f"{where}: cannot listen there: {error.strerror or error}") from error
    return listener
