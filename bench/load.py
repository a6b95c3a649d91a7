"""A closed-loop HTTP load generator on raw sockets: `clients` keep-alive connections, each asking again
as soon as it was answered. Run as a program of its own so that it never shares the server's core.

`python -m bench.load HOST PORT PATH CLIENTS SECONDS` prints `requests seconds non_200`.
"""

from __future__ import annotations

import asyncio
import sys
import time


async def _one_client(host: str, port: int, path: str, until: float, counts: list[int]) -> None:
    reader, writer = await asyncio.open_connection(host, port)
    request = f"GET {path} HTTP/1.1\r\nHost: {host}:{port}\r\nConnection: keep-alive\r\n\r\n".encode()
    try:
        while time.perf_counter() < until:
            writer.write(request)
            head = await reader.readuntil(b"\r\n\r\n")
            length = int(head.lower().split(b"content-length:")[1].split(b"\r\n")[0])
            await reader.readexactly(length)
            counts[0] += 1
            counts[1] += b" 200 " not in head.split(b"\r\n", 1)[0]
    finally:
        writer.close()


async def load(host: str, port: int, path: str, clients: int, seconds: float) -> tuple[int, float, int]:
    """(requests answered, seconds taken, answers that were not 200)."""
    counts = [0, 0]
    begun = time.perf_counter()
    await asyncio.gather(*(_one_client(host, port, path, begun + seconds, counts) for _ in range(clients)))
    return counts[0], time.perf_counter() - begun, counts[1]


def main(argv: list[str]) -> int:
    host, port, path, clients, seconds = argv
    answered, taken_s, failed = asyncio.run(load(host, int(port), path, int(clients), float(seconds)))
    print(answered, taken_s, failed)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
