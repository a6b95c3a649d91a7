"""`python -m app.worker` that says on SIGUSR1 how many tasks it has: nobody can see that from outside."""

from __future__ import annotations

import asyncio
import signal
import sys
from types import FrameType

from app.worker import main


def say_tasks(_number: int, _frame: FrameType | None) -> None:
    sys.stdout.write(f"tasks {len(asyncio.all_tasks())}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    signal.signal(signal.SIGUSR1, say_tasks)
    sys.exit(main(sys.argv[1:]))
