"""Benchmarks: each module has `run() -> dict`, which prints a table and returns its figures."""
