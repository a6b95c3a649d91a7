"""`python -m app.main` that says on SIGUSR1 how many tasks it has, as `tests.soak_child` does of a worker."""

from __future__ import annotations

import signal
import sys

from app.main import main
from tests.soak_child import say_tasks

if __name__ == "__main__":
    signal.signal(signal.SIGUSR1, say_tasks)
    sys.exit(main(sys.argv[1:]))
