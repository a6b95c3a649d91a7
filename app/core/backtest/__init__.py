"""Arithmetic of measured records: pure, no I/O. The commands live in `app/replay.py`."""
