"""Benchmarks: programs that measure and print, never timed tests. `make bench` runs them all."""
