"""Clients of the live feed over real sockets: a patient one, and one that asks and never listens."""

from __future__ import annotations

import base64
import json
import os
import socket
from typing import Any
from urllib.parse import urlsplit

from websockets.sync.client import ClientConnection, connect
from websockets.typing import Origin

HELLO: dict[str, Any] = {"type": "hello", "token": None, "resume": None}
WAIT_S = 30.0


def socket_url(url: str) -> str:
    return f"ws://{urlsplit(url).netloc}/ws"


def opened(url: str, *, origin: str | None = "http://localhost", **options: Any) -> ClientConnection:
    """A connection that has not said anything yet."""
    chosen = None if origin is None else Origin(origin)
    return connect(socket_url(url), origin=chosen, compression=None, open_timeout=WAIT_S, **options)


def hear(client: ClientConnection) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(client.recv(WAIT_S))
    return found


def greeted(client: ClientConnection, **said: Any) -> dict[str, Any]:
    """Say hello; what is answered first."""
    client.send(json.dumps({**HELLO, **said}))
    return hear(client)


class Deaf:
    """A client that asks for the feed and takes nothing until `drain`."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._socket = socket.socket()
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        self._socket.settimeout(WAIT_S)
        self._socket.connect((parts.hostname, parts.port))
        key = base64.b64encode(os.urandom(16)).decode()
        lines = (
            "GET /ws HTTP/1.1",
            f"Host: {parts.netloc}",
            "Upgrade: websocket",
            "Connection: Upgrade",
            f"Sec-WebSocket-Key: {key}",
            "Sec-WebSocket-Version: 13",
            "Origin: http://localhost",
        )
        self._socket.sendall("\r\n".join((*lines, "", "")).encode())
        head = b""
        while b"\r\n\r\n" not in head:
            head += self._socket.recv(1)
        assert head.startswith(b"HTTP/1.1 101"), head
        self._frame(0x1, json.dumps(HELLO).encode())

    def ping(self, times: int) -> None:
        """Send pings whose answers are not taken, as many as go out at once."""
        self._socket.setblocking(False)
        try:
            for _ in range(times):
                self._frame(0x9, b"x" * 100)
        except BlockingIOError:
            return
        finally:
            self._socket.settimeout(WAIT_S)

    def say(self, times: int) -> None:
        """Send short messages."""
        for _ in range(times):
            self._frame(0x1, b"hi")

    def begin_without_end(self, parts: int) -> None:
        """One message of `parts` empty parts, whose last never comes."""
        try:
            self._socket.sendall(bytes([0x01, 0x80, *bytes(4)]) + bytes([0x00, 0x80, *bytes(4)]) * parts)
        except OSError:
            return  # cut off meanwhile

    def drain(self) -> bytes:
        """Everything until the other side closes, or says nothing for a second."""
        found = b""
        self._socket.settimeout(1.0)
        try:
            while part := self._socket.recv(65_536):
                found += part
        except (TimeoutError, ConnectionResetError):
            return found
        return found

    def is_cut_off(self) -> bool:
        """Whether the other side has gone; reads what is left."""
        self._socket.settimeout(WAIT_S)
        try:
            while self._socket.recv(65_536):
                pass
        except ConnectionResetError:
            return True
        except TimeoutError:
            return False
        return True

    def close(self) -> None:
        self._socket.close()

    def _frame(self, opcode: int, payload: bytes) -> None:
        self._socket.sendall(frame_of(opcode, payload))


def frame_of(opcode: int, payload: bytes) -> bytes:
    """Masked with zeros, which the protocol allows."""
    length = len(payload)
    size = bytes([0x80 | length]) if length < 126 else bytes([0x80 | 126]) + length.to_bytes(2, "big")
    return bytes([0x80 | opcode]) + size + bytes(4) + payload
