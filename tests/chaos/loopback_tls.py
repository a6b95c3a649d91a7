"""A loopback HTTPS site whose certificate nobody has signed, for the TLS faults."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.live_rig import listening


async def _nothing(scope: Any, receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"{}"})


def _certify(folder: Path) -> tuple[Path, Path]:
    """A fresh key and a certificate signed with it."""
    binary = shutil.which("openssl")
    if binary is None:
        pytest.skip("no openssl")
    key, certificate = folder / "key.pem", folder / "certificate.pem"
    command = [
        *(binary, "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"),
        *("-subj", "/CN=127.0.0.1", "-days", "2", "-keyout", str(key), "-out", str(certificate)),
    ]
    subprocess.run(command, check=True, capture_output=True, timeout=30)
    return key, certificate


@asynccontextmanager
async def self_signed_site(folder: Path) -> AsyncIterator[str]:
    """Serve `{}` over HTTPS; yields the URL."""
    key, certificate = _certify(folder)
    async with listening(
        _nothing, log_level="critical", ssl_keyfile=str(key), ssl_certfile=str(certificate)
    ) as url:
        yield url
