"""The web process of BENCH live: the service as it is, with sixty updates a second pushed through its feed.

Each update carries the monotonic second at which it was made, which processes of one machine share.
"""

from __future__ import annotations

import asyncio
import json
import socket
import sys
import time

from app.bootstrap import Application, build
from app.bootstrap_base import settle_memory
from app.settings import load_settings
from app.web_server import web_server

PUSHES_PER_S = 60
PAD_CHARS = 2_000


async def push(application: Application) -> None:
    """One changed entry at a time, until cancelled."""
    board, number = application.live.board, 0
    while True:
        number += 1
        text = json.dumps({"madeS": time.monotonic(), "n": number, "pad": "x" * PAD_CHARS})
        board.put_newest("signals", "bench", (sys.maxsize, "bench"), text)
        await asyncio.sleep(1 / PUSHES_PER_S)


async def serve(application: Application, listener: socket.socket) -> None:
    server = web_server(
        application.api,
        close_listeners=application.live.close,
        admission=application.admission,
        refusals=application.refusals,
    )
    pushing = asyncio.create_task(push(application))
    try:
        await server.serve(sockets=[listener])
    finally:
        pushing.cancel()


def main() -> None:
    settings = load_settings()
    application = build(settings)
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind((settings.host, settings.port))
    settle_memory()
    asyncio.run(serve(application, listener))


if __name__ == "__main__":
    main()
