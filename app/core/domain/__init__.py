"""Plain read-only market facts. Standard library only; no I/O, no provider words."""
